// SPDX-License-Identifier: Apache-2.0
/*
 * Event texts to specs; see events.h for what they are. Each event is read word by word into a
 * draft and made a spec of when it is whole, as its words may come in any order.
 */
#include "core/events.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "core/events_table.h"

enum {
	MAX_WORD = 63,
	MAX_FREQUENCY_HZ = 10000,	/* START's */
	/* a shorter period of CPU time is a higher frequency than that */
	MIN_CPU_PERIOD_NS = 100000,
};

static const uint64_t max_period = 1ULL << 62;	/* START's */
static const uint64_t max_min_ns = 60000000000ULL;	/* START's */

/* One event as far as it was read */
struct draft {
	const char *at;			/* where it begins, for error texts */
	char event[MAX_WORD + 1], group[MAX_WORD + 1], label[MAX_WORD + 1];
	bool named;			/* by a word of its own, not by event= */
	uint64_t id, frequency, period, config, min_ns;
	bool has_id, has_frequency, has_period, has_config, has_min;
	uint32_t missing;		/* enum ddprof_missing, 0: not said */
	double scale;
};

struct reading {
	const char *text, *p;		/* all of it, and where we are */
	struct draft draft;
	struct ddp_event_specs specs;	/* those that are whole */
	struct ddp_error *err;
};

static int refuse(struct reading *r, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct reading *r, const char *at, const char *format, ...)
{
	int n = snprintf(r->err->text, sizeof(r->err->text), "event text at character %zu: ",
			 (size_t)(at - r->text) + 1);
	va_list args;

	va_start(args, format);
	vsnprintf(r->err->text + n, sizeof(r->err->text) - (size_t)n, format, args);
	va_end(args);
	return -EINVAL;
}

/* Words */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || strchr("_-+.:", c);
}

/* Takes a word, maybe an empty one. */
static int take_word(struct reading *r, char ret[MAX_WORD + 1])
{
	const char *at = r->p;
	size_t n = 0;

	while (at[n] && is_word(at[n]))
		n++;
	if (n > MAX_WORD)
		return refuse(r, at, "%.20s...: a word of more than %d characters", at, MAX_WORD);
	memcpy(ret, at, n);
	ret[n] = '\0';
	r->p += n;
	return 0;
}

static bool is_name(const char *s, const char *also)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(also, *s))
			return false;
	return true;
}

/* Values of keys. Each gets the value as text, not empty */

static int read_number(struct reading *r, const char *at, const char *key, const char *value,
		       uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end = NULL;
	uint64_t n = 0;

	errno = 0;
	if (isdigit((unsigned char)value[0]))
		n = strtoull(value, &end, strncmp(value, "0x", 2) ? 10 : 16);
	if (!end || *end || errno || n < min || n > max)
		return refuse(r, at, "%s=%s: expected a number from %" PRIu64 " to %" PRIu64, key,
			      value, min, max);
	*ret = n;
	return 0;
}

static int set_frequency(struct reading *r, const char *at, const char *value)
{
	r->draft.has_frequency = true;
	return read_number(r, at, "frequency", value, 1, MAX_FREQUENCY_HZ, &r->draft.frequency);
}

static int set_period(struct reading *r, const char *at, const char *value)
{
	r->draft.has_period = true;
	return read_number(r, at, "period", value, 1, max_period, &r->draft.period);
}

static int set_id(struct reading *r, const char *at, const char *value)
{
	r->draft.has_id = true;
	return read_number(r, at, "id", value, 1, UINT32_MAX, &r->draft.id);
}

static int set_config(struct reading *r, const char *at, const char *value)
{
	r->draft.has_config = true;
	return read_number(r, at, "config", value, 0, UINT64_MAX, &r->draft.config);
}

/* A number and its unit */
static int set_min(struct reading *r, const char *at, const char *value)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	char *unit = NULL;
	uint64_t n = 0;

	errno = 0;
	if (isdigit((unsigned char)value[0]))
		n = strtoull(value, &unit, 10);
	for (size_t i = 0; unit && !errno && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].name) || n > max_min_ns / units[i].ns)
			continue;
		r->draft.min_ns = n * units[i].ns;
		r->draft.has_min = true;
		return 0;
	}
	return refuse(r, at, "min=%s: expected a time up to 60s with its unit, as in 10us or 1ms",
		      value);
}

/* NAME, or group:event */
static int set_event(struct reading *r, const char *at, const char *value)
{
	struct draft *d = &r->draft;
	const char *colon = strchr(value, ':');

	if (!is_name(value, "_-:") || value[0] == ':' ||
	    (colon && (!colon[1] || strchr(colon + 1, ':'))))
		return refuse(r, at, "%s: expected the name of an event, or group:event of a "
			      "tracepoint", value);
	if (colon)
		snprintf(d->group, sizeof(d->group), "%.*s", (int)(colon - value), value);
	snprintf(d->event, sizeof(d->event), "%s", colon ? colon + 1 : value);
	return 0;
}

static int set_group(struct reading *r, const char *at, const char *value)
{
	if (strchr(value, ':'))
		return set_event(r, at, value);
	if (!is_name(value, "_-"))
		return refuse(r, at, "group=%s: expected a group of tracepoints, as in sched",
			      value);
	snprintf(r->draft.group, sizeof(r->draft.group), "%s", value);
	return 0;
}

static int set_label(struct reading *r, const char *at, const char *value)
{
	if (!is_name(value, "_-.") || !isalpha((unsigned char)value[0]))
		return refuse(r, at, "label=%s: expected a word that begins with a letter", value);
	snprintf(r->draft.label, sizeof(r->draft.label), "%s", value);
	return 0;
}

static int set_scale(struct reading *r, const char *at, const char *value)
{
	char *end;
	double d = strtod(value, &end);

	if (end == value || *end || !isfinite(d) || d <= 0 || strpbrk(value, "xXpP"))
		return refuse(r, at, "scale=%s: expected a number above 0, as in 2.5", value);
	r->draft.scale = d;
	return 0;
}

static int set_missing(struct reading *r, const char *at, const char *value)
{
	static const char *const words[] = {
		[DDPROF_MISSING_FAIL] = "fail", [DDPROF_MISSING_REPLACE] = "replace",
		[DDPROF_MISSING_SKIP] = "skip",
	};

	for (uint32_t i = DDPROF_MISSING_FAIL; i <= DDPROF_MISSING_SKIP; i++) {
		if (strcmp(value, words[i]))
			continue;
		r->draft.missing = i;
		return 0;
	}
	return refuse(r, at, "missing=%s: expected skip, replace or fail", value);
}

static int set_mode(struct reading *r, const char *at, const char *value)
{
	if (value[strspn(value, "sS")])
		return refuse(r, at, "mode=%s: expected s, the sum; what is live is of "
			      "allocations, which cannot be profiled here", value);
	return 0;
}

/* Of another way to walk stacks: what is said of it has to be right, and changes nothing */
static int set_stack_size(struct reading *r, const char *at, const char *value)
{
	uint64_t unused;

	return read_number(r, at, "stack_sample_size", value, 0, UINT32_MAX, &unused);
}

static int no_value_source(struct reading *r, const char *at, const char *value)
{
	return refuse(r, at, "%s: values come from the event alone, not from registers or a "
		      "tracepoint's data", value);
}

/* The first name is the one that is written about */
static const struct key {
	const char *names[4];
	int (*set)(struct reading *r, const char *at, const char *value);
} keys[] = {
	{ { "frequency", "freq", "f" }, set_frequency },
	{ { "period", "per", "p" }, set_period },
	{ { "event", "eventname", "ev", "e" }, set_event },
	{ { "group", "groupname", "gr", "g" }, set_group },
	{ { "id", "i" }, set_id },
	{ { "config", "c" }, set_config },
	{ { "min" }, set_min },
	{ { "missing" }, set_missing },
	{ { "scale", "value_scale", "s" }, set_scale },
	{ { "label", "l" }, set_label },
	{ { "mode", "m" }, set_mode },
	{ { "stack_sample_size", "stcksz", "st" }, set_stack_size },
	{ { "register", "regno", "r" }, no_value_source },
	{ { "argno", "arg_num", "n" }, no_value_source },
	{ { "raw_offset", "rawoff", "o" }, no_value_source },
	{ { "raw_size", "rawsz", "z" }, no_value_source },
};

static const struct key *find_key(const char *name, struct ddp_nearest *near)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		for (size_t k = 0; k < 4 && keys[i].names[k]; k++) {
			if (!strcmp(keys[i].names[k], name))
				return &keys[i];
			ddp_nearest_offer(near, keys[i].names[k]);
		}
	}
	return NULL;
}

static int take_value(struct reading *r, const char *name, const char *at)
{
	struct ddp_nearest near = { .word = name };
	const struct key *key = find_key(name, &near);
	char value[MAX_WORD + 1];
	int err;

	if (!key)
		return refuse(r, at, "%s: no such key%s%s; expected frequency, period, event, "
			      "group, id, config, min, missing, scale or label", name,
			      near.name ? ", do you mean " : "", near.name ? near.name : "");
	r->p++;	/* = */
	err = take_word(r, value);
	if (err)
		return err;
	if (!value[0])
		return refuse(r, at, "%s=: expected a value behind it", name);
	return key->set(r, at, value);
}

/* NAME or key=value */
static int take_item(struct reading *r)
{
	const char *at = r->p;
	char word[MAX_WORD + 1];
	int err = take_word(r, word);

	if (err)
		return err;
	if (!word[0])
		return refuse(r, at, "\"%c\": expected an event's name or key=value",
			      isprint((unsigned char)*at) ? *at : '?');
	if (*r->p == '=')
		return take_value(r, word, at);
	if (r->draft.named)
		return refuse(r, at, "%s: a second name; events are separated by \";\", keys have "
			      "a value, as in period=100", word);
	r->draft.named = true;
	/* event= says more: "T event=..." */
	return r->draft.event[0] ? 0 : set_event(r, at, word);
}

/* From draft to spec */

static int no_event(struct reading *r, const char *name)
{
	struct ddp_nearest near = { .word = name };

	for (const struct ddp_event_row *row = ddp_event_rows; row->name; row++)
		if (!row->refused)
			ddp_nearest_offer(&near, row->name);
	return refuse(r, r->draft.at, "%s: no such event%s%s; -e help lists them, a tracepoint is "
		      "group:event", name, near.name ? ", do you mean " : "",
		      near.name ? near.name : "");
}

/* What the draft's event is; *ret is "T" of the table for tracepoints */
static int find_row(struct reading *r, const struct ddp_event_row **ret)
{
	struct draft *d = &r->draft;
	bool tracepoint = d->group[0] || d->has_id;

	if (!d->event[0] && !tracepoint)
		return refuse(r, d->at, "an event needs a name; -e help lists them");
	*ret = tracepoint ? ddp_event_row("T") : ddp_event_row(d->event);
	if (!*ret)
		return no_event(r, d->event);
	if ((*ret)->refused)
		return refuse(r, d->at, "%s cannot be profiled here: %s", d->event,
			      (*ret)->refused);
	if ((*ret)->link.type == PERF_TYPE_TRACEPOINT && !d->has_id &&
	    (!d->event[0] || !tracepoint))
		return refuse(r, d->at, "a tracepoint needs group and event, as in "
			      "sched:sched_switch, or id");
	if (d->has_config != (*ret)->takes_config)
		return refuse(r, d->at, "%s: %s", d->event, d->has_config ?
			      "config goes with hRAW and hCACHE only" :
			      "expected config=NUMBER with it, as perf's manual has it");
	return 0;
}

static int make_rate(struct reading *r, const struct ddp_event_row *row,
		     struct ddp_event_spec *spec)
{
	struct draft *d = &r->draft;
	struct ddp_link_event *e = &spec->link;

	if (d->has_frequency && d->has_period)
		return refuse(r, d->at, "frequency and period exclude each other");
	if (d->has_period && e->sampler == DDPROF_SAMPLER_OFFCPU)
		return refuse(r, d->at, "%s has no period; frequency says how many blocks a "
			      "second and CPU are told each by itself", row->name);
	if (d->has_min && e->sampler != DDPROF_SAMPLER_OFFCPU)
		return refuse(r, d->at, "min goes with offcpu only");
	if (d->has_min)
		e->min_ns = d->min_ns ? d->min_ns : 1; /* 0 is START's default */
	spec->rate_given = d->has_frequency || d->has_period;
	if (!spec->rate_given)
		return 0;
	if (d->has_period && row->by_time && d->period <= MAX_FREQUENCY_HZ) {
		d->frequency = d->period;
		d->has_frequency = true;
	}
	e->frequency_hz = d->has_frequency ? (uint32_t)d->frequency : 0;
	e->period = d->has_frequency ? 0 : d->period;
	if (!e->period || !ddp_event_is_cpu_time(spec))
		return 0;
	if (e->period < MIN_CPU_PERIOD_NS)
		return refuse(r, d->at, "period=%" PRIu64 ": of %s it is a frequency up to %d, or "
			      "nanoseconds from %d on", d->period, row->name, MAX_FREQUENCY_HZ,
			      MIN_CPU_PERIOD_NS);
	e->sampler = DDPROF_SAMPLER_PERF; /* the timer knows frequencies only */
	return 0;
}

/* What it is called, by people and in the profile */
static void make_names(const struct draft *d, const struct ddp_event_row *row,
		       struct ddp_event_spec *spec)
{
	char made[DDP_EVENT_NAME - 8];

	if (d->has_id && !d->group[0])
		snprintf(made, sizeof(made), "tracepoint-%" PRIu64, d->id);
	else if (d->group[0])
		snprintf(made, sizeof(made), "%.55s:%.55s", d->group, d->event);
	else
		snprintf(made, sizeof(made), "%s", row->name);
	snprintf(spec->name, sizeof(spec->name), "%s", made);
	snprintf(spec->value_unit, sizeof(spec->value_unit), "%s", row->value_unit);
	if (!d->label[0] && !d->group[0] && !d->has_id) {
		snprintf(spec->count_type, sizeof(spec->count_type), "%s", row->count_type);
		snprintf(spec->value_type, sizeof(spec->value_type), "%s", row->value_type);
		return;
	}
	/* receivers put names of columns together with colons */
	if (d->label[0])
		snprintf(made, sizeof(made), "%s", d->label);
	else if (d->group[0])
		snprintf(made, sizeof(made), "%.55s.%.55s", d->group, d->event);
	snprintf(spec->count_type, sizeof(spec->count_type), "%s-samples", made);
	snprintf(spec->value_type, sizeof(spec->value_type), "%s", made);
}

static int make_spec(struct reading *r, struct ddp_event_spec *spec)
{
	const struct ddp_event_row *row = NULL;
	const struct draft *d = &r->draft;
	int err = find_row(r, &row);

	if (err)
		return err;
	*spec = (struct ddp_event_spec){ .link = row->link, .scale = d->scale };
	if (d->has_config)
		spec->link.config = d->config;
	if (d->has_id)
		spec->link.config = d->id;
	if (d->group[0]) {
		snprintf(spec->group, sizeof(spec->group), "%s", d->group);
		snprintf(spec->event, sizeof(spec->event), "%s", d->event);
	}
	make_names(d, row, spec);
	err = make_rate(r, row, spec);
	if (spec->link.sampler != DDPROF_SAMPLER_HRTIMER)
		spec->link.on_missing = d->missing ? d->missing : DDPROF_MISSING_SKIP;
	return err;
}

/* The draft becomes the next of specs */
static int end_event(struct reading *r)
{
	struct ddp_event_spec spec;
	int err = make_spec(r, &spec);

	if (err)
		return err;
	for (uint32_t i = 0; i < r->specs.nr; i++)
		if (ddp_event_same(&r->specs.spec[i], &spec))
			return refuse(r, r->draft.at, "%s is there already, as %s; a label "
				      "tells two of a kind apart", spec.name,
				      r->specs.spec[i].name);
	if (r->specs.nr == DDPROF_MAX_EVENTS)
		return refuse(r, r->draft.at, "%s: more than %d events", spec.name,
			      DDPROF_MAX_EVENTS);
	r->specs.spec[r->specs.nr++] = spec;
	return 0;
}

static void skip(struct reading *r, const char *set)
{
	r->p += strspn(r->p, set);
}

static int take_event(struct reading *r)
{
	int err = 0;

	r->draft = (struct draft){ .at = r->p, .scale = 1 };
	while (!err && *r->p && *r->p != ';') {
		err = take_item(r);
		if (!err && *r->p && !strchr(" \t,;", *r->p))
			err = refuse(r, r->p, "\"%c\": expected a blank, \",\" or \";\"",
				     isprint((unsigned char)*r->p) ? *r->p : '?');
		skip(r, " \t,");
	}
	return err ? err : end_event(r);
}

int ddp_events_parse(const char *text, struct ddp_event_specs *specs, struct ddp_error *err)
{
	struct reading r = { .text = text, .p = text, .specs = *specs, .err = err };
	int ret = 0;

	skip(&r, " \t;");
	if (!*r.p)
		return refuse(&r, text, "there is no event in it; -e help lists them");
	while (!ret && *r.p) {
		ret = take_event(&r);
		skip(&r, " \t;");
	}
	if (!ret)
		*specs = r.specs;
	return ret;
}
