#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a sample costs, ours beside perf record: one VM that counts instructions as time, the same fixed work under each
# profiler, machine-wide. Instructions of a profiler = (time of the work under it - time of the work alone) / ns per
# instruction: interrupt, stack walk, buffer, and the reader's share, all of it. bytes_per_sample is of repeated stacks (one stack, few
# instructions), the mixed ones are of the work itself. Prints key=value lines. Behind `make bench-kernel`.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$(readlink -m "${BUILD:-build}")
out=$build/bench
rounds=${ROUNDS:-40000} hz=${HZ:-99}
ns_per_insn=2 # -icount shift=1

mkdir -p "$out"
perf=$(type -P perf) || { echo "bench-kernel: perf is missing: run 'make deps'" >&2; exit 1; }
programs=(--program "$build/ddprof" --program "$build/ddprofctl" --program "$build/vm/kernel_work"
	--program "$perf")
for name in awk sleep; do
	programs+=(--program "$(readlink -f "$(type -P "$name")"):/bin/$name")
done
scripts/vm --icount --mem 2048 --timeout 1500 "${programs[@]}" --module "$build/vm/ddprof_kmod.ko" \
	--file tests/bench/kernel_guest.sh:/kernel_guest.sh -- sh /kernel_guest.sh "$rounds" "$hz" |
	tee "$out/kernel.raw"

awk -v ns="$ns_per_insn" -v hz="$hz" '
# samples of the work itself: perf also counts those of the idle CPU before and after
function insns(name) { return (v[name "_ns"] - base) / ns / (v[name "_ns"] * hz / 1e9) }
function bytes(name) { return v[name "_bytes"] / v[name "_samples"] }
{ v[$1] = $2 }
END {
	base = (v["alone_ns"] + v["alone2_ns"]) / 2
	printf "frequency_hz=%d\n", hz
	printf "work_insns=%.0f\n", base / ns
	printf "work_drift_insns=%.0f\n", (v["alone2_ns"] - v["alone_ns"]) / ns
	printf "samples=%d\nperf_fp_samples=%d\nperf_dwarf_samples=%d\n",
		v["folded_samples"], v["perf_fp_samples"], v["perf_dwarf_samples"]
	printf "insns_per_sample=%.0f\n", insns("folded")
	printf "insns_per_sample_timestamps=%.0f\n", insns("times")
	printf "handler_insns_per_sample=%.0f\n", v["folded_handler_ns"] / ns / v["folded_samples"]
	printf "drain_insns_per_sample=%.0f\n", v["folded_drain_ns"] / ns / v["folded_samples"]
	printf "reader_insns_per_sample=%.0f\n", v["folded_reader_ns"] / ns / v["folded_samples"]
	printf "perf_fp_insns_per_sample=%.0f\n", insns("perf_fp")
	printf "perf_dwarf_insns_per_sample=%.0f\n", insns("perf_dwarf")
	printf "insns_ratio=%.2f\n", insns("folded") / insns("perf_fp")
	printf "bytes_per_sample=%.1f\n", bytes("times_repeat")
	printf "folded_bytes_per_sample=%.1f\n", bytes("folded_repeat")
	printf "bytes_per_sample_mixed=%.1f\n", bytes("times")
	printf "folded_bytes_per_sample_mixed=%.1f\n", bytes("folded")
	printf "perf_fp_bytes_per_sample=%.1f\n", bytes("perf_fp")
	printf "perf_dwarf_bytes_per_sample=%.1f\n", bytes("perf_dwarf")
}' "$out/kernel.raw"
