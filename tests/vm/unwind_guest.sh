#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs in the guest of test_unwind.sh. Leaves profiles in /tmp/unwind, for the suite to take apart.
# shellcheck source=tests/vm/tap.sh
. /lib/tap.sh
mkdir -p /tmp/unwind /tmp/swarm /tmp/load
cd /tmp/unwind || exit

d() { ddprof --wait --budget 1000 -F 199 "$@"; }

wait_for() # SECONDS COMMAND...
{
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < until)) || return 1
		sleep 0.5
	done
}

# rooted MIN FROM TO: of the user walks between two looks at the counters at least so many percent reached the root
rooted()
{
	awk -v min="$1" '
	$1 ~ /^user_(root|truncated|unreadable|bad_frame|no_table|no_rule)$/ {
		n = FILENAME == ARGV[1] && ARGC == 3 ? -$2 : $2
		all += n
		if ($1 == "user_root")
			root += n
		count[$1] += n
	}
	END {
		for (end in count)
			print end, count[end]
		exit !(all >= 500 && root >= all * min / 100)
	}' "${@:2}"
}

round_done() { [[ -e /tmp/load/round.a ]]; }

# programs as the distribution builds them, all of them new to the profiler
distribution()
{
	local profiler status=0
	ddprof -g --budget 1000 -F 99 --output machine.pprof 2>machine.log &
	profiler=$!
	wait_for 20 ddprofctl stats
	/load/load.sh /tmp/load a shell:4 bash:2 perl:2 python:2 gcc:20 &
	check 'unwind.distribution: every program has run' wait_for 60 round_done
	ddprofctl stats --totals >loaded
	sleep 6
	ddprofctl stats --totals >end
	kill -INT "$profiler"
	wait "$profiler" || status=$?
	: >/tmp/load/stop
	wait
	cat /tmp/load/*.log >machine.load
	check 'unwind.distribution: the profiler ends well' test "$status" = 0
	check 'unwind.distribution: 97 % reach the root, of all from the first sample on' rooted 97 end
	check 'unwind.distribution: 99 % once tables are loaded' rooted 99 loaded end
}

check unwind.load insmod /modules/ddprof_kmod.ko
check unwind.run_signal d --output signal.pprof unwind_signal 600
check unwind.run_clock d --output clock.pprof unwind_clock 600
check unwind.run_jit d --output jit.pprof unwind_jit 600
check unwind.run_swarm d --output swarm.pprof unwind_swarm 40 /tmp/swarm swarm.ns
distribution
check unwind.unload rmmod ddprof_kmod
