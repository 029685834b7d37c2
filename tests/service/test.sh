#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The service on a machine: a Debian system with systemd (scripts/rootfs) as a guest, in which it is installed from source as
# README says, started, reloaded, cut off, killed and upgraded (guest_use.sh), then, booted once more, stopped and removed
# (guest_boot.sh); then, on the host, whether what arrived is what the three services used. Takes ten minutes and more
# without KVM. Run by tests/run as the suite "service", behind `make check-service`.
# shellcheck source-path=SCRIPTDIR/../vm disable=SC2317	# functions called by check
. "$(dirname "$0")/../vm/lib.sh"

vm_build
out=$OUT/service
rm -rf "$out"
mkdir -p "$out/root/root/src/build"
rootfs=$("$TOP/scripts/rootfs") || { echo "not ok service.rootfs"; exit 1; }

# the checkout and what is built of it: make finds nothing to do but to install
cp -a "$TOP"/{Makefile,dkms.conf,collector,kmod,uapi,packaging,scripts} "$out/root/root/src/"
cp -a "$BUILD"/{opt,gen,text,ddprof,ddprofctl} "$BUILD"/libddprof*.{a,so} "$out/root/root/src/build/"
cp "$TOP"/tests/service/{guest_{lib,use,boot}.sh,receiver.py} "$BUILD/vm/shares" "$out/root/root/"

# boot SUITE SECONDS [OPTION...] -- COMMAND: what it writes to the disk is there for the next one. The seconds are for a host
# that has little time for it; each of the two builds by DKMS is then a quarter of an hour
boot()
{
	local suite=$1 seconds=$2
	shift 2
	vm_boot "$suite" --kernel-dir "$rootfs" --disk "$rootfs/root.ext4" --disk-changes "$out/disk" --mem 2048 \
		--timeout "$seconds" "$@"
}

boot service 5400 --root-tree "$out/root" -- 'bash /root/guest_use.sh'
((VM_FAILED)) || boot service_boot 1800 --get "/root/got:$out/got" --get "/root/kept:$out/kept" -- 'bash /root/guest_boot.sh'
rm -rf "$out/root" "$out/disk"

# tagged NAME: profiles of phase one that are the service's, one a line
tagged()
{
	local event
	grep -lE "service:$1[\",]" "$out"/got/one/*.event | while read -r event; do
		echo "${event%.event}.pprof"
	done
}

# cpu_ns NAME: CPU time in all of its profiles
cpu_ns()
{
	local list
	mapfile -t list < <(tagged "$1")
	((${#list[@]})) || return
	"$BUILD/ddprofctl" merge -o "$out/$1.pprof" "${list[@]}" &&
		"$BUILD/ddprofctl" convert "$out/$1.pprof" "$out/$1.collapsed" &&
		awk '{ n += $NF } END { printf "%.0f\n", n }' "$out/$1.collapsed"
}

# nothing was lost over reloads, an outage and a restart: of each run, which has an id, every interval's profile is there once
arrived()
{
	local list
	mapfile -t list < <(tagged "$1")
	sed -n 's/.*runtime-id:\([^,]*\),profile_seq:\([0-9]*\).*/\1 \2/p' "${list[@]/%pprof/event}" | awk '
	{ runs[$1]; n++; seen[$1, $2]++; if ($2 > last[$1]) last[$1] = $2 }
	END {
		for (id in runs)
			for (i = 0; i <= last[id]; i++)
				if (seen[id, i] != 1) {
					print "profile " i " of run " id " arrived " seen[id, i] + 0 " times"
					bad = 1
				}
		exit bad || !n
	}'
}

# share NAME: of the CPU time of the three, used and in profiles. Not the time itself: where the host takes the CPU away,
# the guest counts that as used
share()
{
	local service
	for service in shop billing mailer; do
		echo "$service $(awk -v unit="$service" '$1 == unit { print $2 }' "$out/kept/used_ns") $(cpu_ns "$service")"
	done | awk -v name="$1" '
	{ used += $2; got += $3; if ($1 == name) { my_used = $2; my_got = $3 } }
	END {
		if (!used || !got || !my_got)
			exit 1
		printf "%s: %.1f %% used, %.1f %% in profiles\n", name, 100 * my_used / used, 100 * my_got / got
		ratio = my_got / got / (my_used / used)
		exit !(ratio > 0.9 && ratio < 1.1)
	}'
}

names()
{
	grep -q 'round_of_work;share_40' "$out/$1.collapsed"
}

for service in shop billing mailer; do
	check "service.$service: every profile arrives once" arrived "$service"
	check "service.$service: it has its share of CPU time" share "$service"
	check "service.$service: its functions have names" names "$service"
done
check "service.kernel functions have names" grep -qE 'asm_sysvec|do_syscall_64|entry_SYSCALL' "$out"/{shop,billing,mailer}.collapsed
check "service.environment and version are the process's" sh -c 'grep -h service:shop "$@" | grep env:prod | grep -q version:1.2' \
	sh "$out"/got/one/*.event
dmesg_clean service
dmesg_clean service_boot
finish
