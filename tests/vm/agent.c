// SPDX-License-Identifier: Apache-2.0
/*
 * A stand-in agent as a program: answers every upload with one status and leaves what it was sent
 * as files. usage: agent STATUS FOLDER. FOLDER/port appears when it listens on 127.0.0.1; then,
 * for request N from 0, FOLDER/N.head (the request line and headers), FOLDER/N.error when it was
 * not well-formed, and FOLDER/N.PART for each part. Runs until it is killed. Built by
 * test_upload.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/receiver.h"

static void save(const char *folder, const char *name, const void *bytes, size_t n)
{
	char path[512], draft[520];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(draft, sizeof(draft), "%s.new", path);
	f = fopen(draft, "we");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) || rename(draft, path)) {
		perror(path);
		exit(1);
	}
}

static unsigned int number;

static void save_request(void *ctx, const struct received *u)
{
	const char *folder = ctx;
	char name[128], head[4096];
	size_t i, n = snprintf(head, sizeof(head), "%s %s\n", u->method, u->path);

	for (i = 0; i < u->nr_headers && n < sizeof(head) - 600; i++)
		n += snprintf(head + n, sizeof(head) - n, "%s: %s\n", u->headers[i][0],
			      u->headers[i][1]);
	for (i = 0; i < u->nr_parts; i++) {
		snprintf(name, sizeof(name), "%u.%s", number, u->parts[i].name);
		save(folder, name, u->parts[i].bytes, u->parts[i].n);
	}
	if (u->error) {
		snprintf(name, sizeof(name), "%u.error", number);
		save(folder, name, u->error, strlen(u->error));
	}
	snprintf(name, sizeof(name), "%u.head", number);
	save(folder, name, head, n);
	number++;
}

int main(int argc, char **argv)
{
	struct receiver *r;
	char port[16];
	int n;

	if (argc != 3)
		return 2;
	r = receiver_start(NULL);
	receiver_answer(r, atoi(argv[1]), atoi(argv[1]) == 200 ? "" : "not today");
	receiver_each(r, save_request, argv[2]);
	n = snprintf(port, sizeof(port), "%u\n", receiver_port(r));
	save(argv[2], "port", port, n);
	for (;;)
		pause();
}
