#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in the guest of `make bench-kernel` (see kernel.sh): the same fixed work alone, under ours (with a time
# for each sample, then folded) and under perf (frame pointers, then copied stacks); and built without frame pointers, alone
# and under ours. Prints raw figures, "name value"; leaves profiles in /bench. Any failure ends it.
set -eu
rounds=$1
hz=$2
mkdir -p /bench
ln -s kernel_work /bin/kernel_repeat # a name of its own in profiles

fail() { echo "bench-kernel: $*" >&2; exit 1; }

# longer than the module's flush period
settle() { sleep 6; }

look() { ddprofctl stats --totals >"/tmp/$1"; }

# How much a counter has grown between two looks, before and after
grown() # COUNTER
{
	awk -v k="$1" '$1 == k { v[++n] = $2 } END { if (n != 2) exit 1; print v[2] - v[1] }' /tmp/before /tmp/after ||
		fail "the module counts no $1"
}

# Nanoseconds that a task has run
ran() { cut -d " " -f 1 "/proc/$1/schedstat"; }

alone() # NAME PROGRAM
{
	settle
	ns=$("$2" "$rounds")
	echo "$1_ns $ns"
}

# One run of a program under ours: figures NAME_*
measure() # NAME PID PROGRAM [repeat]
{
	settle
	look before
	reader=$(ran "$2")
	drain=$(ran "$(pidof ddprof_drain)")
	ns=$("$3" "$rounds" ${4:+"$4"})
	reader=$(($(ran "$2") - reader))
	drain=$(($(ran "$(pidof ddprof_drain)") - drain))
	settle
	look after
	samples=$(grown samples)
	bytes=$(grown bytes)
	handler=$(grown handler_ns)
	root=$(grown user_root)
	[ "$samples" -gt 0 ] || fail "no samples of $1"
	echo "$1_ns $ns"
	echo "$1_reader_ns $reader"
	echo "$1_drain_ns $drain"
	echo "$1_samples $samples"
	echo "$1_bytes $bytes"
	echo "$1_handler_ns $handler"
	echo "$1_root $root"
}

# Until walks of a program go by its unwind table: it runs for a moment, again and again
load_table() # PROGRAM
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		"$1" $((rounds / 20 + 1)) >/dev/null
		sleep 0.5
		ddprofctl stats --totals --files >/tmp/files
		# walks_ended_in rows bytes idle_s file
		awk -v name="$1" 'NF == 5 && $5 == name && $2 > 0 { found = 1 } END { exit !found }' /tmp/files && return
	done
	fail "no unwind table for $1"
}

begin() # NAME PROGRAM OPTION...
{
	name=$1 program=$2
	shift 2
	ddprof -g -F "$hz" "$@" --output "/bench/$name.pprof" 2>"/bench/$name.log" &
	pid=$!
	until ddprofctl stats >/dev/null 2>&1; do
		kill -0 $pid || fail "ddprof has ended: $(cat "/bench/$name.log")"
		sleep 0.2
	done
	load_table "$program"
}

end()
{
	kill -INT "$pid"
	wait "$pid" || fail "ddprof ended badly: $(cat "/bench/$name.log")"
}

# In one session: the work, and a program that stays in one stack
ours() # NAME OPTION...
{
	name=$1
	shift
	begin "$name" kernel_work "$@"
	measure "$name" "$pid" kernel_work
	measure "${name}_repeat" "$pid" kernel_repeat repeat
	end
}

without_frame_pointers()
{
	alone nofp_alone kernel_nofp
	begin nofp kernel_nofp
	measure nofp "$pid" kernel_nofp
	end
}

perf_run() # NAME OPTION...
{
	name=$1
	shift
	data=/bench/$name.data
	perf record -q -a -e cpu-clock -F "$hz" "$@" -o "$data" 2>"/tmp/$name.log" >/dev/null &
	pid=$!
	until [ -s "$data" ]; do
		kill -0 $pid || fail "perf has ended: $(cat "/tmp/$name.log")"
		sleep 0.2
	done
	settle
	ns=$(kernel_work "$rounds")
	status=0
	kill -INT $pid
	wait $pid || status=$?
	# it ends as the signal would have ended it
	[ $status = 0 ] || [ $status = 130 ] || fail "perf record: status $status: $(cat "/tmp/$name.log")"
	perf report --stats -i "$data" 2>/dev/null >/tmp/stats
	perf report --header-only -i "$data" 2>/dev/null >/tmp/header
	samples=$(awk '/SAMPLE events:/ { print $3; found = 1; exit } END { exit !found }' /tmp/stats)
	bytes=$(awk '/data size/ { print $NF; found = 1 } END { exit !found }' /tmp/header)
	echo "${name}_ns $ns"
	echo "${name}_samples $samples"
	echo "${name}_bytes $bytes"
}

# frames of the work's samples, as a number of samples and of addresses
perf_frames() # NAME
{
	perf script -i "/bench/$1.data" --comm kernel_work -F comm,ip 2>/dev/null >/tmp/script
	awk -v name="$1" '
	/^[^ \t]/ { samples++ }
	/^[ \t]+[0-9a-f]+$/ { frames++ }
	END {
		if (!samples || !frames)
			exit 1
		printf "%s_frames %.2f\n", name, frames / samples
	}' /tmp/script || fail "perf script shows no stacks of kernel_work"
}

alone warmup kernel_work
alone alone kernel_work
ours times --timestamps
ours folded
perf_run perf_fp -g
perf_frames perf_fp
perf_run perf_dwarf --call-graph dwarf
alone alone2 kernel_work
without_frame_pointers
rm -f /bench/*.data
