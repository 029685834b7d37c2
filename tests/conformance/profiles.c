// SPDX-License-Identifier: Apache-2.0
/*
 * What `make conformance` does with pprof files through libddprof:
 *
 *	profiles make OUT		a profile of the builder with everything it can hold
 *	profiles rewrite IN OUT		reads and writes it again
 *	profiles merge OUT IN...	adds files up
 *	profiles diff OUT BASE OTHER	the difference, both sides kept apart
 *
 * OUT is compressed as its name says. Exit status 0, or 1 and says why.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ddprof/compress.h>
#include <ddprof/pprof.h>

enum { MAX_FILES = 64 };

static void die(const char *what, const char *why)
{
	fprintf(stderr, "profiles: %s: %s\n", what, why);
	exit(1);
}

static void check(int r, const char *what)
{
	if (r)
		die(what, strerror(-r));
}

static int write_file(void *ctx, const void *bytes, size_t n)
{
	return fwrite(bytes, 1, n, ctx) == n ? 0 : -EIO;
}

static struct ddp_pprof *load(const char *path)
{
	struct ddp_buffer bytes = { 0 };
	char piece[65536];
	struct ddp_error err;
	struct ddp_pprof *p;
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		die(path, "cannot be opened");
	while ((n = fread(piece, 1, sizeof(piece), f)))
		check(ddp_buffer_write(&bytes, piece, n), path);
	fclose(f);
	if (ddp_pprof_load(bytes.bytes, bytes.len, NULL, &p, &err))
		die(path, err.text);
	ddp_buffer_free(&bytes);
	return p;
}

/* Opens @path for what is written to the compressor. */
static struct ddp_compressor *create(const char *path, FILE **ret_file)
{
	enum ddp_compression c = DDP_PLAIN;
	struct ddp_compressor *z;

	ddp_compression_from_path(path, &c);
	*ret_file = fopen(path, "w");
	if (!*ret_file)
		die(path, "cannot be made");
	check(ddp_compressor_create(c, 0, write_file, *ret_file, &z), path);
	return z;
}

static void finish(struct ddp_compressor *z, FILE *f, const char *path)
{
	check(ddp_compressor_finish(z), path);
	ddp_compressor_destroy(z);
	if (fclose(f))
		die(path, "cannot be written");
}

static void store(const struct ddp_pprof *p, const char *path)
{
	FILE *f;
	struct ddp_compressor *z = create(path, &f);

	check(ddp_pprof_write(p, ddp_compressor_write, z), path);
	finish(z, f, path);
}

static uint32_t string(struct ddp_profile *p, const char *text)
{
	uint32_t id;

	check(ddp_profile_string(p, text, strlen(text), &id), text);
	return id;
}

static uint32_t location(struct ddp_profile *p, uint32_t mapping, uint64_t address,
			 const char *outer, const char *inlined)
{
	struct ddp_line lines[2] = { { .line = 7 }, { .line = 42 } };
	uint32_t id;

	check(ddp_profile_function(p, &(struct ddp_function){
		.name = string(p, inlined ? inlined : outer), .filename = string(p, "a.c"),
		.system_name = string(p, "_Z"), .start_line = 1 }, &lines[0].function), outer);
	check(ddp_profile_function(p, &(struct ddp_function){ .name = string(p, outer) },
				   &lines[1].function), outer);
	check(ddp_profile_location(p, &(struct ddp_location){
		.mapping = mapping, .address = address, .lines = lines,
		.nr_lines = inlined ? 2 : 1 }, &id), outer);
	return id;
}

static void fill(struct ddp_profile *p)
{
	struct ddp_label labels[] = {
		{ .key = string(p, "thread name"), .str = string(p, "worker \xff 1") },
		{ .key = string(p, "bytes"), .num = -4096, .num_unit = string(p, "bytes") },
		{ .key = string(p, "local root span id"), .num = -1 },
	};
	uint32_t mapping, stack[3];

	check(ddp_profile_mapping(p, &(struct ddp_mapping){
		.start = 0x400000, .limit = 0x500000, .file_offset = 0x1000,
		.filename = string(p, "/bin/a"), .build_id = string(p, "beef"),
		.has_functions = true, .has_inline_frames = true }, &mapping), "mapping");
	stack[0] = location(p, mapping, 0x400123, "leaf", "inlined");
	stack[1] = location(p, 0, 0xffffffff81000000, "kernel", NULL);
	stack[2] = location(p, mapping, 0x400456, "main", NULL);
	check(ddp_profile_add(p, &(struct ddp_sample){
		.locations = stack, .nr_locations = 3, .labels = labels, .nr_labels = 3,
		.values = (int64_t[]){ 1, 10000000 }, .nr_values = 2 }), "a sample");
	check(ddp_profile_add(p, &(struct ddp_sample){
		.locations = stack + 2, .nr_locations = 1, .timestamp_ns = 1700000000123456789,
		.values = (int64_t[]){ 2, 20000000 }, .nr_values = 2 }), "a timed sample");
	check(ddp_profile_add(p, &(struct ddp_sample){
		.values = (int64_t[]){ 3, 0 }, .nr_values = 2 }), "an empty stack");
	check(ddp_profile_comment(p, "made by libddprof"), "a comment");
}

static void make(const char *path)
{
	static const struct ddp_value_type types[] = { { DDP_CPU_SAMPLES }, { DDP_CPU_TIME } };
	struct ddp_profile_config c = {
		.value_types = types, .nr_value_types = 2, .period_type = { DDP_CPU_TIME },
		.period = 10000000, .start_unix_ns = 1700000000000000000,
	};
	struct ddp_compressor *z;
	struct ddp_profile *p;
	FILE *f;

	check(ddp_profile_create(&c, &p), "a profile");
	fill(p);
	z = create(path, &f);
	check(ddp_pprof_encode(p, c.start_unix_ns + 60000000000, ddp_compressor_write, z), path);
	finish(z, f, path);
	ddp_profile_destroy(p);
}

static void merge(const char *out, char **in, size_t n)
{
	struct ddp_pprof *all[MAX_FILES], *sum;
	struct ddp_error err;
	size_t i;

	if (n > MAX_FILES)
		die(out, "too many files");
	for (i = 0; i < n; i++)
		all[i] = load(in[i]);
	if (ddp_pprof_merge((const struct ddp_pprof *const *)all, (const char *const *)in, n, &sum,
			    &err))
		die(out, err.text);
	store(sum, out);
	ddp_pprof_destroy(sum);
	for (i = 0; i < n; i++)
		ddp_pprof_destroy(all[i]);
}

static void diff(const char *out, const char *base_path, const char *other_path)
{
	struct ddp_pprof *base = load(base_path), *other = load(other_path), *difference;
	struct ddp_error err;

	if (ddp_pprof_diff(base, other, true, &difference, &err))
		die(out, err.text);
	store(difference, out);
	ddp_pprof_destroy(difference);
	ddp_pprof_destroy(base);
	ddp_pprof_destroy(other);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	struct ddp_pprof *p;

	if (!strcmp(verb, "make") && argc == 3) {
		make(argv[2]);
	} else if (!strcmp(verb, "rewrite") && argc == 4) {
		p = load(argv[2]);
		store(p, argv[3]);
		ddp_pprof_destroy(p);
	} else if (!strcmp(verb, "merge") && argc > 3) {
		merge(argv[2], argv + 3, (size_t)argc - 3);
	} else if (!strcmp(verb, "diff") && argc == 5) {
		diff(argv[2], argv[3], argv[4]);
	} else {
		die("usage", "profiles make|rewrite|merge|diff ..., see the top of its source");
	}
	return 0;
}
