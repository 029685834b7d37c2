# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The second boot of test.sh, after guest_use.sh: the service is there without anybody's help, what was in its spool arrives,
# it stops in time without a receiver, and after `make uninstall` the system is as it was. A line a test case.
# shellcheck source=tests/service/guest_lib.sh
. /root/guest_lib.sh

# -- boot --

check "boot: the service runs" within 120 state active
check "boot: it was not started twice" is "$(property ddprof.service NRestarts)" 0
check "boot: the module is the installed one" is "$(cat /sys/module/ddprof_kmod/version)" 9.9.9
receiver booted
check "boot: what was in the spool arrives" within 90 none_left kept/power
check "boot: so do new profiles" more_uploads 2

# -- stop while nobody takes the last profile --

# stops WHY
stops() {
	local before=$SECONDS
	spooled >kept/stop.before
	check "stop $1" systemctl stop ddprof.service
	check "stop $1: in time" test $((SECONDS - before)) -le 30
	check "stop $1: in good order" is "$(property ddprof.service Result)" success
	check "stop $1: exit status 0" is "$(property ddprof.service ExecMainStatus)" 0
	spooled >kept/stop
	check "stop $1: the last profile is in the spool" test -n "$(comm -13 kept/stop.before kept/stop)"
}

# a receiver that takes connections and says nothing
silent_receiver() {
	python3 -c 'import signal, socket; s = socket.create_server(("127.0.0.1", 8126)); signal.pause()' &
	receiver=$!
}

stop_receiver
stops "without a receiver"
silent_receiver
check "start" systemctl start ddprof.service
check "start: a profile waits for the silent receiver's answer" within 60 spooled_many 1
stops "with a silent receiver"
stop_receiver
receiver after
check "start once more" systemctl start ddprof.service
check "start once more: what waited arrives" within 90 none_left kept/stop

# -- uninstall, while it runs --

main=$(main_pid)
mark
check "seccomp: no call was refused" is "$(dmesg | grep 'type=1326')" ""
check "uninstall" make_ uninstall
stop_receiver
journalctl -o short-precise -b -u ddprof.service >kept/journal.boot
check "uninstall: the service was stopped in good order" within 10 logged "Deactivated successfully"
check "uninstall: its process is gone" test ! -e "/proc/$main"
check "uninstall: the module is gone" sh -c '! grep -q ^ddprof_kmod /proc/modules'
check "uninstall: DKMS does not know it" is "$(dkms status)" ""
check "uninstall: systemd does not know it" is "$(systemctl list-units --all --full --plain --no-legend | grep ddprof)" ""
check "uninstall: nor at the next boot" is "$(systemctl list-unit-files --no-legend | grep ddprof)" ""
check "uninstall: no socket" is "$(grep ddprof /proc/net/unix)" ""
check "uninstall: nothing in /run, /tmp and the logs" is "$(find /run /tmp /var/tmp /var/log -name '*ddprof*')" ""
check "uninstall: the linker does not know its libraries" is "$(ldconfig -p | grep ddprof)" ""
check "uninstall: a configuration that was changed stays" test -s /etc/ddprof/ddprof.conf
rm -rf /etc/ddprof /etc/systemd/system/ddprof.service.d /etc/systemd/system/{shop,billing,mailer}.service
systemctl daemon-reload
files >kept/files.after
users >kept/users.after
# keys that DKMS made for itself, backups of the users' files, what ldconfig remembers
check "uninstall: no file is left behind" is "$(comm -13 kept/files.before kept/files.after |
	grep -vE '^/var/lib/dkms/(mok\.|dkms_)|^/etc/[a-z]*-$|^/var/cache/ldconfig')" ""
check "uninstall: no file is missing" is "$(comm -23 kept/files.before kept/files.after)" ""
check "uninstall: no file speaks of it" is "$(grep -rlsE 'ddprof(_kmod|ctl|\.service|:)|libddprof' --exclude='*-' \
	/etc /usr/local /var/lib /run /lib/modules/*/modules.*)" ""
check "uninstall: no user is left behind" cmp kept/users.before kept/users.after
