#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Off-CPU time and filters: how long threads were blocked is what their own clocks say, what is short or too much is counted,
# filters let in and keep out whom they name, whatever the sampler. The first guest's clock counts instructions: in the other
# one the host takes CPUs away, which no two clocks in the guest see alike. The cases are in tests/vm/guest/offcpu.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
# shellcheck disable=SC2016	# the guest expands it
vm_boot offcpu_exact --icount -- '
	. /lib/tap.sh
	check offcpu_exact.load insmod /modules/ddprof_kmod.ko
	for case in truth shortest thinned; do
		run offcpu_exact offcpu $case
	done
	check offcpu_exact.unload rmmod ddprof_kmod
'
dmesg_clean offcpu_exact
# shellcheck disable=SC2016	# the guest expands it
vm_boot offcpu -- '
	. /lib/tap.sh
	check offcpu.load insmod /modules/ddprof_kmod.ko
	run offcpu filters table
	run offcpu filters renamed
	run offcpu filters execed
	run offcpu offcpu again
	check offcpu.unload rmmod ddprof_kmod
'
dmesg_clean offcpu
finish
