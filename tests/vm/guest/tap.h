/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a guest program reports: one line a case on stdout, "ok NAME" or "not ok NAME: reason", and
 * an exit status that says whether any failed. Included by the test programs of this folder.
 */
#ifndef GUEST_TAP_H
#define GUEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_failures __attribute__((unused));

/* One case. @reason, a format, is printed only when @good is false. Returns @good. */
static inline bool __attribute__((format(printf, 3, 4), unused))
tap(bool good, const char *name, const char *reason, ...)
{
	va_list args;

	if (good) {
		printf("ok %s\n", name);
	} else {
		printf("not ok %s: ", name);
		va_start(args, reason);
		vprintf(reason, args);
		va_end(args);
		putchar('\n');
		tap_failures++;
	}
	fflush(stdout);
	return good;
}

/* The test itself cannot go on: that is a failure as well. */
static inline void __attribute__((format(printf, 1, 2), noreturn, unused))
tap_bail(const char *reason, ...)
{
	va_list args;

	printf("not ok the test could go on: ");
	va_start(args, reason);
	vprintf(reason, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	exit(1);
}

#endif /* GUEST_TAP_H */
