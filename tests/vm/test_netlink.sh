#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Wrong input to every netlink command, wrong rights, ten thousand random messages, and hundreds of sessions that must give
# their memory back. The kernel log may have generic netlink's own remarks about malformed attributes,
# nothing else.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
vm_boot netlink -- '
	. /lib/tap.sh
	. /lib/steady.sh
	steady_tracepoints
	check netlink.load insmod /modules/ddprof_kmod.ko
	run netlink nl_wrong
	run netlink nl_wrong_tables
	run netlink nl_caps
	run netlink nl_fuzz 20240229 12000
	run netlink nl_leak 500
	run netlink nl_caps lockdown
	check netlink.unload rmmod ddprof_kmod
'
dmesg_clean netlink
finish
