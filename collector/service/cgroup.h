/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control group of a process says about it: the systemd unit, the container, the pod of
 * Kubernetes. Both hierarchies (v1, v2), both drivers (cgroupfs, systemd), Docker, containerd,
 * CRI-O, Podman and ECS; paths seen from inside a control group namespace. Pure: proc reads the
 * file. Names in it may be anybody's who was given a part of the hierarchy.
 *
 * Sources: cgroups(7), cgroup_namespaces(7), systemd.unit(5) and systemd-escape(1); the paths of
 * the runtimes as these write them.
 */
#ifndef DDP_SERVICE_CGROUP_H
#define DDP_SERVICE_CGROUP_H

#include <stddef.h>

enum {
	DDP_MAX_CONTAINER_ID = 64,	/* hex digits; ECS: 32, a dash and a number */
	DDP_MAX_POD_UID = 36,		/* a UUID, or the 32 hex digits of a static pod */
	DDP_MAX_UNIT = 255,		/* bytes of a unit's name */
};

/** "" where there is none. */
struct ddp_cgroup {
	char unit[DDP_MAX_UNIT + 1];	/* "nginx.service"; inside of the container, if any */
	char container_id[DDP_MAX_CONTAINER_ID + 1];
	char pod_uid[DDP_MAX_POD_UID + 1];	/* with '-', whatever the driver made of them */
};

/** @param text  a /proc/PID/cgroup as a whole */
void ddp_cgroup_parse(const char *text, size_t len, struct ddp_cgroup *ret);

/** A unit's name for people: "my\x2dshop.service" is "my-shop". @ret holds DDP_MAX_UNIT + 1. */
void ddp_unit_name(const char *unit, char *ret);

#endif /* DDP_SERVICE_CGROUP_H */
