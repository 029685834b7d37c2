// SPDX-License-Identifier: Apache-2.0
/*
 * Records of pprof's messages, byte by byte: the numbers, what is left out and what never is, to
 * memory and to a callback, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "ddprof/record.h"

#define NUMBER(v) { .kind = DDP_RECORD_NUMBER, .number = (v) }
#define LABEL(...) &(struct ddp_record_label){ __VA_ARGS__ }
#define MAPPING(...) &(struct ddp_record_mapping){ __VA_ARGS__ }
#define FUNCTION(...) &(struct ddp_record_function){ __VA_ARGS__ }
#define LOCATION(...) &(struct ddp_record_location){ __VA_ARGS__ }
#define SAMPLE(...) &(struct ddp_record_sample){ __VA_ARGS__ }

struct row {
	const char *what;
	struct ddp_record r;
	const char *hex;	/* written always */
	const char *hex_nonzero;	/* zero left out; NULL: the same */
};

static const uint64_t numbers[] = { 1, 300, UINT64_MAX };
static const uint64_t ids[] = { 2, 300 };
static const int64_t values[] = { 0, -1 };
static const struct ddp_record_line lines[] = { { 1, 42, 0 }, { 0, 0, 0 }, { 2, 0, 7 } };
static const struct ddp_record_label labels[] = { { 6, 0, 2, 5 }, { 0, 0, 0, 0 } };

static const struct row rows[] = {
	{ "0 as a varint", NUMBER(0), "00", "" },
	{ "127 as a varint", NUMBER(127), "7f", NULL },
	{ "128 as a varint", NUMBER(128), "8001", NULL },
	{ "300 as a varint", NUMBER(300), "ac02", NULL },
	{ "16384 as a varint", NUMBER(16384), "808001", NULL },
	{ "the largest i64", NUMBER(INT64_MAX), "ffffffffffffffff7f", NULL },
	{ "the smallest i64", NUMBER((uint64_t)INT64_MIN), "80808080808080808001", NULL },
	{ "-1 as a varint", NUMBER((uint64_t)-1), "ffffffffffffffffff01", NULL },
	{ "a number", { .field = 12, .number = 16384 }, "60808001", NULL },
	{ "zero", { .field = 9 }, "4800", "" },
	{ "true", { .field = 5, .number = true }, "2801", NULL },
	{ "a field with a tag of two bytes", { .field = 16, .number = 1 }, "800101", NULL },
	{ "the last field", { .field = (1 << 29) - 1, .number = 1 }, "f8ffffff0f01", NULL },
	{ "a string", { .field = 6, .kind = DDP_RECORD_STRING, .string = { "ab", 2 } },
	  "32026162", NULL },
	{ "an empty string", { .field = 6, .kind = DDP_RECORD_STRING }, "3200", "" },
	{ "a string that is not UTF-8",
	  { .field = 6, .kind = DDP_RECORD_STRING, .string = { "a\xff\xc3", 3 } },
	  "3207 61 efbfbd efbfbd", NULL },
	{ "bytes of a string", { .kind = DDP_RECORD_STRING, .string = { "ab", 2 } }, "6162", NULL },
	{ "packed numbers", { .field = 13, .kind = DDP_RECORD_PACKED, .packed = { numbers, 3 } },
	  "6a0d 01 ac02 ffffffffffffffffff01", NULL },
	{ "no packed numbers", { .field = 13, .kind = DDP_RECORD_PACKED }, "6a00", "" },
	{ "a value type", { .field = 1, .kind = DDP_RECORD_VALUE_TYPE,
	  .value_type = &(struct ddp_record_value_type){ 1, 2 } }, "0a0408011002", NULL },
	{ "an empty value type", { .field = 1, .kind = DDP_RECORD_VALUE_TYPE,
	  .value_type = &(struct ddp_record_value_type){ 0, 0 } }, "0a00", "" },
	{ "a label that is a string", { .field = 3, .kind = DDP_RECORD_LABEL,
	  .label = LABEL(.key = 4, .str = 5) }, "1a0408041005", NULL },
	{ "a label that is a number", { .field = 3, .kind = DDP_RECORD_LABEL,
	  .label = LABEL(.key = 4, .num = -1, .num_unit = 6) },
	  "1a0f0804 18ffffffffffffffffff01 2006", NULL },
	{ "an empty label", { .field = 3, .kind = DDP_RECORD_LABEL, .label = LABEL(0) },
	  "1a00", "" },
	{ "a line", { .field = 4, .kind = DDP_RECORD_LINE, .line = lines }, "22040801102a", NULL },
	{ "a line with a column", { .field = 4, .kind = DDP_RECORD_LINE, .line = &lines[2] },
	  "220408021807", NULL },
	{ "an empty line", { .field = 4, .kind = DDP_RECORD_LINE, .line = &lines[1] },
	  "2200", "" },
	{ "a location", { .field = 4, .kind = DDP_RECORD_LOCATION, .location = LOCATION(
	  .id = 2, .mapping_id = 1, .address = 0x400123, .lines = lines, .nr_lines = 1) },
	  "220f0802100118a382800222040801102a", NULL },
	{ "a location with all members", { .field = 4, .kind = DDP_RECORD_LOCATION,
	  .location = LOCATION(.id = 2, .mapping_id = 1, .address = 1, .lines = lines,
			       .nr_lines = 3, .is_folded = true) },
	  "2216 0802 1001 1801 22040801102a 2200 220408021807 2801", NULL },
	{ "an empty location", { .field = 4, .kind = DDP_RECORD_LOCATION,
	  .location = LOCATION(0) }, "22020800", "" },
	{ "a location with an id alone", { .field = 4, .kind = DDP_RECORD_LOCATION,
	  .location = LOCATION(.id = 1) }, "22020801", NULL },
	{ "a location with an empty line", { .field = 4, .kind = DDP_RECORD_LOCATION,
	  .location = LOCATION(.lines = &lines[1], .nr_lines = 1) }, "220408002200", NULL },
	{ "a mapping", { .field = 3, .kind = DDP_RECORD_MAPPING, .mapping = MAPPING(
	  .id = 1, .memory_start = 0x400000, .memory_limit = 0x401000, .file_offset = 1,
	  .filename = 4, .build_id = 6, .has_functions = true, .has_inline_frames = true) },
	  "1a16 0801 1080808002 1880a08002 2001 2804 3006 3801 5001", NULL },
	{ "a mapping with the other flags", { .field = 3, .kind = DDP_RECORD_MAPPING,
	  .mapping = MAPPING(.id = 1, .has_filenames = true, .has_line_numbers = true) },
	  "1a06 0801 4001 4801", NULL },
	{ "an empty mapping", { .field = 3, .kind = DDP_RECORD_MAPPING, .mapping = MAPPING(0) },
	  "1a020800", "" },
	{ "a function", { .field = 5, .kind = DDP_RECORD_FUNCTION,
	  .function = FUNCTION(.id = 1, .name = 5, .filename = 6) },
	  "2a06080110052006", NULL },
	{ "a function with all members", { .field = 5, .kind = DDP_RECORD_FUNCTION,
	  .function = FUNCTION(1, 2, 3, 4, 5) }, "2a0a 0801 1002 1803 2004 2805", NULL },
	{ "an empty function", { .field = 5, .kind = DDP_RECORD_FUNCTION,
	  .function = FUNCTION(0) }, "2a020800", "" },
	{ "the body of an empty sample", { .kind = DDP_RECORD_SAMPLE, .sample = SAMPLE(0) },
	  "0a001200", "" },
	{ "an empty sample", { .field = 2, .kind = DDP_RECORD_SAMPLE, .sample = SAMPLE(0) },
	  "12040a001200", "" },
	{ "a sample with a value of 0", { .field = 2, .kind = DDP_RECORD_SAMPLE,
	  .sample = SAMPLE(.values = values, .nr_values = 1) }, "12050a00120100", NULL },
	{ "a sample with all members", { .field = 2, .kind = DDP_RECORD_SAMPLE,
	  .sample = SAMPLE(ids, 2, values, 2, labels, 2) },
	  "121c 0a0302ac02 120b00ffffffffffffffffff01 1a06080618022005 1a00", NULL },
};

enum { NR_ROWS = sizeof(rows) / sizeof(*rows) };

static size_t from_hex(const char *hex, unsigned char *to)
{
	unsigned int byte;
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		to[n++] = (unsigned char)byte;
		hex++;
	}
	return n;
}

static void check_bytes(const unsigned char *bytes, size_t n, const char *hex)
{
	unsigned char expected[64];
	size_t nr = from_hex(hex, expected), i;

	for (i = 0; i < n && i < nr; i++)
		if (bytes[i] != expected[i])
			fail_msg("byte %zu is %02x, not %02x", i, bytes[i], expected[i]);
	assert_int_equal(n, nr);
}

/* All three ways out; memory that is one byte too small stays as it was. */
static void check_record(const struct ddp_record *r, const char *hex)
{
	struct ddp_buffer out = { 0 };
	unsigned char *memory;
	size_t size, n = 0;

	assert_int_equal(ddp_record_size(r, &size), 0);
	memory = malloc(size + 1);
	assert_int_equal(ddp_record_put(r, memory, size, &n), 0);
	check_bytes(memory, n, hex);
	if (size) {
		memory[0] = 0xee;
		n = 77;
		assert_int_equal(ddp_record_put(r, memory, size - 1, &n), -ENOBUFS);
		assert_int_equal(memory[0], 0xee);
		assert_int_equal(n, 77);
	}
	assert_int_equal(ddp_record_write(r, ddp_buffer_write, &out), 0);
	check_bytes(out.bytes, out.len, hex);
	ddp_buffer_free(&out);
	free(memory);
}

static void every_record_is_as_specified(void **state)
{
	struct ddp_record r;
	size_t i;

	(void)state;
	for (i = 0; i < NR_ROWS; i++) {
		print_message("  %s\n", rows[i].what);
		r = rows[i].r;
		check_record(&r, rows[i].hex);
		r.leave_out_zero = true;
		check_record(&r, rows[i].hex_nonzero ? rows[i].hex_nonzero : rows[i].hex);
	}
}

/* Each member of a message alone makes it one that is not left out */
static void one_member_is_not_zero(void **state)
{
	struct ddp_record_mapping m[10] = {
		{ .id = 1 }, { .memory_start = 1 }, { .memory_limit = 1 }, { .file_offset = 1 },
		{ .filename = 1 }, { .build_id = 1 }, { .has_functions = true },
		{ .has_filenames = true }, { .has_line_numbers = true },
		{ .has_inline_frames = true },
	};
	struct ddp_record r = { .field = 3, .kind = DDP_RECORD_MAPPING, .leave_out_zero = true };
	size_t i, size;

	(void)state;
	for (i = 0; i < 10; i++) {
		r.mapping = &m[i];
		assert_int_equal(ddp_record_size(&r, &size), 0);
		assert_int_equal(size, i ? 6 : 4);
	}
}

static int count(void *ctx, const void *bytes, size_t n)
{
	size_t *calls = ctx;

	assert_true(bytes && n);
	(*calls)++;
	return 0;
}

static int refuse(void *ctx, const void *bytes, size_t n)
{
	(void)ctx;
	(void)bytes;
	(void)n;
	return -EPIPE;
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *what;
		struct ddp_record r;
		int error;
	} bad[] = {
		{ "no such kind", { .kind = DDP_RECORD_SAMPLE + 1 }, -EINVAL },
		{ "a kind below all", { .kind = (enum ddp_record_kind)-1 }, -EINVAL },
		{ "field 2^29", { .field = 1 << 29 }, -EINVAL },
	};
	struct ddp_record r = NUMBER(1);
	unsigned char byte;
	size_t calls = 0, n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		print_message("  %s\n", bad[i].what);
		assert_int_equal(ddp_record_size(&bad[i].r, &n), bad[i].error);
		assert_int_equal(ddp_record_put(&bad[i].r, &byte, 1, &n), bad[i].error);
		assert_int_equal(ddp_record_write(&bad[i].r, count, &calls), bad[i].error);
	}
	assert_int_equal(calls, 0);
	assert_int_equal(ddp_record_write(&r, refuse, NULL), -EPIPE);
	r.leave_out_zero = true;
	r.number = 0;
	assert_int_equal(ddp_record_write(&r, refuse, NULL), 0);
}

/*
 * A string of 2 GiB less what its tag and length take is the last that fits. Memory of that size
 * that nobody writes to: its pages are all the one of zeros.
 */
static void two_gib_are_refused(void **state)
{
	enum { HEAD = 1 + 5 };
	const size_t most = (size_t)INT32_MAX - HEAD;
	char *zeros = mmap(NULL, (size_t)1 << 31, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct ddp_record r = { .field = 6, .kind = DDP_RECORD_STRING, .string = { zeros, most } };
	size_t n = 77, calls = 0;

	(void)state;
	assert_ptr_not_equal(zeros, MAP_FAILED);
	assert_int_equal(ddp_record_size(&r, &n), 0);
	assert_int_equal(n, INT32_MAX);
	assert_int_equal(ddp_record_write(&r, count, &calls), 0);
	assert_true(calls > 0);
	r.string.n++;
	calls = 0;
	assert_int_equal(ddp_record_size(&r, &n), -EFBIG);
	assert_int_equal(ddp_record_put(&r, zeros, SIZE_MAX, &n), -EFBIG);
	assert_int_equal(ddp_record_write(&r, count, &calls), -EFBIG);
	assert_int_equal(calls, 0);
	assert_int_equal(n, INT32_MAX);
	munmap(zeros, (size_t)1 << 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_is_as_specified),
		cmocka_unit_test(one_member_is_not_zero),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(two_gib_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
