#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Unit test programs under valgrind's memcheck, built without sanitizers: uses of memory that was never written, which
# ASan does not see, and leaks. A line a program; a failed one's last words follow. Behind `make check-valgrind`.
# usage: tests/valgrind.sh LOG-FOLDER PROGRAM...
set -euo pipefail
logs=${1:?}
shift
mkdir -p "$logs"
export DDPROF_MODEL_SEQUENCES=${DDPROF_MODEL_SEQUENCES:-500}	# test_profile_model: a tenth, for this is slow
bad=0
for program; do
	name=$(basename "$program")
	start=$SECONDS
	if valgrind --quiet --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=definite,indirect,possible \
		--error-exitcode=99 --num-callers=30 "$program" >"$logs/$name.log" 2>&1; then
		echo "ok valgrind/$name ($((SECONDS - start)) s)"
	else
		echo "not ok valgrind/$name ($((SECONDS - start)) s), see $logs/$name.log"
		grep -E '^==|FAILED' "$logs/$name.log" | head -n 30 | sed 's/^/#   /' || :
		bad=1
	fi
done
exit "$bad"
