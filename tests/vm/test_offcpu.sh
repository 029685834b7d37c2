#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Off-CPU time and filters: how long threads were blocked is what their own clocks say, what is short or too much is counted,
# filters let in and keep out whom they name, whatever the sampler. The first guest's clock counts instructions: in the other
# one the host takes CPUs away, which no two clocks in the guest see alike. The cases are in tests/vm/guest/offcpu.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
out=$OUT/offcpu
rm -rf "$out"
mkdir -p "$out"
build_check_profile "$out"

# shellcheck disable=SC2317	# it is called through check
# profile NAME [--value TYPE] [--process P] [--thread T] [--with F] CHECK [ARG...], about $out/guest/NAME.pprof
profile()
{
	local file=$1
	shift
	"$out/check_profile" "$out/guest/$file.pprof" "$@"
}

# around PERCENT THREAD: "MIN MAX" around the nanoseconds that the thread measured
around()
{
	awk -v percent="$1" -v thread="$2" '$1 == thread {
		printf "%.0f %.0f", $2 * (1 - percent / 100), $2 * (1 + percent / 100)
	}' "$out/guest/blocked.ns"
}

# shellcheck disable=SC2016	# the guest expands it
vm_boot offcpu_exact --icount --get "/tmp/offcpu:$out/guest" -- '
	. /lib/tap.sh
	mkdir -p /tmp/offcpu
	cd /tmp/offcpu
	check offcpu_exact.load insmod /modules/ddprof_kmod.ko
	for case in truth shortest thinned; do
		run offcpu_exact offcpu $case
	done
	check offcpu_exact.profile ddprof --wait --budget 1000 -e "sCPU freq=4999;offcpu" --output blocked.pprof blocked 30 blocked.ns
	check offcpu_exact.unload rmmod ddprof_kmod
'
for thread in sleeper:block_in_sleep locker:block_on_lock reader:block_on_pipe; do
	block=${thread#*:}
	thread=${thread%:*}
	# shellcheck disable=SC2046	# MIN MAX
	check "offcpu_exact.$thread: blocked for as long as its own clock says" \
		profile blocked --value off-cpu-time --thread "$thread" --with "$block" samples $(around 2 "$thread")
	check "offcpu_exact.$thread: in as many blocks" \
		profile blocked --value off-cpu-samples --thread "$thread" --with "$block" samples 30 33
	check "offcpu_exact.$thread: inside of schedule()" \
		profile blocked --value off-cpu-time --thread "$thread" --with "$block" below schedule "$block"
	check "offcpu_exact.$thread: its state is a label" \
		profile blocked --value off-cpu-time --thread "$thread" --with "$block" values thread_state 1
done
check "offcpu_exact.CPU time stands beside it" profile blocked --value cpu-time --process blocked samples 100000 1000000000
dmesg_clean offcpu_exact

# shellcheck disable=SC2016	# the guest expands it
vm_boot offcpu --file "$TOP/tests/vm/steady.sh:/lib/steady.sh" --get "/tmp/offcpu:$out/guest" -- '
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
