// SPDX-License-Identifier: Apache-2.0
/*
 * A process whose memory map is held: one thread waits in mmap() of a device that does not answer
 * (tests/vm/ddprof_hold_test), the other burns CPU, until it is killed. usage: held DEVICE. Started
 * by services_guest.sh.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "burn.h"

BURNER(burn_held, 0xaa)

static void *hold(void *device)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0 || mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED)
		return device;
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 2)
		return 2;
	burn_held(1000);	/* what it needs is mapped: with its map held it could not be */
	if (pthread_create(&thread, NULL, hold, argv[1]))
		return 1;
	for (;;)
		burn_held(1000000);
}
