// SPDX-License-Identifier: Apache-2.0
/*
 * The JSON of top.h:
 *
 *	{ "type": "cpu-time", "unit": "nanoseconds", "total": 5,
 *	  "interval_s": 12.5, "samples": 9, "lost_samples": 0, "cpus": 2, "overhead_ratio": 0.001,
 *	  "all_functions": 7, "all_processes": 3,
 *	  "functions": [ { "name": "main", "flat": 1, "cumulative": 5 } ],
 *	  "processes": [ { "name": "sh", "pid": 7, "value": 5 } ] }
 */
#include "report/top.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* Writing */

static json_t *functions_to_json(const struct ddp_top *top)
{
	json_t *all = json_array();

	for (size_t i = 0; i < top->nr_functions; i++) {
		const struct ddp_top_function *f = &top->functions[i];
		json_t *row = json_pack("{s:s, s:I, s:I}", "name", f->name, "flat",
					(json_int_t)f->flat, "cumulative",
					(json_int_t)f->cumulative);

		if (json_array_append_new(all, row))
			return json_decref(all), NULL;
	}
	return all;
}

static json_t *processes_to_json(const struct ddp_top *top)
{
	json_t *all = json_array();

	for (size_t i = 0; i < top->nr_processes; i++) {
		const struct ddp_top_process *p = &top->processes[i];
		json_t *row = json_pack("{s:s, s:I, s:I}", "name", p->name, "pid",
					(json_int_t)p->pid, "value", (json_int_t)p->value);

		if (json_array_append_new(all, row))
			return json_decref(all), NULL;
	}
	return all;
}

static json_t *to_json(const struct ddp_top *t)
{
	return json_pack("{s:s, s:s, s:I, s:f, s:I, s:I, s:i, s:f, s:I, s:I, s:o, s:o}",
			 "type", t->type, "unit", t->unit, "total", (json_int_t)t->total,
			 "interval_s", t->interval_s, "samples", (json_int_t)t->samples,
			 "lost_samples", (json_int_t)t->lost_samples, "cpus", (int)t->cpus,
			 "overhead_ratio", t->overhead_ratio,
			 "all_functions", (json_int_t)t->all_functions,
			 "all_processes", (json_int_t)t->all_processes,
			 "functions", functions_to_json(t), "processes", processes_to_json(t));
}

int ddp_top_write(const struct ddp_top *top, ddp_write_fn write, void *ctx)
{
	CLEANUP(drop_json) json_t *j = to_json(top);
	CLEANUP(free) char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	return text ? write(ctx, text, strlen(text)) : -ENOMEM;
}

/* Reading */

static int say(struct ddp_error *err, const char *what)
{
	if (err)
		snprintf(err->text, sizeof(err->text), "not a table of a collector: %s", what);
	return -EBADMSG;
}

/* @return 0; -EBADMSG: @row is not as its format has it; -ENOMEM */
static int read_function(json_t *row, struct ddp_top_function *ret)
{
	json_int_t flat, cumulative;
	const char *name;

	if (json_unpack(row, "{s:s, s:I, s:I}", "name", &name, "flat", &flat, "cumulative",
			&cumulative))
		return -EBADMSG;
	ret->name = strdup(name);
	ret->flat = flat;
	ret->cumulative = cumulative;
	return ret->name ? 0 : -ENOMEM;
}

static int read_process(json_t *row, struct ddp_top_process *ret)
{
	json_int_t pid, value;
	const char *name;

	if (json_unpack(row, "{s:s, s:I, s:I}", "name", &name, "pid", &pid, "value", &value))
		return -EBADMSG;
	ret->name = strdup(name);
	ret->pid = pid;
	ret->value = value;
	return ret->name ? 0 : -ENOMEM;
}

static int read_rows(json_t *functions, json_t *processes, struct ddp_top *ret)
{
	size_t nr_functions = json_array_size(functions), nr_processes = json_array_size(processes);
	int r = 0;

	if (nr_functions > DDP_TOP_MAX_ROWS || nr_processes > DDP_TOP_MAX_ROWS)
		return -EBADMSG;
	ret->functions = calloc(nr_functions + 1, sizeof(*ret->functions));
	ret->processes = calloc(nr_processes + 1, sizeof(*ret->processes));
	if (!ret->functions || !ret->processes)
		return -ENOMEM;
	for (size_t i = 0; !r && i < nr_functions; i++) {
		r = read_function(json_array_get(functions, i), &ret->functions[i]);
		ret->nr_functions += !r;
	}
	for (size_t i = 0; !r && i < nr_processes; i++) {
		r = read_process(json_array_get(processes, i), &ret->processes[i]);
		ret->nr_processes += !r;
	}
	return r;
}

static int read_head(json_t *j, struct ddp_top *ret, json_t **ret_functions,
		     json_t **ret_processes, json_error_t *why)
{
	json_int_t total, samples, lost, all_functions, all_processes;
	const char *type, *unit;
	int cpus;

	if (json_unpack_ex(j, why, 0,
			   "{s:s, s:s, s:I, s:F, s:I, s:I, s:i, s:F, s:I, s:I, s:o, s:o}", "type",
			   &type, "unit", &unit, "total", &total, "interval_s",
			   &ret->interval_s, "samples", &samples, "lost_samples", &lost, "cpus",
			   &cpus, "overhead_ratio", &ret->overhead_ratio, "all_functions",
			   &all_functions, "all_processes", &all_processes, "functions",
			   ret_functions, "processes", ret_processes))
		return -EBADMSG;
	snprintf(ret->type, sizeof(ret->type), "%s", type);
	snprintf(ret->unit, sizeof(ret->unit), "%s", unit);
	ret->total = total;
	ret->samples = (uint64_t)samples;
	ret->lost_samples = (uint64_t)lost;
	ret->cpus = (uint32_t)cpus;
	ret->all_functions = (uint64_t)all_functions;
	ret->all_processes = (uint64_t)all_processes;
	return 0;
}

int ddp_top_read(const void *text, size_t n, struct ddp_top *ret, struct ddp_error *err)
{
	json_error_t why = { .text = "" };
	CLEANUP(drop_json) json_t *j = json_loadb(text, n, 0, &why);
	CLEANUP(ddp_top_free) struct ddp_top top = { .nr_functions = 0 };
	json_t *functions, *processes;
	int r;

	if (!j || read_head(j, &top, &functions, &processes, &why))
		return say(err, why.text);
	r = read_rows(functions, processes, &top);
	if (r == -EBADMSG)
		return say(err, "a row is not as it should be");
	if (r)
		return r;
	*ret = top;
	top = (struct ddp_top){ 0 };
	return 0;
}
