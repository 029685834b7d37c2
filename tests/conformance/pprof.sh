#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Behind `make conformance`: does `go tool pprof` see in our files what we put there, and do we read all that it reads?
#   files     what Go's runtime writes, what comes with Go, the test data of github.com/google/pprof (got with
#             `go mod download`, where the network allows), and what go tool pprof makes of its legacy text formats,
#             which are not pprof files and not read by us
#   rewrite   a file, read and written by us, is the same to go tool pprof -raw
#   merge     two files merged by us and by go tool pprof have the same samples
#   diff      go tool pprof takes ours for what its -diff_base makes
#   located   of our profiles without names it finds the functions that we name, wherever a program was linked
# Prints a line a case and at the end the counts. Without Go, or protoc, it says so and leaves the rest out.
set -euo pipefail

work=${BUILD:?}/conformance
tool=$work/profiles
go=$(command -v go || ls /usr/local/go/bin/go 2>/dev/null || :)
passed=0 failed=0

die() { echo "conformance: $*" >&2; exit 1; }

# result STATUS NAME: a case's line
result()
{
	if (($1 == 0)); then
		echo "ok $2"
		passed=$((passed + 1))
	else
		echo "not ok $2"
		failed=$((failed + 1))
	fi
}

# the program behind `go tool pprof`, without the go command's own start in front of each call
pprof() { "$program" -symbolize=none "$@" </dev/null; }

# is_message FILE: are these protobuf's bytes, and not one of the text formats?
is_message()
{
	gzip -dcf "$1" 2>/dev/null >"$work/plain" || return 1
	[[ -s $work/plain ]] && protoc --decode_raw <"$work/plain" >/dev/null 2>&1
}

# candidates: files that may be profiles, one a line
candidates()
{
	local module
	find "$work/go" -type f | sort
	find "$("$go" env GOROOT)/src" -type f \( -name '*.pprof' -o -name '*.pgo' -o -name '*.prof' -o -name '*.pb.gz' \)
	module=$(cd "$work" && GOFLAGS=-mod=mod "$go" mod download -json github.com/google/pprof@latest 2>/dev/null |
		sed -n 's/.*"Dir": "\(.*\)".*/\1/p') || :
	if [[ $module ]]; then
		find "$module" -path '*testdata*' -type f
	else
		echo "conformance: github.com/google/pprof cannot be had here: without its test data" >&2
	fi
}

# collect: candidates that go tool pprof reads -> $work/set/NAME
collect()
{
	local file name nr=0
	rm -rf "$work/set" "$work/go"
	mkdir -p "$work/set" "$work/go"
	"$go" run tests/conformance/profiles.go "$work/go" || die "Go's own profiles cannot be made"
	candidates >"$work/candidates"
	while IFS= read -r file; do
		name=$((++nr))-$(basename "$file")
		if is_message "$file"; then
			pprof -raw "$file" >/dev/null 2>&1 && cp "$file" "$work/set/$name"
		elif pprof -proto -output "$work/set/$name.legacy" "$file" >/dev/null 2>&1; then
			legacy=$((legacy + 1))
		fi || :
	done <"$work/candidates"
}

# same NAME GO_FILE OUR_FILE [LINES]: are they the same to -raw, but for LINES (a pattern)?
same()
{
	diff <(pprof -raw "$2" 2>&1 | grep -Ev "${4:-^$}") <(pprof -raw "$3" 2>&1 | grep -Ev "${4:-^$}") \
		>"$work/$1.diff" && :
	result $? "$1"
}

# rewrite FILE: read and written again, plain and as gzip
rewrite()
{
	local name ending
	name=$(basename "$1")
	for ending in pb pb.gz; do
		if ! "$tool" rewrite "$1" "$work/out.$ending"; then
			result 1 "load.$name"
			return
		fi
		same "rewrite.$name.$ending" "$1" "$work/out.$ending"
	done
	loads=$((loads + 1))
}

# merge A B: where go tool pprof adds the two up, so do we. A time of 0 is later than any to us, but not always to it
merge()
{
	local name
	name=$(basename "$1")+$(basename "$2")
	pprof -proto -output "$work/sum.pb.gz" "$1" "$2" >/dev/null 2>&1 || return 0
	"$tool" merge "$work/out.pb.gz" "$1" "$2" || : >"$work/out.pb.gz"
	same "merge.$name" "$work/sum.pb.gz" "$work/out.pb.gz" '^Time: '
}

# difference BASE OTHER: as -diff_base makes it. It merges times, durations and periods; ours are those of OTHER
difference()
{
	local name
	name=$(basename "$2")-$(basename "$1")
	pprof -proto -output "$work/difference.pb.gz" -diff_base "$1" "$2" >/dev/null 2>&1 || return 0
	"$tool" diff "$work/out.pb.gz" "$1" "$2" || : >"$work/out.pb.gz"
	same "diff.$name" "$work/difference.pb.gz" "$work/out.pb.gz" '^(Time|Duration|Period): '
}

# built: what the builder writes, to go tool pprof and to protoc
built()
{
	local made=$work/made.pb.gz expected='main|kernel|inlined|leaf'
	"$tool" make "$made"
	[[ $(pprof -top "$made" 2>&1 | grep -Ewc "$expected") == 4 ]] && :
	result $? made.top
	pprof -raw "$made" >"$work/made.raw" 2>&1 && grep -q 'end_timestamp_ns:\[1700000000123456789\]' "$work/made.raw" &&
		grep -q 'bytes:\[-4096 bytes\]' "$work/made.raw" && grep -q 'thread name:\[worker .* 1\]' "$work/made.raw" && :
	result $? made.labels
	rewrite "$made"
}

# functions PROFILE OPTION...: those of located's programs that -top lists, with their values
functions()
{
	"$program" -top -nodefraction=0 "${@:2}" "$1" </dev/null 2>/dev/null | grep -Eo '^ *[0-9.]+ns .* (main|first|second|third)$' |
		awk '{ print $1, $NF }' | sort
}

# located: our addresses without names, against our names. pprof's own way needs debug information
located()
{
	local kind binary=$work/located.program
	printf '%s\n' 'int first(int i) { return i * 3; }' 'static __attribute__((noinline)) int second(int i) { return first(i) + i; }' \
		'int third(int i) { return second(i) ^ first(i); }' 'int main(int argc, char **argv) { return third(argc) + !argv; }' >"$binary.c"
	for kind in "-pie -fPIE" "-no-pie" "-no-pie -Wl,-z,noseparate-code" "-static" "-shared -fPIC -Wl,-Ttext-segment=0x7000000"; do
		# shellcheck disable=SC2086	# words are meant
		"${CC:-gcc}" -g -O1 -fno-inline $kind -o "$binary" "$binary.c"
		"$work/located" named "$work/named.pb" "$binary" && "$work/located" unnamed "$work/unnamed.pb" "$binary"
		functions "$work/named.pb" -symbolize=none >"$work/named"
		[[ $(wc -l <"$work/named") == 4 ]] && functions "$work/unnamed.pb" -symbolize=local | cmp -s - "$work/named" && :
		result $? "located.${kind// /}"
	done
}

mkdir -p "$work"
if [[ ! $go ]]; then
	echo "conformance: there is no Go here (Debian: golang-go): nothing is compared"
	exit 0
fi
command -v protoc >/dev/null || die "protoc is needed to tell pprof files from text: scripts/deps test"
export PPROF_TMPDIR=$work/tmp
"$go" tool pprof -h >/dev/null 2>&1 || :	# some versions build it when it is asked for
program=$("$go" tool -n pprof)
legacy=0 loads=0 previous=
collect
reads=$(find "$work/set" -type f | wc -l)
((reads)) || die "go tool pprof reads nothing of what there is"
for file in "$work"/set/*; do
	rewrite "$file"
	merge "$file" "$file"
	difference "$file" "$file"
	if [[ $previous ]]; then
		merge "$previous" "$file"
		difference "$previous" "$file"
	fi
	previous=$file
done
echo "go_reads=$reads loads=$loads of_legacy_text=$legacy"
built
located
echo "$passed passed, $failed failed"
((failed == 0))
