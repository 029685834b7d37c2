#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The collector against the world: an agent that takes uploads, one that answers 500, none at all; a second collector, a killed
# one, no module. The command that is profiled must never notice.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
vm_folder upload
build_agent
build_check_profile

vm_boot upload --program "$out/agent" --file "$TOP/tests/vm/upload_guest.sh:/lib/upload_guest.sh" \
	--file "$TOP/tests/commands/unnoticed.sh:/lib/unnoticed.sh" \
	--get "/tmp/upload:$out/guest" -- 'sh /lib/upload_guest.sh'

got=$out/guest/good
check "upload: the request is well-formed" test -s "$got/0.head" -a ! -e "$got/0.error"
check "upload: it goes where profiles go" grep -q '^POST /profiling/v1/input' "$got/0.head"
# shellcheck disable=SC2016	# that shell expands it
check "upload: its event names service, environment and version" \
	sh -c 'grep -q "service:uploaded" "$1" && grep -q "env:testing" "$1" && grep -q "version:1.2.3" "$1" &&
	       grep -q "color:green" "$1"' sh "$got/0.event"
profile=$(find "$got" -name '0.*pprof*' -o -name '0.*profile*' 2>/dev/null | sed -n 1p)
check "upload: the profile in it can be read" "$out/check_profile" "${profile:-none}" --process shares share main 100 10
for how in refused busy; do
	check "upload $how: --output is written nevertheless" \
		profile "$how" --process shares share main 100 10
done
check "SIGTERM: what was sampled is written" profile term --process shares share main 100 10
check "after a killed collector: a new one profiles" profile next --process shares share main 100 10
dmesg_clean upload
finish
