# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The guest's half of test_upload.sh: what was uploaded and written is left in /tmp/upload.
# shellcheck source=tests/vm/tap.sh
. /lib/tap.sh
# shellcheck source=tests/vm/collector.sh
. /lib/collector.sh
mkdir -p /tmp/upload
cd /tmp/upload || exit 1

# attached OPTION...: a collector that attaches to what runs and, when it has sampled that for a while, ends with it
attached() {
	until_true ended
	shares 60000 /tmp/shares.ns &
	busy=$!
	ddprof --budget 1000 -F 499 -p $busy "$@" &
	first=$!
	until_true sampling $first
	half_a_second $busy
	kill $busy
	wait $first
}

# -- without the module --
ddprof -U http://127.0.0.1:9 sh -c 'exit 7' 2>no_module.err
check "no module: the command runs and its exit status is kept" is $? 7
check "no module: one warning" says no_module.err ddprof_kmod
{ sleep 0.5; ddprof --wait sh -c 'exit 7' 2>&1; echo $? >no_reader; } | true
check "nobody reads stderr: --wait keeps the exit status" is "$(cat no_reader)" 7
{ sleep 0.5; ddprof sh -c 'exit 7' 2>&1; echo $? >no_reader; } | true
check "nobody reads stderr: the command runs and its exit status is kept" is "$(cat no_reader)" 7
DD_PROFILING_UPLOAD_PERIOD=0 ddprof sh -c 'exit 7' 2>bad_env.err
check "a bad value in the environment: the command runs" is $? 7
check "a bad value in the environment: says so" says bad_env.err DD_PROFILING_UPLOAD_PERIOD
DD_PROFILING_ENABLED=0 ddprof sh -c 'exit 7' 2>disabled.err
check "DD_PROFILING_ENABLED=0: the command runs" is $? 7
check "DD_PROFILING_ENABLED=0: nothing is said" test ! -s disabled.err
ddprof -g 2>no_module_g.err
check "no module: -g fails" is $? 1
check "no module: -g says what to do" says no_module_g.err modprobe

check "upload.load" insmod /modules/ddprof_kmod.ko

# -- the command --
ddprof --output /tmp/x.pprof sh -c 'exit 7' 2>/dev/null
check "the command's exit status is kept" is $? 7
sh -c 'echo $$ >pid.want; exec ddprof --output /tmp/y.pprof sh -c "echo \$\$ >pid.got"' 2>/dev/null
check "the command has the PID that was started" cmp pid.want pid.got
sh -c 'exec ddprof --output /tmp/z.pprof sh -c "kill -TERM \$\$"' 2>/dev/null
check "the command's signal is kept" is $? 143
ddprof --output /tmp/x.pprof /no/such/command 2>/dev/null
check "a command that does not exist: 127" is $? 127
# shellcheck disable=SC2016	# that shell expands it
ddprof --output /tmp/held.pprof sh -c 'for p in $(pidof ddprof); do ls -l /proc/$p/fd; done' \
	>held.fds 2>/dev/null 9>held.lock
check "descriptors of the caller: the profiler has its own" says held.fds 'signalfd' 'socket:'
check "descriptors of the caller: the profiler does not hold them" sh -c '! grep held.lock held.fds'
ddprof --output /tmp/own_fds.pprof sh -c 'readlink /proc/self/fd/9' >own.fds 2>/dev/null 9>held.lock
check "descriptors of the caller: the command has them" says own.fds held.lock
until_true ended
ddprof --wait --output /tmp/hup.pprof sh -c 'trap "kill \$!; exit 3" HUP; sleep 60 & echo >trap.set; wait' 2>/dev/null &
first=$!
until_true sampling "$first"
until_true test -e trap.set
kill -HUP $first
wait $first
check "--wait: SIGHUP is handed on, the exit status is the command's" is $? 3

mkdir -p /tmp/unnoticed
check "the command notices nothing of the profiler" \
	sh -c 'cd /tmp/unnoticed && sh /lib/unnoticed.sh compare ddprof --nice 5 --cpu_affinity 0x1 --output /tmp/u.pprof'
echo 'other:x:1234:1234::/:/bin/sh' >>/etc/passwd
ddprof --switch_user other id -u >user.id 2>user.err
check "--switch_user: the command is another user's" is "$(cat user.id)" 1234

# -- what a profile is made of --
# sampled NAME OPTION... COMMAND...: what is logged of the samples of a command that runs shares goes to NAME.log
sampled() {
	name=$1
	shift
	until_true ended
	ddprof --wait --budget 1000 -F 499 --show_samples -o "$PWD/$name.log" --output "/tmp/$name.pprof" "$@" 2>"$name.err" &
	first=$!
	until_true sampling $first
	until_true pidof shares
	busy=$(pidof shares)
	half_a_second "${busy%% *}"
	# shellcheck disable=SC2086	# one or two
	kill $busy
	wait $first
}
sampled shown shares 60000 /tmp/shares.ns
check "--show_samples: names, values and ids" \
	grep -qE 'sample\[type=cpu-samples;pid=[0-9]+;tid=[0-9]+\] .*main;.*share.* [0-9]+$' shown.log
sampled user --switch_user other shares 60000 /dev/null
check "--switch_user: the profiler still profiles it" grep -q 'main;' user.log
sampled unnamed --disable_symbolization shares 60000 /tmp/shares.ns
check "--disable_symbolization: addresses" grep -qE '\] (.*;)?0x[0-9a-f]+;0x[0-9a-f]+ [0-9]+$' unnamed.log
check "--disable_symbolization: no names" sh -c '! grep -q "main;" unnamed.log'
sampled bounded --maximum_pids 1 sh -c 'shares 60000 /dev/null & shares 60000 /dev/null & wait'
check "--maximum_pids: the rest in one frame" grep -q '\[maximum pids\]' bounded.log

# -- uploads --
start_agent 200 good
ddprof --wait --budget 1000 -F 499 -U "$url" -S uploaded -E testing -V 1.2.3 -T color:green shares 2500 /tmp/shares.ns 2>good.err
check "upload: exit status" is $? 0
kill $agent
wait $agent 2>/dev/null
attached -U "$url" --output refused.pprof 2>refused.err
check "upload refused: exit status 1" is $? 1
check "upload refused: says where" says refused.err 127.0.0.1
start_agent 500 busy
attached -U "$url" --output busy.pprof 2>busy.err
check "upload answered 500: exit status 1" is $? 1
check "upload answered 500: says so" says busy.err 127.0.0.1 500
kill $agent

# -- a receiver that is down for longer than a collector lives --
attached -U http://127.0.0.1:9 --spool /tmp/spool 2>spool.err
check "spool: a receiver that is down is no failure" is $? 0
check "spool: says what waits" says spool.err 'in the spool waits for the next start'
start_agent 200 later
attached -U "$url" --spool /tmp/spool --directory files 2>later.err
check "spool: the next collector: exit status" is $? 0
kill $agent
wait $agent 2>/dev/null
check "spool: the next collector sends what waited" test -s later/1.head
check "spool: nothing is left in it" sh -c '! ls /tmp/spool/agent/*.batch 2>/dev/null'
check "directory: a file for the profile" sh -c 'ls files/*Z-myservice-*.pprof.lz4'

# -- signals, a second collector, a killed one --
shares 60000 /tmp/shares.ns &
busy=$!
until_true ended
ddprof --budget 1000 -F 499 --output term.pprof -g &
first=$!
until_true sampling "$first"
half_a_second $busy
ddprof -g --output /tmp/second.pprof 2>second.err
check "second collector: exit status 1" is $? 1
check "second collector: says who has it" says second.err collector
ddprof --output /tmp/third.pprof sh -c 'exit 5' 2>third.err
check "second collector: a command runs nevertheless" is $? 5
kill -TERM $first
wait $first
check "SIGTERM: exit status 0" is $? 0
kill $busy
until_true ended
ddprof --budget 1000 -F 499 --output /tmp/hangup.pprof -g &
first=$!
until_true sampling "$first"
kill -HUP $first
wait $first
check "SIGHUP: exit status 0" is $? 0
check "SIGHUP: what was sampled is written" test -s /tmp/hangup.pprof
until_true ended
ddprof --budget 1000 -F 499 --output /tmp/killed.pprof -g &
first=$!
until_true sampling "$first"
kill -KILL $first
wait $first 2>/dev/null
attached --output next.pprof
check "after a killed collector: exit status 0" is $? 0
wait
check "upload.unload" rmmod ddprof_kmod
