// SPDX-License-Identifier: Apache-2.0
/*
 * Five functions that burn known shares of CPU: 40, 25, 15, 12 and 8 of a hundred equal pieces of
 * work a round, so the shares are exact by construction. usage: shares MILLISECONDS REPORT; the
 * CPU nanoseconds that it used are left in the file REPORT. Profiled by test_truth.sh.
 */
#include <stdlib.h>

#include "burn.h"

BURNER(share_40, 0x11)
BURNER(share_25, 0x22)
BURNER(share_15, 0x33)
BURNER(share_12, 0x44)
BURNER(share_8, 0x55)

void round_of_work(uint64_t percent);

void __attribute__((noinline)) round_of_work(uint64_t percent)
{
	share_40(40 * percent);
	share_25(25 * percent);
	share_15(15 * percent);
	share_12(12 * percent);
	share_8(8 * percent);
}

int main(int argc, char **argv)
{
	uint64_t begin = burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID), wanted_ns, used_ns;

	if (argc != 3)
		return 2;
	wanted_ns = strtoull(argv[1], NULL, 10) * 1000000;
	do {
		round_of_work(20000);
		used_ns = burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	} while (used_ns - begin < wanted_ns);
	burn_report(argv[2], used_ns);
	return 0;
}
