// SPDX-License-Identifier: Apache-2.0
/* See flamegraph.h. */
#include "report/flamegraph.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "lib/error.h"
#include "report/calltree.h"
#include "report/page.h"
#include "report/out.h"

struct graph {
	struct ddp_calltree tree;
	const struct ddp_value_type **types;	/* owned */
	size_t nr_types;
	struct ddp_column *base, *other;	/* owned; nr_types each */
	bool diff;
	size_t value;		/* index into types, shown first */
	const char *title;
	uint32_t *order;	/* owned; of the nodes */
};

static void graph_free(struct graph *g)
{
	ddp_calltree_free(&g->tree);
	free(g->types);
	free(g->base);
	free(g->other);
	free(g->order);
}
DEFINE_CLEANUP_IN_PLACE(struct graph, graph_free)

/* Strings. Those of a profile are told apart by where they are, which is once for each. */

struct strings {
	struct ddp_table ids;	/* pointer -> id */
	const char **list;	/* owned; by id - 1 */
	size_t nr, cap;
};

static void strings_free(struct strings *s)
{
	ddp_table_free(&s->ids);
	free(s->list);
}
DEFINE_CLEANUP_IN_PLACE(struct strings, strings_free)

static uint64_t string_key(const char *s)
{
	return (uint64_t)(uintptr_t)s;
}

static int add_string(struct strings *s, const char *text)
{
	const char **more;

	if (!text[0] || ddp_table_find(&s->ids, string_key(text)))
		return 0;
	more = array_reserve(s->list, &s->cap, s->nr + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->list = more;
	s->list[s->nr++] = text;
	return ddp_table_set(&s->ids, string_key(text), s->nr);
}

static int gather_strings(struct strings *s, const struct ddp_frames *frames)
{
	int r = 0;

	for (size_t i = 0; !r && i < frames->nr; i++) {
		r = add_string(s, frames->frames[i].name);
		r = r ?: add_string(s, frames->frames[i].file);
		r = r ?: add_string(s, frames->frames[i].mapping);
	}
	return r;
}

static int64_t string_id(const struct strings *s, const char *text)
{
	return text[0] ? (int64_t)*ddp_table_find(&s->ids, string_key(text)) : 0;
}

/* The parts of the data */

static void add_comma(struct ddp_out *t, size_t i)
{
	if (i)
		ddp_out_add(t, ",");
}

static void add_types(struct ddp_out *t, const struct graph *g)
{
	ddp_out_add(t, ",\n\"types\":[");
	for (size_t i = 0; i < g->nr_types; i++) {
		ddp_out_add(t, i ? ",[" : "[");
		ddp_out_json(t, g->types[i]->type);
		ddp_out_add(t, ",");
		ddp_out_json(t, g->types[i]->unit);
		ddp_out_add(t, "]");
	}
	ddp_out_add(t, "]");
}

static void add_info(struct ddp_out *t, const char *what, const struct ddp_pprof *p)
{
	time_t seconds = (time_t)(p->time_unix_ns / 1000000000);
	char line[160], date[32] = "", duration[32] = "";
	struct tm tm;

	if (p->time_unix_ns > 0 && gmtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC, ", &tm);
	if (p->duration_ns)
		snprintf(duration, sizeof(duration), "%.2f s, ", (double)p->duration_ns / 1e9);
	snprintf(line, sizeof(line), "%s%s%s%zu distinct samples", what, date, duration,
		 p->nr_samples);
	ddp_out_json(t, line);
	for (size_t i = 0; i < p->nr_comments; i++) {
		ddp_out_add(t, ",");
		ddp_out_json(t, p->comments[i]);
	}
}

static void add_strings(struct ddp_out *t, const struct strings *s)
{
	ddp_out_add(t, ",\n\"strings\":[\"\"");
	for (size_t i = 0; i < s->nr; i++) {
		ddp_out_add(t, ",\n");
		ddp_out_json(t, s->list[i]);
	}
	ddp_out_add(t, "]");
}

static void add_frames(struct ddp_out *t, const struct ddp_frames *frames,
		       const struct strings *s)
{
	ddp_out_add(t, ",\n\"frames\":[");
	for (size_t i = 0; i < frames->nr; i++) {
		const struct ddp_frame *f = &frames->frames[i];
		const int64_t numbers[] = {
			string_id(s, f->name), string_id(s, f->file), string_id(s, f->mapping),
			f->first_line, f->last_line,
		};

		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
			add_comma(t, i + k);
			ddp_out_number(t, numbers[k]);
		}
	}
	ddp_out_add(t, "]");
}

static void add_nodes(struct ddp_out *t, const struct graph *g)
{
	const struct ddp_call *calls = g->tree.calls;

	ddp_out_add(t, ",\n\"frame\":[-1");
	for (size_t i = 1; i < g->tree.nr; i++) {
		ddp_out_add(t, ",");
		ddp_out_number(t, calls[g->order[i]].frame);
	}
	ddp_out_add(t, "],\n\"depth\":[0");
	for (size_t i = 1; i < g->tree.nr; i++) {
		ddp_out_add(t, ",");
		ddp_out_number(t, calls[g->order[i]].depth);
	}
	ddp_out_add(t, "]");
}

static void add_values(struct ddp_out *t, const struct graph *g)
{
	const struct ddp_calltree *tree = &g->tree;

	ddp_out_add(t, ",\n\"self\":[");
	for (size_t k = 0; k < tree->nr_columns; k++) {
		ddp_out_add(t, k ? ",\n[" : "[");
		for (size_t i = 0; i < tree->nr; i++) {
			add_comma(t, i);
			ddp_out_number(t, tree->self[g->order[i] * tree->nr_columns + k]);
		}
		ddp_out_add(t, "]");
	}
	ddp_out_add(t, "]");
}

static void add_data(struct ddp_out *t, const struct graph *g, const struct strings *s,
		     const struct ddp_pprof *base, const struct ddp_pprof *p)
{
	ddp_out_add(t, "{\"title\":");
	ddp_out_json(t, g->title);
	ddp_out_add(t, g->diff ? ",\"diff\":true,\"value\":" : ",\"diff\":false,\"value\":");
	ddp_out_number(t, (int64_t)g->value);
	add_types(t, g);
	ddp_out_add(t, ",\n\"info\":[");
	if (base) {
		add_info(t, "before: ", base);
		ddp_out_add(t, ",");
	}
	add_info(t, base ? "after: " : "", p);
	ddp_out_add(t, "]");
	add_strings(t, s);
	add_frames(t, &g->tree.frames, s);
	add_nodes(t, g);
	add_values(t, g);
	ddp_out_add(t, "}\n");
}

/* As wide as the larger side, so that what came and what went can both be seen */
static double weigh(void *ctx, const int64_t *self)
{
	const struct graph *g = ctx;
	int64_t v = self[g->value], other;

	other = g->diff ? self[g->nr_types + g->value] : v;
	return (double)(v > other ? v : other);
}

static int write_page(struct graph *g, const struct ddp_pprof *base, const struct ddp_pprof *p,
		      ddp_write_fn write, void *ctx)
{
	CLEANUP(strings_free) struct strings s = { 0 };
	struct ddp_out t;
	int r = ddp_calltree_order(&g->tree, weigh, g, &g->order);

	r = r ?: gather_strings(&s, &g->tree.frames);
	if (r)
		return r;
	ddp_out_start(&t, write, ctx);
	ddp_out_bytes(&t, ddp_page_head(), ddp_page_head_bytes());
	add_data(&t, g, &s, base, p);
	ddp_out_bytes(&t, ddp_page_tail(), ddp_page_tail_bytes());
	return ddp_out_finish(&t);
}

/* Which values */

static bool has_negative(const struct ddp_pprof *p)
{
	for (size_t i = 0; i < p->nr_samples; i++)
		for (size_t k = 0; k < p->nr_sample_types; k++)
			if (p->samples[i].values[k] < 0)
				return true;
	return false;
}

static int room_for_types(struct graph *g, size_t nr)
{
	g->types = calloc(nr + 1, sizeof(*g->types));
	g->base = calloc(nr + 1, sizeof(*g->base));
	g->other = calloc(nr + 1, sizeof(*g->other));
	return g->types && g->base && g->other ? 0 : -ENOMEM;
}

int ddp_flamegraph_write(const struct ddp_pprof *p, const char *title, size_t value,
			 const char *label, ddp_write_fn write, void *ctx)
{
	CLEANUP(graph_free) struct graph g = {
		.tree.label = label, .title = title, .value = value, .diff = has_negative(p),
		.nr_types = p->nr_sample_types,
	};
	int r = room_for_types(&g, p->nr_sample_types);

	if (r)
		return r;
	g.tree.nr_columns = g.diff ? 2 * g.nr_types : g.nr_types;
	for (size_t i = 0; i < g.nr_types; i++) {
		g.types[i] = &p->sample_types[i];
		g.other[i] = (struct ddp_column){ i, g.diff ? g.nr_types + i : i, i };
	}
	r = ddp_calltree_add(&g.tree, p, g.other, g.nr_types);
	return r ? r : write_page(&g, NULL, p, write, ctx);
}

static int common_types(struct graph *g, const struct ddp_pprof *base,
			const struct ddp_pprof *other, size_t value)
{
	for (size_t i = 0; i < other->nr_sample_types; i++) {
		const struct ddp_value_type *t = &other->sample_types[i];

		for (size_t k = 0; k < base->nr_sample_types; k++) {
			if (strcmp(t->type, base->sample_types[k].type) ||
			    strcmp(t->unit, base->sample_types[k].unit))
				continue;
			if (i == value)
				g->value = g->nr_types;
			g->base[g->nr_types].value = k;
			g->other[g->nr_types].value = i;
			g->types[g->nr_types++] = t;
			break;
		}
	}
	for (size_t i = 0; i < g->nr_types; i++) {
		g->base[i].to = g->other[i].negative_to = i;
		g->base[i].negative_to = g->other[i].to = g->nr_types + i;
	}
	g->tree.nr_columns = 2 * g->nr_types;
	return g->nr_types ? 0 : -EINVAL;
}

int ddp_flamegraph_diff(const struct ddp_pprof *base, const struct ddp_pprof *other,
			const char *title, size_t value, const char *label,
			ddp_write_fn write, void *ctx, struct ddp_error *err)
{
	CLEANUP(graph_free) struct graph g = { .tree.label = label, .title = title, .diff = true };
	int r = room_for_types(&g, other->nr_sample_types);

	if (r)
		return r;
	if (common_types(&g, base, other, value))
		return ddp__fail(err, -EINVAL, "the two profiles have no value type in common");
	r = ddp_calltree_add(&g.tree, base, g.base, g.nr_types);
	r = r ?: ddp_calltree_add(&g.tree, other, g.other, g.nr_types);
	return r ? r : write_page(&g, base, other, write, ctx);
}
