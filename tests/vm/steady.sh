# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# In the guest: keeps the kernel from patching its own code at every START and end of a session. Registering the first or
# second probe of a tracepoint rewrites instructions that the other CPU may be running just then; QEMU before 8.1 with one
# thread a CPU can miss such a change and spin on the stale instruction for ever, which looks like a lockup of
# ours. With two other probes on each tracepoint (ftrace's, in two instances, recording nothing) a third one
# only changes a pointer. For tests that begin hundreds of sessions while processes come and go.

# steady_tracepoints [EVENT...]: those of every session, and these, as sched/sched_switch
steady_tracepoints() {
	[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing || return
	mkdir -p /sys/kernel/tracing/instances/second
	for tracing in /sys/kernel/tracing /sys/kernel/tracing/instances/second; do
		echo 0 >$tracing/tracing_on
		for event in sched/sched_process_fork sched/sched_process_exec sched/sched_process_exit task/task_rename "$@"; do
			echo 1 >"$tracing/events/$event/enable" || return
		done
	done
}
