#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libddprof beside the Rust crate libdd-profiling on the same work: adding samples, encoding, interning strings, memory. Both
# sides run in turn, one process a measurement, so that what else the machine does meets both; the first round warms up
# and is dropped, the rest give medians. What both made of the work is compared sample by sample. Without cargo the
# peer is left out. Behind `make bench-lib`.
# Both are programs that have all in them but the C library (libc and libm, and libgcc_s for the peer). Both hold the work's
# tables in as much memory, and give them back when all is added, before they encode.
# usage: tests/bench/lib.sh [--rounds N] [FILE.pprof...]
#   --rounds N   measured rounds (default 5)
#   FILE.pprof   to be compressed besides, for the table of formats
# Prints key=value: times are CPU time of one add (or one string, or one encoding), ratios ours by the peer's
#   add_*           1,000,000 samples of 18 frames by strings: 5,000 stacks, 64 threads, 2 labels
#   add_ts_*        the same with timestamps
#   add_ids_*       by 18 location ids and 2 labels of ids; add_stacks_*: by ids of the stack and the label set
#   encode_*        encoding those by strings, and compressing by zstd, level 1; encode_ts_*: 500,000 with timestamps
#   bytes, bytes_ts of these two, compressed
#   intern_*        a string, half of them known already: 1,059 of a PHP profile (of libc's symbols without the peer)
#   rss_*           peak resident memory of the process that did add_* and encode_*, to memory, MiB; rss_ts_*: encode_ts_*
#   base_*          what is resident before the profile is made: the program, its libraries, the work's tables
#   built_*         what the profile alone adds to resident memory, before it is encoded; profile_mb: by its own count
#   same=N/N        of the profiles that both made, how many say the same
# then lines as lib_codecs.c says.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$(readlink -m "${BUILD:-build}")
rounds=5 timestamped=500000 all=1000000
if [[ ${1:-} == --rounds ]]; then
	rounds=${2:?} && shift 2
fi
out=$build/bench/lib
peer_source=tests/bench/peers/libdd_profiling
mkdir -p "$out"
rm -f "$out"/*

build_peer()
{
	peer=
	if ! type -P cargo >/dev/null; then
		echo 'skipped peer=libdd-profiling reason="no cargo here"'
	elif ! { mkdir -p "$build/bench/peers/source" && cp -r "$peer_source/." "$build/bench/peers/source" &&
		cargo build --quiet --release --manifest-path "$build/bench/peers/source/Cargo.toml" \
			--target-dir "$build/bench/peers" >"$out/cargo.log" 2>&1; }; then
		tail -n 5 "$out/cargo.log" | sed 's/^/# /'
		echo 'skipped peer=libdd-profiling reason="cargo could not build it"'
	else
		peer=$build/bench/peers/release/bench_libdd_profiling
		sed -n 's/^libdd-profiling = "=\(.*\)"/peer=libdd-profiling-\1/p' "$peer_source/Cargo.toml"
	fi
}

strings()
{
	if [[ $peer ]]; then
		"$peer" dump-strings "$out/strings"
	else
		nm -D --defined-only "$(ldd "$build/bench/lib_bench" | awk '$1 == "libc.so.6" { print $3 }')" |
			awk 'NR <= 1059 { print $3 }' >"$out/strings"
	fi
}

# one SIDE KEYS-SUFFIX COMMAND...: its lines as "SIDEkey_suffix value" in $out/figures; round 0 is not kept
one()
{
	local side=$1 suffix=$2 figures
	shift 2
	figures=$("$@")
	((round == 0)) || awk -F= -v side="$side" -v suffix="$suffix" '{ print side $1 suffix, $2 }' <<<"$figures" \
		>>"$out/figures"
}

# both SUFFIX COMMAND SAMPLES
both()
{
	one '' "$1" "$build/bench/lib_bench" "$2" "$out/ours$1" "$3"
	[[ ! $peer ]] || one peer_ "$1" "$peer" "$2" "$out/work" "$out/peer$1" "$3"
}

measure()
{
	for ((round = 0; round <= rounds; round++)); do
		both '' strings "$all"
		both _ts timestamps "$all"
		both _ids ids "$all"
		both _stacks stacks "$all"
		both _half timestamps "$timestamped"
		one '' '' "$build/bench/lib_bench" intern "$out/strings"
		[[ ! $peer ]] || one peer_ '' "$peer" intern "$out/strings"
	done
}

# the medians, under the names that the head of this file explains
print()
{
	sort -k1,1 -k2,2g "$out/figures" | awk '
	{ values[$1, ++n[$1]] = $2 }
	function median(key) { return values[key, int((n[key] + 1) / 2)] }
	function show(name, key, ratio) {
		if (!n[key])
			return
		printf "%s=%s\n", name, median(key)
		if (!n["peer_" key])
			return
		printf "peer_%s=%s\n", name, median("peer_" key)
		if (ratio)
			printf "%s=%.3f\n", ratio, median(key) / median("peer_" key)
	}
	END {
		show("add_ns", "add_ns", "add_ratio")
		show("add_ts_ns", "add_ns_ts", "add_ts_ratio")
		show("add_ids_ns", "add_ns_ids", "add_ids_ratio")
		show("add_stacks_ns", "add_ns_stacks", "add_stacks_ratio")
		show("encode_ms", "encode_ms", "encode_ratio")
		show("encode_ts_ms", "encode_ms_half", "encode_ts_ratio")
		show("bytes", "bytes", "bytes_ratio")
		show("bytes_ts", "bytes_half", "bytes_ts_ratio")
		show("intern_ns", "intern_ns", "intern_ratio")
		show("rss_mb", "rss_mb", "rss_ratio")
		show("rss_ts_mb", "rss_mb_half", "rss_ts_ratio")
		show("base_mb", "base_mb")
		show("built_mb", "built_mb", "built_ratio")
		show("built_ts_mb", "built_mb_half", "built_ts_ratio")
		show("profile_mb", "profile_mb")
		if (n["peer_encode_refused_ts"])
			printf "peer_encode_refused=%s\n", median("peer_encode_refused_ts")
	}'
}

compare()
{
	local kind same=0 nr=0
	for kind in '' _ids _stacks _half; do
		nr=$((nr + 1))
		if "$build/bench/lib_check" "$out/ours$kind" "$out/peer$kind" >"$out/check$kind"; then
			same=$((same + 1))
		fi
		sed "s/^/# ${kind#_} /" "$out/check$kind"
	done
	echo "same=$same/$nr"
	((same == nr))
}

build_peer
"$build/bench/lib_bench" work "$out/work"
strings
measure
print
if [[ $peer ]]; then
	compare
fi
mv "$out/ours" "$out/added-up.pprof"
mv "$out/ours_half" "$out/timestamps.pprof"
"$build/bench/lib_codecs" "$out/added-up.pprof" "$out/timestamps.pprof" "$@"
