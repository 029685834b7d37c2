// SPDX-License-Identifier: Apache-2.0
/* collector/symbols/symbols: when the kernel's symbols are read again. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "symbols/symbols.h"

#define EXT4	"ext4 1000000 2 - Live 0xffffffffc0400000\n"
#define VIRTIO	"virtio_net 65536 0 - Live 0xffffffffc0200000\n"

static uint64_t digest(const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	uint64_t d;

	assert_non_null(f);
	d = ddp_modules_digest(f);
	fclose(f);
	return d;
}

static void modules(void **state)
{
	static const struct {
		const char *what, *text;
		bool same;	/* as EXT4 VIRTIO */
	} rows[] = {
		{ "nothing changed", EXT4 VIRTIO, true },
		{ "one is used more often",
		  "ext4 1000000 7 - Live 0xffffffffc0400000\n" VIRTIO, true },
		{ "one is used by another", EXT4
		  "virtio_net 65536 1 net_failover, Live 0xffffffffc0200000\n", true },
		{ "one went", EXT4, false },
		{ "one came", EXT4 VIRTIO "loop 4096 0 - Live 0xffffffffc0100000\n", false },
		{ "one moved",
		  EXT4 "virtio_net 65536 0 - Live 0xffffffffc0210000\n", false },
		{ "one is of another size",
		  EXT4 "virtio_net 65540 0 - Live 0xffffffffc0200000\n", false },
		{ "a line of another kind", EXT4 VIRTIO "?\n", true },
	};
	uint64_t before = digest(EXT4 VIRTIO);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((digest(rows[i].text) == before) != rows[i].same)
			fail_msg("%s", rows[i].what);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(modules) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
