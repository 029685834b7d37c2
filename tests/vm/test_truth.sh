#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Is the profile true? Programs whose behaviour is known run under ddprof in a VM; the profiles are taken apart on the host.
# How often is told by test_truth_exact.sh: here the host takes CPUs away from a guest that cannot know it, so that time
# passes there in which no timer could fire.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

HZ=1997		# not a divisor of anything that the kernel does periodically
SWARM_HZ=199
SWARM=200

vm_build
vm_folder truth
build_check_profile

# shellcheck disable=SC2016	# the guest expands it
vm_boot truth --get "/tmp/truth:$out/guest" -- '
	. /lib/tap.sh
	hz='$HZ' swarm_hz='$SWARM_HZ' swarm='$SWARM'
	d() { ddprof --wait --budget 1000 "$@"; }
	mkdir -p /tmp/truth /tmp/swarm
	cd /tmp/truth
	check truth.load insmod /modules/ddprof_kmod.ko
	check truth.run_shares d -F $hz --output shares.pprof shares 2500 shares.ns
	check truth.run_shares_perf d -F $hz --sampler perf --output perf.pprof shares 2500 perf.ns
	check truth.run_timestamps d -F 499 --timestamps --output times.pprof shares 1000 times.ns
	check truth.run_zero d -F 997 --output zero.pprof zero 1000
	check truth.run_threads d -F 499 --output threads.pprof workers threads 300
	check truth.run_family d -F 499 --output family.pprof workers family 500
	check truth.run_swarm d -F $swarm_hz --output swarm.pprof swarm $swarm /tmp/swarm swarm.ns
	shares 1500 attached.ns &
	check truth.run_attached ddprof --budget 1000 -F 499 --output attached.pprof -p $!
	wait
	ddprof --budget 1000 -F 499 --output machine.pprof -g &
	profiler=$!
	sleep 1
	shares 500 one.ns &
	one=$!
	workers threads 50
	wait $one
	kill -INT $profiler
	wait $profiler
	echo $? >machine.status
	check truth.machine_ends_well grep -qx 0 machine.status
	check truth.unload rmmod ddprof_kmod
'

for run in shares perf; do
	for percent in 40 25 15 12 8; do
		check "truth.$run: share_$percent has $percent % within 3 points" \
			profile $run --process shares share "share_$percent" "$percent" 3
		check "truth.$run: share_$percent is called by the round" \
			profile $run next "share_$percent" round_of_work 99
	done
	check "truth.$run: and the round by main: stacks are complete" profile $run next round_of_work main 99
	check "truth.$run: nearly all of it is in main" profile $run --process shares share main 100 5
done
check "truth.timestamps: each sample has its time" profile times --process shares times
check "truth.timestamps: shares hold as well" profile times --process shares share share_40 40 8

check "truth.kernel: reading /dev/zero is time in the kernel" profile zero --process zero share 'entry_SYSCALL_64*' 95 5
check "truth.kernel: the leaf is the function that fills the memory" profile zero --process zero leaf '*' 100
check "truth.kernel: below the leaf come the file's read and the system call" \
	profile zero --process zero --with fill_from_zero below vfs_read 'entry_SYSCALL_64*'
check "truth.kernel: the user frame that called comes next" \
	profile zero --process zero --with 'read_*' next 'entry_SYSCALL_64*' fill_from_zero 100
check "truth.kernel: then main" profile zero --process zero --with vfs_read next fill_from_zero main 100

check "truth.kernel: kernel walks reach their root" profile zero walks kernel 99
check "truth.threads: eight names" profile threads --thread 'worker-*' values thread_name 8
check "truth.threads: eight thread ids" profile threads --thread 'worker-*' values 'thread id' 8
check "truth.threads: one process" profile threads --thread 'worker-*' share worker_burn 100 5

for member in parent child grandchild; do
	check "truth.fork: the $member is followed" profile family below "${member}_burn" main
done
check "truth.fork: three processes" profile family values process_id 3

check "truth.swarm: each process is seen and named" profile swarm --process 'short_*' values process_name $((SWARM - 2))
check "truth.swarm: no sample without a process name" profile swarm values process_name 1
check "truth.swarm: deleted binaries' functions are named" profile swarm --process 'short_*' named 'short_*'
check "truth.swarm: the work is where it is" profile swarm --process 'short_*' below short_burn main

check "truth.attached: -p sees what came after" profile attached samples 250 800
check "truth.attached: nothing else" profile attached share share_40 40 8
check "truth.machine: -g sees one process" profile machine --process shares share share_40 40 10
check "truth.machine: and the other" profile machine --thread 'worker-*' values thread_name 8
dmesg_clean truth

finish
