#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The mixed load of `make bench-coverage`, in the guest: a lane is a list of programs that run one after the
# other, over and over until the file FOLDER/stop is there, each stopped when its seconds are up. When all of the lane
# have run once FOLDER/round.LANE is made. usage: coverage_load.sh FOLDER LANE PROGRAM:SECONDS...
cd "$1" || exit
lane=$2
shift 2

# a C file of $1 functions
c_source()
{
	awk -v nr="$1" 'BEGIN {
		print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"
		for (i = 0; i < nr; i++) {
			printf "static int t%d[64]; struct s%d { int a[%d]; double d; };\n", i, i, i % 17 + 2
			printf "int f%d(int *p, int n, struct s%d *s)\n{\n\tint r = 0;\n", i, i
			printf "\tfor (int i = 0; i < n; i++) {\n\t\tswitch (p[i] %% %d) {\n", i % 13 + 3
			for (c = 0; c < i % 13 + 3; c++)
				printf "\t\tcase %d: r += t%d[(r ^ %d) & 63] * %d; s->d *= r; break;\n", c, i, c * 7, i + c
			printf "\t\t}\n\t\tmemcpy(s->a, p + i, sizeof(s->a));\n"
			if (i)
				printf "\t\tif (r > %d) r -= f%d(p, n - 1, (void *)s);\n", i * 3, i - 1
			print "\t}\n\treturn r;\n}"
		}
		print "int main(void) { printf(\"%d\\n\", t0[0]); return 0; }"
	}'
}

# text that compresses
text() { seq 1 "$1" | awk '{ printf "%d line %d of %x\n", $1 * 7919 % 1000, $1, $1 % 64 }'; }

# a history of one file in $1 commits
history_of()
{
	awk -v nr="$1" 'BEGIN {
		for (i = 1; i <= nr; i++) {
			text = ""
			for (line = 0; line < 300; line++)
				text = text sprintf("%d %d\n", line, (line * 7919 + int((i + line % 100) / 100) * line) % 10007)
			printf "commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\ndata 1\n.", i, 1600000000 + i
			printf "M 100644 inline file\ndata %d\n%s\n", length(text), text
		}
	}'
}

# many processes of a few milliseconds each
run_shell()
{
	local i words
	for ((i = 0; i < 12; i++)); do
		words=$(seq 1 300 | sed 's/\(.\)$/-\1/' | grep -c '7')
		text 200 | sort -n | awk '{ n += $1 } END { print n }' | tr 0-9 a-j >/dev/null
		printf '%s' "$words" | cat | wc -c >/dev/null
	done
}

run_bash() { bash /load/work.sh; }
run_python() { python3 /load/work.py; }
run_perl() { perl /load/work.pl; }
run_gcc() { c_source 5 >"$lane.c"; gcc -O2 -o "$lane.out" "$lane.c"; "./$lane.out" >/dev/null; }
run_cxx() { g++ -O0 -o "$lane.out" /load/load.cc; "./$lane.out" >/dev/null; }
run_openssl()
{
	openssl speed -elapsed -seconds 1 -bytes 1024 sha256 rsa2048 ecdsap256
	openssl speed -elapsed -seconds 1 -bytes 8192 -evp aes-128-gcm
}

run_gzip() { text 20000 | gzip -9 | gzip -d | wc -c >/dev/null; }
run_xz() { text 20000 | xz -T2 --block-size=100KiB -3 | xz -d | wc -c >/dev/null; }

run_git()
{
	rm -rf "repository.$lane"
	git init -q "repository.$lane"
	history_of 60 | git -C "repository.$lane" fast-import --quiet
	git -C "repository.$lane" log -p --stat main >/dev/null
	git -C "repository.$lane" -c pack.threads=2 gc -q --aggressive
}

if [[ ${1-} == --one ]]; then
	"run_$2"
	exit
fi
while [[ ! -e stop ]]; do
	for program; do
		[[ ! -e stop ]] || break
		begin=$EPOCHREALTIME
		timeout "${program#*:}" /load/load.sh "$PWD" "$lane" --one "${program%:*}" \
			</dev/null >/dev/null 2>"$lane.err"
		echo "${program%:*} $begin $EPOCHREALTIME $? $(head -c 200 "$lane.err" | tr '\n' ' ')" >>"$lane.log"
	done
	: >"round.$lane"
done
