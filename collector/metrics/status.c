// SPDX-License-Identifier: Apache-2.0
/* See status.h. */
#include "metrics/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

static json_t *value_to_json(const void *of, const struct ddp_metric *row)
{
	char text[DDP_METRIC_TEXT];

	if (row->unit != DDP_METRIC_NS && row->unit != DDP_METRIC_PPM)
		return json_integer((json_int_t)ddp_metric_value(of, row));
	return json_real(strtod(ddp_metric_format(of, row, text), NULL));
}

static json_t *metrics_to_json(const void *of, const struct ddp_metric *table)
{
	json_t *all = json_object();
	char key[256];

	for (const struct ddp_metric *row = table; row->name; row++) {
		snprintf(key, sizeof(key), row->labels ? "%s{%s}" : "%s", row->name, row->labels);
		if (json_object_set_new(all, key, value_to_json(of, row)))
			return json_decref(all), NULL;
	}
	return all;
}

/* What somebody typed need not be UTF-8 */
static json_t *text_to_json(const char *text)
{
	return json_string(text ? text : "") ?: json_string("[not UTF-8]");
}

static json_t *targets_to_json(const struct ddp_metrics *m)
{
	json_t *all = json_array();

	for (size_t i = 0; i < m->nr_targets; i++) {
		const struct ddp_target_metrics *t = &m->targets[i];
		json_t *row = json_pack("{s:o, s:o, s:I, s:f, s:o}", "name", text_to_json(t->name),
					"last_error", text_to_json(t->stats.last_error),
					"last_error_unix_s",
					(json_int_t)(t->stats.last_error_unix_ns / 1000000000),
					"next_attempt_s", (double)t->stats.next_attempt_ms / 1000,
					"metrics", metrics_to_json(t, ddp_target_metrics_table));

		if (json_array_append_new(all, row))
			return json_decref(all), NULL;
	}
	return all;
}

static json_t *services_to_json(const struct ddp_metrics *m)
{
	json_t *all = json_array();

	for (size_t i = 0; i < m->nr_services; i++) {
		const struct ddp_pipeline_service *s = &m->services[i];
		json_t *row;

		if (s->excluded)
			continue;
		row = json_pack("{s:o, s:I}", "name", text_to_json(s->name), "samples",
				(json_int_t)s->samples);
		if (json_array_append_new(all, row))
			return json_decref(all), NULL;
	}
	return all;
}

static json_t *events_to_json(const struct ddp_metrics *m)
{
	json_t *all = json_array();

	for (size_t i = 0; i < m->nr_events; i++) {
		const struct ddp_pipeline_event *e = &m->events[i];
		json_t *row = json_pack("{s:o, s:b, s:s?}", "name", text_to_json(e->name),
					"sampled", e->sampled, "missing",
					e->missing ? strerror((int)e->missing) : NULL);

		if (json_array_append_new(all, row))
			return json_decref(all), NULL;
	}
	return all;
}

int ddp_status_write(const struct ddp_metrics *m, const struct ddp_status_about *about,
		     const char *trouble, ddp_write_fn write, void *ctx)
{
	const struct ddp_pipeline_counts *p = &m->pipeline;
	CLEANUP(drop_json) json_t *j =
		json_pack("{s:s, s:i, s:o, s:o, s:s?, s:I, s:i, s:o, s:o, s:o, s:o}", "version",
			  DDPROF_VERSION, "pid", (int)getpid(), "profiles",
			  text_to_json(about->profiles),
			  "service", text_to_json(about->service), "trouble", trouble,
			  "start_unix_s", (json_int_t)(p->start_unix_ns / 1000000000),
			  "period_s", (int)p->period_s, "metrics",
			  metrics_to_json(m, ddp_metrics_table), "targets", targets_to_json(m),
			  "services", services_to_json(m), "events",
			  events_to_json(m));
	CLEANUP(free) char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	return text ? write(ctx, text, strlen(text)) : -ENOMEM;
}
