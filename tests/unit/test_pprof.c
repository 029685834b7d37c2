// SPDX-License-Identifier: Apache-2.0
/*
 * The exact bytes of the encoder, and the reader on good, odd, damaged and hostile files: it says
 * what is wrong and never follows it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "ddprof/compress.h"
#include "ddprof/pprof.h"

static size_t from_hex(const char *hex, unsigned char *to)
{
	size_t n = 0;

	for (; *hex; hex++) {
		unsigned int byte;

		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		to[n++] = byte;
		hex++;
	}
	return n;
}

static void check_hex(const struct ddp_buffer *b, const char *hex)
{
	unsigned char expected[1024];
	size_t n = from_hex(hex, expected), i;

	for (i = 0; i < n && i < b->len; i++)
		if (b->bytes[i] != expected[i])
			fail_msg("byte %zu is %02x, not %02x", i, b->bytes[i], expected[i]);
	assert_int_equal(b->len, n);
}

static uint32_t string_id(struct ddp_profile *p, const char *s)
{
	uint32_t id;

	assert_int_equal(ddp_profile_string(p, s, strlen(s), &id), 0);
	return id;
}

/* Strings 4 "f", 5 "n", 6 "s"; mapping 1; function 1; locations 1 (bare), 2 (line 42). */
static struct ddp_profile *small_profile(void)
{
	static const struct ddp_value_type type = { "local root span id", "trace endpoint" };
	struct ddp_profile_config c = {
		.value_types = &type, .nr_value_types = 1, .start_unix_ns = 300,
		.period_type = { "local root span id", "trace endpoint" }, .period = 16384,
	};
	struct ddp_profile *p;
	uint32_t f, n, s, mapping, function, loc[2];

	assert_int_equal(ddp_profile_create(&c, &p), 0);
	f = string_id(p, "f");
	n = string_id(p, "n");
	s = string_id(p, "s");
	assert_int_equal(ddp_profile_mapping(p, &(struct ddp_mapping){
			 .start = 0x400000, .limit = 0x401000, .file_offset = 1, .filename = f,
			 .build_id = s, .has_functions = true, .has_inline_frames = true },
			 &mapping), 0);
	assert_int_equal(ddp_profile_function(p, &(struct ddp_function){
			 .name = n, .filename = s }, &function), 0);
	assert_int_equal(ddp_profile_location(p, &(struct ddp_location){ .is_folded = true },
					      &loc[0]), 0);
	assert_int_equal(ddp_profile_location(p, &(struct ddp_location){
			 .mapping = mapping, .address = 0x400123, .nr_lines = 1,
			 .lines = &(struct ddp_line){ function, 42 } }, &loc[1]), 0);
	assert_int_equal(ddp_profile_add(p, &(struct ddp_sample){
			 .values = (int64_t[]){ 0 }, .nr_values = 1 }), 0);
	assert_int_equal(ddp_profile_add(p, &(struct ddp_sample){
			 .locations = (uint32_t[]){ loc[1], loc[0] }, .nr_locations = 2,
			 .values = (int64_t[]){ -1 }, .nr_values = 1 }), 0);
	assert_int_equal(ddp_profile_add(p, &(struct ddp_sample){
			 .locations = loc, .nr_locations = 1, .timestamp_ns = 5,
			 .values = (int64_t[]){ 300 }, .nr_values = 1,
			 .labels = &(struct ddp_label){ .key = n, .num = 2, .num_unit = s },
			 .nr_labels = 1 }), 0);
	assert_int_equal(ddp_profile_comment(p, "f"), 0);
	return p;
}

static void every_byte_is_as_specified(void **state)
{
	static const char hex[] =
		"1205 0a00 120100"				/* sample: no locations, 0 */
		"1210 0a020201 120a ffffffffffffffffff01"	/* sample: 2 1, -1 */
		"1215 0a0101 1202ac02 1a06080518022006 1a0408031805" /* labels, timestamp */
		"0a04 0801 1002"				/* value type 1, 2 */
		"1a16 0801 1080808002 1880a08002 2001 2804 3006 3801 5001"	/* mapping */
		"2204 0801 2801"				/* location 1: folded */
		"220f 0802 1001 18a3828002 2204 0801 102a"	/* location 2 */
		"2a06 0801 1005 2006"				/* function */
		"3200 3212 6c6f63616c20726f6f74207370616e206964"
		"320e 747261636520656e64706f696e74"
		"3210 656e645f74696d657374616d705f6e73"
		"320166 32016e 320173"
		"48ac02 50c801"					/* time 300, duration 200 */
		"5a04 0801 1002 60808001"			/* period type, period 16384 */
		"6a0104";					/* comment */
	struct ddp_profile *p = small_profile();
	struct ddp_buffer b = { 0 }, again = { 0 };

	(void)state;
	assert_int_equal(ddp_pprof_encode(p, 500, ddp_buffer_write, &b), 0);
	check_hex(&b, hex);
	assert_int_equal(ddp_pprof_encode(p, 500, ddp_buffer_write, &again), 0);
	check_hex(&again, hex);
	ddp_buffer_free(&b);
	ddp_buffer_free(&again);
	ddp_profile_destroy(p);
}

static void what_was_written_is_read(void **state)
{
	struct ddp_profile *p = small_profile();
	struct ddp_buffer b = { 0 };
	struct ddp_pprof *f;

	(void)state;
	/* the clock went backwards */
	assert_int_equal(ddp_pprof_encode(p, 100, ddp_buffer_write, &b), 0);
	assert_int_equal(ddp_pprof_load(b.bytes, b.len, NULL, &f, NULL), 0);
	assert_int_equal(f->time_unix_ns, 300);
	assert_int_equal(f->duration_ns, 0);
	assert_int_equal(f->period, 16384);
	assert_string_equal(f->period_type.type, "local root span id");
	assert_string_equal(f->period_type.unit, "trace endpoint");
	assert_int_equal(f->nr_sample_types, 1);
	assert_int_equal(f->nr_samples, 3);
	assert_int_equal(f->samples[0].nr_locations, 0);
	assert_int_equal(f->samples[1].values[0], -1);
	assert_int_equal(f->nr_locations, 2);
	assert_ptr_equal(f->samples[1].locations[0], &f->locations[1]);
	assert_int_equal(f->locations[1].index, 1);
	assert_int_equal(f->locations[1].address, 0x400123);
	assert_int_equal(f->locations[1].lines[0].line, 42);
	assert_string_equal(f->locations[1].lines[0].function->name, "n");
	assert_string_equal(f->locations[1].lines[0].function->filename, "s");
	assert_ptr_equal(f->locations[1].mapping, &f->mappings[0]);
	assert_null(f->locations[0].mapping);
	assert_true(f->locations[0].is_folded && !f->locations[1].is_folded);
	assert_string_equal(f->mappings[0].filename, "f");
	assert_string_equal(f->mappings[0].build_id, "s");
	assert_int_equal(f->mappings[0].limit, 0x401000);
	assert_true(f->mappings[0].has_functions && f->mappings[0].has_inline_frames);
	assert_false(f->mappings[0].has_filenames || f->mappings[0].has_line_numbers);
	assert_int_equal(f->nr_comments, 1);
	assert_string_equal(f->comments[0], "f");
	assert_string_equal(f->samples[2].labels[0].num_unit, "s");
	ddp_pprof_destroy(f);
	ddp_buffer_free(&b);
	ddp_profile_destroy(p);
}

static void strings_leave_as_utf8(void **state)
{
	static const struct {
		const char *what, *in, *out;
	} rows[] = {
		{ "ASCII of a word and more", "abcdefghij", "abcdefghij" },
		{ "two, three, four bytes", "\xc2\x80\xe0\xa0\x80\xf4\x8f\xbf\xbf",
		  "\xc2\x80\xe0\xa0\x80\xf4\x8f\xbf\xbf" },
		{ "a lone continuation", "a\x80z", "a\xef\xbf\xbdz" },
		{ "an overlong slash", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "a surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "past U+10FFFF", "\xf4\x90\x80\x80",
		  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "cut short inside", "\xf0\x9f\x98z", "\xef\xbf\xbdz" },
		{ "cut short at the end", "abcdefgh\xe2\x82", "abcdefgh\xef\xbf\xbd" },
		{ "fe and ff", "\xfe\xff", "\xef\xbf\xbd\xef\xbf\xbd" },
	};
	struct ddp_profile *p;
	struct ddp_pprof *f;
	struct ddp_buffer b = { 0 };
	size_t i;

	(void)state;
	p = small_profile();
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(ddp_profile_comment(p, rows[i].in), 0);
	assert_int_equal(ddp_pprof_encode(p, 0, ddp_buffer_write, &b), 0);
	assert_int_equal(ddp_pprof_load(b.bytes, b.len, NULL, &f, NULL), 0);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		assert_string_equal(f->comments[1 + i], rows[i].out);
	}
	ddp_pprof_destroy(f);
	ddp_buffer_free(&b);
	ddp_profile_destroy(p);
}

static void files_of_every_kind_load(void **state)
{
	static const enum ddp_compression all[] = { DDP_PLAIN, DDP_GZIP, DDP_LZ4, DDP_ZSTD };
	struct ddp_profile *p = small_profile();
	struct ddp_compressor *c;
	struct ddp_buffer b = { 0 };
	struct ddp_pprof *f;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		assert_int_equal(ddp_compressor_create(all[i], 0, ddp_buffer_write, &b, &c), 0);
		assert_int_equal(ddp_pprof_encode(p, 500, ddp_compressor_write, c), 0);
		assert_int_equal(ddp_compressor_finish(c), 0);
		ddp_compressor_destroy(c);
		assert_int_equal(ddp_pprof_load(b.bytes, b.len, NULL, &f, NULL), 0);
		assert_int_equal(f->nr_samples, 3);
		ddp_pprof_destroy(f);
		ddp_buffer_free(&b);
	}
	ddp_profile_destroy(p);
}

/* Files byte by byte, and what is said of them; NULL: they load */
static const struct {
	const char *what, *hex, *says;	/* =: and nothing else */
} hand_made[] = {
	{ "only strings", "3200 320161", NULL },
	{ "ids in any order", "3200 320161 0a020801 2a0308f807 2a020802"
	  "2207 0807 2203 08f807 2202 0803 1207 0a020703 120105", NULL },
	{ "unknown fields of every type", "3200 f8ff0101 81ff0101020304050607ff "
	  "82ff01020102 85ff0101020304", NULL },
	{ "unknown fields inside", "3200 0a03 f80101", NULL },
	{ "values and ids not packed", "3200 0a00 22020801 1204 0801 1005", NULL },
	{ "a number given twice", "3200 4801 5001 5002 6001 6002", NULL },
	{ "a line without a function", "3200 2204 0801 2200", NULL },
	{ "a time of 0 and another", "3200 4800 4801", NULL },
	{ "nothing", "", "empty: 0 bytes" },
	{ "no strings", "4801", "no strings in its 2 bytes" },
	{ "text of another format", "6865 6c6c 6f", "field 13 of the profile, at byte 2" },
	{ "text from its first byte on", "2320 7465 7874", "=not a pprof file" },
	{ "a program", "7f45 4c46", "=not a pprof file" },
	{ "zeros", "0000 0000", "=not a pprof file" },
	{ "a first field cut short", "3205 61", "field 6 of the profile, at byte 0, is" },
	{ "a broken field of the first", "0a02 08ff", "field 1 of a value type, at byte" },
	{ "a field cut short", "3200 3205 61", "field 6 of the profile, at byte 2, is cut" },
	{ "a length that is not there", "3200 32", "at byte 2, has no length" },
	{ "a length that does not end", "3200 32808080808000", "byte 2, has no length" },
	{ "a length of 4 GiB", "3200 32ffffffff0f", "at byte 2, is cut short" },
	{ "a negative length", "3200 32ffffffffffffffffff01", "at byte 2, has no length" },
	{ "a varint without an end", "3200 48ffffffffffffffffffff",
	  "byte 2, is a number without an end" },
	{ "a varint cut short", "3200 48ff", "byte 2, is a number without an end" },
	{ "8 bytes cut short", "3200 f9ff01 01020304050607", "at byte 2, is cut short" },
	{ "4 bytes cut short", "3200 fdff01 010203", "at byte 2, is cut short" },
	{ "field number 0", "3200 0001", "profile should have at byte 2 has no number" },
	{ "a tag cut short", "3200 80", "the profile should have at byte 2 has no tag" },
	{ "a tag of more than 32 bits", "3200 888080801000", "at byte 2 has no tag" },
	{ "a tag without an end", "3200 88808080808000", "at byte 2 has no tag" },
	{ "a group", "3200 4b", "byte 2, is of a type that pprof does not have" },
	{ "the end of a group", "3200 4c", "byte 2, is of a type that pprof" },
	{ "wire type 7", "3200 4f", "byte 2, is of a type that pprof" },
	{ "a string as a number", "3200 3001", "field 6 of the profile, at byte 2, is a" },
	{ "a time as bytes", "3200 4a00", "field 9 of the profile, at byte 2, is not a" },
	{ "a time as 8 bytes", "3200 490102030405060708", "at byte 2, is not a number" },
	{ "comments as 4 bytes", "3200 6d01020304", "at byte 2, is not a number" },
	{ "comments ending within a number", "3200 6a0201ff", "ends within a number" },
	{ "a nested field cut short", "3200 220208", "byte 2" },
	{ "a broken nested field", "3200 2202 08ff", "field 1 of a location, at byte 4" },
	{ "a broken field of a line", "3200 2204 2202 08ff", "field 1 of a line, at byte 6" },
	{ "a nested field longer than what it is in", "3200 2202 2202 0801",
	  "field 4 of a location, at byte 4, is cut short" },
	{ "a broken field of a label", "3200 1204 1a020801 1203 1a0108",
	  "field 1 of a label, at byte 12" },
	{ "a mapping's flag as bytes", "3200 1a02 3a00", "field 7 of a mapping, at byte 4" },
	{ "a function's name as bytes", "3200 2a02 1200", "field 2 of a function" },
	{ "a value type's unit as bytes", "3200 0a02 1200", "field 2 of a value type" },
	{ "two profiles in a row", "3200 4801 3200 4801", "a second time at byte 6" },
	{ "a first string with text", "320161", "first string, at byte 0, is not empty" },
	{ "a string that is not there", "3200 0a020807",
	  "value type at byte 2 refers to string 7 of 1" },
	{ "a negative string", "3200 6a0affffffffffffffffff01",
	  "the comment at byte 2 refers to string -1 of 1" },
	{ "a unit that is not there", "3200 0a00 0a021007", "value type at byte 4 refers" },
	{ "a period type that is not there", "3200 5a020807", "period type at byte 2" },
	{ "a file that is not there", "3200 1a0408012807", "mapping at byte 2 refers" },
	{ "a build-id that is not there", "3200 1a0408013007", "mapping at byte 2 refers" },
	{ "a name that is not there", "3200 2a020801 2a0408021007", "function at byte 6" },
	{ "a system name that is not there", "3200 2a0408021807", "function at byte 2" },
	{ "a source that is not there", "3200 2a0408022007", "function at byte 2" },
	{ "a key that is not there", "3200 0a00 1207 120101 1a020807", "sample at byte 4" },
	{ "a label's text that is not there", "3200 0a00 1207 120101 1a021007",
	  "sample at byte 4" },
	{ "a label's unit that is not there", "3200 0a00 1207 120101 1a022007",
	  "sample at byte 4" },
	{ "a default type that is not there", "3200 7007", "default sample type at byte 2" },
	{ "drop_frames that are not there", "3200 3807", "drop_frames at byte 2 refers" },
	{ "keep_frames that are not there", "3200 4007", "keep_frames at byte 2 refers" },
	{ "a URL that is not there", "3200 7807", "document URL at byte 2 refers" },
	{ "a location with id 0", "3200 2200", "the location at byte 2 has id 0" },
	{ "a mapping with id 0", "3200 1a00", "the mapping at byte 2 has id 0" },
	{ "a function with id 0", "3200 2a00", "the function at byte 2 has id 0" },
	{ "two functions with one id", "3200 2a020803 2a020803",
	  "the function at byte 6 has id 3, as another one has" },
	{ "two locations with one id", "3200 22020804 22020803 22020804", "has id 4, as" },
	{ "two mappings with one id", "3200 1a020803 1a020803", "has id 3, as another" },
	{ "a function that is not there", "3200 2206 0801 22020809",
	  "the location at byte 2 names function 9, which is not there" },
	{ "a mapping that is not there", "3200 2204 0801 1004",
	  "the location at byte 2 names mapping 4, which is not there" },
	{ "a location that is not there", "3200 0a00 1206 0a0105 120101",
	  "the sample at byte 4 names location 5, which is not there" },
	{ "location 0 in a sample", "3200 0a00 1206 0a0100 120101", "names location 0" },
	{ "too many values", "3200 0a00 1203 120101 1204 12020101",
	  "the sample at byte 9 has 2 values, the profile 1 value types" },
	{ "no values", "3200 0a00 1200", "has 0 values, the profile 1" },
	{ "samples without a type", "3200 1200", "the profile 0" },
	{ "a gzip header alone", "1f8b08", "gzip data is cut short after byte 3" },
	{ "zstd's magic and junk", "28b52ffd 0858010000000000", "zstd data is damaged at about byte" },
	{ "gzip, a length that is not its own",
	  "1f8b08000000000000ff 010200fdff3200 8e46a9ac 03000000",
	  "=the gzip data is damaged at about byte 25" },
};

static void files_by_hand(void **state)
{
	unsigned char bytes[256];
	struct ddp_pprof *f;
	struct ddp_error err;
	size_t i, n;
	bool whole;
	int r;

	(void)state;
	for (i = 0; i < sizeof(hand_made) / sizeof(*hand_made); i++) {
		print_message("  %s\n", hand_made[i].what);
		err.text[0] = '\0';
		n = from_hex(hand_made[i].hex, bytes);
		r = ddp_pprof_load(bytes, n, NULL, &f, &err);
		if (!hand_made[i].says) {
			if (r)
				fail_msg("%s", err.text);
			ddp_pprof_destroy(f);
			continue;
		}
		assert_int_equal(r, -EBADMSG);
		whole = hand_made[i].says[0] == '=';
		if (whole ? strcmp(err.text, hand_made[i].says + 1) : !strstr(err.text, hand_made[i].says))
			fail_msg("says: %s", err.text);
	}
}

static void wrong_checksums_are_named(void **state)
{
	static const enum ddp_compression all[] = { DDP_GZIP, DDP_LZ4, DDP_ZSTD };
	struct ddp_buffer packed = { 0 };
	struct ddp_compressor *z;
	struct ddp_error err;
	struct ddp_pprof *f;
	char says[128];
	size_t c;
	int r;

	(void)state;
	for (c = 0; c < sizeof(all) / sizeof(*all); c++) {
		r = ddp_compressor_create(all[c], 0, ddp_buffer_write, &packed, &z);
		assert_int_equal(r, 0);
		assert_int_equal(ddp_compressor_write(z, "2", 2), 0);	/* an empty string */
		assert_int_equal(ddp_compressor_finish(z), 0);
		ddp_compressor_destroy(z);
		/* gzip has the length behind it */
		packed.bytes[packed.len - (all[c] == DDP_GZIP ? 5 : 1)] ^= 1;
		r = ddp_pprof_load(packed.bytes, packed.len, NULL, &f, &err);
		assert_int_equal(r, -EBADMSG);
		snprintf(says, sizeof(says), "the %s data is damaged at about byte %zu: it does "
			 "not match its checksum", ddp_compression_name(all[c]), packed.len - 4);
		assert_string_equal(err.text, says);
		ddp_buffer_free(&packed);
	}
}

/* Strings 1 "k", 2 "v", 3 "u", 4 ""; a sample with one label */
static void labels_are_strings_or_numbers(void **state)
{
	static const struct {
		const char *what, *hex, *str;
		int64_t num;
		const char *unit;
	} rows[] = {
		{ "a string", "1a0408011002", "v", 0, "" },
		{ "a number", "1a0408011805", NULL, 5, "" },
		{ "a number with a unit", "1a06080118052003", NULL, 5, "u" },
		{ "zero", "1a020801", NULL, 0, "" },
		{ "both are a string", "1a080801100218052003", "v", 0, "" },
		{ "an empty string is none", "1a06080110041805", NULL, 5, "" },
	};
	unsigned char bytes[64];
	struct ddp_pprof *f;
	char hex[128];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		snprintf(hex, sizeof(hex), "3200 32016b 320176 320175 3200 0a00 12%02zx 120101 %s",
			 3 + strlen(rows[i].hex) / 2, rows[i].hex);
		n = from_hex(hex, bytes);
		assert_int_equal(ddp_pprof_load(bytes, n, NULL, &f, NULL), 0);
		assert_string_equal(f->samples[0].labels[0].key, "k");
		if (rows[i].str)
			assert_string_equal(f->samples[0].labels[0].str, rows[i].str);
		else
			assert_null(f->samples[0].labels[0].str);
		assert_int_equal(f->samples[0].labels[0].num, rows[i].num);
		assert_string_equal(f->samples[0].labels[0].num_unit, rows[i].unit);
		ddp_pprof_destroy(f);
	}
}

static void strings_are_read_as_utf8(void **state)
{
	static const struct {
		const char *what, *hex, *text;
	} rows[] = {
		{ "umlauts", "3204 6162c3a4", "ab\xc3\xa4" },
		{ "not UTF-8", "3204 61ff62c3", "a\xef\xbf\xbd" "b\xef\xbf\xbd" },
		{ "only that", "3202 ffff", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "a NUL", "3203 610062", "a\xef\xbf\xbd" "b" },
		{ "NULs at the ends", "3203 006100", "\xef\xbf\xbd" "a\xef\xbf\xbd" },
		{ "a NUL in a sequence", "3203 e28200", "\xef\xbf\xbd\xef\xbf\xbd" },
	};
	unsigned char bytes[64];
	struct ddp_pprof *f;
	char hex[128];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		snprintf(hex, sizeof(hex), "3200 3201ff %s 320178 6a03010203", rows[i].hex);
		n = from_hex(hex, bytes);
		assert_int_equal(ddp_pprof_load(bytes, n, NULL, &f, NULL), 0);
		assert_string_equal(f->comments[0], "\xef\xbf\xbd");
		assert_string_equal(f->comments[1], rows[i].text);
		assert_string_equal(f->comments[2], "x");
		ddp_pprof_destroy(f);
	}
}

static size_t put_varint(unsigned char *at, size_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		at[n++] = (unsigned char)(v | 0x80);
	at[n++] = (unsigned char)v;
	return n;
}

/* A location with so many lines, and a sample that names it so often */
static int load_multiplied(size_t lines, size_t frames, struct ddp_error *err)
{
	static const unsigned char head[] = { 0x32, 0x00, 0x0a, 0x00 };
	unsigned char *bytes = malloc(2 * lines + frames + 64), *at = bytes;
	struct ddp_pprof *f;
	int r;

	assert_non_null(bytes);
	at = (unsigned char *)memcpy(at, head, sizeof(head)) + sizeof(head);
	*at++ = 0x22;
	at += put_varint(at, 2 + 2 * lines);
	*at++ = 0x08;
	*at++ = 0x01;
	for (; lines; lines--) {
		*at++ = 0x22;
		*at++ = 0x00;
	}
	*at++ = 0x12;
	at += put_varint(at, 2 + 1 + put_varint(at, frames) + frames);
	*at++ = 0x10; /* its value */
	*at++ = 0x01;
	*at++ = 0x0a;
	at += put_varint(at, frames);
	memset(at, 0x01, frames);
	at += frames;
	r = ddp_pprof_load(bytes, (size_t)(at - bytes), NULL, &f, err);
	if (!r) {
		assert_int_equal(f->samples[0].nr_locations, frames);
		ddp_pprof_destroy(f);
	}
	free(bytes);
	return r;
}

static void work_is_bounded(void **state)
{
	static const struct {
		size_t lines, frames;
		const char *says;	/* NULL: it is read */
	} rows[] = {
		{ DDP_PPROF_MAX_LINES, DDP_PPROF_MAX_FRAMES, NULL },
		{ DDP_PPROF_MAX_LINES + 1, 1, "1025 lines" },
		{ 1, DDP_PPROF_MAX_FRAMES + 1, "65537 frames" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_error err = { "" };
		int r = load_multiplied(rows[i].lines, rows[i].frames, &err);

		assert_int_equal(r, rows[i].says ? -EFBIG : 0);
		if (rows[i].says && !strstr(err.text, rows[i].says))
			fail_msg("says: %s", err.text);
	}
}

static void value_types_are_bounded(void **state)
{
	unsigned char bytes[2 + 2 * (DDP_PPROF_MAX_VALUE_TYPES + 1)];
	struct ddp_error err = { "" };
	struct ddp_pprof *f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 2 ? 0x00 : i ? 0x0a : 0x32;
	assert_int_equal(ddp_pprof_load(bytes, sizeof(bytes) - 2, NULL, &f, &err), 0);
	assert_int_equal(f->nr_sample_types, DDP_PPROF_MAX_VALUE_TYPES);
	ddp_pprof_destroy(f);
	assert_int_equal(ddp_pprof_load(bytes, sizeof(bytes), NULL, &f, &err), -EFBIG);
	assert_string_equal(err.text, "the value type at byte 2050 is one of 1025, allowed are 1024");
}

static void limits_hold(void **state)
{
	struct ddp_pprof_limits small = { .max_decompressed_bytes = 1 << 20 };
	struct ddp_pprof_limits tight = { .max_memory_bytes = 1 << 20 };
	const size_t n = 32 << 20;
	unsigned char *bytes = malloc(n);
	struct ddp_buffer packed = { 0 };
	struct ddp_compressor *c;
	struct ddp_pprof *f;
	struct ddp_error err;
	size_t i;

	(void)state;
	/* 16 million empty samples: a few KiB as gzip, gigabytes as structs */
	for (i = 0; i < n; i++)
		bytes[i] = i % 2 ? 0x00 : 0x12;
	bytes[0] = 0x32;
	assert_int_equal(ddp_compressor_create(DDP_GZIP, 0, ddp_buffer_write, &packed, &c), 0);
	assert_int_equal(ddp_compressor_write(c, bytes, n), 0);
	assert_int_equal(ddp_compressor_finish(c), 0);
	ddp_compressor_destroy(c);
	assert_true(packed.len < 64 << 10);
	assert_int_equal(ddp_pprof_load(packed.bytes, packed.len, &small, &f, &err), -EFBIG);
	assert_non_null(strstr(err.text, "more than the allowed 1 MiB"));
	assert_int_equal(ddp_pprof_load(packed.bytes, packed.len, &tight, &f, &err), -EFBIG);
	assert_non_null(strstr(err.text, "1 MiB of memory"));
	assert_int_equal(ddp_pprof_load("\x28\xb5\x2f\xfd\x00\x89", 6, NULL, &f, &err), -EFBIG);
	assert_string_equal(err.text, "the zstd data needs a window above 128 MiB");
	ddp_buffer_free(&packed);
	free(bytes);
}

/* Follows every pointer of a loaded file, so that the sanitizer sees what a user would. */
static uint64_t touch(const struct ddp_pprof *f)
{
	uint64_t sum = f->nr_comments + strlen(f->default_sample_type) + strlen(f->drop_frames);
	size_t i, k, l;

	for (i = 0; i < f->nr_samples; i++) {
		const struct ddp_pprof_sample *s = &f->samples[i];

		for (k = 0; k < f->nr_sample_types; k++)
			sum += (uint64_t)s->values[k] + strlen(f->sample_types[k].unit);
		for (k = 0; k < s->nr_labels; k++)
			sum += strlen(s->labels[k].key) +
			       strlen(s->labels[k].str ? s->labels[k].str : s->labels[k].num_unit);
		for (k = 0; k < s->nr_locations; k++) {
			const struct ddp_pprof_location *loc = s->locations[k];

			sum += loc->mapping ? strlen(loc->mapping->build_id) : 0;
			for (l = 0; l < loc->nr_lines; l++)
				sum += loc->lines[l].function ?
					strlen(loc->lines[l].function->name) : 0;
		}
	}
	for (i = 0; i < f->nr_comments; i++)
		sum += strlen(f->comments[i]);
	return sum;
}

static void try_bytes(const void *bytes, size_t n, size_t *good, size_t *bad)
{
	struct ddp_pprof_limits limits = { .max_decompressed_bytes = 1 << 20,
					   .max_memory_bytes = 4 << 20 };
	struct ddp_error err = { "" };
	struct ddp_pprof *f;
	int r = ddp_pprof_load(bytes, n, &limits, &f, &err);

	if (r) {
		assert_true(r == -EBADMSG || r == -EFBIG);
		assert_true(err.text[0]);
		(*bad)++;
		return;
	}
	touch(f);
	ddp_pprof_destroy(f);
	(*good)++;
}

static void positions_are_of_the_unpacked_data(void **state)
{
	static const unsigned char bytes[] = { 0x32, 0x00, 0x22, 0x02, 0x08, 0xff };
	struct ddp_buffer packed = { 0 };
	struct ddp_compressor *c;
	struct ddp_error err;
	struct ddp_pprof *f;

	(void)state;
	assert_int_equal(ddp_compressor_create(DDP_ZSTD, 0, ddp_buffer_write, &packed, &c), 0);
	assert_int_equal(ddp_compressor_write(c, bytes, sizeof(bytes)), 0);
	assert_int_equal(ddp_compressor_finish(c), 0);
	ddp_compressor_destroy(c);
	assert_int_equal(ddp_pprof_load(packed.bytes, packed.len, NULL, &f, &err), -EBADMSG);
	assert_string_equal(err.text, "not a pprof file, or damaged: field 1 of a location, at byte 4 "
			    "of the unpacked data, is a number without an end");
	ddp_buffer_free(&packed);
}

static void damaged_files_are_survived(void **state)
{
	enum { MUTANTS = 60000 };
	struct ddp_profile *p = small_profile();
	struct ddp_buffer b = { 0 };
	unsigned char *copy;
	size_t good = 0, bad = 0, n, i;
	uint32_t x = 7;

	(void)state;
	assert_int_equal(ddp_pprof_encode(p, 500, ddp_buffer_write, &b), 0);
	copy = malloc(b.len);
	for (n = 0; n < b.len; n++) {
		memcpy(copy, b.bytes, n);
		try_bytes(copy, n, &good, &bad);
	}
	assert_true(bad > b.len / 2);
	for (i = 0; i < MUTANTS; i++) {
		memcpy(copy, b.bytes, b.len);
		for (n = 0; n < 1 + i % 4; n++) {
			x = x * 1664525 + 1013904223;
			copy[(x >> 8) % b.len] = x >> 24;
		}
		try_bytes(copy, b.len, &good, &bad);
	}
	assert_true(good > MUTANTS / 20 && bad > MUTANTS / 20);
	free(copy);
	ddp_buffer_free(&b);
	ddp_profile_destroy(p);
}

static int fail_later(void *ctx, const void *bytes, size_t n)
{
	size_t *left = ctx;

	(void)bytes;
	if (n > *left)
		return -ENOSPC;
	*left -= n;
	return 0;
}

static void a_failed_write_is_reported_and_loses_nothing(void **state)
{
	struct ddp_profile *p = small_profile();
	struct ddp_buffer before = { 0 }, after = { 0 };
	char name[32];
	size_t room;
	uint32_t i, id;

	(void)state;
	for (i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "string number %u", i);
		assert_int_equal(ddp_profile_string(p, name, strlen(name), &id), 0);
	}
	assert_int_equal(ddp_pprof_encode(p, 500, ddp_buffer_write, &before), 0);
	for (room = 0; room < before.len; room += 7001) {
		size_t left = room;

		assert_int_equal(ddp_pprof_encode(p, 500, fail_later, &left), -ENOSPC);
	}
	assert_int_equal(ddp_pprof_encode(p, 500, ddp_buffer_write, &after), 0);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.bytes, after.bytes, after.len);
	ddp_buffer_free(&before);
	ddp_buffer_free(&after);
	ddp_profile_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_is_as_specified),
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(strings_leave_as_utf8),
		cmocka_unit_test(files_of_every_kind_load),
		cmocka_unit_test(files_by_hand),
		cmocka_unit_test(wrong_checksums_are_named),
		cmocka_unit_test(labels_are_strings_or_numbers),
		cmocka_unit_test(strings_are_read_as_utf8),
		cmocka_unit_test(work_is_bounded),
		cmocka_unit_test(value_types_are_bounded),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(positions_are_of_the_unpacked_data),
		cmocka_unit_test(damaged_files_are_survived),
		cmocka_unit_test(a_failed_write_is_reported_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
