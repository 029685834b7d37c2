#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Unwind tables of this machine's own programs and libraries: size, time to make, agreement with elfutils'
# libdw, and the cost of a walk beside libdw's; what each key means is said in tests/bench/unwind.c. A line a
# file, then a line of totals: sums, and rates weighted by what they are rates of. Files that are not
# installed are named and left out. Behind `make bench-unwind`; needs no VM.
# usage: tests/bench/unwind.sh [--all] [NAME...]
#   --all   list every row that disagrees with libdw
#   NAME    only these: libc libm ld.so libstdc++ python git bash perl cc1 libcrypto libLLVM node go rust self
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$(readlink -m "${BUILD:-build}")
. tests/bench/unwind_targets.sh
options=()
if [[ ${1:-} == --all ]]; then
	options+=(--all)
	shift
fi

# needed_by PROGRAM PATTERN: the library that it is linked with; nothing when there is none
needed_by()
{
	[[ -z $1 ]] || ldd "$1" | awk -v p="$2" '$1 ~ p { print $3 }' | xargs -r readlink -f
}

# NAME -> the file, and the workload that spends its time there
subject()
{
	file='' workload=$1
	case $1 in
	libc) file=$(library libc.so.6) ;;
	libm) file=$(library libm.so.6) ;;
	ld.so) file=$(library ld-linux-x86-64.so.2) workload=loader ;;
	libstdc++) file=$(library libstdc++.so.6) workload=c++ ;;
	python) file=$python ;;
	git) file=$(type -P git) workload=git-log ;;
	bash) file=$BASH ;;
	perl) file=$(readlink -f "$(type -P perl)") ;;
	cc1) file=$cc1 ;;
	libcrypto) file=$(needed_by "$openssl" '^libcrypto') workload=openssl ;;
	libLLVM) file=$(needed_by "$clang" '^libLLVM') workload=clang ;;
	node) file=$node ;;
	go) file=$targets/go ;;
	rust) file=$targets/rust ;;
	self) file=$build/bench/unwind ;;
	*) echo "unwind.sh: no file is called '$1'" >&2; exit 2 ;;
	esac
	[[ -e $file ]] || return 1
	if [[ $workload == self ]]; then
		command=("$build/bench/unwind" "$cc1")
	else
		target_command "$workload"
	fi
}

targets_build
(($#)) || set -- libc libm ld.so libstdc++ python git bash perl cc1 libcrypto libLLVM node go rust self
for name; do
	if subject "$name"; then
		"$build/bench/unwind" "${options[@]}" "$file" -- "${command[@]}" ||
			echo "failed name=$name file=$file"
	else
		echo "skipped name=$name reason=\"not installed here\""
	fi
done | tee "$build/bench/unwind.raw"

awk '
/^file=/ {
	delete v
	for (i = 1; i <= NF; i++) {
		split($i, pair, "=")
		v[pair[1]] = pair[2]
	}
	files++
	rows += v["rows"]; bytes += v["table_bytes"]; build += v["build_ns"]
	compared += v["rows_compared"]; disagree += v["rows_disagree"]
	code += v["code_bytes"]; unknown += v["unknown_bytes"]
	frames = v["walks"] * v["frames_per_walk"]; libdw_frames = v["walks"] * v["libdw_frames_per_walk"]
	all_frames += frames; ns += frames * v["ns_per_frame_hot"]; cold += frames * v["ns_per_frame_cold"]
	all_libdw += libdw_frames; libdw += libdw_frames * v["libdw_ns_per_frame"]
}
END {
	if (!all_frames || !all_libdw)
		exit
	printf "totals files=%d rows=%d bytes_per_row=%.2f build_ns_per_row=%.1f", files, rows, bytes / rows, build / rows
	printf " rows_agree_pct=%.4f unknown_pct=%.4f", 100 * (compared - disagree) / compared, 100 * unknown / code
	printf " ns_per_frame_hot=%.1f libdw_ns_per_frame=%.0f", ns / all_frames, libdw / all_libdw
	printf " speedup=%.0f", (libdw / all_libdw) / (ns / all_frames)
	printf " ns_per_frame_cold=%.0f rows_compared=%d rows_disagree=%d\n", cold / all_frames, compared, disagree
}' "$build/bench/unwind.raw"
! grep -q '^failed' "$build/bench/unwind.raw"
