#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Filters let in and keep out whom they name, whatever the sampler, and sessions of off-CPU time begin and end under load.
# How long threads were blocked is told by test_offcpu_exact.sh. The cases are in tests/vm/guest/{filters,offcpu}.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
vm_folder offcpu
build_check_profile

# shellcheck disable=SC2016	# the guest expands it
vm_boot offcpu --get "/tmp/offcpu:$out/guest" -- '
	. /lib/tap.sh
	. /lib/steady.sh
	steady_tracepoints sched/sched_switch
	mkdir -p /tmp/offcpu
	cd /tmp/offcpu
	check offcpu.load insmod /modules/ddprof_kmod.ko
	run offcpu filters table
	run offcpu filters renamed
	run offcpu filters execed
	run offcpu offcpu again
	profile() {
		name=$1
		shift
		ddprof -g -F 499 --budget 1000 --output $name.pprof "$@" &
		profiler=$!
		sleep 1
		shares 300 one.ns &
		one=$!
		workers threads 50
		wait $one
		kill -INT $profiler
		wait $profiler
	}
	check offcpu.run_name profile name --process_name "sha*"
	check offcpu.run_not_name profile not_name --exclude-process-name shares
	if [ -e /sys/fs/cgroup/cgroup.procs ]; then
		mkdir -p /sys/fs/cgroup/outer/inner
		echo $$ >/sys/fs/cgroup/outer/inner/cgroup.procs
		check offcpu.run_cgroup profile cgroup --cgroup /outer --exclude_process_name workers
		check offcpu.run_not_cgroup profile not_cgroup --exclude_cgroup /sys/fs/cgroup/outer/inner
		echo $$ >/sys/fs/cgroup/cgroup.procs
	fi
	ddprof -g --cgroup /none 2>refused
	check offcpu.a_cgroup_that_is_not_there grep -q "^ddprof: error: --cgroup /none: No such file" refused
	check offcpu.unload rmmod ddprof_kmod
'
check "offcpu.--process_name: who is called so" profile name --process shares samples 20 100000
check "offcpu.--process_name: nobody else" profile name --process workers samples 0 0
check "offcpu.--exclude_process_name: not who is called so" profile not_name --process shares samples 0 0
check "offcpu.--exclude_process_name: the others" profile not_name --process workers samples 20 100000
if [[ -e $out/guest/cgroup.pprof ]]; then # the debug kernel has no cgroups
	check "offcpu.--cgroup: who is in it" profile cgroup --process shares samples 20 100000
	check "offcpu.--cgroup: but not who is called so" profile cgroup --process workers samples 0 0
	check "offcpu.--exclude_cgroup: nobody who is in it" profile not_cgroup --process shares samples 0 0
fi
dmesg_clean offcpu
finish
