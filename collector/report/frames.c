// SPDX-License-Identifier: Apache-2.0
/* See frames.h. */
#include "report/frames.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"

/* Names */

int ddp_location_name(const struct ddp_pprof_location *l, char **ret)
{
	const char *file = l->mapping && l->mapping->filename[0] ? l->mapping->filename
								 : "[unknown]";

	return asprintf(ret, "%s+0x%" PRIx64, file, l->address) < 0 ? -ENOMEM : 0;
}

const char *ddp_line_name(const struct ddp_pprof_line *line)
{
	if (!line->function)
		return NULL;
	if (line->function->name[0])
		return line->function->name;
	return line->function->system_name[0] ? line->function->system_name : NULL;
}

/* The table of frames */

static uint64_t hash(struct ddp_frames *f, const struct ddp_frame *frame)
{
	const struct hash_key *key = hash_key_get(&f->hash_key);
	uint64_t texts[] = {
		hash64(key, frame->name, strlen(frame->name)),
		hash64(key, frame->file, strlen(frame->file)),
		hash64(key, frame->mapping, strlen(frame->mapping)),
	};

	return hash64(key, texts, sizeof(texts));
}

static bool same(const struct ddp_frame *a, const struct ddp_frame *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->file, b->file) &&
	       !strcmp(a->mapping, b->mapping);
}

static void widen(struct ddp_frame *f, const struct ddp_frame *by)
{
	if (!by->first_line)
		return;
	if (!f->first_line || by->first_line < f->first_line)
		f->first_line = by->first_line;
	if (by->last_line > f->last_line)
		f->last_line = by->last_line;
}

static int append(struct ddp_frames *f, const struct ddp_frame *frame, uint64_t key)
{
	struct ddp_frame *more = array_reserve(f->frames, &f->cap, f->nr + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	f->frames = more;
	if (f->nr >= UINT32_MAX - 1)
		return -EFBIG;
	if (ddp_table_set(&f->by_content, key, f->nr + 1))
		return -ENOMEM;
	f->frames[f->nr++] = *frame;
	return 0;
}

/* Frames that differ but have the same 64-bit hash take the next key */
static int intern(struct ddp_frames *f, struct ddp_frame frame, uint32_t *ret)
{
	const uint64_t *found;
	uint64_t key;
	int r;

	if (f->by_name)
		frame = (struct ddp_frame){ .name = frame.name, .file = "", .mapping = "" };
	for (key = hash(f, &frame);; key++) {
		key += !key;
		found = ddp_table_find(&f->by_content, key);
		if (!found)
			break;
		*ret = (uint32_t)(*found - 1);
		if (same(&f->frames[*ret], &frame)) {
			widen(&f->frames[*ret], &frame);
			return 0;
		}
	}
	r = append(f, &frame, key);
	if (!r)
		*ret = (uint32_t)(f->nr - 1);
	return r;
}

/* As intern(), for a name on the heap, which now belongs to the table */
static int intern_made(struct ddp_frames *f, char *name, const char *mapping, uint32_t *ret)
{
	size_t before = f->nr;
	char **more = array_reserve(f->made, &f->made_cap, f->nr_made + 1, sizeof(*more));
	int r = -ENOMEM;

	if (more) {
		f->made = more;
		r = intern(f, (struct ddp_frame){ name, "", mapping, 0, 0 }, ret);
	}
	if (!r && f->nr > before)
		f->made[f->nr_made++] = name;
	else
		free(name);
	return r;
}

void ddp_frames_free(struct ddp_frames *f)
{
	for (size_t i = 0; i < f->nr_made; i++)
		free(f->made[i]);
	free(f->made);
	free(f->frames);
	ddp_table_free(&f->by_content);
}

/* Locations */

static int name_line(struct ddp_frames *f, const struct ddp_pprof_location *l,
		     const struct ddp_pprof_line *line, uint32_t *ret)
{
	struct ddp_frame frame = {
		.name = ddp_line_name(line), .file = "",
		.mapping = l->mapping ? l->mapping->filename : "",
	};

	if (!frame.name)
		frame.name = "[unknown]";
	if (line->function) {
		frame.file = line->function->filename;
		frame.first_line = line->line > 0 ? line->line : line->function->start_line;
	}
	if (frame.first_line < 0)
		frame.first_line = 0;
	frame.last_line = frame.first_line;
	return intern(f, frame, ret);
}

static int name_location(struct ddp_frames *f, const struct ddp_pprof_location *l, uint32_t *ret)
{
	char *name = NULL;
	int r = 0;

	if (!l->nr_lines) {
		r = ddp_location_name(l, &name);
		return r ? r : intern_made(f, name, l->mapping ? l->mapping->filename : "", ret);
	}
	for (size_t i = 0; !r && i < l->nr_lines; i++)
		r = name_line(f, l, &l->lines[i], &ret[i]);
	return r;
}

int ddp_stacks_open(struct ddp_stacks *s, const struct ddp_pprof *p)
{
	size_t nr = 0;
	int r = 0;

	s->first = calloc(p->nr_locations + 1, sizeof(*s->first));
	if (!s->first)
		return -ENOMEM;
	for (size_t i = 0; i < p->nr_locations; i++) {
		s->first[i] = nr;
		nr += p->locations[i].nr_lines ? p->locations[i].nr_lines : 1;
	}
	s->ids = calloc(nr + 1, sizeof(*s->ids));
	if (!s->ids)
		return -ENOMEM;
	for (size_t i = 0; !r && i < p->nr_locations; i++)
		r = name_location(s->frames, &p->locations[i], &s->ids[s->first[i]]);
	return r;
}

/* Samples */

static int push(struct ddp_stacks *s, uint32_t frame)
{
	uint32_t *more = array_reserve(s->stack, &s->cap, s->nr + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->stack = more;
	if (s->nr == DDP_MAX_STACK)
		return -EFBIG;
	s->stack[s->nr++] = frame;
	return 0;
}

static int push_location(struct ddp_stacks *s, const struct ddp_pprof_location *l)
{
	const uint32_t *ids = &s->ids[s->first[l->index]];
	int r = 0;

	for (size_t i = l->nr_lines ? l->nr_lines : 1; !r && i-- > 0;)
		r = push(s, ids[i]);
	return r;
}

static int push_named(struct ddp_stacks *s, const char *name)
{
	uint32_t id = 0;
	int r = intern(s->frames, (struct ddp_frame){ name, "", "", 0, 0 }, &id);

	return r ? r : push(s, id);
}

static int push_label(struct ddp_stacks *s, const struct ddp_pprof_sample *sample)
{
	char *name;
	uint32_t id;
	int r;

	for (size_t i = 0; i < sample->nr_labels; i++) {
		const struct ddp_pprof_label *l = &sample->labels[i];

		if (strcmp(l->key, s->label))
			continue;
		if (l->str)
			return push_named(s, l->str[0] ? l->str : "[empty]");
		if (asprintf(&name, "%s %" PRId64 "%s%s", l->key, l->num,
			     l->num_unit[0] ? " " : "", l->num_unit) < 0)
			return -ENOMEM;
		r = intern_made(s->frames, name, "", &id);
		return r ? r : push(s, id);
	}
	return push_named(s, "[none]");
}

int ddp_stacks_walk(struct ddp_stacks *s, const struct ddp_pprof_sample *sample)
{
	int r = 0;

	s->nr = 0;
	if (s->label)
		r = push_label(s, sample);
	for (size_t i = sample->nr_locations; !r && i-- > 0;)
		r = push_location(s, sample->locations[i]);
	if (!r && !sample->nr_locations)
		r = push_named(s, "[no stack]");
	return r;
}

void ddp_stacks_close(struct ddp_stacks *s)
{
	free(s->stack);
	free(s->first);
	free(s->ids);
}
