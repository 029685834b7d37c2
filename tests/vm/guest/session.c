// SPDX-License-Identifier: Apache-2.0
/* See session.h. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "session.h"
#include "tap.h"

double now_s(void)
{
	return now_ns() * 1e-9;
}

void session_begin(struct nl *nl, struct stream *stream, session_kind_fn kind_of,
		   const struct nl_start *how)
{
	int ret;

	stream_init(stream);
	stream->kind_of = kind_of;
	*nl = (struct nl){ .records = stream_records, .ctx = stream };
	ret = nl_open(nl);
	if (ret || !nl->family)
		tap_bail("no family: %s", strerror(-ret));
	ret = nl_start(nl, how, NULL);
	if (ret)
		tap_bail("START: %s (%s)", strerror(-ret), nl->text);
}

void session_follow(struct nl *nl, double seconds)
{
	double until = now_s() + seconds, left;

	while ((left = until - now_s()) > 0)
		nl_receive(nl, left * 1000 + 1);
}

void session_read_to_end(struct nl *nl, const struct stream *stream)
{
	while (!stream->ended && nl_receive(nl, 10000) > 0)
		;
}

void session_finish(struct nl *nl, const struct stream *stream, struct nl_stats *ret_stats)
{
	int ret = nl_simple(nl, DDPROF_CMD_STOP, NULL);

	if (ret)
		tap_bail("STOP: %s (%s)", strerror(-ret), nl->text);
	nl_stats(nl, ret_stats);
	session_read_to_end(nl, stream);
}

void session_leave(struct nl *nl, struct stream *stream)
{
	nl_close(nl);
	stream_deinit(stream);
}

void session_accounts(const char *name, const struct stream *stream, const struct nl_stats *stats,
		      unsigned int may)
{
	uint64_t taken = stats->n[DDPROF_A_STATS_SAMPLES];
	uint64_t lost = stats->n[DDPROF_A_STATS_LOST_RING] + stats->n[DDPROF_A_STATS_LOST_NESTED];
	bool whole = stream->ended && !stream->broken[0] && !stream->gaps &&
		     !stream_unknown(stream);

	tap(whole && stream_hits(stream) == taken && stream_lost(stream) == lost &&
	    (!lost || may & SESSION_MAY_LOSE) && (taken || may & SESSION_MAY_BE_EMPTY), name,
	    "ended %d, %llu taken, %llu arrived, %llu of unknown ids, %llu lost, %llu gaps; %s",
	    stream->ended, (unsigned long long)taken, (unsigned long long)stream_hits(stream),
	    (unsigned long long)stream_unknown(stream), (unsigned long long)stream_lost(stream),
	    (unsigned long long)stream->gaps, stream->broken);
}

void set_online(int cpu, bool online)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	f = fopen(path, "we");
	if (!f || fputs(online ? "1" : "0", f) < 0 || fclose(f))
		tap_bail("%s: %s", path, strerror(errno));
}
