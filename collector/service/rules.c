// SPDX-License-Identifier: Apache-2.0
/* See rules.h. */
#include "service/rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/array.h"
#include "service/environ.h"

enum { MAX_GLOB = 256, MAX_QUOTED = 60 };

static const struct selector_kind {
	const char *name;
	size_t offset;		/* in struct ddp_service_subject */
} kinds[] = {
	{ "service", offsetof(struct ddp_service_subject, service) },
	{ "process", offsetof(struct ddp_service_subject, process) },
	{ "unit", offsetof(struct ddp_service_subject, unit) },
	{ "container", offsetof(struct ddp_service_subject, container) },
	{ "pod", offsetof(struct ddp_service_subject, pod) },
};

enum { NR_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const char *const actions[] = {
	[DDP_RULE_INCLUDE] = "include",
	[DDP_RULE_EXCLUDE] = "exclude",
	[DDP_RULE_RENAME] = "rename",
};

enum { NR_ACTIONS = sizeof(actions) / sizeof(actions[0]) };

struct rule {
	int action;
	char *globs[NR_KINDS];	/* owned; NULL: anything */
	char name[DDP_MAX_NAME + 1];
};

struct ddp_service_rules {
	struct rule *rules;
	size_t nr, capacity;
};

/* A rule's text while it is read */
struct reader {
	const char *pos, *end;
	size_t number;		/* of the rule, from 1 */
	struct ddp_error *err;
};

struct word {
	const char *text;
	size_t len;		/* 0: there are no more */
};

static int refuse(const struct reader *r, struct word at, const char *what)
{
	int n = at.len > MAX_QUOTED ? MAX_QUOTED : (int)at.len;

	if (r->err && n)
		snprintf(r->err->text, sizeof(r->err->text), "service rule %zu, at \"%.*s\": %s",
			 r->number, n, at.text, what);
	else if (r->err)
		snprintf(r->err->text, sizeof(r->err->text), "service rule %zu, at its end: %s",
			 r->number, what);
	return -EINVAL;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct word next(struct reader *r)
{
	struct word w;

	while (r->pos < r->end && is_space(*r->pos))
		r->pos++;
	w.text = r->pos;
	while (r->pos < r->end && !is_space(*r->pos))
		r->pos++;
	w.len = (size_t)(r->pos - w.text);
	return w;
}

static bool is(struct word w, const char *text)
{
	return w.len == strlen(text) && !memcmp(w.text, text, w.len);
}

static int read_action(struct reader *r, struct rule *ret)
{
	struct word w = next(r);

	for (int i = DDP_RULE_INCLUDE; i < NR_ACTIONS; i++) {
		if (is(w, actions[i])) {
			ret->action = i;
			return 0;
		}
	}
	return refuse(r, w, "expected include, exclude or rename");
}

static int read_selector(struct reader *r, struct word w, struct rule *ret)
{
	for (size_t i = 0; i < NR_KINDS; i++) {
		size_t n = strlen(kinds[i].name);

		if (w.len <= n || w.text[n] != ':' || memcmp(w.text, kinds[i].name, n))
			continue;
		if (ret->globs[i])
			return refuse(r, w, "a second selector of the same kind");
		if (w.len == n + 1)
			return refuse(r, w, "a pattern is missing behind the colon");
		if (w.len - n - 1 > MAX_GLOB)
			return refuse(r, w, "the pattern is longer than 256 bytes");
		ret->globs[i] = strndup(w.text + n + 1, w.len - n - 1);
		return ret->globs[i] ? 0 : -ENOMEM;
	}
	return refuse(r, w, "expected service:, process:, unit:, container: or pod: and a pattern");
}

/* All that is left, so that a name may have spaces within */
static int read_name(struct reader *r, struct rule *ret)
{
	if (r->end - r->pos > DDP_MAX_NAME)
		return refuse(r, next(r), "the name is longer than 200 bytes");
	ddp_name_clean(r->pos, (size_t)(r->end - r->pos), ret->name);
	return ret->name[0] ? 0 : refuse(r, next(r), "a name is missing behind '='");
}

static int read_rule(struct reader *r, struct rule *ret)
{
	bool rename, any = false;
	struct word w;
	int error = read_action(r, ret);

	if (error)
		return error;
	rename = ret->action == DDP_RULE_RENAME;
	for (w = next(r); w.len && !is(w, "="); w = next(r)) {
		error = read_selector(r, w, ret);
		if (error)
			return error;
		any = true;
	}
	if (!any)
		return refuse(r, w, "expected a selector, as in service:shop-*");
	if (w.len && !rename)
		return refuse(r, w, "only rename has a name");
	if (!w.len && rename)
		return refuse(r, w, "expected = and a name");
	return rename ? read_name(r, ret) : 0;
}

static void rule_free(struct rule *rule)
{
	for (size_t i = 0; i < NR_KINDS; i++)
		free(rule->globs[i]);
}

static int add(struct ddp_service_rules *rules, struct reader *r)
{
	struct rule rule = { .action = DDP_RULE_NONE };
	struct rule *more;
	int error = read_rule(r, &rule);

	if (!error && rules->nr == DDP_MAX_SERVICE_RULES)
		error = refuse(r, (struct word){ NULL, 0 }, "there are more than 256");
	if (!error) {
		more = array_reserve(rules->rules, &rules->capacity, rules->nr + 1, sizeof(*more));
		if (more) {
			rules->rules = more;
			rules->rules[rules->nr++] = rule;
			return 0;
		}
		error = -ENOMEM;
	}
	rule_free(&rule);
	return error;
}

static bool is_blank(const struct reader *r)
{
	struct reader copy = *r;

	return !next(&copy).len;
}

static void forget(struct ddp_service_rules *rules, size_t kept)
{
	while (rules->nr > kept)
		rule_free(&rules->rules[--rules->nr]);
}

int ddp_service_rules_add(struct ddp_service_rules **rules, const char *text, struct ddp_error *err)
{
	struct ddp_service_rules *all = *rules ? *rules : calloc(1, sizeof(*all));
	struct reader r = { .err = err };
	size_t before;
	int error = 0;

	if (!all)
		return -ENOMEM;
	before = all->nr;
	while (!error && *text) {
		size_t n = strcspn(text, ";\n");

		r.pos = text;
		r.end = text + n;
		r.number = all->nr + 1;
		if (!is_blank(&r))
			error = add(all, &r);
		text += n + !!text[n];
	}
	if (error)
		forget(all, before);
	if (error && !*rules)
		ddp_service_rules_free(all);
	else
		*rules = all;
	return error;
}

void ddp_service_rules_free(struct ddp_service_rules *rules)
{
	if (!rules)
		return;
	forget(rules, 0);
	free(rules->rules);
	free(rules);
}

static bool fits(const struct rule *rule, const struct ddp_service_subject *subject)
{
	for (size_t i = 0; i < NR_KINDS; i++) {
		const char *const *text = (const void *)((const char *)subject + kinds[i].offset);

		if (rule->globs[i] && fnmatch(rule->globs[i], *text, 0))
			return false;
	}
	return true;
}

int ddp_service_rules_apply(const struct ddp_service_rules *rules,
			    const struct ddp_service_subject *subject, const char **ret_name)
{
	for (size_t i = 0; rules && i < rules->nr; i++) {
		if (!fits(&rules->rules[i], subject))
			continue;
		if (rules->rules[i].action == DDP_RULE_RENAME)
			*ret_name = rules->rules[i].name;
		return rules->rules[i].action;
	}
	return DDP_RULE_NONE;
}
