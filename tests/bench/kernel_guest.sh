#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in the guest of `make bench-kernel` (see kernel.sh): the same fixed work alone, under ours (with a time
# for each sample, then folded) and under perf (frame pointers, then copied stacks). Prints raw figures, "name value".
set -eu
rounds=$1
hz=$2

# longer than the module's flush period
settle() { sleep 6; }

# Total of one counter over all CPUs
counter() { ddprofctl stats --totals | awk -v k="$1" '$1 == k { n += $2 } END { print n + 0 }'; }

# Nanoseconds that a task has run
ran() { cut -d " " -f 1 "/proc/$1/schedstat"; }

alone() # NAME
{
	settle
	echo "$1_ns $(kernel_work "$rounds")"
}

# One run of the work under ours: figures NAME_*
measure() # NAME PID [repeat]
{
	settle
	samples=$(counter samples) bytes=$(counter bytes) handler=$(counter handler_ns)
	reader=$(ran "$2") drain=$(ran "$(pidof ddprof_drain)")
	echo "$1_ns $(kernel_work "$rounds" ${3:+"$3"})"
	echo "$1_reader_ns $(($(ran "$2") - reader))"
	echo "$1_drain_ns $(($(ran "$(pidof ddprof_drain)") - drain))"
	settle
	echo "$1_samples $(($(counter samples) - samples))"
	echo "$1_bytes $(($(counter bytes) - bytes))"
	echo "$1_handler_ns $(($(counter handler_ns) - handler))"
}

# In one session: the work, and a program that stays in one stack
ours() # NAME OPTION...
{
	name=$1
	shift
	ddprof -g -F "$hz" "$@" --output "/tmp/$name.pprof" 2>"/tmp/$name.log" &
	pid=$!
	until ddprofctl stats >/dev/null 2>&1; do sleep 0.2; done
	measure "$name" $pid
	measure "${name}_repeat" $pid repeat
	kill -INT $pid
	wait $pid
}

perf_run() # NAME OPTION...
{
	name=$1
	shift
	perf record -q -a -e cpu-clock -F "$hz" "$@" -o /tmp/perf.data 2>/dev/null >/dev/null &
	pid=$!
	until [ -s /tmp/perf.data ]; do sleep 0.2; done
	settle
	echo "${name}_ns $(kernel_work "$rounds")"
	kill -INT $pid
	wait $pid || true
	perf report --stats -i /tmp/perf.data 2>/dev/null >"/tmp/$name.stats"
	echo "${name}_samples $(awk '/SAMPLE events:/ { print $3; exit }' "/tmp/$name.stats")"
	echo "${name}_bytes $(perf report --header-only -i /tmp/perf.data 2>/dev/null |
		awk '/data size/ { print $NF }')"
	rm -f /tmp/perf.data
}

alone warmup
alone alone
ours times --timestamps
ours folded
perf_run perf_fp -g
perf_run perf_dwarf --call-graph dwarf
alone alone2
