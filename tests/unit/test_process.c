// SPDX-License-Identifier: Apache-2.0
/*
 * What the collector remembers: the hash table against a plain array, names by generation, address
 * spaces whose layout changes, and samples that outlive the ids they came with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/names.h"
#include "core/process.h"
#include "core/samples.h"
#include "base/table.h"

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* Tables and names */

static void table_is_a_map(void **state)
{
	enum { KEYS = 200 };
	struct ddp_table t = { 0 };
	uint64_t model[KEYS + 1] = { 0 }, got;
	size_t nr = 0, seen = 0;

	(void)state;
	assert_null(ddp_table_find(&t, 1));
	assert_false(ddp_table_remove(&t, 1, NULL));
	for (int i = 0; i < 100000; i++) {
		uint64_t k = rng() % KEYS + 1, *found = ddp_table_find(&t, k);

		assert_int_equal(found ? *found : 0, model[k]);
		if (rng() % 2) {
			nr += !model[k];
			model[k] = rng() | 1;
			assert_int_equal(ddp_table_set(&t, k, model[k]), 0);
		} else {
			assert_int_equal(ddp_table_remove(&t, k, &got), model[k] != 0);
			assert_true(!model[k] || got == model[k]);
			nr -= model[k] != 0;
			model[k] = 0;
		}
		assert_int_equal(t.nr, nr);
	}
	ddp_table_for_each(&t, slot) {
		assert_int_equal(slot->value, model[slot->key]);
		seen++;
	}
	assert_int_equal(seen, nr);
	ddp_table_clear(&t);
	assert_null(ddp_table_find(&t, 1));
	ddp_table_free(&t);
}

static void names_in_use_stay(void **state)
{
	struct ddp_names_cache c = { 0 };
	struct ddp_names n = { "server", "worker" }, got;

	(void)state;
	assert_int_equal(ddp_names_set(&c, 0, &n), 0);
	assert_int_equal(ddp_names_set(&c, 1, &n), 0);
	for (uint32_t tid = 2; tid < 3 * DDP_NAMES_MAX; tid++) {
		assert_int_equal(ddp_names_set(&c, tid, &n), 0);
		if (tid % 1000 == 0)
			ddp_names_get(&c, 1, &got); /* 1 is asked for, 0 never */
	}
	ddp_names_get(&c, 1, &got);
	assert_string_equal(got.thread, "worker");
	ddp_names_get(&c, 0, &got);
	assert_string_equal(got.thread, "");
	assert_true(c.young.nr <= DDP_NAMES_MAX && c.old.nr <= DDP_NAMES_MAX);
	ddp_names_free(&c);
}

/* Address spaces */

static int nr_opened;

static int open_null(void *ctx, uint64_t file_id, int *ret)
{
	(void)ctx;
	(void)file_id;
	nr_opened++;
	*ret = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? -errno : 0;
}

static void tell_file(struct ddp_process *p, uint64_t id, const char *path)
{
	struct ddp_file f = { .file_id = id, .flags = DDPROF_FILE_OPENABLE, .path = path,
			      .path_len = (u32)strlen(path) };

	assert_int_equal(ddp_process_file(p, &f), 0);
}

static void tell_aspace(struct ddp_process *p, uint64_t id, uint64_t layout, uint8_t flags,
			uint32_t n)
{
	struct ddp_aspace a = {
		.aspace = id, .layout = layout, .tgid = 7, .flags = flags, .nr_maps = n
	};

	assert_int_equal(ddp_process_aspace(p, &a), 0);
}

static void tell_map(struct ddp_process *p, uint64_t id, uint64_t start, uint64_t length,
		     uint64_t file, uint32_t left)
{
	struct ddp_map m = { .aspace = id,
			     .start = start,
			     .length = length,
			     .file_id = file,
			     .name = "[vdso]and more than fits into the name",
			     .name_len = file ? 0 : 6 };

	assert_int_equal(ddp_process_map(p, &m, left), 0);
}

static const char *path_at(struct ddp_process *p, uint64_t aspace, uint64_t address)
{
	struct ddp_aspace_state *a = ddp_process_find(p, aspace);
	struct ddp_range *r = a ? ddp_process_range(a, address) : NULL;

	if (!r)
		return NULL;
	return r->object ? r->object->path : r->name;
}

static struct ddp_object *object_at(struct ddp_process *p, uint64_t aspace, uint64_t address)
{
	return ddp_process_range(ddp_process_find(p, aspace), address)->object;
}

static void layouts(void **state)
{
	struct ddp_process p;

	(void)state;
	ddp_process_init(&p, open_null, NULL);
	tell_file(&p, 1, "/bin/a");
	tell_file(&p, 2, "/lib/b");
	tell_file(&p, 1, "/bin/told/twice");
	assert_int_equal(nr_opened, 2);
	tell_aspace(&p, 5, 1, 0, 3);
	tell_map(&p, 5, 0x5000, 0x1000, 2, 2);
	assert_null(path_at(&p, 5, 0x5000)); /* not before the list is whole */
	tell_map(&p, 5, 0x1000, 0x1000, 1, 1);
	tell_map(&p, 5, 0x9000, 0x1000, 0, 0);
	assert_string_equal(path_at(&p, 5, 0x1000), "/bin/a");
	assert_string_equal(path_at(&p, 5, 0x1fff), "/bin/a");
	assert_null(path_at(&p, 5, 0x2000));
	assert_null(path_at(&p, 5, 0xfff));
	assert_string_equal(path_at(&p, 5, 0x5800), "/lib/b");
	assert_string_equal(path_at(&p, 5, 0x9000), "[vdso]");
	assert_null(path_at(&p, 6, 0x1000));

	/*
	 * the library is unloaded: it stays until the next profile is done; what is covered goes at
	 * once
	 */
	tell_aspace(&p, 5, 2, 0, 1);
	tell_map(&p, 5, 0x800, 0x1000, 2, 0);
	assert_string_equal(path_at(&p, 5, 0x1000), "/lib/b");
	assert_string_equal(path_at(&p, 5, 0x5800), "/lib/b");
	ddp_process_trim(&p, 0);
	assert_null(path_at(&p, 5, 0x5800));
	assert_string_equal(path_at(&p, 5, 0x1000), "/lib/b");

	/* so does an address space that ended */
	tell_aspace(&p, 5, 3, DDPROF_ASPACE_GONE, 0);
	assert_string_equal(path_at(&p, 5, 0x1000), "/lib/b");
	ddp_process_trim(&p, 0);
	assert_null(path_at(&p, 5, 0x1000));
	ddp_process_free(&p);
}

/* A program that maps at fresh places all the time: newest layouts stay known, memory bounded */
static void layouts_without_end(void **state)
{
	enum { LAYOUTS = 50, MAPS = 4096, STEP = 0x1000 };
	struct ddp_process p;
	uint64_t at = 0;
	size_t grown;

	(void)state;
	ddp_process_init(&p, NULL, NULL);
	tell_file(&p, 1, "/tmp/jit");
	for (uint64_t layout = 1; layout <= LAYOUTS; layout++) {
		tell_aspace(&p, 5, layout, 0, MAPS);
		for (uint32_t left = MAPS; left--; at += STEP)
			tell_map(&p, 5, at, STEP, 1, left);
		assert_true(ddp_process_find(&p, 5)->nr_ranges <=
			    DDP_MAX_STALE_RANGES + 2 * MAPS);
	}
	assert_string_equal(path_at(&p, 5, at - 1), "/tmp/jit");
	assert_string_equal(path_at(&p, 5, at - 1 - MAPS * STEP), "/tmp/jit");
	assert_null(path_at(&p, 5, 0));
	assert_int_equal(p.counts.forgotten_ranges,
			 (uint64_t)LAYOUTS * MAPS - ddp_process_find(&p, 5)->nr_ranges);
	assert_int_equal(object_at(&p, 5, at - 1)->refs, ddp_process_find(&p, 5)->nr_ranges);
	grown = p.bytes;
	ddp_process_trim(&p, 0);
	assert_int_equal(ddp_process_find(&p, 5)->nr_ranges, MAPS);
	assert_true(p.bytes < grown && p.bytes > MAPS * sizeof(struct ddp_range));
	ddp_process_free(&p);
}

/* Of two at a time: what ended makes room, what was too many stays so */
static void processes_at_a_time(void **state)
{
	static const struct {
		const char *what;
		uint64_t aspace;
		uint32_t tgid, flags;
		bool followed;
	} steps[] = {
		{ "the first", 1, 10, 0, true },
		{ "the second", 2, 20, 0, true },
		{ "one too many", 3, 30, 0, false },
		{ "known ones stay", 1, 10, 0, true },
		{ "another program of a known one", 4, 20, 0, true },
		{ "its old one", 2, 20, DDPROF_ASPACE_GONE, true },
		{ "an end said twice", 2, 20, DDPROF_ASPACE_GONE, true },
		{ "still one too many", 5, 50, 0, false },
		{ "an end that makes room", 1, 10, DDPROF_ASPACE_GONE, true },
		{ "who was too many stays so", 3, 30, 0, false },
		{ "who comes now has room", 6, 60, 0, true },
		{ "and no more", 7, 70, 0, false },
	};
	struct ddp_process p;

	(void)state;
	ddp_process_init(&p, NULL, NULL);
	p.max_followed = 2;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct ddp_map m = { .aspace = steps[i].aspace, .start = 0x1000, .length = 0x1000,
				     .name = "//anon", .name_len = 6 };
		struct ddp_aspace_state *a;

		assert_int_equal(ddp_process_aspace(&p, &(struct ddp_aspace){
			.aspace = steps[i].aspace, .tgid = steps[i].tgid, .layout = i + 1,
			.nr_maps = 1, .flags = (uint8_t)steps[i].flags }), 0);
		if (!steps[i].flags)
			assert_int_equal(ddp_process_map(&p, &m, 0), 0);
		a = ddp_process_find(&p, steps[i].aspace);
		assert_non_null(a);
		if (a->unfollowed == steps[i].followed ||
		    !ddp_process_range(a, 0x1800) == steps[i].followed)
			fail_msg("%s", steps[i].what);
	}
	ddp_process_free(&p);
}

static void files_without_end(void **state)
{
	struct ddp_process p;
	uint64_t id = 1;

	(void)state;
	ddp_process_init(&p, NULL, NULL);
	tell_file(&p, id, "/bin/mapped");
	tell_aspace(&p, 5, 1, 0, 1);
	tell_map(&p, 5, 0x1000, 0x1000, id, 0);
	assert_false(ddp_process_trim(&p, 0));
	for (id = 2; id <= DDP_MAX_OBJECTS + 3; id++)
		tell_file(&p, id, "/tmp/x");
	assert_int_equal(p.objects.by_id.nr, DDP_MAX_OBJECTS);
	assert_int_equal(p.counts.refused_files, 3);
	/* their mappings may be on their way still */
	assert_false(ddp_process_trim(&p, 0));
	assert_true(ddp_process_trim(&p, 0));
	assert_int_equal(p.objects.by_id.nr, 1);
	tell_file(&p, id, "/bin/new");
	tell_aspace(&p, 5, 2, DDPROF_ASPACE_PARTIAL, 2);
	tell_map(&p, 5, 0x1000, 0x1000, 1, 1);
	tell_map(&p, 5, 0x2000, 0x1000, id, 0);
	assert_string_equal(path_at(&p, 5, 0x1000), "/bin/mapped");
	assert_string_equal(path_at(&p, 5, 0x2000), "/bin/new");
	assert_int_equal(p.counts.partial_lists, 1);
	assert_false(ddp_process_trim(&p, 0));
	ddp_process_free(&p);
}

/* A process of its own: a hard limit cannot be raised again. @return what is wrong, or 0 */
static int hold_many(void)
{
	enum { LIMIT = 256, FILES = 1000 };
	struct rlimit limit = { LIMIT, LIMIT };
	struct ddp_process p;
	size_t held;
	int fd;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	ddp_process_init(&p, open_null, NULL);
	for (uint64_t id = 1; id <= FILES; id++) {
		tell_file(&p, id, "/bin/x");
		tell_aspace(&p, id, 1, 0, 1);
		tell_map(&p, id, 0x1000, 0x1000, id, 0);
	}
	held = p.objects.nr_fds;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 2;
	if (held < LIMIT / 4 || held > LIMIT / 2)
		return 3;
	/* what is mapped stays through a profile ... */
	ddp_process_trim(&p, 0);
	if (p.objects.nr_fds != held)
		return 4;
	/* ... unless others need it more; what is not mapped any more goes */
	for (uint64_t id = 1; id <= FILES; id++)
		tell_aspace(&p, id, 2, DDPROF_ASPACE_GONE, 0);
	tell_file(&p, FILES + 1, "/bin/on-its-way");
	held = p.objects.nr_fds;
	ddp_process_trim(&p, 0);
	if (p.objects.nr_fds > 1 || held == p.objects.nr_fds)
		return 5;
	ddp_process_free(&p);
	close_fd(fd);
	return 0;
}

static void descriptors_are_left_for_others(void **state)
{
	int status = -1;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		_exit(hold_many());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void strange_lists(void **state)
{
	struct ddp_process p;

	(void)state;
	ddp_process_init(&p, NULL, NULL);
	/*
	 * a file never told, a length of nothing, two that overlap, a list for nobody, one that
	 * never ends
	 */
	tell_aspace(&p, 1, 1, 0, 4);
	tell_map(&p, 1, 0x1000, 0x1000, 99, 3);
	tell_map(&p, 1, 0x3000, 0, 0, 2);
	tell_map(&p, 1, 0x4000, 0x2000, 0, 1);
	tell_map(&p, 1, 0x5000, 0x2000, 0, 0);
	assert_string_equal(path_at(&p, 1, 0x1000), "");
	assert_null(path_at(&p, 1, 0x3000));
	assert_string_equal(path_at(&p, 1, 0x5fff), "[vdso]");
	assert_null(path_at(&p, 1, 0x6000));
	tell_map(&p, 2, 0x1000, 0x1000, 0, 0);
	assert_null(ddp_process_find(&p, 2));
	tell_aspace(&p, 1, 2, 0, 9);
	tell_map(&p, 1, 0x8000, 0x1000, 0, 8);
	tell_aspace(&p, 1, 3, 0, 0);
	assert_int_equal(ddp_process_find(&p, 1)->layout, 3);
	ddp_process_trim(&p, 0);
	assert_null(path_at(&p, 1, 0x1000));
	ddp_process_free(&p);
}

/* Without the module's descriptor a file is found by its path, and only when it is the same one */
static void files_by_path(void **state)
{
	enum { OPENABLE = DDPROF_FILE_OPENABLE };
	static const struct {
		const char *what;
		uint8_t flags;
		int inode, size, mtime;	/* what they differ by from the file's */
		bool link, found;
	} rows[] = {
		{ "the same", OPENABLE, 0, 0, 0, false, true },
		{ "another inode", OPENABLE, 1, 0, 0, false, false },
		{ "another size", OPENABLE, 0, 1, 0, false, false },
		{ "written to since", OPENABLE, 0, 0, 1, false, false },
		{ "no regular file then", 0, 0, 0, 0, false, false },
		{ "deleted then", OPENABLE | DDPROF_FILE_DELETED, 0, 0, 0, false, false },
		{ "a symbolic link to it", OPENABLE, 0, 0, 0, true, false },
	};
	char self[512] = "", link[32] = "/tmp/test_process.XXXXXX";
	struct stat st;

	(void)state;
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(stat(self, &st), 0);
	assert_non_null(mkdtemp(link));
	assert_int_equal(rmdir(link), 0);
	assert_int_equal(symlink(self, link), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_file f = {
			.file_id = 1, .flags = rows[i].flags, .path = rows[i].link ? link : self,
			.inode = st.st_ino + (uint64_t)rows[i].inode,
			.size = (uint64_t)st.st_size + (uint64_t)rows[i].size,
			.mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 +
				    (uint64_t)st.st_mtim.tv_nsec + (uint64_t)rows[i].mtime,
		};
		struct ddp_process p;

		f.path_len = (u32)strlen(f.path);
		ddp_process_init(&p, NULL, NULL);
		assert_int_equal(ddp_process_file(&p, &f), 0);
		tell_aspace(&p, 5, 1, 0, 1);
		tell_map(&p, 5, 0x1000, 0x1000, 1, 0);
		if (!ddp_object_elf(&p.objects, object_at(&p, 5, 0x1000), 1) == rows[i].found)
			fail_msg("%s: found although it should not be, or not", rows[i].what);
		ddp_process_free(&p);
	}
	assert_int_equal(unlink(link), 0);
}

static int open_refused(void *ctx, uint64_t file_id, int *ret)
{
	(void)ctx;
	(void)file_id;
	*ret = -1;
	return -ENOENT;
}

/* The module has the very file, also when its path leads nowhere here; else the path may do */
static void files_by_the_module_again(void **state)
{
	static const struct {
		const char *what;
		uint8_t flags;
		int (*open_file)(void *ctx, uint64_t file_id, int *ret);
		bool path_is_it, opened;
	} rows[] = {
		{ "deleted", DDPROF_FILE_OPENABLE | DDPROF_FILE_DELETED, open_null, false, true },
		{ "of another mount namespace", DDPROF_FILE_OPENABLE, open_null, false, true },
		{ "no file to open", 0, open_null, false, false },
		{ "not held any more", DDPROF_FILE_OPENABLE, open_refused, true, true },
		{ "nor at its path", DDPROF_FILE_OPENABLE, open_refused, false, false },
	};
	char self[512] = "";
	struct stat st;

	(void)state;
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(stat(self, &st), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ddp_file f = {
			.file_id = 1, .flags = rows[i].flags, .inode = st.st_ino,
			.path = rows[i].path_is_it ? self : "/no/such/file",
			.path_len = (u32)strlen(rows[i].path_is_it ? self : "/no/such/file"),
			.size = (uint64_t)st.st_size,
			.mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 +
				    (uint64_t)st.st_mtim.tv_nsec,
		};
		struct ddp_process p;
		int fd;

		ddp_process_init(&p, NULL, NULL);
		assert_int_equal(ddp_process_file(&p, &f), 0);
		p.objects.open_file = rows[i].open_file;
		fd = ddp_objects_open(&p.objects, ddp_objects_find(&p.objects, 1));
		if ((fd >= 0) != rows[i].opened)
			fail_msg("%s: %d", rows[i].what, fd);
		close_fd(fd);
		ddp_process_free(&p);
	}
}

static void tell_task(struct ddp_process *p, uint8_t kind, uint32_t tgid, uint32_t tid,
		      const char *comm, const char *leader)
{
	struct ddp_task t = {
		.kind = kind, .tgid = tgid, .tid = tid, .comm = comm, .leader_comm = leader
	};

	assert_int_equal(ddp_process_task(p, &t), 0);
}

static void names_of_processes(void **state)
{
	struct ddp_process p;

	(void)state;
	ddp_process_init(&p, NULL, NULL);
	assert_string_equal(ddp_process_name(&p, 7), "");
	tell_task(&p, DDPROF_TASK_FORK, 7, 7, "sh", "");
	tell_task(&p, DDPROF_TASK_EXEC, 7, 7, "ls", "");
	assert_string_equal(ddp_process_name(&p, 7), "ls");
	tell_task(&p, DDPROF_TASK_COMM, 7, 8, "worker", "");
	assert_string_equal(ddp_process_name(&p, 7), "ls");
	tell_task(&p, DDPROF_TASK_SEEN, 7, 8, "worker", "leader");
	assert_string_equal(ddp_process_name(&p, 7), "leader");
	tell_task(&p, DDPROF_TASK_EXIT, 7, 8, "worker", "");
	ddp_process_trim(&p, 0);
	assert_string_equal(ddp_process_name(&p, 7), "leader");
	tell_task(&p, DDPROF_TASK_EXIT, 7, 7, "leader", "");
	assert_string_equal(ddp_process_name(&p, 7), "leader");
	ddp_process_trim(&p, 0);
	assert_string_equal(ddp_process_name(&p, 7), "");
	ddp_process_free(&p);
}

/* Samples */

static struct ddp_trace *trace(struct ddp_samples *s, uint32_t tid, uint64_t frame)
{
	const u64 frames[] = { frame, 2 };
	struct ddp_stack stack = { .id = 1, .tgid = 7, .tid = tid, .nr_user = 2, .frames = frames,
				   .user_end = DDPROF_END_ROOT };
	struct ddp_names names = { "p", "t" };
	struct ddp_trace *t;

	assert_int_equal(ddp_samples_trace(s, &stack, &names, &t), 0);
	return t;
}

static int sum(void *ctx, struct ddp_trace *t)
{
	*(uint64_t *)ctx += t->count;
	return 0;
}

static uint64_t total(const struct ddp_samples *s)
{
	uint64_t n = 0;

	assert_int_equal(ddp_samples_each(s, NULL, sum, &n), 0);
	return n;
}

static void equal_stacks_are_one(void **state)
{
	struct ddp_samples s = { 0 };
	struct ddp_trace *a = trace(&s, 1, 10), *b = trace(&s, 1, 10), *c = trace(&s, 2, 10);

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_int_equal(ddp_samples_hit(&s, a, 3, 30, NULL), 0);
	assert_int_equal(ddp_samples_hit(&s, c, UINT64_MAX, 1, NULL), 0);
	assert_int_equal(ddp_samples_hit(&s, c, 2, 1, NULL), 0);
	assert_int_equal(a->value, 30);
	assert_int_equal(c->count, UINT64_MAX);
	assert_int_equal(s.sums.pending, UINT64_MAX);
	ddp_samples_free(&s);
}

static void pending_hits_outlive_their_ids(void **state)
{
	struct ddp_samples s = { 0 };
	struct ddp_trace *a = trace(&s, 1, 10), *b = trace(&s, 1, 20);
	uint64_t time = 5;

	(void)state;
	assert_int_equal(ddp_samples_hit(&s, a, 3, 30, NULL), 0);
	ddp_samples_put(&s, a);
	assert_int_equal(total(&s), 3);
	assert_int_equal(s.sums.ends[1][DDPROF_END_ROOT], 3);
	assert_int_equal(ddp_samples_hit(&s, b, 1, 10, &time), 0);
	ddp_samples_put(&s, b);
	assert_int_equal(s.nr_timed, 1);
	assert_int_equal(s.timed[0].trace->frames[0], 20);
	ddp_samples_clear(&s);
	assert_int_equal(s.nr_traces, 0);
	assert_int_equal(s.bytes, 0);
	assert_int_equal(s.sums.pending, 0);
	ddp_samples_free(&s);
}

static void random_samples(void **state)
{
	enum { IDS = 50 };
	struct ddp_trace *ids[IDS] = { NULL };
	struct ddp_samples s = { 0 };
	uint64_t expected = 0;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		uint64_t k = rng() % IDS, time = rng();

		if (ids[k] && rng() % 4 == 0) {
			ddp_samples_put(&s, ids[k]);
			ids[k] = NULL;
		} else if (!ids[k]) {
			ids[k] = trace(&s, (uint32_t)(rng() % 3), rng() % 20);
		} else {
			bool timed = rng() % 8 == 0;

			assert_int_equal(ddp_samples_hit(&s, ids[k], 2, 2, timed ? &time : NULL),
					 0);
			expected += timed ? 0 : 2;
		}
		if (rng() % 500 == 0) {
			assert_int_equal(total(&s), expected);
			ddp_samples_clear(&s);
			expected = 0;
			assert_int_equal(total(&s), 0);
			assert_true(s.nr_traces <= IDS);
		}
	}
	for (int k = 0; k < IDS; k++)
		if (ids[k])
			ddp_samples_put(&s, ids[k]);
	ddp_samples_clear(&s);
	assert_int_equal(s.nr_traces, 0);
	assert_int_equal(s.bytes, 0);
	ddp_samples_free(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_a_map), cmocka_unit_test(names_in_use_stay),
		cmocka_unit_test(layouts), cmocka_unit_test(strange_lists),
		cmocka_unit_test(layouts_without_end),
		cmocka_unit_test(processes_at_a_time),
		cmocka_unit_test(files_without_end),
		cmocka_unit_test(descriptors_are_left_for_others),
		cmocka_unit_test(files_by_path),
		cmocka_unit_test(files_by_the_module_again), cmocka_unit_test(names_of_processes),
		cmocka_unit_test(equal_stacks_are_one),
		cmocka_unit_test(pending_hits_outlive_their_ids), cmocka_unit_test(random_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
