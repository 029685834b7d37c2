# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The guest's half of test_services.sh: what was uploaded, and how much CPU time each service took, is left in /tmp/services.
# shellcheck source=tests/vm/tap.sh
. /lib/tap.sh
# shellcheck source=tests/vm/collector.sh
. /lib/collector.sh
mkdir -p /tmp/services/got
cd /tmp/services || exit 1

container=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
pod=8ef80ba9-4a5f-4c34-9a5e-6b8f1ad3c7de

# in_group PATH COMMAND...: as a service manager or a container's runtime starts it
in_group() {
	mkdir -p "/sys/fs/cgroup/$1"
	sh -c 'echo $$ >"/sys/fs/cgroup/$1/cgroup.procs" && shift && exec "$@"' sh "$@"
}

check "services.load" insmod /modules/ddprof_kmod.ko
start_agent 200 got
ddprof -g --services --service_rule 'exclude process:agent' --service_rule 'rename process:sh = shell' \
	--max_services 20 --budget 1000 -F 499 -E default-env -T team:red -U "$url" 2>ddprof.err &
profiler=$!
until_true session

DD_SERVICE=shop DD_ENV=prod DD_VERSION=1.2.3 shares 1000 shop.ns &
OTEL_SERVICE_NAME=cart OTEL_RESOURCE_ATTRIBUTES='service.version=7,deployment.environment.name=a%20b' shares 1000 cart.ns &
in_group system.slice/web.service shares 1000 web.ns &
in_group kubepods/burstable/pod$pod/$container shares 1000 container.ns &
wait %3 %4 %5 %6 2>/dev/null
# a service of many processes, each of which is sampled a few times only
export DD_SERVICE=brief
round=0
while [ $round -lt 20 ]; do
	shares 30 "brief.$round.ns"
	round=$((round + 1))
done
unset DD_SERVICE
kill -TERM $profiler
wait $profiler
check "services: exit status 0" sh -c "[ $? = 0 ] || { cat ddprof.err; exit 1; }"

# a disk that is full while a service ends: its profile is written when there is room
mkdir -p full
mount -t tmpfs -o size=4k full full
head -c 4096 /dev/zero >full/taken
until_true ended
ddprof -g --services -u 1 --budget 1000 -F 499 --output full/x.pprof 2>>full.err &
profiler=$!
until_true session
DD_SERVICE=early shares 60000 early.ns &
early=$!
: >full.err
# shellcheck disable=SC2016	# that shell expands it: so many profiles could not be written
fails='[ "$(grep -c "go into the next profile" full.err)" -ge "$0" ]'
until_true sh -c "$fails" 2 # it is known by then, however busy the machine is
kill $early
: >full.err # from here on
until_true sh -c "$fails" 3
rm full/taken
mount -o remount,size=16m full
kill -TERM $profiler
wait $profiler
check "services: a full disk: exit status 0" sh -c "[ $? = 0 ] || { cat full.err; exit 1; }"
check "services: a full disk: it was" grep "No space left" full.err
mkdir late
cp full/x*.pprof late
umount full

# a process whose memory map is held by a file system that does not answer: nobody waits for it, and it goes by its unit
# until its environment can be read
check "services.load what holds" insmod /modules/ddprof_hold_test.ko
DD_SERVICE=released in_group system.slice/kept.service held /dev/ddprof_hold &
held=$!
check "services: held: its map is" until_true grep -qx 1 /sys/module/ddprof_hold_test/parameters/waiting
until_true ended
ddprof -g --services -u 1 --budget 1000 -F 499 --directory held 2>held.err &
profiler=$!
until_true session
DD_SERVICE=beside shares 600000 beside.ns &
beside=$!
check "services: held: others go by their environments" until_true sh -c 'ls held/*-beside-*'
kill $beside
check "services: held: it goes by its unit" until_true sh -c 'ls held/*-kept-*'
check "services: held: it is said" until_true grep 'environment of process .* cannot be read now' held.err
check "services: held: it is counted" sh -c \
	'ddprofctl status --json | grep "\"ddprof_service_environments_stuck_total\": *[1-9]"'
check "services: held: not by what nobody could read" sh -c '! ls held/*-released-*'
echo >/dev/ddprof_hold
check "services: held: by its environment when that can be read" until_true sh -c 'ls held/*-released-*'
kill -TERM $profiler
wait $profiler
check "services: held: exit status 0" sh -c "[ $? = 0 ] || { cat held.err; exit 1; }"
kill "$(pidof held)"
wait $held
check "services.unload what holds" until_true rmmod ddprof_hold_test

# in a PID namespace of its own, whose /proc is not the machine's, and with the machine's beside it
# shellcheck disable=SC2016	# that shell expands it
inside='mount -t proc proc /proc && ddprof --wait --services --budget 1000 -F 499 -U "$0" shares 300 inside.ns; echo $? >inside.status'
DD_SERVICE=unseen unshare -p -f -m sh -c "$inside" "$url" 2>unseen.err
check "services: in a PID namespace: exit status 0" grep -qx 0 inside.status
check "services: in a PID namespace: says that /proc is not the machine's" grep "procfs of the whole machine" unseen.err
mkdir -p /host/proc
mount -t proc proc /host/proc
DD_SERVICE=inside unshare -p -f -m sh -c "$inside" "$url" 2>inside.err
check "services: the machine's /proc at /host/proc: exit status 0" grep -qx 0 inside.status
check "services: the machine's /proc at /host/proc: nothing to say" sh -c '! grep procfs inside.err'
umount /host/proc
kill $agent
check "services.unload" rmmod ddprof_kmod
