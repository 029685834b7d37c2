#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a sample costs, ours beside perf record: one VM that counts instructions as time, the same fixed work under each
# profiler, machine-wide. Instructions of a profiler = (time of the work under it - time of the work alone) / ns per
# instruction: interrupt, stack walk, buffer, and the reader's share, all of it. bytes_per_sample is of repeated stacks (one
# stack, few instructions), the mixed ones are of the work itself. Prints key=value lines, among them
#   frames_per_sample        addresses in a stack of the work, the mean, of the kernel's half and the user's
#   insns_per_frame          insns_per_sample / frames_per_sample: all that a sample costs; for perf likewise
#   handler_insns_per_frame  only what the module does in the interrupt / frames_per_sample
#   nofp_*                   the same work built without frame pointers, ours only
# Ours goes by unwind tables in all of these; the frame pointers are there for perf. Behind `make bench-kernel`.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$(readlink -m "${BUILD:-build}")
out=$build/bench
rounds=${ROUNDS:-40000} hz=${HZ:-99}
ns_per_insn=2 # -icount shift=1

mkdir -p "$out"
rm -rf "$out/kernel.out"
perf=$(type -P perf) || { echo "bench-kernel: perf is missing: run 'make deps'" >&2; exit 1; }
"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -O2 -g -fno-inline -fno-optimize-sibling-calls -fomit-frame-pointer \
	tests/bench/kernel_work.c -o "$out/kernel_nofp"
programs=(--program "$build/ddprof" --program "$build/ddprofctl" --program "$build/vm/kernel_work"
	--program "$out/kernel_nofp" --program "$perf")
for name in awk sleep cut; do
	programs+=(--program "$(readlink -f "$(type -P "$name")"):/bin/$name")
done
scripts/vm --icount --mem 2048 --timeout 1500 "${programs[@]}" --module "$build/vm/ddprof_kmod.ko" \
	--file tests/bench/kernel_guest.sh:/kernel_guest.sh --get "/bench:$out/kernel.out" -- \
	sh /kernel_guest.sh "$rounds" "$hz" |
	tee "$out/kernel.raw"

# frames NAME PROGRAM: means of a profile of ours
frames()
{
	"$build/bench/coverage" --process "$2" "$out/kernel.out/$1.pprof" |
		sed -n "s/^frames=/$1_frames /p; s/^user_frames=/$1_user_frames /p" >>"$out/kernel.raw"
}
frames folded kernel_work
frames nofp kernel_nofp

awk -v ns="$ns_per_insn" -v hz="$hz" '
function value(name) {
	if (v[name] + 0 > 0)
		return v[name]
	print "bench-kernel: no figure " name >"/dev/stderr"
	exit failed = 1
}
# samples of the work itself: perf also counts those of the idle CPU before and after
function insns(name, base) { return (value(name "_ns") - base) / ns / (value(name "_ns") * hz / 1e9) }
function bytes(name) { return value(name "_bytes") / value(name "_samples") }
function handler(name) { return value(name "_handler_ns") / ns / value(name "_samples") }
{ v[$1] = $2 }
END {
	base = (value("alone_ns") + value("alone2_ns")) / 2
	ours = insns("folded", base)
	perf = insns("perf_fp", base)
	nofp = insns("nofp", value("nofp_alone_ns"))
	printf "frequency_hz=%d\n", hz
	printf "work_insns=%.0f\n", base / ns
	printf "work_drift_insns=%.0f\n", (value("alone2_ns") - value("alone_ns")) / ns
	printf "samples=%d\nperf_fp_samples=%d\nperf_dwarf_samples=%d\n",
		value("folded_samples"), value("perf_fp_samples"), value("perf_dwarf_samples")
	printf "frames_per_sample=%.2f\n", value("folded_frames")
	printf "user_frames_per_sample=%.2f\n", value("folded_user_frames")
	printf "perf_fp_frames_per_sample=%.2f\n", value("perf_fp_frames")
	printf "insns_per_sample=%.0f\n", ours
	printf "insns_per_sample_timestamps=%.0f\n", insns("times", base)
	printf "handler_insns_per_sample=%.0f\n", handler("folded")
	printf "drain_insns_per_sample=%.0f\n", value("folded_drain_ns") / ns / value("folded_samples")
	printf "reader_insns_per_sample=%.0f\n", value("folded_reader_ns") / ns / value("folded_samples")
	printf "perf_fp_insns_per_sample=%.0f\n", perf
	printf "perf_dwarf_insns_per_sample=%.0f\n", insns("perf_dwarf", base)
	printf "insns_ratio=%.2f\n", ours / perf
	printf "insns_per_frame=%.1f\n", ours / value("folded_frames")
	printf "handler_insns_per_frame=%.1f\n", handler("folded") / value("folded_frames")
	printf "perf_fp_insns_per_frame=%.1f\n", perf / value("perf_fp_frames")
	printf "nofp_samples=%d\n", value("nofp_samples")
	printf "nofp_frames_per_sample=%.2f\n", value("nofp_frames")
	printf "nofp_insns_per_sample=%.0f\n", nofp
	printf "nofp_handler_insns_per_sample=%.0f\n", handler("nofp")
	printf "nofp_insns_per_frame=%.1f\n", nofp / value("nofp_frames")
	printf "root_pct=%.2f\n", 100 * value("folded_root") / value("folded_samples")
	printf "bytes_per_sample=%.1f\n", bytes("times_repeat")
	printf "folded_bytes_per_sample=%.1f\n", bytes("folded_repeat")
	printf "bytes_per_sample_mixed=%.1f\n", bytes("times")
	printf "folded_bytes_per_sample_mixed=%.1f\n", bytes("folded")
	printf "perf_fp_bytes_per_sample=%.1f\n", bytes("perf_fp")
	printf "perf_dwarf_bytes_per_sample=%.1f\n", bytes("perf_dwarf")
}' "$out/kernel.raw" >"$out/kernel.figures"
cat "$out/kernel.figures"
