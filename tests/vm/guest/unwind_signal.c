// SPDX-License-Identifier: Apache-2.0
/*
 * A signal's handler that burns CPU, entered from deep inside code without frame pointers, on the
 * thread's stack and then on one of its own: walks from it go through the signal's frame. usage:
 * unwind_signal MS of each. Profiled by test_unwind.sh.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "burn.h"

enum { LEVELS = 24, STACK_BYTES = 65536 };

static uint64_t burn_ns;
static volatile sig_atomic_t handled;
static volatile uint64_t sink;

static __attribute__((noinline)) void burn_in_handler(void)
{
	uint64_t until = burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID) + burn_ns;

	while (burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID) < until)
		for (uint64_t i = 0; i < 20000; i++)
			sink += i;
}

static void on_alarm(int number)
{
	(void)number;
	burn_in_handler();
	handled = 1;
}

static __attribute__((noinline)) void be_interrupted(void)
{
	while (!handled)
		sink++;
}

/* two sizes of frames, so that their distance is not a constant */
static void descend(int depth);

static __attribute__((noinline)) void descend_wide(int depth)
{
	volatile char room[200];

	room[depth] = 1;
	descend(depth - 1);
	sink += room[depth];
}

static __attribute__((noinline)) void descend(int depth)
{
	if (!depth)
		be_interrupted();
	else if (depth & 1)
		descend_wide(depth);
	else
		descend(depth - 1);
	sink++;
}

static int run(int flags)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval once = { .it_value = { .tv_usec = 50000 } };

	handled = 0;
	if (sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &once, NULL))
		return 1;
	descend(LEVELS);
	return 0;
}

int main(int argc, char **argv)
{
	static char bytes[STACK_BYTES];
	stack_t own = { .ss_sp = bytes, .ss_size = sizeof(bytes) };

	if (argc != 2 || sigaltstack(&own, NULL))
		return 2;
	burn_ns = strtoull(argv[1], NULL, 10) * 1000000;
	return run(0) || run(SA_ONSTACK);
}
