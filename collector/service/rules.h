/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user says about services: which to leave out, which to call otherwise. One line a rule,
 * in order; the first that fits a process decides, and without one it stays what it is.
 *
 *	rule     := action selector... [= name]
 *	action   := "include" | "exclude" | "rename"
 *	selector := ("service" | "process" | "unit" | "container" | "pod") ":" glob
 *
 *	exclude process:kworker*
 *	rename  unit:nginx*.service process:nginx = web
 *
 * All selectors of a rule have to fit. Globs are those of the shell, and cannot have white space:
 * '?' stands for it. Used by services; made from options and the config file.
 */
#ifndef DDP_SERVICE_RULES_H
#define DDP_SERVICE_RULES_H

#include <ddprof/io.h>

#include "lib/cleanup.h"

enum { DDP_MAX_SERVICE_RULES = 256 };

struct ddp_service_rules;

/**
 * Adds the rules of @text, separated by ';' or newlines, to *rules, which is made when it is NULL.
 * @return 0; -EINVAL: @err says which rule and word; nothing was added; -ENOMEM
 */
int ddp_service_rules_add(struct ddp_service_rules **rules, const char *text,
			  struct ddp_error *err);

/** NULL is allowed. */
void ddp_service_rules_free(struct ddp_service_rules *rules);
DEFINE_CLEANUP(struct ddp_service_rules *, ddp_service_rules_free)

/** What selectors look at; never NULL, "" where there is none. */
struct ddp_service_subject {
	const char *service, *process, *unit, *container, *pod;
};

enum {
	DDP_RULE_NONE,		/* no rule fits */
	DDP_RULE_INCLUDE,
	DDP_RULE_EXCLUDE,
	DDP_RULE_RENAME,	/* *ret_name is the new name, the rules' own */
};

/** @param rules  NULL: none */
int ddp_service_rules_apply(const struct ddp_service_rules *rules,
			    const struct ddp_service_subject *subject, const char **ret_name);

#endif /* DDP_SERVICE_RULES_H */
