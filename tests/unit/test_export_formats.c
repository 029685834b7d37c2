// SPDX-License-Identifier: Apache-2.0
/*
 * What each format makes of the same form, taken apart field by field where it arrives; what
 * receivers answer in it; and that nothing secret is ever in a message.
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
#include "ddprof/exporter.h"
#include "ddprof/pprof.h"
#include "otlp.pb-c.h"
#include "receiver.h"

#define START_NS 1767323045000000006LL	/* 2026-01-02T03:04:05.000000006Z */
#define END_NS	 1767323104999999999LL	/* 2026-01-02T03:05:04.999999999Z */
#define ID	 "7d444840-9dc0-11d1-b245-5ffdce74fad2"

/* A profile by hand: two functions, three stacks, of which one is seen at two times */

static const struct ddp_value_type types[] = { { "cpu-samples", "count" },
					       { "cpu-time", "nanoseconds" } };
static const struct ddp_pprof_mapping mapping = {
	.id = 1, .start = 0x400000, .limit = 0x500000, .file_offset = 0x1000,
	.filename = "/bin/shop", .build_id = "beef",
};
static const struct ddp_pprof_function functions[] = {
	{ .id = 1, .name = "main", .system_name = "_Zmain", .filename = "a.c", .start_line = 3 },
	{ .id = 2, .name = "burn", .system_name = "", .filename = "" },
};
static const struct ddp_pprof_line lines[] = { { &functions[1], 9, 2 }, { &functions[0], 5, 0 } };
static const struct ddp_pprof_location locations[] = {
	{ .id = 1, .address = 0x401000, .mapping = &mapping, .lines = lines, .nr_lines = 2,
	  .index = 0 },
	{ .id = 2, .address = 0x7000, .lines = &lines[1], .nr_lines = 1, .index = 1 },
};
static const struct ddp_pprof_location *const deep[] = { &locations[0], &locations[1] };

#define LABEL(k, s) { .key = (k), .str = (s), .num_unit = "" }
#define NUMBER(k, n, unit) { .key = (k), .num = (n), .num_unit = (unit) }

static const struct ddp_pprof_label at_100[] = {
	NUMBER("end_timestamp_ns", 100, ""), LABEL("thread_name", "w"),
};
static const struct ddp_pprof_label at_90[] = {
	LABEL("thread_name", "w"), NUMBER("end_timestamp_ns", 90, ""),
};
static const struct ddp_pprof_label named[] = {
	NUMBER("process_id", 42, ""), LABEL("color", "red"), LABEL("color", "blue"),
	NUMBER("size", -7, "bytes"),
};
static const struct ddp_pprof_sample samples[] = {
	{ deep, 2, (const int64_t[]){ 1, 10 }, at_100, 2 },
	{ deep, 2, (const int64_t[]){ 2, 0 }, at_90, 2 },
	{ deep, 2, (const int64_t[]){ 4, 40 }, NULL, 0 },
	{ deep + 1, 1, (const int64_t[]){ 8, 80 }, named, 4 },
	{ NULL, 0, (const int64_t[]){ 0, 160 }, NULL, 0 },
};
static const struct ddp_pprof by_hand = {
	.sample_types = types, .nr_sample_types = 2, .samples = samples, .nr_samples = 5,
	.mappings = &mapping, .nr_mappings = 1, .locations = locations, .nr_locations = 2,
	.functions = functions, .nr_functions = 2,
	.period_type = { "cpu-time", "nanoseconds" }, .period = 10101010,
	.time_unix_ns = START_NS, .duration_ns = END_NS - START_NS,
	.default_sample_type = "", .drop_frames = "", .keep_frames = "", .doc_url = "",
};

static void encode(enum ddp_compression compression, struct ddp_buffer *to)
{
	struct ddp_compressor *c;

	assert_int_equal(ddp_compressor_create(compression, 0, ddp_buffer_write, to, &c), 0);
	assert_int_equal(ddp_pprof_write(&by_hand, ddp_compressor_write, c), 0);
	assert_int_equal(ddp_compressor_finish(c), 0);
	ddp_compressor_destroy(c);
}

struct fixture {
	struct receiver *receiver;
	struct ddp_buffer profile, tags;
	char url[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->receiver = receiver_start(NULL);
	encode(DDP_LZ4, &f->profile);
	assert_int_equal(ddp_tags_parse(&f->tags, "service:shop,env:prod,profile_seq:7,host:box,"
					"team:a,team:b,alone", NULL), 0);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", receiver_port(f->receiver));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	receiver_stop(f->receiver);
	ddp_buffer_free(&f->profile);
	ddp_buffer_free(&f->tags);
	free(f);
	return 0;
}

static struct ddp_export_form form_of(const struct fixture *f)
{
	return (struct ddp_export_form){
		.start_unix_ns = START_NS, .end_unix_ns = END_NS, .tags = &f->tags, .id = ID,
		.profile = f->profile.bytes, .profile_bytes = f->profile.len,
	};
}

static int send_as(struct fixture *f, struct ddp_exporter_config config,
		   const struct ddp_export_form *form, struct ddp_export_result *result)
{
	struct ddp_exporter *e;
	int r;

	config.url = config.url ? config.url : f->url;
	config.timeout_ms = 120000; /* for a busy host, under valgrind */
	assert_int_equal(ddp_exporter_create(&config, &e, NULL), 0);
	r = ddp_exporter_send(e, form, result);
	ddp_exporter_destroy(e);
	return r;
}

/* Sends the fixture's profile, which has to be taken */
static const struct received *arrives(struct fixture *f, struct ddp_exporter_config config)
{
	struct ddp_export_form form = form_of(f);
	struct ddp_export_result result;
	const struct received *u;

	assert_int_equal(send_as(f, config, &form, &result), DDP_EXPORT_OK);
	u = receiver_last(f->receiver);
	assert_non_null(u);
	assert_null(u->error);
	assert_string_equal(u->method, "POST");
	return u;
}

static void check_header(const struct received *u, const char *name, const char *value)
{
	const char *got = received_header(u, name);

	assert_string_equal(got ? got : "(none)", value ? value : "(none)");
}

/* A gzip profile, the one made by hand */
static void check_profile(const void *bytes, size_t n)
{
	struct ddp_pprof *p;

	assert_int_equal(ddp_compression_detect(bytes, n), DDP_GZIP);
	assert_int_equal(ddp_pprof_load(bytes, n, NULL, &p, NULL), 0);
	assert_int_equal(p->nr_samples, 5);
	assert_int_equal(p->samples[2].values[1], 40);
	assert_int_equal(p->time_unix_ns, START_NS);
	ddp_pprof_destroy(p);
}

/* Datadog's older form */

static void the_older_form_has_a_field_for_each_thing(void **state)
{
	static const char *const rows[][4] = {	/* name, file, type, value; NULL: a profile */
		{ "format", "", "", "pprof" },
		{ "runtime", "", "", "native" },
		{ "recording-start", "", "", "2026-01-02T03:04:05Z" },
		{ "recording-end", "", "", "2026-01-02T03:05:04Z" },
		{ "tags[]", "", "", "service:shop" },
		{ "tags[]", "", "", "env:prod" },
		{ "tags[]", "", "", "profile_seq:7" },
		{ "tags[]", "", "", "host:box" },
		{ "tags[]", "", "", "team:a" },
		{ "tags[]", "", "", "team:b" },
		{ "tags[]", "", "", "alone" },
		{ "tags[]", "", "", "runtime:native" },
		{ "types[0]", "", "", "cpu-samples,cpu-time" },
		{ "data[0]", "pprof-data", "application/octet-stream", NULL },
		{ "types[1]", "", "", "cpu-samples,cpu-time" },
		{ "data[1]", "pprof-data", "application/octet-stream", NULL },
	};
	enum { NR = sizeof(rows) / sizeof(*rows) };
	struct fixture *f = *state;
	struct ddp_buffer gzip = { 0 };
	struct ddp_export_form form = form_of(f);
	struct ddp_export_file files[] = { { "notes.txt", "x", 1 }, { "heap.pprof", NULL, 0 } };
	const struct received *u;
	size_t i;

	encode(DDP_GZIP, &gzip);
	files[1].bytes = gzip.bytes;
	files[1].n = gzip.len;
	form.files = files;
	form.nr_files = 2;
	assert_int_equal(send_as(f, (struct ddp_exporter_config){
		.format = DDP_EXPORT_DATADOG_LEGACY }, &form, NULL), DDP_EXPORT_OK);
	u = receiver_last(f->receiver);
	assert_null(u->error);
	assert_string_equal(u->path, "/profiling/v1/input");
	check_header(u, "X-Request-Id", ID);
	assert_int_equal(u->nr_parts, NR);
	for (i = 0; i < NR; i++) {
		print_message("  %s\n", rows[i][0]);
		assert_string_equal(u->parts[i].name, rows[i][0]);
		assert_string_equal(u->parts[i].file_name, rows[i][1]);
		assert_string_equal(u->parts[i].content_type, rows[i][2]);
		if (!rows[i][3]) {
			check_profile(u->parts[i].bytes, u->parts[i].n);
			continue;
		}
		assert_int_equal(u->parts[i].n, strlen(rows[i][3]));
		assert_memory_equal(u->parts[i].bytes, rows[i][3], u->parts[i].n);
	}
	ddp_buffer_free(&gzip);
}

static void the_older_form_names_the_host_when_no_tag_does(void **state)
{
	struct fixture *f = *state;
	char expected[160] = "host:";
	const struct received *u;
	const struct received_part *last;

	assert_int_equal(gethostname(expected + 5, sizeof(expected) - 6), 0);
	ddp_buffer_free(&f->tags);
	u = arrives(f, (struct ddp_exporter_config){ .format = DDP_EXPORT_DATADOG_LEGACY });
	last = &u->parts[u->nr_parts - 3];
	assert_string_equal(last->name, "tags[]");
	assert_int_equal(last->n, strlen(expected));
	assert_memory_equal(last->bytes, expected, last->n);
	u = arrives(f, (struct ddp_exporter_config){ .format = DDP_EXPORT_DATADOG_LEGACY,
						     .api_key = "0123456789abcdef" });
	assert_string_equal(u->path, "/v1/input");
	check_header(u, "dd-api-key", "0123456789abcdef");
}

/* Pyroscope */

static void pyroscope_gets_the_profile_as_the_body(void **state)
{
	struct fixture *f = *state;
	const struct received *u = arrives(f, (struct ddp_exporter_config){
		.format = DDP_EXPORT_PYROSCOPE, .tenant = "team-a" });

	assert_string_equal(u->path, "/ingest?name=shop%7Benv%3Dprod%2Chost%3Dbox%2Cteam%3Da%7D"
			    "&from=1767323045&until=1767323104&spyName=ddprof&format=pprof");
	check_header(u, "Content-Type", "application/octet-stream");
	check_header(u, "X-Scope-OrgID", "team-a");
	check_header(u, "X-Request-Id", ID);
	check_profile(u->body, u->body_n);
}

static void pyroscope_value_types_have_no_dash(void **state)
{
	static const struct ddp_value_type dashed[] = {
		{ "cpu-samples", "count" }, { "cpu-time", "nanoseconds" },
		{ "off-cpu-time", "nanoseconds" }, { "faults", "count" },
	};
	static const char *const expected[] = { "samples", "cpu", "off_cpu_time", "faults" };
	struct ddp_pprof p = by_hand, *got;
	struct fixture *f = *state;
	const struct received *u;
	size_t i;

	p.sample_types = dashed;
	p.nr_sample_types = 4;
	p.samples = &(struct ddp_pprof_sample){ deep, 2, (const int64_t[]){ 1, 2, 3, 4 }, NULL, 0 };
	p.nr_samples = 1;
	p.default_sample_type = "cpu-time";
	ddp_buffer_free(&f->profile);
	assert_int_equal(ddp_pprof_write(&p, ddp_buffer_write, &f->profile), 0);
	u = arrives(f, (struct ddp_exporter_config){ .format = DDP_EXPORT_PYROSCOPE });
	assert_int_equal(ddp_pprof_load(u->body, u->body_n, NULL, &got, NULL), 0);
	assert_int_equal(got->nr_sample_types, 4);
	for (i = 0; i < 4; i++) {
		assert_string_equal(got->sample_types[i].type, expected[i]);
		assert_string_equal(got->sample_types[i].unit, dashed[i].unit);
		assert_int_equal(got->samples[0].values[i], i + 1);
	}
	assert_string_equal(got->period_type.type, "cpu");
	assert_string_equal(got->default_sample_type, "cpu");
	assert_string_equal(got->samples[0].locations[0]->lines[0].function->name, "burn");
	ddp_pprof_destroy(got);
}

static void pyroscope_names_are_made_to_fit(void **state)
{
	static const struct {
		const char *what, *tags, *name;
	} rows[] = {
		{ "no service", "", "ddprof" },
		{ "a service without a name", "service", "ddprof" },
		{ "what a name may have", "service:a-b.c/d_9", "a-b.c%2Fd_9" },
		{ "what it may not", "service:a b{c}=\xc3\xa4,x:y", "a%7Bx%3Dy%7D" },
		{ "braces in a name", "service:a{b}", "a_b_" },
		{ "keys", "service:s,runtime-id:1,a.b:2,\xc3\xa4:3",
		  "s%7Bruntime_id%3D1%2Ca.b%3D2%2C__%3D3%7D" },
		{ "values", "service:s,k:a=b{c}d&e%f:\xc3\xa4",
		  "s%7Bk%3Da%3Db%7Bc_d%26e%25f%3A%C3%A4%7D" },
		{ "the first of a key counts", "service:s,service:t,k:1,k:2", "s%7Bk%3D1%7D" },
		{ "none that changes with each upload", "service:s,profile_seq:1", "s" },
		{ "none without a value", "service:s,k", "s" },
	};
	struct fixture *f = *state;
	char expected[256];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		ddp_buffer_free(&f->tags);
		assert_int_equal(ddp_tags_parse(&f->tags, rows[i].tags, NULL), 0);
		snprintf(expected, sizeof(expected), "/ingest?name=%s&from=", rows[i].name);
		assert_memory_equal(arrives(f, (struct ddp_exporter_config){
			.format = DDP_EXPORT_PYROSCOPE })->path, expected, strlen(expected));
	}
}

static void who_sends_is_in_headers(void **state)
{
	static const struct ddp_export_pair more[] = { { "X-Key", "k1" }, { "x-empty", "" } };
	static const struct {
		const char *what;
		struct ddp_exporter_config config;
		const char *header, *value;
	} rows[] = {
		{ "nobody", { .url = NULL }, "Authorization", NULL },
		{ "a user", { .user = "Aladdin", .password = "open sesame" }, "Authorization",
		  "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
		{ "a user, padded by one", { .user = "a", .password = "bcd" }, "Authorization",
		  "Basic YTpiY2Q=" },
		{ "a user, not padded", { .user = "a", .password = "b" }, "Authorization",
		  "Basic YTpi" },
		{ "bytes above 127", { .user = "\xc3\xa4", .password = "\xff" },
		  "Authorization", "Basic w6Q6/w==" },
		{ "a token", { .bearer_token = "t.0" }, "Authorization", "Bearer t.0" },
		{ "a tenant", { .tenant = "team-a" }, "X-Scope-OrgID", "team-a" },
		{ "no tenant", { .url = NULL }, "X-Scope-OrgID", NULL },
		{ "a header of the user's", { .headers = more, .nr_headers = 2 }, "X-Key", "k1" },
		{ "an empty one", { .headers = more, .nr_headers = 2 }, "x-empty", "" },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_exporter_config config = rows[i].config;

		print_message("  %s\n", rows[i].what);
		config.format = DDP_EXPORT_OTLP;
		check_header(arrives(f, config), rows[i].header, rows[i].value);
	}
}

/* OTLP */

static Ddp__Otlp__ExportRequest *unpack(const struct received *u)
{
	struct ddp_buffer plain = { 0 };
	Ddp__Otlp__ExportRequest *request;

	assert_int_equal(ddp_compression_detect(u->body, u->body_n), DDP_GZIP);
	assert_int_equal(ddp_decompress(u->body, u->body_n, 1 << 20, ddp_buffer_write, &plain),
			 0);
	request = ddp__otlp__export_request__unpack(NULL, plain.len, plain.bytes);
	ddp_buffer_free(&plain);
	assert_non_null(request);
	return request;
}

static const char *string_at(const Ddp__Otlp__Dictionary *d, int32_t i)
{
	assert_in_range(i, 0, d->n_string_table - 1);
	return d->string_table[i];
}

/* "key=text;key=5 unit;" of attributes, sorted as they come */
static void say_attributes(const Ddp__Otlp__Dictionary *d, const int32_t *indexes, size_t n,
			   char *to, size_t size)
{
	size_t i, at = 0;

	for (i = 0; i < n; i++) {
		const Ddp__Otlp__KeyValueAndUnit *a;

		assert_in_range(indexes[i], 1, d->n_attribute_table - 1);
		a = d->attribute_table[indexes[i]];
		at += snprintf(to + at, size - at, "%s=", string_at(d, a->key_strindex));
		if (a->value->value_case == DDP__OTLP__ANY_VALUE__VALUE_STRING_VALUE)
			at += snprintf(to + at, size - at, "%s", a->value->string_value);
		else
			at += snprintf(to + at, size - at, "%lld",
				       (long long)a->value->int_value);
		at += snprintf(to + at, size - at, "%s%s;", a->unit_strindex ? " " : "",
			       string_at(d, a->unit_strindex));
	}
	to[at] = '\0';
}

/* "burn@a.c:9:2 main@a.c:5:0|..." of a stack, a '|' behind each location */
static void say_stack(const Ddp__Otlp__Dictionary *d, int32_t index, char *to, size_t size)
{
	const Ddp__Otlp__Stack *s;
	size_t i, k, at = 0;

	assert_in_range(index, 0, d->n_stack_table - 1);
	s = d->stack_table[index];
	for (i = 0; i < s->n_location_indices; i++) {
		const Ddp__Otlp__Location *l;

		assert_in_range(s->location_indices[i], 1, d->n_location_table - 1);
		l = d->location_table[s->location_indices[i]];
		at += snprintf(to + at, size - at, "%d:%llx", l->mapping_index,
			       (unsigned long long)l->address);
		for (k = 0; k < l->n_lines; k++)
			at += snprintf(to + at, size - at, " %s:%lld:%lld",
				       string_at(d, d->function_table[l->lines[k]->function_index]
						 ->name_strindex),
				       (long long)l->lines[k]->line,
				       (long long)l->lines[k]->column);
		at += snprintf(to + at, size - at, "|");
	}
	to[at] = '\0';
}

/* "stack {attributes} values @timestamps" */
static void say_sample(const Ddp__Otlp__Dictionary *d, const Ddp__Otlp__Sample *s, char *to,
		       size_t size)
{
	char stack[256], attributes[256];
	size_t i, at;

	say_stack(d, s->stack_index, stack, sizeof(stack));
	say_attributes(d, s->attribute_indices, s->n_attribute_indices, attributes,
		       sizeof(attributes));
	at = snprintf(to, size, "%s {%s}", stack, attributes);
	for (i = 0; i < s->n_values; i++)
		at += snprintf(to + at, size - at, " %lld", (long long)s->values[i]);
	for (i = 0; i < s->n_timestamps_unix_nano; i++)
		at += snprintf(to + at, size - at, " @%llu",
			       (unsigned long long)s->timestamps_unix_nano[i]);
}

static void check_samples(const Ddp__Otlp__Dictionary *d, const Ddp__Otlp__Profile *p,
			  const char *const *expected)
{
	char said[512];
	size_t i;

	for (i = 0; i < p->n_samples; i++) {
		say_sample(d, p->samples[i], said, sizeof(said));
		assert_non_null(expected[i]);
		assert_string_equal(said, expected[i]);
	}
	assert_null(expected[i]);
}

#define DEEP "1:401000 burn:9:2 main:5:0|0:7000 main:5:0|"

static void otlp_has_a_profile_for_each_value_type(void **state)
{
	static const char *const counts[] = {
		DEEP " {} 4", DEEP " {thread.name=w;} 2 1 @90 @100",
		"0:7000 main:5:0| {process.pid=42;color=red;size=-7 bytes;} 8", NULL,
	};
	static const char *const times[] = {
		" {} 160", DEEP " {} 40", DEEP " {thread.name=w;} 10 @100",
		"0:7000 main:5:0| {process.pid=42;color=red;size=-7 bytes;} 80", NULL,
	};
	static const unsigned char id[] = { 0x7d, 0x44, 0x48, 0x40, 0x9d, 0xc0, 0x11, 0xd1, 0xb2,
					    0x45, 0x5f, 0xfd, 0xce, 0x74, 0xfa, 0xd2 };
	struct fixture *f = *state;
	const struct received *u = arrives(f, (struct ddp_exporter_config){
		.format = DDP_EXPORT_OTLP });
	Ddp__Otlp__ExportRequest *q = unpack(u);
	const Ddp__Otlp__Dictionary *d = q->dictionary;
	Ddp__Otlp__Profile **p;
	size_t i;

	assert_string_equal(u->path, "/v1development/profiles");
	check_header(u, "Content-Type", "application/x-protobuf");
	check_header(u, "Content-Encoding", "gzip");
	check_header(u, "X-Request-Id", NULL);
	assert_int_equal(q->n_resource_profiles, 1);
	assert_int_equal(q->resource_profiles[0]->n_scope_profiles, 1);
	assert_string_equal(q->resource_profiles[0]->scope_profiles[0]->scope->name, "libddprof");
	assert_int_equal(q->resource_profiles[0]->scope_profiles[0]->n_profiles, 2);
	p = q->resource_profiles[0]->scope_profiles[0]->profiles;
	for (i = 0; i < 2; i++) {
		assert_string_equal(string_at(d, p[i]->sample_type->type_strindex), types[i].type);
		assert_string_equal(string_at(d, p[i]->sample_type->unit_strindex), types[i].unit);
		assert_string_equal(string_at(d, p[i]->period_type->type_strindex), "cpu-time");
		assert_int_equal(p[i]->period, 10101010);
		assert_int_equal(p[i]->time_unix_nano, START_NS);
		assert_int_equal(p[i]->duration_nano, END_NS - START_NS);
		assert_int_equal(p[i]->profile_id.len, 16);
		assert_memory_equal(p[i]->profile_id.data, id, 15);
		assert_int_equal(p[i]->profile_id.data[15], id[15] ^ i);
	}
	check_samples(d, p[0], counts);
	check_samples(d, p[1], times);
	ddp__otlp__export_request__free_unpacked(q, NULL);
}

static void otlp_tables_begin_with_nothing(void **state)
{
	struct fixture *f = *state;
	Ddp__Otlp__ExportRequest *q = unpack(arrives(f, (struct ddp_exporter_config){
		.format = DDP_EXPORT_OTLP }));
	const Ddp__Otlp__Dictionary *d = q->dictionary;
	char attributes[128];

	assert_int_equal(d->n_mapping_table, 2);
	assert_int_equal(ddp__otlp__mapping__get_packed_size(d->mapping_table[0]), 0);
	assert_int_equal(d->mapping_table[1]->memory_start, 0x400000);
	assert_int_equal(d->mapping_table[1]->memory_limit, 0x500000);
	assert_int_equal(d->mapping_table[1]->file_offset, 0x1000);
	assert_string_equal(string_at(d, d->mapping_table[1]->filename_strindex), "/bin/shop");
	say_attributes(d, d->mapping_table[1]->attribute_indices,
		       d->mapping_table[1]->n_attribute_indices, attributes, sizeof(attributes));
	assert_string_equal(attributes, "process.executable.build_id.gnu=beef;");
	assert_int_equal(d->n_location_table, 3);
	assert_int_equal(ddp__otlp__location__get_packed_size(d->location_table[0]), 0);
	assert_int_equal(d->n_function_table, 3);
	assert_int_equal(ddp__otlp__function__get_packed_size(d->function_table[0]), 0);
	assert_int_equal(d->n_stack_table, 3);
	assert_int_equal(d->stack_table[0]->n_location_indices, 0);
	assert_int_equal(d->n_attribute_table, 7);
	assert_int_equal(ddp__otlp__key_value_and_unit__get_packed_size(d->attribute_table[0]),
			 0);
	assert_int_equal(d->n_link_table, 1);
	assert_int_equal(d->link_table[0]->trace_id.len, 16);
	assert_int_equal(d->link_table[0]->span_id.len, 8);
	assert_string_equal(d->string_table[0], "");
	ddp__otlp__export_request__free_unpacked(q, NULL);
}

/* Any profile: nothing is lost or counted twice, every reference leads somewhere */

enum { RANDOM_PROFILES = 60, RANDOM_SAMPLES = 80, RANDOM_TYPES = 3 };

static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % below;
}

/* Few functions, keys and times, so that much of it meets again */
static void add_random_sample(struct ddp_profile *p, uint32_t *state)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	static const char *const keys[] = { "thread_name", "thread.name", "x", "y" };
	struct ddp_text_frame frames[4] = { 0 };
	struct ddp_text_label labels[4] = { 0 };
	int64_t values[RANDOM_TYPES];
	struct ddp_text_sample s = {
		.frames = frames, .nr_frames = draw(state, 5), .labels = labels,
		.values = values, .nr_values = RANDOM_TYPES,
		.timestamp_ns = draw(state, 3) ? 0 : 1 + draw(state, 3),
	};
	uint32_t i;

	for (i = 0; i < s.nr_frames; i++)
		frames[i].function = ddp_text_from(names[draw(state, 4)]);
	for (i = 0; i < 4; i++) {
		if (draw(state, 2))
			continue;
		labels[s.nr_labels].key = ddp_text_from(keys[i]);
		if (draw(state, 2))
			labels[s.nr_labels].str = ddp_text_from(names[draw(state, 4)]);
		else
			labels[s.nr_labels].num = draw(state, 3);
		s.nr_labels++;
	}
	for (i = 0; i < RANDOM_TYPES; i++)
		values[i] = (int64_t)draw(state, 5) - 2;
	assert_int_equal(ddp_profile_add_text(p, &s), 0);
}

static void encode_random(uint32_t *state, struct ddp_buffer *to)
{
	static const struct ddp_value_type random_types[RANDOM_TYPES] = {
		{ "a", "count" }, { "b", "count" }, { "a", "bytes" },
	};
	struct ddp_profile_config config = { .value_types = random_types,
					     .nr_value_types = RANDOM_TYPES };
	struct ddp_profile *p;
	uint32_t i, nr = draw(state, RANDOM_SAMPLES);

	assert_int_equal(ddp_profile_create(&config, &p), 0);
	for (i = 0; i < nr; i++)
		add_random_sample(p, state);
	ddp_buffer_free(to);
	assert_int_equal(ddp_pprof_encode(p, END_NS, ddp_buffer_write, to), 0);
	ddp_profile_destroy(p);
}

static int64_t sum_of(const struct ddp_pprof *p, size_t column)
{
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < p->nr_samples; i++)
		sum += p->samples[i].values[column];
	return sum;
}

/* No two of the same stack and attributes, but one with and one without times */
static void check_identity(const Ddp__Otlp__Profile *p, size_t of)
{
	const Ddp__Otlp__Sample *a = p->samples[of], *b;
	size_t i, n = a->n_attribute_indices;

	assert_true(a->n_values > 0);
	assert_true(!a->n_timestamps_unix_nano || a->n_timestamps_unix_nano == a->n_values);
	for (i = 0; i < of; i++) {
		b = p->samples[i];
		if (a->stack_index != b->stack_index || n != b->n_attribute_indices ||
		    (n && memcmp(a->attribute_indices, b->attribute_indices,
				 n * sizeof(*a->attribute_indices))))
			continue;
		assert_true(!a->n_timestamps_unix_nano != !b->n_timestamps_unix_nano);
	}
}

/* Keys are there once */
static void check_keys(const Ddp__Otlp__Dictionary *d, const Ddp__Otlp__Sample *s)
{
	size_t i, k;

	for (i = 0; i < s->n_attribute_indices; i++)
		for (k = 0; k < i; k++)
			assert_int_not_equal(
				d->attribute_table[s->attribute_indices[i]]->key_strindex,
				d->attribute_table[s->attribute_indices[k]]->key_strindex);
}

/* An attribute is there once */
static void check_attributes(const Ddp__Otlp__Dictionary *d)
{
	char said[64], other[64];
	size_t i, k;

	for (i = 1; i < d->n_attribute_table; i++) {
		say_attributes(d, &(int32_t){ i }, 1, said, sizeof(said));
		for (k = 1; k < i; k++) {
			say_attributes(d, &(int32_t){ k }, 1, other, sizeof(other));
			if (d->attribute_table[i]->value->value_case ==
			    d->attribute_table[k]->value->value_case)
				assert_string_not_equal(said, other);
		}
	}
}

static void check_random(const Ddp__Otlp__ExportRequest *q, const struct ddp_pprof *from)
{
	const Ddp__Otlp__ScopeProfiles *scope = q->resource_profiles[0]->scope_profiles[0];
	char said[1024];
	size_t i, k, v;
	int64_t sum;

	assert_int_equal(scope->n_profiles, RANDOM_TYPES);
	check_attributes(q->dictionary);
	for (i = 0; i < RANDOM_TYPES; i++) {
		const Ddp__Otlp__Profile *p = scope->profiles[i];

		for (sum = 0, k = 0; k < p->n_samples; k++) {
			for (v = 0; v < p->samples[k]->n_values; v++)
				sum += p->samples[k]->values[v];
			say_sample(q->dictionary, p->samples[k], said, sizeof(said));
			check_identity(p, k);
			check_keys(q->dictionary, p->samples[k]);
		}
		assert_int_equal(sum, sum_of(from, i));
	}
}

static void otlp_keeps_any_profile(void **state)
{
	struct fixture *f = *state;
	uint32_t random = 1, i;

	for (i = 0; i < RANDOM_PROFILES; i++) {
		Ddp__Otlp__ExportRequest *q;
		struct ddp_pprof *p;

		encode_random(&random, &f->profile);
		assert_int_equal(ddp_pprof_load(f->profile.bytes, f->profile.len, NULL, &p, NULL),
				 0);
		q = unpack(arrives(f, (struct ddp_exporter_config){ .format = DDP_EXPORT_OTLP }));
		check_random(q, p);
		ddp__otlp__export_request__free_unpacked(q, NULL);
		ddp_pprof_destroy(p);
	}
}

static void otlp_resources_have_the_conventions_names(void **state)
{
	static const struct {
		const char *what, *tags, *attributes;
	} rows[] = {
		{ "none", "", "" },
		{ "those with another name", "service:s,env:e,version:1,runtime-id:r,host:h,"
		  "cpu_arch:x,container_id:c,pod_uid:p",
		  "service.name=s;deployment.environment.name=e;service.version=1;"
		  "service.instance.id=r;host.name=h;host.arch=x;container.id=c;k8s.pod.uid=p;" },
		{ "others as they are", "team:a,b.c:d:e", "team=a;b.c=d:e;" },
		{ "a tag that is only a word", "canary", "canary=;" },
		{ "the first of a key counts", "a:1,b:2,a:3", "a=1;b=2;" },
		{ "none that changes with each upload", "profile_seq:9", "" },
	};
	struct fixture *f = *state;
	char said[512];
	size_t i, k, at;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		Ddp__Otlp__ExportRequest *q;
		const Ddp__Otlp__Resource *r;

		print_message("  %s\n", rows[i].what);
		ddp_buffer_free(&f->tags);
		assert_int_equal(ddp_tags_parse(&f->tags, rows[i].tags, NULL), 0);
		q = unpack(arrives(f, (struct ddp_exporter_config){ .format = DDP_EXPORT_OTLP }));
		r = q->resource_profiles[0]->resource;
		for (k = 0, at = 0, said[0] = '\0'; k < r->n_attributes; k++)
			at += snprintf(said + at, sizeof(said) - at, "%s=%s;",
				       r->attributes[k]->key,
				       r->attributes[k]->value->string_value);
		assert_string_equal(said, rows[i].attributes);
		ddp__otlp__export_request__free_unpacked(q, NULL);
	}
}

static void otlp_receivers_may_take_a_part(void **state)
{
	static const struct {
		const char *what, *body;
		size_t n;
		int class;
		const char *message;
	} rows[] = {
		{ "all: an empty answer", "", 0, DDP_EXPORT_OK, "" },
		{ "all: an empty partial success", "\x0a\x00", 2, DDP_EXPORT_OK, "" },
		{ "two rejected", "\x0a\x08\x08\x02\x12\x04" "full", 10, DDP_EXPORT_REFUSED,
		  "/v1development/profiles: 2 profiles rejected: full" },
		{ "none rejected, but a warning", "\x0a\x06\x12\x04" "slow", 8, DDP_EXPORT_OK,
		  "/v1development/profiles: taken, with a warning: slow" },
		{ "less than none", "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13,
		  DDP_EXPORT_OK, "" },
		{ "not an answer", "<html>\xff", 7, DDP_EXPORT_OK, "" },
		{ "cut short", "\x0a\x7f\x08", 3, DDP_EXPORT_OK, "" },
		{ "control characters", "\x0a\x08\x08\x01\x12\x04" "\x1b\x5b\x0a\xff", 10,
		  DDP_EXPORT_REFUSED, "/v1development/profiles: 1 profiles rejected:  [  " },
	};
	struct fixture *f = *state;
	struct ddp_export_form form = form_of(f);
	struct ddp_export_result result;
	char expected[256];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		receiver_answer_with(f->receiver, 200, "", rows[i].body, rows[i].n);
		assert_int_equal(send_as(f, (struct ddp_exporter_config){
			.format = DDP_EXPORT_OTLP }, &form, &result), rows[i].class);
		snprintf(expected, sizeof(expected), "%s%s", *rows[i].message ? f->url : "",
			 rows[i].message);
		assert_string_equal(result.message, expected);
	}
}

/* All of them */

static void what_is_tried_again_depends_on_the_format(void **state)
{
	static const struct {
		const char *what;
		enum ddp_export_format format;
		int status, class;
	} rows[] = {
		{ "timeout", DDP_EXPORT_PYROSCOPE, 408, DDP_EXPORT_RETRY },
		{ "too many", DDP_EXPORT_PYROSCOPE, 429, DDP_EXPORT_RETRY },
		{ "broken", DDP_EXPORT_PYROSCOPE, 500, DDP_EXPORT_RETRY },
		{ "not understood", DDP_EXPORT_PYROSCOPE, 422, DDP_EXPORT_REFUSED },
		{ "broken", DDP_EXPORT_DATADOG_LEGACY, 500, DDP_EXPORT_RETRY },
		{ "too large", DDP_EXPORT_DATADOG_LEGACY, 413, DDP_EXPORT_REFUSED },
		{ "too many", DDP_EXPORT_OTLP, 429, DDP_EXPORT_RETRY },
		{ "bad gateway", DDP_EXPORT_OTLP, 502, DDP_EXPORT_RETRY },
		{ "unavailable", DDP_EXPORT_OTLP, 503, DDP_EXPORT_RETRY },
		{ "gateway timeout", DDP_EXPORT_OTLP, 504, DDP_EXPORT_RETRY },
		{ "broken for good, says OTLP", DDP_EXPORT_OTLP, 500, DDP_EXPORT_REFUSED },
		{ "timeout, not of OTLP", DDP_EXPORT_OTLP, 408, DDP_EXPORT_REFUSED },
	};
	struct fixture *f = *state;
	struct ddp_export_form form = form_of(f);
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s: %s\n", ddp_export_format_name(rows[i].format), rows[i].what);
		receiver_answer(f->receiver, rows[i].status, "");
		assert_int_equal(send_as(f, (struct ddp_exporter_config){
			.format = rows[i].format }, &form, NULL), rows[i].class);
	}
}

static void profiles_come_in_any_compression(void **state)
{
	static const enum ddp_export_format rows[] = { DDP_EXPORT_DATADOG_LEGACY,
						       DDP_EXPORT_PYROSCOPE, DDP_EXPORT_OTLP };
	struct fixture *f = *state;
	enum ddp_compression c;
	const struct received *u;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (c = DDP_PLAIN; c <= DDP_ZSTD; c++) {
			print_message("  %s: %s\n", ddp_export_format_name(rows[i]),
				      ddp_compression_name(c));
			ddp_buffer_free(&f->profile);
			encode(c, &f->profile);
			u = arrives(f, (struct ddp_exporter_config){ .format = rows[i] });
			if (rows[i] == DDP_EXPORT_PYROSCOPE)
				check_profile(u->body, u->body_n);
		}
	}
}

static void what_is_no_profile_is_refused_by_those_who_read_it(void **state)
{
	static const struct {
		const char *what;
		enum ddp_export_format format;
		const char *bytes;
		size_t n;
		int r;
	} rows[] = {
		{ "never looked at", DDP_EXPORT_DATADOG, "junk", 4, DDP_EXPORT_OK },
		{ "not pprof", DDP_EXPORT_OTLP, "junk", 4, DDP_EXPORT_REFUSED },
		{ "not pprof", DDP_EXPORT_DATADOG_LEGACY, "junk", 4, DDP_EXPORT_REFUSED },
		{ "not pprof", DDP_EXPORT_PYROSCOPE, "junk", 4, DDP_EXPORT_REFUSED },
		{ "cut short", DDP_EXPORT_PYROSCOPE, "\x04\x22\x4d\x18\x40", 5,
		  DDP_EXPORT_REFUSED },
	};
	struct fixture *f = *state;
	struct ddp_export_form form = form_of(f);
	struct ddp_export_result result;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s: %s\n", ddp_export_format_name(rows[i].format), rows[i].what);
		form.profile = rows[i].bytes;
		form.profile_bytes = rows[i].n;
		assert_int_equal(send_as(f, (struct ddp_exporter_config){
			.format = rows[i].format }, &form, &result), rows[i].r);
		if (rows[i].r)
			assert_int_equal(strncmp(result.message, f->url, strlen(f->url)), 0);
	}
	assert_int_equal(receiver_count(f->receiver), 1);
}

static void further_profiles_are_refused_where_there_is_no_place(void **state)
{
	static const struct {
		const char *what;
		enum ddp_export_format format;
		const char *file, *id;
		int r;
	} rows[] = {
		{ "a file", DDP_EXPORT_PYROSCOPE, "notes.txt", ID, DDP_EXPORT_OK },
		{ "a profile", DDP_EXPORT_PYROSCOPE, "heap.pprof", ID, -EINVAL },
		{ "a file", DDP_EXPORT_OTLP, "notes.txt", ID, DDP_EXPORT_OK },
		{ "a profile", DDP_EXPORT_OTLP, "heap.pprof", ID, -EINVAL },
		{ "an id that is none", DDP_EXPORT_OTLP, "a", "7d444840", -EINVAL },
		{ "an id with a line break", DDP_EXPORT_PYROSCOPE, "a",
		  "7d444840-9dc0-11d1-b245-5ffdce74fa\r\n", -EINVAL },
		{ "an id in capitals", DDP_EXPORT_OTLP, "a",
		  "7D444840-9DC0-11D1-B245-5FFDCE74FAD2", DDP_EXPORT_OK },
	};
	struct fixture *f = *state;
	struct ddp_export_form form = form_of(f);
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_export_file file = { rows[i].file, "x", 1 };

		print_message("  %s: %s\n", ddp_export_format_name(rows[i].format), rows[i].what);
		form.files = &file;
		form.nr_files = 1;
		form.id = rows[i].id;
		assert_int_equal(send_as(f, (struct ddp_exporter_config){
			.format = rows[i].format }, &form, NULL), rows[i].r);
	}
}

static void secrets_are_in_no_message(void **state)
{
	static const struct ddp_export_pair header = { "X-Key", "SECRET-h" };
	static const struct {
		const char *what;
		struct ddp_exporter_config config;
	} rows[] = {
		{ "API key", { .api_key = "SECRET-k" } },
		{ "password", { .user = "u", .password = "SECRET-p" } },
		{ "token", { .bearer_token = "SECRET-t" } },
		{ "header", { .headers = &header, .nr_headers = 1 } },
	};
	static const char echo[] = "bad SECRET-k SECRET-p SECRET-t SECRET-h dTpTRUNSRVQtcA==";
	struct fixture *f = *state;
	struct ddp_export_form form = form_of(f);
	struct ddp_export_result result;
	const char *secret;
	size_t i;

	receiver_answer(f->receiver, 400, echo);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct ddp_exporter_config *c = &rows[i].config;

		print_message("  %s\n", rows[i].what);
		assert_int_equal(send_as(f, *c, &form, &result), DDP_EXPORT_REFUSED);
		secret = c->api_key ?: c->password ?: c->bearer_token ?: header.value;
		assert_null(strstr(result.message, secret));
		assert_non_null(strstr(result.message, "bad "));
		assert_non_null(strstr(result.message, "********"));
		if (c->user)
			assert_null(strstr(result.message, "dTpTRUNSRVQtcA=="));
	}
}

/* Of an answer that is longer than a message no secret's beginning is shown, whatever is in it */
static void secrets_are_hidden_where_an_answer_is_cut(void **state)
{
	static const struct ddp_exporter_config config = { .bearer_token = "SECR\303\211T-token" };
	struct fixture *f = *state;
	struct ddp_export_form form = form_of(f);
	struct ddp_export_result result;
	char echo[400];
	int before;

	for (before = 180; before <= 200; before++) {
		snprintf(echo, sizeof(echo), "%0*d%s behind it", before, 0, config.bearer_token);
		receiver_answer(f->receiver, 400, echo);
		assert_int_equal(send_as(f, config, &form, &result), DDP_EXPORT_REFUSED);
		assert_non_null(strstr(result.message, "0000"));
		assert_null(strstr(result.message, "SECR"));
		assert_null(strstr(result.message, "token"));
	}
}

static void bad_credentials_are_refused(void **state)
{
	static const struct ddp_export_pair bad_name = { "X Key", "SECRET" },
		line_break = { "X-Key", "SECRET\r\nHost: y" }, reserved = { "content-length", "1" };
	static const struct {
		const char *what;
		struct ddp_exporter_config config;
		const char *says;
	} rows[] = {
		{ "a format that is none", { .format = 4 }, "format 4" },
		{ "an API key for another", { .format = DDP_EXPORT_OTLP, .api_key = "SECRET" },
		  "format otlp" },
		{ "a password in the URL", { .url = "https://u:SECRET@host/" },
		  "user and password by themselves" },
		{ "a user alone", { .user = "u" }, "together" },
		{ "a password alone", { .password = "SECRET" }, "together" },
		{ "a user with a colon", { .user = "a:b", .password = "SECRET" }, "no colon" },
		{ "a line break in a password", { .user = "a", .password = "SECRET\n" },
		  "control character" },
		{ "both", { .user = "u", .password = "SECRET", .bearer_token = "SECRET" },
		  "not both" },
		{ "a line break in a token", { .bearer_token = "SECRET\n" }, "Authorization" },
		{ "a line break in a tenant", { .tenant = "a\nb" }, "X-Scope-OrgID" },
		{ "a header's name", { .headers = &bad_name, .nr_headers = 1 }, "'X Key'" },
		{ "a line break in a header", { .headers = &line_break, .nr_headers = 1 },
		  "X-Key" },
		{ "a header of ours", { .headers = &reserved, .nr_headers = 1 },
		  "content-length" },
		{ "a CA file that is not there", { .ca_file = "/nowhere/ca.pem" },
		  "/nowhere/ca.pem cannot be read: No such file" },
		{ "a certificate that is not there", { .client_cert = "/nowhere/c.pem" },
		  "/nowhere/c.pem" },
		{ "a key alone", { .client_key = "/dev/null" }, "certificate as well" },
	};
	struct ddp_exporter *e = NULL;
	struct ddp_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_exporter_config c = rows[i].config;

		print_message("  %s\n", rows[i].what);
		c.url = c.url ? c.url : "https://example.org";
		assert_int_equal(ddp_exporter_create(&c, &e, &err), -EINVAL);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_null(strstr(err.text, "SECRET"));
	}
}

static void formats_have_names(void **state)
{
	static const char *const rows[] = { "datadog", "datadog-legacy", "pyroscope", "otlp" };
	enum ddp_export_format format;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(ddp_export_format_from_name(rows[i], &format), 0);
		assert_int_equal(format, i);
		assert_string_equal(ddp_export_format_name(format), rows[i]);
	}
	assert_int_equal(ddp_export_format_from_name("OTLP", &format), -EINVAL);
}

#define WITH_RECEIVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RECEIVER(the_older_form_has_a_field_for_each_thing),
		WITH_RECEIVER(the_older_form_names_the_host_when_no_tag_does),
		WITH_RECEIVER(pyroscope_gets_the_profile_as_the_body),
		WITH_RECEIVER(pyroscope_value_types_have_no_dash),
		WITH_RECEIVER(pyroscope_names_are_made_to_fit),
		WITH_RECEIVER(who_sends_is_in_headers),
		WITH_RECEIVER(otlp_has_a_profile_for_each_value_type),
		WITH_RECEIVER(otlp_tables_begin_with_nothing),
		WITH_RECEIVER(otlp_keeps_any_profile),
		WITH_RECEIVER(otlp_resources_have_the_conventions_names),
		WITH_RECEIVER(otlp_receivers_may_take_a_part),
		WITH_RECEIVER(what_is_tried_again_depends_on_the_format),
		WITH_RECEIVER(profiles_come_in_any_compression),
		WITH_RECEIVER(what_is_no_profile_is_refused_by_those_who_read_it),
		WITH_RECEIVER(further_profiles_are_refused_where_there_is_no_place),
		WITH_RECEIVER(secrets_are_in_no_message),
		WITH_RECEIVER(secrets_are_hidden_where_an_answer_is_cut),
		cmocka_unit_test(bad_credentials_are_refused),
		cmocka_unit_test(formats_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
