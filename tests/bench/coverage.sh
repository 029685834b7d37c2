#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How many user stacks reach their root: the distribution's own programs, which have no frame pointers, as a
# mixed load in a VM, the whole of it profiled with the default options; then once more with 4 MB for unwind
# tables (keys with limit4m_). Prints key=value lines:
#   user_samples       walks of user stacks that the module counted; all percentages are of these
#   root_pct           reached the root, of all from the first sample of the session on
#   root_pct_loaded    the same of the samples after every program of the load had run once
#   *_pct              the others by reason
#   ended_in           COUNT FILE: where most walks ended, and that did not reach the root
# The rest are the module's counters, uapi/ddprof.h. Behind `make bench-coverage`.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
# shellcheck source=tests/bench/coverage_files.sh
. tests/bench/coverage_files.sh
build=$(readlink -m "${BUILD:-build}")
out=$build/bench/coverage.out
seconds=${COVERAGE_S:-60}

prepare()
{
	local root=$out/root
	mkdir -p "$out"
	distribution_files "$root" python perl c c++ openssl git xz
	mkdir -p "$root/load"
	cp tests/bench/targets/work.* "$root/load/"
	cp tests/bench/coverage_load.cc "$root/load/load.cc"
	cp tests/bench/coverage_load.sh "$root/load/load.sh"
	cp tests/bench/coverage_guest.sh "$root/load/guest.sh"
	chmod +x "$root"/load/*.sh
}

run()
{
	rm -rf "$out/guest"
	scripts/vm "${distribution[@]}" --program "$build/ddprof" --program "$build/ddprofctl" \
		--module "$build/vm/ddprof_kmod.ko" --mem 3072 --timeout $((4 * seconds + 120)) \
		--dmesg "$out/dmesg" --get "/coverage:$out/guest" -- bash /load/guest.sh "$seconds"
}

# every program has run, and ended well or was stopped when its time was up
check_load() # NAME
{
	local program begin end status said
	while read -r program begin end status said; do
		((status == 0 || status == 124)) && continue
		echo "bench-coverage: $program of the load failed with status $status after" \
			"$(awk "BEGIN { print $end - $begin }") s: $said" >&2
		return 1
	done <"$out/guest/$1.load"
}

# counters NAME PREFIX: key=value lines of one session
counters()
{
	awk -v prefix="$2" '
	function die(what) { print "bench-coverage: " what >"/dev/stderr"; failed = 1; exit 1 }
	function value(file, name) { if (!((file, name) in v)) die("no " name " in " file); return v[file, name] }
	function walks(file, n, i) {
		for (i in reasons)
			n += value(file, "user_" reasons[i])
		return n
	}
	function percent(part, all) { return all ? sprintf("%.2f", 100 * part / all) : die("no user samples") }
	BEGIN { split("root truncated unreadable bad_frame no_table no_rule", reasons, " ") }
	NF == 2 { v[FILENAME, $1] = $2 }
	NF == 5 && $1 ~ /^[0-9]+$/ { files[FILENAME] += $3 != "-" }
	END {
		if (failed)
			exit 1
		a = ARGV[1]
		b = ARGV[2]
		all = walks(b)
		printf "%ssamples=%d\n%suser_samples=%d\n", prefix, value(b, "samples"), prefix, all
		printf "%sroot_pct=%s\n", prefix, percent(value(b, "user_root"), all)
		printf "%sloaded_user_samples=%d\n", prefix, all - walks(a)
		printf "%sroot_pct_loaded=%s\n", prefix,
			percent(value(b, "user_root") - value(a, "user_root"), all - walks(a))
		for (i = 2; i in reasons; i++)
			printf "%s%s_pct=%s\n", prefix, reasons[i], percent(value(b, "user_" reasons[i]), all)
		nr = split("deferred defer_full guessed skipped missed tables tables_bytes tables_max_bytes " \
			"tables_evicted tables_refused cpu_bytes defer_bytes", names, " ")
		for (i = 1; i <= nr; i++)
			printf "%s%s=%d\n", prefix, names[i], value(b, names[i])
		printf "%sfiles=%d\n", prefix, files[b]
	}' "$out/guest/$1.loaded" "$out/guest/$1.end"
	"$build/bench/coverage" "$out/guest/$1.pprof" | sed -n "s/^ended_in=/${2}ended_in=/p"
}

prepare
run
for name in all limit4m; do
	check_load "$name"
done
counters all ''
counters limit4m limit4m_
