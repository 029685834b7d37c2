#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libddprof as those get it who depend on it: `make install` into a folder of its own, what lies there, what the library
# exports, headers alone in each C and C++, and examples/ built against it by pkg-config, with the shared library and
# with the static one, run, and their files read by protoc. What programs that are linked with the shared library rely on
# is in abi.txt. A line a test case; run by tests/run as the suite "install". Needs
# what `make userspace BUILD/bench/lib_day` builds.
# shellcheck disable=SC2317	# test cases are called by check()
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$(readlink -m "${BUILD:-build}")
work=$build/install
root=$work/root
prefix=/opt/ddprof libdir=/opt/ddprof/lib64
lib=$root$libdir
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
export LD_LIBRARY_PATH=$lib
rm -rf "$work"
mkdir -p "$work/shared" "$work/static"

# check NAME COMMAND...: one test case; what the command says is shown when it fails
failed=0
check()
{
	local name=$1 said
	shift
	if said=$("$@" 2>&1); then
		echo "ok $name"
	else
		echo "not ok $name"
		printf '%s\n' "$said" | tail -n 20 | sed 's/^/# /'
		failed=1
	fi
}

# same WHAT EXPECTED GOT
same()
{
	[[ $2 == "$3" ]] || { echo "$1: expected"; echo "$2"; echo "got"; echo "$3"; return 1; }
}

# where programs find what was installed, and nothing else
pkg_config() { env -u PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_LIBDIR="$lib/pkgconfig" pkg-config "$@"; }

make_() { "${MAKE:-make}" -s BUILD="$build" DESTDIR="$root" PREFIX="$prefix" LIBDIR="$libdir" "$@"; }

# the library alone, as somebody does who may write to PREFIX and nowhere else
installs_the_libraries_alone()
{
	local home=$work/home
	"${MAKE:-make}" -s BUILD="$build" PREFIX="$home" install-lib || return
	same "folders" "include include/ddprof lib lib/pkgconfig " \
		"$(cd "$home" && find . -mindepth 1 -type d -printf '%P\n' | sort | tr '\n' ' ')" || return
	same "pkg-config" "-I$home/include -L$home/lib -lddprof" \
		"$(PKG_CONFIG_PATH="$home/lib/pkgconfig" pkg-config --cflags --libs libddprof | xargs)" || return
	mkdir -p "$work/elsewhere"
	PKG_CONFIG_PATH="$home/lib/pkgconfig" "${MAKE:-make}" -s -C examples OUT="$work/elsewhere" \
		LDFLAGS="-Wl,-rpath,$home/lib" "$work/elsewhere/write_profile" || return
	env -u LD_LIBRARY_PATH "$work/elsewhere/write_profile" "$work/elsewhere/shop.pprof" || return
	"${MAKE:-make}" -s BUILD="$build" PREFIX="$home" uninstall-lib || return
	same "files left" "" "$(find "$home" -not -type d)"
}

installs()
{
	make_ install || return
	same "headers" "$(cd collector/lib/include/ddprof && ls -- *.h)" "$(ls "$root$prefix/include/ddprof")" || return
	same "libraries" "$(printf '%s\n' {libddprof,libddprof-export}{.a,.so,.so.1,.so."$version"} pkgconfig | sort)" \
		"$(find "$lib" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort)" || return
	same "links" "libddprof.so.$version libddprof-export.so.$version" \
		"$(readlink -f "$lib"/libddprof{,-export}.so | xargs -n 1 basename | xargs)" || return
	same "texts" "share/bash-completion/completions/ddprof share/bash-completion/completions/ddprofctl \
share/doc/ddprof/ddprof.conf share/man/man8/ddprof.8 share/man/man8/ddprofctl.8 share/zsh/site-functions/_ddprof \
share/zsh/site-functions/_ddprofctl" "$(cd "$root$prefix" && find share -type f | sort | xargs)" || return
	diff "$root$prefix/share/doc/ddprof/ddprof.conf" "$root/etc/ddprof/ddprof.conf" || return
	same "commands" "ddprof ddprofctl " "$(cd "$root$prefix/bin" && printf '%s ' *)" || return
	same "file modes" "644 644 644 755 755" "$(stat -Lc %a "$root$prefix/include/ddprof/io.h" "$lib"/*.a \
		"$lib"/*.so | xargs)"
}

# dynamic LIBRARY TAG
dynamic()
{
	readelf -d "$lib/$1.so" | sed -n "s/.*($2).*\[\(.*\)\]/\1/p"
}

# needs LIBRARY NAMES
needs()
{
	same "what $1 needs, and no more" "$2" \
		"$(dynamic "$1" NEEDED | sed 's/\.so.*//' | grep -v '^ld-linux' | LC_ALL=C sort | xargs)"
}

are_shared_libraries()
{
	same "soname" libddprof.so.1 "$(dynamic libddprof SONAME)" || return
	same "soname" libddprof-export.so.1 "$(dynamic libddprof-export SONAME)" || return
	needs libddprof "libc liblz4 libm libprotobuf-c libz libzstd" || return
	needs libddprof-export "libc libcurl libddprof libprotobuf-c"
}

# functions_of HEADER...: declared ones, a name before a bracket, without comments
functions_of()
{
	local header
	for header in "$@"; do
		gcc -E -P -I"$root$prefix/include" "$root$prefix/include/ddprof/$header" | grep -oE '\bddp_[a-z0-9_]+ ?\(' |
			tr -d ' ('
	done | LC_ALL=C sort -u
}

# exported_as NODE NAMES: each with its symbol version
exported_as()
{
	local name
	for name in $2; do
		echo "$name@@$1"
	done
}

# headers of libddprof-export; all others are libddprof's
EXPORT_HEADERS=(exporter.h sender.h)

# exported LIBRARY
exported() { nm -D --defined-only "$lib/$1.so" | awk '$2 != "A" { print $3 }' | LC_ALL=C sort; }

# a header includes others: what is declared there is theirs
exports_what_headers_declare()
{
	local all own others header headers=()
	for header in "$root$prefix"/include/ddprof/*.h; do
		header=$(basename "$header")
		[[ " ${EXPORT_HEADERS[*]} " == *" $header "* ]] || headers+=("$header")
	done
	others=$(functions_of "${headers[@]}")
	all=$(functions_of "${headers[@]}" "${EXPORT_HEADERS[@]}")
	own=$(LC_ALL=C comm -13 <(echo "$others") <(echo "$all"))
	[[ $others == *ddp_version* && $own == *ddp_exporter_send* ]] || { echo "declared: $all"; return 1; }
	same "functions" "$(exported_as LIBDDPROF_1 "$others")" "$(exported libddprof)" || return
	same "functions" "$(exported_as LIBDDPROF_EXPORT_1 "$own")" "$(exported libddprof-export)"
}

# what abi.txt holds: functions with their version, and sizes of the structs that callers fill in or read
abi()
{
	local structs
	exported libddprof
	exported libddprof-export
	structs=$(sed -n 's/^struct \(ddp_[a-z_]*\) {$/\1/p' "$root$prefix"/include/ddprof/*.h | sort)
	{
		printf '#include "%s"\n' stdio.h "$root$prefix"/include/ddprof/*.h
		printf '%s\n' '#define SIZE(name) printf("struct %s %zu\n", #name, sizeof(struct name));' 'int main(void) {'
		# shellcheck disable=SC2086	# words are meant
		printf 'SIZE(%s)\n' $structs
		echo 'return 0; }'
	} >"$work/abi.c"
	gcc -I"$root$prefix/include" -o "$work/abi" "$work/abi.c" && "$work/abi"
}

# New functions may come; what was there stays as it is, or the number in the soname goes up and abi.txt is made anew
keeps_what_programs_rely_on()
{
	abi | sort >"$work/abi.txt" || return
	sort tests/install/abi.txt | comm -23 - "$work/abi.txt" >"$work/abi.gone"
	same "gone or changed since abi.txt" "" "$(<"$work/abi.gone")" || return
	same "to be added to abi.txt, as in $work/abi.txt" "" "$(sort tests/install/abi.txt | comm -13 - "$work/abi.txt")"
}

static_libraries_keep_to_their_prefix()
{
	local names
	names=$(nm -g --defined-only "$lib"/*.a | awk 'NF == 3 { print $3 }') || return
	grep -q '^ddp_version$' <<<"$names" || return
	grep -q '^ddp_exporter_send$' <<<"$names" || return
	same "other names" "" "$(grep -v '^ddp_' <<<"$names")"
}

headers_stand_alone()
{
	local header language standard compiler
	for header in "$root$prefix"/include/ddprof/*.h; do
		for language in 'c c99' 'c c11' 'c gnu17' 'c++ c++11' 'c++ c++17' 'c++ c++20'; do
			read -r language standard <<<"$language"
			for compiler in gcc clang; do
				type -P "$compiler" >/dev/null || continue
				printf '#include "%s"\n#include "%s"\n' "$header" "$header" | "$compiler" -x "$language" \
					-std="$standard" -pedantic -Wall -Wextra -Wconversion -Werror -fsyntax-only \
					-I"$root$prefix/include" - || return
			done
		done
	done
}

knows_its_version()
{
	same "pkg-config" "$version" "$(pkg_config --modversion libddprof)" || return
	same "flags" "-I$root$prefix/include -L$lib -lddprof" "$(pkg_config --cflags --libs libddprof | xargs)" || return
	printf '#include <stdio.h>\n#include <ddprof/io.h>\nint main(void) { return puts(ddp_version()) < 0; }\n' \
		>"$work/version.c"
	# shellcheck disable=SC2046	# words are meant
	gcc -o "$work/version" "$work/version.c" $(pkg_config --cflags --libs libddprof) || return
	same "ddp_version()" "$version" "$("$work/version")"
}

examples_build()
{
	local bin=$1
	shift
	PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$lib/pkgconfig "${MAKE:-make}" -s -C examples OUT="$bin" \
		CFLAGS='-O1 -Wall -Wextra -Werror' CXXFLAGS='-O1 -Wall -Wextra -Werror' "$@"
}

static_examples_need_no_library()
{
	examples_build "$work/static" STATIC=1 || return
	! readelf -d "$work"/static/* | grep libddprof || return
	LD_LIBRARY_PATH='' "$work/static/write_profile" "$work/static.pprof"
}

decoded() { protoc --decode=perftools.profiles.Profile --proto_path=collector/lib profile.proto; }

writes_a_profile()
{
	local text
	"$work/shared/write_profile" "$work/shop.pprof" || return
	text=$(gzip -dc "$work/shop.pprof" | decoded) || return
	same "samples" 2 "$(grep -c '^sample {' <<<"$text")" || return
	same "values" "2 20202020 1 10101010" "$(sed -n 's/^  value: //p' <<<"$text" | xargs)" || return
	same "functions" 2 "$(grep -c '^function {' <<<"$text")" || return
	same "mappings" 1 "$(grep -c '^mapping {' <<<"$text")" || return
	same "period" 10101010 "$(sed -n 's/^period: //p' <<<"$text")" || return
	grep -q '^string_table: "/usr/bin/shop"' <<<"$text"
}

adds_files_up()
{
	same "twice the same file" "$(printf '%s\n' 'total 60606060 nanoseconds of cpu-time' '    40404040  66.7% parse' \
		'    20202020  33.3% main')" "$("$work/shared/top" "$work/shop.pprof" "$work/shop.pprof")"
}

refuses_a_broken_file()
{
	local said status=0
	head -c 100 "$work/shop.pprof" >"$work/cut.pprof"
	said=$("$work/shared/top" "$work/cut.pprof" 2>&1) || status=$?
	same "status" 1 "$status" || return
	[[ $said == "top: $work/cut.pprof: "?* ]] || { echo "said: $said"; return 1; }
}

# the estimate of what was allocated is within 10 % of what was; the sequence of samples is fixed
samples_its_allocations()
{
	local truth estimate
	mkdir -p "$work/allocations"
	"$work/shared/allocations" "$work/allocations" >"$work/truth" || return
	cat "$work/truth"
	truth=$(awk '{ print $4 }' "$work/truth")
	"$work/shared/top" "$work"/allocations/*.pprof | tee "$work/estimate" || return
	estimate=$(awk '/^total/ { print $2 }' "$work/estimate")
	((estimate * 10 > truth * 9 && estimate * 10 < truth * 11)) || return
	for name in "$work"/allocations/*.pprof; do
		gzip -dc "$name" | decoded || return
	done >"$work/allocations.txt"
	grep -q '"end_timestamp_ns"' "$work/allocations.txt" && grep -q '"read_image"' "$work/allocations.txt"
}

uploads()
{
	local agent=$work/agent pid i status=0
	mkdir -p "$agent"
	python3 tests/install/agent.py "$agent" &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		[[ ! -e $agent/port ]] || break
		sleep 0.1
	done
	"$work/shared/allocations" "$agent" "http://127.0.0.1:$(<"$agent/port")" || status=1
	kill "$pid"
	((status == 0)) || return
	same "path" /profiling/v1/input "$(head -n 1 "$agent/upload-1")" || return
	grep -aq 'filename="event.json"' "$agent/upload-1" && grep -aq service:allocations "$agent/upload-1" &&
		grep -aq 'filename="profile.pprof"' "$agent/upload-1"
}

# ERROR DIR [URL]: what does not get out is an error with its reason, and its samples are counted
loses_nothing_in_silence()
{
	local said status=0 error=$1 lost
	shift
	said=$("$work/shared/allocations" "$@" 2>"$work/lost.errors") || status=$?
	same "status" 1 "$status" || return
	grep -qF "$error" "$work/lost.errors" || { cat "$work/lost.errors"; return 1; }
	lost=${said##*lost }
	((${lost% samples} > 100)) || { echo "said: $said"; return 1; }
}

# a short day of a profiler that embeds it: 200 intervals
memory_stays_flat() { "$build/bench/lib_day" 200 1000; }

leaves_nothing_behind()
{
	[[ -e $root$prefix/include/ddprof/io.h ]] || { echo "nothing was installed"; return 1; }
	make_ uninstall || return
	same "files" "" "$(find "$root" -not -type d)"
}

check "make install puts everything in its place" installs
((!failed)) || exit 1	# nothing to look at
check "make install-lib installs the libraries alone, for programs that know where it is" installs_the_libraries_alone
check "the shared libraries have their names and need only what they use" are_shared_libraries
check "they export exactly what the headers declare" exports_what_headers_declare
check "programs that are linked with them keep running" keeps_what_programs_rely_on
check "the static libraries define no name but ddp_*" static_libraries_keep_to_their_prefix
check "each header alone is good C99 and C++11, without a warning" headers_stand_alone
check "pkg-config and the library agree on the version" knows_its_version
check "examples build with the shared libraries" examples_build "$work/shared"
check "examples build with the static libraries and run without the others" static_examples_need_no_library
check "write_profile writes what protoc reads" writes_a_profile
check "top adds two files up" adds_files_up
check "top refuses a file that is cut short" refuses_a_broken_file
check "allocations estimates what it allocated" samples_its_allocations
check "allocations uploads to an agent" uploads
check "allocations fails where it cannot write, and says why" loses_nothing_in_silence \
	"cannot write $work/nowhere/allocations-1.pprof: No such file or directory" "$work/nowhere"
check "allocations fails where there is no agent" loses_nothing_in_silence \
	"http://127.0.0.1:1/profiling/v1/input" "$work" http://127.0.0.1:1
check "memory stays flat over 200 resets" memory_stays_flat
check "make uninstall leaves nothing behind" leaves_nothing_behind
exit "$failed"
