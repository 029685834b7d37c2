// SPDX-License-Identifier: Apache-2.0
/*
 * Samples in real NMI context on top of those of the timer: starts a session at the highest rate,
 * has the test-only module ddprof_nmi_test send NMIs, and checks that every sample arrived, once,
 * under a known stack. usage: nmi_check NMIS NMIS, for each CPU with folded counts, and with
 * timestamps and with a tight budget. Run in the guest by test_nmi.sh.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "load.h"
#include "session.h"
#include "tap.h"

#define STORM "/sys/module/ddprof_nmi_test/parameters/storm"

enum { NR_THREADS = 3 };

/* What became of the NMIs, as the module tells it. */
struct storm {
	unsigned long long attempts, nested, missing, samples, idle, out_of_scope, no_regs;
	unsigned long long lost_nested, lost_ring;
};

static volatile bool storm_over;
static int storm_error;

static void *send_storm(void *number)
{
	FILE *f = fopen(STORM, "we");

	if (!f || fputs(number, f) < 0 || fflush(f))
		storm_error = errno;
	if (f)
		fclose(f);
	storm_over = true;
	return NULL;
}

static void read_storm(struct storm *s)
{
	FILE *f = fopen(STORM, "re");
	int n = 0;

	if (f)
		n = fscanf(f, "attempts=%llu nested=%llu missing=%llu samples=%llu idle=%llu "
			   "out_of_scope=%llu no_regs=%llu lost_nested=%llu lost_ring=%llu",
			   &s->attempts, &s->nested, &s->missing, &s->samples, &s->idle,
			   &s->out_of_scope, &s->no_regs, &s->lost_nested, &s->lost_ring);
	if (n != 9)
		tap_bail("%s: cannot be read", STORM);
	fclose(f);
}

static void weather(struct nl *nl, char *number)
{
	pthread_t sender;

	storm_over = false;
	if (pthread_create(&sender, NULL, send_storm, number))
		tap_bail("no thread");
	while (!storm_over)
		nl_receive(nl, 100);
	pthread_join(sender, NULL);
	if (storm_error)
		tap_bail("%s: %s", STORM, strerror(storm_error));
}

/* @calm_s: seconds of samples by the timer alone, after the NMIs */
static void session(const struct nl_start *how, char *number, unsigned int calm_s,
		    struct stream *stream, struct nl_stats *stats, struct storm *storm)
{
	struct nl nl;
	time_t until;

	session_begin(&nl, stream, NULL, how);
	weather(&nl, number);
	read_storm(storm);
	for (until = time(NULL) + calm_s; time(NULL) < until;)
		nl_receive(&nl, 100);
	session_finish(&nl, stream, stats);
	nl_close(&nl);
}

static void check_storm(const char *how, const struct storm *s, const struct nl_stats *stats,
			unsigned long long wanted)
{
	char name[80];
	uint64_t timer = stats->n[DDPROF_A_STATS_SAMPLES] - s->samples;

	snprintf(name, sizeof(name), "%s: NMIs are sampled", how);
	tap(s->attempts >= wanted && s->samples > wanted / 2 &&
	    s->samples == stats->n[DDPROF_A_STATS_NMI], name,
	    "%llu of %llu, %llu late, %llu samples, statistics say %llu", s->attempts, wanted,
	    s->missing, s->samples, (unsigned long long)stats->n[DDPROF_A_STATS_NMI]);
	snprintf(name, sizeof(name), "%s: NMIs hit samples of the timer", how);
	tap(s->nested > wanted / 1000 && timer > 1000, name, "%llu did; %llu samples of the timer",
	    s->nested, (unsigned long long)timer);
	printf("# %s: %llu NMIs, %llu inside a sample, %llu samples of the timer, %llu lost\n", how,
	       s->attempts, s->nested, (unsigned long long)timer, s->lost_ring + s->lost_nested);
}

/* Nothing is skipped: every NMI is accounted for, and every sample arrives. */
static void exact(const char *how, uint32_t flags, char *number)
{
	struct nl_start start = { .hz = 10000, .flags = flags };
	struct stream stream;
	struct nl_stats stats;
	struct storm s = {};
	char name[80];

	session(&start, number, 0, &stream, &stats, &s);
	check_storm(how, &s, &stats, 2ULL * atoi(number));
	snprintf(name, sizeof(name), "%s: each NMI is a sample or counted as none", how);
	tap(s.attempts == s.samples + s.idle + s.out_of_scope + s.no_regs + s.lost_nested +
			  s.lost_ring, name, "%llu NMIs, %llu samples, %llu idle, %llu lost",
	    s.attempts, s.samples, s.idle, s.lost_nested + s.lost_ring);
	snprintf(name, sizeof(name), "%s: every sample arrives once, under a known stack", how);
	tap(stream.ended && !stream.gaps && !stream.broken[0] && !stream_unknown(&stream) &&
	    stream_hits(&stream) == stats.n[DDPROF_A_STATS_SAMPLES] &&
	    stream_lost(&stream) == stats.n[DDPROF_A_STATS_LOST_RING] +
				    stats.n[DDPROF_A_STATS_LOST_NESTED],
	    name, "ended %d, %llu taken, %llu arrived, %llu of unknown ids, %llu gaps, %s",
	    stream.ended,
	    (unsigned long long)stats.n[DDPROF_A_STATS_SAMPLES],
	    (unsigned long long)stream_hits(&stream), (unsigned long long)stream_unknown(&stream),
	    (unsigned long long)stream.gaps, stream.broken);
	stream_deinit(&stream);
}

/*
 * A tight budget: what is skipped is counted, and the samples that are taken stand for it; but
 * for the last skipped ones, which no later sample could stand for.
 */
static void budget(char *number)
{
	struct nl_start start = { .hz = 10000, .budget = 10 };
	struct stream stream;
	struct nl_stats stats;
	struct storm s = {};
	uint64_t all, hits;

	/* the deepest debt is paid off in half a second, then a sample is taken */
	session(&start, number, 3, &stream, &stats, &s);
	all = stats.n[DDPROF_A_STATS_SAMPLES] + stats.n[DDPROF_A_STATS_SKIPPED];
	hits = stream_hits(&stream) + stats.n[DDPROF_A_STATS_LOST_RING];
	tap(stream.ended && !stream.broken[0] && !stream_unknown(&stream) &&
	    hits > stats.n[DDPROF_A_STATS_SAMPLES] && hits <= all,
	    "budget: samples stand for those skipped",
	    "%llu samples and %llu skipped, counts add up to %llu; %s",
	    (unsigned long long)stats.n[DDPROF_A_STATS_SAMPLES],
	    (unsigned long long)stats.n[DDPROF_A_STATS_SKIPPED], (unsigned long long)hits,
	    stream.broken);
	stream_deinit(&stream);
}

int main(int argc, char **argv)
{
	pthread_t threads[NR_THREADS];

	if (argc != 3 || atoi(argv[1]) <= 0 || atoi(argv[2]) <= 0)
		tap_bail("usage: nmi_check NMIS NMIS");
	load_begin(threads, NR_THREADS);
	exact("folded", 0, argv[1]);
	exact("timestamps", DDPROF_FLAG_ALL, argv[2]);
	budget(argv[2]);
	load_finish(threads, NR_THREADS);
	return tap_failures != 0;
}
