// SPDX-License-Identifier: Apache-2.0
/*
 * From what a process is to the service that its samples go to: its identity or its name, then the
 * user's rules. Services are made anew each interval.
 */
#include <errno.h>
#include <string.h>

#include "service/services_internal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* What a service is made of; environment and version may be "" */
struct key {
	const char *name, *environment, *version;
	bool excluded;
	uint64_t hash;
};

static uint64_t hash_of(const struct key *k)
{
	uint64_t h = XXH3_64bits_withSeed(k->name, strlen(k->name), k->excluded);

	h = XXH3_64bits_withSeed(k->environment, strlen(k->environment), h);
	return XXH3_64bits_withSeed(k->version, strlen(k->version), h) | 1;
}

static bool same(const char *text, const char *key)
{
	return !strcmp(text ? text : "", key);
}

static struct ddp_service *find(const struct ddp_services *s, const struct key *k)
{
	const uint64_t *first = ddp_table_find(&s->services, k->hash);
	struct ddp_service *v = first ? ddp_table_pointer(*first) : NULL;

	while (v && (v->excluded != k->excluded || !same(v->name, k->name) ||
		     !same(v->environment, k->environment) || !same(v->version, k->version)))
		v = v->next_same;
	return v;
}

static void service_free(struct ddp_service *v)
{
	if (!v)
		return;
	free(v->name);
	free(v->environment);
	free(v->version);
	free(v);
}
DEFINE_CLEANUP(struct ddp_service *, service_free)

static int make(const struct key *k, struct ddp_service **ret)
{
	CLEANUP(service_free) struct ddp_service *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->excluded = k->excluded;
	v->name = strdup(k->name);
	if (k->environment[0])
		v->environment = strdup(k->environment);
	if (k->version[0])
		v->version = strdup(k->version);
	if (!v->name || (k->environment[0] && !v->environment) || (k->version[0] && !v->version))
		return -ENOMEM;
	*ret = TAKE(v);
	return 0;
}

static int get(struct ddp_services *s, struct key *k, struct ddp_service **ret)
{
	CLEANUP(service_free) struct ddp_service *v = NULL;
	const uint64_t *first;
	int r;

	k->hash = hash_of(k);
	*ret = find(s, k);
	if (*ret)
		return 0;
	r = make(k, &v);
	if (r)
		return r;
	first = ddp_table_find(&s->services, k->hash);
	v->next_same = first ? ddp_table_pointer(*first) : NULL;
	if (ddp_table_set(&s->services, k->hash, ddp_table_value(v)))
		return -ENOMEM;
	s->nr_services++;
	*ret = TAKE(v);
	return 0;
}

static int name_it(struct ddp_services *s, const struct ddp_identity *i, const char *process,
		   struct ddp_service **ret)
{
	char clean[DDP_MAX_NAME + 1];
	struct key k = { "", i ? i->environment : "", i ? i->version : "", false, 0 };
	struct ddp_service_subject subject = {
		.process = process, .unit = i ? i->unit : "",
		.container = i ? i->container_id : "", .pod = i ? i->pod_uid : "",
	};

	ddp_name_clean(process, strlen(process), clean);
	k.name = i && i->service[0] ? i->service : clean[0] ? clean : "[unknown]";
	subject.service = k.name;
	if (ddp_service_rules_apply(s->rules, &subject, &k.name) == DDP_RULE_EXCLUDE)
		k = (struct key){ "", "", "", true, 0 };
	return get(s, &k, ret);
}

int ddp_services_of(struct ddp_services *s, const struct ddp_services_who *who,
		    struct ddp_service **ret)
{
	struct image *i;
	int r = services_image(s, who, true, &i);

	if (r)
		return r;
	if (!i)
		return name_it(s, NULL, who->name, ret);
	if (!i->service)
		r = name_it(s, i->identity, i->name, &i->service);
	*ret = i->service;
	return r;
}

int ddp_services_other(struct ddp_services *s, struct ddp_service **ret)
{
	struct key k = { DDP_SERVICE_OTHER, "", "", false, 0 };

	return get(s, &k, ret);
}

void services_trim_names(struct ddp_services *s)
{
	ddp_table_for_each(&s->services, slot) {
		struct ddp_service *v = ddp_table_pointer(slot->value), *next;

		for (; v; v = next) {
			next = v->next_same;
			service_free(v);
		}
	}
	ddp_table_free(&s->services);
	s->nr_services = 0;
}
