// SPDX-License-Identifier: Apache-2.0
/*
 * Loaded profiles written again: their exact bytes, that what is loaded from them is the same, that
 * protoc understands them, and what happens when writing or memory fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>
#include <cmocka.h>

#include "ddprof/compress.h"
#include "ddprof/pprof.h"
#include "failing_alloc.h"
#include "pprof_text.h"

static const char everything[] =
	"type cpu ns\ntype n n\ntime 5\nduration -7\nperiod 3\nperiod-type cpu ns\n"
	"comment c\ncomment \ncomment c\ndefault cpu\ndoc d\ndrop x\nkeep y\n"
	"map bin 1000 2000 30 beef\nmap lib 7000 8000 0\n"
	"1,-1 leaf:3<outer@bin+10;main@lib+20 thread=#5ns,host=a,zero=#0\n"
	"0,0 -\n"
	"9223372036854775807,-9223372036854775808 @10 host=b\n";

static struct ddp_buffer write_all(const struct ddp_pprof *p)
{
	struct ddp_buffer b = { 0 };

	assert_int_equal(ddp_pprof_write(p, ddp_buffer_write, &b), 0);
	return b;
}

static struct ddp_pprof *load_all(const struct ddp_buffer *b)
{
	struct ddp_error err = { "" };
	struct ddp_pprof *p;

	if (ddp_pprof_load(b->bytes, b->len, NULL, &p, &err))
		fail_msg("%s", err.text);
	return p;
}

static void every_byte_is_as_specified(void **state)
{
	static const unsigned char expected[] = {
		0x12, 0x0c, 0x0a, 0x01, 0x01, 0x12, 0x01, 0x07,		/* sample */
		0x1a, 0x04, 0x08, 0x01, 0x10, 0x02,			/* k=v */
		0x0a, 0x04, 0x08, 0x03, 0x10, 0x04,			/* value type */
		0x1a, 0x0a, 0x08, 0x01, 0x10, 0x10, 0x18, 0x20, 0x28, 0x05, 0x30, 0x06,
		0x22, 0x0c, 0x08, 0x01, 0x10, 0x01, 0x18, 0x11,		/* location */
		0x22, 0x04, 0x08, 0x01, 0x10, 0x09,
		0x2a, 0x04, 0x08, 0x01, 0x10, 0x07,			/* function */
		0x32, 0x00, 0x32, 0x01, 'k', 0x32, 0x01, 'v', 0x32, 0x01, 't', 0x32, 0x01, 'u',
		0x32, 0x01, 'm', 0x32, 0x01, 'i', 0x32, 0x01, 'f', 0x32, 0x01, 'd',
		0x32, 0x01, 'e', 0x32, 0x01, 'p', 0x32, 0x01, 'c',
		0x38, 0x08, 0x40, 0x09, 0x48, 0x01, 0x50, 0x02,		/* drop, keep, times */
		0x5a, 0x02, 0x08, 0x0a, 0x60, 0x03,			/* period */
		0x6a, 0x02, 0x0b, 0x01, 0x70, 0x03, 0x78, 0x04,		/* comments, default, doc */
	};
	struct ddp_pprof *p = profile_from_text(
		"type t u\ntime 1\nduration 2\nperiod 3\nperiod-type p \ncomment c\ncomment k\n"
		"drop d\nkeep e\ndefault t\ndoc u\nmap m 10 20 0 i\n7 f:9@m+1 k=v\n");
	struct ddp_buffer b = write_all(p);

	(void)state;
	assert_int_equal(b.len, sizeof(expected));
	assert_memory_equal(b.bytes, expected, b.len);
	ddp_buffer_free(&b);
	free_profile(p);
	p = profile_from_text("");
	b = write_all(p);
	assert_int_equal(b.len, 2);
	assert_memory_equal(b.bytes, "\x32\x00", 2);
	ddp_buffer_free(&b);
	free_profile(p);
}

static void what_was_written_is_the_same(void **state)
{
	static const struct {
		const char *what, *text;
	} rows[] = {
		{ "everything", everything },
		{ "nothing", "" },
		{ "no samples", "type a b\n" },
		{ "equal samples stay apart", "type a b\n1 f\n1 f\n2 f\n" },
		{ "labels keep their order", "type a b\n1 f z=1,a=2,z=1\n1 f a=2,z=1\n" },
	};
	struct ddp_buffer b, again;
	struct ddp_pprof *p, *f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		p = profile_from_text(rows[i].text);
		b = write_all(p);
		f = load_all(&b);
		assert_same_profile(p, f);
		again = write_all(f);
		assert_int_equal(again.len, b.len);
		assert_memory_equal(again.bytes, b.bytes, b.len);
		ddp_buffer_free(&again);
		ddp_buffer_free(&b);
		ddp_pprof_destroy(f);
		free_profile(p);
	}
}

/* Members that a row's text cannot say */
static void the_rest_is_the_same(void **state)
{
	struct ddp_pprof *p = profile_from_text(everything), *f;
	struct ddp_pprof_mapping mappings[2] = { p->mappings[0], p->mappings[1] };
	struct ddp_pprof_location *l = (struct ddp_pprof_location *)&p->locations[0];
	struct ddp_pprof_function *fn = (struct ddp_pprof_function *)&p->functions[0];
	struct ddp_pprof_line lines[] = { { fn, -1, 1LL << 40 }, { NULL, 2, -3 } };
	struct ddp_buffer b;

	(void)state;
	mappings[0].has_functions = mappings[0].has_line_numbers = true;
	mappings[1].has_filenames = mappings[1].has_inline_frames = true;
	mappings[1].id = UINT64_MAX;
	l->mapping = &mappings[1];
	p->mappings = mappings;
	p->nr_locations = p->nr_samples = 1;
	((struct ddp_pprof_sample *)p->samples)->nr_locations = 1;
	l->id = UINT64_MAX - 1;
	l->is_folded = true;
	l->lines = lines;
	l->nr_lines = 2;
	fn->system_name = "_Z1f";
	fn->filename = "f.c";
	fn->start_line = INT64_MAX;
	fn->id = 1ULL << 63;
	b = write_all(p);
	f = load_all(&b);
	assert_same_profile(p, f);
	ddp_pprof_destroy(f);
	ddp_buffer_free(&b);
	free_profile(p);
}

/* What somebody put together may have strings that are none */
static void strings_leave_as_utf8(void **state)
{
	struct ddp_pprof *p = profile_from_text("type a b\ncomment \xff\xc3\xa4\n"), *f;
	struct ddp_buffer b = write_all(p);

	(void)state;
	f = load_all(&b);
	assert_string_equal(f->comments[0], "\xef\xbf\xbd\xc3\xa4");
	ddp_pprof_destroy(f);
	ddp_buffer_free(&b);
	free_profile(p);
}

struct disk {
	size_t room;
	int calls_after_error;
	bool full;
};

static int write_to_disk(void *ctx, const void *bytes, size_t n)
{
	struct disk *d = ctx;

	assert_true(bytes && n);
	d->calls_after_error += d->full;
	d->full = n > d->room;
	if (d->full)
		return -ENOSPC;
	d->room -= n;
	return 0;
}

static void a_failed_write_is_reported(void **state)
{
	enum { NR = 2000 };
	struct ddp_pprof *p = profile_from_text(everything);
	struct ddp_pprof_sample *many = calloc(NR, sizeof(*many));
	struct ddp_buffer b;
	struct disk d;
	size_t i;

	(void)state;
	for (i = 0; i < NR; i++)
		many[i] = p->samples[0];
	p->samples = many;
	p->nr_samples = NR;
	b = write_all(p);
	for (i = 0; i < b.len; i += 997) {
		d = (struct disk){ .room = i };
		assert_int_equal(ddp_pprof_write(p, write_to_disk, &d), -ENOSPC);
		assert_int_equal(d.calls_after_error, 0);
	}
	d = (struct disk){ .room = b.len };
	assert_int_equal(ddp_pprof_write(p, write_to_disk, &d), 0);
	assert_int_equal(d.room, 0);
	ddp_buffer_free(&b);
	free(many);
	free_profile(p);
}

/* A sample of 2.5 MiB, so often that it is 2 GiB */
static void two_gib_are_refused(void **state)
{
	enum { FRAMES = 1 << 18, NR = 820 };
	struct ddp_pprof *p = profile_from_text("type a b\n1 f\n");
	struct ddp_pprof_location l = p->locations[0];
	const struct ddp_pprof_location **stack = malloc(FRAMES * sizeof(*stack));
	struct ddp_pprof_sample *many = calloc(NR, sizeof(*many));
	struct disk d = { .room = SIZE_MAX };
	size_t i;

	(void)state;
	l.id = UINT64_MAX;	/* ten bytes */
	for (i = 0; i < FRAMES; i++)
		stack[i] = &l;
	for (i = 0; i < NR; i++) {
		many[i] = p->samples[0];
		many[i].locations = stack;
		many[i].nr_locations = FRAMES;
	}
	p->samples = many;
	p->nr_samples = NR;
	assert_int_equal(ddp_pprof_write(p, write_to_disk, &d), -EFBIG);
	assert_true(SIZE_MAX - d.room <= INT32_MAX);
	assert_true(SIZE_MAX - d.room > INT32_MAX - 100000);
	free(many);
	free(stack);
	free_profile(p);
}

/* The same with one allocation after the other failing: -ENOMEM, no leak, in the end success. */
static int everything_once(const struct ddp_pprof *p, const struct ddp_buffer *file)
{
	struct ddp_pprof *loaded = NULL, *sum = NULL, *diff = NULL;
	struct ddp_buffer out = { 0 };
	struct ddp_error err;
	int r = ddp_pprof_load(file->bytes, file->len, NULL, &loaded, &err);

	if (!r)
		r = ddp_pprof_merge((const struct ddp_pprof *const[]){ p, loaded }, NULL, 2, &sum,
				    &err);
	if (!r)
		r = ddp_pprof_diff(sum, loaded, false, &diff, &err);
	if (!r)
		r = ddp_pprof_write(diff, ddp_buffer_write, &out);
	ddp_buffer_free(&out);
	ddp_pprof_destroy(diff);
	ddp_pprof_destroy(sum);
	ddp_pprof_destroy(loaded);
	return r;
}

static void memory_may_fail_anywhere(void **state)
{
	struct ddp_pprof *p = profile_from_text(everything);
	struct ddp_buffer b, packed = { 0 };
	struct ddp_compressor *z;
	int r = -ENOMEM;
	long nth;

	(void)state;
	b = write_all(p);
	assert_int_equal(ddp_compressor_create(DDP_GZIP, 0, ddp_buffer_write, &packed, &z), 0);
	assert_int_equal(ddp_compressor_write(z, b.bytes, b.len), 0);
	assert_int_equal(ddp_compressor_finish(z), 0);
	ddp_compressor_destroy(z);
	for (nth = 0; r; nth++) {
		left_until_failure = nth;
		r = everything_once(p, &packed);
		assert_true(!r || r == -ENOMEM);
	}
	left_until_failure = -1;
	print_message("  %ld allocations failed in turn\n", nth - 1);
	assert_true(nth > 100);
	ddp_buffer_free(&packed);
	ddp_buffer_free(&b);
	free_profile(p);
}

/* Runs protoc with our description of the format: @what is "decode" or "encode". */
static struct ddp_buffer run_protoc(const char *what, const struct ddp_buffer *in)
{
	char path[] = "/tmp/test_pprof_write.XXXXXX", command[256], piece[1024];
	struct ddp_buffer out = { 0 };
	int fd = mkstemp(path);
	size_t n;
	FILE *f;

	assert_int_equal(write(fd, in->bytes, in->len), in->len);
	close(fd);
	snprintf(command, sizeof(command), "protoc --proto_path=collector/lib "
		 "--%s=perftools.profiles.Profile profile.proto <%s", what, path);
	f = popen(command, "r");
	while ((n = fread(piece, 1, sizeof(piece), f)))
		assert_int_equal(ddp_buffer_write(&out, piece, n), 0);
	assert_int_equal(pclose(f), 0);
	unlink(path);
	return out;
}

static void protoc_reads_it(void **state)
{
	struct ddp_pprof *p = profile_from_text(everything), *f;
	struct ddp_buffer b = write_all(p), text = run_protoc("decode", &b), back;
	const char *printed;

	(void)state;
	assert_int_equal(ddp_buffer_write(&text, "", 1), 0);
	printed = (const char *)text.bytes;
	assert_non_null(strstr(printed, "sample {\n  location_id: 1\n  location_id: 2\n  value: 1\n"
				"  value: -1\n  label {\n    key: 1\n    num: 5\n    num_unit: 2\n"));
	assert_non_null(strstr(printed, "duration_nanos: -7\n"));
	text.len--;
	back = run_protoc("encode", &text);
	f = load_all(&back);
	assert_same_profile(p, f);
	ddp_pprof_destroy(f);
	ddp_buffer_free(&back);
	ddp_buffer_free(&text);
	ddp_buffer_free(&b);
	free_profile(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_is_as_specified),
		cmocka_unit_test(what_was_written_is_the_same),
		cmocka_unit_test(the_rest_is_the_same),
		cmocka_unit_test(strings_leave_as_utf8),
		cmocka_unit_test(a_failed_write_is_reported),
		cmocka_unit_test(two_gib_are_refused),
		cmocka_unit_test(memory_may_fail_anywhere),
		cmocka_unit_test(protoc_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
