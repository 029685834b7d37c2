// SPDX-License-Identifier: Apache-2.0
/*
 * See cgroup.h. A path is read from the root on, and the deepest name wins: a unit above a
 * container is the runtime's, one below it the container's own.
 */
#include "service/cgroup.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct piece {
	const char *text;
	size_t len;
};

static bool starts(struct piece p, const char *with)
{
	size_t n = strlen(with);

	return p.len >= n && !memcmp(p.text, with, n);
}

static bool ends(struct piece p, const char *with)
{
	size_t n = strlen(with);

	return p.len >= n && !memcmp(p.text + p.len - n, with, n);
}

static struct piece without_end(struct piece p, const char *end)
{
	if (ends(p, end))
		p.len -= strlen(end);
	return p;
}

static void copy(struct piece p, char *ret, size_t size)
{
	size_t n = p.len < size ? p.len : size - 1;

	memcpy(ret, p.text, n);
	ret[n] = '\0';
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool all_hex(struct piece p)
{
	for (size_t i = 0; i < p.len; i++)
		if (!is_hex(p.text[i]))
			return false;
	return true;
}

/* Containers */

/* The part behind the last '-', or all of it */
static struct piece last_word(struct piece p)
{
	size_t n = p.len;

	while (n && p.text[n - 1] != '-')
		n--;
	return (struct piece){ p.text + n, p.len - n };
}

/* 32 hex digits, a dash, a number: a task of ECS on Fargate */
static bool is_ecs(struct piece p)
{
	if (p.len < 34 || p.len > DDP_MAX_CONTAINER_ID || p.text[32] != '-' ||
	    !all_hex((struct piece){ p.text, 32 }))
		return false;
	for (size_t i = 33; i < p.len; i++)
		if (p.text[i] < '0' || p.text[i] > '9')
			return false;
	return true;
}

/* "docker-ID.scope", "cri-containerd-ID.scope", "crio-ID", "ID"; but not its monitor's */
static bool container(struct piece p, struct ddp_cgroup *ret)
{
	struct piece id;

	p = without_end(p, ".scope");
	id = is_ecs(p) ? p : last_word(p);
	if (!is_ecs(p) && (id.len != 64 || !all_hex(id)))
		return false;
	if (ends((struct piece){ p.text, p.len - id.len }, "conmon-"))
		return false;
	copy(id, ret->container_id, sizeof(ret->container_id));
	ret->unit[0] = '\0';
	return true;
}

/* Pods */

static bool is_uuid(struct piece p)
{
	for (size_t i = 0; i < p.len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? p.text[i] != '-' && p.text[i] != '_' : !is_hex(p.text[i]))
			return false;
	}
	return p.len == DDP_MAX_POD_UID;
}

/* "podUID", "kubepods-burstable-podUID.slice", where '_' stands for '-' */
static bool pod(struct piece p, struct ddp_cgroup *ret)
{
	struct piece uid;

	p = without_end(p, ".slice");
	for (size_t i = p.len; i-- > 0;) {
		uid = (struct piece){ p.text + i, p.len - i };
		if (!starts(uid, "pod") || (i && p.text[i - 1] != '-'))
			continue;
		uid.text += 3;
		uid.len -= 3;
		if (!is_uuid(uid) && (uid.len != 32 || !all_hex(uid)))
			continue;
		copy(uid, ret->pod_uid, sizeof(ret->pod_uid));
		for (char *c = ret->pod_uid; *c; c++)
			*c = *c == '_' ? '-' : *c;
		return true;
	}
	return false;
}

/* Units */

/* Somebody's whole session (user@1000.service) is no service */
static void unit(struct piece p, struct ddp_cgroup *ret)
{
	if (p.len && p.text[0] == '_') {	/* put before names that cgroups have themselves */
		p.text++;
		p.len--;
	}
	if (ends(p, ".service") && p.len > strlen(".service") && p.len <= DDP_MAX_UNIT &&
	    !starts(p, "user@"))
		copy(p, ret->unit, sizeof(ret->unit));
}

static int hex_digit(char c)
{
	return !is_hex(c) ? -1 : c <= '9' ? c - '0' : c - 'a' + 10;
}

void ddp_unit_name(const char *unit_name, char *ret)
{
	struct piece p = without_end((struct piece){ unit_name, strlen(unit_name) }, ".service");
	size_t n = 0;

	for (size_t i = 0; i < p.len && n < DDP_MAX_UNIT; i++) {
		bool escape = i + 3 < p.len && p.text[i] == '\\' && p.text[i + 1] == 'x';
		int high = escape ? hex_digit(p.text[i + 2]) : -1;
		int low = high < 0 ? -1 : hex_digit(p.text[i + 3]);

		ret[n++] = low < 0 ? p.text[i] : (char)(high << 4 | low);
		i += low < 0 ? 0 : 3;
	}
	ret[n] = '\0';
}

/* Lines */

/* containerd may write "kubepods-...-podUID.slice:cri-containerd:ID" as one name */
static void component(struct piece p, bool *kube, struct ddp_cgroup *ret)
{
	while (p.len) {
		const char *colon = memchr(p.text, ':', p.len);
		struct piece part = { p.text, colon ? (size_t)(colon - p.text) : p.len };

		*kube |= memmem(part.text, part.len, "kubepods", 8) != NULL;
		if (!(*kube && pod(part, ret)) && !container(part, ret))
			unit(part, ret);
		p.text += part.len + !!colon;
		p.len -= part.len + !!colon;
	}
}

static void path(struct piece p, struct ddp_cgroup *ret)
{
	bool kube = false;

	p = without_end(p, " (deleted)");
	while (p.len) {
		const char *slash = memchr(p.text, '/', p.len);
		struct piece name = { p.text, slash ? (size_t)(slash - p.text) : p.len };

		component(name, &kube, ret);
		p.text += name.len + !!slash;
		p.len -= name.len + !!slash;
	}
}

/* "0::/path", "4:memory,cpu:/path", "1:name=systemd:/path" */
static void line(struct piece p, struct ddp_cgroup *ret)
{
	const char *first = memchr(p.text, ':', p.len), *second;
	struct ddp_cgroup found = { .unit = "" };
	struct piece who;

	second = first ? memchr(first + 1, ':', (size_t)(p.text + p.len - first - 1)) : NULL;
	if (!second)
		return;
	who = (struct piece){ first + 1, (size_t)(second - first - 1) };
	path((struct piece){ second + 1, (size_t)(p.text + p.len - second - 1) }, &found);
	if (found.container_id[0] && !ret->container_id[0]) {
		memcpy(ret->container_id, found.container_id, sizeof(found.container_id));
		ret->unit[0] = '\0'; /* of a hierarchy that the runtime does not use */
	}
	if (!ret->pod_uid[0])
		memcpy(ret->pod_uid, found.pod_uid, sizeof(found.pod_uid));
	/* only these two are systemd's */
	if (who.len && !(who.len == 12 && starts(who, "name=systemd")))
		return;
	if (!ret->unit[0] && !ret->container_id[0] == !found.container_id[0])
		memcpy(ret->unit, found.unit, sizeof(found.unit));
}

void ddp_cgroup_parse(const char *text, size_t len, struct ddp_cgroup *ret)
{
	memset(ret, 0, sizeof(*ret));
	while (len) {
		const char *newline = memchr(text, '\n', len);
		size_t n = newline ? (size_t)(newline - text) : len;

		line((struct piece){ text, n }, ret);
		text += n + !!newline;
		len -= n + !!newline;
	}
}
