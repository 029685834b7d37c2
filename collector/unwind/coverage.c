// SPDX-License-Identifier: Apache-2.0
/* See coverage.h. */
#include "unwind/coverage.h"

#include <errno.h>
#include <string.h>

struct finder {
	const struct ddp_process *process;
	struct ddp_table counts;	/* name's address -> samples */
	uint64_t unknown;		/* in no mapping that we know */
};

/* A walk ends in its last frame, which is a return address unless it is the first */
static const char *ended_in(const struct ddp_process *p, const struct ddp_trace *t)
{
	struct ddp_aspace_state *a = t->aspace ? ddp_process_find(p, t->aspace) : NULL;
	uint64_t address = t->frames[t->nr_kernel + t->nr_user - 1];
	const struct ddp_range *r;

	if (t->nr_user > 1 || !t->user_exact)
		address -= address > 0;
	r = a ? ddp_process_range(a, address) : NULL;
	if (!r)
		return NULL;
	return r->object ? r->object->path : r->name;
}

static bool ended_early(const struct ddp_trace *t)
{
	return t->nr_user && t->user_end != DDPROF_END_NONE && t->user_end != DDPROF_END_ROOT;
}

/* Names that are no file's are each mapping's own: one of a kind stands for all of them */
static const char *one_of_its_kind(const char *name)
{
	static const char *const kinds[] = { "[vdso]", "//anon", "//file" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(name, kinds[i]))
			return kinds[i];
	return name;
}

static int add(struct finder *f, const struct ddp_trace *t, uint64_t count)
{
	const char *name = ended_early(t) ? ended_in(f->process, t) : NULL;
	uint64_t key, *known;

	if (!name || !name[0]) {
		f->unknown += ended_early(t) ? count : 0;
		return 0;
	}
	key = ddp_table_value((void *)(uintptr_t)one_of_its_kind(name));
	known = ddp_table_find(&f->counts, key);
	if (!known)
		return ddp_table_set(&f->counts, key, count);
	*known += count;
	return 0;
}

static int add_folded(void *ctx, struct ddp_trace *t)
{
	return add(ctx, t, t->count);
}

static int add_timed(void *ctx, const struct ddp_timed *h)
{
	return add(ctx, h->trace, h->count);
}

static void keep_most(struct ddp_coverage *c, const char *name, uint64_t count)
{
	size_t i = c->nr;

	while (i && c->files[i - 1].count < count)
		i--;
	if (i == DDP_COVERAGE_FILES)
		return;
	c->nr += c->nr < DDP_COVERAGE_FILES;
	memmove(c->files + i + 1, c->files + i, (c->nr - i - 1) * sizeof(*c->files));
	c->files[i] = (struct ddp_coverage_file){ name, count };
}

int ddp_coverage_find(const struct ddp_samples *s, const struct ddp_samples_part *part,
		      const struct ddp_process *p, struct ddp_coverage *ret)
{
	struct finder f = { .process = p };
	int r = ddp_samples_each(s, part, add_folded, &f);

	r = r ?: ddp_samples_each_timed(s, part, add_timed, &f);
	*ret = (struct ddp_coverage){ 0 };
	ddp_table_for_each(&f.counts, slot)
		keep_most(ret, ddp_table_pointer(slot->key), slot->value);
	if (f.unknown)
		keep_most(ret, "[unknown mapping]", f.unknown);
	ddp_table_free(&f.counts);
	return r;
}

double ddp_coverage_percent(const uint64_t ends[__DDPROF_END_MAX])
{
	double all = 0;

	for (int i = 0; i < __DDPROF_END_MAX; i++)
		all += i == DDPROF_END_NONE ? 0 : (double)ends[i];
	return all > 0 ? 100.0 * (double)ends[DDPROF_END_ROOT] / all : 0;
}
