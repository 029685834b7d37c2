# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What guest_use.sh and guest_boot.sh share: waiting for things, and looking at the service, its journal, its spool, what was
# uploaded, and the system's files. What was uploaded stays in /root/got, a folder a phase, and what else the host or the
# next boot looks at in /root/kept.
# shellcheck source=tests/vm/tap.sh
. /lib/tap.sh
cd /root || exit 1
mkdir -p got kept
make_() { make -s -C /root/src BUILD=/root/src/build "$@"; }

# within SECONDS COMMAND...: it succeeds in this time
within() {
	local until=$((SECONDS + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		((SECONDS < until)) || { echo "not so in time: $*"; "$@"; return 1; }
		sleep 0.2
	done
}

is() { [[ $1 == "$2" ]] || { echo "$1 instead of $2"; return 1; }; }
property() { systemctl show -p "$2" --value "$1"; }
state() { is "$(property ddprof.service ActiveState)" "$1"; }
main_pid() { property ddprof.service MainPID; }
logged() { journalctl -q -o cat -u ddprof.service -S "@${since:-0}" | grep -q -- "$1"; }
not_logged() { ! journalctl -q -o cat -u ddprof.service -S "@${since:-0}" | grep -- "$1"; }
mark() { since=$(date +%s.%N); }
uploads() { find "got/$phase" -name '*.event' 2>/dev/null | wc -l; }
uploads_after() { (($(uploads) >= $1)); }
more_uploads() { within 90 uploads_after $(($(uploads) + $1)); }

# profiles in the spool; at least so many; none of those that LIST has
spooled() { find /var/lib/ddprof/spool -name '*.batch' | sort; }
spooled_many() { (($(spooled | wc -l) >= $1)); }
none_left() { ! comm -12 "$1" <(spooled) | grep .; }

# every file of the system, but those that others make while they run
files() {
	find / \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /root -o -path /vm \
		-o -path /var/log -o -path /var/tmp \) -prune -o -print | sort
}

users() { cat /etc/{passwd,group,shadow,gshadow}; }

# receiver PHASE: uploads go to got/PHASE from now on
receiver() {
	phase=$1
	python3 /root/receiver.py "got/$phase" &
	receiver=$!
}

stop_receiver() {
	kill "$receiver"
	wait "$receiver" 2>/dev/null
}

configure() { printf '%s\n' "$@" >/etc/ddprof/ddprof.conf; }
