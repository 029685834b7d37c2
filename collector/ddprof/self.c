// SPDX-License-Identifier: Apache-2.0
/* See self.h. */
#include "ddprof/self.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

static int expected(struct ddp_error *err)
{
	snprintf(err->text, sizeof(err->text), "expected CPUs below %d as a mask in hex (0xa4) or "
		 "as list:2,5,7-9", CPU_SETSIZE);
	return -EINVAL;
}

/* One digit of a mask, for CPUs from @first on */
static bool set_digit(char digit, size_t first, cpu_set_t *ret)
{
	static const char hex[] = "0123456789abcdef";
	const char *at = digit ? strchr(hex, tolower((unsigned char)digit)) : NULL;

	for (size_t bit = 0; at && bit < 4; bit++) {
		if (!((size_t)(at - hex) >> bit & 1))
			continue;
		if (first + bit >= CPU_SETSIZE)
			return false;
		CPU_SET(first + bit, ret);
	}
	return at;
}

/* Commas only make it easier to read: ff,ffffffff */
static bool parse_mask(const char *digits, cpu_set_t *ret)
{
	size_t first = 0;

	for (size_t i = strlen(digits); i-- > 0;) {
		if (digits[i] == ',')
			continue;
		if (!set_digit(digits[i], first, ret))
			return false;
		first += 4;
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
	static const char list[] = "list:";
	size_t prefix = strncasecmp(text, "0x", 2) ? 0 : 2;
	bool good;

	CPU_ZERO(ret);
	if (strncmp(text, list, sizeof(list) - 1))
		good = parse_mask(text + prefix, ret);
	else
		good = parse_list(text + sizeof(list) - 1, ret);
	return good && CPU_COUNT(ret) ? 0 : expected(err);
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
