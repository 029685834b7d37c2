// SPDX-License-Identifier: Apache-2.0
/* See unwind_libdw.h. */
#include "unwind_libdw.h"

struct walk {
	Dwfl *dwfl;
	u64 *frames;
	u32 nr, max;
	Dwarf_Addr last;	/* pc of the frame before, as libdwfl says it */
};

static char *debuginfo_path; /* NULL: elfutils' own default */
static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.debuginfo_path = &debuginfo_path,
};

void unwind_libdw_close(struct unwind_libdw *d)
{
	dwfl_end(d->dwfl);
	d->dwfl = NULL;
}

static pid_t next_thread(Dwfl *dwfl __attribute__((unused)), void *arg, void **ret_thread)
{
	const struct unwind_libdw *d = arg;

	if (*ret_thread)
		return 0;
	*ret_thread = arg;
	return d->snapshot->stop.tid;
}

static bool get_thread(Dwfl *dwfl __attribute__((unused)), pid_t tid __attribute__((unused)),
		       void *arg, void **ret_thread)
{
	*ret_thread = arg;
	return true;
}

static bool read_memory(Dwfl *dwfl __attribute__((unused)), Dwarf_Addr address, Dwarf_Word *ret,
			void *arg)
{
	const struct unwind_libdw *d = arg;

	return !unwind_snapshot_read((void *)d->snapshot, ret, address, sizeof(*ret));
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct unwind_libdw *d = arg;

	return dwfl_thread_state_registers(thread, 0, UNWIND_REGS, d->snapshot->stop.regs);
}

static const Dwfl_Thread_Callbacks snapshot_callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = read_memory,
	.set_initial_registers = set_registers,
};

static int load_module(Dwfl_Module *module, void **user __attribute__((unused)),
		       const char *name __attribute__((unused)),
		       Dwarf_Addr start __attribute__((unused)), void *arg __attribute__((unused)))
{
	Dwarf_Addr bias;

	dwfl_module_eh_cfi(module, &bias);
	return DWARF_CB_OK;
}

static int report(pid_t pid, Dwfl *dwfl)
{
	dwfl_report_begin(dwfl);
	if (dwfl_linux_proc_report(dwfl, pid) || dwfl_report_end(dwfl, NULL, NULL))
		return -ESRCH;
	return 0;
}

int unwind_libdw_open(pid_t pid, bool live, struct unwind_libdw *ret)
{
	int r;

	*ret = (struct unwind_libdw) { .dwfl = dwfl_begin(&callbacks) };
	if (!ret->dwfl)
		return -ENOMEM;
	r = report(pid, ret->dwfl);
	if (!r && live) {
		r = dwfl_linux_proc_attach(ret->dwfl, pid, true) ? -ESRCH : 0;
	} else if (!r) {
		dwfl_getmodules(ret->dwfl, load_module, NULL, 0);
		if (!dwfl_attach_state(ret->dwfl, NULL, pid, &snapshot_callbacks, ret))
			r = -ESRCH;
	}
	if (r)
		unwind_libdw_close(ret);
	return r;
}

/* Whether a signal handler returns to @pc. */
static bool is_trampoline(Dwfl *dwfl, Dwarf_Addr pc)
{
	Dwfl_Module *module = dwfl_addrmodule(dwfl, pc);
	Dwarf_Frame *frame;
	Dwarf_Addr bias;
	Dwarf_CFI *cfi = module ? dwfl_module_eh_cfi(module, &bias) : NULL;
	bool signal = false;

	if (cfi && !dwarf_cfi_addrframe(cfi, pc - bias, &frame)) {
		dwarf_frame_info(frame, NULL, NULL, &signal);
		free(frame);
	}
	return signal;
}

/* libdwfl calls both a trampoline and what the signal interrupted exact. */
static int take_frame(Dwfl_Frame *state, void *arg)
{
	struct walk *walk = arg;
	Dwarf_Addr pc;
	bool exact;

	if (!dwfl_frame_pc(state, &pc, &exact))
		return DWARF_CB_ABORT;
	exact = exact && walk->nr && is_trampoline(walk->dwfl, walk->last);
	walk->frames[walk->nr] = pc + exact;
	walk->last = pc;
	return ++walk->nr < walk->max ? DWARF_CB_OK : DWARF_CB_ABORT;
}

u32 unwind_libdw_walk(struct unwind_libdw *d, pid_t tid, u64 *frames, u32 max,
		      const char **ret_error)
{
	struct walk walk = { .dwfl = d->dwfl, .frames = frames, .max = max };
	int r = dwfl_getthread_frames(d->dwfl, tid, take_frame, &walk);

	*ret_error = r < 0 ? dwfl_errmsg(-1) : NULL;
	return walk.nr;
}
