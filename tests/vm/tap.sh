# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# In the guest, for any POSIX shell: one TAP line a test case.

# check NAME COMMAND...: ok when the command succeeds; what it says goes under a failed case
check() {
	tap_name=$1
	shift
	if tap_said=$("$@" 2>&1); then
		echo "ok $tap_name"
	else
		echo "not ok $tap_name"
		echo "$tap_said" | sed 's/^/# /'
	fi
}

# run SUITE PROGRAM [ARG...]: a program that prints its own lines and ends with 0, or 1 when a case failed; any other end is a
# failure of its own, or a crash in the middle would look like fewer cases
run() {
	tap_suite=$1
	shift
	tap_rc=0
	"$@" || tap_rc=$?
	[ $tap_rc -le 1 ] || echo "not ok $tap_suite.$* ended with status $tap_rc"
}
