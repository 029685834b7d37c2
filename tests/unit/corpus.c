// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "corpus.h"

static void replay_file(const char *path, int (*run)(const uint8_t *data, size_t size))
{
	FILE *file = fopen(path, "r");
	uint8_t *bytes;
	struct stat st;

	if (!file || fstat(fileno(file), &st))
		fail_msg("%s cannot be read", path);
	bytes = malloc(st.st_size ? st.st_size : 1);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, st.st_size, file), st.st_size);
	run(bytes, st.st_size);
	free(bytes);
	fclose(file);
}

void corpus_replay(const char *target, int (*run)(const uint8_t *data, size_t size))
{
	char folder[256], path[1024];
	struct dirent *entry;
	unsigned int files = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", target);
	dir = opendir(folder);
	if (!dir)
		fail_msg("%s: not here; tests run from the checkout's root", folder);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		replay_file(path, run);
		files++;
	}
	closedir(dir);
	assert_true(files > 0);
}
