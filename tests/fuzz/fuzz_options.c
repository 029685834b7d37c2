// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: ddprof's configuration file. Input: the file. What may come of it: an error that
 * names it, or values that are written as a file which gives the same values again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ddprof/config.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads @text, writes what is in effect. @return NULL: refused; else the caller's */
static char *written(const char *text, size_t len, struct ddp_error *err)
{
	CLEANUP(ddprof_config_free) struct ddprof_config c = { .global = false };
	char *ret = NULL;
	size_t bytes;
	FILE *to;
	int r;

	ddp_options_begin(&c.options, ddprof_options, &c);
	r = ddp_options_text(&c.options, "a.conf", text, len, ddprof_sections, err);
	if (r) {
		must(!strncmp(err->text, "a.conf", 6) || strstr(err->text, "a.conf:"));
		return NULL;
	}
	to = open_memstream(&ret, &bytes);
	must(to);
	ddp_options_write(&c.options, ddprof_sections, to);
	fclose(to);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free) char *text = malloc(size + 1);
	CLEANUP(free) char *first = NULL;
	CLEANUP(free) char *second = NULL;
	CLEANUP(free) char *third = NULL;
	struct ddp_error err = { "" };

	must(text);
	ddp_log_setup("fuzz", DDP_LOG_ERROR);
	memcpy(text, data, size);
	text[size] = '\0';
	first = written(text, size, &err);
	if (!first)
		return 0;
	/* secrets, and what no file can say, were left out of the first */
	second = written(first, strlen(first), &err);
	must(second);
	third = written(second, strlen(second), &err);
	must(third && !strcmp(second, third));
	return 0;
}
