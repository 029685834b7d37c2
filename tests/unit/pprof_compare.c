// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "pprof_compare.h"


static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_type(const struct ddp_value_type *a, const struct ddp_value_type *b)
{
	return same(a->type, b->type) && same(a->unit, b->unit);
}

static bool same_mapping(const struct ddp_pprof_mapping *a, const struct ddp_pprof_mapping *b)
{
	return a->id == b->id && a->start == b->start && a->limit == b->limit &&
	       a->file_offset == b->file_offset && same(a->filename, b->filename) &&
	       same(a->build_id, b->build_id) && a->has_functions == b->has_functions &&
	       a->has_filenames == b->has_filenames &&
	       a->has_line_numbers == b->has_line_numbers &&
	       a->has_inline_frames == b->has_inline_frames;
}

static bool same_function(const struct ddp_pprof_function *a, const struct ddp_pprof_function *b)
{
	return a->id == b->id && same(a->name, b->name) && same(a->system_name, b->system_name) &&
	       same(a->filename, b->filename) && a->start_line == b->start_line;
}

static bool same_location(const struct ddp_pprof_location *a, const struct ddp_pprof_location *b)
{
	size_t i;

	if (a->id != b->id || a->address != b->address || a->nr_lines != b->nr_lines ||
	    a->is_folded != b->is_folded || a->index != b->index || !a->mapping != !b->mapping ||
	    (a->mapping && a->mapping->id != b->mapping->id))
		return false;
	for (i = 0; i < a->nr_lines; i++) {
		const struct ddp_pprof_line *x = &a->lines[i], *y = &b->lines[i];

		if (!x->function != !y->function || x->line != y->line || x->column != y->column ||
		    (x->function && x->function->id != y->function->id))
			return false;
	}
	return true;
}

static bool same_label(const struct ddp_pprof_label *a, const struct ddp_pprof_label *b)
{
	return same(a->key, b->key) && same(a->str, b->str) && a->num == b->num &&
	       same(a->num_unit, b->num_unit);
}

static bool same_sample(const struct ddp_pprof_sample *a, const struct ddp_pprof_sample *b,
			size_t nr_values)
{
	size_t i;

	if (a->nr_locations != b->nr_locations || a->nr_labels != b->nr_labels ||
	    (nr_values && memcmp(a->values, b->values, nr_values * sizeof(*a->values))))
		return false;
	for (i = 0; i < a->nr_locations; i++)
		if (a->locations[i]->id != b->locations[i]->id)
			return false;
	for (i = 0; i < a->nr_labels; i++)
		if (!same_label(&a->labels[i], &b->labels[i]))
			return false;
	return true;
}

static const char *difference_of_tables(const struct ddp_pprof *a, const struct ddp_pprof *b)
{
	size_t i;

	for (i = 0; i < a->nr_sample_types; i++)
		if (!same_type(&a->sample_types[i], &b->sample_types[i]))
			return "a value type";
	for (i = 0; i < a->nr_mappings; i++)
		if (!same_mapping(&a->mappings[i], &b->mappings[i]))
			return "a mapping";
	for (i = 0; i < a->nr_functions; i++)
		if (!same_function(&a->functions[i], &b->functions[i]))
			return "a function";
	for (i = 0; i < a->nr_locations; i++)
		if (!same_location(&a->locations[i], &b->locations[i]))
			return "a location";
	for (i = 0; i < a->nr_samples; i++)
		if (!same_sample(&a->samples[i], &b->samples[i], a->nr_sample_types))
			return "a sample";
	for (i = 0; i < a->nr_comments; i++)
		if (!same(a->comments[i], b->comments[i]))
			return "a comment";
	return NULL;
}

const char *profile_difference(const struct ddp_pprof *a, const struct ddp_pprof *b)
{
	if (a->nr_sample_types != b->nr_sample_types || a->nr_samples != b->nr_samples ||
	    a->nr_mappings != b->nr_mappings || a->nr_locations != b->nr_locations ||
	    a->nr_functions != b->nr_functions || a->nr_comments != b->nr_comments)
		return "how many there are";
	if (!same_type(&a->period_type, &b->period_type) || a->period != b->period)
		return "the period";
	if (a->time_unix_ns != b->time_unix_ns || a->duration_ns != b->duration_ns)
		return "the time";
	if (!same(a->default_sample_type, b->default_sample_type) ||
	    !same(a->drop_frames, b->drop_frames) || !same(a->keep_frames, b->keep_frames) ||
	    !same(a->doc_url, b->doc_url))
		return "a text";
	return difference_of_tables(a, b);
}
