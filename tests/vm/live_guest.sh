# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The guest's half of test_live.sh: what was asked and answered is left in /tmp/live.
# shellcheck source=tests/vm/tap.sh
. /lib/tap.sh
# shellcheck source=tests/vm/collector.sh
. /lib/collector.sh
mkdir -p /tmp/live
cd /tmp/live || exit 1

ddprofctl status >none.status 2>&1
check "status without a collector: exit status 1" is $? 1
check "status without a collector: says what to do" says none.status 'ddprof -g'
ddprofctl top --once >none.top 2>&1
check "top without collector and module: exit status 1" is $? 1
check "top without collector and module: says what to do" says none.top modprobe
check "live.load" insmod /modules/ddprof_kmod.ko

shares 600000 /tmp/shares.ns &
shares=$!
ddprofctl top --once -i 1 >own.top 2>own.err
check "top without a collector: a session of its own" is $? 0
check "top without a collector: shows what runs" says own.top share_40 function

datagrams /tmp/live/statsd.sock >statsd.txt &
receiver=$!
ddprof --budget 1000 -F 499 -g -u 2 --services --output live.pprof --directory profiles --metrics_listen 9197 \
	--internal_stats unix:///tmp/live/statsd.sock 2>collector.err &
collector=$!
check "the control socket appears" until_true test -S /run/ddprof/control.sock
# shellcheck disable=SC2012	# busybox has no stat with formats
check "the control socket is its owner's" is "$(ls -l /run/ddprof/control.sock | cut -c1-10)" srw-------
# an interval that ended
check "a profile is made" until_true sh -c 'ddprofctl status --json | grep -q "\"ddprof_profiles_total\": *[1-9]"'
ddprofctl status >status.txt 2>&1
check "status: exit status 0" is $? 0
check "status: says what it does" says status.txt 'the whole machine' 'health *ok' 'events *sCPU$' 'overhead' 'user stacks whole' \
	'[1-9][0-9]* made, 0 failed' \
	'services *[1-9]' 'target *directory: takes profiles; [1-9]'
ddprofctl doctor >doctor.txt 2>&1
check "doctor: exit status 0" is $? 0
check "doctor: says what the collector knows" says doctor.txt 'a collector runs and is well' \
	'target directory takes profiles' 'process [0-9]* has a session'
# intervals are short here, and one that has just begun has nothing
check "top: shows what runs" until_true sh -c 'ddprofctl top --once >top.txt && grep -q share_40 top.txt'
check "top: by process" until_true sh -c "ddprofctl top --once -p >processes.txt && grep -q '$shares  shares' processes.txt"
wget -q -O metrics.txt http://127.0.0.1:9197/metrics
check "metrics by TCP" is $? 0
wget -q -O health.txt http://127.0.0.1:9197/health
check "health by TCP" is "$(cat health.txt)" ok
wget -q -O names.txt http://127.0.0.1:9197/top 2>/dev/null
check "nothing that names processes by TCP" test $? -ne 0 -a ! -s names.txt
check "statsd: datagrams come" until_true grep -q 'datadog.profiling.native.sample.count:[1-9][0-9]*|g' statsd.txt
check "statsd: with the tags" says statsd.txt '|#service:myservice'
kill $receiver

ddprof -g --output second.pprof 2>second.err
check "a second collector: exit status 1" is $? 1
check "a second collector: the first still answers" ddprofctl status
kill -9 $collector
wait $collector 2>/dev/null
check "a killed collector: status says so" sh -c '! ddprofctl status'
ddprof --budget 1000 -F 499 -g --output after.pprof 2>after.err &
collector=$!
check "the next collector takes the socket" until_true ddprofctl status
kill -TERM $collector
wait $collector
check "SIGTERM: exit status 0" is $? 0
check "SIGTERM: the socket is gone" test ! -e /run/ddprof/control.sock

printf '%s\n' 'service = before' 'metrics_listen = 9198' >live.conf
ddprof --budget 1000 -F 499 -g --config live.conf --output reload.pprof 2>reload.err &
collector=$!
check "reload: the collector answers" until_true sh -c 'ddprofctl status | grep -q "service before"'
printf '%s\n' 'service = after' 'metrics_listen = 9199' >live.conf
kill -HUP $collector
check "reload: the new service" until_true sh -c 'ddprofctl status | grep -q "service after"'
check "reload: the new address" until_true wget -q -O reload.txt http://127.0.0.1:9199/metrics
check "reload: not the old one" sh -c '! wget -q -O reload.txt http://127.0.0.1:9198/metrics'
check "reload: the session goes on" sh -c '! grep -q "new session" reload.err'
printf '%s\n' 'service = later' 'cgroup = /not/there' >live.conf
kill -HUP $collector
check "reload: a control group that is not there is refused" until_true grep -q '/not/there: .*going on as before' reload.err
check "reload: before the session or a profile ends" sh -c '! grep -q "new session" reload.err && ! test -e reload.2.pprof'
check "reload: all is as before" sh -c 'ddprofctl status | grep -q "service after"'
kill -TERM $collector
wait $collector

# one that takes longer than a second, and so shows a line
terminal ddprof --budget 1000 --output terminal.pprof -p $$ >terminal.txt 2>&1 &
terminal=$!
check "on a terminal: it says how far it is" until_true grep -q '[0-9] s: [0-9]* samples, 0 lost' terminal.txt
kill -TERM "$(pidof ddprof)"
wait $terminal
check "on a terminal: exit status 0" is $? 0
ddprof --output pipe.pprof -p $$ 2>pipe.txt &
collector=$!
until_true ddprofctl status
sleep 2
kill -TERM $collector
wait $collector
check "not on a terminal: it says nothing" test ! -s pipe.txt

ddprof --wait --control_socket /tmp/live/own.sock --output command.pprof \
	sh -c 'sleep 1; ddprofctl status --control_socket /tmp/live/own.sock' >command.txt 2>&1
check "a command's profiler: status" is $? 0
check "a command's profiler: says whose it is" says command.txt ': sh; service'
kill $shares
