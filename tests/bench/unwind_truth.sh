#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Stops running programs at random and compares our walk of each stop with elfutils' libdwfl, and with eu-stack
# and gdb at some of them; tests/bench/unwind_truth.c says how, and what the keys mean. A line a workload,
# lines for its classes of difference, and a line of totals. Programs that are not installed are named and left
# out. Behind `make check-unwind`. Fails when fewer than 99.5 % of all stops
# show the same code addresses.
# usage: tests/bench/unwind_truth.sh [NAME...]    names as in tests/bench/unwind_targets.sh
# STOPS: stops a workload (default: 250)
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$(readlink -m "${BUILD:-build}")
. tests/bench/unwind_targets.sh

targets_build
(($#)) || set -- c++ python git-log git-pack bash perl cc1 openssl-mixed node rust go
for name; do
	if target_command "$name"; then
		"$build/bench/unwind_truth" --stops "${STOPS:-250}" "$name" "${command[@]}"
	else
		echo "skipped workload=$name reason=\"not installed here\""
	fi
done | tee "$build/bench/unwind_truth.raw"

awk '
/^workload=/ {
	delete v
	for (i = 1; i <= NF; i++) {
		split($i, pair, "=")
		v[pair[1]] = pair[2]
	}
	stops += v["stops"]; identical += v["identical"]; beyond += v["beyond"]; frames += v["stops"] * v["mean_frames"]
	roots += v["stops"] * v["root_pct"]; eu += v["eu_stack_stops"]; eu_same += v["eu_stack_like_libdw"]
}
END {
	if (!stops)
		exit 1
	printf "totals stops=%d identical=%d identical_pct=%.2f identical_code_pct=%.2f", stops, identical,
		100 * identical / stops, 100 * (identical + beyond) / stops
	printf " mean_frames=%.1f root_pct=%.2f", frames / stops, roots / stops
	printf " eu_stack_stops=%d eu_stack_like_libdw=%d\n", eu, eu_same
	exit identical + beyond < 0.995 * stops
}' "$build/bench/unwind_truth.raw"
