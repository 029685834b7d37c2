#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The sampling path in real NMI context on top of timer samples: see tests/vm/ddprof_nmi_test/nmi.c, which sends the NMIs,
# and tests/vm/guest/nmi_check.c, which holds what arrives against what was sent.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

vm_build
# an NMI handler that the host's scheduler interrupts takes long: that is not the guest's fault
vm_boot nmi -- '
	. /lib/tap.sh
	echo 10000000000 >/sys/kernel/debug/x86/nmi_longest_ns
	check nmi.load insmod /modules/ddprof_nmi_test.ko
	run nmi nmi_check 6000 1500
	check nmi.unload rmmod ddprof_nmi_test
'
dmesg_clean nmi
finish
