// SPDX-License-Identifier: Apache-2.0
/*
 * The workload of `make bench-kernel`: a fixed amount of work, the same for every profiler. Sixteen
 * "documents" are evaluated over and over by a recursion below a dozen frames, with a checksum at
 * every level and a read() every few thousand of these, so that some samples fall into the kernel:
 * stacks of 13 to 46 frames, some 30 in the mean. Like most programs it has a few hundred distinct
 * ones. Built with frame pointers, which perf needs, and without. Prints the nanoseconds that it
 * took; under an instruction-counting machine these are instructions.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	DOCUMENTS = 16,
	CALLERS = 9,	/* frames between main and a document, as a program has */
	LEVELS = 16,	/* of the flattest document */
	SPIN_LEVELS = 26,
};

static volatile uint32_t sink;
static uint32_t rng = 12345;
static int zero_fd;
static unsigned long leaves;

static uint32_t next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 17;
	rng ^= rng << 5;
	return rng;
}

static __attribute__((noinline)) uint32_t leaf(uint32_t seed)
{
	char buf[512];
	uint32_t sum = seed, i;

	for (i = 0; i < 2000; i++)
		sum = (sum << 5) + sum + (i ^ seed);
	if (++leaves % 2048 == 0 && read(zero_fd, buf, sizeof(buf)) != sizeof(buf))
		abort();
	return sum;
}

static uint32_t expression(int depth);

static __attribute__((noinline)) uint32_t term(int depth)
{
	uint32_t left = expression(depth - 1);

	return left * 31 + leaf(left);
}

static __attribute__((noinline)) uint32_t group(int depth)
{
	return expression(depth - 1) ^ leaf(depth);
}

static __attribute__((noinline)) uint32_t expression(int depth)
{
	uint32_t r;

	if (depth <= 0)
		return leaf(depth);
	r = next_random() & 1 ? term(depth - 1) : group(depth - 1);
	return r + 1;
}

static __attribute__((noinline)) uint32_t document(int callers, int levels)
{
	return callers ? document(callers - 1, levels) + 1 : expression(levels);
}

/* One stack and a loop of a few instructions: every sample but the first few is a repeated one. */
static __attribute__((noinline)) uint32_t spin(int depth, unsigned long rounds)
{
	uint32_t r = 0;

	if (depth)
		return spin(depth - 1, rounds) + 1;
	for (; rounds; rounds--)
		r = r * 33 + 1;
	return r;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000, i;
	uint64_t begin;

	zero_fd = open("/dev/zero", O_RDONLY);
	if (zero_fd < 0)
		return 1;
	begin = now_ns();
	if (argc > 2 && !strcmp(argv[2], "repeat"))
		sink += spin(SPIN_LEVELS, rounds * 100000), rounds = 0;
	for (i = 0; i < rounds; i++) {
		rng = 12345 + i % DOCUMENTS;
		sink += document(CALLERS, LEVELS + i % DOCUMENTS);
	}
	printf("%llu\n", (unsigned long long)(now_ns() - begin));
	return 0;
}
