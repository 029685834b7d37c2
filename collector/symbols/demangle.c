// SPDX-License-Identifier: Apache-2.0
/*
 * See demangle.h. The work is libiberty's, which hands a name out in pieces; it cannot be told to
 * stop, and a text without end takes time without end. It allocates nothing for C++ names, and
 * for Rust's only a piece that is not ASCII, so it is left by a jump when there is enough.
 */
#include "symbols/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

struct text {
	char *to;
	size_t nr, size;
	jmp_buf full;
};

static void append(const char *piece, size_t n, void *ctx)
{
	struct text *t = ctx;

	if (n >= t->size - t->nr)
		longjmp(t->full, 1);
	if (n)	/* there are empty pieces without an address */
		memcpy(t->to + t->nr, piece, n);
	t->nr += n;
}

/* Rust's older names are C++ names, too: those are tried last */
static bool demangle(const char *name, struct text *t)
{
	if (setjmp(t->full))
		return false;
	if (rust_demangle_callback(name, DMGL_NO_OPTS, append, t))
		return true;
	t->nr = 0;	/* it may have begun */
	return cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI, append, t);
}

bool ddp_demangle(const char *name, char *ret, size_t size)
{
	char made[2 * DDP_MAX_MANGLED];
	struct text t = { .to = made, .size = size < sizeof(made) ? size : sizeof(made) };

	if (name[0] != '_' || (name[1] != 'Z' && name[1] != 'R') ||
	    strnlen(name, DDP_MAX_MANGLED + 1) > DDP_MAX_MANGLED)
		return false;
	if (!size || !demangle(name, &t))
		return false;
	memcpy(ret, made, t.nr);
	ret[t.nr] = '\0';
	return true;
}
