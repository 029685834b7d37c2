#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Is the profile true, to the sample? As test_truth.sh, in a VM whose clock counts instructions: however busy the host is, no
# time passes in which a timer could not fire.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

HZ=1997		# not a divisor of anything that the kernel does periodically
SWARM_HZ=199
SWARM=200

vm_build
vm_folder truth_exact
build_check_profile

# expect CPU_NS HZ TOLERANCE_PERCENT SLACK: "MIN MAX" of the samples that so much CPU time gives
expect()
{
	awk -v ns="$1" -v hz="$2" -v percent="$3" -v slack="$4" 'BEGIN {
		n = ns * 1e-9 * hz
		print int(n * (1 - percent / 100) - slack), int(n * (1 + percent / 100) + slack + 1)
	}'
}

reported() { cat "$out/guest/$1.ns" 2>/dev/null || echo 0; }

# shellcheck disable=SC2016	# the guest expands it
vm_boot truth_exact --icount --get "/tmp/truth:$out/guest" -- '
	. /lib/tap.sh
	d() { ddprof --wait --budget 1000 "$@"; }
	mkdir -p /tmp/truth /tmp/swarm
	cd /tmp/truth
	check truth_exact.load insmod /modules/ddprof_kmod.ko
	check truth_exact.run_shares d -F '$HZ' --output shares.pprof shares 1000 shares.ns
	check truth_exact.run_perf d -F '$HZ' --sampler perf --output perf.pprof shares 1000 perf.ns
	check truth_exact.run_threads d -F '$HZ' --output threads.pprof workers threads 100
	check truth_exact.run_family d -F '$HZ' --output family.pprof workers family 200
	check truth_exact.run_swarm d -F '$SWARM_HZ' --output swarm.pprof swarm '$SWARM' /tmp/swarm swarm.ns
'
# A timer that fires every 1/HZ s sees CPU time * HZ, give or take one for each uninterrupted stretch on the CPU; 2 % are for
# the time that passes between the program's end and its own last look at the clock.
for run in shares perf; do
	# shellcheck disable=SC2046	# MIN MAX
	check "truth_exact.$run: as many samples as CPU time times frequency" \
		profile $run --process shares samples $(expect "$(reported $run)" $HZ 2 20)
	check "truth_exact.$run: share_40" profile $run --process shares share share_40 40 1
	check "truth_exact.$run: share_8" profile $run --process shares share share_8 8 1
done
for i in 0 1 2 3 4 5 6 7; do
	check "truth_exact.threads: worker-$i has an eighth" \
		profile threads --process workers --thread "worker-$i" samples $((HZ / 10 - 10)) $((HZ / 10 + 10))
done
for member in parent child grandchild; do
	check "truth_exact.fork: the $member has a third" profile family share "${member}_burn" 33 2
done
# One process of t seconds gives floor(t * HZ) samples or one more: a variance of at most 1/4 for each uninterrupted stretch.
# With 4 stretches each, sqrt(200 * 4 / 4) = 14 samples; four times that, and 2 % for what comes before exec, when a process
# still has its parent's name, and after the last look at the clock.
# shellcheck disable=SC2046	# MIN MAX
check "truth_exact.swarm: the expected number of samples" \
	profile swarm --process 'short_*' samples $(expect "$(reported swarm)" $SWARM_HZ 2 56)
check "truth_exact.swarm: each process is seen and named" \
	profile swarm --process 'short_*' values process_name "$SWARM"
check "truth_exact.swarm: deleted binaries' functions are named" profile swarm --process 'short_*' named 'short_*'
dmesg_clean truth_exact
finish
