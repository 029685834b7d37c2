#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The service on a machine: a Debian system with systemd (scripts/rootfs) as a guest, in which it is installed from source as
# README says, started, reloaded, cut off, killed, upgraded and removed (guest.sh); then, on the host, whether what
# arrived is what the three services used. Takes ten minutes and more without KVM. Run by tests/run as the suite
# "service", behind `make check-service`.
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
cp "$TOP"/tests/service/{guest.sh,receiver.py} "$TOP/tests/vm/tap.sh" "$BUILD/vm/shares" "$out/root/root/"

vm_boot service --kernel-dir "$rootfs" --disk "$rootfs/root.ext4" --root-tree "$out/root" --mem 2048 --timeout 2400 \
	--get "/root/got:$out/got" --get "/root/kept:$out/kept" -- 'bash /root/guest.sh'
rm -rf "$out/root"

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
		awk '{ n += $NF } END { printf "%d\n", n }' "$out/$1.collapsed"
}

# all that the service used was sampled and arrived, over reloads, an outage and a restart
arrived()
{
	local got used
	got=$(cpu_ns "$1") || { echo "no profile of $1"; return 1; }
	used=$(awk -v unit="$1" '$1 == unit { print $2 }' "$out/kept/used_ns")
	echo "$1 used $used ns, in profiles there are $got"
	awk -v got="$got" -v used="$used" 'BEGIN { exit !(used && got / used > 0.95 && got / used < 1.05) }'
}

names()
{
	grep -q 'round_of_work;share_40' "$out/$1.collapsed"
}

for service in shop billing mailer; do
	check "service.$service: what it used is what arrived" arrived "$service"
	check "service.$service: its functions have names" names "$service"
done
check "service.kernel functions have names" grep -qE 'asm_sysvec|do_syscall_64|entry_SYSCALL' "$out"/{shop,billing,mailer}.collapsed
check "service.environment and version are the process's" sh -c 'grep -h service:shop "$@" | grep env:prod | grep -q version:1.2' \
	sh "$out"/got/one/*.event
dmesg_clean service
finish
