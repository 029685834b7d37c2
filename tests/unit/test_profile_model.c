// SPDX-License-Identifier: Apache-2.0
/*
 * Random sequences of calls against a model too simple to be wrong: everything in lists that are
 * searched from front to back. Adding by ids, by stacks and label sets, by strings, in bulk, with
 * and without timestamps, good and bad; endpoints and counts; rules, good and bad; resets, with
 * and without a snapshot. What is encoded has to be what the model says, after every sequence and
 * now and then in between, also of snapshots that were kept while the profile went on.
 *
 * DDPROF_MODEL_SEQUENCES in the environment sets how many sequences (default 5,000), and
 * DDPROF_MODEL_SEED where the dice start.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profile_encoded.h"

enum {
	SEQUENCES = 5000,
	NR_VALUES = 3, NR_FRAMES = 5, MAX_DEPTH = 20, NR_KEYS = 4, MAX_LABELS = 4,
	MAX_SAMPLES = 64, MAX_RULES = 16, MAX_SPANS = 8,
};

static uint32_t dice;

static uint32_t below(uint32_t n)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % n;
}

static bool one_in(uint32_t n)
{
	return !below(n);
}

/* What samples are made of, by number: key 0 is the local root span id, 1 the trace endpoint */

static const char *const keys[NR_KEYS] = { "local root span id", "trace endpoint", "k2", "k3" };
static const char *const texts[] = { "", "/a", "/b", "v" };
static const char *const names[NR_FRAMES] = { "f0", "f1", "f2", "f3", "f4" };

enum { NR_TEXTS = sizeof(texts) / sizeof(*texts) };

struct label {
	uint32_t key;
	uint32_t text;	/* 0: a number */
	int64_t num;
};

struct sample {
	uint32_t depth, frames[MAX_DEPTH];
	uint32_t nr_labels;
	struct label labels[MAX_LABELS];
	int64_t values[NR_VALUES];
	int64_t timestamp_ns;
};

struct rule {
	uint32_t key, text;	/* text 0: by value */
	bool scales[NR_VALUES];
	struct ddp_upscaling_rule is;	/* without pointers and ids */
};

struct model {
	struct sample samples[MAX_SAMPLES];
	uint32_t nr_samples;
	struct sample sets[MAX_SAMPLES];	/* label sets, as they came first */
	uint32_t nr_sets;
	struct rule rules[MAX_RULES];
	uint32_t nr_rules;
	struct {
		uint64_t span;
		uint32_t text;
	} spans[MAX_SPANS];
	uint32_t nr_spans;
	int64_t counts[NR_TEXTS];
	uint32_t counted[NR_TEXTS], nr_counted;
	int64_t start_unix_ns;
};

/* The model: adding */

static bool same_label(const struct label *a, const struct label *b)
{
	return a->key == b->key && a->text == b->text && a->num == b->num;
}

static bool same_set(const struct sample *a, const struct sample *b)
{
	uint32_t i, k;

	if (a->nr_labels != b->nr_labels)
		return false;
	for (i = 0; i < a->nr_labels; i++) {
		for (k = 0; k < b->nr_labels && !same_label(&a->labels[i], &b->labels[k]); k++)
			;
		if (k == b->nr_labels)
			return false;
	}
	return true;
}

static bool same_stack(const struct sample *a, const struct sample *b)
{
	return a->depth == b->depth && !memcmp(a->frames, b->frames, a->depth * sizeof(*a->frames));
}

/* 0 or the error the labels deserve, that of the first bad one in order */
static int label_error(const struct sample *s)
{
	uint32_t i, k;

	for (i = 0; i < s->nr_labels; i++) {
		const struct label *l = &s->labels[i];

		if (l->text && l->num)
			return -EINVAL;
		if (!l->key && (l->text || !l->num))
			return -EINVAL;
		for (k = 0; k < i; k++)
			if (s->labels[k].key == l->key)
				return -EEXIST;
	}
	return 0;
}

static void model_set(struct model *m, struct sample *s)
{
	uint32_t i;

	for (i = 0; i < m->nr_sets; i++) {
		if (same_set(&m->sets[i], s)) {
			memcpy(s->labels, m->sets[i].labels, sizeof(s->labels));
			return;
		}
	}
	m->sets[m->nr_sets++] = *s;
}

static int64_t sum(int64_t a, int64_t b)
{
	__int128 s = (__int128)a + b;

	return s > INT64_MAX ? INT64_MAX : s < INT64_MIN ? INT64_MIN : (int64_t)s;
}

static void model_add(struct model *m, struct sample s)
{
	uint32_t i, k;

	model_set(m, &s);
	for (i = 0; i < m->nr_samples && !s.timestamp_ns; i++) {
		struct sample *o = &m->samples[i];

		if (o->timestamp_ns || !same_stack(o, &s) || !same_set(o, &s))
			continue;
		for (k = 0; k < NR_VALUES; k++)
			o->values[k] = sum(o->values[k], s.values[k]);
		return;
	}
	m->samples[m->nr_samples++] = s;
}

/* The model: encoding */

static uint32_t model_endpoint(const struct model *m, const struct sample *s)
{
	uint32_t i, k, text = 0;

	for (i = 0; i < s->nr_labels; i++) {
		if (s->labels[i].key == 1)
			return 0;
		for (k = 0; !s->labels[i].key && k < m->nr_spans; k++)
			if (m->spans[k].span == (uint64_t)s->labels[i].num)
				text = m->spans[k].text;
	}
	return text;
}

static double model_scale(const struct rule *r, const int64_t *v)
{
	double total = v[r->is.sum];
	double count = r->is.kind == DDP_UPSCALE_POISSON ? (double)v[r->is.count_at] :
		       (double)r->is.count;

	if (r->is.kind == DDP_UPSCALE_PROPORTIONAL)
		return r->is.scale;
	if (total == 0 || count == 0)
		return 1;
	return 1 / (1 - exp(-(total / count) / (double)r->is.distance));
}

static int64_t model_round(int64_t v, double scale)
{
	double d = round((double)v * scale);

	if (scale == 1)
		return v;
	if (d != d)
		return 0;
	return d >= 9223372036854775808.0 ? INT64_MAX :
	       d < -9223372036854775808.0 ? INT64_MIN : (int64_t)d;
}

/* All rules of one label, or those by value (text 0) */
static void model_apply(const struct model *m, uint32_t key, uint32_t text, int64_t *v)
{
	uint32_t i, k;

	for (i = 0; i < m->nr_rules; i++) {
		const struct rule *r = &m->rules[i];
		double scale = model_scale(r, v);

		if (r->text != text || (text && r->key != key))
			continue;
		for (k = 0; k < NR_VALUES; k++)
			if (r->scales[k])
				v[k] = model_round(v[k], scale);
	}
}

static void model_upscale(const struct model *m, const struct sample *s, int64_t *v)
{
	uint32_t i, endpoint = model_endpoint(m, s);

	memcpy(v, s->values, sizeof(s->values));
	for (i = 0; i < s->nr_labels; i++)
		if (s->labels[i].text)
			model_apply(m, s->labels[i].key, s->labels[i].text, v);
	if (endpoint)
		model_apply(m, 1, endpoint, v);
	model_apply(m, 0, 0, v);
}

/* Comparing */

static void check_label(const struct ddp_pprof_label *l, const char *key, uint32_t text,
			int64_t num)
{
	assert_string_equal(l->key, key);
	if (text)
		assert_string_equal(l->str, texts[text]);
	else
		assert_null(l->str);
	assert_true(l->num == num);
}

static void check_sample(const struct model *m, const struct sample *s,
			 const struct ddp_pprof_sample *f, bool omit)
{
	uint32_t i, n = 0, endpoint = model_endpoint(m, s);
	int64_t values[NR_VALUES];

	model_upscale(m, s, values);
	for (i = 0; i < NR_VALUES; i++)
		if (f->values[i] != values[i])
			fail_msg("value %u is %lld, not %lld", i, (long long)f->values[i],
				 (long long)values[i]);
	assert_int_equal(f->nr_locations, s->depth);
	for (i = 0; i < s->depth; i++)
		assert_string_equal(f->locations[i]->lines[0].function->name,
				    names[s->frames[i]]);
	for (i = 0; i < s->nr_labels; i++)
		if (s->labels[i].key || !omit)
			check_label(&f->labels[n++], keys[s->labels[i].key], s->labels[i].text,
				    s->labels[i].num);
	if (endpoint)
		check_label(&f->labels[n++], "trace endpoint", endpoint, 0);
	if (s->timestamp_ns)
		check_label(&f->labels[n++], "end_timestamp_ns", 0, s->timestamp_ns);
	assert_int_equal(f->nr_labels, n);
}

static void check_counts(const struct model *m, const struct ddp_profile *p)
{
	struct ddp_endpoint_count c;
	uint32_t i;

	for (i = 0; i < m->nr_counted; i++) {
		assert_int_equal(ddp_profile_endpoint_count_at(p, i, &c), 0);
		assert_string_equal(c.endpoint, texts[m->counted[i]]);
		assert_true(c.count == m->counts[m->counted[i]]);
	}
	assert_int_equal(ddp_profile_endpoint_count_at(p, i, &c), -ENOENT);
}

/* Those without timestamps first, each kind as it first came */
static void check(const struct model *m, const struct ddp_profile *p, bool omit)
{
	struct ddp_pprof *f = reloaded(p);
	uint32_t i, n = 0;
	int timed;

	assert_int_equal(f->nr_samples, m->nr_samples);
	assert_true(f->time_unix_ns == m->start_unix_ns);
	for (timed = 0; timed < 2; timed++)
		for (i = 0; i < m->nr_samples; i++)
			if (!m->samples[i].timestamp_ns == !timed)
				check_sample(m, &m->samples[i], &f->samples[n++], omit);
	check_counts(m, p);
	ddp_pprof_destroy(f);
}

/* The real thing */

struct world {
	struct ddp_profile *p;
	struct model m;
	uint32_t location[NR_FRAMES], key[NR_KEYS], text[NR_TEXTS];
	bool omit;
	struct ddp_profile *old;	/* a snapshot and what it holds; NULL: none */
	struct model old_m;
};

static void world_ids(struct world *w)
{
	uint32_t i, function;

	for (i = 0; i < NR_KEYS; i++)
		w->key[i] = string_id(w->p, keys[i]);
	for (i = 0; i < NR_TEXTS; i++)
		w->text[i] = string_id(w->p, texts[i]);
	for (i = 0; i < NR_FRAMES; i++) {
		assert_int_equal(ddp_profile_function(w->p, &(struct ddp_function){
			.name = string_id(w->p, names[i]) }, &function), 0);
		assert_int_equal(ddp_profile_location(w->p, &(struct ddp_location){
			.nr_lines = 1, .lines = &(struct ddp_line){ .function = function } },
			&w->location[i]), 0);
	}
}

static void random_sample(struct sample *s)
{
	static const int64_t large[] = { INT64_MAX, INT64_MIN, INT64_MAX / 2, 1LL << 53 };
	uint32_t i, key;

	memset(s, 0, sizeof(*s));
	s->depth = one_in(3) ? below(MAX_DEPTH + 1) : below(3);
	for (i = 0; i < s->depth; i++)
		s->frames[i] = below(one_in(3) ? NR_FRAMES : 1);
	key = below(NR_KEYS);
	s->nr_labels = below(MAX_LABELS + 1);
	for (i = 0; i < s->nr_labels; i++) {
		struct label *l = &s->labels[i];

		l->key = one_in(30) ? below(NR_KEYS) : key++ % NR_KEYS;
		l->text = l->key && one_in(2) ? below(NR_TEXTS) : one_in(60);
		l->num = l->text && !one_in(60) ? 0 : (int64_t)below(4) - !one_in(4);
	}
	for (i = 0; i < NR_VALUES; i++)
		s->values[i] = one_in(10) ? large[below(4)] : (int64_t)below(100) - 10;
	if (one_in(5))
		s->timestamp_ns = one_in(4) ? large[below(4)] : 1 + (int64_t)below(1000);
}

static int add_text(struct world *w, const struct sample *s, bool many)
{
	struct ddp_text_frame frames[MAX_DEPTH] = { { .line = 0 } };
	struct ddp_text_label labels[MAX_LABELS] = { { .num = 0 } };
	struct ddp_text_sample in = {
		.frames = frames, .nr_frames = s->depth, .values = s->values,
		.nr_values = NR_VALUES, .labels = labels, .nr_labels = s->nr_labels,
		.timestamp_ns = s->timestamp_ns,
	};
	size_t added;
	uint32_t i;
	int r;

	for (i = 0; i < s->depth; i++)
		frames[i].function = (struct ddp_text){ names[s->frames[i]], 2 };
	for (i = 0; i < s->nr_labels; i++) {
		const struct label *l = &s->labels[i];

		labels[i].key = (struct ddp_text){ keys[l->key], strlen(keys[l->key]) };
		labels[i].str = (struct ddp_text){ texts[l->text], strlen(texts[l->text]) };
		labels[i].num = l->num;
	}
	if (!many)
		return ddp_profile_add_text(w->p, &in);
	r = ddp_profile_add_text_many(w->p, &in, 1, &added);
	assert_int_equal(added, !r);
	return r;
}

/* Interns the stack, the label set, or both before; @ways has a bit for each and one for bulk */
static int add_ids(struct world *w, const struct sample *s, uint32_t ways)
{
	struct ddp_label labels[MAX_LABELS];
	uint32_t locations[MAX_DEPTH], i;
	struct ddp_sample in = { .values = s->values, .nr_values = NR_VALUES,
				 .timestamp_ns = s->timestamp_ns };
	size_t added;
	int r = 0;

	for (i = 0; i < s->depth; i++)
		locations[i] = w->location[s->frames[i]];
	for (i = 0; i < s->nr_labels; i++)
		labels[i] = (struct ddp_label){ .key = w->key[s->labels[i].key],
						.str = w->text[s->labels[i].text],
						.num = s->labels[i].num };
	if (ways & 1) {
		assert_int_equal(ddp_profile_stack(w->p, locations, s->depth, &in.stack), 0);
	} else {
		in.locations = locations;
		in.nr_locations = s->depth;
	}
	if (ways & 2) {
		r = ddp_profile_label_set(w->p, labels, s->nr_labels, &in.label_set);
	} else {
		in.labels = labels;
		in.nr_labels = s->nr_labels;
	}
	if (r || !(ways & 4))
		return r ? r : ddp_profile_add(w->p, &in);
	r = ddp_profile_add_many(w->p, &in, 1, &added);
	assert_int_equal(added, !r);
	return r;
}

static void step_add(struct world *w)
{
	uint32_t way = below(12);
	struct sample s;
	int expected, r;

	/* often one that is there, perhaps with its labels in another order */
	if (w->m.nr_samples && one_in(2)) {
		s = w->m.samples[below(w->m.nr_samples)];
		if (s.nr_labels > 1 && one_in(2)) {
			struct label l = s.labels[0];

			s.labels[0] = s.labels[s.nr_labels - 1];
			s.labels[s.nr_labels - 1] = l;
		}
	} else {
		random_sample(&s);
	}
	expected = label_error(&s);
	r = way < 8 ? add_ids(w, &s, way) : add_text(w, &s, way & 1);
	assert_int_equal(r, expected);
	if (!r)
		model_add(&w->m, s);
}

static void step_endpoint(struct world *w)
{
	uint64_t span = (uint64_t)below(4) - 1;
	uint32_t text = below(NR_TEXTS), i;
	int r = ddp_profile_endpoint(w->p, span, w->text[text]);

	assert_int_equal(r, span && text ? 0 : -EINVAL);
	if (r)
		return;
	for (i = 0; i < w->m.nr_spans && w->m.spans[i].span != span; i++)
		;
	w->m.spans[i].span = span;
	w->m.spans[i].text = text;
	if (i == w->m.nr_spans)
		w->m.nr_spans++;
}

static void step_count(struct world *w)
{
	int64_t n = one_in(4) ? INT64_MAX : (int64_t)below(10) - 3;
	uint32_t text = below(NR_TEXTS), i;

	assert_int_equal(ddp_profile_endpoint_count(w->p, w->text[text], n), 0);
	for (i = 0; i < w->m.nr_counted && w->m.counted[i] != text; i++)
		;
	if (i == w->m.nr_counted) {
		w->m.counted[w->m.nr_counted++] = text;
		w->m.counts[text] = 0;
	}
	w->m.counts[text] = sum(w->m.counts[text], n);
}

static int model_rule_error(const struct model *m, const struct rule *new)
{
	uint32_t i, k;

	for (i = 0; i < m->nr_rules; i++) {
		const struct rule *old = &m->rules[i];

		if (old->text && new->text && (old->text != new->text || old->key != new->key))
			continue;
		for (k = 0; k < NR_VALUES; k++)
			if (old->scales[k] && new->scales[k])
				return -EEXIST;
	}
	return 0;
}

static void random_rule(struct rule *r)
{
	static const double scales[] = { 0.5, 1, 2.7, 1000, 1e300 };
	static const uint64_t distances[] = { 1, 10, 1000, UINT64_MAX };

	memset(r, 0, sizeof(*r));
	if (one_in(2)) {
		r->key = 1 + below(NR_KEYS - 1);
		r->text = 1 + below(NR_TEXTS - 1);
	}
	r->is.kind = 1 + below(3);
	r->is.scale = scales[below(5)];
	r->is.sum = below(NR_VALUES);
	r->is.count_at = below(NR_VALUES);
	r->is.count = 1 + below(100);
	r->is.distance = distances[below(4)];
}

static void step_rule(struct world *w)
{
	uint32_t offsets[NR_VALUES], nr = 0, i, first = below(NR_VALUES);
	struct ddp_upscaling_rule in;
	struct rule r;
	int error;

	if (w->m.nr_rules == MAX_RULES)
		return;
	random_rule(&r);
	for (i = 0; i < NR_VALUES; i++)
		if ((r.scales[(first + i) % NR_VALUES] = one_in(3)))
			offsets[nr++] = (first + i) % NR_VALUES;
	in = r.is;
	in.offsets = offsets;
	in.nr_offsets = nr;
	in.label_key = r.text ? w->key[r.key] : 0;
	in.label_str = w->text[r.text];
	error = nr ? model_rule_error(&w->m, &r) : -EINVAL;
	assert_int_equal(ddp_profile_upscale(w->p, &in), error);
	if (!error)
		w->m.rules[w->m.nr_rules++] = r;
}

static void step_reset(struct world *w)
{
	struct ddp_profile_counts counts;
	struct world stale = *w;
	struct sample s;

	if (one_in(2)) {
		if (w->old)
			check(&w->old_m, w->old, w->omit);
		ddp_profile_destroy(w->old);
		w->old_m = w->m;
		assert_int_equal(ddp_profile_reset(w->p, 5000, &w->old), 0);
	} else {
		assert_int_equal(ddp_profile_reset(w->p, 5000, NULL), 0);
	}
	memset(&w->m, 0, sizeof(w->m));
	w->m.start_unix_ns = 5000;
	ddp_profile_count(w->p, &counts);
	assert_int_equal(counts.samples + counts.timestamped + counts.mappings +
			 counts.functions + counts.locations + counts.stacks + counts.label_sets +
			 counts.endpoints + counts.endpoint_counts + counts.upscaling_rules, 0);
	world_ids(w);
	random_sample(&s);
	if (s.depth && !label_error(&s))
		assert_int_equal(add_ids(&stale, &s, 0), -ESTALE);
}

static void check_count(const struct model *m, const struct ddp_profile *p)
{
	struct ddp_profile_counts counts;

	ddp_profile_count(p, &counts);
	assert_int_equal(counts.samples, m->nr_samples);
	assert_int_equal(counts.endpoints, m->nr_spans);
	assert_int_equal(counts.endpoint_counts, m->nr_counted);
	assert_int_equal(counts.upscaling_rules, m->nr_rules);
	assert_int_equal(counts.label_sets, m->nr_sets);
}

static void run_sequence(bool omit)
{
	static const struct ddp_value_type types[NR_VALUES] = {
		{ DDP_CPU_SAMPLES }, { DDP_CPU_TIME }, { DDP_ALLOC_SPACE },
	};
	struct ddp_profile_config c = { .value_types = types, .nr_value_types = NR_VALUES,
					.omit_local_root_span_id = omit };
	struct world w = { .omit = omit };
	uint32_t steps = 5 + below(40), dart;

	assert_int_equal(ddp_profile_create(&c, &w.p), 0);
	world_ids(&w);
	for (; steps; steps--) {
		dart = below(40);
		if (dart < 28)
			step_add(&w);
		else if (dart < 32)
			step_endpoint(&w);
		else if (dart < 34)
			step_count(&w);
		else if (dart < 37)
			step_rule(&w);
		else if (dart < 39)
			check(&w.m, w.p, omit);
		else
			step_reset(&w);
	}
	check(&w.m, w.p, omit);
	check_count(&w.m, w.p);
	if (w.old)
		check(&w.old_m, w.old, omit);
	ddp_profile_destroy(w.old);
	ddp_profile_destroy(w.p);
}

static uint32_t from_environment(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static void random_sequences_agree_with_the_model(void **state)
{
	uint32_t sequences = from_environment("DDPROF_MODEL_SEQUENCES", SEQUENCES);
	uint32_t seed = from_environment("DDPROF_MODEL_SEED", 1), i;

	(void)state;
	for (i = 0; i < sequences; i++) {
		dice = seed + i * 2654435761u;
		run_sequence(i % 4 == 0);
	}
	print_message("  %u sequences\n", sequences);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_sequences_agree_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
