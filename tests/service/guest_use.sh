# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The first boot of test.sh, as root on a Debian system with systemd: installs from source, runs the service beside three
# others, reloads, cuts the receiver off, kills, upgrades. The system goes down without the service's being stopped, with
# profiles in its spool. A line a test case.
# shellcheck source=tests/service/guest_lib.sh
. /root/guest_lib.sh

# -- install --

files >kept/files.before
users >kept/users.before
check "install" make_ install
check "install: DKMS builds the module for this kernel" make_ dkms-install
[[ -x /usr/local/bin/ddprof ]] || exit 1
check "install: the service has a user" id ddprof
check "install: systemd knows the unit" is "$(property ddprof.service LoadState)" loaded
check "install: systemd understands all of it" is "$(systemd-analyze --man=no verify ddprof.service 2>&1 | grep ddprof)" ""
check "install: a configuration is there" test -s /etc/ddprof/ddprof.conf
check "install: nothing runs yet" is "$(property ddprof.service ActiveState)" inactive

# -- start --

mkdir -p /etc/systemd/system/ddprof.service.d
# a system call that the filter does not have ends the service instead of failing
printf '[Service]\nSystemCallErrorNumber=kill\n' >/etc/systemd/system/ddprof.service.d/test.conf
load() { # NAME ENVIRONMENT
	printf '[Service]\nEnvironment=%s\nExecStart=/root/shares 3600000 /dev/null\nCPUQuota=15%%\nCPUWeight=10\n' "$2" \
		>"/etc/systemd/system/$1.service"
}
load shop 'DD_SERVICE=shop DD_ENV=prod DD_VERSION=1.2'
load billing '"OTEL_SERVICE_NAME=billing"'
load mailer NOTHING=1
systemctl daemon-reload
configure 'upload_period = 10' 'log_level = info' 'tags = round:one'
receiver one
mark
check "start" systemctl enable --now ddprof.service
check "start: the module is loaded" grep -q '^ddprof_kmod ' /proc/modules
check "start: systemd was told" is "$(property ddprof.service StatusText)" profiling
check "start: as its own user" is "$(stat -c %U "/proc/$(main_pid)")" ddprof
check "start: no more rights than it has a use for" is \
	"$(awk '/^Cap(Eff|Prm|Bnd)/ { print $2 }' "/proc/$(main_pid)/status" | sort -u)" 0000014400080004
check "start: no new ones" grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$(main_pid)/status"
check "start: system calls are filtered" grep -q '^Seccomp:[[:space:]]*2' "/proc/$(main_pid)/status"
systemctl start shop billing mailer
check "start: profiles arrive" more_uploads 6
check "start: levels reach the journal" test -n "$(journalctl -q -u ddprof.service -p 6..6 -o cat)"
check "start: nothing is worse than that" is "$(journalctl -q -u ddprof.service -p 4 -o cat)" ""

# each right is needed for something that doctor sees; none is missing
doctor() {
	setpriv --reuid=ddprof --regid=ddprof --clear-groups --inh-caps="-all,$1" --ambient-caps="-all,$1" \
		--bounding-set="-all,$1" ddprofctl doctor
}
rights=(perfmon syslog dac_read_search sys_ptrace checkpoint_restore)
all=$(printf ',+%s' "${rights[@]}")
check "rights: doctor looks at them" test -n "$(doctor "${all:1}" | grep -E '^ok .*CAP_')"
check "rights: doctor misses none" is "$(doctor "${all:1}" | grep -E '^(note|MISSING).*CAP_')" ""
for right in "${rights[@]}"; do
	others=${all/,+$right/}
	check "rights: without $right doctor misses it" test -n "$(doctor "${others:1}" | grep -E '^(note|MISSING) .*CAP_')"
done

# -- reload --

pid=$(main_pid)
configure 'upload_period = 5' 'log_level = info' 'tags = round:two'
mark
check "reload: period and tags" systemctl reload ddprof.service
check "reload: done" within 30 logged 'configuration was read again'
check "reload: profiles have the new tag" within 60 grep -q 'round:two' -r got/one
check "reload: in the same session" not_logged 'a new session'
configure 'upload_period = 5' 'log_level = info' 'tags = round:two' 'frequency = 49'
mark
check "reload: frequency" systemctl reload ddprof.service
check "reload: in a new session" within 60 logged 'a new session'
journalctl -q -o cat -u ddprof.service -S "@$since" | sed -n 's/.*nothing was sampled for \([0-9.]*\) ms/\1/p' >kept/gap_ms
check "reload: says for how long nothing was sampled" test -s kept/gap_ms
configure 'upload_period = 5' 'frequenzy = 99'
mark
systemctl reload ddprof.service
check "reload: a bad file is an error" within 30 logged 'frequenzy'
check "reload: and nothing changes" within 30 logged 'going on as before'
check "reload: the process stays" is "$(main_pid)" "$pid"
check "reload: systemd takes it for active" within 30 state active
check "reload: profiles arrive" more_uploads 3
configure 'upload_period = 5' 'log_level = info' 'tags = round:two'

# -- the receiver goes away --

mark
stop_receiver
check "outage: said" within 60 logged 'profiling goes on'
check "outage: profiles go into the spool" within 120 spooled_many 6
spooled >kept/outage
receiver one
check "outage: those that waited arrive" within 90 none_left kept/outage
check "outage: so do new ones" more_uploads 6
for unit in shop billing mailer; do
	systemctl kill -s STOP "$unit"
	echo "$unit $(property "$unit" CPUUsageNSec)" >>kept/used_ns
	systemctl stop "$unit"
done

# -- restart, with the last profile --

mark
before=$(uploads)
check "restart" systemctl restart ddprof.service
check "restart: the last profile arrives" within 60 uploads_after $((before + 1))
check "restart: in time" not_logged 'timed out'
stop_receiver

# -- it hangs, it dies --

receiver hurt
printf '[Service]\nWatchdogSec=10\nTimeoutAbortSec=2\n' >/etc/systemd/system/ddprof.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart ddprof.service
again() { [[ $(property ddprof.service NRestarts) == "$1" && $(property ddprof.service ActiveState) == active ]]; }
kill -STOP "$(main_pid)"
check "watchdog: a collector that hangs is started again" within 120 again 1
rm /etc/systemd/system/ddprof.service.d/watchdog.conf
systemctl daemon-reload
kill -KILL "$(main_pid)"
check "killed: it is started again" within 60 again 2
check "killed: profiles arrive" more_uploads 2

# -- upgrade --

old=$(cat /sys/module/ddprof_kmod/version)
sed -i 's/^PACKAGE_VERSION=.*/PACKAGE_VERSION="9.9.9"/' src/dkms.conf
check "upgrade" make_ dkms-install
check "upgrade: DKMS has the new version only" is "$(dkms status | cut -d, -f1 | sort -u)" ddprof_kmod/9.9.9
check "upgrade: and its source only" is "$(echo /usr/src/ddprof_kmod-*)" /usr/src/ddprof_kmod-9.9.9
check "upgrade: the old one still runs" is "$(cat /sys/module/ddprof_kmod/version)" "$old"
check "upgrade: and profiles arrive" more_uploads 1
mark
check "upgrade: restart" systemctl restart ddprof.service
check "upgrade: the new one runs" is "$(cat /sys/module/ddprof_kmod/version)" 9.9.9
check "upgrade: a module of another version is said" logged 'version 9.9.9'
check "upgrade: profiles arrive" more_uploads 2

# -- the power goes --

stop_receiver
check "power: profiles go into the spool" within 60 spooled_many 1
spooled >kept/power
check "seccomp: no call was refused" is "$(dmesg | grep 'type=1326')" ""
journalctl -o short-precise -u ddprof.service >kept/journal
