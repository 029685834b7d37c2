/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads pprof files of any compression, adds them up, and lists the functions in which most of a
 * value was spent: in themselves, not in what they called.
 *
 * usage: top FILE...
 * Prints the total of the value that the files name as their default, else of the last one, as
 * other pprof tools do; then up to ten lines: value, percent, function.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ddprof/pprof.h>

enum { MAX_FILES = 1024, LINES = 10 };

struct entry {
	const char *function;
	int64_t value;
};

/* The whole file, to be freed; NULL with errno set. */
static void *read_file(const char *path, size_t *n)
{
	struct ddp_buffer all = { 0 };
	char part[16384];
	size_t got;
	FILE *f = fopen(path, "rb");

	if (!f)
		return NULL;
	while ((got = fread(part, 1, sizeof(part), f)) > 0)
		if (ddp_buffer_write(&all, part, got))
			break;
	if (got || ferror(f)) {
		ddp_buffer_free(&all);
		errno = got ? ENOMEM : EIO;
	} else if (!all.bytes) {
		errno = ENODATA;
	}
	fclose(f);
	*n = all.len;
	return all.bytes;	/* the caller's now; ddp_buffer_free() would free it, too */
}

static struct ddp_pprof *load(const char *path)
{
	struct ddp_error err = { "" };
	struct ddp_pprof *p = NULL;
	size_t n;
	void *bytes = read_file(path, &n);

	if (!bytes)
		fprintf(stderr, "top: %s: %s\n", path, strerror(errno));
	else if (ddp_pprof_load(bytes, n, NULL, &p, &err))
		fprintf(stderr, "top: %s: %s\n", path, err.text);
	free(bytes);
	return p;
}

/* A name of whoever was running; what has no name is told by its address elsewhere. */
static const char *leaf_name(const struct ddp_pprof_sample *s)
{
	const struct ddp_pprof_location *leaf = s->nr_locations ? s->locations[0] : NULL;

	if (!leaf || !leaf->nr_lines || !leaf->lines[0].function)
		return "[no name]";
	return leaf->lines[0].function->name;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->function, ((const struct entry *)b)->function);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = ((const struct entry *)a)->value, y = ((const struct entry *)b)->value;

	return x < y ? 1 : x > y ? -1 : by_name(a, b);
}

/* One entry a sample becomes one entry a function; how many those are. */
static size_t add_up(struct entry *entries, size_t n)
{
	size_t i, last = 0;

	if (!n)
		return 0;
	qsort(entries, n, sizeof(*entries), by_name);
	for (i = 1; i < n; i++) {
		if (!strcmp(entries[i].function, entries[last].function))
			entries[last].value += entries[i].value;
		else
			entries[++last] = entries[i];
	}
	return last + 1;
}

/* Which value to show; what was merged has at least one. */
static size_t default_value(const struct ddp_pprof *p)
{
	size_t i;

	for (i = 0; i < p->nr_sample_types; i++)
		if (!strcmp(p->sample_types[i].type, p->default_sample_type))
			return i;
	return p->nr_sample_types - 1;
}

static int print_top(const struct ddp_pprof *p, size_t value)
{
	struct entry *entries = calloc(p->nr_samples + 1, sizeof(*entries));
	int64_t total = 0;
	size_t i, n;

	if (!entries)
		return -ENOMEM;
	for (i = 0; i < p->nr_samples; i++) {
		entries[i].function = leaf_name(&p->samples[i]);
		entries[i].value = p->samples[i].values[value];
		total += entries[i].value;
	}
	n = add_up(entries, p->nr_samples);
	qsort(entries, n, sizeof(*entries), by_value);
	printf("total %" PRId64 " %s of %s\n", total, p->sample_types[value].unit,
	       p->sample_types[value].type);
	for (i = 0; i < n && i < LINES; i++)
		printf("%12" PRId64 " %5.1f%% %s\n", entries[i].value,
		       total ? 100.0 * entries[i].value / total : 0, entries[i].function);
	free(entries);
	return 0;
}

static int merge_and_print(const struct ddp_pprof *const *files, char **names, int n)
{
	struct ddp_error err = { "" };
	struct ddp_pprof *sum;
	int r = ddp_pprof_merge(files, (const char *const *)names, n, &sum, &err);

	if (r) {
		fprintf(stderr, "top: %s\n", err.text[0] ? err.text : strerror(-r));
		return r;
	}
	r = print_top(sum, default_value(sum));
	ddp_pprof_destroy(sum);
	return r;
}

int main(int argc, char **argv)
{
	static struct ddp_pprof *files[MAX_FILES];
	int n = argc - 1, i, r = 0;

	if (n < 1 || n > MAX_FILES) {
		fprintf(stderr, "usage: top FILE... (at most %d)\n", MAX_FILES);
		return 2;
	}
	for (i = 0; i < n && !r; i++) {
		files[i] = load(argv[1 + i]);
		r = files[i] ? 0 : -1;
	}
	if (!r)
		r = merge_and_print((const struct ddp_pprof *const *)files, argv + 1, n);
	for (i = 0; i < n; i++)
		ddp_pprof_destroy(files[i]);
	return r ? 1 : 0;
}
