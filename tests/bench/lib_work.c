// SPDX-License-Identifier: Apache-2.0
/*
 * Making the tables of lib_work.h. Names are as long as those of C++ programs: a function's has 40
 * characters on average, a file's 30.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lib_work.h"

static const char *const words[] = {
	"request", "session", "buffer", "cache", "index", "query", "reader", "writer", "socket",
	"worker", "queue", "table", "cursor", "parser", "token", "value", "stream", "frame",
	"record", "handler", "pool", "lock", "task", "timer", "codec", "block", "page", "node",
};

static const char *const verbs[] = {
	"open", "close", "read", "write", "find", "insert", "remove", "flush", "parse", "encode",
	"decode", "visit", "merge", "split", "commit", "dispatch", "resolve", "allocate",
};

static const char *word(uint64_t *random)
{
	return words[work_random(random) % (sizeof(words) / sizeof(*words))];
}

static const char *verb(uint64_t *random)
{
	return verbs[work_random(random) % (sizeof(verbs) / sizeof(*verbs))];
}

__attribute__((format(printf, 2, 3)))
static uint32_t add_string(struct work *w, const char *format, ...)
{
	char *to = w->strings[w->nr_strings];
	va_list args;

	va_start(args, format);
	w->string_bytes[w->nr_strings] = vsnprintf(to, sizeof(*w->strings), format, args);
	va_end(args);
	return w->nr_strings++;
}

static void make_mappings(struct work *w, uint64_t *random)
{
	uint32_t i;

	for (i = 0; i < WORK_MAPPINGS; i++) {
		struct work_mapping *m = &w->mappings[i];

		m->filename = add_string(w, "/usr/lib/x86_64-linux-gnu/lib%s%s-%u.so.1",
					 word(random), word(random), i);
		m->build_id = add_string(w, "%016" PRIx64 "%016" PRIx64 "%08x",
					 work_random(random), work_random(random), i);
		m->start = 0x7f0000000000 + ((uint64_t)i << 28);
		m->limit = m->start + (1 << 27);
	}
}

static void make_functions(struct work *w, uint64_t *random)
{
	uint32_t first_file = w->nr_strings, i;

	for (i = 0; i < WORK_FILES; i++)
		add_string(w, "/src/server/%s/%s_%u.cc", word(random), word(random), i);
	for (i = 0; i < WORK_FUNCTIONS; i++) {
		w->functions[i].name =
			add_string(w, "server::%s::%s_%s<%s>::%s_%u", word(random), word(random),
				   word(random), word(random), verb(random), i);
		w->functions[i].filename = first_file + work_random(random) % WORK_FILES;
	}
}

static uint32_t add_location(struct work *w, uint64_t *random)
{
	struct work_location *l = &w->locations[w->nr_locations];
	uint64_t r = work_random(random);

	l->mapping = r % WORK_MAPPINGS;
	l->function = (r >> 8) % WORK_FUNCTIONS;
	l->line = 1 + (r >> 24) % 3000;
	l->address = w->mappings[l->mapping].start + 16 * (uint64_t)w->nr_locations + 0x1000;
	return w->nr_locations++;
}

/*
 * Frame @depth, counted from the leaf, is shared by the 2^depth stacks next to each other: towards
 * the root a frame is everybody's.
 */
static void make_stacks(struct work *w, uint64_t *random)
{
	uint32_t depth, stack;

	for (stack = 0; stack < WORK_STACKS; stack++)
		for (depth = 0; depth < WORK_FRAMES; depth++)
			w->stacks[stack][depth] = stack % (1u << depth) ?
				w->stacks[stack - 1][depth] : add_location(w, random);
}

struct work *work_create(void)
{
	struct work *w = calloc(1, sizeof(*w));
	uint64_t random = WORK_SEED;
	uint32_t i;

	if (!w)
		return NULL;
	make_mappings(w, &random);
	make_functions(w, &random);
	make_stacks(w, &random);
	for (i = 0; i < WORK_THREADS; i++)
		w->thread_names[i] = add_string(w, "%s-%s-%u", word(&random), word(&random), i);
	return w;
}

void work_destroy(struct work *w)
{
	free(w);
}

static void write_tables(const struct work *w, FILE *f)
{
	uint32_t i, k;

	fprintf(f, "%u %u %u %u\n", w->nr_strings, WORK_MAPPINGS, WORK_FUNCTIONS, w->nr_locations);
	for (i = 0; i < w->nr_strings; i++)
		fprintf(f, "%s\n", w->strings[i]);
	for (i = 0; i < WORK_MAPPINGS; i++)
		fprintf(f, "%u %u %" PRIu64 " %" PRIu64 "\n", w->mappings[i].filename,
			w->mappings[i].build_id, w->mappings[i].start, w->mappings[i].limit);
	for (i = 0; i < WORK_FUNCTIONS; i++)
		fprintf(f, "%u %u\n", w->functions[i].name, w->functions[i].filename);
	for (i = 0; i < w->nr_locations; i++)
		fprintf(f, "%u %u %u %" PRIu64 "\n", w->locations[i].mapping,
			w->locations[i].function, w->locations[i].line, w->locations[i].address);
	for (i = 0; i < WORK_STACKS; i++)
		for (k = 0; k < WORK_FRAMES; k++)
			fprintf(f, "%u%c", w->stacks[i][k], k + 1 < WORK_FRAMES ? ' ' : '\n');
	for (i = 0; i < WORK_THREADS; i++)
		fprintf(f, "%u\n", w->thread_names[i]);
}

int work_write(const struct work *w, const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	write_tables(w, f);
	return fclose(f) ? -errno : 0;
}
