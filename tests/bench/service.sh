#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the service costs: a Debian system with systemd as a guest (scripts/rootfs), the whole of it profiled at 99 Hz for
# MINUTES (10) under the mixed load of bench-coverage, first by the service ddprof, then by perf record -a -g, each alone.
# Prints key=value lines:
#   collector_cpu_pct    CPU time of the collector in percent of one CPU; perf_cpu_pct likewise. Work in interrupts is in
#                        neither; ours is handler_cpu_pct, of all CPUs, and the module's thread drain_cpu_pct
#   collector_rss_mb     its most resident memory; perf_rss_mb likewise
#   kernel_bytes_per_s   what the module sent it; perf_bytes_per_s: what perf wrote into its file
#   lost_samples         that the module or the collector lost; perf_lost_samples: that perf says it lost
# Behind `make bench-service`.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$(readlink -m "${BUILD:-build}")
out=$build/bench/service.out
minutes=${MINUTES:-10} hz=${HZ:-99}

rootfs=$(scripts/rootfs)
rm -rf "$out"
mkdir -p "$out/root/load" "$out/root/root" "$out/root/usr/local/bin"
"${MAKE:-make}" -s BUILD="$build" DESTDIR="$out/root" install-service
cp "$build/ddprof" "$build/ddprofctl" "$out/root/usr/local/bin/"
cp "$build/vm/ddprof_kmod.ko" "$out/root/root/"
cp tests/bench/targets/work.* "$out/root/load/"
cp tests/bench/coverage_load.cc "$out/root/load/load.cc"
cp tests/bench/coverage_load.sh "$out/root/load/load.sh"
cp tests/bench/service_guest.sh tests/service/receiver.py "$out/root/root/"
chmod +x "$out"/root/load/*.sh

scripts/vm --kernel-dir "$rootfs" --disk "$rootfs/root.ext4" --root-tree "$out/root" --mem 3072 \
	--timeout $((2 * 60 * minutes + 900)) --dmesg "$out/dmesg" --get "/bench:$out/guest" -- \
	bash /root/service_guest.sh $((60 * minutes)) "$hz" | tee "$out/raw" >&2

awk -v minutes="$minutes" -v hz="$hz" '
function value(name) {
	if (name in v)
		return v[name]
	print "bench-service: no figure " name >"/dev/stderr"
	exit failed = 1
}
function cpu_pct(name) { return 100 * value(name "_cpu_ns") / value(name "_ns") }
function per_s(name) { return value(name "_bytes") / (value(name "_ns") / 1e9) }
{ v[$1] = $2 }
END {
	if (failed)
		exit 1
	printf "minutes=%d\nfrequency_hz=%d\n", minutes, hz
	printf "samples=%d\nperf_samples=%d\n", value("ours_samples"), value("perf_samples")
	printf "collector_cpu_pct=%.3f\n", cpu_pct("ours")
	printf "handler_cpu_pct=%.3f\n", 100 * value("ours_handler_ns") / value("ours_ns") / value("cpus")
	printf "drain_cpu_pct=%.3f\n", 100 * value("ours_drain_ns") / value("ours_ns")
	printf "collector_rss_mb=%.1f\n", value("ours_rss_kb") / 1024
	printf "kernel_bytes_per_s=%.0f\n", per_s("ours")
	printf "lost_samples=%d\n", value("ours_lost")
	printf "perf_cpu_pct=%.3f\n", cpu_pct("perf")
	printf "perf_rss_mb=%.1f\n", value("perf_rss_kb") / 1024
	printf "perf_bytes_per_s=%.0f\n", per_s("perf")
	printf "perf_lost_samples=%d\n", value("perf_lost")
	printf "load_rounds=%d\nperf_load_rounds=%d\n", value("ours_rounds"), value("perf_rounds")
}' "$out/raw" >"$out/figures"
cat "$out/figures"
