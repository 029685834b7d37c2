// SPDX-License-Identifier: Apache-2.0
/*
 * Shared strings: handles and references, what profiles take of them, and several threads at once.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ddprof/strings.h"
#include "profile_encoded.h"

static uint64_t intern(struct ddp_strings *s, const char *text)
{
	uint64_t handle = 0;

	assert_int_equal(ddp_strings_intern(s, text, strlen(text), &handle), 0);
	assert_int_not_equal(handle, 0);
	return handle;
}

static void assert_text(struct ddp_strings *s, uint64_t handle, const char *text)
{
	const char *bytes;
	size_t len;

	assert_int_equal(ddp_strings_get(s, handle, &bytes, &len), 0);
	assert_int_equal(len, strlen(text));
	assert_string_equal(bytes, text);
}

static size_t nr_strings(struct ddp_strings *s)
{
	struct ddp_strings_counts counts;

	ddp_strings_count(s, &counts);
	return counts.strings;
}

static void the_same_string_has_one_handle(void **state)
{
	struct ddp_strings *s;
	uint64_t a, b, empty, nul[2];

	(void)state;
	assert_int_equal(ddp_strings_create(0, &s), 0);
	a = intern(s, "a");
	b = intern(s, "b");
	empty = intern(s, "");
	assert_int_not_equal(a, b);
	assert_int_equal(intern(s, "a"), a);
	assert_text(s, a, "a");
	assert_text(s, b, "b");
	assert_text(s, empty, "");
	assert_int_equal(ddp_strings_intern(s, "x\0y", 3, &nul[0]), 0);
	assert_int_equal(ddp_strings_intern(s, "x\0z", 3, &nul[1]), 0);
	assert_int_not_equal(nul[0], nul[1]);
	assert_int_equal(nr_strings(s), 5);
	ddp_strings_unref(s);
}

static void a_handle_is_good_until_it_is_released(void **state)
{
	struct ddp_strings *s;
	const char *bytes;
	uint64_t a, b;
	size_t len;
	int i;

	(void)state;
	assert_int_equal(ddp_strings_create(0, &s), 0);
	assert_int_equal(ddp_strings_release(s, 0), -ESTALE);
	assert_int_equal(ddp_strings_release(s, 1), -ESTALE);
	for (i = 0; i < 3; i++) {
		a = intern(s, "a");
		assert_int_equal(intern(s, "a"), a);
		assert_int_equal(ddp_strings_release(s, a), 0);
		assert_text(s, a, "a");
		assert_int_equal(ddp_strings_release(s, a), 0);
		assert_int_equal(ddp_strings_release(s, a), -ESTALE);
		assert_int_equal(ddp_strings_get(s, a, &bytes, &len), -ESTALE);
		/* nor does it name what took its place */
		b = intern(s, "b");
		assert_int_not_equal(a, b);
		assert_int_equal(ddp_strings_get(s, a, &bytes, &len), -ESTALE);
		assert_text(s, b, "b");
		assert_int_equal(ddp_strings_release(s, b), 0);
		assert_int_equal(nr_strings(s), 0);
	}
	ddp_strings_unref(s);
}

static struct ddp_profile *make(struct ddp_strings *s)
{
	static const struct ddp_value_type type = { DDP_CPU_SAMPLES };
	struct ddp_profile_config c = { .value_types = &type, .nr_value_types = 1,
					.strings = s };
	struct ddp_profile *p;

	assert_int_equal(ddp_profile_create(&c, &p), 0);
	return p;
}

static int add_named(struct ddp_profile *p, uint64_t handle)
{
	uint32_t name, function, location;
	int r = ddp_profile_shared_string(p, handle, &name);

	if (r)
		return r;
	assert_int_equal(ddp_profile_function(p, &(struct ddp_function){ .name = name },
					      &function), 0);
	assert_int_equal(ddp_profile_location(p, &(struct ddp_location){
		.lines = &(struct ddp_line){ function, 0 }, .nr_lines = 1 }, &location), 0);
	return ddp_profile_add(p, &(struct ddp_sample){
		.locations = &location, .nr_locations = 1, .values = (int64_t[]){ 1 },
		.nr_values = 1 });
}

static void profiles_take_strings_by_handle(void **state)
{
	struct ddp_profile *p, *q, *old;
	struct ddp_strings *s;
	uint32_t id[2];
	uint64_t a, b;

	(void)state;
	assert_int_equal(ddp_strings_create(0, &s), 0);
	p = make(s);
	q = make(s);
	a = intern(s, "a");
	b = intern(s, "b");
	assert_int_equal(add_named(p, a), 0);
	assert_int_equal(add_named(p, a), 0);
	assert_int_equal(add_named(p, b), 0);
	assert_int_equal(add_named(q, b), 0);
	assert_samples(p, "2 a\n1 b\n");
	assert_samples(q, "1 b\n");
	assert_int_equal(ddp_profile_shared_string(p, a, &id[0]), 0);
	assert_int_equal(ddp_profile_string(p, "a", 1, &id[1]), 0);
	assert_int_equal(id[0], id[1]);

	/* the profile keeps what it uses: released outside, the handle is still good there */
	assert_int_equal(ddp_strings_release(s, a), 0);
	assert_int_equal(nr_strings(s), 2);
	assert_int_equal(add_named(p, a), 0);
	assert_int_equal(ddp_profile_reset(p, 0, &old), 0);
	assert_int_equal(nr_strings(s), 1);
	assert_int_equal(add_named(p, a), -ESTALE);
	assert_int_equal(add_named(p, b), 0);
	assert_samples(old, "3 a\n1 b\n");
	assert_samples(p, "1 b\n");
	assert_int_equal(ddp_profile_shared_string(old, b, &id[0]), -EROFS);

	/* a reset that drops releases as well, and so does the end */
	assert_int_equal(ddp_strings_release(s, b), 0);
	assert_int_equal(ddp_profile_reset(p, 0, NULL), 0);
	assert_int_equal(nr_strings(s), 1);
	ddp_profile_destroy(q);
	assert_int_equal(nr_strings(s), 0);
	ddp_profile_destroy(p);
	ddp_profile_destroy(old);
	ddp_strings_unref(s);
}

static void the_storage_lives_as_long_as_it_is_used(void **state)
{
	struct ddp_profile *p;
	struct ddp_strings *s;
	uint64_t a;

	(void)state;
	assert_int_equal(ddp_strings_create(0, &s), 0);
	assert_ptr_equal(ddp_strings_ref(s), s);
	ddp_strings_unref(s);
	p = make(s);
	a = intern(s, "a");
	ddp_strings_unref(s);	/* the profile's reference is the last one */
	assert_int_equal(add_named(p, a), 0);
	assert_samples(p, "1 a\n");
	ddp_profile_destroy(p);
	ddp_strings_unref(NULL);
}

static void without_storage_there_are_no_handles(void **state)
{
	struct ddp_profile *p = make(NULL);
	uint32_t id;

	(void)state;
	assert_int_equal(ddp_profile_shared_string(p, 1, &id), -EINVAL);
	ddp_profile_destroy(p);
}

static void the_memory_ceiling_holds(void **state)
{
	struct ddp_strings_counts before, after;
	struct ddp_strings *s;
	uint64_t handle[10000];
	char text[32];
	int i, n, r = 0;

	(void)state;
	assert_int_equal(ddp_strings_create(50000, &s), 0);
	for (n = 0; !r; n++)
		r = ddp_strings_intern(s, text, snprintf(text, sizeof(text), "string %d", n),
				       &handle[n]);
	assert_int_equal(r, -ENOSPC);
	assert_true(n > 100);
	ddp_strings_count(s, &before);
	assert_true(before.bytes <= 50000);
	assert_int_equal(before.strings, n - 1);
	assert_text(s, handle[n - 2], (snprintf(text, sizeof(text), "string %d", n - 2), text));

	/* what is released makes room, and costs nothing the second time */
	for (i = 0; i < n - 1; i++)
		assert_int_equal(ddp_strings_release(s, handle[i]), 0);
	for (i = 0; i < n - 1; i++)
		assert_int_equal(ddp_strings_intern(s, text, snprintf(text, sizeof(text),
				 "STRING %d", i), &handle[i]), 0);
	ddp_strings_count(s, &after);
	assert_int_equal(before.bytes, after.bytes);
	ddp_strings_unref(s);
}

enum { NR_THREADS = 4, ROUNDS = 3000, NR_TEXTS = 50 };

static void *intern_and_release(void *strings)
{
	struct ddp_profile *p = make(strings);
	struct ddp_strings *s = strings;
	uint64_t handle;
	char text[16];
	uint32_t id;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		snprintf(text, sizeof(text), "text %d", i * 7 % NR_TEXTS);
		handle = intern(s, text);
		assert_text(s, handle, text);
		assert_int_equal(ddp_profile_shared_string(p, handle, &id), 0);
		assert_int_equal(id, string_id(p, text));
		assert_int_equal(ddp_strings_release(s, handle), 0);
		if (i % 100 == 99)
			assert_int_equal(ddp_profile_reset(p, 0, NULL), 0);
	}
	ddp_profile_destroy(p);
	return NULL;
}

static void threads_share_strings(void **state)
{
	pthread_t threads[NR_THREADS];
	struct ddp_strings *s;
	int i;

	(void)state;
	assert_int_equal(ddp_strings_create(0, &s), 0);
	for (i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, intern_and_release, s), 0);
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(nr_strings(s), 0);
	ddp_strings_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_string_has_one_handle),
		cmocka_unit_test(a_handle_is_good_until_it_is_released),
		cmocka_unit_test(profiles_take_strings_by_handle),
		cmocka_unit_test(the_storage_lives_as_long_as_it_is_used),
		cmocka_unit_test(without_storage_there_are_no_handles),
		cmocka_unit_test(the_memory_ceiling_holds),
		cmocka_unit_test(threads_share_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
