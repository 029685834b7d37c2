#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Unwind tables in the kernel: code without frame pointers before and after its table came, samples that wait for
# it, tables that change under walkers, memory limits. The cases are in tests/vm/guest/tables.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
# shellcheck disable=SC2016	# the guest expands it
vm_boot tables -- '
	. /lib/tap.sh
	. /lib/steady.sh
	steady_tracepoints
	check tables.load insmod /modules/ddprof_kmod.ko
	for case in before_and_after short_lives under_walkers limit killed other_names vdso many_files; do
		run tables tables $case
	done
	check tables.unload rmmod ddprof_kmod
'
dmesg_clean tables
finish
