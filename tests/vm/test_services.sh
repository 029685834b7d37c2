#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole machine, one upload a service: programs that say their service in their environment, one of a unit, one in a
# container, and many that live for 30 ms. Each upload has its own tags and its own samples.
# shellcheck disable=SC2317	# functions are called by their names
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
vm_folder services
build_agent
build_check_profile

vm_boot services --program "$out/agent" --file "$TOP/tests/vm/services_guest.sh:/lib/services_guest.sh" \
	--get "/tmp/services:$out/guest" -- 'sh /lib/services_guest.sh'

got=$out/guest/got
container=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# event_of SERVICE: the file of its one upload's event
event_of()
{
	local found
	found=$(grep -l "\bservice:$1[,\"]" "$got"/*.event)
	[[ $found && $found != *$'\n'* ]] && echo "$found"
}

# tags SERVICE TAG...: there is one upload of it, and it has these tags
tags()
{
	local event tag
	event=$(event_of "$1") || { echo "not one upload of $1, but of: $(grep -ho 'service:[^,"]*' "$got"/*.event | xargs)"; return 1; }
	shift
	for tag; do
		grep -q "[,\"]${tag}[,\"]" "$event" || { echo "no $tag in: $(cat "$event")"; return 1; }
	done
}

# no_tag SERVICE TAG
no_tag()
{
	! grep -q "[,\"]$2:" "$(event_of "$1")"
}

# profile_of SERVICE CHECK...: what check_profile says of its profile
profile_of()
{
	local event
	event=$(event_of "$1") || return 1
	shift
	"$out/check_profile" "${event%.event}.profile.pprof" "$@"
}

# amount SERVICE FILE...: it has samples of the program, and no more than it took CPU time, by 499 a second and 15 %. A host under load
# misses timers, so that there may be far fewer.
amount()
{
	local service=$1 ns
	shift
	ns=$(awk '{ n += $1 } END { printf "%.0f", n }' "$@")
	profile_of "$service" --process shares samples 10 $((ns * 574 / 1000000000 + 20))
}

# late_profile: one of the files has what ended long before it was written
late_profile()
{
	local file
	for file in "$out"/guest/late/*.pprof; do
		"$out/check_profile" "$file" comment 'service: early' >/dev/null || continue
		"$out/check_profile" "$file" --process shares samples 10 1000000
		return
	done
	ls -l "$out/guest/late"
	return 1
}

check "services: DD_SERVICE" tags shop env:prod version:1.2.3 team:red profile_seq:0
check "services: DD_SERVICE, its samples" amount shop "$out"/guest/shop.ns
check "services: OTEL_SERVICE_NAME" tags cart env:a_b version:7 team:red
check "services: OTEL_SERVICE_NAME, its samples" amount cart "$out"/guest/cart.ns
check "services: a unit" tags web env:default-env
check "services: a unit, its samples" amount web "$out"/guest/web.ns
check "services: a container" tags "container-${container:0:12}" "container_id:$container" \
	pod_uid:8ef80ba9-4a5f-4c34-9a5e-6b8f1ad3c7de
check "services: a container, its samples" amount "container-${container:0:12}" "$out"/guest/container.ns
check "services: a container, every sample has its label" profile_of "container-${container:0:12}" values container_id 1
check "services: a container, a header for the agent" sh -c \
	"grep -q '^datadog-container-id: $container' \$(grep -l 'service:container-' $got/*.event | sed 's/event$/head/')"
check "services: a container's tag is on nobody else" no_tag shop container_id
check "services: many that live for a moment" tags brief
check "services: many that live for a moment, their samples" amount brief "$out"/guest/brief.*.ns
check "services: of many there are many" profile_of brief --process shares values process_id 10
check "services: the kernel" tags kernel
check "services: what the rules rename" tags shell
check "services: what the rules leave out" sh -c "! grep -q '[,\"]service:agent[,\"]' $got/*.event"
check "services: every service has a runtime-id of its own" sh -c \
	"grep -ho 'runtime-id:[^,\"]*' $got/*.event | sort | uniq -d | { ! grep .; }"
check "services: in a PID namespace, by name" sh -c "grep -q '[,\"]service:shares[,\"]' $got/*.event && ! grep -q service:unseen $got/*.event"
check "services: in a PID namespace with the machine's /proc" tags inside
check "services: a full disk: what was sampled before is written" late_profile
dmesg_clean services
finish
