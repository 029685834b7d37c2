# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the VM suites (tests/vm/test_*.sh) share. A suite sources this, builds what it needs with `vm_build`, boots
# with `vm_boot`, and prints TAP lines ("ok NAME" or "not ok NAME"), from the guest or by `check` on the host. It ends
# with `finish`. tests/run runs it with BUILD set and keeps what it prints.
#
#	. "$(dirname "$0")/lib.sh"
#	vm_build
#	vm_boot SUITE [scripts/vm options] -- 'command line for the guest'
#	dmesg_clean SUITE
#	finish
#
# Inside the guest: the commands and every program of tests/vm/guest are in /bin, the modules (ddprof_kmod.ko and the
# test-only ones) in /modules and not loaded; /lib has tap.sh (`check` and `run`), collector.sh and steady.sh.
set -euo pipefail

TOP=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
BUILD=$(readlink -m "${BUILD:-$TOP/build}")
OUT=$BUILD/check/vm	# what guests leave: SUITE.dmesg and what a suite asks for with --get
VM_FAILED=0
mkdir -p "$OUT"

# check NAME COMMAND...: ok when the command succeeds; what it says goes under a failed case
check()
{
	local name=$1 said
	shift
	if said=$("$@" 2>&1); then
		echo "ok $name"
	else
		echo "not ok $name"
		# shellcheck disable=SC2001	# a mark before every line
		[[ ! $said ]] || sed 's/^/# /' <<<"$said"
		VM_FAILED=1
	fi
}

# vm_build: everything that a guest may want; tests/run has done it, a suite run by hand has not
vm_build()
{
	"${MAKE:-make}" -s -C "$TOP" BUILD="$BUILD" userspace vm-module vm-programs >&2
}

# vm_boot SUITE [OPTION...] -- COMMAND: boots with everything inside; the guest's TAP lines go to our output
vm_boot()
{
	local suite=$1 args=() file rc=0
	shift
	rm -f "$OUT/$suite.dmesg" # no judgement of an earlier run's
	while (($#)) && [[ $1 != -- ]]; do
		args+=("$1")
		shift
	done
	shift
	for file in "$BUILD"/ddprof "$BUILD"/ddprofctl "$BUILD"/vm/*; do
		[[ ! -f $file || ! -x $file || $file == *.* ]] || args+=(--program "$file")
	done
	for file in "$BUILD"/vm/*.ko; do
		args+=(--file "$file:/modules/$(basename "$file")")
	done
	for file in tap collector steady; do
		args+=(--file "$TOP/tests/vm/$file.sh:/lib/$file.sh")
	done
	"$TOP/scripts/vm" --dmesg "$OUT/$suite.dmesg" \
		"${args[@]}" -- "$@" || rc=$?
	if ((rc)); then
		echo "not ok $suite.guest ended with status $rc"
		VM_FAILED=1
	fi
}

# vm_folder SUITE: sets $out, an empty folder; what is brought back from guests goes to $out/guest
vm_folder()
{
	out=$OUT/$1
	rm -rf "$out"
	mkdir -p "$out"
}

# build_check_profile: $out/check_profile, of tests/vm/check_profile.c
build_check_profile()
{
	# shellcheck disable=SC2046	# words are meant
	"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -I"$TOP/collector/lib/include" \
		"$TOP/tests/vm/check_profile.c" "$BUILD/libddprof.a" -o "$out/check_profile" \
		$(pkg-config --libs liblz4 libprotobuf-c zlib libzstd) -pthread
}

# profile NAME [--value TYPE] [--process P] [--thread T] [--with F] CHECK [ARG...]: about $out/guest/NAME.pprof
profile()
{
	local name=$1
	shift
	"$out/check_profile" "$out/guest/$name.pprof" "$@"
}

# build_agent: $out/agent, of tests/vm/agent.c
build_agent()
{
	"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -I"$TOP" "$TOP/tests/vm/agent.c" "$TOP/tests/unit/receiver.c" \
		-o "$out/agent" -pthread
}

# dmesg_clean SUITE: the guest's kernel log has no complaint, neither the kernel's nor ours
dmesg_clean()
{
	check "$1.dmesg_clean" no_complaint "$OUT/$1.dmesg"
}

no_complaint()
{
	local kernel='WARNING|BUG|Oops|Call Trace|[Ll]ockup|general protection|scheduling while atomic|refcount_t'
	local checkers='UBSAN|KASAN|kmemleak: [0-9]|possible (recursive|circular) locking|(inconsistent|suspicious) (lock|RCU)'
	local state='rcu.*(stall|detected)|list_(add|del) corruption|unregister_netdevice'
	local ours='ddprof.*([Ee]rror|[Ff]ail|leak)'

	[[ -s $1 ]] || { echo "no kernel log in $1"; return 1; }
	# a module that is not signed is said to have "failed verification"; that is all right here
	! grep -v 'module verification failed' "$1" | grep -E "$kernel|$checkers|$state|$ours"
}

finish()
{
	exit "$VM_FAILED"
}
