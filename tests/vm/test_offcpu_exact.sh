#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Off-CPU time: how long threads were blocked is what their own clocks say, what is short or too much is counted. The guest's
# clock counts instructions: otherwise the host takes CPUs away, which no two clocks in the guest see alike. The cases
# are in tests/vm/guest/offcpu.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
vm_folder offcpu_exact
build_check_profile

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
finish
