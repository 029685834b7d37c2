#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The programs whose stacks the unwinding benchmark and check walk; sourced by both. targets_build makes
# what has to be made, under $targets; target_command NAME sets the array `command` to what runs that
# workload until it is killed or for many seconds, or fails when this machine has not got it.

# shellcheck disable=SC2034,SC2154	# for who sources this, and from it
sources=tests/bench/targets targets=$build/bench/targets
python=$(readlink -f /usr/bin/python3 || :)
cc1=$(gcc -print-prog-name=cc1)
node=$(type -P node || :) openssl=$(type -P openssl || :) clang=$(type -P clang || :)

# a file of C that keeps a compiler busy for many seconds
make_source()
{
	awk 'BEGIN {
		print "extern void *memcpy(void *, const void *, unsigned long);"
		for (i = 0; i < 4000; i++) {
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
	}' >"$targets/source.c"
}

# history enough to keep git busy: one file, a tenth of its lines changed in each of 1,000 commits
make_repository()
{
	rm -rf "$targets/repository"
	git init -q "$targets/repository"
	awk 'BEGIN {
		for (i = 1; i <= 1000; i++) {
			text = ""
			for (line = 0; line < 3000; line++)
				text = text sprintf("%d %d\n", line, int((i + line % 10) / 10) * line * 7919 % 10007)
			printf "commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\ndata 1\n.", i, 1600000000 + i
			printf "M 100644 inline file\ndata %d\n%s\n", length(text), text
		}
	}' | git -C "$targets/repository" fast-import --quiet
}

targets_build()
{
	mkdir -p "$targets"
	g++ -O2 -fomit-frame-pointer -pthread -o "$targets/exceptions" "$sources/exceptions.cc"
	gcc -O2 -fomit-frame-pointer -o "$targets/calls" "$sources/calls.c" -lm
	if type -P rustc >/dev/null; then
		rustc -O -o "$targets/rust" "$sources/work.rs"
	fi
	if type -P go >/dev/null; then
		go build -o "$targets/go" "$sources/work.go"
	fi
	[[ -e $targets/source.c ]] || make_source
	[[ -e $targets/repository ]] || make_repository
}

# library NAME: its path as the linker finds it; fails when there is none
library()
{
	local path
	path=$(gcc -print-file-name="$1")
	[[ $path == /* ]] && readlink -f "$path"
}

target_command()
{
	case $1 in
	c++) command=("$targets/exceptions") ;;
	libc) command=("$targets/calls" libc) ;;
	libm) command=("$targets/calls" libm) ;;
	loader) command=("$targets/calls" loader "$(library libstdc++.so.6)") ;;
	python) command=("$python" "$sources/work.py") ;;
	git-log) command=(git -C "$targets/repository" log -p --stat --patience -w
		--word-diff=color --word-diff-regex=. main) ;;
	git-pack) command=(git -C "$targets/repository" -c pack.threads=3 pack-objects --all --no-reuse-delta
		--no-reuse-object --window=200 --depth=50 --stdout) ;;
	bash) command=("$BASH" "$sources/work.sh") ;;
	perl) command=(perl "$sources/work.pl") ;;
	cc1) command=("$cc1" -quiet -O2 "$targets/source.c" -o /dev/null) ;;
	openssl) command=("$openssl" speed -seconds 60 rsa2048) ;;
	openssl-mixed) command=("$openssl" speed -seconds 1 ecdsap256 rsa2048 sha256 md5) ;;
	clang) command=("$clang" -w -O2 -c "$targets/source.c" -o /dev/null) ;;
	node) command=("$node" "$sources/work.js") ;;
	rust) command=("$targets/rust") ;;
	go) command=("$targets/go") ;;
	*) echo "no workload is called '$1'" >&2; exit 2 ;;
	esac
	[[ -x $(type -P "${command[0]}") ]]
}
