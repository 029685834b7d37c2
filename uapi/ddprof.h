/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ddprof: the contract between the kernel module ddprof_kmod and a collector.
 *
 * Everything travels over one generic netlink family, "ddprof", version 1, in the initial
 * network namespace. After this page a reader can write a client; ddprof.yaml beside it is the
 * same contract for machines, and a test holds the two together.
 *
 * THE CONVERSATION
 *
 *   collector                                  kernel
 *   GET_INFO {}                            ->
 *                                          <-  GET_INFO {INFO_*}         what this module can do
 *   START {START_*}                        ->                            the sender's socket owns
 *                                          <-  START {STARTED_*}         the session from here on
 *                                          <-  RECORDS {RECORDS_*} ...   unasked, until the end
 *   FILE_OPEN {FILE_ID}                    ->
 *                                          <-  FILE_OPEN {FILE_ID, FILE_FD}
 *   TABLE_BEGIN {TABLE_FILE_ID, _BYTES}    ->
 *                                          <-  TABLE_BEGIN {TABLE_FILE_ID}
 *   TABLE_DATA {_FILE_ID, _OFFSET, _DATA}  ->  (ack)                     as often as it takes
 *   TABLE_COMMIT {TABLE_FILE_ID}           ->  (ack)                     walks use it from now on
 *   TABLE_DROP {TABLE_FILE_ID}             ->  (ack)
 *   TABLE_LIST {} (dump)                   ->
 *                                          <-  TABLE_LIST {TABLE_*} ...  one message a file
 *   GET_STATS {} (dump)                    ->
 *                                          <-  GET_STATS {STATS_*} ...   one message a CPU
 *   RESYNC {}                              ->  (ack)                     stack ids start over
 *   STOP {}                                ->  (ack)                     sampling has ended ...
 *                                          <-  RECORDS {..., RECORDS_END}   and this is the last
 *
 * One session at a time, owned by the netlink port that sent START. It ends with STOP or when that
 * socket is closed, whichever comes first; then nothing is armed and all its memory is freed. (The
 * end may come a moment after close() has returned: START then answers EBUSY for a few
 * milliseconds.) Only the owner may send STOP and RESYNC. FILE_OPEN and TABLE_* but TABLE_LIST may
 * come from another socket of the owner's process; GET_INFO, GET_STATS and TABLE_LIST from anybody
 * with the capability. RECORDS are unicast
 * to the owner's port with sequence number 0. The kernel waits for a full receive buffer and loses
 * nothing meanwhile until its rings are full; what does not fit then is counted (RECORDS_LOST_*). A
 * receiver should set NETLINK_NO_ENOBUFS and a large SO_RCVBUFFORCE. STOP is acknowledged as soon
 * as no interrupt is armed; what was sampled before follows, the message with RECORDS_END last.
 *
 * UNWIND TABLES
 *
 * Code without frame pointers is walked by a table made of its file's call frame information:
 * ddprof_unwind.h. For each FILE (and the vdso: DDPROF_FILE_VDSO) the collector makes one and
 * uploads it: TABLE_BEGIN with its size makes room, TABLE_DATA fills it in any order, TABLE_COMMIT
 * checks all of it and, if it is right, has walks use it. A file without call frame information
 * gets an image without rows: nobody waits for it then. TABLE_BEGIN for a file that is being
 * uploaded starts over; a committed table stays in use until its successor is. By TABLE_FILE_FD
 * instead of a number a table can be uploaded before any sample met its file: the answer says the
 * number, and the FILE record comes with the first mapping as usual.
 *
 * Tables take at most START_TABLES_KIB together. For a new one those longest unused are evicted,
 * but none that a walk used in the last DDPROF_TABLE_KEEP_S seconds: then TABLE_BEGIN answers
 * ENOSPC. A sample whose walk needs a table or a list of mappings that is not there yet is put
 * aside with a copy of the top of its stack (DDPROF_DEFER_STACK_BYTES; it never leaves the kernel),
 * for DDPROF_DEFER_MS at most, DDPROF_MAX_DEFERRED at once, and walked when it has come. Such
 * samples arrive in the drain thread's stream, each as SEEN, STACK (ONCE) and HIT. What finds no
 * room is walked with what there is and marked DDPROF_STACK_GUESSED where that meant frame pointers
 * in a file without a table.
 *
 * OFF-CPU TIME
 *
 * The OFFCPU sampler tells how long threads were blocked, and where. A block begins when a thread
 * that cannot go on leaves its CPU (not when it is preempted) and ends when it runs again, so it
 * includes the wait for a CPU after the wake-up. The sample is taken at its end, on the CPU where
 * that is: a block that has not ended at STOP, or that began before START, is not told. Its value
 * is the block's length in nanoseconds, its stack is that of the thread as it goes on, with the
 * state in which it was blocked. Blocks shorter than EVENT_MIN_NS are counted only. When more than
 * FREQUENCY_HZ of them end in a second on a CPU the shorter ones are thinned out: one is taken with
 * a probability in proportion to its length, and its count and value stand for those like it that
 * were not. At most about DDPROF_MAX_BLOCKED threads at once; blocks beyond are counted as lost.
 *
 * FILTERS
 *
 * START_SCOPE says which processes are looked at; filters then leave some out, for all samplers. A
 * sample has to pass all that are given: its process is none of EXCLUDE_TGID; its thread is one of
 * TID (if there are any) and none of EXCLUDE_TID; its process's name, which is its first thread's,
 * matches one of NAME (if there are any) and none of EXCLUDE_NAME; its cgroup is or lies below one
 * of CGROUP_FD (if there are any) and none of EXCLUDE_CGROUP_FD. A name follows exec and renaming.
 * In a name's pattern an asterisk stands for any characters, a question mark for one; neither can
 * be quoted. Filters are about samples: TASK, ASPACE and MAP records follow the scope and the
 * samples.
 *
 * ERRORS, each with an extended-ack message naming what was wrong (NETLINK_EXT_ACK):
 *   EPERM       the socket lacks CAP_PERFMON and CAP_SYS_ADMIN (every command), CAP_SYSLOG (START
 *               with DDPROF_FLAG_KERNEL), CAP_DAC_READ_SEARCH (FILE_OPEN), or the sender is not the
 *               owner or, where that is enough, of its process
 *   EACCES      the kernel is locked down for perf (LOCKDOWN_PERF)
 *   EBUSY       START: another socket owns a session; TABLE_BEGIN: too many uploads at once
 *   EALREADY    START: this socket owns a session
 *   ENOENT      STOP, RESYNC, TABLE_*: no session; FILE_OPEN: the file id is unknown or no longer
 *               held; TABLE_*: the file id is unknown, or nothing was begun for it
 *   ENOSPC      TABLE_BEGIN: over START_TABLES_KIB; TABLE_*: the session has no tables at all
 *   EBADF       TABLE_BEGIN: TABLE_FILE_FD is not an open regular file; START: a CGROUP_FD or
 *               EXCLUDE_CGROUP_FD is not an open directory of the cgroup v2 hierarchy
 *   ERANGE      an attribute's value is outside the range given below
 *   EINVAL      malformed: wrong length or type, unknown or missing attribute, contradiction;
 *               TABLE_COMMIT: the image is not complete or not right, and is dropped
 *   ESRCH       START: a process or thread of the scope or a filter does not exist
 *   E2BIG       START: more than DDPROF_MAX_EVENTS events, DDPROF_MAX_TGIDS tgids or
 *               DDPROF_MAX_FILTERS filters of one kind
 *   EOPNOTSUPP  an event that this machine does not have and that must not be missing, or no event
 *               of START that it has; an unknown command
 *   ENOMEM, EMFILE, and what opening the file answered (FILE_OPEN)
 *
 * RECORDS
 *
 * RECORDS_DATA holds records back to back, never split across messages:
 *
 *   record  := type:u8 length:varint payload[length]
 *   varint  := unsigned LEB128, at most 10 bytes
 *   zigzag  := varint of (n << 1) ^ (n >> 63), for signed differences
 *   string  := length:varint bytes[length], no terminator, any byte values, at most 4096 bytes
 *
 * A reader skips unknown types and bytes after the fields it knows, refuses a field that runs over
 * its record, and trusts no count before checking it against the bytes that are there.
 *
 * Records come in streams, one a CPU (RECORDS_CPU), each in the order things happened there, and
 * one of the drain thread (DDPROF_CPU_NONE). Between streams there is no order, but for two
 * promises: an ASPACE list that could be read in time precedes the first STACK that needs it, and a
 * FILE precedes the first MAP that names it. RECORDS_SEQ counts the session's messages from 0: a
 * gap is loss, and the collector sends RESYNC. A reader answers a gap by forgetting all stack ids;
 * from then until a stream's first message with RECORDS_RESYNC, hits on unknown ids are expected
 * and counted. That flag forgets nothing by itself: it says that every HIT from here on names an id
 * whose STACK came after the RESYNC. An id that a new STACK gives again means the new stack.
 *
 *   STACK  flags id replaces aspace tgid tid event kernel_end user_end nr_kernel nr_user frame...
 *          [state]
 *          Everything that identifies one kind of sample, once; HITs then name it by id. flags: one
 *          byte, enum ddprof_stack_flag. id: varint > 0, unique in its CPU's stream until a resync.
 *          replaces: varint, an older id of this stream that the module's cache gave up for this
 *          one, or 0; see FOLD_END. aspace: varint, 0 for a task without user memory or one that
 *          could not be tracked. tgid, tid: varints, numbers of the initial PID namespace. event:
 *          varint, index into START's events. kernel_end, user_end: one byte each, enum
 *          ddprof_walk_end. nr_kernel, nr_user: varints. Frames: leaf first, kernel frames before
 *          user frames; the first is a varint address, each later one a zigzag difference from its
 *          predecessor (mod 2^64). The first kernel frame, and with DDPROF_STACK_USER_EXACT the
 *          first user frame, are addresses of interrupted instructions; all others are return
 *          addresses: look up address - 1. (An interrupted instruction further up, below a
 *          signal's frame, is given as its address + 1. Where kernel code reported an event itself,
 *          a tracepoint say, the first kernel frame is inside the instruction that called for it.)
 *          state: one byte, enum ddprof_task_state, with DDPROF_STACK_STATE.
 *   HIT    flags id [count] [value] [time]
 *          flags: one byte, enum ddprof_hit_flag, says which optional varints follow. count:
 *          samples this stands for, 1 when absent; samples skipped for the CPU budget are already
 *          in it. value: in the event's unit, count * STARTED_EVENT_PERIOD when absent. time: ns
 *          since STARTED_MONOTONIC_NS.
 *   FOLD_END  (empty)
 *          The folded counts so far are out. Ids that a STACK before this record replaced are not
 *          named again.
 *   TASK   kind tgid tid time parent comm leader_comm
 *          kind: one byte, enum ddprof_task_kind. parent: varint, the parent's tgid (FORK), else 0.
 *          comm: string, the thread's name. leader_comm: string, the name of its process's first
 *          thread (SEEN), else empty. SEEN comes before a thread's first STACK in each CPU's stream
 *          and after each change of its name: a STACK's names are those of the last SEEN with its
 *          tid in the same stream.
 *   ASPACE aspace layout tgid flags nr_maps
 *          An address space's executable mappings as a whole; exactly nr_maps MAP records with the
 *          same aspace follow in this stream and replace what was known of it. layout: varint,
 *          grows with each list. flags: one byte, enum ddprof_aspace_flag. With DDPROF_ASPACE_GONE
 *          nr_maps is 0. Numbers are never used again in a session.
 *   MAP    aspace start length file_offset file_id name
 *          start, length, file_offset: varints, bytes. file_id: varint, 0 when no file is behind
 *          it; then name says what is: "[vdso]" (its table is DDPROF_FILE_VDSO's), "//anon",
 *          "//file" (too many files); else name is empty.
 *   FILE   file_id dev_major dev_minor inode size mtime_ns flags path
 *          One mapped file, once a session. flags: one byte, enum ddprof_file_flag. path: string,
 *          as seen from the initial mount namespace, " (deleted)" appended by the kernel when it
 *          is. Held open for FILE_OPEN for DDPROF_FILE_HOLD_S seconds, the newest
 *          DDPROF_MAX_FILES_HELD files at most.
 *
 * Sources: generic netlink and policies, Documentation/userspace-api/netlink/; LEB128, DWARF 5,
 * section 7.6; zigzag, protobuf's encoding guide.
 */
#ifndef _UAPI_DDPROF_H
#define _UAPI_DDPROF_H

#include <linux/types.h>

#define DDPROF_GENL_NAME	"ddprof"
#define DDPROF_GENL_VERSION	1

enum {
	DDPROF_MAX_EVENTS	= 8,		/* events of one session */
	DDPROF_MAX_TGIDS	= 256,		/* START_TGID attributes of one session */
	DDPROF_MAX_FILTERS	= 64,		/* filters of one kind and session */
	DDPROF_MAX_BLOCKED	= 65536,	/* threads whose blocks are timed at once */
	DDPROF_MAX_DEPTH	= 1024,		/* frames of one stack, kernel and user together */
	DDPROF_MAX_STRING	= 4096,		/* bytes of one string in a record */
	DDPROF_MAX_FILES_HELD	= 1024,
	DDPROF_FILE_HOLD_S	= 60,
	DDPROF_MAX_UPLOADS	= 4,		/* tables begun and not committed */
	DDPROF_TABLE_KEEP_S	= 10,		/* a table used since is not evicted */
	DDPROF_MAX_DEFERRED	= 128,		/* samples put aside at once, all CPUs together */
	DDPROF_DEFER_STACK_BYTES = 16384,	/* of user stack, kept with one */
	DDPROF_DEFER_MS		= 2000,		/* the longest that one waits */
};

#define DDPROF_CPU_NONE		0xffffffffU	/* RECORDS_CPU of the drain thread's stream */
#define DDPROF_FILE_VDSO	0xffffffffU	/* TABLE_FILE_ID of the 64-bit [vdso] */

enum ddprof_cmd {
	DDPROF_CMD_UNSPEC,
	DDPROF_CMD_GET_INFO,	/* do: -> INFO_* */
	DDPROF_CMD_START,	/* do: START_* -> STARTED_* */
	DDPROF_CMD_STOP,	/* do: -> ack */
	DDPROF_CMD_GET_STATS,	/* dump: -> STATS_*, one message a CPU; none without a session */
	DDPROF_CMD_FILE_OPEN,	/* do: FILE_ID -> FILE_ID, FILE_FD */
	DDPROF_CMD_RESYNC,	/* do: -> ack */
	DDPROF_CMD_TABLE_BEGIN,	/* do: TABLE_FILE_ID or _FILE_FD, _BYTES -> TABLE_FILE_ID */
	DDPROF_CMD_TABLE_DATA,	/* do: TABLE_FILE_ID, _OFFSET, _DATA -> ack */
	DDPROF_CMD_TABLE_COMMIT, /* do: TABLE_FILE_ID -> ack */
	DDPROF_CMD_TABLE_DROP,	/* do: TABLE_FILE_ID -> ack */
	DDPROF_CMD_TABLE_LIST,	/* dump: -> TABLE_*, one message a file; none without a session */
	DDPROF_CMD_RECORDS,	/* from the kernel only */
	__DDPROF_CMD_MAX,
	DDPROF_CMD_MAX = __DDPROF_CMD_MAX - 1,
};

/* GET_INFO's answer */
enum ddprof_attr_info {
	DDPROF_A_INFO_UNSPEC,
	DDPROF_A_INFO_MODULE_VERSION,	/* string */
	DDPROF_A_INFO_MAX_EVENTS,	/* u32 */
	DDPROF_A_INFO_MAX_DEPTH,	/* u32 */
	DDPROF_A_INFO_KERNEL_UNWINDER,	/* string: "orc", "frame_pointer", "guess", "none" */
	/* u32, the owner's netlink port; absent without a session */
	DDPROF_A_INFO_OWNER,
	DDPROF_A_INFO_OWNER_TGID,	/* u32, initial PID namespace; absent without a session */
	/* u64, unwind tables in use; this and what follows is absent without a session */
	DDPROF_A_INFO_TABLES,
	DDPROF_A_INFO_TABLES_BYTES,	/* u64, memory of all tables, those being uploaded too */
	DDPROF_A_INFO_TABLES_MAX_BYTES,	/* u64, START_TABLES_KIB */
	DDPROF_A_INFO_TABLES_EVICTED,	/* u64, tables dropped for others */
	DDPROF_A_INFO_TABLES_REFUSED,	/* u64, TABLE_BEGINs that found no room */
	DDPROF_A_INFO_CPU_BYTES,	/* u64, memory of one CPU's ring, cache and scratch */
	DDPROF_A_INFO_DEFER_BYTES,	/* u64, memory for deferred samples, of all CPUs */
	DDPROF_A_INFO_RANGES_BYTES,	/* u64, memory for lists of mappings, of all processes */
	__DDPROF_A_INFO_MAX,
	DDPROF_A_INFO_MAX = __DDPROF_A_INFO_MAX - 1,
};

enum ddprof_sampler {
	DDPROF_SAMPLER_NONE	= 0,	/* in answers: the event is left out */
	/* per-CPU high resolution timer: CPU time; frequency only */
	DDPROF_SAMPLER_HRTIMER	= 1,
	DDPROF_SAMPLER_PERF	= 2,	/* in-kernel perf counter, see EVENT_TYPE */
	/* threads that were blocked: OFF-CPU TIME; frequency only; one event of a session */
	DDPROF_SAMPLER_OFFCPU	= 3,
};

/* What becomes of an event that this machine does not have. What is no event is always refused */
enum ddprof_missing {
	DDPROF_MISSING_FAIL	= 1,	/* START is refused */
	/* the cpu clock takes its place, unless another event is that already: then as SKIP */
	DDPROF_MISSING_REPLACE	= 2,
	DDPROF_MISSING_SKIP	= 3,	/* START goes on without it, unless it is the only one */
};

enum ddprof_unit {
	DDPROF_UNIT_NANOSECONDS	= 1,
	DDPROF_UNIT_EVENTS	= 2,
};

enum ddprof_scope {
	DDPROF_SCOPE_MACHINE	= 1,	/* every task; no START_TGID */
	DDPROF_SCOPE_TGIDS	= 2,	/* the given processes */
	DDPROF_SCOPE_TREES	= 3,	/* the given processes, their descendants now and later */
};

enum ddprof_flag {
	DDPROF_FLAG_KERNEL	= 1 << 0,	/* kernel frames; needs CAP_SYSLOG */
	DDPROF_FLAG_USER	= 1 << 1,	/* user frames */
	/* a HIT with its time for each sample instead of folded counts */
	DDPROF_FLAG_TIMESTAMPS	= 1 << 2,
	DDPROF_FLAG_ALL		= (1 << 3) - 1,
};

/* One event of START: a nest in START_EVENT. Exactly one of FREQUENCY_HZ and PERIOD. */
enum ddprof_attr_event {
	DDPROF_A_EVENT_UNSPEC,
	DDPROF_A_EVENT_SAMPLER,		/* u32, enum ddprof_sampler; required */
	/* u32, perf_event_attr.type, HARDWARE, SOFTWARE (default), ... or RAW; PERF only */
	DDPROF_A_EVENT_TYPE,
	/* u64, perf_event_attr.config: a tracepoint's id; PERF only, default ..._SW_CPU_CLOCK */
	DDPROF_A_EVENT_CONFIG,
	/* u32, samples a second and CPU, 1..10000; OFFCPU: above it blocks are thinned out */
	DDPROF_A_EVENT_FREQUENCY_HZ,
	/* u64, events (cpu clock: ns) between samples, 1..2^62; cpu clock: >= 100000 */
	DDPROF_A_EVENT_PERIOD,
	DDPROF_A_EVENT_ON_MISSING,	/* u32, enum ddprof_missing, default FAIL; not HRTIMER */
	/* u64, OFFCPU only: the shortest block that is told, 0..60000000000, default 10000 */
	DDPROF_A_EVENT_MIN_NS,
	__DDPROF_A_EVENT_MAX,
	DDPROF_A_EVENT_MAX = __DDPROF_A_EVENT_MAX - 1,
};

/* START */
enum ddprof_attr_start {
	DDPROF_A_START_UNSPEC,
	/* nest of EVENT_*, repeated, 1..DDPROF_MAX_EVENTS; required */
	DDPROF_A_START_EVENT,
	DDPROF_A_START_SCOPE,		/* u32, enum ddprof_scope; default MACHINE */
	/* u32, repeated, in the sender's PID namespace; TGIDS and TREES only */
	DDPROF_A_START_TGID,
	DDPROF_A_START_FLAGS,		/* u32, enum ddprof_flag; default KERNEL | USER */
	DDPROF_A_START_DEPTH,		/* u32, frames, 1..DDPROF_MAX_DEPTH, default 256 */
	/* u32, share of each CPU for sampling, 1..1000, default 10 */
	DDPROF_A_START_BUDGET_PERMILLE,
	/* u32, per CPU, 64..65536, default 256, rounded up to a power of two */
	DDPROF_A_START_RING_KIB,
	/* u32, per CPU, 64..65536, default 4096, rounded up to a power of two */
	DDPROF_A_START_CACHE_STACKS,
	/* u32, longest delay of a folded count, 10..60000, default 5000 */
	DDPROF_A_START_FLUSH_MS,
	/* u32, for unwind tables, 0..1048576, default 65536; 0: none, and no sample is deferred */
	DDPROF_A_START_TABLES_KIB,
	/* u32, processes, in the sender's PID namespace; repeated, as what follows: see FILTERS */
	DDPROF_A_START_EXCLUDE_TGID,
	DDPROF_A_START_TID,		/* u32, threads, in the sender's PID namespace */
	DDPROF_A_START_EXCLUDE_TID,	/* u32, threads, in the sender's PID namespace */
	DDPROF_A_START_NAME,		/* string, a pattern of at most 63 bytes */
	DDPROF_A_START_EXCLUDE_NAME,	/* string, a pattern of at most 63 bytes */
	DDPROF_A_START_CGROUP_FD,	/* u32, the sender's, open directory of a cgroup v2 */
	DDPROF_A_START_EXCLUDE_CGROUP_FD, /* u32, the sender's, open directory of a cgroup v2 */
	__DDPROF_A_START_MAX,
	DDPROF_A_START_MAX = __DDPROF_A_START_MAX - 1,
};

/* What became of each event: a nest in STARTED_EVENT, in START's order */
enum ddprof_attr_started_event {
	DDPROF_A_STARTED_EVENT_UNSPEC,
	DDPROF_A_STARTED_EVENT_SAMPLER,		/* u32, enum ddprof_sampler, the one in use */
	/* u64, a sample's value; 0: varies, every HIT carries it */
	DDPROF_A_STARTED_EVENT_PERIOD,
	DDPROF_A_STARTED_EVENT_UNIT,		/* u32, enum ddprof_unit */
	/* u32, errno why the cpu clock took the event's place or, with SAMPLER_NONE, nothing did */
	DDPROF_A_STARTED_EVENT_FALLBACK,
	__DDPROF_A_STARTED_EVENT_MAX,
	DDPROF_A_STARTED_EVENT_MAX = __DDPROF_A_STARTED_EVENT_MAX - 1,
};

/* START's answer */
enum ddprof_attr_started {
	DDPROF_A_STARTED_UNSPEC,
	DDPROF_A_STARTED_MONOTONIC_NS,	/* u64, CLOCK_MONOTONIC at the start */
	DDPROF_A_STARTED_REALTIME_NS,	/* u64, CLOCK_REALTIME at the same moment */
	DDPROF_A_STARTED_EVENT,		/* nest of STARTED_EVENT_*, repeated */
	__DDPROF_A_STARTED_MAX,
	DDPROF_A_STARTED_MAX = __DDPROF_A_STARTED_MAX - 1,
};

/* FILE_OPEN and its answer. The descriptor is valid once the sending call has returned. */
enum ddprof_attr_file {
	DDPROF_A_FILE_UNSPEC,
	DDPROF_A_FILE_ID,		/* u64, of a FILE record; required */
	/* u32, open in the sender, O_RDONLY | O_CLOEXEC; answer only */
	DDPROF_A_FILE_FD,
	__DDPROF_A_FILE_MAX,
	DDPROF_A_FILE_MAX = __DDPROF_A_FILE_MAX - 1,
};

/* TABLE_* */
enum ddprof_attr_table {
	DDPROF_A_TABLE_UNSPEC,
	/* u64, of a FILE record, or DDPROF_FILE_VDSO; required but for BEGIN with _FILE_FD */
	DDPROF_A_TABLE_FILE_ID,
	DDPROF_A_TABLE_FILE_FD,		/* u32, BEGIN: an open descriptor of the sender */
	/* u32, BEGIN: size of the image; LIST: memory the table takes, 0: there is none */
	DDPROF_A_TABLE_BYTES,
	DDPROF_A_TABLE_OFFSET,		/* u32, DATA: where in the image; required */
	DDPROF_A_TABLE_DATA,		/* binary, DATA: bytes of the image; required */
	DDPROF_A_TABLE_NAME,		/* string, LIST: the file's name without folders */
	DDPROF_A_TABLE_ROWS,		/* u32, LIST: absent without a table */
	DDPROF_A_TABLE_IDLE_S,		/* u32, LIST: seconds since a walk used it */
	/* u64, LIST: samples whose walk ended in this file without reaching the root */
	DDPROF_A_TABLE_ENDED,
	__DDPROF_A_TABLE_MAX,
	DDPROF_A_TABLE_MAX = __DDPROF_A_TABLE_MAX - 1,
};

/* RECORDS. Counters are totals of this CPU since START. */
enum ddprof_attr_records {
	DDPROF_A_RECORDS_UNSPEC,
	DDPROF_A_RECORDS_CPU,		/* u32, or DDPROF_CPU_NONE */
	DDPROF_A_RECORDS_SEQ,		/* u64, messages of this session before this one */
	DDPROF_A_RECORDS_LOST_RING,	/* u64, samples that found no room in the ring */
	DDPROF_A_RECORDS_LOST_NESTED,	/* u64, samples inside a sample of the same context */
	DDPROF_A_RECORDS_LOST_TASKS,	/* u64, TASK records that found no room */
	/* u64, samples skipped for the CPU budget; counts are scaled for them */
	DDPROF_A_RECORDS_SKIPPED,
	DDPROF_A_RECORDS_RESYNC,	/* flag: a RESYNC is done for this stream, see above */
	DDPROF_A_RECORDS_END,		/* flag: the last message of the session */
	DDPROF_A_RECORDS_DATA,		/* binary, records */
	__DDPROF_A_RECORDS_MAX,
	DDPROF_A_RECORDS_MAX = __DDPROF_A_RECORDS_MAX - 1,
};

enum ddprof_record {
	DDPROF_RECORD_STACK	= 1,
	DDPROF_RECORD_HIT	= 2,
	DDPROF_RECORD_FOLD_END	= 3,
	DDPROF_RECORD_TASK	= 4,
	DDPROF_RECORD_ASPACE	= 5,
	DDPROF_RECORD_MAP	= 6,
	DDPROF_RECORD_FILE	= 7,
};

enum ddprof_stack_flag {
	/* one HIT follows in this stream, then the id is not named again */
	DDPROF_STACK_ONCE	= 1 << 0,
	/* the first user frame is an interrupted instruction's own address */
	DDPROF_STACK_USER_EXACT	= 1 << 1,
	/* user frames in a file without a table were walked by frame pointers: see UNWIND TABLES */
	DDPROF_STACK_GUESSED	= 1 << 2,
	/* the thread was blocked: its state follows the frames */
	DDPROF_STACK_STATE	= 1 << 3,
};

/* In which state a thread was blocked */
enum ddprof_task_state {
	DDPROF_STATE_NONE		= 0,	/* it was not */
	DDPROF_STATE_INTERRUPTIBLE	= 1,	/* a sleep that a signal ends */
	/* a sleep that none ends, mostly for a disk or a lock of the kernel's */
	DDPROF_STATE_UNINTERRUPTIBLE	= 2,
	DDPROF_STATE_IDLE		= 3,	/* a kernel thread without work */
	DDPROF_STATE_STOPPED		= 4,	/* by a signal */
	DDPROF_STATE_TRACED		= 5,	/* by a debugger */
	DDPROF_STATE_PARKED		= 6,	/* a kernel thread that was put aside */
	DDPROF_STATE_OTHER		= 7,
	__DDPROF_STATE_MAX,
};

enum ddprof_hit_flag {
	DDPROF_HIT_COUNT	= 1 << 0,
	DDPROF_HIT_VALUE	= 1 << 1,
	DDPROF_HIT_TIME		= 1 << 2,
};

enum ddprof_task_kind {
	DDPROF_TASK_SEEN	= 1,
	DDPROF_TASK_FORK	= 2,	/* a new process or thread */
	DDPROF_TASK_EXEC	= 3,
	DDPROF_TASK_EXIT	= 4,	/* of one thread */
	DDPROF_TASK_COMM	= 5,	/* a new name */
};

enum ddprof_aspace_flag {
	DDPROF_ASPACE_GONE	= 1 << 0,	/* it ended; no later record refers to it */
	DDPROF_ASPACE_PARTIAL	= 1 << 1,	/* more mappings than are listed */
};

enum ddprof_file_flag {
	DDPROF_FILE_DELETED	= 1 << 0,
	DDPROF_FILE_OPENABLE	= 1 << 1,	/* a regular file, held for FILE_OPEN */
};

/* How the walk of one half of a stack ended */
enum ddprof_walk_end {
	DDPROF_END_NONE		= 0,	/* there is no such half, or it was not asked for */
	DDPROF_END_ROOT		= 1,	/* reached the outermost frame */
	DDPROF_END_TRUNCATED	= 2,	/* the depth limit */
	DDPROF_END_UNREADABLE	= 3,	/* stack memory not present or not readable */
	/* a frame that cannot be one: not above its predecessor, misaligned, not in code */
	DDPROF_END_BAD_FRAME	= 4,
	/* in a file without a table, where frame pointers led nowhere */
	DDPROF_END_NO_TABLE	= 5,
	/* code that its file's table does not describe, where frame pointers led nowhere */
	DDPROF_END_NO_RULE	= 6,
	__DDPROF_END_MAX,
};

/* GET_STATS: totals of one CPU since START */
enum ddprof_attr_stats {
	DDPROF_A_STATS_UNSPEC,
	DDPROF_A_STATS_CPU,		/* u32 */
	DDPROF_A_STATS_ONLINE,		/* u32, 1 while it is being sampled */
	DDPROF_A_STATS_ELAPSED_NS,	/* u64, since START */
	/* u64, samples taken: folded, as new stacks or as single hits */
	DDPROF_A_STATS_SAMPLES,
	DDPROF_A_STATS_FOLDED,		/* u64, of these, found in the stack cache */
	DDPROF_A_STATS_NEW_STACKS,	/* u64, STACK records written */
	DDPROF_A_STATS_IDLE,		/* u64, interrupts that found the CPU idle */
	/* u64, interrupts that found a task outside the scope, or one that a filter leaves out */
	DDPROF_A_STATS_OUT_OF_SCOPE,
	DDPROF_A_STATS_NO_REGS,		/* u64, interrupts without registers */
	DDPROF_A_STATS_SKIPPED,		/* u64, for the CPU budget */
	DDPROF_A_STATS_LOST_RING,	/* u64 */
	DDPROF_A_STATS_LOST_NESTED,	/* u64 */
	DDPROF_A_STATS_LOST_TASKS,	/* u64, TASK records */
	DDPROF_A_STATS_NO_ASPACE,	/* u64, samples whose address space could not be tracked */
	/* u64, timer periods without an interrupt: they were off, or the CPU was a hypervisor's */
	DDPROF_A_STATS_MISSED,
	DDPROF_A_STATS_NMI,		/* u64, samples taken in NMI context */
	DDPROF_A_STATS_KERNEL_END,	/* binary, u64[__DDPROF_END_MAX] by enum ddprof_walk_end */
	DDPROF_A_STATS_USER_END,	/* binary, u64[__DDPROF_END_MAX] by enum ddprof_walk_end */
	DDPROF_A_STATS_HANDLER_NS,	/* u64, taking samples, total */
	DDPROF_A_STATS_HANDLER_MAX_NS,	/* u64, the longest one */
	DDPROF_A_STATS_RING_BYTES,	/* u64, size of the ring */
	DDPROF_A_STATS_RING_HIGH_BYTES,	/* u64, the most it ever held */
	DDPROF_A_STATS_MESSAGES,	/* u64, sent for this CPU's stream */
	DDPROF_A_STATS_BYTES,		/* u64, in these, netlink headers included */
	DDPROF_A_STATS_DEFERRED,	/* u64, of the samples, those put aside at first */
	DDPROF_A_STATS_DEFER_FULL,	/* u64, samples that wanted to be and found no room */
	DDPROF_A_STATS_GUESSED,		/* u64, samples with DDPROF_STACK_GUESSED */
	DDPROF_A_STATS_BLOCKS,		/* u64, blocks that ended on this CPU; OFFCPU, as below */
	DDPROF_A_STATS_BLOCKS_SHORT,	/* u64, of these, shorter than EVENT_MIN_NS */
	DDPROF_A_STATS_BLOCKS_THINNED,	/* u64, of these, stood for by another sample */
	/* u64, blocks not timed for want of room, or whose thread was gone before its sample */
	DDPROF_A_STATS_BLOCKS_LOST,
	__DDPROF_A_STATS_MAX,
	DDPROF_A_STATS_MAX = __DDPROF_A_STATS_MAX - 1,
};

#endif /* _UAPI_DDPROF_H */
