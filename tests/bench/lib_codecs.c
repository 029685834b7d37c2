// SPDX-License-Identifier: Apache-2.0
/*
 * A pprof file in each compression and at several levels: how large, and what it costs to get there
 * and back. Called by lib.sh.
 *
 * usage: lib_codecs FILE.pprof...
 * Prints a line a file, format and level:
 *   file plain_bytes codec level (0: the format's default) bytes percent (of plain_bytes)
 *   compress_ms decompress_ms	best of ROUNDS, or of fewer when one takes SLOW_MS
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ddprof/compress.h"
#include "lib/cleanup.h"

enum {
	ROUNDS = 3,
	SLOW_MS = 1000,
	MAX_BYTES = 1 << 30,
};

struct choice {
	enum ddp_compression codec;
	int level;
};

static const struct choice choices[] = {
	{ DDP_LZ4, 0 }, { DDP_LZ4, 3 }, { DDP_LZ4, 9 }, { DDP_LZ4, 12 },
	{ DDP_GZIP, 1 }, { DDP_GZIP, 0 }, { DDP_GZIP, 9 },
	{ DDP_ZSTD, 1 }, { DDP_ZSTD, 0 }, { DDP_ZSTD, 9 }, { DDP_ZSTD, 19 },
};

DEFINE_CLEANUP(struct ddp_compressor *, ddp_compressor_destroy)

/* CPU time of this thread */
static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int compress(const struct ddp_buffer *plain, const struct choice *c, struct ddp_buffer *ret)
{
	CLEANUP(ddp_compressor_destroy) struct ddp_compressor *to = NULL;
	int r = ddp_compressor_create(c->codec, c->level, ddp_buffer_write, ret, &to);

	r = r ? r : ddp_compressor_write(to, plain->bytes, plain->len);
	return r ? r : ddp_compressor_finish(to);
}

static int decompress(const struct ddp_buffer *from, struct ddp_buffer *ret)
{
	return ddp_decompress(from->bytes, from->len, MAX_BYTES, ddp_buffer_write, ret);
}

/* There and back once; -EBADMSG when what comes back is something else. */
static int round_trip(const struct ddp_buffer *plain, const struct choice *c, size_t *bytes,
		      double *compress_ms, double *decompress_ms)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer small = { 0 };
	CLEANUP(ddp_buffer_free) struct ddp_buffer back = { 0 };
	double start = now_ms(), middle;
	int r = compress(plain, c, &small);

	middle = now_ms();
	r = r ? r : decompress(&small, &back);
	if (r)
		return r;
	*compress_ms = middle - start;
	*decompress_ms = now_ms() - middle;
	*bytes = small.len;
	return back.len == plain->len && !memcmp(back.bytes, plain->bytes, back.len) ? 0 : -EBADMSG;
}

static int measure(const char *file, const struct ddp_buffer *plain, const struct choice *c)
{
	double best = 0, best_back = 0, ms, back_ms;
	size_t bytes = 0;
	int i, r;

	for (i = 0; i < ROUNDS && best < SLOW_MS; i++) {
		r = round_trip(plain, c, &bytes, &ms, &back_ms);
		if (r)
			return r;
		best = !i || ms < best ? ms : best;
		best_back = !i || back_ms < best_back ? back_ms : best_back;
	}
	printf("file=%s plain_bytes=%zu codec=%s level=%d ", file, plain->len,
	       ddp_compression_name(c->codec), c->level);
	printf("bytes=%zu percent=%.1f compress_ms=%.2f decompress_ms=%.2f\n", bytes,
	       100.0 * bytes / plain->len, best, best_back);
	return 0;
}

static int read_plain(const char *path, struct ddp_buffer *ret)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer bytes = { 0 };
	CLEANUP(close_file) FILE *f = fopen(path, "re");
	char part[65536];
	size_t n;
	int r = 0;

	if (!f)
		return -errno;
	while (!r && (n = fread(part, 1, sizeof(part), f)) > 0)
		r = ddp_buffer_write(&bytes, part, n);
	if (ferror(f))
		return -EIO;
	return r ? r : decompress(&bytes, ret);
}

static int measure_file(const char *path)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer plain = { 0 };
	const char *slash = strrchr(path, '/');
	int r = read_plain(path, &plain);
	size_t i;

	for (i = 0; i < sizeof(choices) / sizeof(*choices) && !r; i++)
		r = measure(slash ? slash + 1 : path, &plain, &choices[i]);
	if (r)
		fprintf(stderr, "lib_codecs: %s: %s\n", path, strerror(-r));
	return r;
}

int main(int argc, char **argv)
{
	int i, r = 0;

	for (i = 1; i < argc && !r; i++)
		r = measure_file(argv[i]);
	return r ? 1 : 0;
}
