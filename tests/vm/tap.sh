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
