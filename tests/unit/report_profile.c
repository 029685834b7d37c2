// SPDX-License-Identifier: Apache-2.0
/* See report_profile.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "report/collapsed.h"
#include "report_profile.h"

static struct ddp_text text(const char *s)
{
	return (struct ddp_text){ s, s ? strlen(s) : 0 };
}

static size_t depth_of(const struct report_sample *s)
{
	size_t n = 0;

	while (n < REPORT_MAX_FRAMES &&
	       (s->stack[n].function || s->stack[n].mapping || s->stack[n].address))
		n++;
	return n;
}

static void add(struct ddp_profile *p, const struct report_sample *s, size_t nr_types)
{
	struct ddp_text_mapping mappings[REPORT_MAX_FRAMES] = { { 0 } };
	struct ddp_text_frame frames[REPORT_MAX_FRAMES] = { { .line = 0 } };
	const struct ddp_text_label label = {
		.key = text(s->key), .str = text(s->str), .num = s->num,
	};
	size_t nr = depth_of(s);

	for (size_t i = 0; i < nr; i++) {
		const struct report_frame *f = &s->stack[nr - 1 - i];

		mappings[i].filename = text(f->mapping);
		frames[i] = (struct ddp_text_frame){
			.function = text(f->function), .file = text(f->file), .line = f->line,
			.mapping = f->mapping ? &mappings[i] : NULL, .address = f->address,
			.inlined = f->inlined,
		};
	}
	assert_int_equal(ddp_profile_add_text(p, &(struct ddp_text_sample){
			 .frames = frames, .nr_frames = (uint32_t)nr,
			 .values = s->values, .nr_values = (uint32_t)nr_types,
			 .labels = &label, .nr_labels = !!s->key,
			 .timestamp_ns = s->timestamp_ns }), 0);
}

struct ddp_pprof *report_profile(const struct ddp_value_type *types, size_t nr_types,
				 const struct report_sample *samples, size_t nr)
{
	const struct ddp_profile_config config = {
		.value_types = types, .nr_value_types = nr_types,
		.start_unix_ns = 1700000000000000000,
	};
	struct ddp_buffer b = { 0 };
	struct ddp_profile *profile;
	struct ddp_pprof *ret;

	assert_int_equal(ddp_profile_create(&config, &profile), 0);
	for (size_t i = 0; i < nr && (samples[i].values[0] || samples[i].values[1]); i++)
		add(profile, &samples[i], nr_types);
	assert_int_equal(ddp_pprof_encode(profile, 1700000002500000000, ddp_buffer_write, &b), 0);
	assert_int_equal(ddp_pprof_load(b.bytes, b.len, NULL, &ret, NULL), 0);
	ddp_buffer_free(&b);
	ddp_profile_destroy(profile);
	return ret;
}

struct ddp_pprof *report_collapsed(const char *s)
{
	static const struct ddp_value_type type = { "samples", "count" };
	struct ddp_error err = { "" };
	struct ddp_pprof *ret;

	if (ddp_collapsed_read(s, strlen(s), &type, &ret, &err))
		fail_msg("\"%s\": %s", s, err.text);
	return ret;
}

int report_refuse(void *left, const void *bytes, size_t n)
{
	(void)bytes;
	(void)n;
	return (*(int *)left)-- ? 0 : -ENOSPC;
}
