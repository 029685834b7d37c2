// SPDX-License-Identifier: GPL-2.0
#include <linux/hrtimer.h>
void probe(struct hrtimer *t);
void probe(struct hrtimer *t)
{
	hrtimer_setup(t, NULL, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
}
