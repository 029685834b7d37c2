// SPDX-License-Identifier: Apache-2.0
/* See unwind_process.h. */
#include "unwind_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

enum {
	VDSO_MAX = 64 * 1024,
	USER_LIMIT_BITS = 47,
	DRAWS = 8,	/* for a thread that runs */
};

static const char vdso[] = "[vdso]";

struct maps_line {
	uint64_t start, end, offset, dev, inode;
	const char *path;	/* "" for none, points into the line */
};

uint64_t unwind_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

void unwind_tables_free(struct unwind_tables *t)
{
	while (t->first) {
		struct unwind_table *table = t->first;

		t->first = table->next;
		free(table->image);
		free(table->path);
		free(table);
	}
}

void unwind_process_free(struct unwind_process *p)
{
	free(p->layout);
	free(p->ranges);
	p->layout = NULL;
	p->ranges = NULL;
}

/* @return whether the line is of executable memory below the end of user space */
static bool maps_parse(const char *line, struct maps_line *ret)
{
	unsigned int major, minor;
	char protection[5];
	int path;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
		   &ret->start, &ret->end, protection, &ret->offset, &major, &minor, &ret->inode,
		   &path) != 7)
		return false;
	ret->dev = makedev(major, minor);
	ret->path = line + path;
	return protection[2] == 'x' && ret->start >> USER_LIMIT_BITS == 0;
}

/* Executable lines of /proc/PID/maps. @return owned text, NULL: gone or no memory */
static char *read_layout(pid_t pid)
{
	CLEANUP(close_file) FILE *maps = NULL;
	CLEANUP(free) char *line = NULL;
	struct maps_line m;
	char name[64], *text = NULL;
	size_t cap = 0, nr;
	FILE *out;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = fopen(name, "re");
	out = maps ? open_memstream(&text, &nr) : NULL;
	if (!out)
		return NULL;
	while (getline(&line, &cap, maps) > 0) {
		if (maps_parse(line, &m))
			fputs(line, out);
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The very file that is mapped, also when its path is gone. */
static int open_mapped(pid_t pid, const struct maps_line *m)
{
	char name[96];

	snprintf(name, sizeof(name), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, m->start,
		 m->end);
	return open(name, O_RDONLY | O_CLOEXEC);
}

static int build_vdso(pid_t pid, const struct maps_line *m, struct unwind_table *t)
{
	CLEANUP(free) void *bytes = malloc(VDSO_MAX);
	size_t nr = m->end - m->start;
	struct iovec to = { bytes, nr }, from = { (void *)(uintptr_t)m->start, nr };

	if (!bytes)
		return -ENOMEM;
	if (nr > VDSO_MAX || process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)nr)
		return -EIO;
	return ddp_cfi_memory_table(bytes, nr, &t->image, &t->bytes, &t->counts);
}

static int build_file(pid_t pid, const struct maps_line *m, struct unwind_table *t)
{
	CLEANUP(close_fd) int fd = open_mapped(pid, m);

	if (fd < 0)
		return -errno;
	return ddp_cfi_file_table(fd, &t->image, &t->bytes, &t->counts);
}

/* As the module does before it publishes an image. */
static int check_image(struct unwind_table *t)
{
	static u32 last_serial;
	const char *fault = "";
	int r = ddp_rows_open(t->image, t->bytes, &t->rows, &fault);

	if (!r)
		r = ddp_rows_check(&t->rows, 0, t->rows.nr_pages, &fault);
	if (r)
		fprintf(stderr, "bad image of %s: %s\n", t->path, fault);
	if (r)
		return r;
	t->rows.serial = ++last_serial;
	t->file.rows = &t->rows;
	return r;
}

static struct unwind_table *table_of(struct unwind_process *p, const struct maps_line *m)
{
	struct unwind_table *t;

	for (t = p->tables->first; t; t = t->next) {
		if (t->dev == m->dev && t->inode == m->inode)
			return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->path = strdup(m->path);
	t->dev = m->dev;
	t->inode = m->inode;
	t->result = m->inode ? build_file(p->pid, m, t) : build_vdso(p->pid, m, t);
	if (!t->result)
		t->result = check_image(t);
	if (t->result && t->result != -ENOEXEC)
		fprintf(stderr, "no table of %s: %s\n", t->path, strerror(-t->result));
	t->next = p->tables->first;
	p->tables->first = t;
	return t;
}

/* The vdso's image is all of it, from the mapping's start, so its offsets are right as they are. */
static int add_range(struct unwind_process *p, struct ddp_unwind_ranges *ranges, const char *line)
{
	struct ddp_unwind_range *range = &ranges->range[ranges->nr];
	struct unwind_table *table = NULL;
	struct maps_line m;

	if (!maps_parse(line, &m))
		return 0;
	if (m.inode || !strcmp(m.path, vdso)) {
		table = table_of(p, &m);
		if (!table)
			return -ENOMEM;
	}
	*range = (struct ddp_unwind_range) {
		.start = m.start, .end = m.end, .file_offset = m.offset,
		.file = table ? &table->file : NULL,
	};
	ranges->nr++;
	return 0;
}

static struct ddp_unwind_ranges *make_ranges(struct unwind_process *p, const char *layout)
{
	CLEANUP(free) char *text = strdup(layout);
	CLEANUP(free) struct ddp_unwind_ranges *ranges = NULL;
	char *line, *rest = text;
	size_t lines = 0;

	for (const char *c = layout; *c; c++)
		lines += *c == '\n';
	ranges = calloc(1, sizeof(*ranges) + lines * sizeof(ranges->range[0]));
	if (!text || !ranges)
		return NULL;
	while ((line = strsep(&rest, "\n"))) {
		if (*line && add_range(p, ranges, line))
			return NULL;
	}
	return TAKE(ranges);
}

int unwind_process_refresh(struct unwind_process *p)
{
	CLEANUP(free) char *layout = read_layout(p->pid);
	struct ddp_unwind_ranges *ranges;

	if (!layout || !*layout)
		return -ESRCH;
	if (p->layout && !strcmp(layout, p->layout))
		return 0;
	ranges = make_ranges(p, layout);
	if (!ranges)
		return -ENOMEM;
	unwind_process_free(p);
	p->ranges = ranges;
	p->layout = TAKE(layout);
	return 1;
}

bool unwind_process_changed(const struct unwind_process *p)
{
	CLEANUP(free) char *layout = read_layout(p->pid);

	return !layout || !p->layout || strcmp(layout, p->layout);
}

static const struct ddp_unwind_range *range_of(const struct unwind_process *p, uint64_t address)
{
	for (u32 i = 0; i < p->ranges->nr; i++) {
		const struct ddp_unwind_range *range = &p->ranges->range[i];

		if (address >= range->start && address < range->end)
			return range;
	}
	return NULL;
}

bool unwind_process_is_code(const struct unwind_process *p, uint64_t address)
{
	return range_of(p, address);
}

const char *unwind_process_where(const struct unwind_process *p, uint64_t address)
{
	const struct ddp_unwind_range *range = range_of(p, address);

	for (const struct unwind_table *t = p->tables->first; range && t; t = t->next) {
		if (range->file == &t->file)
			return t->path;
	}
	return range ? "[anonymous]" : "[data]";
}

static pid_t random_thread(pid_t pid)
{
	struct dirent *entry;
	pid_t chosen = -ESRCH;
	char name[64];
	unsigned int seen = 0;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/task", pid);
	dir = opendir(name);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && random() % ++seen == 0)
			chosen = atoi(entry->d_name);
	}
	closedir(dir);
	return chosen;
}

char unwind_thread_state(pid_t pid, pid_t tid)
{
	char name[64], line[256], *end;
	CLEANUP(close_file) FILE *file = NULL;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/stat", pid, tid);
	file = fopen(name, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	end = strrchr(line, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

/* Most threads of most programs sleep, all in the same few places: one that runs tells more. */
static pid_t choose_thread(pid_t pid)
{
	pid_t tid = random_thread(pid);

	for (int i = 0; i < DRAWS && tid > 0 && unwind_thread_state(pid, tid) != 'R'; i++)
		tid = random_thread(pid);
	return tid;
}

static int get_registers(struct unwind_stop *stop)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, stop->tid, NULL, &r))
		return -errno;
	memcpy(stop->regs, (uint64_t[]) {
		r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11,
		r.r12, r.r13, r.r14, r.r15, r.rip,
	}, sizeof(stop->regs));
	/*
	 * A system call leaves where it returns to in rcx. Where that is not rip any more, a signal
	 * was delivered (rip is a handler's first instruction), or the call is about to be redone.
	 */
	stop->exact = (int64_t)r.orig_rax < 0 || r.rcx != r.rip;
	return 0;
}

int unwind_stop_random(pid_t pid, struct unwind_stop *ret)
{
	pid_t tid = choose_thread(pid);
	int status, r;

	if (tid < 0)
		return tid;
	*ret = (struct unwind_stop) { .pid = pid, .tid = tid };
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL))
		return -errno;
	if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
		return -ESRCH;
	if (status >> 16 != PTRACE_EVENT_STOP)
		ret->signal = WSTOPSIG(status);
	r = get_registers(ret);
	if (r)
		unwind_stop_end(ret);
	return r;
}

void unwind_stop_end(const struct unwind_stop *stop)
{
	ptrace(PTRACE_DETACH, stop->tid, NULL, (void *)(intptr_t)stop->signal);
}

static int read_live(void *ctx, void *to, u64 addr, u32 len)
{
	struct iovec local = { to, len }, remote = { (void *)(uintptr_t)addr, len };

	return process_vm_readv(*(const pid_t *)ctx, &local, 1, &remote, 1, 0) == len ? 0 : -EFAULT;
}

void unwind_window_live(struct ddp_window *w, const pid_t *pid)
{
	*w = (struct ddp_window) { .read = read_live, .ctx = (void *)pid };
}

int unwind_snapshot_take(const struct unwind_stop *stop, struct unwind_snapshot *ret)
{
	CLEANUP(free) uint8_t *bytes = malloc(UNWIND_STACK_BYTES);
	uint64_t base = stop->regs[UNWIND_SP] & ~UINT64_C(4095);
	struct iovec to = { bytes, UNWIND_STACK_BYTES };
	struct iovec from = { (void *)(uintptr_t)base, UNWIND_STACK_BYTES };
	ssize_t nr;

	if (!bytes)
		return -ENOMEM;
	nr = process_vm_readv(stop->pid, &to, 1, &from, 1, 0);
	if (nr <= 0)
		return -EFAULT;
	*ret = (struct unwind_snapshot) { .stop = *stop, .base = base, .nr = nr };
	ret->bytes = realloc(bytes, nr);
	bytes = ret->bytes ? NULL : bytes;
	return ret->bytes ? 0 : -ENOMEM;
}

int unwind_snapshot_read(void *ctx, void *to, u64 addr, u32 len)
{
	const struct unwind_snapshot *s = ctx;

	if (addr < s->base || addr - s->base > s->nr || s->nr - (addr - s->base) < len)
		return -EFAULT;
	memcpy(to, s->bytes + (addr - s->base), len);
	return 0;
}

static u64 get_register(const void *ctx, u32 number)
{
	return ((const struct unwind_stop *)ctx)->regs[number];
}

struct ddp_user_regs unwind_regs(const struct unwind_stop *stop)
{
	return (struct ddp_user_regs) {
		.ip = stop->regs[UNWIND_IP], .sp = stop->regs[UNWIND_SP],
		.bp = stop->regs[UNWIND_BP], .limit = (UINT64_C(1) << USER_LIMIT_BITS) - 4096,
		.exact = stop->exact, .get = get_register, .ctx = stop,
	};
}

pid_t unwind_spawn(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
			_exit(126);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

void unwind_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
}
