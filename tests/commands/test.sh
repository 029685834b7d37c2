#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ddprofctl report, convert, merge and diff as they are typed: names and options, stdin and stdout, what is left behind
# when something goes wrong, exit statuses. One TAP line a case. What is in the files is tested in tests/unit and
# tests/browser. Called by tests/run; needs BUILD/ddprofctl.
# shellcheck disable=SC2317	# cases are called by their names
set -euo pipefail

ctl=$(readlink -m "${BUILD:-build}")/ddprofctl
proto=$(readlink -f "$(dirname "$0")/../../collector/lib")
export LC_ALL=C

# said STATUS STDERR-PATTERN ARGUMENT...: runs ddprofctl; its stdout goes to the file out
said()
{
	local status=$1 pattern=$2 rc=0
	shift 2
	"$ctl" "$@" >out 2>err || rc=$?
	if ((rc != status)); then
		echo "ddprofctl $*: exit status $rc, expected $status; $(<err)"
		return 1
	fi
	# shellcheck disable=SC2053	# a pattern is meant
	[[ $(<err) == $pattern ]] || { echo "ddprofctl $*: said '$(<err)', expected '$pattern'"; return 1; }
}

same() { diff "$1" "$2"; }

every_form_and_back()
{
	local form
	for form in pprof pprof.gz pprof.lz4 pprof.zst pb collapsed folded; do
		said 0 '' convert day.txt "day.$form"
		said 0 '' convert "day.$form" again.txt
		same day.txt again.txt
		said 0 '' report "day.$form"
	done
}

packed_as_the_name_says()
{
	said 0 '' convert day.txt day.pprof
	gzip -t <day.pprof
	said 0 '' convert day.txt day.zst
	[[ $(head -c 4 day.zst | od -An -tx1) == ' 28 b5 2f fd' ]]
	said 0 '' convert day.txt day.lz4
	[[ $(head -c 4 day.lz4 | od -An -tx1) == ' 04 22 4d 18' ]]
}

an_option_wins_over_the_name()
{
	said 0 '' convert --to collapsed day.txt day.pprof
	same day.txt day.pprof
	said 0 '' convert --from collapsed --to=collapsed day.pprof again.txt
	same day.txt again.txt
}

pprof_is_known_by_its_bytes()
{
	local form
	for form in gzip lz4 zstd plain; do
		for name in it.txt it.html it.json it; do
			said 0 '' convert day.txt "$name" --to "$form"
			said 0 '' report "$name"
			grep -q 'total: 100$' out
		done
	done
	said 2 '*--value: a pprof file keeps all values and labels' convert it.txt x.pprof --value samples
}

stacks_of_any_name_are_read_with_from()
{
	cp day.txt day
	cp night.txt night
	said 1 '*day: *; if it has collapsed stacks: --from collapsed' report day
	said 0 '' report day --from collapsed
	grep -q 'total: 100$' out
	said 0 '' report --from collapsed - <day
	said 0 '' diff day night --from collapsed
	grep -q '^total: 100 before, 100 after' out
	said 0 '' merge day night -f collapsed -o both.pprof
	said 0 '' report both.pprof
	grep -q 'total: 200$' out
	said 1 '*: the gzip data *' report --from gzip <(gzip -c day | head -c 20)
}

from_stdin_to_stdout()
{
	"$ctl" convert --from collapsed --to lz4 - - <day.txt | "$ctl" convert - - --to collapsed >again.txt
	same day.txt again.txt
	said 2 '*-: the name does not say in which form to write, use --to' convert day.txt -
}

# labeled KEY VALUE: a profile of one sample with this label, a string or a number
labeled()
{
	local text='string_table: "" string_table: "samples" string_table: "count" sample_type { type: 1 unit: 2 }'
	local value='str: 4'
	[[ $2 =~ ^[0-9]+$ ]] && value="num: $2"
	text+=" string_table: '$1' string_table: '$2' sample { value: 1 label { key: 3 $value } }"
	protoc --proto_path="$proto" --encode=perftools.profiles.Profile profile.proto <<<"$text"
}

labels_stand_in_front()
{
	labeled process_name nginx >nginx.pb
	labeled 'thread id' 77 >77.pb
	said 0 '' merge nginx.pb 77.pb -o both.pb
	said 0 '' convert both.pb out.txt --by process_name
	printf '%s\n' '[none];[no stack] 1' 'nginx;[no stack] 1' | same - out.txt
	said 0 '' convert both.pb out.txt --by 'thread id'
	printf '%s\n' '[none];[no stack] 1' 'thread id 77;[no stack] 1' | same - out.txt
	said 1 '*both.pb: no sample has a label name, only *process_name*' convert both.pb x.html --by name
	[[ $(<err) == *'thread id'* && ! -e x.html ]]
	said 1 '*day.txt: no sample has a label name, nor any other' convert day.txt x.html --by name
	said 0 '' diff nginx.pb 77.pb -o x.html --by process_name
	said 1 '*diff: no sample has a label name, only process_name, thread id' diff nginx.pb 77.pb -o x.html --by name
	: >empty.txt
	said 0 '' convert empty.txt x.txt --by process_name
}

options_stand_anywhere()
{
	said 0 '' report day.txt -n 1 --cum
	grep -q 'and 3 more functions' out
	said 0 '' report -n 1 day.txt
}

html_and_speedscope_are_written()
{
	said 0 '' convert day.txt day.html
	grep -q '<title>Flame graph</title>' day.html
	said 0 '' convert day.txt day.json
	grep -q 'speedscope.app/file-format-schema.json' day.json
	said 1 '*day.html: html can only be written, not read' convert day.html x.txt
	said 1 '*day.json: speedscope can only be written, not read' report day.json
}

numbers_are_what_value_says()
{
	said 0 '' convert day.txt day.pprof --value cpu-time/nanoseconds
	said 0 '' report day.pprof --value cpu-time
	grep -q '^type: cpu-time/nanoseconds$' out
	grep -q 'total: 100ns$' out
	said 0 '' report day.pprof --sample_index cpu-time
	said 0 '' convert day.txt day.pprof --value cycles/count
	said 0 '' report day.pprof
	grep -q '^type: cycles/count$' out
	said 1 '*day.pprof: no value wall, only cycles/count' report day.pprof --value wall
	said 2 '*--value: a pprof file keeps all values and labels' convert day.pprof x.pprof --value cycles
	said 2 '*--by: a pprof file keeps all values and labels' convert day.pprof x.pprof --by x
	said 2 '*--value cpu-time: expected TYPE/UNIT, as in cpu-time/nanoseconds or*' convert day.txt x.pprof --value cpu-time
}

# value TEXT UNIT SHOWN: a total of that much
value()
{
	echo "main $1" >one.txt
	said 0 '' convert one.txt one.pprof --value "x/$2"
	said 0 '' report one.pprof
	grep -q " total: $3\$" out || { echo "$1 $2: $(<out)"; return 1; }
}

values_have_units()
{
	value 7 nanoseconds 7ns
	value 1000 nanoseconds 1.00us
	value -2500000 nanoseconds -2.50ms
	value 86400000000000 nanoseconds 86400.00s
	value 1023 bytes 1023B
	value 1536 bytes 1.50KiB
	value 190140877 bytes 181.33MiB
	value -9223372036854775808 bytes -8388608.00TiB
	value 12345678 count 12345678
	value 12345678 milliseconds 12345678
	grep -q '^type: x/milliseconds$' out
}

# types TYPE... VALUE...: a profile of one function with these value types
types()
{
	local i n=$(($# / 2)) text='string_table: "" string_table: "f" function { id: 1 name: 1 }'
	text+=' location { id: 1 line { function_id: 1 } } sample { location_id: 1'
	for i in "${@:n+1}"; do text+=" value: $i"; done
	text+=' }'
	for ((i = 1; i <= n; i++)); do
		text+=" string_table: '${!i%/*}' string_table: '${!i#*/}' sample_type { type: $((2 * i)) unit: $((2 * i + 1)) }"
	done
	protoc --proto_path="$proto" --encode=perftools.profiles.Profile profile.proto <<<"$text"
}

one_name_with_two_units_is_two_values()
{
	types time/nanoseconds time/milliseconds 5000000 5 >both.pb
	types time/milliseconds 7 >ms.pb
	types time/nanoseconds 9 >ns.pb
	said 0 '' report both.pb --value time/nanoseconds
	grep -q 'total: 5.00ms$' out
	said 0 '' diff both.pb ms.pb
	grep -q '^total: 5 before, 7 after, +2 (+40.00%)$' out
	said 0 '' diff both.pb ms.pb -o change.txt
	echo 'f 2' | same - change.txt
	said 0 '' diff both.pb both.pb --value time/nanoseconds
	grep -q '^total: 5.00ms before, 5.00ms after' out
	local both='*ms.pb has time/milliseconds*ns.pb has time/nanoseconds'
	said 1 "*ms.pb: no value time/nanoseconds, only time/milliseconds$both" diff ms.pb ns.pb
	said 1 "*ms.pb: no value time/nanoseconds, only time/milliseconds$both" diff ms.pb ns.pb -o change.html
	said 1 "*no value type that the others have as well$both" merge ms.pb ns.pb -o sum.pprof
}

without_values_it_is_still_a_profile()
{
	protoc --proto_path="$proto" --encode=perftools.profiles.Profile profile.proto <<<'string_table: ""' >none.pb
	said 0 '' convert none.pb none.pprof
	gzip -t <none.pprof
	said 1 '*none.pb: the profile has no value types' report none.pb
	said 1 '*none.pb: the profile has no value types' convert none.pb none.html
	[[ ! -e none.html ]]
}

# commented FILE COMMENT...: a profile of one function with these comments
commented()
{
	local file=$1 i=2 text
	shift
	text='string_table: "" string_table: "samples" string_table: "count" sample_type { type: 1 unit: 2 }'
	for comment; do
		text+=" string_table: '$comment' comment: $((++i))"
	done
	protoc --proto_path="$proto" --encode=perftools.profiles.Profile profile.proto <<<"$text sample { value: 1 }" >"$file"
}

comments_stand_below_the_table()
{
	commented one.pb 'samples: 3' 'lost: 0'
	said 0 '' report one.pb
	printf '%s\n' 'comments:' '  samples: 3' '  lost: 0' | same - <(tail -n 3 out)
	[[ $(sed -n 3p out) == 'distinct samples: 1, total: 1' ]]
	commented two.pb 'samples: 4' 'lost: 0'
	said 0 '' merge one.pb two.pb -o both.pb
	said 0 '' report both.pb
	grep -qx 'comments (of the profiles that were merged):' out
	said 0 '' report day.txt
	[[ $(<out) != *comments* ]]
}

functions_of_nothing_are_not_listed()
{
	printf '%s\n' 'main;all_free 0' 'main;leak 3' >heap.txt
	said 0 '' report heap.txt
	[[ $(<out) != *all_free* ]]
	grep -q '  main$' out
}

what_cannot_be_said_fails()
{
	local command rc
	for command in 'report day.txt' 'diff day.txt night.txt' '--help' 'report --help' 'convert day.txt - --to html'; do
		rc=0
		# shellcheck disable=SC2086	# words
		"$ctl" $command >/dev/full 2>err || rc=$?
		[[ $rc == 1 && $(<err) == *'stdout: No space left on device' ]] || { echo "$command: $rc $(<err)"; return 1; }
	done
	rc=0
	"$ctl" report day.txt >&- 2>err || rc=$?
	[[ $rc == 1 && $(<err) == *'stdout: Bad file descriptor' ]]
	"$ctl" convert day.txt day.pprof >&-
}

who_stops_listening_hears_no_complaint()
{
	set +o pipefail
	"$ctl" convert day.txt - --to html 2>err | head -c 1 >out
	"$ctl" report day.txt 2>>err | true
	same /dev/null err
}

stdin_is_read_once()
{
	said 2 '*-: stdin can be read only once*' merge - day.txt - -o x.pprof
	said 2 '*-: stdin can be read only once*' diff - -
	: | said 1 '*stdin: the file is empty*' report -
	said 1 '*/dev/zero: larger than 256 MiB' report /dev/zero
}

errors_leave_nothing_and_spoil_nothing()
{
	echo old >kept.pprof
	printf 'a 1\nb\n' >bad.txt
	said 1 '*bad.txt: line 2: does not end in a space and a whole number*' convert bad.txt kept.pprof
	[[ $(<kept.pprof) == old ]]
	said 1 '*gone.txt: No such file or directory' convert gone.txt new.pprof
	said 1 '*no/such/folder.pprof: No such file or directory' convert day.txt no/such/folder.pprof
	"$ctl" convert day.txt day.pprof
	head -c 60 day.pprof >cut.pprof
	said 1 '*cut.pprof: the gzip data is cut short*' report cut.pprof
	said 1 '*cut.pprof: *' convert cut.pprof new.pprof
	printf 'a -1\n' >less.txt
	said 1 '*speedscope knows none' convert less.txt new.json
	find . -name 'new*' -o -name 'kept.pprof.*' | same /dev/null -
}

an_input_can_be_the_output()
{
	said 0 '' merge day.txt day.txt -o day.txt
	printf '%s\n' 'main 10' 'main;idle 50' 'main;serve;parse 140' | same - day.txt
}

links_stay_links()
{
	mkdir elsewhere
	cp night.txt elsewhere/real.txt
	ln -s elsewhere/real.txt link.txt
	said 0 '' convert day.txt link.txt
	[[ -L link.txt ]]
	same day.txt elsewhere/real.txt
}

files_are_for_their_owner()
{
	(umask 0; "$ctl" convert day.txt mine.pprof)
	[[ $(stat -c %a mine.pprof) == 600 ]]
}

what_is_no_file_stays()
{
	mkfifo pipe
	"$ctl" convert day.txt pipe --to collapsed &
	same day.txt pipe
	wait $!
	[[ -p pipe ]]
	said 0 '' convert day.txt /dev/null --to html
	[[ -c /dev/null ]]
}

merge_adds_up()
{
	said 0 '' merge day.txt night.txt -o both.pprof
	said 0 '' convert both.pprof both.txt
	printf '%s\n' 'main 10' 'main;idle 45' 'main;serve;parse 130' 'main;serve;sort 15' | same - both.txt
	said 0 '' merge -o - --to collapsed day.txt
	same day.txt out
	said 0 '' convert day.txt time.pprof --value cpu-time/nanoseconds
	said 1 '*time.pprof has cpu-time/nanoseconds*ddprofctl convert --value *' merge day.txt time.pprof -o x.pprof
	[[ ! -e x.pprof ]]
	said 2 '*expected files and -o OUT*' merge day.txt night.txt
	said 2 '*expected files and -o OUT*' merge -o x.pprof
}

diff_is_a_table()
{
	said 0 '' diff day.txt night.txt
	cat >expected <<-END
		base: day.txt
		other: night.txt
		type: samples/count
		total: 100 before, 100 after, 0 (+0.00%)
		 flat before   flat after       change  of base   cum change  of base  function
		           0           15          +15  +15.00%          +15  +15.00%  sort
		          70           60          -10  -10.00%          -10  -10.00%  parse
		          25           20           -5   -5.00%           -5   -5.00%  idle
		           0            0            0   +0.00%           +5   +5.00%  serve
	END
	same expected out
	said 0 '' diff day.txt night.txt -n 2
	tail -n 1 out | grep -q '^\.\.\. and 2 more functions (-n)$'
	said 0 '' diff day.txt day.txt
	[[ $(tail -n 1 out) == 'no differences' ]]
	(($(wc -l <out) == 5))
	: >empty.txt
	said 0 '' diff empty.txt night.txt
	grep -q '^total: 0 before, 100 after, +100 (-)$' out
	grep -q '^ *0 *60 *+60 *- *+60 *-  parse$' out
}

diff_is_a_file()
{
	said 0 '' diff day.txt night.txt -o change.collapsed
	printf '%s\n' 'main;idle -5' 'main;serve;parse -10' 'main;serve;sort 15' | same - change.collapsed
	said 0 '' diff day.txt night.txt -o change.pprof
	said 0 '' convert change.pprof again.collapsed
	same change.collapsed again.collapsed
	said 0 '' diff day.txt night.txt -o change.html
	grep -q '"diff":true' change.html
	said 0 '' convert day.txt time.pprof --value cpu-time/nanoseconds
	said 1 '*day.txt: no value cpu-time/nanoseconds, only samples/count*day.txt has *ddprofctl convert --value *' \
		diff day.txt time.pprof
	said 0 '' merge day.txt night.txt -o - --to html
	grep -q '"title":"merged profiles"' out
}

names_do_not_steer_the_terminal()
{
	printf 'a\033[31m;\302\233b\r;\303\244 1\n' >colors.txt
	said 0 '' report colors.txt
	(($(tr -dc '\033\r\233' <out | wc -c) == 0))
	grep -q 'a?\[31m$' out
	grep -q '??b?$' out
	grep -q "$(printf '\303\244')\$" out
	printf 'safe\342\200\256cp.exe 1\nline\342\200\250end 1\n\327\220\327\221\342\202\254 1\n' >marks.txt
	said 0 '' report marks.txt
	grep -q 'safe???cp.exe$' out
	grep -q 'line???end$' out
	grep -q "$(printf '\327\220\327\221\342\202\254')\$" out
	printf 'a 1\n' >"$(printf 'x\033y.txt')"
	said 0 '' report "$(printf 'x\033y.txt')"
	grep -q '^file: x?y.txt$' out
}

wrong_use_is_said()
{
	said 2 '*expected one file*' report
	said 2 '*night.txt: one file too many*' report day.txt night.txt
	said 2 '*expected two files*' convert day.txt
	said 2 '*expected two files*' diff day.txt
	said 2 '*--by: only a flame graph or collapsed stacks *' diff day.txt night.txt --by x
	said 2 '*x.foo: the name does not say*' convert day.txt x.foo
	said 2 '*--to foo: expected one of auto, gzip,*' convert day.txt x --to foo
	said 2 '*--nothing: no such option*' merge --nothing
	said 2 '*no such command*' frobnicate
}

# and one that cannot say whether it is none
a_collector_that_is_not_there()
{
	local command
	for command in top status; do
		said 1 "ddprofctl: error: no collector answers on $PWD/none: *ddprof -g*" "$command" --control_socket "$PWD/none"
		said 1 "ddprofctl: error: no collector answers on $PWD/day.txt: *" "$command" --control_socket "$PWD/day.txt"
		DD_PROFILING_CONTROL_SOCKET=$PWD/none said 1 "*no collector answers on $PWD/none: *" "$command"
		said 2 "ddprofctl: error: $command: day.txt: expected options only*" "$command" day.txt
	done
	said 2 '*--interval 0: expected a number from 1 to 3600' top --interval 0
}

# the module is missing where this runs, so it is never all right; what it says of the service is looked at
doctor_looks_at_the_service()
{
	cat >x.conf <<-END
	url = http://127.0.0.1:1
	api_key = abcdef
	spool = $PWD/day.txt/spool
	control_socket = $PWD/none
	[target other]
	directory = $PWD/other
	directory_mb = 1
	END
	chmod 644 x.conf
	"$ctl" doctor --config x.conf >out || (($? == 1))
	grep -q '^ok  *x.conf is accepted$' out
	grep -q '^note  *others can read x.conf, which has a key$' out
	grep -q "^ok  *no collector answers on $PWD/none" out
	grep -q '^note  *the agent at http://127.0.0.1:1 cannot be reached' out
	grep -q "^note  *spool $PWD/day.txt/spool cannot be written: Not a directory" out
	grep -q "^ok  *directory $PWD/other: [0-9]* MiB are free, it takes 1 at most" out
	[[ $(grep -c '^  *-> ' out) == $(grep -c '^note\|^MISSING' out) ]]
	if grep abcdef out; then
		return 1
	fi
	chmod 600 x.conf
	"$ctl" doctor --config x.conf >out || (($? == 1))
	if grep 'others can read' out; then
		return 1
	fi
	echo secret >key
	printf '%s\n' "api_key = file:$PWD/key" "control_socket = $PWD/none" >y.conf
	chmod 644 y.conf
	"$ctl" doctor --config y.conf >out || (($? == 1))
	if grep 'others can read' out; then
		return 1
	fi
	printf '%s\n' '[target t]' 'url = http://127.0.0.1:1' 'bearer_token = abcdef' >>y.conf
	"$ctl" doctor --config y.conf >out || (($? == 1))
	grep -q '^note  *others can read y.conf, which has a key$' out
	echo nonsense=1 >x.conf
	"$ctl" doctor --config x.conf >out || (($? == 1))
	grep -q '^MISSING  *the configuration is not accepted: .*x.conf:1: nonsense' out
	"$ctl" doctor --config no.conf >out || (($? == 1))
	grep -q '^ok  *no no.conf: what is not given has its default' out
}

help_is_there()
{
	local command
	for command in report convert merge diff top status stats doctor; do
		said 0 '' "$command" --help
		grep -q "^ddprofctl $command \[options\]" out
		"$ctl" --help | grep -q "ddprofctl $command "
	done
	"$ctl" --help | grep -q 'ddprofctl --version'
}

# every command's options are in each of them
texts_of_itself()
{
	local what command option
	for what in man bash zsh; do
		said 0 '' --print "$what"
		tr -d '\134' <out >"$what"
	done
	"$ctl" --print bash | bash -n
	for command in report convert merge diff top status stats doctor; do
		grep -q "^fBddprofctl ${command}fR " man
		"$ctl" "$command" --help | sed -n 's/^ *\(-., \)\?--\([a-z_]*\).*/\2/p' >options
		grep -q help options
		while read -r option; do
			for what in man bash zsh; do
				grep -q -- "--$option" "$what" || { echo "$command --$option: not in $what"; return 1; }
			done
		done <options
	done
	said 2 '*--print html: expected one of *man, bash, zsh*' --print html
	said 2 '*--prin: *did you mean --print*' --prin man
}

completes_words()
{
	"$ctl" --print bash >completion
	cat >complete.sh <<-'END'
		. ./completion
		COMP_WORDS=(ddprofctl "$@") COMP_CWORD=$#
		_ddprofctl
		echo "${COMPREPLY[*]}"
	END
	[[ $(bash complete.sh re) == report ]]
	[[ $(bash complete.sh st) == 'status stats' ]]
	[[ $(bash complete.sh --pr) == --print ]]
	[[ $(bash complete.sh --print z) == zsh ]]
	[[ $(bash complete.sh diff --out) == --output ]]
	[[ $(bash complete.sh report --out) == '' ]]
	[[ $(bash complete.sh convert --to sp) == speedscope ]]
	[[ $(bash complete.sh report day) == day.txt ]]
	[[ $(bash complete.sh report --value x) == '' ]]
}

cases=(every_form_and_back packed_as_the_name_says an_option_wins_over_the_name from_stdin_to_stdout
	pprof_is_known_by_its_bytes stacks_of_any_name_are_read_with_from labels_stand_in_front
	options_stand_anywhere html_and_speedscope_are_written numbers_are_what_value_says values_have_units
	one_name_with_two_units_is_two_values without_values_it_is_still_a_profile
	comments_stand_below_the_table functions_of_nothing_are_not_listed
	what_cannot_be_said_fails who_stops_listening_hears_no_complaint stdin_is_read_once
	errors_leave_nothing_and_spoil_nothing an_input_can_be_the_output links_stay_links files_are_for_their_owner
	what_is_no_file_stays merge_adds_up diff_is_a_table diff_is_a_file names_do_not_steer_the_terminal
	wrong_use_is_said a_collector_that_is_not_there doctor_looks_at_the_service help_is_there
	texts_of_itself completes_words)

prepare()
{
	printf '%s\n' 'main 5' 'main;idle 25' 'main;serve;parse 70' >day.txt
	printf '%s\n' 'main 5' 'main;idle 20' 'main;serve;parse 60' 'main;serve;sort 15' >night.txt
}

# shellcheck source=tests/commands/cases.sh
. "$(dirname "$0")/cases.sh"
