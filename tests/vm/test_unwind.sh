#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Stacks of code without frame pointers, walked by unwind tables from end to end: programs made for it, whose stacks are
# known, and the distribution's own, of which so many percent have to reach the root. The machine counts instructions as
# time, so that a busy host does not change what is sampled. The long form with figures is `make bench-coverage`.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$TOP/tests/bench/coverage_files.sh"

vm_build
vm_folder unwind
build_check_profile
# deleted binaries that live 20 to 50 ms, as in test_truth.sh, but without frame pointers; static ones, for on a slow
# machine the dynamic linker would need all of that time
"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -O2 -fomit-frame-pointer -fno-inline -static "$TOP/tests/vm/guest/swarm.c" \
	-o "$out/unwind_swarm"

distribution_files "$out/root" python perl c
mkdir -p "$out/root/load"
cp "$TOP"/tests/bench/targets/work.{py,sh,pl} "$out/root/load/"
install -m 755 "$TOP/tests/bench/coverage_load.sh" "$out/root/load/load.sh"

vm_boot unwind --icount "${distribution[@]}" --mem 2048 --program "$out/unwind_swarm" \
	--file "$TOP/tests/vm/unwind_guest.sh:/unwind_guest.sh" --get "/tmp/unwind:$out/guest" -- \
	bash /unwind_guest.sh

check "unwind.signal: the handler is called by the signal's frame, on what was interrupted" \
	profile signal below burn_in_handler be_interrupted
check "unwind.signal: and the stack goes on to main" profile signal below burn_in_handler main
check "unwind.signal: through the deep code" profile signal --with burn_in_handler below be_interrupted descend_wide
check "unwind.signal: out to the start" profile signal --with burn_in_handler below main _start
check "unwind.clock: the vdso is named" profile clock --process unwind_clock named '[vdso]'
check "unwind.clock: its stacks reach the root" profile clock --process unwind_clock rooted 99
check "unwind.clock: by way of main" profile clock --process unwind_clock below read_clocks _start
check "unwind.jit: code below made code is walked" profile jit --process unwind_jit next native_work interpret 99
check "unwind.jit: made code and its callers as well" profile jit --process unwind_jit below native_work main
check "unwind.jit: stacks reach the root" profile jit --process unwind_jit rooted 99
check "unwind.swarm: short-lived processes are named" profile swarm --process 'short_*' values process_name 38
check "unwind.swarm: deleted binaries' functions too" profile swarm --process 'short_*' named 'short_*'
check "unwind.swarm: their stacks are complete" profile swarm --process 'short_*' below short_burn _start
check "unwind.swarm: and reach the root" profile swarm --process 'short_*' rooted 97
# stripped programs: only what they export has a name
check "unwind.distribution: Python's interpreter is called by its main" \
	profile machine --process python3 --with Py_RunMain below _PyEval_EvalFrameDefault __libc_start_main
check "unwind.distribution: bash's commands by its main" \
	profile machine --process bash --with reader_loop below execute_command_internal main
check "unwind.distribution: Perl's by the start" profile machine --process perl below perl_run __libc_start_main
check "unwind.distribution: the compiler's functions by its main" \
	profile machine --process cc1 --with __libc_start_main below "c_parse_file()" "toplev::main(int, char**)"
for program in python3 bash perl; do
	check "unwind.distribution: $program's stacks reach the root" profile machine --process $program rooted 97
done
dmesg_clean unwind
finish
