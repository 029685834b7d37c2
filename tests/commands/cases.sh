# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Runs the cases of a suite of tests/commands, which are its functions named in $cases: each in a shell and a folder of its
# own, where the first command that fails ends it; a TAP line each. A suite sources this as its last words. Where it has a
# function "prepare", that makes what its cases need in the folder.
if (($#)); then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	chmod 755 "$work"
	cd "$work" || exit
	! declare -F prepare >/dev/null || prepare
	trap 'echo "failed: $BASH_COMMAND"' ERR
	"$1"
	exit
fi

bad=0
# shellcheck disable=SC2154	# the suite's
for name in "${cases[@]}"; do
	if output=$(bash -E "$0" "$name" 2>&1); then
		echo "ok $name"
	else
		echo "not ok $name"
		# shellcheck disable=SC2001	# of each line
		sed 's/^/# /' <<<"$output"
		bad=1
	fi
done
exit "$bad"
