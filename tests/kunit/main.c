// SPDX-License-Identifier: GPL-2.0
/* The module: loading it runs the suites. */
#include <linux/module.h>

#include "suites.h"

kunit_test_suites(&ddp_basics_suite, &ddp_races_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of ddprof's context-free core");
