# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What runs in each guest of scripts/check-kernels: a profile with each of the samplers, left in /tmp/profiles. How long it
# takes is told in samples, for a host that is busy gives the guest little of the time that passes there.
SAMPLES=800 # of two programs on two CPUs, so that what has a tenth of one is there for sure

samples() { ddprofctl stats --totals 2>/dev/null | awk '$1 == "samples" { print $2 }'; }

# while_profiling CONDITION...: waits for it, but not for a profiler that has gone
while_profiling() {
	until "$@"; do
		kill -0 "$profiler" || return
		sleep 0.1
	done
}

started() { [ -n "$(samples)" ]; }
enough() { [ "$(samples)" -ge "$SAMPLES" ]; }
executed() { [ "$(readlink "/proc/$gone/exe")" = /tmp/gone ]; }

# profile SAMPLER: the binary is gone before its profile is made, so its names come from the module's descriptor
profile() {
	cp /bin/shares /tmp/gone || return
	ddprof --sampler "$1" -F 499 --budget 1000 --output "/tmp/profiles/$1.pprof" -g &
	profiler=$!
	while_profiling started || return
	/tmp/gone 600000 /dev/null &
	gone=$!
	while_profiling executed || return
	rm /tmp/gone
	zero 600000 &
	while_profiling enough || return
	kill "$gone" $!
	wait "$gone" $!
	kill -INT "$profiler" && wait "$profiler"
}

mkdir /tmp/profiles
insmod /modules/ddprof_kmod.ko && profile hrtimer && profile perf && rmmod ddprof_kmod
