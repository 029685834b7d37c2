// SPDX-License-Identifier: Apache-2.0
/* See top.h; its JSON is in top_json.c. */
#include "report/top.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/table.h"
#include "lib/sums.h"
#include "report/functions.h"

void ddp_top_free(struct ddp_top *top)
{
	for (size_t i = 0; i < top->nr_functions; i++)
		free(top->functions[i].name);
	for (size_t i = 0; i < top->nr_processes; i++)
		free(top->processes[i].name);
	free(top->functions);
	free(top->processes);
	*top = (struct ddp_top){ 0 };
}

/* At most DDP_TOP_MAX_NAME bytes, and no half of a character */
static char *copy_name(const char *name)
{
	size_t n = strnlen(name, DDP_TOP_MAX_NAME);

	while (n && ((unsigned char)name[n] & 0xc0) == 0x80)
		n--;
	return strndup(name, n);
}

static bool find_value(const struct ddp_pprof *p, const char *name, size_t *ret)
{
	for (size_t i = 0; i < p->nr_sample_types; i++)
		if (!strcmp(p->sample_types[i].type, name)) {
			*ret = i;
			return true;
		}
	return false;
}

static int choose_value(const struct ddp_pprof *p, const char *name, size_t *ret)
{
	if (!p->nr_sample_types)
		return -ENOENT;
	*ret = p->nr_sample_types - 1;
	return find_value(p, name ? name : "cpu-time", ret) || !name ? 0 : -ENOENT;
}

/* Functions */

static int take_functions(const struct ddp_functions *f, size_t rows, struct ddp_top *ret)
{
	size_t nr = f->nr < rows ? f->nr : rows;

	ret->all_functions = f->nr;
	ret->functions = calloc(nr + 1, sizeof(*ret->functions));
	if (!ret->functions)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		const struct ddp_function_sums *e = &f->entries[i];
		struct ddp_top_function *row = &ret->functions[i];

		row->name = copy_name(e->name);
		if (!row->name)
			return -ENOMEM;
		row->flat = e->flat[0];
		row->cumulative = e->cumulative[0];
		ret->nr_functions++;
	}
	return 0;
}

static int make_functions(const struct ddp_pprof *p, size_t value, const struct ddp_top_query *q,
			  struct ddp_top *ret)
{
	CLEANUP(ddp_functions_free) struct ddp_functions f = { 0 };
	int r = ddp_functions_add(&f, p, value, 0);

	if (r)
		return r;
	ddp_functions_sort(&f, q->by_cumulative ? DDP_BY_CUMULATIVE : DDP_BY_FLAT);
	ret->total = f.sum[0];
	return take_functions(&f, q->rows, ret);
}

/* Processes */

struct process_sum {
	const char *name;	/* the profile's */
	int64_t pid, value;
};

struct process_sums {
	struct process_sum *entries;	/* owned */
	size_t nr, cap;
	struct ddp_table by_pid;	/* pid + 1 -> index */
};

static void process_sums_free(struct process_sums *s)
{
	free(s->entries);
	ddp_table_free(&s->by_pid);
}
DEFINE_CLEANUP_IN_PLACE(struct process_sums, process_sums_free)

static const struct ddp_pprof_label *find_label(const struct ddp_pprof_sample *s, const char *key)
{
	for (size_t i = 0; i < s->nr_labels; i++)
		if (!strcmp(s->labels[i].key, key))
			return &s->labels[i];
	return NULL;
}

static int sum_of(struct process_sums *s, int64_t pid, struct process_sum **ret)
{
	uint64_t key = (uint64_t)pid + 1;
	const uint64_t *found = ddp_table_find(&s->by_pid, key);
	struct process_sum *more;

	if (found) {
		*ret = &s->entries[*found];
		return 0;
	}
	more = array_reserve(s->entries, &s->cap, s->nr + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->entries = more;
	if (ddp_table_set(&s->by_pid, key, s->nr))
		return -ENOMEM;
	*ret = &s->entries[s->nr++];
	**ret = (struct process_sum){ .name = "", .pid = pid };
	return 0;
}

/* A process that changed its name is shown by the last one */
static int count_process(struct process_sums *s, const struct ddp_pprof_sample *sample,
			 size_t value)
{
	const struct ddp_pprof_label *pid = find_label(sample, "process_id");
	const struct ddp_pprof_label *name = find_label(sample, "process_name");
	struct process_sum *sum;
	int r;

	if (!pid || pid->str || pid->num < 0 || !sample->values[value])
		return 0;
	r = sum_of(s, pid->num, &sum);
	if (r)
		return r;
	sum->value = sum_add(sum->value, sample->values[value]);
	if (name && name->str)
		sum->name = name->str;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	const struct process_sum *x = a, *y = b;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int take_processes(const struct process_sums *s, size_t rows, struct ddp_top *ret)
{
	size_t nr = s->nr < rows ? s->nr : rows;

	ret->all_processes = s->nr;
	ret->processes = calloc(nr + 1, sizeof(*ret->processes));
	if (!ret->processes)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		struct ddp_top_process *row = &ret->processes[i];

		row->name = copy_name(s->entries[i].name);
		if (!row->name)
			return -ENOMEM;
		row->pid = s->entries[i].pid;
		row->value = s->entries[i].value;
		ret->nr_processes++;
	}
	return 0;
}

static int make_processes(const struct ddp_pprof *p, size_t value, size_t rows,
			  struct ddp_top *ret)
{
	CLEANUP(process_sums_free) struct process_sums s = { 0 };
	int r = 0;

	for (size_t i = 0; !r && i < p->nr_samples; i++)
		r = count_process(&s, &p->samples[i], value);
	if (r)
		return r;
	if (s.nr)
		qsort(s.entries, s.nr, sizeof(*s.entries), by_value);
	return take_processes(&s, rows, ret);
}

int ddp_top_make(const struct ddp_pprof *p, const struct ddp_top_query *query, struct ddp_top *ret)
{
	size_t n;
	int r = choose_value(p, query->value, &n);

	if (r)
		return r;
	snprintf(ret->type, sizeof(ret->type), "%s", p->sample_types[n].type);
	snprintf(ret->unit, sizeof(ret->unit), "%s", p->sample_types[n].unit);
	r = make_functions(p, n, query, ret);
	r = r ?: make_processes(p, n, query->rows, ret);
	if (r)
		ddp_top_free(ret);
	return r;
}
