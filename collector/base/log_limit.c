// SPDX-License-Identifier: Apache-2.0
/* See log_limit.h. */
#include "base/log_limit.h"

/* FNV-1a, 64 bits: nobody gains by two kinds of messages that share a place */
static uint64_t kind_of(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text; text++) {
		if (*text >= '0' && *text <= '9')
			continue;
		h ^= (unsigned char)*text;
		h *= 0x100000001b3;
	}
	return h ? h : 1;
}

int ddp_log_limit(struct ddp_log_limit *l, const char *text, int64_t now_ms, uint32_t *ret_held)
{
	uint64_t kind = kind_of(text);
	__typeof__(&l->slots[0]) s = &l->slots[kind % DDP_LOG_KINDS];

	*ret_held = 0;
	if (s->kind != kind || now_ms - s->since_ms >= DDP_LOG_WINDOW_MS) {
		*ret_held = s->held;
		s->kind = kind;
		s->since_ms = now_ms;
		s->shown = s->held = 0;
	}
	if (s->shown == DDP_LOG_BURST) {
		s->held++;
		return DDP_LOG_HOLD;
	}
	return ++s->shown == DDP_LOG_BURST ? DDP_LOG_SHOW_LAST : DDP_LOG_SHOW;
}
