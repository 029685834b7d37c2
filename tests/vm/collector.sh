# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# In the guest, for suites that run the collector: conditions instead of pauses, what was said, and a stand-in agent.

# until_true COMMAND...: for a minute at most
until_true() {
	tries=600
	until "$@" >/dev/null 2>&1; do
		sleep 0.1
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
	done
}

# a collector has a session
session() {
	ddprofctl stats
}

# none has, nor does one end: to be waited for before the next collector, whose session the last one's could be taken for
ended() {
	grep -q '^ddprof_kmod [0-9]* 0 ' /proc/modules
}

# sampling PID: that collector has a session, or has ended
sampling() {
	session || ! kill -0 "$1"
}

# has_run PID TICKS: in user mode, hundredths of a second
has_run() {
	[ "$(cut -d ' ' -f 14 "/proc/$1/stat")" -ge "$2" ]
}

# half_a_second PID: until it has used that much CPU time, to be sampled in, from now on
half_a_second() {
	until_true has_run "$1" $(($(cut -d ' ' -f 14 "/proc/$1/stat") + 50))
}

# says FILE TEXT...: all of these words are in what was said
says() {
	said=$1
	shift
	for word in "$@"; do
		grep -q -- "$word" "$said" || { echo "no \"$word\" in:"; cat "$said"; return 1; }
	done
}

is() {
	[ "$1" = "$2" ] || { echo "$1 instead of $2"; return 1; }
}

# start_agent STATUS FOLDER: in the background; sets agent, its PID, and url
# shellcheck disable=SC2034	# whoever sources this uses them
start_agent() {
	mkdir -p "$2"
	agent "$1" "$2" &
	agent=$!
	until_true test -s "$2/port"
	url=http://127.0.0.1:$(cat "$2/port")
}
