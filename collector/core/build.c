// SPDX-License-Identifier: Apache-2.0
/*
 * See build.h. Locations are remembered for the length of one build, by where they are and how to
 * look them up: those in files by file and offset, for all address spaces that map it, wherever;
 * those in other memory by address space and address; the kernel's by address. Names are interned
 * once a symbol. A trace is looked at once, however many samples with a timestamp it has.
 */
#include "core/build.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "symbols/demangle.h"
#include "symbols/inlined_files.h"

enum {
	MAX_LOCATIONS = DDPROF_MAX_DEPTH + 1,	/* every frame and how the walk ended */
	MAX_LABELS = 7,				/* of intern_labels() */
};

struct builder {
	const struct ddp_build *in;
	struct ddp_profile *profile;
	struct ddp_event_columns columns;
	struct ddp_table kernel;	/* frame key -> location id */
	struct ddp_table unmapped;	/* the same for user frames in no mapping */
	struct ddp_table functions;	/* a symbol's name, as it lies -> function id */
	uint64_t dropped;		/* of objects, when functions were found */
	uint32_t key_process_id, key_process_name, key_thread_id, key_thread_name;
	uint32_t key_container_id, key_pod_uid;
	uint32_t key_thread_state;
	struct ddp_inlined_files inlined;
	struct ddp_table traces;	/* trace -> ids of its stack and its label set */
	/* those with locations of this profile */
	struct ddp_aspace_state *used_aspaces;
	struct ddp_object *used_objects;
	uint32_t locations[MAX_LOCATIONS];
};

/* A frame as it will be shown */
struct frame {
	uint64_t address;
	const char *function;	/* NULL: shown as file+0xoffset; lies in symbols that stay */
	const char *file, *build_id;
	uint64_t offset;	/* in file */
	uint64_t start, limit, file_offset;	/* of the mapping; all zero: none */
	/* what debug information says instead, innermost first; none: function is all */
	const struct ddp_inlined_function *inlined;
	size_t nr_inlined;
};

static int intern(struct builder *b, const char *s, uint32_t *ret)
{
	return ddp_profile_string(b->profile, s, strlen(s), ret);
}

/* What stands in for a file's path ("//anon") stays as it is */
static const char *base_name(const char *path)
{
	const char *slash = strncmp(path, "//", 2) ? strrchr(path, '/') : NULL;

	return slash && slash[1] ? slash + 1 : path;
}

static int intern_place(struct builder *b, const struct frame *f, uint32_t *ret)
{
	char made[DDPROF_MAX_STRING + 32];
	struct ddp_function fn = { 0 };
	int r;

	snprintf(made, sizeof(made), "%s+0x%" PRIx64, base_name(f->file), f->offset);
	r = intern(b, made, &fn.name);
	fn.system_name = fn.name;
	return r ? r : ddp_profile_function(b->profile, &fn, ret);
}

/* A symbol, and how it reads */
static int intern_names(struct builder *b, const char *symbol, struct ddp_function *fn)
{
	char readable[DDPROF_MAX_STRING];
	int r = intern(b, symbol, &fn->system_name);

	fn->name = fn->system_name;
	if (!r && ddp_demangle(symbol, readable, sizeof(readable)))
		r = intern(b, readable, &fn->name);
	return r;
}

/* Other symbols may come to lie where those were that had to go */
static void forget_dropped(struct builder *b)
{
	if (b->dropped != b->in->process->objects.dropped)
		ddp_table_clear(&b->functions);
	b->dropped = b->in->process->objects.dropped;
}

static int intern_function(struct builder *b, const struct frame *f, uint32_t *ret)
{
	uint64_t key = (uint64_t)(uintptr_t)f->function;
	struct ddp_function fn = { 0 };
	const uint64_t *id;
	int r;

	if (!f->function)
		return intern_place(b, f, ret);
	forget_dropped(b);
	id = ddp_table_find(&b->functions, key);
	if (id) {
		*ret = (uint32_t)*id;
		return 0;
	}
	r = intern_names(b, f->function, &fn);
	r = r ?: ddp_profile_function(b->profile, &fn, ret);
	return r ? r : ddp_table_set(&b->functions, key, *ret);
}

static int intern_source_function(struct builder *b, const struct ddp_inlined_function *f,
				  uint32_t *ret)
{
	struct ddp_function fn = { .start_line = f->start_line };
	int r = intern_names(b, f->name, &fn);

	if (!r && f->file)
		r = intern(b, f->file, &fn.filename);
	return r ? r : ddp_profile_function(b->profile, &fn, ret);
}

static int intern_mapping(struct builder *b, const struct frame *f, uint32_t *ret)
{
	struct ddp_mapping m = {
		.start = f->start, .limit = f->limit, .file_offset = f->file_offset,
		.has_functions = !b->in->without_names,
		.has_inline_frames = b->in->inlined && !b->in->without_names,
	};
	int r;

	*ret = 0;
	if (!f->file)
		return 0;
	r = intern(b, f->file, &m.filename);
	if (!r && f->build_id && f->build_id[0])
		r = intern(b, f->build_id, &m.build_id);
	return r ? r : ddp_profile_mapping(b->profile, &m, ret);
}

static int intern_lines(struct builder *b, const struct frame *f,
			struct ddp_line lines[DDP_MAX_INLINED], uint32_t *ret_nr)
{
	/* what stands in for frames is all that it says */
	bool named = !b->in->without_names || !f->file;
	int r = 0;

	*ret_nr = !named ? 0 : f->nr_inlined ? (uint32_t)f->nr_inlined : 1;
	if (!f->nr_inlined) {
		lines[0] = (struct ddp_line){ .line = 0 };
		return named ? intern_function(b, f, &lines[0].function) : 0;
	}
	for (uint32_t i = 0; !r && i < *ret_nr; i++) {
		lines[i].line = f->inlined[i].line;
		r = intern_source_function(b, &f->inlined[i], &lines[i].function);
	}
	return r;
}

static int intern_frame(struct builder *b, const struct frame *f, uint32_t *ret)
{
	struct ddp_line lines[DDP_MAX_INLINED];
	struct ddp_location l = { .address = f->address, .lines = lines };
	int r = intern_lines(b, f, lines, &l.nr_lines);

	r = r ?: intern_mapping(b, f, &l.mapping);
	return r ? r : ddp_profile_location(b->profile, &l, ret);
}

static int pseudo_frame(struct builder *b, const char *name, uint64_t address, uint32_t *ret)
{
	return intern_frame(b, &(struct frame){ .address = address, .function = name }, ret);
}

/*
 * Frames of one kind are told apart by address and by whether it is looked up as it is. 0 is no
 * key.
 */
static uint64_t frame_key(uint64_t address, bool exact)
{
	uint64_t key = address << 1 | exact;

	return key ? key : UINT64_MAX;
}

static int kernel_frame(struct builder *b, uint64_t address, uint64_t lookup, uint32_t *ret)
{
	struct ddp_kernel_frame k;

	ddp_symbols_kernel(b->in->symbols, lookup, &k);
	return intern_frame(b,
			    &(struct frame){
				    .address = address,
				    .function = k.function,
				    .file = k.mapping,
				    .build_id = k.build_id,
				    .offset = address,
				    .start = k.start,
				    .limit = k.limit,
			    },
			    ret);
}

/* The kernel marks a deleted file by its name; the mark is not part of it */
static void file_name(const struct ddp_object *o, char *ret, size_t size)
{
	static const char mark[] = " (deleted)";
	size_t n = strlen(o->path);

	if (o->flags & DDPROF_FILE_DELETED && n > sizeof(mark) - 1 &&
	    !strcmp(o->path + n - (sizeof(mark) - 1), mark))
		n -= sizeof(mark) - 1;
	snprintf(ret, size, "%.*s", (int)n, o->path);
}

/*
 * Where a part of a file lies by its own account, which is where tools look for its symbols; what
 * tells no addresses is as good as linked at 0.
 */
static struct ddp_elf_segment segment_of(const struct ddp_object *o, const struct ddp_elf *elf,
					 uint64_t offset)
{
	const struct ddp_elf_segment *s = elf ? ddp_elf_segment(elf, offset) : NULL;

	return s ? *s : (struct ddp_elf_segment){ .bytes = o->size };
}

/* @lookup: a file offset, of the frame or just before it */
static int file_frame(struct builder *b, struct ddp_object *o, uint64_t lookup, bool exact,
		      uint32_t *ret)
{
	const struct ddp_elf *elf = ddp_object_elf(&b->in->process->objects, o, b->in->profile_nr);
	struct ddp_elf_segment s = segment_of(o, elf, lookup);
	struct ddp_inlined_function inlined[DDP_MAX_INLINED];
	char path[DDPROF_MAX_STRING + 1];
	struct frame f = {
		.file = path, .offset = lookup + !exact,
		.start = s.address, .limit = s.address + s.bytes, .file_offset = s.offset,
	};

	file_name(o, path, sizeof(path));
	f.address = f.offset - s.offset + s.address;
	if (elf) {
		f.function = ddp_elf_symbol(elf, lookup);
		f.build_id = ddp_elf_build_id(elf);
	}
	if (b->in->inlined && !b->in->without_names) {
		f.inlined = inlined;
		f.nr_inlined = ddp_inlined_files_at(&b->inlined, &b->in->process->objects, o,
						    f.build_id, lookup, inlined);
	}
	return intern_frame(b, &f, ret);
}

/* The vdso, code that a program has made, ... */
static int memory_frame(struct builder *b, const struct ddp_range *range, uint64_t address,
			uint64_t lookup, uint32_t *ret)
{
	const struct ddp_elf *elf = strcmp(range->name, "[vdso]") ? NULL :
				    ddp_symbols_vdso(b->in->symbols, range->length);
	struct frame f = {
		.address = address, .file = range->name,
		.offset = address - range->start + range->file_offset,
		.start = range->start, .limit = range->start + range->length,
		.file_offset = range->file_offset,
	};

	if (!f.file[0])
		return pseudo_frame(b, "[unknown mapping]", address, ret);
	if (elf) {
		f.function = ddp_elf_symbol(elf, lookup - range->start + range->file_offset);
		f.build_id = ddp_elf_build_id(elf);
	}
	return intern_frame(b, &f, ret);
}

/* Where it is remembered */
static struct ddp_table *known_user(struct builder *b, struct ddp_aspace_state *a,
				    const struct ddp_range *range)
{
	struct ddp_object *o = range ? range->object : NULL;

	if (!range)
		return &b->unmapped;
	if (o && !o->locations.capacity) {
		o->next_used = b->used_objects;
		b->used_objects = o;
	}
	if (!o && !a->locations.capacity) {
		a->next_used = b->used_aspaces;
		b->used_aspaces = a;
	}
	return o ? &o->locations : &a->locations;
}

/* Where to look for what a frame is in: behind a call may be the next function */
static uint64_t lookup_of(uint64_t address, bool exact)
{
	return exact || !address ? address : address - 1;
}

/* @a may be NULL */
static int user_location(struct builder *b, struct ddp_aspace_state *a, uint64_t address,
			 bool exact, uint32_t *ret)
{
	uint64_t lookup = lookup_of(address, exact);
	const struct ddp_range *range = a ? ddp_process_range(a, lookup) : NULL;
	struct ddp_object *o = range ? range->object : NULL;
	uint64_t offset = o ? lookup - range->start + range->file_offset : 0;
	struct ddp_table *known = known_user(b, a, range);
	uint64_t key = frame_key(o ? offset : address, exact);
	const uint64_t *id = ddp_table_find(known, key);
	int r;

	if (id) {
		*ret = (uint32_t)*id;
		return 0;
	}
	if (o)
		r = file_frame(b, o, offset, exact, ret);
	else if (range)
		r = memory_frame(b, range, address, lookup, ret);
	else
		r = pseudo_frame(b, "[unknown mapping]", address, ret);
	return r ? r : ddp_table_set(known, key, *ret);
}

static int kernel_location(struct builder *b, uint64_t address, bool exact, uint32_t *ret)
{
	uint64_t key = frame_key(address, exact);
	const uint64_t *id = ddp_table_find(&b->kernel, key);
	int r;

	if (id) {
		*ret = (uint32_t)*id;
		return 0;
	}
	r = kernel_frame(b, address, lookup_of(address, exact), ret);
	return r ? r : ddp_table_set(&b->kernel, key, *ret);
}

/* The frame that says why there are no more, or NULL */
static const char *end_frame(const struct ddp_trace *t)
{
	uint8_t end = t->user_end != DDPROF_END_NONE ? t->user_end : t->kernel_end;

	if (end == DDPROF_END_TRUNCATED || t->kernel_end == DDPROF_END_TRUNCATED)
		return "[truncated]";
	if (end != DDPROF_END_NONE && end != DDPROF_END_ROOT)
		return "[incomplete]";
	return t->nr_kernel + t->nr_user ? NULL : "[incomplete]";
}

/* Whether a frame is an interrupted instruction; the others are where a call returns to */
static bool is_exact(const struct ddp_trace *t, uint32_t n)
{
	return n == t->nr_kernel ? t->user_exact : n == 0;
}

static int intern_stack(struct builder *b, const struct ddp_trace *t, uint32_t *ret)
{
	struct ddp_aspace_state *a = t->aspace ? ddp_process_find(b->in->process, t->aspace) : NULL;
	uint32_t n = 0, nr = (uint32_t)t->nr_kernel + t->nr_user;
	const char *end = end_frame(t);
	int r = 0;

	if (a && a->unfollowed && t->nr_user) {
		nr = t->nr_kernel;
		end = "[maximum pids]";
	}
	for (; !r && n < nr; n++)
		r = n < t->nr_kernel ?
		    kernel_location(b, t->frames[n], is_exact(t, n), &b->locations[n]) :
		    user_location(b, a, t->frames[n], is_exact(t, n), &b->locations[n]);
	if (!r && end)
		r = pseudo_frame(b, end, 0, &b->locations[n++]);
	return r ? r : ddp_profile_stack(b->profile, b->locations, n, ret);
}

/* Where it runs, as far as it is known. Adds to the @nr labels that there are */
static int container_labels(struct builder *b, const struct ddp_trace *t,
			    struct ddp_label *labels, uint32_t *nr)
{
	const struct ddp_services_who who = { t->tgid, t->aspace, t->names.process };
	const struct ddp_identity *i = NULL;
	int r = b->in->services ? ddp_services_identity(b->in->services, &who, &i) : 0;

	if (!r && i && i->container_id[0]) {
		labels[*nr].key = b->key_container_id;
		r = intern(b, i->container_id, &labels[(*nr)++].str);
	}
	if (!r && i && i->pod_uid[0]) {
		labels[*nr].key = b->key_pod_uid;
		r = intern(b, i->pod_uid, &labels[(*nr)++].str);
	}
	return r;
}

static const char *const state_names[__DDPROF_STATE_MAX] = {
	[DDPROF_STATE_INTERRUPTIBLE] = "interruptible",
	[DDPROF_STATE_UNINTERRUPTIBLE] = "uninterruptible",
	[DDPROF_STATE_IDLE] = "idle",
	[DDPROF_STATE_STOPPED] = "stopped",
	[DDPROF_STATE_TRACED] = "traced",
	[DDPROF_STATE_PARKED] = "parked",
	[DDPROF_STATE_OTHER] = "other",
};

/* What the stack says, unless a thread said its own name, as it does when it is ending */
static const char *process_name(const struct builder *b, const struct ddp_trace *t)
{
	const char *said = t->names.process, *known;

	if (said[0] && (t->tid == t->tgid || strcmp(said, t->names.thread)))
		return said;
	known = ddp_process_name(b->in->process, t->tgid);
	return known[0] ? known : said[0] ? said : "[unknown]";
}

static int intern_labels(struct builder *b, const struct ddp_trace *t, uint32_t *ret)
{
	const char *thread = t->names.thread;
	struct ddp_label labels[MAX_LABELS] = {
		{ .key = b->key_process_id, .num = t->tgid },
		{ .key = b->key_process_name },
		{ .key = b->key_thread_id, .num = t->tid },
		{ .key = b->key_thread_name },
		{ .key = b->key_thread_state },
	};
	uint32_t nr = 4;
	const char *state = state_names[t->state]; /* NULL: it was not blocked */
	int r;

	r = intern(b, process_name(b, t), &labels[1].str);
	r = r ?: intern(b, thread[0] ? thread : "[unknown]", &labels[3].str);
	if (!r && state) {
		labels[nr].key = b->key_thread_state;
		r = intern(b, state, &labels[nr++].str);
	}
	r = r ?: container_labels(b, t, labels, &nr);
	return r ? r : ddp_profile_label_set(b->profile, labels, nr, ret);
}

/* The ids of its stack and label set; made once a trace */
static int intern_trace(struct builder *b, const struct ddp_trace *t, struct ddp_sample *ret)
{
	uint64_t key = (uint64_t)(uintptr_t)t;
	const uint64_t *ids = ddp_table_find(&b->traces, key);
	int r;

	if (ids) {
		ret->stack = (uint32_t)(*ids >> 32);
		ret->label_set = (uint32_t)*ids;
		return 0;
	}
	r = intern_stack(b, t, &ret->stack);
	r = r ?: intern_labels(b, t, &ret->label_set);
	return r ? r : ddp_table_set(&b->traces, key, (uint64_t)ret->stack << 32 | ret->label_set);
}

static int64_t clamp(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static int64_t scale(uint64_t v, double factor)
{
	double d;

	if (factor == 1)
		return clamp(v); /* exact */
	d = round((double)v * factor);
	return d >= (double)INT64_MAX ? INT64_MAX : (int64_t)d;
}

static int add(struct builder *b, const struct ddp_trace *t, uint64_t count, uint64_t value,
	       int64_t timestamp_ns)
{
	int64_t values[2 * DDPROF_MAX_EVENTS] = { 0 };
	struct ddp_sample s = {
		.values = values, .nr_values = b->columns.nr, .timestamp_ns = timestamp_ns,
	};
	uint32_t at = b->columns.at[t->event];
	int r;

	if (at == DDP_EVENT_NO_COLUMN)
		return 0; /* the module samples what it said it would not */
	values[at] = clamp(count);
	values[at + 1] = scale(value, b->in->events->spec[t->event].scale);
	r = intern_trace(b, t, &s);
	return r ? r : ddp_profile_add(b->profile, &s);
}

static int add_folded(void *ctx, struct ddp_trace *t)
{
	return add(ctx, t, t->count, t->value, 0);
}

static int add_timed(void *ctx, const struct ddp_timed *h)
{
	struct builder *b = ctx;

	return add(b, h->trace, h->count, h->value,
		   clamp(b->in->started->realtime_ns + h->time_ns));
}

static int create(struct builder *b)
{
	struct ddp_profile_config config = {
		.value_types = b->columns.types, .nr_value_types = b->columns.nr,
		.period_type = b->columns.period_type, .period = clamp(b->columns.period),
		.start_unix_ns = b->in->start_unix_ns,
	};
	int r = ddp_profile_create(&config, &b->profile);

	r = r ?: intern(b, "process_id", &b->key_process_id);
	r = r ?: intern(b, "process_name", &b->key_process_name);
	r = r ?: intern(b, "thread id", &b->key_thread_id);
	r = r ?: intern(b, "thread_name", &b->key_thread_name);
	r = r ?: intern(b, "container_id", &b->key_container_id);
	r = r ?: intern(b, "pod_uid", &b->key_pod_uid);
	r = r ?: intern(b, "thread_state", &b->key_thread_state);
	return r;
}

/* Ids are this profile's: the next one starts over */
static void forget_ids(struct builder *b)
{
	for (; b->used_aspaces; b->used_aspaces = b->used_aspaces->next_used)
		ddp_table_free(&b->used_aspaces->locations);
	for (; b->used_objects; b->used_objects = b->used_objects->next_used)
		ddp_table_free(&b->used_objects->locations);
	ddp_table_free(&b->kernel);
	ddp_table_free(&b->unmapped);
	ddp_table_free(&b->functions);
	ddp_table_free(&b->traces);
}

int ddp_build_profile(const struct ddp_build *in, struct ddp_profile **ret)
{
	struct builder b = { .in = in };
	int r;

	ddp_event_columns(in->events, in->started, &b.columns);
	r = create(&b);
	r = r ?: ddp_samples_each(in->samples, in->part, add_folded, &b);
	r = r ?: ddp_samples_each_timed(in->samples, in->part, add_timed, &b);
	forget_ids(&b);
	ddp_inlined_files_close(&b.inlined);
	if (r) {
		ddp_profile_destroy(b.profile);
		return r;
	}
	*ret = b.profile;
	return 0;
}
