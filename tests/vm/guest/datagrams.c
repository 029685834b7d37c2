// SPDX-License-Identifier: Apache-2.0
/*
 * What arrives at a datagram socket, on stdout, until it is killed. usage: datagrams PATH. A
 * receiver of statsd's, for test_live.sh.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char bytes[65536];
	ssize_t n;

	if (argc != 2 || strlen(argv[1]) >= sizeof(name.sun_path))
		return 2;
	strcpy(name.sun_path, argv[1]);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)))
		return 1;
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) >= 0)
		if (write(STDOUT_FILENO, bytes, (size_t)n) != n)
			return 1;
	return 1;
}
