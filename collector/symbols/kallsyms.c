// SPDX-License-Identifier: Apache-2.0
/* See kallsyms.h. Source of the format: kernel/kallsyms.c, s_show(). */
#include "symbols/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/array.h"

struct symbol {
	uint64_t address;
	uint32_t name;		/* offset in names */
	uint32_t module;	/* index in modules */
};

struct ddp_kallsyms {
	struct symbol *symbols;	/* owned, sorted by address */
	size_t nr, cap;
	char *names;		/* owned */
	size_t names_bytes, names_cap;
	struct ddp_kallsyms_module *modules; /* owned; [0] is the kernel itself */
	size_t nr_modules, cap_modules;
};

static const char *parse_hex(const char *p, uint64_t *ret)
{
	uint64_t v = 0;
	int digits = 0;

	for (; digits <= 16; p++, digits++) {
		if (*p >= '0' && *p <= '9')
			v = v << 4 | (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			v = v << 4 | (uint64_t)(*p - 'a' + 10);
		else
			break;
	}
	*ret = v;
	return digits && digits <= 16 ? p : NULL;
}

static bool copy(const char *from, size_t len, char *to, size_t size)
{
	if (!len || len >= size)
		return false;
	memcpy(to, from, len);
	to[len] = '\0';
	return true;
}

/* By hand: scanf would be most of the time of reading 200,000 lines */
int ddp_kallsyms_parse_line(const char *line, struct ddp_kallsyms_line *ret)
{
	const char *p = parse_hex(line, &ret->address);
	size_t len;

	if (!p || p[0] != ' ' || !p[1] || p[2] != ' ')
		return -EBADMSG;
	ret->type = p[1];
	ret->module[0] = '\0';
	p += 3;
	len = strcspn(p, " \t\n");
	if (!copy(p, len, ret->name, sizeof(ret->name)))
		return -EBADMSG;
	p += len;
	p += strspn(p, " \t\n");
	if (!*p)
		return 0;
	len = strcspn(p, "]\n");
	if (*p != '[' || p[len] != ']' || !copy(p + 1, len - 1, ret->module, sizeof(ret->module)))
		return -EBADMSG;
	return 0;
}

/* Modules come in runs, so the newest is looked at first */
static int module_of(struct ddp_kallsyms *k, const char *name, uint32_t *ret)
{
	struct ddp_kallsyms_module *more;

	for (size_t i = k->nr_modules; i-- > 0;) {
		if (!strcmp(k->modules[i].name, name)) {
			*ret = (uint32_t)i;
			return 0;
		}
	}
	if (k->nr_modules == DDP_KALLSYMS_MAX_MODULES)
		return -EFBIG;
	more = array_reserve(k->modules, &k->cap_modules, k->nr_modules + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	k->modules = more;
	k->modules[k->nr_modules] = (struct ddp_kallsyms_module){ .start = UINT64_MAX };
	memcpy(k->modules[k->nr_modules].name, name, strlen(name) + 1);
	*ret = (uint32_t)k->nr_modules++;
	return 0;
}

static int reserve_symbol(struct ddp_kallsyms *k, size_t name_bytes)
{
	struct symbol *symbols = array_reserve(k->symbols, &k->cap, k->nr + 1, sizeof(*symbols));
	char *names;

	if (!symbols)
		return -ENOMEM;
	k->symbols = symbols;
	names = array_reserve(k->names, &k->names_cap, k->names_bytes + name_bytes, 1);
	if (!names)
		return -ENOMEM;
	k->names = names;
	return 0;
}

static int add(struct ddp_kallsyms *k, const struct ddp_kallsyms_line *line)
{
	size_t len = strlen(line->name) + 1;
	struct ddp_kallsyms_module *m;
	uint32_t module;
	int r = module_of(k, line->module, &module);

	if (!r && (k->nr == DDP_KALLSYMS_MAX || k->names_bytes + len > UINT32_MAX))
		r = -EFBIG;
	r = r ?: reserve_symbol(k, len);
	if (r)
		return r;
	memcpy(k->names + k->names_bytes, line->name, len);
	k->symbols[k->nr++] = (struct symbol){ line->address, (uint32_t)k->names_bytes, module };
	k->names_bytes += len;
	m = &k->modules[module];
	if (line->address < m->start)
		m->start = line->address;
	return 0;
}

/* Functions only: text, local or global, and weak */
static bool wanted(const struct ddp_kallsyms_line *line)
{
	return line->address && strchr("tTwW", line->type);
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

/* Of several names at one place the first stays, as the kernel's own backtraces have it */
static void sort(struct ddp_kallsyms *k)
{
	size_t kept = 0;

	if (!k->nr)
		return;
	qsort(k->symbols, k->nr, sizeof(*k->symbols), by_address);
	for (size_t i = 0; i < k->nr; i++)
		if (!kept || k->symbols[kept - 1].address != k->symbols[i].address)
			k->symbols[kept++] = k->symbols[i];
	k->nr = kept;
}

/* Modules end where no address is taken for their last function's any more */
static void set_limits(struct ddp_kallsyms *k)
{
	for (size_t i = 0; i < k->nr; i++) {
		const struct symbol *s = &k->symbols[i];
		struct ddp_kallsyms_module *m = &k->modules[s->module];
		uint64_t limit = s->address + DDP_KALLSYMS_REACH;

		if (limit < s->address)
			limit = UINT64_MAX;
		if (i + 1 < k->nr && s[1].address < limit)
			limit = s[1].address;
		if (limit > m->limit)
			m->limit = limit;
	}
}

int ddp_kallsyms_read(FILE *text, struct ddp_kallsyms **ret)
{
	CLEANUP(ddp_kallsyms_free) struct ddp_kallsyms *k = calloc(1, sizeof(*k));
	CLEANUP(free) char *line = NULL;
	struct ddp_kallsyms_line parsed;
	size_t cap = 0;
	uint32_t kernel;
	int r;

	if (!k)
		return -ENOMEM;
	r = module_of(k, "", &kernel);
	while (!r && getline(&line, &cap, text) >= 0)
		if (!ddp_kallsyms_parse_line(line, &parsed) && wanted(&parsed))
			r = add(k, &parsed);
	if (r)
		return r;
	if (ferror(text))
		return -EIO;
	sort(k);
	set_limits(k);
	*ret = TAKE(k);
	return 0;
}

void ddp_kallsyms_free(struct ddp_kallsyms *k)
{
	if (!k)
		return;
	free(k->symbols);
	free(k->names);
	free(k->modules);
	free(k);
}

const char *ddp_kallsyms_symbol(const struct ddp_kallsyms *k, uint64_t address,
				const struct ddp_kallsyms_module **ret_module)
{
	size_t low = 0, high = k->nr;
	const struct symbol *s;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (k->symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	s = &k->symbols[low - 1];
	if (address - s->address >= DDP_KALLSYMS_REACH)
		return NULL;
	if (ret_module)
		*ret_module = &k->modules[s->module];
	return k->names + s->name;
}

size_t ddp_kallsyms_nr(const struct ddp_kallsyms *k)
{
	return k->nr;
}
