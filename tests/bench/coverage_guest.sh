#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs in the guest of `make bench-coverage` (see coverage.sh): one session a call of `session`, each with the
# same mixed load. Leaves in /coverage, for each: NAME.loaded and NAME.end, the module's counters and what it knows
# of each file, once every program of the load has run, and at the end; NAME.pprof; NAME.load, when what ran.
set -eu
seconds=$1
mkdir -p /coverage
cd /coverage

stats() # FILE
{
	ddprofctl stats --totals --files >"$1.new"
	mv "$1.new" "$1"
}

wait_for() # SECONDS COMMAND...
{
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < until)) || { echo "coverage: waited too long for: $*" >&2; return 1; }
		sleep 0.5
	done
}

both_rounds() { [[ -e load/round.a && -e load/round.b ]]; }
time_is_up() { ((SECONDS >= end)); }

session() # NAME OPTION...
{
	local name=$1 profiler status=0 end
	shift
	rm -rf load
	mkdir load
	ddprof -g --output "$name.pprof" "$@" 2>"$name.log" &
	profiler=$!
	wait_for 20 ddprofctl stats
	end=$((SECONDS + seconds))
	/load/load.sh "$PWD/load" a python:6 gcc:20 cxx:20 xz:20 &
	/load/load.sh "$PWD/load" b shell:20 bash:5 perl:5 openssl:20 git:20 gzip:20 &
	wait_for "$seconds" both_rounds
	stats "$name.loaded"
	wait_for "$((seconds + 5))" time_is_up
	stats "$name.end"
	kill -INT "$profiler"
	wait "$profiler" || status=$?
	: >load/stop
	wait
	cat load/*.log >"$name.load"
	rm -rf load
	((status == 0)) || { cat "$name.log"; return 1; }
}

session all
session limit4m --unwind_tables 4096
