// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a command on a terminal of its own and copies what it shows to stdout. usage: terminal
 * COMMAND [ARGUMENTS]; the exit status is the command's. For test_live.sh.
 */
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 24, .ws_col = 100 };
	char bytes[4096];
	int fd, status;
	pid_t child;
	ssize_t n;

	if (argc < 2)
		return 2;
	child = forkpty(&fd, NULL, NULL, &size);
	if (child < 0)
		return 1;
	if (!child) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		if (write(STDOUT_FILENO, bytes, (size_t)n) != n)
			return 1;
	if (waitpid(child, &status, 0) != child)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
