/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that makes a profile: two stacks by strings, written as a .pprof file, which is
 * compressed by gzip because that is what every pprof tool reads.
 *
 * usage: write_profile OUT.pprof
 *	  go tool pprof -top OUT.pprof
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <ddprof/compress.h>
#include <ddprof/pprof.h>
#include <ddprof/profile.h>

static int64_t unix_ns(void)
{
	return (int64_t)time(NULL) * 1000000000;
}

/* A ddp_write_fn: the library's output goes wherever this puts it. */
static int write_to_file(void *file, const void *bytes, size_t n)
{
	return fwrite(bytes, 1, n, file) == n ? 0 : -EIO;
}

/* Real profilers get frames from their stack walker; leaf first. */
static int add_samples(struct ddp_profile *p)
{
	const struct ddp_text_mapping program = {
		.start = 0x400000, .limit = 0x480000, .filename = DDP_TEXT("/usr/bin/shop"),
		.build_id = DDP_TEXT("5d7b6259552275a3c17bd4c3fd05f5a6bf40caa5"),
		.has_functions = true,
	};
	const struct ddp_text_frame parse[] = {
		{ .function = DDP_TEXT("parse"), .file = DDP_TEXT("parse.c"), .line = 40,
		  .address = 0x401120, .mapping = &program },
		{ .function = DDP_TEXT("main"), .file = DDP_TEXT("main.c"), .line = 12,
		  .address = 0x401040, .mapping = &program },
	};
	const struct ddp_text_label thread[] = {
		{ .key = DDP_TEXT("thread id"), .num = 4711 },
	};
	const int64_t one_tick[] = { 1, 10101010 };
	struct ddp_text_sample sample = {
		.frames = parse, .nr_frames = 2, .values = one_tick, .nr_values = 2,
		.labels = thread, .nr_labels = 1,
	};
	int r;

	/* equal samples are added up: in the file this is one with the values 2, 20202020 */
	if ((r = ddp_profile_add_text(p, &sample)) || (r = ddp_profile_add_text(p, &sample)))
		return r;
	sample.frames = &parse[1];	/* and this is time in main() itself */
	sample.nr_frames = 1;
	return ddp_profile_add_text(p, &sample);
}

static int write_gzip(const struct ddp_profile *p, FILE *file)
{
	struct ddp_compressor *gzip;
	int r = ddp_compressor_create(DDP_GZIP, 0, write_to_file, file, &gzip);

	if (r)
		return r;
	r = ddp_pprof_encode(p, unix_ns(), ddp_compressor_write, gzip);
	if (!r)
		r = ddp_compressor_finish(gzip);
	ddp_compressor_destroy(gzip);
	return r;
}

static int write_profile(FILE *file)
{
	static const struct ddp_value_type types[] = {
		{ DDP_CPU_SAMPLES }, { DDP_CPU_TIME },
	};
	const struct ddp_profile_config config = {
		.value_types = types, .nr_value_types = 2,
		.period_type = { DDP_CPU_TIME }, .period = 10101010,	/* 99 Hz */
		.start_unix_ns = unix_ns(),
	};
	struct ddp_profile *p;
	int r = ddp_profile_create(&config, &p);

	if (r)
		return r;
	r = add_samples(p);
	if (!r)
		r = write_gzip(p, file);
	ddp_profile_destroy(p);
	return r;
}

int main(int argc, char **argv)
{
	FILE *file;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: write_profile OUT.pprof\n");
		return 2;
	}
	file = fopen(argv[1], "wb");
	r = file ? write_profile(file) : -errno;
	if (file && fclose(file) && !r)
		r = -errno;
	if (r)
		fprintf(stderr, "write_profile: %s: %s\n", argv[1], strerror(-r));
	return r ? 1 : 0;
}
