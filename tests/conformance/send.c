// SPDX-License-Identifier: Apache-2.0
/*
 * Sends a profile to a real receiver, as programs that embed the library do; receivers.py looks at
 * what has become of it there.
 *
 *	send make FILE START_S			makes one, compressed as its name says
 *	send FORMAT URL FILE TAGS START_S END_S ID
 *
 * FORMAT as ddp_export_format_from_name() takes it, TAGS "key:value,...", times in seconds since
 * 1970. DDPROF_TENANT, DDPROF_USER and DDPROF_PASSWORD are sent where they are set. Prints the
 * status of the answer, or of what was made the sum of each value type; exit status 0 only when
 * it was taken or made.
 */
#include <ddprof/compress.h>
#include <ddprof/exporter.h>
#include <ddprof/pprof.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_file(const char *path, struct ddp_buffer *to)
{
	FILE *f = fopen(path, "rb");
	char piece[65536];
	size_t n;
	int r = 0;

	if (!f) {
		perror(path);
		return -1;
	}
	while (!r && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		r = ddp_buffer_write(to, piece, n);
	fclose(f);
	return r;
}

static int send_form(const struct ddp_exporter_config *config, const struct ddp_export_form *form)
{
	struct ddp_export_result result = { 0 };
	struct ddp_exporter *e;
	struct ddp_error err = { "" };
	int r = ddp_exporter_create(config, &e, &err);

	if (r) {
		fprintf(stderr, "send: %s\n", err.text);
		return r;
	}
	r = ddp_exporter_send(e, form, &result);
	ddp_exporter_destroy(e);
	printf("%ld\n", result.http_status);
	if (r || *result.message)
		fprintf(stderr, "send: %s\n", *result.message ? result.message : strerror(-r));
	return r;
}

/* Making */

enum { NR_STACKS = 300, NR_FUNCTIONS = 20, DEPTH = 3, SECOND_NS = 1000000000 };

/* "work_<i / 3 ^ k>" called by the next, every second sample with a time, in two threads */
static int add_sample(struct ddp_profile *p, unsigned int i, int64_t start_unix_ns)
{
	static const char *const threads[] = { "reader", "writer" };
	struct ddp_text_frame frames[DEPTH];
	char names[DEPTH][16];
	struct ddp_text_label label = {
		.key = ddp_text_from("thread_name"), .str = ddp_text_from(threads[i % 2]),
	};
	struct ddp_text_sample sample = {
		.frames = frames, .nr_frames = DEPTH, .labels = &label, .nr_labels = 1,
		.values = (int64_t[]){ i + 1, (i + 1) * 10101010LL }, .nr_values = 2,
		.timestamp_ns = i % 4 < 2 ? 0 : start_unix_ns + i * (SECOND_NS / 10),
	};
	unsigned int k, n = i;

	for (k = 0; k < DEPTH; k++, n /= 3) {
		snprintf(names[k], sizeof(names[k]), "work_%u", n % NR_FUNCTIONS);
		frames[k] = (struct ddp_text_frame){
			.function = ddp_text_from(names[k]), .file = ddp_text_from("work.c"),
			.line = k + 1,
		};
	}
	return ddp_profile_add_text(p, &sample);
}

static int write_file(void *file, const void *bytes, size_t n)
{
	return fwrite(bytes, 1, n, file) == n ? 0 : -EIO;
}

static int encode(const struct ddp_profile *p, int64_t end_unix_ns, const char *path)
{
	enum ddp_compression compression;
	struct ddp_compressor *c = NULL;
	FILE *f = fopen(path, "wb");
	int r = f ? ddp_compression_from_path(path, &compression) : -errno;

	r = r ?: ddp_compressor_create(compression, 0, write_file, f, &c);
	r = r ?: ddp_pprof_encode(p, end_unix_ns, ddp_compressor_write, c);
	r = r ?: ddp_compressor_finish(c);
	ddp_compressor_destroy(c);
	if (f && fclose(f) && !r)
		r = -EIO;
	return r;
}

static int make(const char *path, int64_t start_unix_ns)
{
	static const struct ddp_value_type types[] = { { DDP_CPU_SAMPLES }, { DDP_CPU_TIME } };
	struct ddp_profile_config config = {
		.value_types = types, .nr_value_types = 2, .period_type = { DDP_CPU_TIME },
		.period = 10101010, .start_unix_ns = start_unix_ns,
	};
	struct ddp_profile *p = NULL;
	unsigned int i;
	int r = ddp_profile_create(&config, &p);

	for (i = 0; !r && i < NR_STACKS; i++)
		r = add_sample(p, i, start_unix_ns);
	r = r ?: encode(p, start_unix_ns + 59LL * SECOND_NS, path);
	ddp_profile_destroy(p);
	if (r)
		fprintf(stderr, "send: %s: %s\n", path, strerror(-r));
	else
		printf("%d %lld\n", NR_STACKS * (NR_STACKS + 1) / 2,
		       NR_STACKS * (NR_STACKS + 1) / 2 * 10101010LL);
	return r;
}

/* Sending */

int main(int argc, char **argv)
{
	struct ddp_exporter_config config = {
		.tenant = getenv("DDPROF_TENANT"), .user = getenv("DDPROF_USER"),
		.password = getenv("DDPROF_PASSWORD"),
	};
	struct ddp_buffer profile = { 0 }, tags = { 0 };
	struct ddp_export_form form = { .tags = &tags };
	int r;

	if (argc == 4 && !strcmp(argv[1], "make"))
		return make(argv[2], strtoll(argv[3], NULL, 10) * SECOND_NS) != 0;
	if (argc != 8 || ddp_export_format_from_name(argv[1], &config.format)) {
		fprintf(stderr, "usage: send make FILE START_S\n"
			"       send FORMAT URL FILE TAGS START_S END_S ID\n");
		return 2;
	}
	config.url = argv[2];
	r = read_file(argv[3], &profile);
	if (!r)
		r = ddp_tags_parse(&tags, argv[4], NULL);
	form.start_unix_ns = strtoll(argv[5], NULL, 10) * 1000000000;
	form.end_unix_ns = strtoll(argv[6], NULL, 10) * 1000000000;
	form.id = argv[7];
	form.profile = profile.bytes;
	form.profile_bytes = profile.len;
	if (!r)
		r = send_form(&config, &form);
	ddp_buffer_free(&profile);
	ddp_buffer_free(&tags);
	return r != 0;
}
