#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Looking on while it profiles: metrics, health, status and the live table of a collector that samples a real machine.
# Every metric is on the page, and all that a healthy collector must count is not 0.
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2016,SC2317	# backquotes are meant; functions are called by check
. "$(dirname "$0")/lib.sh"

vm_build
vm_folder live
vm_boot live --file "$TOP/tests/vm/live_guest.sh:/lib/live_guest.sh" --get "/tmp/live:$out/guest" -- 'sh /lib/live_guest.sh'

page=$out/guest/metrics.txt

# what stays 0 where nothing goes wrong, nothing is full and no NMI comes; all other rows of docs/metrics.md are counted
may_be_zero()
{
	case $1 in
	ddprof_lost_* | ddprof_blocks_* | *_merged_total | *_gone_total | ddprof_service_inherited_total | *_denied_total | *_excluded_total | \
		ddprof_dropped_total | ddprof_queued | ddprof_spooled | ddprof_target_found_total | ddprof_target_dropped_* | \
		ddprof_target_retried_total | ddprof_target_queued* | ddprof_target_stored_total | ddprof_target_spooled* | \
		ddprof_target_files_removed_total | *_lost_total | *_refused_total | *_evicted_total | *_failed_total | *_failures_total | *_dropped_total | \
		*_stuck_total | *_malformed_total | *_cut_total | *_forgotten_total | *_cached_total | ddprof_resyncs_total | \
		ddprof_skipped_samples_total | ddprof_missed_periods_total | ddprof_nmi_samples_total | \
		ddprof_no_*_total | ddprof_out_of_scope_interrupts_total | ddprof_defer* | ddprof_guessed_samples_total | \
		ddprof_takeover_gap_seconds | ddprof_pending_samples | *'end="truncated"'* | *'end="unreadable"'* | \
		*'end="bad_frame"'* | *'end="no_table"'* | *'end="no_rule"'* | ddprof_incomplete_walks_total) return 0 ;;
	esac
	return 1
}

all_are_counted()
{
	local name value rc=0
	while IFS= read -r name; do
		value=$(sed 's/{target="[^"]*"}//; s/{target="[^"]*",/{/' "$page" |
			awk -v name="$name" 'index($0, name " ") == 1 { print $NF }')
		if [[ ! $value ]]; then
			echo "$name: not there"
			rc=1
		elif [[ ! ${value//[0.]/} ]] && ! may_be_zero "$name"; then
			echo "$name: $value"
			rc=1
		fi
	done < <(sed -n 's/^| `\(ddprof_[^`]*\)` |.*/\1/p' "$TOP/docs/metrics.md")
	return "$rc"
}

check "live: every metric is there, and counted" all_are_counted
check "live: nothing was lost" grep -q '^ddprof_samples_lost_total 0$' "$page"
dmesg_clean live
finish
