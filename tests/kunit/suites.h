/* SPDX-License-Identifier: GPL-2.0 */
/* The KUnit suites of this module, for main.c. */
#ifndef DDP_KUNIT_SUITES_H
#define DDP_KUNIT_SUITES_H

#include <kunit/test.h>

extern struct kunit_suite ddp_basics_suite;	/* core_basics.c */
extern struct kunit_suite ddp_races_suite;	/* core_races.c */

#endif /* DDP_KUNIT_SUITES_H */
