/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work that libddprof and its peers are measured on: 18-frame stacks of a call tree in which
 * neighbours share their callers, spread over threads, as a whole-machine profiler sees them. The
 * tables are written to a text file for a peer to read; which stack comes next is drawn by
 * work_next(), a few lines that every side has in its own language. That all sides did the same
 * is checked on the profiles they end with (lib_check.c).
 *
 * The file: words separated by white space. First the numbers of strings, mappings, functions and
 * locations; then the rows of each, members in the order of the structs below; then the stacks;
 * then the threads' names.
 */
#ifndef TESTS_BENCH_LIB_WORK_H
#define TESTS_BENCH_LIB_WORK_H

#include <stdint.h>

enum {
	WORK_FRAMES = 18,
	WORK_STACKS = 5000,
	WORK_THREADS = 64,
	WORK_SAMPLES = 1000000,
};

/* Strings are positions in work.strings; ids positions in the array of their kind. */
struct work_mapping {
	uint32_t filename, build_id;
	uint64_t start, limit;
};

struct work_function {
	uint32_t name, filename;
};

struct work_location {
	uint32_t mapping, function, line;
	uint64_t address;
};

enum {
	WORK_MAPPINGS = 12,
	WORK_FILES = 400,
	WORK_FUNCTIONS = 3000,
	/* one tree node halves the stacks below it, down to one stack: fewer than this */
	WORK_MAX_LOCATIONS = 2 * WORK_STACKS + WORK_FRAMES * 14,
	WORK_STRINGS = 2 * WORK_MAPPINGS + WORK_FILES + WORK_FUNCTIONS + WORK_THREADS,
};

struct work {
	uint32_t nr_strings, nr_locations;
	char strings[WORK_STRINGS][64];
	uint32_t string_bytes[WORK_STRINGS];	/* length of each */
	struct work_mapping mappings[WORK_MAPPINGS];
	struct work_function functions[WORK_FUNCTIONS];
	struct work_location locations[WORK_MAX_LOCATIONS];
	uint32_t stacks[WORK_STACKS][WORK_FRAMES];	/* location ids, leaf first */
	uint32_t thread_names[WORK_THREADS];		/* strings */
};

enum { WORK_FIRST_THREAD_ID = 1000 };	/* thread n's number is this + n */

/* One sample: two values, "thread id" (a number) and "thread name" as labels. */
struct work_sample {
	uint32_t stack, thread;
	int64_t values[2];		/* cpu-samples, cpu-time in ns */
	int64_t timestamp_ns;
};

/* Where the drawing starts. A peer has the same in its language. */
#define WORK_SEED 0x9e3779b97f4a7c15u

static inline uint64_t work_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Sample number @i of the sequence that @state goes through. A stack is seen on two threads. */
static inline void work_next(uint64_t *state, uint32_t i, struct work_sample *ret)
{
	uint64_t r = work_random(state);

	ret->stack = (r >> 8) % WORK_STACKS;
	ret->thread = (ret->stack * 7 + (r >> 4 & 1)) % WORK_THREADS;
	ret->values[0] = 1;
	ret->values[1] = 10000000 + (int64_t)((r >> 40) % 100) * 1000;
	ret->timestamp_ns = 1700000000000000000 + (int64_t)i * 60000 + (r >> 48);
}

/* Makes the tables, the same every time; NULL when there is no memory. */
struct work *work_create(void);
/* Writes them to a file for a peer; 0 or a negative errno. */
int work_write(const struct work *w, const char *path);
/* NULL is allowed. */
void work_destroy(struct work *w);

#endif /* TESTS_BENCH_LIB_WORK_H */
