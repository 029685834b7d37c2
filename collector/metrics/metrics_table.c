// SPDX-License-Identifier: Apache-2.0
/* The tables of metrics.h. docs/metrics.md has a line for each; the unit test compares them. */
#include "metrics/metrics.h"

#define AT(member)	offsetof(struct ddp_metrics, member)
#define PIPELINE(member) AT(pipeline.member)
#define MODULE(member)	AT(pipeline.marks.stats.member)
#define TABLES(member)	AT(pipeline.marks.info.member)
#define MADE(member)	AT(pipeline.marks.tables.member)
#define DECODE(member)	AT(pipeline.marks.decode.member)
#define PROCESS(member)	AT(pipeline.marks.process.member)

#define SERVICES(member) AT(pipeline.services.member)
#define TARGET(member)	offsetof(struct ddp_target_metrics, member)

#define COUNTER		DDP_METRIC_COUNTER, DDP_METRIC_COUNT
#define BYTES		DDP_METRIC_COUNTER, DDP_METRIC_BYTES
#define SECONDS		DDP_METRIC_COUNTER, DDP_METRIC_NS
#define GAUGE		DDP_METRIC_GAUGE, DDP_METRIC_COUNT
#define GAUGE_BYTES	DDP_METRIC_GAUGE, DDP_METRIC_BYTES
#define GAUGE_SECONDS	DDP_METRIC_GAUGE, DDP_METRIC_NS
#define RATIO		DDP_METRIC_GAUGE, DDP_METRIC_PPM

#define UNSENT		DDP_STATSD_NONE, NULL
#define ENDS(half, member, name, ...)							\
	{ "ddprof_walks_total", "half=\"" half "\",end=\"" name "\"", COUNTER,		\
	  MODULE(member), __VA_ARGS__,							\
	  "Walks of kernel and user stacks in the module, by how they ended" }
#define USER_END(end, name, ...) ENDS("user", user_end[end], name, __VA_ARGS__)
#define KERNEL_END(end, name) ENDS("kernel", kernel_end[end], name, UNSENT)
#define LOST(reason, offset)								\
	{ "ddprof_lost_samples_total", "reason=\"" reason "\"", COUNTER, offset, UNSENT,	\
	  "Samples that were taken and never reached a profile, by reason" }
#define MEMORY(what, offset)								\
	{ "ddprof_memory_bytes", "of=\"" what "\"", GAUGE_BYTES, offset, UNSENT,		\
	  "Memory of the collector's largest parts, roughly" }

const struct ddp_metric ddp_metrics_table[] = {
	{ "ddprof_up", NULL, GAUGE, AT(derived.running), DDP_STATSD_GAUGE, "up",
	  "1 while a session runs" },
	{ "ddprof_uptime_seconds", NULL, GAUGE_SECONDS, PIPELINE(uptime_ns), UNSENT,
	  "Time since the session began" },
	{ "ddprof_cpus", NULL, GAUGE, AT(derived.cpus), UNSENT, "CPUs that the session samples" },

	/* what it costs */
	{ "ddprof_overhead_ratio", NULL, RATIO, AT(derived.overhead_ppm), DDP_STATSD_GAUGE,
	  "overhead.ratio",
	  "Share of the CPUs' time in the sampling interrupt since the session began" },
	{ "ddprof_handler_seconds_total", NULL, SECONDS, MODULE(handler_ns), UNSENT,
	  "CPU time in the sampling interrupt, of all CPUs" },
	{ "ddprof_handler_max_seconds", NULL, GAUGE_SECONDS, MODULE(handler_max_ns), UNSENT,
	  "The longest sampling interrupt of the session" },
	{ "ddprof_cpu_seconds_total", NULL, SECONDS, AT(own.cpu_ns), DDP_STATSD_MILLI,
	  "profiler.cpu_usage.millicores", "CPU time of the collector" },
	{ "ddprof_process_uptime_seconds", NULL, GAUGE_SECONDS, AT(own.age_ns), UNSENT,
	  "Time since the collector was started" },
	{ "ddprof_resident_memory_bytes", NULL, GAUGE_BYTES, AT(own.rss_bytes), DDP_STATSD_GAUGE,
	  "profiler.rss", "Resident memory of the collector" },
	{ "ddprof_open_fds", NULL, GAUGE, AT(own.open_fds), UNSENT,
	  "File descriptors of the collector" },
	MEMORY("samples", PIPELINE(sample_bytes)),
	MEMORY("processes", PIPELINE(process_bytes)),
	MEMORY("files", PIPELINE(object_bytes)),
	MEMORY("symbols", PIPELINE(symbol_bytes)),
	MEMORY("services", PIPELINE(service_bytes)),

	/* samples */
	{ "ddprof_module_samples_total", NULL, COUNTER, MODULE(samples), UNSENT,
	  "Samples that the module took" },
	{ "ddprof_samples_total", NULL, COUNTER, AT(derived.samples), DDP_STATSD_GROWTH,
	  "sample.count", "Samples that the collector received" },
	{ "ddprof_samples_lost_total", NULL, COUNTER, AT(derived.samples_lost), DDP_STATSD_GROWTH,
	  "event.lost", "Samples that were taken and never reached a profile, of all reasons" },
	LOST("ring_full", DECODE(lost_ring)),
	LOST("nested", DECODE(lost_nested)),
	LOST("unknown_stack", DECODE(unknown_samples)),
	LOST("no_profile", PIPELINE(samples_dropped)),
	{ "ddprof_skipped_samples_total", NULL, COUNTER, MODULE(skipped), DDP_STATSD_COUNT,
	  "samples.skipped",
	  "Samples not taken to stay in the CPU budget; the next ones stand for them" },
	{ "ddprof_missed_periods_total", NULL, COUNTER, MODULE(missed), UNSENT,
	  "Timer periods without an interrupt" },
	{ "ddprof_idle_interrupts_total", NULL, COUNTER, MODULE(idle), UNSENT,
	  "Interrupts that found their CPU idle" },
	{ "ddprof_out_of_scope_interrupts_total", NULL, COUNTER, MODULE(out_of_scope), UNSENT,
	  "Interrupts that found what is not to be profiled" },
	{ "ddprof_no_register_interrupts_total", NULL, COUNTER, MODULE(no_regs), UNSENT,
	  "Interrupts that had no registers to walk from" },
	{ "ddprof_folded_samples_total", NULL, COUNTER, MODULE(folded), UNSENT,
	  "Samples that the module counted without writing a record" },
	{ "ddprof_nmi_samples_total", NULL, COUNTER, MODULE(nmi), UNSENT,
	  "Samples taken in NMI context" },
	{ "ddprof_no_address_space_samples_total", NULL, COUNTER, MODULE(no_aspace), UNSENT,
	  "Samples whose address space could not be tracked" },
	{ "ddprof_deferred_samples_total", NULL, COUNTER, MODULE(deferred), UNSENT,
	  "Samples that were put aside until their unwind tables came" },
	{ "ddprof_defer_full_total", NULL, COUNTER, MODULE(defer_full), UNSENT,
	  "Samples for which there was no room to wait" },

	/* off-CPU time */
	{ "ddprof_blocks_total", NULL, COUNTER, MODULE(blocks), UNSENT,
	  "Times that a thread was blocked, with -e offcpu" },
	{ "ddprof_blocks_short_total", NULL, COUNTER, MODULE(blocks_short), UNSENT,
	  "Of these, those shorter than the minimum, which are not sampled" },
	{ "ddprof_blocks_thinned_total", NULL, COUNTER, MODULE(blocks_thinned), UNSENT,
	  "Of these, those that another sample stands for, to stay within the rate" },
	{ "ddprof_blocks_lost_total", NULL, COUNTER, MODULE(blocks_lost), UNSENT,
	  "Of these, those that there was no room for, or whose thread had gone" },

	/* unwinding */
	USER_END(DDPROF_END_ROOT, "root", UNSENT),
	USER_END(DDPROF_END_TRUNCATED, "truncated", DDP_STATSD_GROWTH,
		 "unwind.stack.truncated_output"),
	USER_END(DDPROF_END_UNREADABLE, "unreadable", UNSENT),
	USER_END(DDPROF_END_BAD_FRAME, "bad_frame", UNSENT),
	USER_END(DDPROF_END_NO_TABLE, "no_table", UNSENT),
	USER_END(DDPROF_END_NO_RULE, "no_rule", UNSENT),
	USER_END(DDPROF_END_NONE, "none", UNSENT),
	KERNEL_END(DDPROF_END_ROOT, "root"),
	KERNEL_END(DDPROF_END_TRUNCATED, "truncated"),
	KERNEL_END(DDPROF_END_UNREADABLE, "unreadable"),
	KERNEL_END(DDPROF_END_BAD_FRAME, "bad_frame"),
	KERNEL_END(DDPROF_END_NONE, "none"),
	{ "ddprof_incomplete_walks_total", NULL, COUNTER, AT(derived.incomplete_walks),
	  DDP_STATSD_GROWTH, "unwind.stack.incomplete",
	  "User stacks that did not reach their root, of all reasons" },
	{ "ddprof_complete_walks_ratio", NULL, RATIO, AT(derived.root_ppm), UNSENT,
	  "Share of walked user stacks that reached their root" },
	{ "ddprof_guessed_samples_total", NULL, COUNTER, MODULE(guessed), UNSENT,
	  "Samples for which frame pointers stood in for a missing table" },
	{ "ddprof_unwind_tables", NULL, GAUGE, TABLES(tables), UNSENT,
	  "Unwind tables that the module uses" },
	{ "ddprof_unwind_table_bytes", NULL, GAUGE_BYTES, TABLES(tables_bytes), UNSENT,
	  "Kernel memory of the unwind tables" },
	{ "ddprof_unwind_table_limit_bytes", NULL, GAUGE_BYTES, TABLES(tables_max_bytes), UNSENT,
	  "Kernel memory that unwind tables may take" },
	{ "ddprof_unwind_tables_evicted_total", NULL, COUNTER, TABLES(tables_evicted), UNSENT,
	  "Unwind tables that went for others" },
	{ "ddprof_unwind_tables_refused_total", NULL, COUNTER, TABLES(tables_refused), UNSENT,
	  "Unwind tables for which the module had no room" },
	{ "ddprof_unwind_tables_built_total", NULL, COUNTER, MADE(built), UNSENT,
	  "Unwind tables that the collector made" },
	{ "ddprof_unwind_tables_cached_total", NULL, COUNTER, MADE(from_cache), UNSENT,
	  "Unwind tables that the collector took from its cache" },
	{ "ddprof_unwind_tables_failed_total", NULL, COUNTER, MADE(failed), UNSENT,
	  "Attempts at unwind tables that failed" },
	{ "ddprof_unwind_tables_dropped_total", NULL, COUNTER, MADE(dropped), UNSENT,
	  "Files that found no place among those that wait for a table" },
	{ "ddprof_unwind_tables_stuck_total", NULL, COUNTER, MADE(stuck), UNSENT,
	  "Files that took longer than ten seconds to read" },
	{ "ddprof_unwind_table_build_seconds_total", NULL, SECONDS, MADE(build_ns), UNSENT,
	  "Time spent making unwind tables" },

	/* from the kernel */
	{ "ddprof_messages_total", NULL, COUNTER, DECODE(batches), UNSENT,
	  "Messages of records that the collector received" },
	{ "ddprof_message_bytes_total", NULL, BYTES, DECODE(bytes), UNSENT,
	  "Bytes of records that the collector received" },
	{ "ddprof_records_total", NULL, COUNTER, DECODE(records), DDP_STATSD_GROWTH, "event.count",
	  "Records that the collector received" },
	{ "ddprof_messages_lost_total", NULL, COUNTER, DECODE(lost_batches), UNSENT,
	  "Messages that are missing in the sequence" },
	{ "ddprof_messages_malformed_total", NULL, COUNTER, DECODE(malformed), UNSENT,
	  "Messages that were not understood to their end" },
	{ "ddprof_task_records_lost_total", NULL, COUNTER, DECODE(lost_tasks), UNSENT,
	  "Records of processes' names and ends that found no room" },
	{ "ddprof_resyncs_total", NULL, COUNTER, PIPELINE(resyncs), UNSENT,
	  "Times the module was asked for its stacks again" },
	{ "ddprof_ring_high_bytes", NULL, GAUGE_BYTES, MODULE(ring_high_bytes), UNSENT,
	  "The most that a CPU's ring ever held" },
	{ "ddprof_ring_bytes", NULL, GAUGE_BYTES, MODULE(ring_bytes), UNSENT,
	  "Size of the CPUs' rings, added up" },

	/* profiles */
	{ "ddprof_profiles_total", NULL, COUNTER, PIPELINE(profiles), DDP_STATSD_COUNT,
	  "profiles", "Profiles that were made and handed to the ways out" },
	{ "ddprof_profile_failures_total", NULL, COUNTER, PIPELINE(profiles_failed),
	  DDP_STATSD_COUNT, "profiles.failed",
	  "Profiles that could not be made or handed on at the first attempt" },
	{ "ddprof_profile_samples_total", NULL, COUNTER, PIPELINE(samples), UNSENT,
	  "Samples in the profiles that were made" },
	{ "ddprof_profile_build_seconds_total", NULL, SECONDS, PIPELINE(build_ns), UNSENT,
	  "Time spent making profiles, encoding and handing them on" },
	{ "ddprof_services", NULL, GAUGE, AT(derived.services), UNSENT,
	  "Services of the last interval, where profiles are made for each" },
	{ "ddprof_sent_total", NULL, COUNTER, AT(derived.sent), DDP_STATSD_COUNT, "exporter.sent",
	  "Batches that receivers took, of all targets" },
	{ "ddprof_dropped_total", NULL, COUNTER, AT(derived.dropped), DDP_STATSD_COUNT,
	  "exporter.dropped", "Batches that were given up, of all targets and reasons" },
	{ "ddprof_queued", NULL, GAUGE, AT(derived.queued), DDP_STATSD_GAUGE, "exporter.queued",
	  "Batches that wait in memory, of all targets" },
	{ "ddprof_spooled", NULL, GAUGE, AT(derived.spooled), DDP_STATSD_GAUGE, "exporter.spooled",
	  "Batches that wait on disk, of all targets" },
	{ "ddprof_takeover_gap_seconds", NULL, GAUGE_SECONDS, PIPELINE(gap_ns), UNSENT,
	  "At most so long nothing was sampled when this session took over from another" },
	{ "ddprof_interval_seconds", NULL, GAUGE_SECONDS, PIPELINE(interval_ns), UNSENT,
	  "Time since the running interval began" },
	{ "ddprof_pending_samples", NULL, GAUGE, PIPELINE(pending_samples), UNSENT,
	  "Samples of the running interval" },
	{ "ddprof_stacks", NULL, GAUGE, PIPELINE(traces), UNSENT,
	  "Distinct stacks that are known" },
	{ "ddprof_address_spaces", NULL, GAUGE, PIPELINE(aspaces), UNSENT,
	  "Address spaces that are known" },
	{ "ddprof_files", NULL, GAUGE, PIPELINE(objects), DDP_STATSD_GAUGE, "dso.size",
	  "Mapped files that are known" },
	{ "ddprof_files_held", NULL, GAUGE, PIPELINE(held_files), UNSENT,
	  "Mapped files that are kept open for their symbols" },
	{ "ddprof_mapping_lists_cut_total", NULL, COUNTER, PROCESS(partial_lists), UNSENT,
	  "Address spaces with more mappings than were told" },
	{ "ddprof_mappings_forgotten_total", NULL, COUNTER, PROCESS(forgotten_ranges), UNSENT,
	  "Former mappings that were forgotten before a profile could name them" },
	{ "ddprof_files_refused_total", NULL, COUNTER, PROCESS(refused_files), UNSENT,
	  "Mapped files for which there was no room" },

	/* services */
	{ "ddprof_service_processes", NULL, GAUGE, PIPELINE(service_processes), UNSENT,
	  "Processes whose service or container is remembered" },
	{ "ddprof_service_lookups_total", NULL, COUNTER, SERVICES(looked_up), UNSENT,
	  "Processes that were looked up for their service or container, once a program" },
	{ "ddprof_service_lookups_gone_total", NULL, COUNTER, SERVICES(gone), UNSENT,
	  "Processes that had ended before they could be looked up" },
	{ "ddprof_service_inherited_total", NULL, COUNTER, SERVICES(inherited), UNSENT,
	  "Processes that had ended and are what their parent is" },
	{ "ddprof_service_environments_denied_total", NULL, COUNTER, SERVICES(denied), UNSENT,
	  "Processes whose environment must not be read" },
	{ "ddprof_service_environments_stuck_total", NULL, COUNTER, SERVICES(stuck), UNSENT,
	  "Environments that took longer than half a second to read" },
	{ "ddprof_service_refused_total", NULL, COUNTER, SERVICES(refused), UNSENT,
	  "Processes that were not remembered because there are too many" },
	{ "ddprof_services_merged_total", NULL, COUNTER, SERVICES(merged_services), UNSENT,
	  "Services over --max_services, once an interval each" },
	{ "ddprof_service_samples_merged_total", NULL, COUNTER, SERVICES(merged_samples), UNSENT,
	  "Samples that went to the service other for --max_services" },
	{ "ddprof_service_samples_excluded_total", NULL, COUNTER, SERVICES(excluded_samples),
	  UNSENT, "Samples that the rules for services leave out" },
	{ 0 },
};

#define DROPPED(why, reason)								\
	{ "ddprof_target_dropped_total", "reason=\"" why "\"", COUNTER,			\
	  TARGET(stats.dropped[reason]), UNSENT, "Batches that were given up, by reason" }

const struct ddp_metric ddp_target_metrics_table[] = {
	{ "ddprof_target_up", NULL, GAUGE, TARGET(up), UNSENT,
	  "0 while the receiver does not take anything" },
	{ "ddprof_target_spool_up", NULL, GAUGE, TARGET(spool_up), UNSENT,
	  "0 while the disk does not take anything" },
	{ "ddprof_target_last_sent_seconds", NULL, GAUGE_SECONDS, TARGET(last_sent_ns), UNSENT,
	  "When a batch last arrived, since 1970; 0: never" },
	{ "ddprof_target_added_total", NULL, COUNTER, TARGET(stats.added), UNSENT,
	  "Batches to be sent" },
	{ "ddprof_target_found_total", NULL, COUNTER, TARGET(stats.found), UNSENT,
	  "Batches that an earlier collector left in the spool" },
	{ "ddprof_target_sent_total", NULL, COUNTER, TARGET(stats.sent), UNSENT,
	  "Batches that the receiver took" },
	{ "ddprof_target_sent_bytes_total", NULL, BYTES, TARGET(stats.sent_bytes), UNSENT,
	  "Bytes of the batches that the receiver took" },
	DROPPED("queue", DDP_SENDER_DROP_QUEUE),
	DROPPED("spool", DDP_SENDER_DROP_SPOOL),
	DROPPED("refused", DDP_SENDER_DROP_REFUSED),
	DROPPED("unusable", DDP_SENDER_DROP_UNUSABLE),
	DROPPED("damaged", DDP_SENDER_DROP_DAMAGED),
	DROPPED("end", DDP_SENDER_DROP_END),
	{ "ddprof_target_attempts_total", NULL, COUNTER, TARGET(stats.attempts), UNSENT,
	  "Attempts to send" },
	{ "ddprof_target_retried_total", NULL, COUNTER, TARGET(stats.retried), UNSENT,
	  "Attempts that failed and are to be repeated" },
	{ "ddprof_target_queued", NULL, GAUGE, TARGET(stats.queued), UNSENT,
	  "Batches that wait in memory" },
	{ "ddprof_target_queued_bytes", NULL, GAUGE_BYTES, TARGET(stats.queued_bytes), UNSENT,
	  "Memory of the batches that wait" },
	{ "ddprof_target_stored_total", NULL, COUNTER, TARGET(stats.stored), UNSENT,
	  "Batches written to the spool" },
	{ "ddprof_target_spooled", NULL, GAUGE, TARGET(stats.spooled), UNSENT,
	  "Batches that wait on disk" },
	{ "ddprof_target_spooled_bytes", NULL, GAUGE_BYTES, TARGET(stats.spooled_bytes), UNSENT,
	  "Disk space of the batches that wait" },
	{ "ddprof_target_files", NULL, GAUGE, TARGET(stats.files), UNSENT,
	  "Files in a target that is a directory" },
	{ "ddprof_target_file_bytes", NULL, GAUGE_BYTES, TARGET(stats.file_bytes), UNSENT,
	  "Size of these files" },
	{ "ddprof_target_files_removed_total", NULL, COUNTER, TARGET(stats.files_removed), UNSENT,
	  "Files that went for the directory's limits" },
	{ 0 },
};
