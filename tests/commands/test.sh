#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ddprofctl report, convert, merge and diff as they are typed: names and options, stdin and stdout, what is left behind
# when something goes wrong, exit statuses. One TAP line a case. What is in the files is tested in tests/unit and
# tests/browser. Called by tests/run; needs BUILD/ddprofctl.
# shellcheck disable=SC2317	# cases are called by their names
set -euo pipefail

ctl=$(readlink -m "${BUILD:-build}")/ddprofctl
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

from_stdin_to_stdout()
{
	"$ctl" convert --from collapsed --to lz4 - - <day.txt | "$ctl" convert - - --to collapsed >again.txt
	same day.txt again.txt
	said 2 '*-: the name does not say in which form to write, use --to' convert day.txt -
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
	grep -q '^type: cpu-time$' out
	grep -q 'total: 0.10us' out
	said 0 '' report day.pprof --sample_index cpu-time
	said 0 '' convert day.txt day.pprof --value cycles
	said 0 '' report day.pprof
	grep -q '^type: cycles$' out
	said 1 '*--value wall: the profile has cycles' report day.pprof --value wall
	said 2 '*--value: a pprof file keeps all values and labels' convert day.pprof x.pprof --value cycles
	said 2 '*--by: a pprof file keeps all values and labels' convert day.pprof x.pprof --by x
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
	said 1 '*time.pprof*' merge day.txt time.pprof -o x.pprof
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
		type: samples
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
	(($(wc -l <out) == 5))
	: >empty.txt
	said 0 '' diff empty.txt night.txt
	grep -q '^total: 0 before, 100 after, +100 (+0.00%)$' out
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
	said 1 '*day.txt cpu-time: the profile has samples' diff day.txt time.pprof
}

names_do_not_steer_the_terminal()
{
	printf 'a\033[31m;\302\233b\r;\303\244 1\n' >colors.txt
	said 0 '' report colors.txt
	(($(tr -dc '\033\r\233' <out | wc -c) == 0))
	grep -q 'a?\[31m$' out
	grep -q '??b?$' out
	grep -q "$(printf '\303\244')\$" out
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

help_is_there()
{
	local command
	for command in report convert merge diff; do
		said 0 '' "$command" --help
		grep -q "^ddprofctl $command \[options\]" out
		"$ctl" --help | grep -q "ddprofctl $command "
	done
}

cases=(every_form_and_back packed_as_the_name_says an_option_wins_over_the_name from_stdin_to_stdout
	options_stand_anywhere html_and_speedscope_are_written numbers_are_what_value_says
	errors_leave_nothing_and_spoil_nothing files_are_for_their_owner what_is_no_file_stays merge_adds_up
	diff_is_a_table diff_is_a_file names_do_not_steer_the_terminal wrong_use_is_said help_is_there)

# one case, in a folder of its own: the first command that fails ends it
if (($#)); then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	cd "$work"
	printf '%s\n' 'main 5' 'main;idle 25' 'main;serve;parse 70' >day.txt
	printf '%s\n' 'main 5' 'main;idle 20' 'main;serve;parse 60' 'main;serve;sort 15' >night.txt
	trap 'echo "failed: $BASH_COMMAND"' ERR
	"$1"
	exit
fi

bad=0
for name in "${cases[@]}"; do
	if output=$(bash -E "$0" "$name" 2>&1); then
		echo "ok $name"
	else
		echo "not ok $name"
		# shellcheck disable=SC2001	# of each line
		sed 's/^/# /' <<<"$output"
		bad=1
	fi
done
exit "$bad"
