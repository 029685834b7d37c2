// SPDX-License-Identifier: Apache-2.0
/*
 * An interpreter's just-in-time code: in anonymous memory, with frame pointers, called by code
 * without them and calling it, level by level, each with some work. usage: unwind_jit MS. Profiled
 * by test_unwind.sh.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "burn.h"

enum { LEVELS = 8 };

/* calls fn(depth) after a loop */
typedef void (*made_fn)(void (*fn)(int depth), int depth);

static const unsigned char code[] = {
	0x55,				/* push %rbp */
	0x48, 0x89, 0xe5,		/* mov %rsp, %rbp */
	0x48, 0x89, 0xf8,		/* mov %rdi, %rax */
	0x89, 0xf7,			/* mov %esi, %edi */
	0xb9, 0x00, 0x40, 0x00, 0x00,	/* mov $0x4000, %ecx */
	0xff, 0xc9,			/* dec %ecx */
	0x75, 0xfc,			/* jnz, to dec */
	0xff, 0xd0,			/* call *%rax */
	0x5d,				/* pop %rbp */
	0xc3,				/* ret */
};

static made_fn made;
static volatile uint64_t sink;

static __attribute__((noinline)) void native_work(void)
{
	for (int i = 0; i < 20000; i++)
		sink += i;
}

static __attribute__((noinline)) void interpret(int depth)
{
	if (depth)
		made(interpret, depth - 1);
	else
		native_work();
	sink++;
}

static int make_code(void)
{
	void *at = mmap(NULL, sizeof(code), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	if (at == MAP_FAILED)
		return -1;
	memcpy(at, code, sizeof(code));
	if (mprotect(at, sizeof(code), PROT_READ | PROT_EXEC))
		return -1;
	made = (made_fn)at;
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t until;

	if (argc != 2 || make_code())
		return 2;
	until = burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID) + strtoull(argv[1], NULL, 10) * 1000000;
	while (burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID) < until)
		interpret(LEVELS);
	return 0;
}
