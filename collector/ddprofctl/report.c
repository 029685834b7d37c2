// SPDX-License-Identifier: Apache-2.0
/*
 * `ddprofctl report FILE`: any pprof file, in any of the compressions, as a flat and cumulative
 * table by function. A function counts once for a sample's cumulative value however often it is on
 * the stack.
 */
#include <ddprof/pprof.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/array.h"
#include "core/log.h"
#include "core/options.h"
#include "core/table.h"
#include "ddprofctl/commands.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { MAX_FILE_BYTES = 256 << 20 };	/* what a file may hold at most, not packed either */

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)

struct options {
	uint32_t top;
	bool by_cumulative, show_help;
	const char *sample_index;
};

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	{ "top", NULL, 'n', DDP_OPTION_NUMBER, AT(top), .min = 1, .max = 1000000, .argument = "N",
	  .help = "functions to show, default 20" },
	{ "cum", NULL, 'c', DDP_OPTION_FLAG, AT(by_cumulative),
	  .help = "sort by cumulative value instead of flat" },
	{ "sample_index", NULL, 'i', DDP_OPTION_TEXT, AT(sample_index), .argument = "TYPE",
	  .help = "value to show, by name (cpu-samples) or position\nfrom 0; default the last" },
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

struct entry {
	const char *name;	/* owned when made, else the profile's */
	char *made;
	int64_t flat, cumulative;
	size_t seen_in;		/* the last sample that had it, from 1 */
};

struct report {
	const struct ddp_pprof *profile;
	size_t value;		/* index of the sample type */
	struct entry *entries;	/* owned */
	size_t nr, cap;
	struct ddp_table by_name; /* hash of the name -> index + 1 */
	size_t *seen_in;	/* owned; by location, the last sample that had it, from 1 */
	int64_t total;
};

static void report_free(struct report *r)
{
	for (size_t i = 0; i < r->nr; i++)
		free(r->entries[i].made);
	free(r->entries);
	free(r->seen_in);
	ddp_table_free(&r->by_name);
}
DEFINE_CLEANUP_IN_PLACE(struct report, report_free)

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

/* Names that differ but have the same 64-bit hash take the next key */
static int entry_of(struct report *r, const char *name, struct entry **ret)
{
	uint64_t key = XXH3_64bits(name, strlen(name));
	const uint64_t *found;
	struct entry *more;

	for (;; key++) {
		key += !key;
		found = ddp_table_find(&r->by_name, key);
		if (!found)
			break;
		*ret = &r->entries[*found - 1];
		if (!strcmp((*ret)->name, name))
			return 0;
	}
	more = array_reserve(r->entries, &r->cap, r->nr + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	r->entries = more;
	if (ddp_table_set(&r->by_name, key, r->nr + 1))
		return -ENOMEM;
	*ret = &r->entries[r->nr++];
	**ret = (struct entry){ .name = name };
	return 0;
}

static int count_name(struct report *r, const char *name, size_t sample_nr, int64_t value,
		      bool leaf)
{
	struct entry *e;
	int error = entry_of(r, name, &e);

	if (error)
		return error;
	if (e->seen_in != sample_nr)
		e->cumulative = add(e->cumulative, value);
	e->seen_in = sample_nr;
	if (leaf)
		e->flat = add(e->flat, value);
	return 0;
}

/* A location without functions counts under its address */
static int count_unnamed(struct report *r, const struct ddp_pprof_location *l, size_t sample_nr,
			 int64_t value, bool leaf)
{
	const char *file = l->mapping && l->mapping->filename[0] ? l->mapping->filename
								 : "[unknown]";
	size_t before = r->nr;
	char *name;
	int error;

	if (asprintf(&name, "%s+0x%" PRIx64, file, l->address) < 0)
		return -ENOMEM;
	error = count_name(r, name, sample_nr, value, leaf);
	if (r->nr > before)
		r->entries[before].made = name;
	else
		free(name);
	return error;
}

static int count_location(struct report *r, const struct ddp_pprof_location *l, size_t sample_nr,
			  int64_t value, bool leaf)
{
	int error = 0;

	if (!l->nr_lines)
		return count_unnamed(r, l, sample_nr, value, leaf);
	for (size_t k = 0; !error && k < l->nr_lines; k++) {
		const struct ddp_pprof_function *f = l->lines[k].function;

		error = count_name(r, f ? f->name : "[unknown]", sample_nr, value, leaf && k == 0);
	}
	return error;
}

/* Recursion changes nothing, so each location is looked at once */
static int count_sample(struct report *r, const struct ddp_pprof_sample *s, size_t sample_nr)
{
	int64_t value = s->values[r->value];
	int error = 0;

	r->total = add(r->total, value);
	for (size_t i = 0; !error && i < s->nr_locations; i++) {
		const struct ddp_pprof_location *l = s->locations[i];

		if (r->seen_in[l->index] == sample_nr)
			continue;
		r->seen_in[l->index] = sample_nr;
		error = count_location(r, l, sample_nr, value, i == 0);
	}
	return error;
}

static int by_flat(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->flat != y->flat)
		return x->flat > y->flat ? -1 : 1;
	if (x->cumulative != y->cumulative)
		return x->cumulative > y->cumulative ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int by_cumulative(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->cumulative != y->cumulative)
		return x->cumulative > y->cumulative ? -1 : 1;
	return by_flat(a, b);
}

/* Printing */

static const char *format(int64_t value, const char *unit, char ret[32])
{
	double v = (double)value, size = v < 0 ? -v : v;

	if (strcmp(unit, "nanoseconds"))
		snprintf(ret, 32, "%" PRId64, value);
	else if (size >= 1e9)
		snprintf(ret, 32, "%.2fs", v / 1e9);
	else if (size >= 1e6)
		snprintf(ret, 32, "%.2fms", v / 1e6);
	else
		snprintf(ret, 32, "%.2fus", v / 1e3);
	return ret;
}

static double percent(int64_t part, int64_t of)
{
	return of ? 100.0 * (double)part / (double)of : 0;
}

/*
 * Names come from files: nothing in them shall steer a terminal. @return how many bytes the
 * character at @p takes; 0: it is a control character, of C1 too, or no UTF-8
 */
static size_t printable(const char *p)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	unsigned char first = (unsigned char)*p;
	size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	uint32_t code = first & (0x7fu >> n);

	if (first < 0x80)
		return first >= ' ' && first != 0x7f;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	return code >= least[n] ? n : 0;
}

static void print_text(const char *text)
{
	while (*text) {
		size_t n = printable(text);

		if (n)
			fwrite(text, 1, n, stdout);
		else
			putchar('?');
		text += n ? n : 1;
	}
	putchar('\n');
}

static void make_printable(char *text)
{
	while (*text) {
		size_t n = printable(text);

		if (!n)
			*text = '?';
		text += n ? n : 1;
	}
}

static void print_head(const struct report *r, const char *path)
{
	const struct ddp_pprof *p = r->profile;
	const struct ddp_value_type *type = &p->sample_types[r->value];
	char total[32];

	printf("file: ");
	print_text(path);
	printf("type: ");
	print_text(type->type);
	printf("duration: %.2fs, distinct samples: %zu, total: %s\n", (double)p->duration_ns / 1e9,
	       p->nr_samples, format(r->total, type->unit, total));
	for (size_t i = 0; i < p->nr_comments; i++) {
		printf("  ");
		print_text(p->comments[i]);
	}
}

static void print_table(const struct report *r, uint32_t top)
{
	const char *unit = r->profile->sample_types[r->value].unit;
	char flat[32], cumulative[32];
	int64_t sum = 0;

	printf("%12s %7s %7s %12s %7s  %s\n", "flat", "flat%", "sum%", "cum", "cum%", "function");
	for (size_t i = 0; i < r->nr && i < top; i++) {
		const struct entry *e = &r->entries[i];

		sum = add(sum, e->flat);
		printf("%12s %6.2f%% %6.2f%% %12s %6.2f%%  ", format(e->flat, unit, flat),
		       percent(e->flat, r->total), percent(sum, r->total),
		       format(e->cumulative, unit, cumulative), percent(e->cumulative, r->total));
		print_text(e->name);
	}
	if (r->nr > top)
		printf("... and %zu more functions (-n)\n", r->nr - top);
}

/* Reading */

static int read_file(const char *path, struct ddp_buffer *ret)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char part[65536];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, part, sizeof(part))) != 0) {
		int r = n < 0 ? (errno == EINTR ? 0 : -errno) :
				ddp_buffer_write(ret, part, (size_t)n);

		if (r)
			return r;
	}
	return 0;
}

static int choose_value(const struct ddp_pprof *p, const char *wanted, size_t *ret)
{
	char *end;
	unsigned long n;

	if (!p->nr_sample_types)
		return -EINVAL;
	*ret = p->nr_sample_types - 1;
	if (!wanted)
		return 0;
	for (size_t i = 0; i < p->nr_sample_types; i++) {
		if (!strcmp(p->sample_types[i].type, wanted)) {
			*ret = i;
			return 0;
		}
	}
	n = strtoul(wanted, &end, 10);
	if (*end || end == wanted || n >= p->nr_sample_types)
		return -EINVAL;
	*ret = n;
	return 0;
}

static void say_types(const struct ddp_pprof *p, const char *wanted)
{
	char list[256] = "";

	for (size_t i = 0; i < p->nr_sample_types; i++) {
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, " %s", p->sample_types[i].type);
	}
	make_printable(list);
	if (wanted)
		ddp_log_error("--sample_index %s: the profile has%s", wanted, list);
	else
		ddp_log_error("the profile has no sample types");
}

static int show(const struct ddp_pprof *p, const struct options *o, const char *path)
{
	CLEANUP(report_free) struct report r = { .profile = p };
	int error = 0;

	if (choose_value(p, o->sample_index, &r.value)) {
		say_types(p, o->sample_index);
		return CTL_FAILED;
	}
	r.seen_in = calloc(p->nr_locations + 1, sizeof(*r.seen_in));
	if (!r.seen_in)
		error = -ENOMEM;
	for (size_t i = 0; !error && i < p->nr_samples; i++)
		error = count_sample(&r, &p->samples[i], i + 1);
	if (error) {
		ddp_log_error("%s: %s", path, strerror(-error));
		return CTL_FAILED;
	}
	if (r.nr)
		qsort(r.entries, r.nr, sizeof(*r.entries),
		      o->by_cumulative ? by_cumulative : by_flat);
	print_head(&r, path);
	print_table(&r, o->top);
	return CTL_OK;
}

static int load_and_show(const char *path, const struct options *o)
{
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = NULL;
	struct ddp_buffer bytes = { .max_bytes = MAX_FILE_BYTES };
	struct ddp_error err = { "" };
	int r = read_file(path, &bytes);

	if (!r)
		r = ddp_pprof_load(bytes.bytes, bytes.len, NULL, &p, &err);
	ddp_buffer_free(&bytes);
	if (r) {
		ddp_log_error("%s: %s", path, err.text[0] ? err.text : strerror(-r));
		return CTL_FAILED;
	}
	return show(p, o, path);
}

int ctl_report(int argc, char **argv)
{
	struct options o = { .top = 20 };
	struct ddp_error err = { "" };
	int file, rest, r = ddp_options_parse(option_table, argc, argv, &o, &file, &err);

	/* more options may stand behind the file, which takes argv[0]'s place for them */
	rest = file;
	if (!r && file < argc)
		r = ddp_options_parse(option_table, argc - file, argv + file, &o, &rest, &err);
	if (r) {
		ddp_log_error("%s", err.text);
		return CTL_USAGE;
	}
	if (o.show_help) {
		puts("ddprofctl report [options] FILE\n\n"
		     "Shows where the time of a pprof file (plain, gzip, LZ4, zstd) went.\n");
		ddp_options_help(option_table, stdout);
		return CTL_OK;
	}
	if (file == argc || file + rest != argc) {
		ddp_log_error("report: expected one file, see --help");
		return CTL_USAGE;
	}
	return load_and_show(argv[file], &o);
}
