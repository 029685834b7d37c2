#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs in the guest of `make bench-service` (see service.sh): the same load for so many seconds under the service ddprof,
# then under perf record. Prints raw figures, "name value". Any failure ends it.
# usage: service_guest.sh SECONDS HZ
set -eu
seconds=$1 hz=$2
mkdir -p /bench
cd /bench

fail() { echo "bench-service: $*" >&2; exit 1; }
now_ns() { date +%s%N; }
cpu_ns() { cat "/proc/$1"/task/*/schedstat | awk '{ n += $1 } END { printf "%.0f\n", n }'; }
rss_kb() { awk '/^VmHWM/ { print $2 }' "/proc/$1/status"; }
drain_ns() { cut -d ' ' -f 1 "/proc/$(pidof ddprof_drain)/schedstat"; }
counter() { awk -v k="$2" '$1 == k { print $2; found = 1 } END { exit !found }' "$1"; }
grown() { echo $(($(counter after "$1") - $(counter before "$1"))); }

start_load() {
	rm -rf load
	mkdir load
	/load/load.sh "$PWD/load" a python:6 gcc:20 cxx:20 xz:20 &
	load_a=$!
	/load/load.sh "$PWD/load" b shell:20 bash:5 perl:5 openssl:20 git:20 gzip:20 &
	load_b=$!
}

# how many programs ran tells whether both profilers had the same load
stop_load() {
	: >load/stop
	wait "$load_a" "$load_b" || :
	echo "$1_rounds $(cat load/*.log | wc -l)"
}

ours() {
	local pid begin cpu drain name lost=0
	insmod /root/ddprof_kmod.ko
	mkdir -p /etc/ddprof
	printf 'upload_period = 60\nfrequency = %s\n' "$hz" >/etc/ddprof/ddprof.conf
	systemd-sysusers
	# the module is loaded already, and not where modprobe finds it
	mkdir -p /etc/systemd/system/ddprof.service.d
	printf '[Service]\nExecStartPre=\n' >/etc/systemd/system/ddprof.service.d/bench.conf
	systemctl daemon-reload
	python3 /root/receiver.py /bench/got &
	receiver=$!
	systemctl start ddprof
	pid=$(systemctl show -p MainPID --value ddprof)
	start_load
	ddprofctl stats --totals >before
	begin=$(now_ns) cpu=$(cpu_ns "$pid") drain=$(drain_ns)
	sleep "$seconds"
	ddprofctl stats --totals >after
	echo "ours_ns $(($(now_ns) - begin))"
	echo "ours_cpu_ns $(($(cpu_ns "$pid") - cpu))"
	echo "ours_drain_ns $(($(drain_ns) - drain))"
	echo "ours_rss_kb $(rss_kb "$pid")"
	for name in samples bytes handler_ns; do
		echo "ours_$name $(grown "$name")"
	done
	for name in lost_ring lost_nested lost_tasks; do
		lost=$((lost + $(grown "$name")))
	done
	echo "ours_lost $lost"
	stop_load ours
	systemctl stop ddprof
	journalctl -u ddprof -o cat >journal
	kill "$receiver"
	[[ $(find got -name '*.event' | wc -l) -gt 0 ]] || fail "no profile arrived: $(tail -n 5 journal)"
	rmmod ddprof_kmod
}

perf_record() {
	local begin cpu
	perf record -q -a -g -e cpu-clock -F "$hz" -o perf.data 2>perf.log >/dev/null &
	perf=$!
	until [[ -s perf.data ]]; do
		kill -0 "$perf" || fail "perf has ended: $(<perf.log)"
		sleep 0.2
	done
	start_load
	begin=$(now_ns) cpu=$(cpu_ns "$perf")
	sleep "$seconds"
	echo "perf_ns $(($(now_ns) - begin))"
	echo "perf_cpu_ns $(($(cpu_ns "$perf") - cpu))"
	echo "perf_rss_kb $(rss_kb "$perf")"
	echo "perf_bytes $(stat -c %s perf.data)"
	stop_load perf
	kill -INT "$perf"
	wait "$perf" || :
	perf report --stats -i perf.data 2>/dev/null >stats
	echo "perf_samples $(awk '/SAMPLE events:/ { print $3; exit }' stats)"
	echo "perf_lost $(awk '/LOST_SAMPLES events:/ { n = $3 } END { print n + 0 }' stats)"
	rm perf.data
}

echo "cpus $(nproc)"
ours
perf_record
