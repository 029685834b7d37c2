// SPDX-License-Identifier: Apache-2.0
/*
 * collector/metrics: the table and what follows from it. Each row is shown to be read from the
 * number that it names, in Prometheus' text and in statsd's, and to stand in docs/metrics.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "metrics/metrics.h"
#include "metrics/statsd.h"

static bool is_of_target(const struct ddp_metric *row)
{
	const struct ddp_metric *last = ddp_target_metrics_table;

	while (last->name)
		last++;
	return row >= ddp_target_metrics_table && row < last;
}

/* One table and then the other; NULL past the last */
static const struct ddp_metric *next_row(const struct ddp_metric *row)
{
	row++;
	if (row->name)
		return row;
	return is_of_target(row - 1) ? NULL : ddp_target_metrics_table;
}

#define for_each_metric(row) \
	for (const struct ddp_metric *row = ddp_metrics_table; row; row = next_row(row))

#define TARGET "a\"b"

/* Every number differs from every other; there is one target */
static void fill(struct ddp_metrics *m)
{
	uint64_t *numbers = (uint64_t *)m;

	for (size_t i = 0; i < sizeof(*m) / sizeof(*numbers); i++)
		numbers[i] = 1000000 + 7919 * i;
	m->nr_targets = 1;
	m->nr_services = 0;
	strcpy(m->targets[0].name, TARGET);
}

static const void *base_of(const struct ddp_metrics *m, const struct ddp_metric *row)
{
	return is_of_target(row) ? (const void *)&m->targets[0] : m;
}

/* As Prometheus' text has it */
static void full_name(const struct ddp_metric *row, char ret[256])
{
	if (is_of_target(row))
		snprintf(ret, 256, "%s{target=\"a\\\"b\"%s%s}", row->name, row->labels ? "," : "",
			 row->labels ?: "");
	else
		snprintf(ret, 256, row->labels ? "%s{%s}" : "%s", row->name, row->labels);
}

/* The table */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

static void check_unit(const struct ddp_metric *row)
{
	bool total = row->type == DDP_METRIC_COUNTER;
	const char *unit = row->unit == DDP_METRIC_NS ? "_seconds" :
			   row->unit == DDP_METRIC_BYTES ? "_bytes" :
			   row->unit == DDP_METRIC_PPM ? "_ratio" : "";
	char end[32];

	snprintf(end, sizeof(end), "%s%s", unit, total ? "_total" : "");
	if (end[0] && !ends_with(row->name, end))
		fail_msg("%s: its name should end in %s", row->name, end);
	if (!total && ends_with(row->name, "_total"))
		fail_msg("%s: a gauge", row->name);
}

static void rows_are_named_as_they_should(void **state)
{
	(void)state;
	for_each_metric(row) {
		assert_true(!strncmp(row->name, "ddprof_", 7));
		assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_"),
				 strlen(row->name));
		check_unit(row);
		assert_true(row->help[0] && !ends_with(row->help, "."));
		assert_null(strpbrk(row->help, "\\\n"));
		assert_int_equal(row->statsd_type == DDP_STATSD_NONE, !row->statsd);
		assert_true(row->offset + sizeof(uint64_t) <=
			    (is_of_target(row) ? sizeof(struct ddp_target_metrics) :
						 sizeof(struct ddp_metrics)));
		assert_true(!is_of_target(row) || !row->statsd); /* a gauge of each would be one */
	}
}

static void rows_do_not_repeat_each_other(void **state)
{
	(void)state;
	for_each_metric(a)
		for_each_metric(b) {
			char x[256], y[256];

			full_name(a, x);
			full_name(b, y);
			if (a != b && (!strcmp(x, y) ||
				       (is_of_target(a) == is_of_target(b) &&
					a->offset == b->offset) ||
				      (a->statsd && b->statsd && !strcmp(a->statsd, b->statsd))))
				fail_msg("%s and %s", x, y);
		}
}

/* Prometheus wants a name's rows together, and refuses a page where they are not */
static void rows_of_a_name_are_together(void **state)
{
	(void)state;
	for_each_metric(a) {
		const struct ddp_metric *last = a;

		for (const struct ddp_metric *b = next_row(a); b; b = next_row(b)) {
			if (!strcmp(a->name, b->name) && strcmp(a->name, last->name))
				fail_msg("%s", a->name);
			last = b;
		}
	}
}

/* Counters of others: what they have and no row shows, and why */
#define OF(member) offsetof(struct ddp_metrics, pipeline.member),		\
	sizeof(((struct ddp_pipeline_counts *)0)->member)
#define OF_TARGET(member) offsetof(struct ddp_target_metrics, member),	\
	sizeof(((struct ddp_target_metrics *)0)->member)

static const struct {
	const char *why;
	bool of_target;
	size_t offset, bytes;
} unlisted[] = {
	{ "the CPU's number, which of a sum is how many there are", false, OF(marks.stats.cpu) },
	{ "whether it is sampled, which says nothing of a sum", false, OF(marks.stats.online) },
	{ "ddprof_overhead_ratio has it", false, OF(marks.stats.elapsed_ns) },
	{ "module_samples less folded_samples", false, OF(marks.stats.new_stacks) },
	{ "decode's: they count what the collector knows of", false, OF(marks.stats.lost_ring) },
	{ "the same", false, OF(marks.stats.lost_nested) },
	{ "the same", false, OF(marks.stats.lost_tasks) },
	{ "decode's: what arrived", false, OF(marks.stats.messages) },
	{ "the same", false, OF(marks.stats.bytes) },
	{ "kernel walks need no tables", false, OF(marks.stats.kernel_end[DDPROF_END_NO_TABLE]) },
	{ "the same", false, OF(marks.stats.kernel_end[DDPROF_END_NO_RULE]) },
	{ "messages_lost counts what was in them", false, OF(marks.decode.gaps) },
	{ "the module's", false, OF(marks.decode.skipped) },
	{ "built has them, too", false, OF(marks.tables.no_cfi) },
	{ "unwind_tables has those in use", false, OF(marks.tables.uploaded) },
	{ "the module's", false, OF(marks.tables.refused) },
	{ "the size of tables is a metric", false, OF(marks.tables.rows) },
	{ "the same", false, OF(marks.tables.image_bytes) },
	{ "of files, not of the collector: in profiles' comments", false, OF(marks.tables.cfi) },
	{ "a pointer", true, OF_TARGET(stats.target) },
	{ "last_sent_seconds", true, OF_TARGET(stats.last_sent_unix_ns) },
	{ "a text's, in /status", true, OF_TARGET(stats.last_error_unix_ns) },
	{ "of a moment, in /status", true, OF_TARGET(stats.next_attempt_ms) },
	{ "up", true, OF_TARGET(stats.down) },
	{ "spool_up", true, OF_TARGET(stats.spool_down) },
	{ "a text, in /status", true, OF_TARGET(stats.last_error) },
};

static bool is_listed(bool of_target, size_t offset)
{
	for (size_t i = 0; i < sizeof(unlisted) / sizeof(unlisted[0]); i++)
		if (of_target == unlisted[i].of_target && offset + 8 > unlisted[i].offset &&
		    offset < unlisted[i].offset + unlisted[i].bytes)
			return true;
	for_each_metric(row)
		if (of_target == is_of_target(row) && offset == row->offset)
			return true;
	return false;
}

/* Whoever adds a counter to one of these adds a metric, or says here why not */
static void every_counter_is_a_metric(void **state)
{
	static const struct {
		const char *name;
		bool of_target;
		size_t offset, bytes;
	} rows[] = {
		{ "ddp_link_stats", false, OF(marks.stats) },
		{ "ddp_decode_counts", false, OF(marks.decode) },
		{ "ddp_process_counts", false, OF(marks.process) },
		{ "ddp_tables_counts", false, OF(marks.tables) },
		{ "ddp_services_counts", false, OF(services) },
		{ "ddp_sender_stats", true, OF_TARGET(stats) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t at = 0; at < rows[i].bytes; at += 8)
			if (!is_listed(rows[i].of_target, rows[i].offset + at))
				fail_msg("what is at %zu of struct %s", at, rows[i].name);
}

static char *read_docs(void)
{
	CLEANUP(close_file) FILE *f = fopen("docs/metrics.md", "re");
	char *text = calloc(1, 1 << 16);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	return text;
}

static void rows_are_documented(void **state)
{
	CLEANUP(free) char *docs = read_docs();
	unsigned int missing = 0;

	(void)state;
	for_each_metric(row) {
		char line[512], statsd[128] = "";

		if (row->statsd)
			snprintf(statsd, sizeof(statsd), "`%s`", row->statsd);
		snprintf(line, sizeof(line), "| `%s%s%s%s` | %s | %s |\n", row->name,
			 row->labels ? "{" : "", row->labels ?: "", row->labels ? "}" : "", statsd,
			 row->help);
		if (!strstr(docs, line)) {
			fprintf(stderr, "docs/metrics.md has no line\n%s", line);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

static size_t count_rows(void)
{
	size_t nr = 0;

	for_each_metric(row)
		nr++;
	return nr;
}

/* With rows_are_documented(): each is there once, and nothing else */
static void nothing_else_is_documented(void **state)
{
	CLEANUP(free) char *docs = read_docs();
	size_t lines = 0;

	(void)state;
	for (const char *p = strstr(docs, "\n| `ddprof_"); p; p = strstr(p + 1, "\n| `ddprof_"))
		lines++;
	assert_int_equal(lines, count_rows());
}

/* Values */

static void values_have_their_units(void **state)
{
	static const struct {
		const char *what;
		enum ddp_metric_unit unit;
		uint64_t value;
		const char *text;
	} rows[] = {
		{ "a count", DDP_METRIC_COUNT, 12, "12" },
		{ "the largest", DDP_METRIC_COUNT, UINT64_MAX, "18446744073709551615" },
		{ "bytes", DDP_METRIC_BYTES, 4096, "4096" },
		{ "a nanosecond", DDP_METRIC_NS, 1, "0.000000001" },
		{ "seconds", DDP_METRIC_NS, 61500000000, "61.500000000" },
		{ "nothing of all", DDP_METRIC_PPM, 0, "0.000000" },
		{ "half", DDP_METRIC_PPM, 500000, "0.500000" },
		{ "all", DDP_METRIC_PPM, 1000000, "1.000000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_metrics m = { .derived.samples = rows[i].value };
		struct ddp_metric row = {
			.unit = rows[i].unit,
			.offset = offsetof(struct ddp_metrics, derived.samples),
		};
		char text[DDP_METRIC_TEXT];

		assert_string_equal(ddp_metric_format(&m, &row, text), rows[i].text);
	}
}

static void sums_and_quotients(void **state)
{
	struct ddp_metrics m = { .pipeline = {
		.samples = 100, .samples_dropped = 20, .pending_samples = 3, .uptime_ns = 1,
		.services.excluded_samples = 5000,
		.marks.decode = { .lost_ring = 1000, .lost_nested = 200, .unknown_samples = 30 },
		.marks.stats = {
			.cpu = 4, .handler_ns = 5, .elapsed_ns = 1000,
			.user_end = { [DDPROF_END_ROOT] = 75, [DDPROF_END_NO_RULE] = 20,
				      [DDPROF_END_TRUNCATED] = 5, [DDPROF_END_NONE] = 9 },
		},
	} };

	(void)state;
	m.nr_services = 2;
	m.services[0].excluded = true;
	m.nr_targets = 2;
	ddp_metrics_target(&(struct ddp_sender_stats){
			   .target = "one", .sent = 1, .queued = 2, .down = 1,
			   .dropped = { [DDP_SENDER_DROP_QUEUE] = 10, [DDP_SENDER_DROP_END] = 5 } },
			   &m.targets[0]);
	ddp_metrics_target(&(struct ddp_sender_stats){
			   .target = "two", .sent = 1, .queued = 2, .spooled = 7, .spool_down = 1,
			   .last_sent_unix_ns = 1700000000000000000 }, &m.targets[1]);
	ddp_metrics_derive(&m);
	assert_int_equal(m.derived.services, 1);
	assert_int_equal(m.derived.sent, 2);
	assert_int_equal(m.derived.queued, 4);
	assert_int_equal(m.derived.spooled, 7);
	assert_int_equal(m.derived.dropped, 15);
	assert_true(!m.targets[0].up && m.targets[0].spool_up && !m.targets[0].last_sent_ns);
	assert_true(m.targets[1].up && !m.targets[1].spool_up);
	assert_int_equal(m.targets[1].last_sent_ns, 1700000000000000000);
	assert_string_equal(m.targets[1].name, "two");
	assert_int_equal(m.derived.samples, 5123);
	assert_int_equal(m.derived.samples_lost, 1250);
	assert_int_equal(m.derived.incomplete_walks, 25);
	assert_int_equal(m.derived.overhead_ppm, 5000);
	assert_int_equal(m.derived.root_ppm, 750000);
	assert_int_equal(m.derived.cpus, 4);
	assert_int_equal(m.derived.running, 1);
	m.pipeline.ended = true;
	ddp_metrics_derive(&m);
	assert_int_equal(m.derived.running, 0);
}

static void this_process_is_measured(void **state)
{
	struct ddp_own_usage own;
	volatile uint64_t work = 0;

	(void)state;
	for (uint64_t i = 0; i < 20000000; i++)
		work += i;
	ddp_metrics_own(&own);
	assert_in_range(own.rss_bytes, 1 << 20, 1ULL << 40);
	assert_in_range(own.open_fds, 1, 1000);
	assert_true(own.cpu_ns > 0);
	assert_in_range(own.age_ns, 0, 3600ULL * 1000000000);
}

/* Prometheus */

/* The line of @name, or NULL */
static const char *find_line(const char *page, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = page; line && *line; line = strchr(line, '\n') + 1)
		if (!strncmp(line, name, n) && line[n] == ' ')
			return line + n + 1;
	return NULL;
}

static void every_row_is_on_the_page(void **state)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer page = { 0 };
	struct ddp_metrics m;

	(void)state;
	fill(&m);
	assert_int_equal(ddp_metrics_prometheus(&m, ddp_buffer_write, &page), 0);
	assert_int_equal(ddp_buffer_write(&page, "", 1), 0);
	for_each_metric(row) {
		char name[256], value[DDP_METRIC_TEXT];
		const char *line;

		full_name(row, name);
		ddp_metric_format(base_of(&m, row), row, value);
		line = find_line((const char *)page.bytes, name);
		if (!line || strncmp(line, value, strlen(value)) || line[strlen(value)] != '\n')
			fail_msg("%s: %s", name, line ?: "is not there");
	}
}

static unsigned int count_of(const char *page, const char *text)
{
	unsigned int n = 0;

	for (page = strstr(page, text); page; page = strstr(page + 1, text))
		n++;
	return n;
}

static void without_targets_there_are_no_lines_of_them(void **state)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer page = { 0 };
	struct ddp_metrics m;

	(void)state;
	fill(&m);
	m.nr_targets = 0;
	assert_int_equal(ddp_metrics_prometheus(&m, ddp_buffer_write, &page), 0);
	assert_int_equal(ddp_buffer_write(&page, "", 1), 0);
	assert_null(strstr((char *)page.bytes, "ddprof_target_"));
}

static void every_drop_has_a_row(void **state)
{
	(void)state;
	for (int i = 0; i < DDP_SENDER_NR_DROPS; i++) {
		char label[64];
		bool found = false;

		snprintf(label, sizeof(label), "reason=\"%s\"", ddp_sender_drop_name(i));
		for_each_metric(row)
			found |= row->labels && is_of_target(row) && !strcmp(row->labels, label) &&
				 row->offset == offsetof(struct ddp_target_metrics,
							 stats.dropped[i]);
		assert_true(found);
	}
}

static void every_name_has_one_type(void **state)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer page = { 0 };
	struct ddp_metrics m;

	(void)state;
	fill(&m);
	assert_int_equal(ddp_metrics_prometheus(&m, ddp_buffer_write, &page), 0);
	assert_int_equal(ddp_buffer_write(&page, "", 1), 0);
	for_each_metric(row) {
		char line[256];

		snprintf(line, sizeof(line), "# TYPE %s %s\n", row->name,
			 row->type == DDP_METRIC_COUNTER ? "counter" : "gauge");
		assert_int_equal(count_of((char *)page.bytes, line), 1);
		snprintf(line, sizeof(line), "# HELP %s %s.\n", row->name, row->help);
		assert_int_equal(count_of((char *)page.bytes, line), 1);
	}
}

static int write_some(void *ctx, const void *bytes, size_t n)
{
	size_t *left = ctx;

	(void)bytes;
	if (n > *left)
		return -ENOSPC;
	*left -= n;
	return 0;
}

static void a_page_that_is_not_taken(void **state)
{
	struct ddp_metrics m;

	(void)state;
	fill(&m);
	for (size_t room = 0; room < 4000; room += 97)
		assert_int_equal(ddp_metrics_prometheus(&m, write_some, &(size_t){ room }),
				 -ENOSPC);
}

/* Health */

static void trouble(void **state)
{
	static const struct {
		const char *what;
		struct ddp_pipeline_counts p;
		const char *text;	/* NULL: none */
	} rows[] = {
		{ "as it should be", { .uptime_ns = 1, .period_s = 59, .interval_ns = 58000000000 },
		  NULL },
		{ "no session", { .uptime_ns = 0 }, "the session has ended" },
		{ "a session that ended", { .uptime_ns = 1, .ended = true },
		  "the session has ended" },
		{ "an interval that takes its time",
		  { .uptime_ns = 1, .period_s = 59, .interval_ns = 88000000000 }, NULL },
		{ "an interval that does not end",
		  { .uptime_ns = 1, .period_s = 59, .interval_ns = 90000000000 },
		  "an interval of 59 s has lasted 90 s" },
		{ "one interval for all",
		  { .uptime_ns = 1, .period_s = 0, .interval_ns = 900000000000 }, NULL },
		{ "nothing is sampled",
		  { .uptime_ns = 1, .quiet_ns = 99000000000, .marks.stats.messages = 7,
		    .marks.decode.batches = 7 }, NULL },
		{ "messages that do not arrive",
		  { .uptime_ns = 1, .quiet_ns = 99000000000, .marks.stats.messages = 8,
		    .marks.decode.batches = 7 },
		  "no records for 99 s, though the module sent some" },
		{ "messages on their way",
		  { .uptime_ns = 1, .quiet_ns = 5000000000, .marks.stats.messages = 8,
		    .marks.decode.batches = 7 }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_metrics m = { .pipeline = rows[i].p };
		char why[128] = "";
		const char *got;

		ddp_metrics_derive(&m);
		got = ddp_metrics_trouble(&m, why);
		if (!got != !rows[i].text || (got && strcmp(got, rows[i].text)))
			fail_msg("%s: %s", rows[i].what, got ?: "no trouble");
	}
}

/* statsd */

struct datagrams {
	char text[16384];
	size_t n, nr;
};

static int keep(void *ctx, const char *text, size_t n)
{
	struct datagrams *d = ctx;

	assert_in_range(n, 1, DDP_STATSD_BYTES);
	assert_true(d->n + n < sizeof(d->text));
	assert_int_equal(text[n - 1], '\n');
	memcpy(d->text + d->n, text, n);
	d->n += n;
	d->nr++;
	return 0;
}

static void every_statsd_name_is_sent(void **state)
{
	struct datagrams d = { .n = 0 };
	struct ddp_metrics now, before;
	size_t lines = 0;

	(void)state;
	fill(&now);
	memset(&before, 0, sizeof(before));
	assert_int_equal(ddp_statsd_format(&now, &before, 1000000000, "a:b", keep, &d), 0);
	for_each_metric(row) {
		char line[256];

		if (!row->statsd)
			continue;
		snprintf(line, sizeof(line), DDP_STATSD_PREFIX "%s:", row->statsd);
		assert_int_equal(count_of(d.text, line), 1);
		lines++;
	}
	assert_int_equal(count_of(d.text, "|#a:b\n"), lines);
}

static const struct ddp_metric *find_statsd(const char *name)
{
	for_each_metric(row)
		if (row->statsd && !strcmp(row->statsd, name))
			return row;
	fail_msg("%s", name);
	return NULL;
}

static void set(struct ddp_metrics *m, const char *statsd, uint64_t value)
{
	memcpy((char *)m + find_statsd(statsd)->offset, &value, sizeof(value));
}

static void statsd_lines(void **state)
{
	static const struct {
		const char *what, *name;
		uint64_t before, now, passed_ns;
		const char *tags, *line;	/* line NULL: not sent */
	} rows[] = {
		{ "a gauge is sent as it is", "profiler.rss", 5, 7, 1, NULL, "profiler.rss:7|g\n" },
		{ "growth as a gauge, as ddprof has it", "sample.count", 5, 7, 1, NULL,
		  "sample.count:2|g\n" },
		{ "growth as a count", "profiles", 5, 7, 1, "", "profiles:2|c\n" },
		{ "a total that began anew", "profiles", 7, 5, 1, NULL, "profiles:0|c\n" },
		{ "a ratio", "overhead.ratio", 0, 2500, 1, NULL, "overhead.ratio:0.002500|g\n" },
		{ "half a core", "profiler.cpu_usage.millicores", 1000000000, 31000000000,
		  60000000000, "service:x,env:y",
		  "profiler.cpu_usage.millicores:500|g|#service:x,env:y\n" },
		{ "no rate of no time", "profiler.cpu_usage.millicores", 0, 5, 0, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_metrics now = { 0 }, before = { 0 };
		struct datagrams d = { .n = 0 };
		char line[256];

		set(&before, rows[i].name, rows[i].before);
		set(&now, rows[i].name, rows[i].now);
		assert_int_equal(ddp_statsd_format(&now, &before, rows[i].passed_ns, rows[i].tags,
						   keep, &d), 0);
		snprintf(line, sizeof(line), DDP_STATSD_PREFIX "%s",
			 rows[i].line ?: rows[i].name);
		if (count_of(d.text, line) != !!rows[i].line)
			fail_msg("%s: expected %s in\n%s", rows[i].what, line, d.text);
	}
}

static void long_tags_make_more_datagrams(void **state)
{
	struct datagrams d = { .n = 0 };
	struct ddp_metrics m = { 0 };
	char tags[DDP_STATSD_BYTES];

	(void)state;
	memset(tags, 'x', sizeof(tags));
	tags[600] = '\0';
	assert_int_equal(ddp_statsd_format(&m, &m, 1, tags, keep, &d), 0);
	assert_true(d.nr > 5);
	memset(tags, 'x', sizeof(tags));
	tags[sizeof(tags) - 1] = '\0';
	assert_int_equal(ddp_statsd_format(&m, &m, 1, tags, keep, &d), -EMSGSIZE);
}

static void statsd_addresses(void **state)
{
	static const struct {
		const char *address, *error;	/* NULL: accepted */
	} rows[] = {
		{ "/var/run/datadog/dsd.socket", NULL },
		{ "unix:///var/run/datadog/dsd.socket", NULL },
		{ "unixgram:///run/x", NULL },
		{ "127.0.0.1", NULL },
		{ "127.0.0.1:8125", NULL },
		{ "udp://localhost:8125", NULL },
		{ "[::1]", NULL },
		{ "udp://[::1]:1", NULL },
		{ "agent.example:9", NULL },
		{ "", "expected" },
		{ "udp://", "expected" },
		{ "http://localhost:8125", "expected unix" },
		{ "unix://relative", "expected a path" },
		{ "localhost:0", "1 to 65535" },
		{ "localhost:65536", "1 to 65535" },
		{ "localhost:8125x", "1 to 65535" },
		{ "localhost:", "1 to 65535" },
		{ "[::1", "expected a ]" },
		{ "[::1]8125", "1 to 65535" },
		{ "::1", "expected" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_error err = { "" };
		int r = ddp_statsd_check(rows[i].address, &err);

		if (r != (rows[i].error ? -EINVAL : 0) ||
		    (rows[i].error && !strstr(err.text, rows[i].error)))
			fail_msg("\"%s\": %d %s", rows[i].address, r, err.text);
	}
}

/* A datagram socket in a folder of its own */
static int open_receiver(char folder[32], char path[64])
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(folder, 32, "/tmp/test_metrics.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, 64, "%s/statsd", folder);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

/* What a reload finds was told before it */
static void only_what_grew_since_the_beginning_is_told(void **state)
{
	char folder[32], path[64], text[DDP_STATSD_BYTES + 1];
	int fd = open_receiver(folder, path);
	struct ddp_error err = { "" };
	struct ddp_metrics m;
	struct ddp_statsd *s;
	ssize_t n;

	(void)state;
	fill(&m);
	assert_int_equal(ddp_statsd_create(path, NULL, &s, &err), 0);
	ddp_statsd_begin(s, &m);
	m.pipeline.profiles += 3;
	m.pipeline.uptime_ns += 10000000000;
	m.own.cpu_ns += 500000000;
	assert_int_equal(ddp_statsd_send(s, &m), 0);
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, DDP_STATSD_PREFIX "profiles:3|c\n"));
	assert_non_null(strstr(text, DDP_STATSD_PREFIX "profiler.cpu_usage.millicores:50|g\n"));
	assert_non_null(strstr(text, DDP_STATSD_PREFIX "exporter.sent:0|c\n"));
	ddp_statsd_destroy(s);
	close(fd);
	unlink(path);
	rmdir(folder);
}

static void datagrams_arrive_and_nobody_waits(void **state)
{
	char folder[32], path[64], text[DDP_STATSD_BYTES + 1];
	int fd = open_receiver(folder, path), r = 0;
	struct ddp_error err = { "" };
	struct ddp_metrics m;
	struct ddp_statsd *s;
	ssize_t n;

	(void)state;
	fill(&m);
	assert_int_equal(ddp_statsd_create(path, "env:test", &s, &err), 0);
	assert_int_equal(ddp_statsd_send(s, &m), 0);
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(strncmp(text, DDP_STATSD_PREFIX, strlen(DDP_STATSD_PREFIX)), 0);
	for (int i = 0; !r && i < 100000; i++) /* a receiver that does not keep up */
		r = ddp_statsd_send(s, &m);
	assert_int_equal(r, -EAGAIN);
	close(fd);
	assert_int_equal(ddp_statsd_send(s, &m), -ECONNREFUSED);
	unlink(path);
	assert_int_equal(ddp_statsd_send(s, &m), -ENOENT);
	ddp_statsd_destroy(s);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_named_as_they_should),
		cmocka_unit_test(rows_do_not_repeat_each_other),
		cmocka_unit_test(rows_of_a_name_are_together),
		cmocka_unit_test(every_counter_is_a_metric),
		cmocka_unit_test(rows_are_documented),
		cmocka_unit_test(nothing_else_is_documented),
		cmocka_unit_test(values_have_their_units),
		cmocka_unit_test(sums_and_quotients),
		cmocka_unit_test(this_process_is_measured),
		cmocka_unit_test(every_row_is_on_the_page),
		cmocka_unit_test(without_targets_there_are_no_lines_of_them),
		cmocka_unit_test(every_drop_has_a_row),
		cmocka_unit_test(every_name_has_one_type),
		cmocka_unit_test(a_page_that_is_not_taken),
		cmocka_unit_test(trouble),
		cmocka_unit_test(every_statsd_name_is_sent),
		cmocka_unit_test(statsd_lines),
		cmocka_unit_test(long_tags_make_more_datagrams),
		cmocka_unit_test(statsd_addresses),
		cmocka_unit_test(datagrams_arrive_and_nobody_waits),
		cmocka_unit_test(only_what_grew_since_the_beginning_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
