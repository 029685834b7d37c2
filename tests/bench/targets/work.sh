#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shell to be stopped at random: recursion through functions, eval, patterns and a few subshells. Runs
# until it is killed.
descend()
{
	local depth=$1 text=$2 suffix
	if ((depth == 0)); then
		text=${text//a/bb}
		[[ $text =~ ^([a-z]+)([0-9]*)$ ]] && text=${BASH_REMATCH[1]}
		printf -v text '%s-%05d' "${text:0:12}" "${#text}"
		return 0
	fi
	case $((depth % 3)) in
	0) eval 'descend $((depth - 1)) "$text$depth"' ;;
	1) for suffix in a b; do [[ $suffix == b ]] || descend $((depth - 1)) "$suffix$text"; done ;;
	*) while descend $((depth - 1)) "${text}b"; do break; done ;;
	esac
}

for ((n = 0; ; n++)); do
	descend $((n % 12)) abc
	((n % 50)) || text=$(descend 5 x)
done
