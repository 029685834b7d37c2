// SPDX-License-Identifier: Apache-2.0
/*
 * Processes that live 20 to 50 ms each, every one from its own copy of this binary that is
 * deleted as soon as it runs: nothing but what the kernel still holds can name them. usage: swarm
 * PROCESSES FOLDER REPORT; the CPU nanoseconds of all of them are left in the file REPORT.
 * Profiled by test_truth.sh.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "burn.h"

enum { AT_ONCE = 2, SHORTEST_MS = 20, LONGEST_MS = 50 };

BURNER(short_burn, 0xaa)

static int live(const char *ms)
{
	uint64_t wanted_ns = strtoull(ms, NULL, 10) * 1000000;

	while (burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID) < wanted_ns)
		short_burn(10000);
	return 0;
}

static int copy_self(const char *path)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	struct stat st;
	int ret = -1;

	if (from >= 0 && to >= 0 && !fstat(from, &st))
		ret = sendfile(to, from, NULL, st.st_size) == st.st_size ? 0 : -1;
	close(from);
	close(to);
	return ret;
}

/* Starts @path and deletes it the moment exec is through, which closes the pipe. */
static int start(const char *path, int ms)
{
	char number[16], byte;
	int gone[2];
	pid_t pid;

	snprintf(number, sizeof(number), "%d", ms);
	if (pipe2(gone, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		execl(path, path, number, (char *)NULL);
		_exit(127);
	}
	close(gone[1]);
	if (read(gone[0], &byte, 1) < 0)
		return -1;
	close(gone[0]);
	unlink(path);
	return pid < 0 ? -1 : 0;
}

static int reap(void)
{
	int status;

	return wait(&status) < 0 || status ? -1 : 0;
}

int main(int argc, char **argv)
{
	char path[256];
	struct rusage used;
	int i, n;

	if (argc == 2)
		return live(argv[1]);
	if (argc != 4)
		return 2;
	n = atoi(argv[1]);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/short_%03d", argv[2], i);
		if (copy_self(path) ||
		    start(path, SHORTEST_MS + i * 7 % (LONGEST_MS - SHORTEST_MS)))
			return 1;
		if (i >= AT_ONCE - 1 && reap())
			return 1;
	}
	for (i = 1; i < AT_ONCE; i++)
		if (reap())
			return 1;
	getrusage(RUSAGE_CHILDREN, &used);
	burn_report(argv[3], (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000ULL +
			     (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000ULL);
	return 0;
}
