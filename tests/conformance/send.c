// SPDX-License-Identifier: Apache-2.0
/*
 * Sends a profile to a real receiver, as programs that embed the library do; receivers.sh looks at
 * what has become of it there.
 *
 *	send FORMAT URL FILE TAGS START_S END_S ID
 *
 * FORMAT as ddp_export_format_from_name() takes it, TAGS "key:value,...", times in seconds since
 * 1970. DDPROF_TENANT, DDPROF_USER and DDPROF_PASSWORD are sent where they are set. Prints the
 * status of the answer; exit status 0 only when it was taken.
 */
#include <ddprof/exporter.h>
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

int main(int argc, char **argv)
{
	struct ddp_exporter_config config = {
		.tenant = getenv("DDPROF_TENANT"), .user = getenv("DDPROF_USER"),
		.password = getenv("DDPROF_PASSWORD"),
	};
	struct ddp_buffer profile = { 0 }, tags = { 0 };
	struct ddp_export_form form = { .tags = &tags };
	int r;

	if (argc != 8 || ddp_export_format_from_name(argv[1], &config.format)) {
		fprintf(stderr, "usage: send FORMAT URL FILE TAGS START_S END_S ID\n");
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
