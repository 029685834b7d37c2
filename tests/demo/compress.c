// SPDX-License-Identifier: Apache-2.0
/*
 * The workload of `make demo`: compresses files with several threads, a block each in turn, as pigz does.
 * Usage: compress THREADS FILE... Linked with a static zlib, so that its functions have names to show.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { BLOCK_BYTES = 128 * 1024, THREADS_MAX = 64 };

struct input {
	unsigned char *bytes;
	size_t len, cap;
	_Atomic size_t next;	/* of the block that nobody has taken yet */
	_Atomic size_t out;	/* compressed bytes */
};

static int input_append(struct input *in, const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f)
		return -1;
	do {
		if (in->cap - in->len < BLOCK_BYTES) {
			void *grown = realloc(in->bytes, in->cap * 2 + 2 * BLOCK_BYTES);

			if (!grown)
				break;
			in->bytes = grown;
			in->cap = in->cap * 2 + 2 * BLOCK_BYTES;
		}
		n = fread(in->bytes + in->len, 1, in->cap - in->len, f);
		in->len += n;
	} while (n);
	fclose(f);
	return 0;
}

static size_t block_compress(const unsigned char *bytes, size_t len)
{
	static _Thread_local unsigned char out[2 * BLOCK_BYTES];
	uLongf out_len = sizeof(out);

	return compress2(out, &out_len, bytes, len, 6) == Z_OK ? out_len : 0;
}

static void *worker(void *arg)
{
	struct input *in = arg;
	size_t at;

	while ((at = atomic_fetch_add(&in->next, BLOCK_BYTES)) < in->len) {
		size_t left = in->len - at;

		atomic_fetch_add(&in->out, block_compress(in->bytes + at,
							  left < BLOCK_BYTES ? left : BLOCK_BYTES));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 0, i;
	struct input in = { 0 };
	pthread_t ids[THREADS_MAX];

	if (threads < 1 || threads > THREADS_MAX || argc < 3) {
		fprintf(stderr, "usage: compress THREADS FILE...\n");
		return 2;
	}
	for (i = 2; i < argc; i++) {
		if (input_append(&in, argv[i])) {
			perror(argv[i]);
			return 1;
		}
	}
	for (i = 0; i < threads; i++) {
		char name[16];

		if (pthread_create(&ids[i], NULL, worker, &in))
			return 1;
		snprintf(name, sizeof(name), "worker-%d", i);
		pthread_setname_np(ids[i], name);
	}
	for (i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("compressed %zu bytes to %zu with %d threads\n", in.len, in.out, threads);
	free(in.bytes);
	return 0;
}
