// SPDX-License-Identifier: Apache-2.0
/*
 * The record encoder: bytes worked out by hand from uapi/ddprof.h, every buffer size from 0 up, and
 * random stacks read back by a decoder that shares nothing with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmod/core/record.h"
#include "uapi/ddprof.h"

static u32 write_stack(void *buf, u32 size)
{
	static const u64 frames[] = { 0x1000, 0x1010, 0x0ff8 };
	struct ddp_stack s = {
		.id = 1, .aspace = 3, .tgid = 300, .tid = 301,
		.kernel_end = DDPROF_END_ROOT, .user_end = DDPROF_END_ROOT,
		.nr_kernel = 1, .nr_user = 2, .frames = frames,
	};

	return ddp_record_stack(buf, size, &s);
}

static u32 write_stack_extremes(void *buf, u32 size)
{
	static const u64 frames[] = { ~0ULL, 0, 1ULL << 63 };
	struct ddp_stack s = {
		.id = ~0ULL, .replaces = 127, .event = 7, .flags = DDPROF_STACK_ONCE,
		.user_end = DDPROF_END_TRUNCATED, .nr_user = 3, .frames = frames,
	};

	return ddp_record_stack(buf, size, &s);
}

static u32 write_stack_blocked(void *buf, u32 size)
{
	static const u64 frames[] = { 0x40, 0x41 };
	struct ddp_stack s = { .id = 2, .nr_user = 2, .frames = frames,
			       .flags = DDPROF_STACK_STATE,
			       .state = DDPROF_STATE_UNINTERRUPTIBLE };

	return ddp_record_stack(buf, size, &s);
}

static u32 write_stack_empty(void *buf, u32 size)
{
	struct ddp_stack s = { .id = 128 };

	return ddp_record_stack(buf, size, &s);
}

static u32 write_hit(void *buf, u32 size)
{
	struct ddp_hit h = { .id = 5, .count = 1, .value = 9, .time_ns = 9 };

	return ddp_record_hit(buf, size, &h);
}

static u32 write_hit_full(void *buf, u32 size)
{
	struct ddp_hit h = { .id = 300, .count = 2, .value = 1000000, .time_ns = 128,
			     .has_value = true, .has_time = true };

	return ddp_record_hit(buf, size, &h);
}

static u32 write_task(void *buf, u32 size)
{
	struct ddp_task t = { .kind = DDPROF_TASK_FORK, .tgid = 10, .tid = 10, .parent = 9,
			      .time_ns = 1, .comm = "sh", .leader_comm = "" };

	return ddp_record_task(buf, size, &t);
}

/* a name that fills TASK_COMM_LEN without a terminator is cut there */
static u32 write_task_long(void *buf, u32 size)
{
	struct ddp_task t = { .kind = DDPROF_TASK_SEEN, .tgid = 1, .tid = 2,
			      .comm = "0123456789abcdefXX", .leader_comm = "m" };

	return ddp_record_task(buf, size, &t);
}

static u32 write_aspace(void *buf, u32 size)
{
	struct ddp_aspace a = { .aspace = 7, .layout = 2, .tgid = 128, .nr_maps = 3,
				.flags = DDPROF_ASPACE_PARTIAL };

	return ddp_record_aspace(buf, size, &a);
}

static u32 write_map(void *buf, u32 size)
{
	struct ddp_map m = { .aspace = 7, .start = 0x400000, .length = 0x1000, .file_id = 1,
			     .name = "" };

	return ddp_record_map(buf, size, &m);
}

static u32 write_file(void *buf, u32 size)
{
	struct ddp_file f = { .file_id = 1, .inode = 200, .size = 5, .dev_major = 8,
			      .dev_minor = 1, .flags = DDPROF_FILE_OPENABLE, .path = "/a",
			      .path_len = 2 };

	return ddp_record_file(buf, size, &f);
}

static const struct {
	const char *name;
	u32 (*write)(void *buf, u32 size);
	u32 len;
	u8 bytes[64];
} golden[] = {
	{ "a stack", write_stack, 19,
	  { 1, 17, 0, 1, 0, 3, 0xac, 2, 0xad, 2, 0, 1, 1, 1, 2, 0x80, 0x20, 0x20, 0x2f } },
	/* 2^64-1, then to 0: +1, zigzag 2; then to 2^63: -2^63, zigzag 2^64-1 */
	{ "extreme numbers", write_stack_extremes, 43,
	  { 1, 41, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0x7f, 0, 0, 0, 7,
	    0, 2, 0, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 } },
	{ "a stack without frames", write_stack_empty, 14,
	  { 1, 12, 0, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
	{ "a blocked thread's stack", write_stack_blocked, 16,
	  { 1, 14, 8, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x40, 2, 2 } },
	{ "a plain hit", write_hit, 4, { 2, 2, 0, 5 } },
	{ "a hit with all fields", write_hit_full, 11,
	  { 2, 9, 7, 0xac, 2, 2, 0xc0, 0x84, 0x3d, 0x80, 1 } },
	{ "fold end", ddp_record_fold_end, 2, { 3, 0 } },
	{ "a fork", write_task, 11, { 4, 9, 2, 10, 10, 1, 9, 2, 's', 'h', 0 } },
	{ "an unterminated name", write_task_long, 26,
	  { 4, 24, 1, 1, 2, 0, 0, 16, '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b',
	    'c', 'd', 'e', 'f', 1, 'm' } },
	{ "an address space", write_aspace, 8, { 5, 6, 7, 2, 0x80, 1, 2, 3 } },
	{ "a mapping", write_map, 12, { 6, 10, 7, 0x80, 0x80, 0x80, 2, 0x80, 0x20, 0, 1, 0 } },
	{ "a file", write_file, 13, { 7, 11, 1, 8, 1, 0xc8, 1, 5, 0, 2, 2, '/', 'a' } },
};

static void bytes_are_as_specified(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(golden) / sizeof(*golden); i++) {
		u8 buf[64];
		u32 len = golden[i].write(buf, sizeof(buf));

		if (len != golden[i].len || memcmp(buf, golden[i].bytes, len))
			fail_msg("%s: %u bytes", golden[i].name, len);
	}
}

/* malloc'ed to the byte, so that the sanitizer sees a write past the end */
static void short_buffers_are_refused(void **state)
{
	size_t i;
	u32 size;

	(void)state;
	for (i = 0; i < sizeof(golden) / sizeof(*golden); i++) {
		for (size = 0; size <= golden[i].len; size++) {
			u8 *buf = malloc(size ? size : 1);

			assert_int_equal(golden[i].write(buf, size),
					 size < golden[i].len ? 0 : golden[i].len);
			free(buf);
		}
	}
}

struct reader {
	const u8 *at, *end;
};

static u64 read_varint(struct reader *r)
{
	u64 value = 0;
	u32 shift = 0;

	for (;;) {
		u8 byte;

		assert_true(r->at < r->end && shift < 70);
		byte = *r->at++;
		value |= (u64)(byte & 127) << shift;
		shift += 7;
		if (byte < 128) {
			assert_true(byte || shift == 7);	/* minimal */
			return value;
		}
	}
}

static u64 rnd;

static u64 random_u64(void)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd >> rnd % 64;
}

static void check_stack(const u8 *buf, u32 len, const struct ddp_stack *s)
{
	struct reader r = { buf + 1, buf + len };
	u64 frame = 0, payload;
	u32 i;

	assert_int_equal(buf[0], DDPROF_RECORD_STACK);
	payload = read_varint(&r);
	assert_int_equal(payload, r.end - r.at);
	assert_int_equal(*r.at++, s->flags);
	assert_int_equal(read_varint(&r), s->id);
	assert_int_equal(read_varint(&r), s->replaces);
	assert_int_equal(read_varint(&r), s->aspace);
	assert_int_equal(read_varint(&r), s->tgid);
	assert_int_equal(read_varint(&r), s->tid);
	assert_int_equal(read_varint(&r), s->event);
	assert_int_equal(*r.at++, s->kernel_end);
	assert_int_equal(*r.at++, s->user_end);
	assert_int_equal(read_varint(&r), s->nr_kernel);
	assert_int_equal(read_varint(&r), s->nr_user);
	for (i = 0; i < s->nr_kernel + s->nr_user; i++) {
		u64 word = read_varint(&r);

		frame = i ? frame + ((word >> 1) ^ -(word & 1)) : word;
		assert_int_equal(frame, s->frames[i]);
	}
	assert_ptr_equal(r.at, r.end);
}

static void random_stacks_read_back(void **state)
{
	static u64 frames[DDPROF_MAX_DEPTH];
	u32 round, i;

	(void)state;
	rnd = 88172645463325252ULL;
	for (round = 0; round < 5000; round++) {
		struct ddp_stack s = {
			.id = random_u64(), .replaces = random_u64(), .aspace = random_u64(),
			.tgid = random_u64(), .tid = random_u64(), .event = random_u64() % 8,
			.flags = random_u64() % 2, .kernel_end = random_u64() % 6,
			.user_end = random_u64() % 6, .nr_kernel = random_u64() % 40,
			.nr_user = random_u64() % (round % 100 ? 40 : 900), .frames = frames,
		};
		u32 len, size = DDP_RECORD_STACK_MAX(s.nr_kernel + s.nr_user);
		u8 *buf = malloc(size);

		for (i = 0; i < s.nr_kernel + s.nr_user; i++)
			frames[i] = random_u64();
		len = ddp_record_stack(buf, size, &s);
		assert_in_range(len, 1, size);
		check_stack(buf, len, &s);
		assert_int_equal(ddp_record_stack(buf, len - 1, &s), 0);
		assert_int_equal(ddp_record_stack(buf, len, &s), len);
		free(buf);
	}
}

/* 4096 bytes is the longest string; what is longer is cut, and the bound still suffices */
static void long_strings_are_cut(void **state)
{
	static char path[5000];
	u8 *buf = malloc(DDP_RECORD_FILE_MAX);
	struct ddp_file f = { .file_id = ~0ULL, .inode = ~0ULL, .size = ~0ULL, .mtime_ns = ~0ULL,
			      .dev_major = ~0U, .dev_minor = ~0U, .path = path,
			      .path_len = sizeof(path) };
	u32 len;

	(void)state;
	memset(path, 'p', sizeof(path));
	len = ddp_record_file(buf, DDP_RECORD_FILE_MAX, &f);
	/* type, 2 of length, 4 + 2 varints, flags, 2 of string length, string */
	assert_int_equal(len, 1 + 2 + 4 * 10 + 2 * 5 + 1 + 2 + 4096);
	assert_int_equal(buf[len - 4097], 0x20);
	assert_int_equal(buf[len - 4098], 0x80);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_as_specified),
		cmocka_unit_test(short_buffers_are_refused),
		cmocka_unit_test(random_stacks_read_back),
		cmocka_unit_test(long_strings_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
