// SPDX-License-Identifier: Apache-2.0
/* See self.h. */
#include "ddprof/self.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

static int expected(struct ddp_error *err)
{
	snprintf(err->text, sizeof(err->text), "expected CPUs below %d as a mask (0xa4) or a list "
		 "(2,5,7-9)", CPU_SETSIZE);
	return -EINVAL;
}

static bool parse_mask(const char *digits, cpu_set_t *ret)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = strlen(digits);

	for (size_t i = 0; i < len; i++) {
		const char *digit = strchr(hex, digits[i] | ('a' - 'A'));
		size_t first = (len - 1 - i) * 4;

		if (!digit || digit == hex + 16)
			return false;
		for (size_t bit = 0; bit < 4; bit++) {
			if (!((size_t)(digit - hex) >> bit & 1))
				continue;
			if (first + bit >= CPU_SETSIZE)
				return false;
			CPU_SET(first + bit, ret);
		}
	}
	return true;
}

/* Decimal digits at *@p, which moves behind them */
static bool parse_cpu(const char **p, size_t *ret)
{
	size_t n = 0, digits = 0;

	for (; **p >= '0' && **p <= '9' && digits < 5; ++*p, digits++)
		n = n * 10 + (size_t)(**p - '0');
	*ret = n;
	return digits && n < CPU_SETSIZE;
}

static bool parse_list(const char *p, cpu_set_t *ret)
{
	for (;;) {
		size_t first, last;

		if (!parse_cpu(&p, &first))
			return false;
		last = first;
		if (*p == '-') {
			p++;
			if (!parse_cpu(&p, &last) || last < first)
				return false;
		}
		for (; first <= last; first++)
			CPU_SET(first, ret);
		if (*p != ',')
			return !*p;
		p++;
	}
}

int ddprof_cpu_set(const char *text, cpu_set_t *ret, struct ddp_error *err)
{
	bool mask = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	CPU_ZERO(ret);
	if (!(mask ? parse_mask(text + 2, ret) : parse_list(text, ret)) || !CPU_COUNT(ret))
		return expected(err);
	return 0;
}

void ddprof_self_settle(const struct ddprof_config *c)
{
	struct ddp_error err = { "" };
	cpu_set_t set;

	if (c->nice != DDPROF_NICE_AS_IT_IS && setpriority(PRIO_PROCESS, 0, c->nice))
		ddp_log_warn("--nice %d: %s", c->nice, strerror(errno));
	if (c->cpu_affinity && !ddprof_cpu_set(c->cpu_affinity, &set, &err) &&
	    sched_setaffinity(0, sizeof(set), &set))
		ddp_log_warn("--cpu_affinity %s: %s", c->cpu_affinity,
			     errno == EINVAL ? "this machine has none of these CPUs" :
					       strerror(errno));
}

int ddprof_self_become(const char *user, struct ddp_error *err)
{
	const struct passwd *p;
	int r;

	errno = 0;
	p = getpwnam(user);
	if (!p) {
		r = errno ? -errno : -ENOENT;
		snprintf(err->text, sizeof(err->text), "--switch_user %.60s: %s", user,
			 errno ? strerror(errno) : "there is no such user");
		return r;
	}
	if (!initgroups(user, p->pw_gid) && !setresgid(p->pw_gid, p->pw_gid, p->pw_gid) &&
	    !setresuid(p->pw_uid, p->pw_uid, p->pw_uid))
		return 0;
	r = -errno;
	snprintf(err->text, sizeof(err->text), "--switch_user %.60s: %s", user, strerror(-r));
	return r;
}
