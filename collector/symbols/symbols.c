// SPDX-License-Identifier: Apache-2.0
/* See symbols.h. */
#include "symbols/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/log.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The kernel */

/* A line: name, size, how often it is used, by whom, state, address; use changes all the time */
uint64_t ddp_modules_digest(FILE *modules)
{
	CLEANUP(free) char *line = NULL;
	char name[DDP_KALLSYMS_MODULE], size[32], address[32];
	XXH3_state_t state;
	size_t cap = 0;

	XXH3_INITSTATE(&state);
	XXH3_64bits_reset(&state);
	while (getline(&line, &cap, modules) >= 0) {
		if (sscanf(line, "%63s %31s %*s %*s %*s %31s", name, size, address) != 3)
			continue;
		XXH3_64bits_update(&state, name, strlen(name) + 1);
		XXH3_64bits_update(&state, size, strlen(size) + 1);
		XXH3_64bits_update(&state, address, strlen(address) + 1);
	}
	return XXH3_64bits_digest(&state);
}

static uint64_t modules_now(void)
{
	CLEANUP(close_file) FILE *f = fopen("/proc/modules", "re");

	return f ? ddp_modules_digest(f) : 0;
}

static void read_kernel(struct ddp_symbols *s)
{
	CLEANUP(close_file) FILE *f = fopen("/proc/kallsyms", "re");
	struct ddp_kallsyms *k;
	int r;

	if (!f) {
		ddp_log_warn("kernel frames stay without names: /proc/kallsyms: %s",
			     strerror(errno));
		return;
	}
	r = ddp_kallsyms_read(f, &k);
	if (r) {
		ddp_log_warn("kernel frames stay without names: /proc/kallsyms: %s", strerror(-r));
		return;
	}
	if (!ddp_kallsyms_nr(k))
		ddp_log_info("kernel frames stay without names: /proc/kallsyms shows no addresses "
			     "(kernel.kptr_restrict, CAP_SYSLOG)");
	ddp_kallsyms_free(s->kernel);
	s->kernel = k;
	memset(s->module_build_ids, 0, sizeof(s->module_build_ids));
}

static void read_build_id(const char *path, char ret[2 * DDP_MAX_BUILD_ID + 1])
{
	CLEANUP(close_file) FILE *f = fopen(path, "re");
	unsigned char notes[4096];
	size_t n = f ? fread(notes, 1, sizeof(notes), f) : 0;

	if (ddp_build_id_from_notes(notes, n, ret))
		ret[0] = '\0';
}

void ddp_symbols_refresh(struct ddp_symbols *s)
{
	uint64_t now = modules_now();

	/* the kernel's own stays: not to be read for each of its frames */
	if (!s->build_id[0])
		read_build_id("/sys/kernel/notes", s->build_id);
	if (s->kernel && now == s->modules_digest)
		return;
	s->modules_digest = now;
	read_kernel(s);
}

static void read_module_build_id(const char *module, char ret[2 * DDP_MAX_BUILD_ID + 1])
{
	char path[160];

	ret[0] = '\0';
	if (strchr(module, '/') || module[0] == '.')
		return;
	snprintf(path, sizeof(path), "/sys/module/%s/notes/.note.gnu.build-id", module);
	read_build_id(path, ret);
}

/* Remembered: not to be read for each frame either */
static const char *module_build_id(struct ddp_symbols *s, const struct ddp_kallsyms_module *m)
{
	struct ddp_module_build_id *known =
		&s->module_build_ids[((uintptr_t)m / sizeof(*m)) % DDP_MODULE_BUILD_IDS];

	if (known->module != m) {
		known->module = m;
		read_module_build_id(m->name, known->build_id);
	}
	return known->build_id;
}

void ddp_symbols_kernel(struct ddp_symbols *s, uint64_t address, struct ddp_kernel_frame *ret)
{
	const struct ddp_kallsyms_module *m = NULL;

	ret->function = s->kernel ? ddp_kallsyms_symbol(s->kernel, address, &m) : NULL;
	ret->start = m ? m->start : 0;
	ret->limit = m ? m->limit : 0;
	if (m && m->name[0]) {
		snprintf(ret->mapping, sizeof(ret->mapping), "[%s]", m->name);
		memcpy(ret->build_id, module_build_id(s, m), sizeof(ret->build_id));
	} else {
		snprintf(ret->mapping, sizeof(ret->mapping), "%s", DDP_KERNEL_MAPPING);
		memcpy(ret->build_id, s->build_id, sizeof(ret->build_id));
	}
}

/* The vdso: the kernel maps the same image into every process of our word size */

static uint64_t own_vdso_bytes(uint64_t start)
{
	CLEANUP(close_file) FILE *f = fopen("/proc/self/maps", "re");
	CLEANUP(free) char *line = NULL;
	uint64_t from, to;
	size_t cap = 0;

	while (f && getline(&line, &cap, f) >= 0)
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) == 2 && from == start)
			return to - from;
	return 0;
}

size_t ddp_own_vdso(const void **ret)
{
	unsigned long start = getauxval(AT_SYSINFO_EHDR);

	*ret = (const void *)start;
	return start ? own_vdso_bytes(start) : 0;
}

static void read_vdso(struct ddp_symbols *s)
{
	const void *start;
	int r;

	s->vdso_tried = true;
	s->vdso_bytes = ddp_own_vdso(&start);
	if (!s->vdso_bytes)
		return;
	r = ddp_elf_open_memory(start, s->vdso_bytes, &s->vdso);
	if (r)
		ddp_log_debug("[vdso]: no symbols: %s", strerror(-r));
}

const struct ddp_elf *ddp_symbols_vdso(struct ddp_symbols *s, uint64_t mapping_bytes)
{
	if (!s->vdso_tried)
		read_vdso(s);
	return mapping_bytes == s->vdso_bytes ? s->vdso : NULL;
}

void ddp_symbols_free(struct ddp_symbols *s)
{
	ddp_kallsyms_free(s->kernel);
	ddp_elf_close(s->vdso);
	*s = (struct ddp_symbols){ 0 };
}
