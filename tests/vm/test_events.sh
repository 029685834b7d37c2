#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Software events and tracepoints through the perf sampler: counts and stacks of programs that do something so many times,
# CPUs that go and come under them, what START says of events that the machine does not have, what ddprof makes of it. The
# cases are in tests/vm/guest/events.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
vm_folder events
build_check_profile
pages=3000 signals=5000	# as in tests/vm/guest/events.c

# shellcheck disable=SC2016	# the guest expands it
vm_boot events --get "/tmp/events:$out/guest" -- '
	d() { ddprof --wait --budget 1000 "$@"; }
	mkdir -p /tmp/events
	cd /tmp/events
	. /lib/tap.sh
	. /lib/steady.sh
	steady_tracepoints
	check events.load insmod /modules/ddprof_kmod.ko
	run events events exact
	run events events tenth
	run events events missing
	run events events flood
	run events events weight
	run events events storm
	d -e "sCPU freq=499;sPF;hCPU;signal:signal_generate;sCS" --output several.pprof events work >several.log 2>&1
	check command.replaced d -e "hCPU freq=499,missing=replace" --output replaced.pprof events work
	d -e hCPU --output none.pprof sh -c "echo it ran" >none.log 2>&1
	check "command: what must be there and is not: the command runs, without a profile" grep -qx "it ran" none.log
	check "command: and it is said why" grep -q "without a profile: START: .*hardware event.*hCPU" none.log
	check "command: an event that is left out is said once" \
		test "$(grep -c "event hCPU: this machine does not have it (No such file or directory): going on" several.log)" = 1
	for tracing in /sys/kernel/tracing /sys/kernel/tracing/instances/second; do
		echo 1 >$tracing/events/timer/hrtimer_expire_entry/enable
	done
	ddprof -g --budget 1000 -e timer:hrtimer_expire_entry --output interrupts.pprof >interrupts.log 2>&1 &
	profiler=$!
	sleep 3
	events work
	kill -INT $profiler
	wait $profiler
	check command.interrupts test $? = 0
	run events events hotplug 10
	run events events churn 20
	check events.unload rmmod ddprof_kmod
'
# shellcheck disable=SC2317	# it is called through check
in_events() { profile several --process events --value "$@"; }
check "command: page faults where they happen" in_events page-faults --with touch_pages samples $pages $pages
check "command: their stacks are whole" in_events page-faults --with touch_pages below touch_pages main
check "command: a tracepoint: each signal" in_events signal.signal_generate --with signal_often samples $signals $signals
check "command: context switches from the scheduler on" in_events context-switches --with sleep_often leaf 'schedule' 99
check "command: through the kernel to where it sleeps" \
	in_events context-switches --with sleep_often below do_nanosleep sleep_often
check "command: a tracepoint from the kernel function that it is in" \
	in_events signal.signal_generate --with signal_often leaf '__send_signal*' 99
check "command: CPU time beside them" in_events cpu-samples samples 1 10000
# where nothing else runs the CPU was idle when it came
check "command: each sleep ends in a timer that is told" profile interrupts --value timer.hrtimer_expire_entry samples 350 1000000
check "command: what is left out is in the comments" profile several comment 'not on this machine (No such file or directory): left out'
check "command: what is replaced is CPU time" profile replaced --value cpu-time samples 1000000 100000000000
check "command: and says so" profile replaced comment 'not on this machine (No such file or directory): CPU time instead'
dmesg_clean events
finish
