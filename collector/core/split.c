// SPDX-License-Identifier: Apache-2.0
/*
 * See split.h. Three passes over the traces: whose each is, how many each part has, and each to its
 * place; as many over the timed hits, which ask their trace.
 */
#include "core/split.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"

struct splitter {
	const struct ddp_samples *samples;
	struct ddp_services *services;
	struct ddp_service **found;	/* owned; one a part */
	size_t nr, capacity;
	struct ddp_split split;
};

static struct ddp_services_who who_of(const struct ddp_trace *t)
{
	return (struct ddp_services_who){ t->tgid, t->aspace, t->names.process };
}

/* Whose each is */

static int add_service(struct splitter *s, struct ddp_service *v)
{
	struct ddp_service **more = array_reserve(s->found, &s->capacity, s->nr + 1,
						  sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->found = more;
	v->samples = 0;
	v->next_merged = NULL;
	v->part = (uint32_t)s->nr;
	s->found[s->nr++] = v;
	return 0;
}

static bool is_found(const struct splitter *s, const struct ddp_service *v)
{
	return v->part < s->nr && s->found[v->part] == v;
}

static int attribute(struct splitter *s, struct ddp_trace *t, uint64_t count)
{
	struct ddp_services_who who = who_of(t);
	int r = 0;

	if (!t->service)
		r = ddp_services_of(s->services, &who, &t->service);
	if (!r && !is_found(s, t->service))
		r = add_service(s, t->service);
	if (!r)
		t->service->samples += count;
	return r;
}

static int attribute_folded(void *ctx, struct ddp_trace *t)
{
	return attribute(ctx, t, t->count);
}

static int attribute_timed(void *ctx, const struct ddp_timed *h)
{
	return attribute(ctx, h->trace, h->count);
}

/* Most samples first; the excluded one, which is no service, before all */
static int by_weight(const void *a, const void *b)
{
	const struct ddp_service *x = *(struct ddp_service *const *)a;
	const struct ddp_service *y = *(struct ddp_service *const *)b;

	if (x->excluded != y->excluded)
		return x->excluded ? -1 : 1;
	if (x->samples != y->samples)
		return x->samples > y->samples ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void number(struct splitter *s)
{
	for (size_t i = 0; i < s->nr; i++)
		s->found[i]->part = (uint32_t)i;
}

/* Those over the limit become part of one, which may be among them, or among the others */
static int merge(struct splitter *s, size_t kept)
{
	struct ddp_services_counts *counts = &s->services->counts;
	struct ddp_service *other;
	size_t to = kept;
	int r = ddp_services_other(s->services, &other);

	if (r)
		return r;
	if (!is_found(s, other)) {
		other->next_merged = NULL;
		other->start_unix_ns = 0;	/* it has no samples of its own that could wait */
	}
	for (size_t i = 0; i < kept; i++)
		to = s->found[i] == other ? i : to;
	for (size_t i = kept; i < s->nr; i++) {
		struct ddp_service *v = s->found[i];

		counts->merged_services += v != other;
		counts->merged_samples += v->samples;
		v->part = (uint32_t)to;
		if (v == other)
			continue;
		v->next_merged = other->next_merged;
		other->next_merged = v;
	}
	s->nr = kept + (to == kept);
	s->found[to] = other;
	other->part = (uint32_t)to;
	return 0;
}

static int limit(struct splitter *s)
{
	size_t kept = s->services->config.max_services;

	if (s->nr)
		qsort(s->found, s->nr, sizeof(*s->found), by_weight);
	number(s);
	kept += s->nr && s->found[0]->excluded;
	return s->nr > kept ? merge(s, kept) : 0;
}

static int find_services(struct splitter *s)
{
	int r = ddp_samples_each(s->samples, NULL, attribute_folded, s);

	r = r ?: ddp_samples_each_timed(s->samples, NULL, attribute_timed, s);
	return r ? r : limit(s);
}

/* Parts */

static struct ddp_part *part_of(struct ddp_split *split, const struct ddp_trace *t)
{
	return &split->parts[t->service ? t->service->part : 0];
}

static int count_folded(void *ctx, struct ddp_trace *t)
{
	struct splitter *s = ctx;
	struct ddp_samples_part *p = &part_of(&s->split, t)->samples;

	p->nr_traces++;
	ddp_sample_sums_add(&p->sums, t, t->count);
	return 0;
}

static int count_timed(void *ctx, const struct ddp_timed *h)
{
	struct splitter *s = ctx;
	struct ddp_samples_part *p = &part_of(&s->split, h->trace)->samples;

	p->nr_timed++;
	ddp_sample_sums_add(&p->sums, h->trace, h->count);
	return 0;
}

/* Each part's piece of the two arrays, to be filled */
static int place(struct ddp_split *split)
{
	size_t nr_traces = 0, nr_timed = 0;

	for (size_t i = 0; i < split->nr; i++) {
		nr_traces += split->parts[i].samples.nr_traces;
		nr_timed += split->parts[i].samples.nr_timed;
	}
	split->traces = calloc(nr_traces + 1, sizeof(*split->traces));
	split->timed = calloc(nr_timed + 1, sizeof(*split->timed));
	if (!split->traces || !split->timed)
		return -ENOMEM;
	nr_traces = nr_timed = 0;
	for (size_t i = 0; i < split->nr; i++) {
		struct ddp_samples_part *p = &split->parts[i].samples;

		p->traces = split->traces + nr_traces;
		p->timed = split->timed + nr_timed;
		nr_traces += p->nr_traces;
		nr_timed += p->nr_timed;
		p->nr_traces = p->nr_timed = 0;
	}
	return 0;
}

static int fill_folded(void *ctx, struct ddp_trace *t)
{
	struct splitter *s = ctx;
	struct ddp_samples_part *p = &part_of(&s->split, t)->samples;

	p->traces[p->nr_traces++] = t;
	return 0;
}

static int fill_timed(void *ctx, const struct ddp_timed *h)
{
	struct splitter *s = ctx;
	struct ddp_samples_part *p = &part_of(&s->split, h->trace)->samples;

	p->timed[p->nr_timed++] = (uint32_t)(h - s->samples->timed);
	return 0;
}

/* Containers: of a whole part when all of its traces agree */

struct place {
	struct ddp_services *services;
	const char *container_id, *pod_uid;
	bool any;
};

static int ask_place(struct place *p, const struct ddp_trace *t)
{
	const struct ddp_services_who who = who_of(t);
	const struct ddp_identity *i;
	int r = ddp_services_identity(p->services, &who, &i);
	const char *container_id = i ? i->container_id : "", *pod_uid = i ? i->pod_uid : "";

	if (r)
		return r;
	if (!p->any || strcmp(p->container_id, container_id))
		p->container_id = p->any ? "" : container_id;
	if (!p->any || strcmp(p->pod_uid, pod_uid))
		p->pod_uid = p->any ? "" : pod_uid;
	p->any = true;
	return 0;
}

static int ask_place_folded(void *ctx, struct ddp_trace *t)
{
	return ask_place(ctx, t);
}

static int ask_place_timed(void *ctx, const struct ddp_timed *h)
{
	return ask_place(ctx, h->trace);
}

static int find_places(struct splitter *s)
{
	int r = 0;

	for (size_t i = 0; !r && i < s->split.nr; i++) {
		struct ddp_part *part = &s->split.parts[i];
		struct place p = { .services = s->services };

		r = ddp_samples_each(s->samples, &part->samples, ask_place_folded, &p);
		r = r ?: ddp_samples_each_timed(s->samples, &part->samples, ask_place_timed, &p);
		part->container_id = p.any && p.container_id[0] ? p.container_id : NULL;
		part->pod_uid = p.any && p.pod_uid[0] ? p.pod_uid : NULL;
	}
	return r;
}

static int make_parts(struct splitter *s)
{
	struct ddp_split *split = &s->split;
	int r;

	split->nr = s->services->config.split ? s->nr : 1;
	split->parts = calloc(split->nr + 1, sizeof(*split->parts));
	if (!split->parts)
		return -ENOMEM;
	for (size_t i = 0; i < s->nr; i++)
		split->parts[i].service = s->found[i];
	r = ddp_samples_each(s->samples, NULL, count_folded, s);
	r = r ?: ddp_samples_each_timed(s->samples, NULL, count_timed, s);
	r = r ?: place(split);
	r = r ?: ddp_samples_each(s->samples, NULL, fill_folded, s);
	r = r ?: ddp_samples_each_timed(s->samples, NULL, fill_timed, s);
	return r ? r : find_places(s);
}

int ddp_split_make(const struct ddp_samples *samples, struct ddp_services *services,
		   struct ddp_split *ret)
{
	struct splitter s = { .samples = samples, .services = services };
	int r = services->config.split ? find_services(&s) : 0;

	r = r ?: make_parts(&s);
	free(s.found);
	if (r)
		ddp_split_free(&s.split);
	else
		*ret = s.split;
	return r;
}

int64_t ddp_part_start(const struct ddp_part *part, int64_t interval_start_unix_ns)
{
	int64_t start = interval_start_unix_ns;

	for (const struct ddp_service *v = part->service; v; v = v->next_merged)
		if (v->start_unix_ns && v->start_unix_ns < start)
			start = v->start_unix_ns;
	return start;
}

void ddp_part_set_start(const struct ddp_part *part, int64_t start_unix_ns)
{
	for (struct ddp_service *v = part->service; v; v = v->next_merged)
		v->start_unix_ns = start_unix_ns;
}

void ddp_split_free(struct ddp_split *s)
{
	free(s->parts);
	free(s->traces);
	free(s->timed);
	*s = (struct ddp_split){ 0 };
}
