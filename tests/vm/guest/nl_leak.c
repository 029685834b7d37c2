// SPDX-License-Identifier: Apache-2.0
/*
 * Does a session give everything back? usage: nl_leak SESSIONS. Begins and ends that many, by
 * STOP, by closing the socket alone, and by a START that fails late; processes come and go
 * meanwhile, so that address spaces and files are held and let go. Then no slab cache may have
 * grown by as much as one object for every second session, and the module may hold no vmalloc
 * area. (The cache vmap_area is left out: the kernel keeps what was unmapped for later, by
 * megabytes; those areas are what the second check counts.) Run in the guest by test_netlink.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "table.h"
#include "tap.h"

enum {
	NR_CACHES = 512,
	WARM_UP = 40,	/* sessions until every cache that is needed has its slabs */
	NO_PROCESS = 4194303,
	LARGE_RING_KIB = 8192,	/* more than the page allocator gives in one piece */
	LARGE_ROWS = 5 << 18,	/* the same, as a table: 5 MiB */
};

struct cache {
	char name[64];
	unsigned long active;	/* objects, and all of a slab that some CPU allocates from */
	unsigned long per_slab;
};

/* Returns free objects to the page allocator: the counts of active ones are exact afterwards. */
static void settle(void)
{
	int ignored = system("sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1;"
			     "for s in /sys/kernel/slab/*/shrink; do echo 1 >$s; done 2>/dev/null");

	(void)ignored;
}

static int read_caches(struct cache *c)
{
	FILE *f = fopen("/proc/slabinfo", "re");
	char line[512];
	int n = 0;

	if (!f)
		tap_bail("/proc/slabinfo: %s", strerror(errno));
	while (n < NR_CACHES && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %lu %*u %*u %lu", c[n].name, &c[n].active,
			   &c[n].per_slab) == 3)
			n++;
	fclose(f);
	return n;
}

static unsigned long active(const struct cache *c, int n, const char *name)
{
	while (n--)
		if (!strcmp(c[n].name, name))
			return c[n].active;
	return 0;
}

/*
 * What the kernel keeps for itself: areas that it unmaps later, many at once; and a debug kernel's
 * notes about each address that ever was a timer, which stay when the memory is freed
 * (CONFIG_DEBUG_OBJECTS without _FREE).
 */
static bool is_kernels_own(const char *cache)
{
	return !strcmp(cache, "vmap_area") || !strcmp(cache, "debug_objects_cache");
}

/* Two slabs on each of two CPUs may come and go, whatever the sessions do. */
static bool has_grown(const struct cache *c, unsigned long was, unsigned long sessions)
{
	unsigned long slabs = 4 * c->per_slab, most = sessions / 2 > slabs ? sessions / 2 : slabs;

	return c->active > was + most && !is_kernels_own(c->name);
}

static int vmalloc_areas(void)
{
	FILE *f = fopen("/proc/vmallocinfo", "re");
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "ddp_") != NULL;
	if (f)
		fclose(f);
	return n;
}

/*
 * A table or two in every session, of which one may be half way when it ends; now and then so large
 * that it is a vmalloc area.
 */
static void some_tables(struct nl *nl, int i)
{
	struct table_image image = table_image_synthetic(i % 64 == 2 ? LARGE_ROWS : 1000, i + 1);
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int other = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	uint64_t id;

	if (self < 0 || table_upload(nl, 0, self, &image, &id))
		tap_bail("table %d: %s", i, nl->text);
	if (i % 3 == 1 && table_upload(nl, id, -1, &image, NULL))
		tap_bail("its successor %d: %s", i, nl->text);
	if (i % 3 == 2 && table_drop(nl, id))
		tap_bail("DROP %d: %s", i, nl->text);
	if (i % 2 && table_begin(nl, 0, other, image.nr, &id))
		tap_bail("BEGIN %d: %s", i, nl->text);
	close(self);
	close(other);
	free(image.bytes);
}

static void session(struct nl *nl, int i)
{
	struct nl_start how = { .hz = 997, .sampler = 1 + i % 2, .ring_kib = 64 };
	int ret;

	if (i % 64 == 2)
		how.ring_kib = LARGE_RING_KIB;
	if (i % 5 == 0)
		how.tgid = NO_PROCESS;
	if (i % 5 == 1)
		how.tgid = getpid();
	ret = nl_start(nl, &how, NULL);
	if (ret != (i % 5 ? 0 : -ESRCH))
		tap_bail("START %d: %s (%s)", i, strerror(-ret), nl->text);
	if (!ret)
		some_tables(nl, i);
	usleep(2000); /* some samples, an address space or two */
	if (i % 3 == 0)
		nl_simple(nl, DDPROF_CMD_STOP, NULL);
	nl_close(nl);
	if (nl_open(nl))
		tap_bail("no socket");
}

/* The second check is worth something only if a session can be seen by it. */
static void areas_of_a_session(void)
{
	struct nl nl = {};

	if (nl_open(&nl) || nl_start(&nl, &(struct nl_start){ .ring_kib = LARGE_RING_KIB }, NULL))
		tap_bail("no session");
	if (!vmalloc_areas())
		tap_bail("a running session has no vmalloc area that could be seen");
	nl_close(&nl);
}

/* Processes that come and go while sessions do. */
static pid_t churn(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (;;) {
		if (!fork()) {
			for (volatile int i = 0; i < 1000000; i++)
				;
			_exit(0);
		}
		wait(NULL);
	}
}

static void sessions(int from, int n)
{
	struct nl nl = {};
	int i;

	if (nl_open(&nl) || !nl.family)
		tap_bail("no family");
	for (i = from; i < from + n; i++)
		session(&nl, i);
	nl_close(&nl);
}

static void churned_sessions(int from, int n)
{
	pid_t pid = churn();

	sessions(from, n);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	settle();
}

int main(int argc, char **argv)
{
	static struct cache before[NR_CACHES], after[NR_CACHES];
	int n = argc > 1 ? atoi(argv[1]) : 500, nr_before, nr_after, i, areas;
	unsigned long was;
	bool grown = false;

	areas_of_a_session();
	churned_sessions(0, WARM_UP);
	nr_before = read_caches(before);
	churned_sessions(WARM_UP, n);
	nr_after = read_caches(after);
	for (i = 0; i < nr_after; i++) {
		was = active(before, nr_before, after[i].name);
		if (!has_grown(&after[i], was, n))
			continue;
		grown = true;
		tap(false, "sessions give their memory back",
		    "%s grew from %lu to %lu objects in %d sessions", after[i].name, was,
		    after[i].active, n);
	}
	if (!grown)
		tap(true, "sessions give their memory back", "-");
	areas = vmalloc_areas();
	tap(!areas, "sessions leave no vmalloc area", "%d are left", areas);
	return tap_failures != 0;
}
