#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ddprof as it is typed, where there is no module: what is refused and how it is said, what a command in front of which
# it stands can see of that (nothing), and the texts that it prints of itself. One TAP line a case. Called by tests/run;
# needs BUILD/ddprof.
# shellcheck disable=SC2317	# cases are called by their names
set -euo pipefail

ddprof=$(readlink -m "${BUILD:-build}")/ddprof
here=$(readlink -f "$(dirname "$0")")
export LC_ALL=C
unset "${!DD_@}"

# said STATUS STDERR-PATTERN COMMAND...: runs it; its stdout goes to the file out
said()
{
	local status=$1 pattern=$2 rc=0
	shift 2
	"$@" >out 2>err </dev/null || rc=$?
	if ((rc != status)); then
		echo "$*: exit status $rc, expected $status; $(<err)"
		return 1
	fi
	# shellcheck disable=SC2053	# a pattern is meant
	[[ $(<err) == $pattern ]] || { echo "$*: said '$(<err)', expected '$pattern'"; return 1; }
}

# lacks PATTERN FILE...
lacks()
{
	local pattern=$1
	shift
	if grep -n -- "$pattern" "$@"; then
		return 1
	fi
}

# each ROW...: calls the function "row" with the fields of every row, which a | separates
each()
{
	local line fields
	for line; do
		IFS='|' read -ra fields <<<"$line"
		row "${fields[@]}" || { echo "in the row '${fields[0]}'"; return 1; }
	done
}

no_module='ddprof: warn: running without a profile: *modprobe ddprof_kmod*'

# what is wrong on the command line: nothing runs, exit status 2
wrong_options_are_refused()
{
	row()
	{
		local words
		read -ra words <<<"$3"
		said 2 "ddprof: error: $2" "$ddprof" "${words[@]}" touch ran || return
		[[ ! -e ran ]]
	}
	each \
		'no such option|--nonsense: no such option, see --help|--nonsense' \
		'a misspelt one|--servce: no such option, did you mean --service?|--servce x' \
		'misspelt, dashed|--service-versoin: no such option, did you mean --service_version?|--service-versoin=1' \
		'two letters swapped|--uplaod-period: no such option, did you mean --upload_period?|--uplaod-period' \
		'no such letter|-y: no such option, see --help|-y' \
		'a flag with what is none|--timeline maybe: expected 1 or 0|--timeline=maybe' \
		'a flag of one letter with a value|-g: takes no value, but got x|-gx' \
		'switched off twice|--no-timeline: takes no value, but got 0|--no-timeline=0' \
		'--no of what is no flag|--no-service: no such option*|--no-service' \
		'no number|-F fast: expected a number from 1 to 10000|-F fast' \
		'a number with a unit|-u 5s: expected a number from 1 to 86400|-u 5s' \
		'too small|--upload-period 0: expected a number from 1 to 86400|--upload-period=0' \
		'too large|-P 65536: expected a number from 1 to 65535|-P 65536' \
		'larger than any|-P 99999999999999999999: expected a number*|-P 99999999999999999999' \
		'negative|--depth -1: expected a number from 1 to 1024|--depth -1' \
		'a niceness that there is not|--nice 20: expected a number from -20 to 19|--nice 20' \
		'none of the choices|-l loud: expected one of error, warn, notice, info, debug|-l loud' \
		'another of these|--sampler ebpf: expected one of hrtimer, perf|--sampler ebpf' \
		'nothing as a text|--service: expected NAME, not nothing|--service=' \
		'no URL|-U agent: expected a URL that begins with *, or HOST:PORT|-U agent' \
		'a scheme of others|-U ftp://agent: expected a URL that begins with *|-U ftp://agent' \
		'no host in the URL|-U http://: expected a URL that begins with *|-U http://' \
		'a relative socket|-U unix://run/apm.sock: expected a URL that begins with *|-U unix://run/apm.sock' \
		'no process id|-p 12,x: expected process ids separated by commas|-p 12,x' \
		'no thread id|--exclude_tid 0: expected process ids separated by commas|--exclude_tid 0' \
		'a name that is too long|--process_name *: expected a process*name of at most 63 characters*|--process_name aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' \
		'a relative cgroup|--exclude-cgroup user.slice: expected a path from / on*|--exclude-cgroup user.slice' \
		'a name that says no form|--output x.txt: expected a name that ends in *|--output x.txt' \
		'no mask of CPUs|--cpu_affinity 0xg: expected CPUs below *|--cpu_affinity 0xg' \
		'a list backwards|--cpu_affinity list:3-1: expected CPUs below *|--cpu_affinity list:3-1' \
		'no limit at all|--maximum_pids 0: expected -1 (all) or a number from 1 on|--maximum_pids 0' \
		'no UUID|--runtime_id 1234: expected a UUID of the form *|--runtime_id 1234' \
		'no domain|--site https://x: expected a domain*|--agentless --site https://x' \
		'without a key|--agentless needs a key: *|--agentless' \
		'a key that is not there|--api_key file:nowhere/key: No such file or directory|--api_key file:nowhere/key' \
		'no address for metrics|--metrics_listen :1: expected PORT, *|--metrics_listen :1' \
		'metrics for everybody|--metrics_listen 0.0.0.0:1: *--metrics_remote|--metrics_listen 0.0.0.0:1' \
		'no address of statsd|-b http://x: expected unix:///PATH or *|-b http://x' \
		'a relative control socket|--control_socket c.sock: expected a path from / on*|--control_socket c.sock' \
		'no rule|--service_rule nonsense: service rule 1, at "nonsense": expected include*|--service_rule nonsense' \
		'no services at all|--max_services 0: expected a number from 1 to 4096|--services --max_services 0' \
		'one service and many|--service and --services exclude each other|--services -S x' \
		'a file that is not there|cannot read nowhere/x.conf: No such file or directory|--config nowhere/x.conf' \
		'two things to profile|a command, -p and -g exclude each other|-g' \
		'what goes with -p only|--descendants goes with -p only*|--descendants'
}

# with nothing behind the options
incomplete_use_is_refused()
{
	row()
	{
		local words
		read -ra words <<<"${3-}"
		said 2 "ddprof: error: $2" "$ddprof" "${words[@]}"
	}
	each \
		'nothing at all|nothing to profile: give a command, -p PID or -g, see --help|' \
		'no value behind it|--service: expected NAME behind it|--service' \
		'no value behind a letter|-u: expected SECONDS behind it|-g -u' \
		'two ways|a command, -p and -g exclude each other|-g -p 1' \
		'what goes with a command|--wait goes with a command only|-g --wait' \
		'a user for no command|--switch_user goes with a command only|-g --switch_user nobody'
}

wrong_events_are_refused()
{
	row()
	{
		said 2 "ddprof: error: -e $3: event text at character $2" "$ddprof" -e "$3" touch ran || return
		[[ ! -e ran ]]
	}
	each \
		'no such event|1: sCPUU: no such event, do you mean sCPU; *|sCPUU' \
		'none at all|1: there is no event in it; *|;' \
		'the second is wrong|7: sPFF: no such event, do you mean sPF; *|sCPU; sPFF' \
		'twice|6: sCPU is there already*|sCPU;sCPU' \
		'no period|6: period=0: expected a number from 1 to *|sCPU period=0' \
		'a misspelt key|5: periodd: no such key, do you mean period; *|sPF periodd=3' \
		'a key without a value|5: period: a second name; *|sPF period' \
		'what excludes each other|1: frequency and period exclude each other|sCPU frequency=99 period=3' \
		'where there is none|5: missing=maybe: expected skip, replace or fail|sPF missing=maybe' \
		'no scale|5: scale=0: expected a number above 0*|sPF scale=0' \
		'half a tracepoint|1: sched:: expected the name of an event, or group:event of a tracepoint|sched:' \
		'what only its own library can see|1: sALLOC cannot be profiled here: *|sALLOC'
	said 2 'ddprof: error: --preset cpuonly: *do you mean cpu_only*' "$ddprof" --preset cpuonly touch ran
	said 2 'ddprof: error: --preset alloc_only: *cannot be profiled here*' "$ddprof" --preset alloc_only touch ran
	[[ ! -e ran ]]
	printf 'event = sCPU\nevent = sPFF\n' >x.conf
	said 2 'ddprof: error: x.conf:2: event sPFF: *' "$ddprof" --config x.conf touch ran
	said 7 "ddprof: warn: DD_PROFILING_NATIVE_EVENTS sPFF: *; ignoring it"$'\n'"$no_module" \
		env DD_PROFILING_NATIVE_EVENTS=sPFF "$ddprof" sh -c 'exit 7'
	said 7 "ddprof: warn: DD_PROFILING_NATIVE_EVENTS: *help*; sampling CPU time"$'\n'"$no_module" \
		env DD_PROFILING_NATIVE_EVENTS=help "$ddprof" sh -c 'exit 7'
	said 0 '' "$ddprof" -e help
	grep -q '^  sCPU  *CPU time' out
}

wrong_lines_of_a_file_are_refused()
{
	row()
	{
		printf '%b' "$3" >x.conf
		said 2 "ddprof: error: x.conf:$2" "$ddprof" --config x.conf touch ran || return
		[[ ! -e ran ]]
	}
	each \
		'no key and value|1: expected key = value*|service web\n' \
		'a misspelt key|2: frequncy: no such option, did you mean frequency?|service = web\nfrequncy = 99\n' \
		'a value|1: upload_period 0: expected a number from 1 to 86400|upload_period = 0\n' \
		'a value with a comment behind it|1: '\''#'\'' behind a blank: comments are lines of their own|port = 1 # one\n' \
		'twice|3: service: is there for the second time|service = a\n\nservice = b\n' \
		'what is of one run|1: global: goes on the command line, not into a file|global = 1\n' \
		'no such section|2: \[other\]: no such section*|[other]\na = 1\n' \
		'a target that is called as an option'\''s|2: \[target agent\]: that is what --url is called|[target agent]\nurl = http://a\n' \
		'two targets of one name|4: \[target eu\]: there is one of this name|[target eu]\nurl = http://a\n[target eu]\nurl = http://b\n' \
		'a target that no folder can be called|2: \[target ../x\]: a target'\''s name is of up to 32 letters*|[target ../x]\nurl = http://a\n' \
		'a target without a name|2: \[target\]: expected \[target NAME\]*|[target]\nurl = http://a\n' \
		'nothing as a text|1: environment: expected NAME, not nothing|environment =\n' \
		'no text|2: there is a zero byte*|service = a\n\0\n'
}

# somebody else's, and meant for many programs: the command runs
wrong_variables_are_warnings()
{
	row()
	{
		said 7 "ddprof: warn: $2; ignoring it"$'\n'"$no_module" env "$3" "$ddprof" sh -c 'exit 7'
	}
	each \
		'a number|DD_PROFILING_UPLOAD_PERIOD 0: expected a number*|DD_PROFILING_UPLOAD_PERIOD=0' \
		'a flag|DD_PROFILING_TIMELINE_ENABLE maybe: expected 1 or 0|DD_PROFILING_TIMELINE_ENABLE=maybe' \
		'a URL|DD_TRACE_AGENT_URL agent: expected a URL*|DD_TRACE_AGENT_URL=agent' \
		'no limit at all|DD_PROFILING_MAXIMUM_PIDS 0: expected -1 (all) or *|DD_PROFILING_MAXIMUM_PIDS=0' \
		'a choice|DD_PROFILING_NATIVE_LOG_LEVEL x: expected one of *|DD_PROFILING_NATIVE_LOG_LEVEL=x'
	printf 'service = web\nbudget = 0\n' >x.conf
	said 7 "ddprof: warn: DD_PROFILING_NATIVE_CONFIG: x.conf:2: budget 0: *; ignoring the file"$'\n'"$no_module" \
		env DD_PROFILING_NATIVE_CONFIG=x.conf "$ddprof" sh -c 'exit 7'
	said 7 "ddprof: warn: DD_PROFILING_AGENTLESS without DD_API_KEY: uploading to the agent"$'\n'"$no_module" \
		env DD_PROFILING_AGENTLESS=1 "$ddprof" sh -c 'exit 7'
}

the_command_notices_nothing()
{
	sh "$here/unnoticed.sh" compare "$ddprof" -S svc 2>err
	sh "$here/unnoticed.sh" compare "$ddprof" -S svc --nice 5 --cpu_affinity 0x1 -o log 2>err
	grep -q "$(basename "$ddprof"): warn: running without a profile" log
	sh "$here/unnoticed.sh" compare "$ddprof" --no-enable 2>err
	[[ ! -s err ]]
}

its_terminal_is_the_command_s()
{
	cat >run.sh <<-'END'
		test -t 0 && test -t 1 && test -t 2 && tty >/dev/null || exit 1
		# in the foreground of it
		sed 's/.*) //' /proc/$$/stat | { read -r _ _ group _ _ foreground _; test "$group" = "$foreground"; }
	END
	script -qec "$ddprof -S svc sh run.sh" /dev/null >out
	# or it would have found one anywhere
	if script -qec "$ddprof -S svc sh run.sh </dev/null" /dev/null >out; then
		return 1
	fi
}

signals_reach_the_command()
{
	local pid tries=200 rc=0
	"$ddprof" -S svc sh -c 'trap "exit 9" USR1; echo ready >ready; while :; do sleep 0.02; done' 2>err &
	pid=$!
	while [[ ! -e ready ]] && ((tries-- > 0)); do sleep 0.05; done
	kill -USR1 "$pid"
	wait "$pid" || rc=$?
	((rc == 9))
	rc=0
	# shellcheck disable=SC2016	# that shell expands it
	bash -c 'exec "$@"' bash "$ddprof" sh -c 'kill -KILL $$' 2>err || rc=$?
	((rc == 137))
}

statuses_of_what_cannot_run()
{
	said 127 "$no_module"$'\n''ddprof: error: cannot run ./none: No such file or directory' "$ddprof" ./none
	: >none
	said 126 "$no_module"$'\n''ddprof: error: cannot run ./none: Permission denied' "$ddprof" ./none
	said 126 "$no_module"$'\n''*--switch_user nobody-here: there is no such user' \
		"$ddprof" --switch_user nobody-here touch ran
	[[ ! -e ran ]]
	said 1 '*modprobe ddprof_kmod*' "$ddprof" -g
}

the_command_s_user()
{
	[[ $(id -u) == 0 ]] || return 0
	"$ddprof" --switch_user nobody sh -c 'id -un; id -Gn; grep CapEff /proc/self/status' >out 2>err
	printf '%s\n' nobody nogroup $'CapEff:\t0000000000000000' | diff - out
}

where_messages_go()
{
	said 0 '' "$ddprof" -o disabled true
	said 0 '' "$ddprof" -o stdout true
	# shellcheck disable=SC2053	# a pattern is meant
	[[ $(<out) == $no_module ]]
	said 0 '' env DD_PROFILING_NATIVE_LOG_MODE="$PWD/log" "$ddprof" true
	grep -q 'running without a profile' log
	said 0 'ddprof: warn: cannot log to nowhere/log: No such file or directory'$'\n'"$no_module" "$ddprof" -o nowhere/log true
	said 0 '' "$ddprof" -l error true
}

# a section that says how to send somewhere
wrong_targets_are_refused()
{
	row()
	{
		printf '[target eu]\n%b' "$3" >x.conf
		chmod 600 x.conf
		said 2 "ddprof: error: $2" "$ddprof" --config x.conf touch ran || return
		[[ ! -e ran ]] && lacks SECRET out err
	}
	local url='url = http://localhost:4318\n'
	each \
		'no place|\[target eu\]: give one of url and directory|format = otlp\n' \
		"two places|\[target eu\]: give one of url and directory|${url}directory = /x\n" \
		"no such format|x.conf:3: format zipkin: expected one of datadog, datadog-legacy, pyroscope, otlp|${url}format = zipkin\n" \
		"a key of somebody else's|\[target eu\]: an API key is Datadog's; format otlp takes*|${url}format = otlp\napi_key = SECRET\n" \
		'a password in the URL|x.conf:2: url: no user name or password in the URL*|url = http://u:SECRET@localhost\n' \
		"a user alone|\[target eu\]: user and password are given together|${url}user = a\n" \
		"two ways to say who|\[target eu\]: either user and password or a bearer token, not both|${url}user = a\npassword = SECRET\nbearer_token = SECRET\n" \
		"a header without a value|\[target eu\]: header: expected NAME: VALUE|${url}header = SECRET\n" \
		"a header's name|\[target eu\]: 'X Key' is not a header's name|${url}header = X Key: SECRET\n" \
		"a header that is ours|\[target eu\]: header content-length cannot be given|${url}header = content-length: 1\n" \
		"no such file|\[target eu\]: the CA file /none/ca cannot be read: No such file or directory|${url}ca_file = /none/ca\n" \
		"a key without its certificate|\[target eu\]: a client's key needs its certificate as well|${url}client_key = /dev/null\n"
}

secrets_are_not_shown()
{
	local key=0123456789abcdef0123456789abcdef
	echo "$key" >key
	said 0 '*api_key = \*\*\*  (environment)*' env DD_API_KEY="$key" "$ddprof" --agentless --show_config
	lacks "$key" out err
	said 0 '*api_key = \*\*\*  (command line)*' "$ddprof" --api_key=file:key --agentless --show_config --write_config=x.conf
	lacks "$key" out err x.conf
	[[ $(stat -c %a x.conf) == 600 ]]
	said 0 '*every user of this machine can see it*' "$ddprof" --api_key="$key" --agentless --show_config
	lacks "$key" out err
	printf '[target eu]\nurl = http://localhost\nformat = otlp\nheader = X-Key: %s\n' "$key" >x.conf
	printf '[target us]\nurl = http://localhost\nformat = pyroscope\nuser = a\npassword = file:key\n' >>x.conf
	chmod 600 x.conf
	said 0 '*header = \*\*\**password = \*\*\**' "$ddprof" --config x.conf --show_config
	lacks "$key" out err
}

what_is_in_effect_can_be_kept()
{
	printf 'tags = a:b,\n\tc:d\nfrequency = 50\n' >one.conf
	said 0 '' env DD_SERVICE=web "$ddprof" --config one.conf -u 7 --no-timeline --write_config two.conf
	said 0 '*frequency = 50  (file)*' "$ddprof" --config two.conf --show_config
	grep -qx 'service = web  (file)' err
	grep -qx 'tags = a:b, c:d  (file)' err
	grep -qx 'upload_period = 7  (file)' err
	said 0 '*frequency = 60  (command line)*' env DD_SERVICE=db DD_PROFILING_NATIVE_CONFIG=two.conf \
		"$ddprof" -F 60 --show_config
	grep -qx 'service = db  (environment)' err
}

what_is_kept_replaces_only_ones_own()
{
	row()
	{
		said 2 "ddprof: error: --write_config $3: $2" "$ddprof" --write_config "$3"
	}
	echo old >own.conf
	chmod 644 own.conf
	ln own.conf other-name.conf
	said 0 '' "$ddprof" --write_config own.conf
	[[ $(stat -c %a own.conf) == 600 && $(<other-name.conf) == old ]]
	grep -q '^frequency = ' own.conf
	ln -s own.conf link.conf
	ln -s missing.conf dangling.conf
	mkfifo fifo.conf
	mkdir folder
	each \
		'a device|it is not a regular file|/dev/full' \
		'a FIFO|it is not a regular file|fifo.conf' \
		'a folder|it is not a regular file|folder' \
		'a link|it is a symbolic link: name the file that it leads to|link.conf' \
		'a link that leads nowhere|it is a symbolic link: *|dangling.conf' \
		'no folder|No such file or directory|missing/x.conf'
	[[ ! -e missing.conf && $(stat -c %a /dev/full) == 666 ]]
	if ((EUID == 0)); then
		chown nobody own.conf
		each "somebody else's|it belongs to somebody else: *|own.conf"
		[[ $(stat -c %U own.conf) == nobody ]]
	fi
	lacks 'part' <(ls)
}

texts_of_itself()
{
	local what
	said 0 '' "$ddprof" --version
	grep -q '^ddprof [0-9]' out
	for what in --help --print=man --print=bash --print=zsh --print=config; do
		said 0 '' "$ddprof" "$what"
		grep -q 'upload_period' out
	done
	"$ddprof" --print bash | bash -n
	# the sample says nothing but the defaults
	"$ddprof" --print config >sample.conf
	said 0 '' "$ddprof" --config sample.conf --write_config one.conf
	said 0 '' "$ddprof" --write_config two.conf
	diff one.conf two.conf
	# and every key of it is one, once the # in front is gone
	sed -n 's/^#\([a-z_]* = .*\)/\1/p' sample.conf | grep -cE '^[a-z_]+ = ' >keys
	(($(<keys) > 20))
}

completes_words()
{
	"$ddprof" --print bash >completion
	cat >complete.sh <<-'END'
		. ./completion
		COMP_WORDS=(ddprof "$@") COMP_CWORD=$#
		_ddprof
		echo "${COMPREPLY[*]}"
	END
	[[ $(bash complete.sh --upl) == --upload_period ]]
	[[ $(bash complete.sh --sampler p) == perf ]]
	: >some.conf
	[[ $(bash complete.sh --config some) == some.conf ]]
}

cases=(wrong_options_are_refused incomplete_use_is_refused wrong_events_are_refused wrong_lines_of_a_file_are_refused
	wrong_targets_are_refused wrong_variables_are_warnings
	the_command_notices_nothing its_terminal_is_the_command_s signals_reach_the_command statuses_of_what_cannot_run
	the_command_s_user where_messages_go secrets_are_not_shown what_is_in_effect_can_be_kept
	what_is_kept_replaces_only_ones_own texts_of_itself completes_words)

# shellcheck source=tests/commands/cases.sh
. "$here/cases.sh"
