// SPDX-License-Identifier: Apache-2.0
/* See identity.h. */
#include "service/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	NR_TEXTS = 6,
	/* what container tools show of an id */
	SHORT_ID = 12,
};

struct draft {
	enum ddp_identity_source source;
	const char *texts[NR_TEXTS];	/* in the order of struct ddp_identity */
	char service[DDP_MAX_UNIT + 1];
};

const char *ddp_identity_source_name(enum ddp_identity_source source)
{
	static const char *const names[] = {
#define NAME(name, text) text,
		DDP_IDENTITY_SOURCES(NAME)
#undef NAME
	};

	return names[source];
}

static void choose(const struct ddp_proc_facts *f, struct draft *d)
{
	char unit[DDP_MAX_UNIT + 1], name[DDP_MAX_NAME + 1];

	d->service[0] = '\0';
	if (f->stat.kernel_thread) {
		d->source = DDP_IDENTITY_KERNEL;
		snprintf(d->service, sizeof(d->service), "kernel");
	} else if (f->environ.service[0]) {
		d->source = DDP_IDENTITY_ENVIRONMENT;
		snprintf(d->service, sizeof(d->service), "%s", f->environ.service);
	} else if (f->cgroup.unit[0]) {
		d->source = DDP_IDENTITY_UNIT;
		ddp_unit_name(f->cgroup.unit, unit);
		ddp_name_clean(unit, strlen(unit), name);
		snprintf(d->service, sizeof(d->service), "%s", name);
	} else if (f->cgroup.container_id[0]) {
		d->source = DDP_IDENTITY_CONTAINER;
		snprintf(d->service, sizeof(d->service), "container-%.*s", SHORT_ID,
			 f->cgroup.container_id);
	} else {
		d->source = DDP_IDENTITY_NAME;
	}
}

static size_t pack(const struct draft *d, char *ret)
{
	size_t n = 0;

	for (int i = 0; i < NR_TEXTS; i++) {
		size_t len = strlen(d->texts[i]) + 1;

		memcpy(ret + n, d->texts[i], len);
		n += len;
	}
	return n;
}

static void unpack(struct ddp_identity *i)
{
	const char **const to[NR_TEXTS] = { &i->service, &i->environment, &i->version, &i->unit,
					    &i->container_id, &i->pod_uid };
	const char *text = i->text;

	for (int k = 0; k < NR_TEXTS; k++) {
		*to[k] = text;
		text += strlen(text) + 1;
	}
}

static int insert(struct ddp_identities *all, const struct ddp_identity *key, const char *text,
		  struct ddp_identity **ret)
{
	struct ddp_identity *i = malloc(sizeof(*i) + key->text_bytes);
	const uint64_t *first = ddp_table_find(&all->by_hash, key->hash);

	if (!i)
		return -ENOMEM;
	*i = *key;
	memcpy(i->text, text, key->text_bytes);
	unpack(i);
	i->next_same = first ? ddp_table_pointer(*first) : NULL;
	if (ddp_table_set(&all->by_hash, i->hash, ddp_table_value(i))) {
		free(i);
		return -ENOMEM;
	}
	all->bytes += sizeof(*i) + i->text_bytes;
	*ret = i;
	return 0;
}

int ddp_identity_get(struct ddp_identities *all, const struct ddp_proc_facts *f,
		     struct ddp_identity **ret)
{
	/* each text is shorter than its limit and a NUL */
	char text[3 * (DDP_MAX_UNIT + 1) + DDP_MAX_UNIT + 1 + DDP_MAX_CONTAINER_ID + 1 +
		  DDP_MAX_POD_UID + 1];
	struct draft d = {
		.texts = { d.service, f->environ.environment, f->environ.version, f->cgroup.unit,
			   f->cgroup.container_id, f->cgroup.pod_uid },
	};
	struct ddp_identity key = { .refs = 0 };
	const uint64_t *first;
	int r = 0;

	choose(f, &d);
	key.source = d.source;
	key.text_bytes = pack(&d, text);
	key.hash = XXH3_64bits_withSeed(text, key.text_bytes, d.source) | 1;
	first = ddp_table_find(&all->by_hash, key.hash);
	*ret = first ? ddp_table_pointer(*first) : NULL;
	while (*ret && ((*ret)->source != d.source || (*ret)->text_bytes != key.text_bytes ||
			memcmp((*ret)->text, text, key.text_bytes)))
		*ret = (*ret)->next_same;
	if (!*ret)
		r = insert(all, &key, text, ret);
	if (!r)
		(*ret)->refs++;
	return r;
}

void ddp_identity_put(struct ddp_identities *all, struct ddp_identity *i)
{
	uint64_t *first;
	struct ddp_identity *before;

	if (!i || --i->refs)
		return;
	first = ddp_table_find(&all->by_hash, i->hash);
	before = ddp_table_pointer(*first);
	while (before != i && before->next_same != i)
		before = before->next_same;
	if (before != i)
		before->next_same = i->next_same;
	else if (i->next_same)
		*first = ddp_table_value(i->next_same);
	else
		ddp_table_remove(&all->by_hash, i->hash, NULL);
	all->bytes -= sizeof(*i) + i->text_bytes;
	free(i);
}

void ddp_identities_free(struct ddp_identities *all)
{
	ddp_table_free(&all->by_hash);
}
