// SPDX-License-Identifier: Apache-2.0
/*
 * Wrong input to every command of the family, one row a fault: the exact errno, and a text that
 * says what was wrong wherever the module or its policy gives the answer. Run in the guest by
 * test_netlink.sh.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nl.h"
#include "tap.h"

/* rows leave zero what they do not need */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* What a row puts into its message, in order. */
enum bit_kind {
	B_END,
	B_U8, B_U16, B_U32, B_U64,	/* an attribute with that value */
	B_ZEROS,			/* an attribute of @value zero bytes */
	B_NEST, B_CLOSE,		/* @type with NLA_F_NESTED if @value */
	B_EVENT,			/* a good EVENT */
	B_OVERLONG,			/* an attribute longer than the message */
	B_TRAILING,			/* @value bytes that are no attribute */
	B_HEADER_LEN,			/* set nlmsg_len to @value, send no more */
	B_HEADER_FLAGS,			/* set these nlmsg_flags as well */
	B_RESERVED,			/* set genlmsghdr.reserved */
};

struct bit {
	uint8_t kind;
	uint16_t type;
	uint64_t value;
	uint16_t times;	/* 0: once */
};

#define EVENT			{ B_EVENT }
#define U32(type, value)	{ B_U32, (type), (value) }
#define U64(type, value)	{ B_U64, (type), (value) }
#define OPEN			{ B_NEST, DDPROF_A_START_EVENT, 1 }
#define CLOSE			{ B_CLOSE }
#define HRTIMER			U32(DDPROF_A_EVENT_SAMPLER, DDPROF_SAMPLER_HRTIMER)
#define PERF			U32(DDPROF_A_EVENT_SAMPLER, DDPROF_SAMPLER_PERF)
#define OFFCPU			U32(DDPROF_A_EVENT_SAMPLER, DDPROF_SAMPLER_OFFCPU)
#define HZ_99			U32(DDPROF_A_EVENT_FREQUENCY_HZ, 99)
#define TGIDS			U32(DDPROF_A_START_SCOPE, DDPROF_SCOPE_TGIDS)
#define FLAGS_BIT		NLA_F_NESTED
#define ID			U64(DDPROF_A_TABLE_FILE_ID, 1)
#define BYTES(n)		U32(DDPROF_A_TABLE_BYTES, (n))
#define OFFSET			U32(DDPROF_A_TABLE_OFFSET, 0)
#define DATA			{ B_ZEROS, DDPROF_A_TABLE_DATA, 4 }

enum { TEXT = 1, NO_TEXT = 0, NO_PROCESS = 4194303 };

struct wrong {
	const char *name;
	uint8_t cmd;
	struct bit bits[8];
	int error;
	bool text;
};

#define START DDPROF_CMD_START
#define INFO DDPROF_CMD_GET_INFO
#define FILE_OPEN DDPROF_CMD_FILE_OPEN
#define BEGIN DDPROF_CMD_TABLE_BEGIN

static const struct wrong wrongs[] = {
	/* the header, answered by generic netlink itself */
	{ "header: no command in it", INFO, { { B_HEADER_LEN, 0, 16 } }, EINVAL, NO_TEXT },
	{ "header: half a command", INFO, { { B_HEADER_LEN, 0, 18 } }, EINVAL, NO_TEXT },
	{ "header: reserved bits", INFO, { { B_RESERVED, 0, 7 } }, EINVAL, TEXT },
	{ "header: flags of another kind of request", INFO,
	  { { B_HEADER_FLAGS, 0, NLM_F_REPLACE } }, EINVAL, TEXT },
	{ "command 0", DDPROF_CMD_UNSPEC, {}, EOPNOTSUPP, NO_TEXT },
	{ "command that does not exist", 200, {}, EOPNOTSUPP, NO_TEXT },
	{ "command that only the kernel sends", DDPROF_CMD_RECORDS, {}, EOPNOTSUPP, NO_TEXT },

	/* commands without attributes */
	{ "GET_INFO: an attribute", INFO, { U32(1, 1) }, EINVAL, TEXT },
	{ "GET_INFO: START's last attribute", INFO, { U32(DDPROF_A_START_FLUSH_MS, 1) }, EINVAL,
	  TEXT },
	{ "GET_INFO: unknown attribute", INFO, { U32(999, 1) }, EINVAL, TEXT },
	{ "GET_INFO: bytes that are no attribute", INFO, { { B_TRAILING, 0, 3 } }, EINVAL, TEXT },
	{ "GET_INFO: as a dump", INFO, { { B_HEADER_FLAGS, 0, NLM_F_DUMP } }, EOPNOTSUPP, NO_TEXT },
	{ "STOP: an attribute", DDPROF_CMD_STOP, { U32(1, 1) }, EINVAL, TEXT },
	{ "STOP: no session", DDPROF_CMD_STOP, {}, ENOENT, TEXT },
	{ "RESYNC: an attribute", DDPROF_CMD_RESYNC, { U32(2, 1) }, EINVAL, TEXT },
	{ "RESYNC: no session", DDPROF_CMD_RESYNC, {}, ENOENT, TEXT },
	{ "GET_STATS: not as a dump", DDPROF_CMD_GET_STATS, {}, EOPNOTSUPP, NO_TEXT },
	{ "GET_STATS: an attribute", DDPROF_CMD_GET_STATS,
	  { { B_HEADER_FLAGS, 0, NLM_F_DUMP }, U32(1, 1) }, EINVAL, TEXT },

	/* FILE_OPEN */
	{ "FILE_OPEN: no FILE_ID", FILE_OPEN, {}, EINVAL, TEXT },
	{ "FILE_OPEN: FILE_ID of 4 bytes", FILE_OPEN, { U32(DDPROF_A_FILE_ID, 1) }, EINVAL, TEXT },
	{ "FILE_OPEN: FILE_ID of 9 bytes", FILE_OPEN, { { B_ZEROS, DDPROF_A_FILE_ID, 9 } }, EINVAL,
	  TEXT },
	{ "FILE_OPEN: attribute of the answer", FILE_OPEN,
	  { U64(DDPROF_A_FILE_ID, 1), U32(DDPROF_A_FILE_FD, 0) }, EINVAL, TEXT },
	{ "FILE_OPEN: unknown attribute", FILE_OPEN, { U64(DDPROF_A_FILE_ID, 1), U32(77, 0) },
	  EINVAL, TEXT },
	{ "FILE_OPEN: unknown id", FILE_OPEN, { U64(DDPROF_A_FILE_ID, 1ULL << 60) }, ENOENT, TEXT },
	{ "FILE_OPEN: id 0", FILE_OPEN, { U64(DDPROF_A_FILE_ID, 0) }, ENOENT, TEXT },

	/* TABLE_*: what a session is needed for is in nl_wrong_tables.c */
	{ "TABLE_BEGIN: nothing in it", BEGIN, {}, EINVAL, TEXT },
	{ "TABLE_BEGIN: no BYTES", BEGIN, { ID }, EINVAL, TEXT },
	{ "TABLE_BEGIN: neither FILE_ID nor FILE_FD", BEGIN, { BYTES(100) }, EINVAL, TEXT },
	{ "TABLE_BEGIN: FILE_ID and FILE_FD", BEGIN,
	  { ID, U32(DDPROF_A_TABLE_FILE_FD, 0), BYTES(100) }, EINVAL, TEXT },
	{ "TABLE_BEGIN: BYTES 0", BEGIN, { ID, BYTES(0) }, ERANGE, TEXT },
	{ "TABLE_BEGIN: BYTES less than a header", BEGIN, { ID, BYTES(23) }, ERANGE, TEXT },
	{ "TABLE_BEGIN: BYTES above 2^28", BEGIN, { ID, BYTES((1 << 28) + 1) }, ERANGE, TEXT },
	{ "TABLE_BEGIN: BYTES 2^32 - 1", BEGIN, { ID, BYTES(UINT32_MAX) }, ERANGE, TEXT },
	{ "TABLE_BEGIN: BYTES of 8 bytes", BEGIN, { ID, U64(DDPROF_A_TABLE_BYTES, 100) }, EINVAL,
	  TEXT },
	{ "TABLE_BEGIN: FILE_ID of 4 bytes", BEGIN,
	  { U32(DDPROF_A_TABLE_FILE_ID, 1), BYTES(100) }, EINVAL, TEXT },
	{ "TABLE_BEGIN: FILE_FD of 8 bytes", BEGIN,
	  { U64(DDPROF_A_TABLE_FILE_FD, 0), BYTES(100) }, EINVAL, TEXT },
	{ "TABLE_BEGIN: FILE_FD -1", BEGIN,
	  { U32(DDPROF_A_TABLE_FILE_FD, UINT32_MAX), BYTES(100) }, EBADF, TEXT },
	{ "TABLE_BEGIN: attribute of TABLE_LIST's answer", BEGIN,
	  { ID, BYTES(100), U32(DDPROF_A_TABLE_ROWS, 1) }, EINVAL, TEXT },
	{ "TABLE_BEGIN: NAME", BEGIN, { ID, BYTES(100), { B_ZEROS, DDPROF_A_TABLE_NAME, 4 } },
	  EINVAL, TEXT },
	{ "TABLE_BEGIN: unknown attribute", BEGIN, { ID, BYTES(100), U32(77, 1) }, EINVAL, TEXT },
	{ "TABLE_BEGIN: as a dump", BEGIN, { { B_HEADER_FLAGS, 0, NLM_F_DUMP }, ID, BYTES(100) },
	  EOPNOTSUPP, NO_TEXT },
	{ "TABLE_BEGIN: no session", BEGIN, { ID, BYTES(100) }, ENOENT, TEXT },
	{ "TABLE_BEGIN: the vdso's, no session", BEGIN,
	  { U64(DDPROF_A_TABLE_FILE_ID, DDPROF_FILE_VDSO), BYTES(100) }, ENOENT, TEXT },
	{ "TABLE_DATA: nothing in it", DDPROF_CMD_TABLE_DATA, {}, EINVAL, TEXT },
	{ "TABLE_DATA: no FILE_ID", DDPROF_CMD_TABLE_DATA, { OFFSET, DATA }, EINVAL, TEXT },
	{ "TABLE_DATA: no OFFSET", DDPROF_CMD_TABLE_DATA, { ID, DATA }, EINVAL, TEXT },
	{ "TABLE_DATA: no DATA", DDPROF_CMD_TABLE_DATA, { ID, OFFSET }, EINVAL, TEXT },
	{ "TABLE_DATA: OFFSET of 8 bytes", DDPROF_CMD_TABLE_DATA,
	  { ID, U64(DDPROF_A_TABLE_OFFSET, 0), DATA }, EINVAL, TEXT },
	{ "TABLE_DATA: no session", DDPROF_CMD_TABLE_DATA, { ID, OFFSET, DATA }, ENOENT, TEXT },
	{ "TABLE_DATA: 60000 bytes, no session", DDPROF_CMD_TABLE_DATA,
	  { ID, OFFSET, { B_ZEROS, DDPROF_A_TABLE_DATA, 60000 } }, ENOENT, TEXT },
	{ "TABLE_COMMIT: no FILE_ID", DDPROF_CMD_TABLE_COMMIT, {}, EINVAL, TEXT },
	{ "TABLE_COMMIT: FILE_ID of 4 bytes", DDPROF_CMD_TABLE_COMMIT,
	  { U32(DDPROF_A_TABLE_FILE_ID, 1) }, EINVAL, TEXT },
	{ "TABLE_COMMIT: no session", DDPROF_CMD_TABLE_COMMIT, { ID }, ENOENT, TEXT },
	{ "TABLE_DROP: no FILE_ID", DDPROF_CMD_TABLE_DROP, {}, EINVAL, TEXT },
	{ "TABLE_DROP: unknown attribute", DDPROF_CMD_TABLE_DROP, { ID, U32(77, 1) }, EINVAL,
	  TEXT },
	{ "TABLE_DROP: no session", DDPROF_CMD_TABLE_DROP, { ID }, ENOENT, TEXT },
	{ "TABLE_LIST: not as a dump", DDPROF_CMD_TABLE_LIST, {}, EOPNOTSUPP, NO_TEXT },
	{ "TABLE_LIST: an attribute", DDPROF_CMD_TABLE_LIST,
	  { { B_HEADER_FLAGS, 0, NLM_F_DUMP }, ID }, EINVAL, TEXT },

	/* START: form */
	{ "START: nothing in it", START, {}, EINVAL, TEXT },
	{ "START: no EVENT", START, { U32(DDPROF_A_START_DEPTH, 10) }, EINVAL, TEXT },
	{ "START: unknown attribute", START, { EVENT, U32(999, 1) }, EINVAL, TEXT },
	{ "START: attribute 0", START, { EVENT, U32(0, 1) }, EINVAL, TEXT },
	{ "START: attribute runs over the end", START, { EVENT, { B_OVERLONG, 2, 0 } }, EINVAL,
	  TEXT },
	{ "START: bytes that are no attribute", START, { EVENT, { B_TRAILING, 0, 3 } }, EINVAL,
	  TEXT },
	{ "START: unknown attribute of 60000 bytes", START, { EVENT, { B_ZEROS, 50, 60000 } },
	  EINVAL, TEXT },
	{ "START: DEPTH of 60000 bytes", START,
	  { EVENT, { B_ZEROS, DDPROF_A_START_DEPTH, 60000 } }, EINVAL, TEXT },
	{ "START: DEPTH of 2 bytes", START, { EVENT, { B_U16, DDPROF_A_START_DEPTH, 10 } }, EINVAL,
	  TEXT },
	{ "START: DEPTH of 8 bytes", START, { EVENT, { B_U64, DDPROF_A_START_DEPTH, 10 } }, EINVAL,
	  TEXT },
	{ "START: DEPTH empty", START, { EVENT, { B_ZEROS, DDPROF_A_START_DEPTH, 0 } }, EINVAL,
	  TEXT },
	{ "START: DEPTH as a nest", START,
	  { EVENT, U32(DDPROF_A_START_DEPTH | FLAGS_BIT, 10) }, EINVAL, TEXT },
	{ "START: EVENT without the nested flag", START,
	  { { B_NEST, DDPROF_A_START_EVENT, 0 }, HRTIMER, HZ_99, CLOSE }, EINVAL, TEXT },
	{ "START: EVENT is a number", START, { U32(DDPROF_A_START_EVENT, 1) }, EINVAL, TEXT },
	{ "START: EVENT is three stray bytes", START,
	  { { B_ZEROS, DDPROF_A_START_EVENT | FLAGS_BIT, 3 } }, ERANGE, TEXT },
	{ "START: EVENT empty", START, { OPEN, CLOSE }, EINVAL, TEXT },
	{ "START: EVENT with an unknown attribute", START,
	  { OPEN, HRTIMER, HZ_99, U32(99, 1), CLOSE }, EINVAL, TEXT },
	{ "START: EVENT inside an EVENT", START,
	  { OPEN, HRTIMER, HZ_99, { B_NEST, DDPROF_A_EVENT_SAMPLER, 1 }, HRTIMER, CLOSE, CLOSE },
	  EINVAL, TEXT },
	{ "START: EVENT with garbage at its end", START,
	  { OPEN, HRTIMER, HZ_99, { B_TRAILING, 0, 2 }, CLOSE }, EINVAL, TEXT },
	{ "START: CONFIG of 4 bytes", START, { OPEN, PERF, HZ_99, U32(DDPROF_A_EVENT_CONFIG, 0),
	  CLOSE }, EINVAL, TEXT },

	/* START: values out of range */
	{ "START: SAMPLER 0", START, { OPEN, U32(DDPROF_A_EVENT_SAMPLER, 0), HZ_99, CLOSE }, ERANGE,
	  TEXT },
	{ "START: SAMPLER 4", START, { OPEN, U32(DDPROF_A_EVENT_SAMPLER, 4), HZ_99, CLOSE }, ERANGE,
	  TEXT },
	{ "START: FREQUENCY_HZ 0", START,
	  { OPEN, HRTIMER, U32(DDPROF_A_EVENT_FREQUENCY_HZ, 0), CLOSE }, ERANGE, TEXT },
	{ "START: FREQUENCY_HZ 10001", START,
	  { OPEN, HRTIMER, U32(DDPROF_A_EVENT_FREQUENCY_HZ, 10001), CLOSE }, ERANGE, TEXT },
	{ "START: PERIOD 0", START, { OPEN, PERF, U64(DDPROF_A_EVENT_PERIOD, 0), CLOSE }, ERANGE,
	  TEXT },
	{ "START: PERIOD above 2^62", START,
	  { OPEN, PERF, U64(DDPROF_A_EVENT_PERIOD, (1ULL << 62) + 1), CLOSE }, ERANGE, TEXT },
	{ "START: cpu clock PERIOD below 100000 ns", START,
	  { OPEN, PERF, U64(DDPROF_A_EVENT_PERIOD, 99999), CLOSE }, ERANGE, TEXT },
	{ "START: ON_MISSING 0", START,
	  { OPEN, PERF, HZ_99, U32(DDPROF_A_EVENT_ON_MISSING, 0), CLOSE }, ERANGE, TEXT },
	{ "START: ON_MISSING 4", START,
	  { OPEN, PERF, HZ_99, U32(DDPROF_A_EVENT_ON_MISSING, 4), CLOSE }, ERANGE, TEXT },
	{ "START: ON_MISSING of 8 bytes", START,
	  { OPEN, PERF, HZ_99, U64(DDPROF_A_EVENT_ON_MISSING, 1), CLOSE }, EINVAL, TEXT },
	{ "START: SCOPE 0", START, { EVENT, U32(DDPROF_A_START_SCOPE, 0) }, ERANGE, TEXT },
	{ "START: SCOPE 4", START, { EVENT, U32(DDPROF_A_START_SCOPE, 4) }, ERANGE, TEXT },
	{ "START: FLAGS with an unknown bit", START, { EVENT, U32(DDPROF_A_START_FLAGS, 8) },
	  EINVAL, TEXT },
	{ "START: DEPTH 0", START, { EVENT, U32(DDPROF_A_START_DEPTH, 0) }, ERANGE, TEXT },
	{ "START: DEPTH 1025", START, { EVENT, U32(DDPROF_A_START_DEPTH, 1025) }, ERANGE, TEXT },
	{ "START: BUDGET 0", START, { EVENT, U32(DDPROF_A_START_BUDGET_PERMILLE, 0) }, ERANGE,
	  TEXT },
	{ "START: BUDGET 1001", START, { EVENT, U32(DDPROF_A_START_BUDGET_PERMILLE, 1001) }, ERANGE,
	  TEXT },
	{ "START: RING_KIB 63", START, { EVENT, U32(DDPROF_A_START_RING_KIB, 63) }, ERANGE, TEXT },
	{ "START: RING_KIB 65537", START, { EVENT, U32(DDPROF_A_START_RING_KIB, 65537) }, ERANGE,
	  TEXT },
	{ "START: CACHE_STACKS 63", START, { EVENT, U32(DDPROF_A_START_CACHE_STACKS, 63) }, ERANGE,
	  TEXT },
	{ "START: CACHE_STACKS 65537", START, { EVENT, U32(DDPROF_A_START_CACHE_STACKS, 65537) },
	  ERANGE, TEXT },
	{ "START: FLUSH_MS 9", START, { EVENT, U32(DDPROF_A_START_FLUSH_MS, 9) }, ERANGE, TEXT },
	{ "START: FLUSH_MS 60001", START, { EVENT, U32(DDPROF_A_START_FLUSH_MS, 60001) }, ERANGE,
	  TEXT },
	{ "START: TABLES_KIB above 2^20", START,
	  { EVENT, U32(DDPROF_A_START_TABLES_KIB, (1 << 20) + 1) }, ERANGE, TEXT },
	{ "START: TABLES_KIB of 8 bytes", START,
	  { EVENT, U64(DDPROF_A_START_TABLES_KIB, 1) }, EINVAL, TEXT },
	{ "START: TGID 0", START, { EVENT, TGIDS, U32(DDPROF_A_START_TGID, 0) }, ERANGE, TEXT },
	{ "START: TGID above the kernel's limit", START,
	  { EVENT, TGIDS, U32(DDPROF_A_START_TGID, 4194305) }, ERANGE, TEXT },

	{ "START: MIN_NS above a minute", START,
	  { OPEN, OFFCPU, HZ_99, U64(DDPROF_A_EVENT_MIN_NS, 60000000001ULL), CLOSE }, ERANGE,
	  TEXT },
	{ "START: MIN_NS of 4 bytes", START,
	  { OPEN, OFFCPU, HZ_99, U32(DDPROF_A_EVENT_MIN_NS, 1), CLOSE }, EINVAL, TEXT },
	{ "START: OFFCPU with FREQUENCY_HZ 0", START,
	  { OPEN, OFFCPU, U32(DDPROF_A_EVENT_FREQUENCY_HZ, 0), CLOSE }, ERANGE, TEXT },
	{ "START: EXCLUDE_TGID 0", START, { EVENT, U32(DDPROF_A_START_EXCLUDE_TGID, 0) }, ERANGE,
	  TEXT },
	{ "START: TID above the kernel's limit", START,
	  { EVENT, U32(DDPROF_A_START_TID, 4194305) }, ERANGE, TEXT },
	{ "START: EXCLUDE_TID of 8 bytes", START, { EVENT, U64(DDPROF_A_START_EXCLUDE_TID, 1) },
	  EINVAL, TEXT },
	{ "START: NAME of 64 bytes", START, { EVENT, { B_ZEROS, DDPROF_A_START_NAME, 65 } },
	  ERANGE, TEXT },
	{ "START: NAME that does not end", START, { EVENT, U32(DDPROF_A_START_NAME, 0x61616161) },
	  EINVAL, TEXT },
	{ "START: EXCLUDE_NAME without a byte", START,
	  { EVENT, { B_ZEROS, DDPROF_A_START_EXCLUDE_NAME, 0 } }, EINVAL, TEXT },
	{ "START: CGROUP_FD of 8 bytes", START, { EVENT, U64(DDPROF_A_START_CGROUP_FD, 0) },
	  EINVAL, TEXT },

	/* START: contradictions and what is missing */
	{ "START: EVENT without SAMPLER", START, { OPEN, HZ_99, CLOSE }, EINVAL, TEXT },
	{ "START: EVENT without rate", START, { OPEN, PERF, CLOSE }, EINVAL, TEXT },
	{ "START: FREQUENCY_HZ and PERIOD", START,
	  { OPEN, PERF, HZ_99, U64(DDPROF_A_EVENT_PERIOD, 1000000), CLOSE }, EINVAL, TEXT },
	{ "START: hrtimer with PERIOD", START,
	  { OPEN, HRTIMER, U64(DDPROF_A_EVENT_PERIOD, 1000000), CLOSE }, EINVAL, TEXT },
	{ "START: hrtimer with TYPE", START,
	  { OPEN, HRTIMER, HZ_99, U32(DDPROF_A_EVENT_TYPE, 0), CLOSE }, EINVAL, TEXT },
	{ "START: hrtimer with CONFIG", START,
	  { OPEN, HRTIMER, HZ_99, U64(DDPROF_A_EVENT_CONFIG, 0), CLOSE }, EINVAL, TEXT },
	{ "START: hrtimer with ON_MISSING", START,
	  { OPEN, HRTIMER, HZ_99, U32(DDPROF_A_EVENT_ON_MISSING, 3), CLOSE }, EINVAL, TEXT },
	{ "START: OFFCPU without rate", START, { OPEN, OFFCPU, CLOSE }, EINVAL, TEXT },
	{ "START: OFFCPU with PERIOD", START,
	  { OPEN, OFFCPU, U64(DDPROF_A_EVENT_PERIOD, 1000000), CLOSE }, EINVAL, TEXT },
	{ "START: OFFCPU with TYPE", START,
	  { OPEN, OFFCPU, HZ_99, U32(DDPROF_A_EVENT_TYPE, 0), CLOSE }, EINVAL, TEXT },
	{ "START: OFFCPU twice", START, { OPEN, OFFCPU, HZ_99, CLOSE, OPEN, OFFCPU, HZ_99, CLOSE },
	  EINVAL, TEXT },
	{ "START: hrtimer with MIN_NS", START,
	  { OPEN, HRTIMER, HZ_99, U64(DDPROF_A_EVENT_MIN_NS, 0), CLOSE }, EINVAL, TEXT },
	{ "START: EXCLUDE_TGID of no process", START,
	  { EVENT, U32(DDPROF_A_START_EXCLUDE_TGID, NO_PROCESS) }, ESRCH, TEXT },
	{ "START: TID of no thread", START, { EVENT, U32(DDPROF_A_START_TID, NO_PROCESS) }, ESRCH,
	  TEXT },
	{ "START: EXCLUDE_TID of no thread", START,
	  { EVENT, U32(DDPROF_A_START_EXCLUDE_TID, NO_PROCESS) }, ESRCH, TEXT },
	{ "START: 65 EXCLUDE_TGIDs", START,
	  { EVENT, { B_U32, DDPROF_A_START_EXCLUDE_TGID, 1, 65 } }, E2BIG, TEXT },
	{ "START: 65 TIDs", START, { EVENT, { B_U32, DDPROF_A_START_TID, 1, 65 } }, E2BIG, TEXT },
	{ "START: 65 NAMEs", START, { EVENT, { B_U16, DDPROF_A_START_NAME, 'a', 65 } }, E2BIG,
	  TEXT },
	{ "START: an empty NAME", START, { EVENT, { B_ZEROS, DDPROF_A_START_NAME, 1 } }, EINVAL,
	  TEXT },
	{ "START: CGROUP_FD that is no cgroup", START, { EVENT, U32(DDPROF_A_START_CGROUP_FD, 0) },
	  EBADF, TEXT },
	{ "START: EXCLUDE_CGROUP_FD that is not open", START,
	  { EVENT, U32(DDPROF_A_START_EXCLUDE_CGROUP_FD, 4000) }, EBADF, TEXT },
	{ "START: 9 EVENTs", START, { { B_EVENT, 0, 0, 9 } }, E2BIG, TEXT },
	{ "START: 257 TGIDs", START,
	  { EVENT, TGIDS, { B_U32, DDPROF_A_START_TGID, 1, 257 } }, E2BIG, TEXT },
	{ "START: TGID without SCOPE", START, { EVENT, U32(DDPROF_A_START_TGID, 1) }, EINVAL,
	  TEXT },
	{ "START: SCOPE TGIDS without TGID", START, { EVENT, TGIDS }, EINVAL, TEXT },
	{ "START: SCOPE TREES without TGID", START,
	  { EVENT, U32(DDPROF_A_START_SCOPE, DDPROF_SCOPE_TREES) }, EINVAL, TEXT },
	{ "START: TGID of no process", START,
	  { EVENT, TGIDS, U32(DDPROF_A_START_TGID, 1), U32(DDPROF_A_START_TGID, NO_PROCESS) },
	  ESRCH, TEXT },
	{ "START: software event that does not exist", START,
	  { OPEN, PERF, HZ_99, U32(DDPROF_A_EVENT_TYPE, PERF_TYPE_SOFTWARE),
	    U64(DDPROF_A_EVENT_CONFIG, 9999), CLOSE }, EOPNOTSUPP, TEXT },
	{ "START: event type that does not exist", START,
	  { OPEN, PERF, HZ_99, U32(DDPROF_A_EVENT_TYPE, 54321), U64(DDPROF_A_EVENT_CONFIG, 1),
	    CLOSE },
	  EOPNOTSUPP, TEXT },
	{ "START: event type that does not exist, which is no event to be left out", START,
	  { OPEN, PERF, HZ_99, U32(DDPROF_A_EVENT_TYPE, 54321),
	    U32(DDPROF_A_EVENT_ON_MISSING, DDPROF_MISSING_SKIP), CLOSE },
	  EOPNOTSUPP, TEXT },
	{ "START: breakpoint", START,
	  { OPEN, PERF, HZ_99, U32(DDPROF_A_EVENT_TYPE, PERF_TYPE_BREAKPOINT), CLOSE },
	  EOPNOTSUPP, TEXT },
	{ "START: tracepoint that does not exist", START,
	  { OPEN, PERF, HZ_99, U32(DDPROF_A_EVENT_TYPE, PERF_TYPE_TRACEPOINT),
	    U64(DDPROF_A_EVENT_CONFIG, 1ULL << 40), CLOSE }, EOPNOTSUPP, TEXT },
	{ "START: the only event is left out", START,
	  { OPEN, PERF, HZ_99, U32(DDPROF_A_EVENT_TYPE, PERF_TYPE_TRACEPOINT),
	    U64(DDPROF_A_EVENT_CONFIG, 1ULL << 40),
	    U32(DDPROF_A_EVENT_ON_MISSING, DDPROF_MISSING_SKIP), CLOSE },
	  EOPNOTSUPP, TEXT },
};

static void put_bit(struct nl_message *m, const struct bit *b, size_t *nest)
{
	static const uint8_t zeros[NL_MESSAGE_MAX / 2 + 30000];
	static size_t outer;
	struct nlmsghdr *h = (struct nlmsghdr *)m->bytes;

	switch (b->kind) {
	case B_U8:
	case B_U16:
	case B_U32:
	case B_U64:
		nl_put(m, b->type, &b->value, (size_t)1 << (b->kind - B_U8));
		break;
	case B_ZEROS:
		nl_put(m, b->type, zeros, b->value);
		break;
	case B_NEST:
		outer = *nest;
		*nest = nl_nest(m, b->type | (b->value ? NLA_F_NESTED : 0));
		break;
	case B_CLOSE:
		nl_nest_end(m, *nest);
		*nest = outer;
		break;
	case B_EVENT:
		*nest = nl_nest(m, DDPROF_A_START_EVENT | NLA_F_NESTED);
		nl_put_u32(m, DDPROF_A_EVENT_SAMPLER, DDPROF_SAMPLER_HRTIMER);
		nl_put_u32(m, DDPROF_A_EVENT_FREQUENCY_HZ, 99);
		nl_nest_end(m, *nest);
		break;
	case B_OVERLONG:
		nl_put_u32(m, b->type, 1);
		((struct nlattr *)(m->bytes + m->len - 8))->nla_len = 400;
		break;
	case B_TRAILING:
		memset(m->bytes + m->len, 0xff, b->value);
		m->len += b->value;
		h->nlmsg_len = m->len;
		break;
	case B_HEADER_LEN:
		h->nlmsg_len = m->len = b->value;
		break;
	case B_HEADER_FLAGS:
		h->nlmsg_flags |= b->value;
		break;
	case B_RESERVED:
		((struct genlmsghdr *)(h + 1))->reserved = b->value;
		break;
	}
}

static void build(struct nl *nl, struct nl_message *m, const struct wrong *w)
{
	size_t i, nest = 0;
	int n;

	nl_begin(nl, m, w->cmd, 0);
	for (i = 0; i < sizeof(w->bits) / sizeof(w->bits[0]) && w->bits[i].kind; i++)
		for (n = w->bits[i].times ? w->bits[i].times : 1; n > 0; n--)
			put_bit(m, &w->bits[i], &nest);
}

static void expect(const char *name, int ret, int error, bool text, const struct nl *nl)
{
	if (ret != -error)
		tap(false, name, "%s instead of %s (%s)", strerror(-ret), strerror(error),
		    nl->text);
	else
		tap(!text || nl->text[0], name, "%s comes without a message", strerror(error));
}

static void run_table(struct nl *nl)
{
	static struct nl_message m;
	size_t i;

	for (i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		build(nl, &m, &wrongs[i]);
		expect(wrongs[i].name, nl_call(nl, &m, NULL), wrongs[i].error, wrongs[i].text, nl);
	}
}

/* -- faults that need a situation -- */

static int start_tgid(struct nl *nl, uint32_t tgid)
{
	return nl_start(nl, &(struct nl_start){ .tgid = tgid }, NULL);
}

static void zombie_and_thread(struct nl *nl, uint32_t thread)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	usleep(300000); /* a zombie by now */
	expect("START: TGID of a process that has ended", start_tgid(nl, pid), ESRCH, true, nl);
	waitpid(pid, NULL, 0);
	expect("START: TGID of a thread that is no process", start_tgid(nl, thread), ESRCH, true,
	       nl);
}

static void *sleeper(void *tid)
{
	*(volatile uint32_t *)tid = syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

static uint32_t a_thread(void)
{
	static volatile uint32_t tid;
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleeper, (void *)&tid))
		tap_bail("no thread");
	while (!tid)
		usleep(1000);
	return tid;
}

/* One FILE_OPEN by a process that is not the owner's. */
static void file_open_elsewhere(void)
{
	pid_t pid = fork();
	int status = 1;

	if (!pid) {
		static struct nl_message m;
		struct nl other = {};

		if (nl_open(&other))
			_exit(2);
		nl_begin(&other, &m, DDPROF_CMD_FILE_OPEN, 0);
		nl_put_u64(&m, DDPROF_A_FILE_ID, 1);
		expect("FILE_OPEN: another process's session", nl_call(&other, &m, NULL), EPERM,
		       true, &other);
		fflush(stdout);
		_exit(tap_failures);
	}
	waitpid(pid, &status, 0);
	tap_failures += status != 0;
}

static void with_a_session(struct nl *nl)
{
	struct nl other = {};
	struct nl_start how = {};
	int ret = nl_start(nl, &how, NULL);

	if (ret || nl_open(&other))
		tap_bail("START: %s (%s)", strerror(-ret), nl->text);
	expect("START: again on the same socket", nl_start(nl, &how, NULL), EALREADY, true, nl);
	expect("START: another socket owns the session", nl_start(&other, &how, NULL), EBUSY, true,
	       &other);
	expect("STOP: not the owner", nl_simple(&other, DDPROF_CMD_STOP, NULL), EPERM, true,
	       &other);
	expect("RESYNC: not the owner", nl_simple(&other, DDPROF_CMD_RESYNC, NULL), EPERM, true,
	       &other);
	file_open_elsewhere();
	tap(!nl_simple(nl, DDPROF_CMD_STOP, NULL), "the session was not hurt: STOP answers", "%s",
	    nl->text);
	expect("STOP: twice", nl_simple(nl, DDPROF_CMD_STOP, NULL), ENOENT, true, nl);
	nl_close(&other);
}

int main(void)
{
	struct nl nl = {};
	int ret = nl_open(&nl);

	if (ret || !nl.family)
		tap_bail("family \"%s\": %s", DDPROF_GENL_NAME, ret ? strerror(-ret) : "not there");
	run_table(&nl);
	zombie_and_thread(&nl, a_thread());
	with_a_session(&nl);
	nl_close(&nl);
	return tap_failures != 0;
}
