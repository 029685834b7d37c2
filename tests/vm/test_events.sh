#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Software events and tracepoints through the perf sampler: counts and stacks of programs that do something so many times,
# CPUs that go and come under them, what START says of events that the machine does not have. The cases are in
# tests/vm/guest/events.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
# shellcheck disable=SC2016	# the guest expands it
vm_boot events --file "$TOP/tests/vm/steady.sh:/lib/steady.sh" -- '
	. /lib/tap.sh
	. /lib/steady.sh
	steady_tracepoints
	check events.load insmod /modules/ddprof_kmod.ko
	run events events exact
	run events events tenth
	run events events missing
	run events events hotplug 10
	run events events churn 20
	check events.unload rmmod ddprof_kmod
'
dmesg_clean events
finish
