#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The life of a session and of the module: a CPU that goes offline and comes back, collectors that are killed, slow or out
# of step, the module loaded and unloaded fifty times under load. The cases are in tests/vm/guest/life.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
# shellcheck disable=SC2016	# the guest expands it
vm_boot life -- '
	. /lib/tap.sh
	. /lib/steady.sh
	steady_tracepoints
	check life.load insmod /modules/ddprof_kmod.ko
	for case in hotplug killed slow overflow resync fallback stuck port_reuse; do
		run life life $case
	done
	if [ -e /proc/self/fail-nth ]; then
		echo N >/sys/kernel/debug/failslab/ignore-gfp-wait
		echo 0 >/sys/kernel/debug/failslab/verbose
		run life life no_memory
	fi
	check life.unload rmmod ddprof_kmod
	run life life reload /modules/ddprof_kmod.ko 50
'
dmesg_clean life
finish
