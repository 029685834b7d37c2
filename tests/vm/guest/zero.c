// SPDX-License-Identifier: Apache-2.0
/*
 * Work in the kernel: reads /dev/zero, with the system call in a function of ours, for libc's
 * wrapper keeps no frame pointer and its caller would be missing from the stack. usage: zero
 * MILLISECONDS. Profiled by test_truth.sh.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "burn.h"

static char bytes[1 << 20];

long fill_from_zero(long fd);

long __attribute__((noinline)) fill_from_zero(long fd)
{
	long ret;

	KEEP_FRAME();
	__asm__ volatile("syscall" : "=a"(ret)
			 : "0"((long)SYS_read), "D"(fd), "S"(bytes), "d"(sizeof(bytes))
			 : "rcx", "r11", "memory");
	return ret;
}

int main(int argc, char **argv)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	uint64_t wanted_ns = argc > 1 ? strtoull(argv[1], NULL, 10) * 1000000 : 0;

	while (burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID) < wanted_ns)
		if (fill_from_zero(fd) != (long)sizeof(bytes))
			return 1;
	return 0;
}
