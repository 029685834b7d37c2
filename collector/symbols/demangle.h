/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of C++ and Rust functions as their programmers wrote them. Names come from files that may
 * want to hurt: a few hundred bytes can stand for a text without end, so what grows beyond the
 * caller's room is given up, and long names are not begun. Used by build.
 */
#ifndef DDP_SYMBOLS_DEMANGLE_H
#define DDP_SYMBOLS_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

enum { DDP_MAX_MANGLED = 2048 };	/* bytes of a name that is looked at */

/**
 * @param ret  the readable name; not touched when there is none
 * @return whether @name is a mangled one, and fits into @size bytes with its end
 */
bool ddp_demangle(const char *name, char *ret, size_t size);

#endif /* DDP_SYMBOLS_DEMANGLE_H */
