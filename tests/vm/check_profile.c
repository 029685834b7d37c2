// SPDX-License-Identifier: Apache-2.0
/*
 * Says what is true of a profile. usage: check_profile FILE [--value TYPE] [--process NAME]
 * [--thread NAME] [--with FUNCTION] CHECK [ARG...]. Only the samples of that process, thread name, and with that
 * function count (a trailing * matches the rest). The checks are in the table at the end. Exit
 * status 0: it is so; 1: it is not, with a line that says what is. Built and used by test_truth.sh
 * and test_unwind.sh on the host, through libddprof's own reader.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ddprof/pprof.h>

enum { MAX_NAMES = 4096 };

static struct ddp_pprof *profile;
static size_t column;		/* of the values that count: the first, unless --value says ... */
static bool chosen;		/* ... then samples without any of it do not count either */
static const char *only_process, *only_thread, *only_with;

static int fail(const char *what, double is)
{
	printf("%s: %g\n", what, is);
	return 1;
}

static bool matches(const char *text, const char *pattern)
{
	size_t len = strlen(pattern);

	if (len && pattern[len - 1] == '*')
		return !strncmp(text, pattern, len - 1);
	return !strcmp(text, pattern);
}

/* -- samples -- */

static const struct ddp_pprof_label *label(const struct ddp_pprof_sample *s, const char *key)
{
	size_t i;

	for (i = 0; i < s->nr_labels; i++)
		if (!strcmp(s->labels[i].key, key))
			return &s->labels[i];
	return NULL;
}

static const char *label_text(const struct ddp_pprof_sample *s, const char *key)
{
	const struct ddp_pprof_label *l = label(s, key);

	return l && l->str ? l->str : "";
}

static const char *frame_name(const struct ddp_pprof_sample *s, size_t depth)
{
	const struct ddp_pprof_location *l = s->locations[depth];

	return l->nr_lines && l->lines[0].function ? l->lines[0].function->name : "";
}

/* Position of the innermost frame of that name, or nr_locations. */
static size_t find_frame(const struct ddp_pprof_sample *s, const char *pattern)
{
	size_t i;

	for (i = 0; i < s->nr_locations && !matches(frame_name(s, i), pattern); i++)
		;
	return i;
}

static bool has_frame(const struct ddp_pprof_sample *s, const char *pattern)
{
	return find_frame(s, pattern) < s->nr_locations;
}

static const struct ddp_pprof_sample *next_sample(size_t *i)
{
	const struct ddp_pprof_sample *s;

	while (*i < profile->nr_samples) {
		s = &profile->samples[(*i)++];
		if (only_process && !matches(label_text(s, "process_name"), only_process))
			continue;
		if (only_thread && !matches(label_text(s, "thread_name"), only_thread))
			continue;
		if (only_with && !has_frame(s, only_with))
			continue;
		if (chosen && !s->values[column])
			continue;
		return s;
	}
	return NULL;
}

#define for_each_sample(s, i) for ((i) = 0; ((s) = next_sample(&(i)));)

static int64_t total(void)
{
	const struct ddp_pprof_sample *s;
	int64_t n = 0;
	size_t i;

	for_each_sample(s, i)
		n += s->values[column];
	return n;
}

static int64_t total_with(const char *pattern)
{
	const struct ddp_pprof_sample *s;
	int64_t n = 0;
	size_t i;

	for_each_sample(s, i)
		if (has_frame(s, pattern))
			n += s->values[column];
	return n;
}

/* -- checks -- */

/* MIN MAX: so many samples */
static int check_samples(char **args)
{
	double n = total();

	return n >= atof(args[0]) && n <= atof(args[1]) ? 0 : fail("samples", n);
}

/* FUNCTION PERCENT POINTS: its share of all samples, callees included */
static int check_share(char **args)
{
	double percent = 100.0 * total_with(args[0]) / (total() ? total() : 1);
	double off = percent - atof(args[1]);

	if (!total() || off > atof(args[2]) || off < -atof(args[2]))
		return fail("percent", percent);
	return 0;
}

/* FUNCTION CALLER: every stack with the one has the other, further out */
static int check_below(char **args)
{
	const struct ddp_pprof_sample *s;
	int64_t with = 0, without = 0;
	size_t i, at;

	for_each_sample(s, i) {
		at = find_frame(s, args[0]);
		if (at == s->nr_locations)
			continue;
		if (find_frame(s, args[1]) > at && has_frame(s, args[1]))
			with += s->values[column];
		else
			without += s->values[column];
	}
	if (!with)
		return fail("samples with both", with);
	return without ? fail("samples without the caller", without) : 0;
}

/*
 * FUNCTION CALLER PERCENT: in so many of the stacks with the one, the other is the very next
 * frame. Not in all, where samples may hit a function's first or last instruction: its frame is
 * not there then.
 */
static int check_next(char **args)
{
	const struct ddp_pprof_sample *s;
	int64_t all = 0, right = 0;
	const char *wrong = "nothing";
	size_t i, at;

	for_each_sample(s, i) {
		at = find_frame(s, args[0]);
		if (at == s->nr_locations)
			continue;
		all += s->values[column];
		if (at + 1 < s->nr_locations && matches(frame_name(s, at + 1), args[1]))
			right += s->values[column];
		else if (at + 1 < s->nr_locations)
			wrong = frame_name(s, at + 1);
	}
	if (all && 100.0 * right >= atof(args[2]) * all)
		return 0;
	printf("%s is followed by %s\n", args[0], wrong);
	return fail("percent", all ? 100.0 * right / all : 0);
}

/* FUNCTION PERCENT: the innermost frame of at least so many of the samples */
static int check_leaf(char **args)
{
	const struct ddp_pprof_sample *s;
	int64_t n = 0;
	double percent;
	size_t i;

	for_each_sample(s, i)
		if (s->nr_locations && matches(frame_name(s, 0), args[0]))
			n += s->values[column];
	percent = 100.0 * n / (total() ? total() : 1);
	return percent >= atof(args[1]) ? 0 : fail("percent", percent);
}

/* LABEL MIN: at least so many different values; every sample has one */
static int check_values(char **args)
{
	static const char *texts[MAX_NAMES];
	static int64_t numbers[MAX_NAMES];
	const struct ddp_pprof_sample *s;
	const struct ddp_pprof_label *l;
	size_t i, k, n = 0;

	for_each_sample(s, i) {
		l = label(s, args[0]);
		if (!l || (l->str && !l->str[0]))
			return fail("a sample without the label, number", i - 1);
		for (k = 0; k < n; k++)
			if (l->str ? !strcmp(texts[k], l->str) : numbers[k] == l->num)
				break;
		if (k < n || n == MAX_NAMES)
			continue;
		texts[n] = l->str ? l->str : "";
		numbers[n++] = l->num;
	}
	return n >= (size_t)atoi(args[1]) ? 0 : fail("different values", n);
}

/*
 * FILE: every frame in a mapping of a file whose name begins so, has a function of that file's
 * symbols
 */
static int check_named(char **args)
{
	const struct ddp_pprof_location *l;
	const struct ddp_pprof_sample *s;
	const char *file, *name;
	size_t i, depth, frames = 0;

	for_each_sample(s, i) {
		for (depth = 0; depth < s->nr_locations; depth++) {
			l = s->locations[depth];
			if (!l->mapping)
				continue;
			file = strrchr(l->mapping->filename, '/');
			if (!matches(file ? file + 1 : l->mapping->filename, args[0]))
				continue;
			frames++;
			name = frame_name(s, depth);
			if (!name[0] || strchr(name, '+') || name[0] == '[') {
				printf("a frame of %s is named \"%s\"\n", l->mapping->filename,
				       name);
				return 1;
			}
		}
	}
	return frames ? 0 : fail("frames in such a file", 0);
}

/* (none): every sample has its time, inside the profile's interval, and hardly any two the same */
static int check_times(char **args)
{
	int64_t begin = profile->time_unix_ns, end = begin + profile->duration_ns, last = 0;
	const struct ddp_pprof_sample *s;
	const struct ddp_pprof_label *l;
	size_t i, n = 0, same = 0, back = 0;

	(void)args;
	for_each_sample(s, i) {
		l = label(s, "end_timestamp_ns");
		if (!l || l->num < begin || l->num > end)
			return fail("a sample at a time not in the profile, seconds from its begin",
				    l ? (l->num - begin) * 1e-9 : -1);
		n++;
		same += l->num == last;
		back += l->num < last;
		last = l->num;
	}
	if (!n || same * 100 > n)
		return fail("samples of one time", same);
	/* streams of two CPUs may take turns, but each runs forward */
	return back * 4 < n ? 0 : fail("steps back in time", back);
}

/* HALF PERCENT: at least so many of the "user" or "kernel" walks reached their root */
static int check_walks(char **args)
{
	unsigned long long root, truncated, unreadable, bad;
	const char *at;
	char half[32];
	double percent;
	size_t i;

	snprintf(half, sizeof(half), "%s walks: ", args[0]);
	for (i = 0; i < profile->nr_comments; i++) {
		at = strstr(profile->comments[i], half);
		if (!at || sscanf(at + strlen(half),
				  "root=%llu truncated=%llu unreadable=%llu bad_frame=%llu", &root,
				  &truncated, &unreadable, &bad) != 4)
			continue;
		if (!(root + truncated + unreadable + bad))
			return fail("walks", 0);
		percent = 100.0 * root / (root + truncated + unreadable + bad);
		return percent >= atof(args[1]) ? 0 : fail("percent at the root", percent);
	}
	return fail("comments about it", 0);
}

/*
 * The lower half is the user's. Pseudo frames, which say that a stack is cut off, have no address.
 */
static bool in_user(const struct ddp_pprof_sample *s)
{
	size_t i;

	for (i = 0; i < s->nr_locations; i++)
		if (s->locations[i]->address && !(s->locations[i]->address >> 63))
			return true;
	return false;
}

/* PERCENT: at least so many of the samples with user frames have all of them, out to the root */
static int check_rooted(char **args)
{
	const struct ddp_pprof_sample *s;
	int64_t all = 0, cut = 0;
	double percent;
	size_t i;

	for_each_sample(s, i) {
		if (!in_user(s))
			continue;
		all += s->values[column];
		if (!s->locations[s->nr_locations - 1]->address)
			cut += s->values[column];
	}
	percent = 100.0 * (all - cut) / (all ? all : 1);
	return all && percent >= atof(args[0]) ? 0 : fail("percent out to the root", percent);
}

/* TEXT: a comment of the profile has it */
static int check_comment(char **args)
{
	size_t i;

	for (i = 0; i < profile->nr_comments; i++)
		if (strstr(profile->comments[i], args[0]))
			return 0;
	for (i = 0; i < profile->nr_comments; i++)
		puts(profile->comments[i]);
	return 1;
}

static const struct {
	const char *name;
	int nr_args;
	int (*run)(char **args);
} checks[] = {
	{ "samples", 2, check_samples },
	{ "share", 3, check_share },
	{ "below", 2, check_below },
	{ "next", 3, check_next },
	{ "leaf", 2, check_leaf },
	{ "values", 2, check_values },
	{ "named", 1, check_named },
	{ "times", 0, check_times },
	{ "walks", 2, check_walks },
	{ "rooted", 1, check_rooted },
	{ "comment", 1, check_comment },
};

/* The column of that type. */
static int choose(const char *type)
{
	chosen = type != NULL;
	for (column = 0; type && column < profile->nr_sample_types; column++)
		if (!strcmp(profile->sample_types[column].type, type))
			return 0;
	if (type)
		printf("there is no value %s\n", type);
	return type != NULL;
}

static int load(const char *path)
{
	static char bytes[64 << 20];
	struct ddp_error err = { .text = "" };
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f) {
		printf("%s: there is no such file\n", path);
		return 1;
	}
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	if (ddp_pprof_load(bytes, n, NULL, &profile, &err)) {
		printf("%s: %s\n", path, err.text);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *value = NULL;
	size_t i;
	int at = 2, ret;

	for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
		if (!strcmp(argv[at], "--process"))
			only_process = argv[at + 1];
		else if (!strcmp(argv[at], "--thread"))
			only_thread = argv[at + 1];
		else if (!strcmp(argv[at], "--with"))
			only_with = argv[at + 1];
		else if (!strcmp(argv[at], "--value"))
			value = argv[at + 1];
	}
	for (i = 0; at < argc && i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strcmp(argv[at], checks[i].name) || argc != at + 1 + checks[i].nr_args)
			continue;
		ret = load(argv[1]) || choose(value) || checks[i].run(argv + at + 1);
		ddp_pprof_destroy(profile);
		return ret;
	}
	fprintf(stderr,
		"usage: check_profile FILE [--value TYPE] [--process NAME] [--thread NAME] "
		"[--with FUNCTION] CHECK [ARG...]\n");
	return 2;
}
