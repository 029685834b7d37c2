# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What a command can see of how it was started, from inside: `sh unnoticed.sh see FILE` writes it to FILE.
# `sh unnoticed.sh compare PREFIX...` starts that twice, once behind PREFIX (ddprof and its options), and fails with what
# differs; it must be nothing. Run by test_ddprof.sh where there is no module, by tests/vm where there is one.
see() {
	# of a child, for a shell blocks signals while it starts one: signals, rights, CPUs
	grep -E '^(Umask|TracerPid|Uid|Gid|Groups|SigBlk|SigIgn|Cap...|NoNewPrivs|Seccomp|Cpus_allowed):' /proc/self/status
	grep -E '^(Pid|PPid|SigCgt):' /proc/$$/status
	# process group, session, terminal, niceness
	sed 's/.*) //' /proc/$$/stat | cut -d ' ' -f 3-5,17
	cat /proc/$$/limits /proc/$$/oom_score_adj /proc/$$/cgroup
	read -r children <"/proc/$$/task/$$/children"
	echo "children: $children"
	for fd in "/proc/$$/fd"/*; do
		[ -e "$fd" ] && echo "${fd##*/} $(readlink "$fd")"
	done
	pwd
	env | grep -v '^_=' | sort
	sed 's/^/stdin: /'
	echo "$*"
}

# in a process of its own that becomes the command, as a shell's child does
start() {
	name=$1
	shift
	(
		echo said by the caller >"$name.in"
		sh -c 'echo "Pid:	$$" >"$0.pid"; exec "$@"' "$name" "$@" <"$name.in" >"$name.out" 5<"$name.in" &
		wait $!
		echo "exit status $?" >>"$name.seen"
	)
}

compare() {
	start plain sh "$self" see plain.seen 'an argument' ''
	start behind "$@" sh "$self" see behind.seen 'an argument' ''
	for name in plain behind; do
		grep -qxF "$(cat $name.pid)" $name.seen || { echo "the command has another PID"; return 1; }
		# what has to differ: ids of processes, and our own names for files
		sed "s/$name\\.//g; s/^\\(P*Pid:\\).*/\\1/; s/^Uid/Uid/" $name.seen >$name.all
	done
	diff plain.all behind.all && diff plain.out behind.out
}

self=$0
case $1 in
see)
	file=$2
	shift 2
	see "$@" >"$file"
	echo written by the command
	exit 7
	;;
compare)
	shift
	compare "$@"
	;;
esac
