/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics by statsd's protocol, in datagrams to a unix or UDP socket: a receiver that is not there
 * or does not keep up costs nothing but the datagram. Only rows of the table with a statsd name are
 * sent. Source of the form: docs.datadoghq.com/developers/dogstatsd/datagram_shell. Used by
 * monitor.
 */
#ifndef DDP_METRICS_STATSD_H
#define DDP_METRICS_STATSD_H

#include "metrics/metrics.h"

/* A datagram: within what goes over Ethernet in one piece */
enum { DDP_STATSD_BYTES = 1400 };

/** A datagram of whole lines, borrowed. @return 0, or what ends the message */
typedef int (*ddp_statsd_send_fn)(void *ctx, const char *text, size_t n);

/**
 * One message, as one or more datagrams.
 * @param before   of the last message; all 0: the first one
 * @param passed_ns  since then; 0: not known, and rates are left out
 * @param tags	  "k:v,k:v", appended to each line; NULL or "": none
 * @return 0; what @send answered; -EMSGSIZE: a line with the tags does not fit a datagram
 */
int ddp_statsd_format(const struct ddp_metrics *now, const struct ddp_metrics *before,
		      uint64_t passed_ns, const char *tags, ddp_statsd_send_fn send, void *ctx);

struct ddp_statsd;

/**
 * @param address  "/path" or "unix:///path" (also "unixgram://"); "HOST", "HOST:PORT",
 *		   "[V6]:PORT" or "udp://" and one of these; a name is looked up now
 * @param tags	   copied; as above
 * @return 0; -EINVAL: none of these, see @err; -ENOMEM; an errno of the socket
 */
int ddp_statsd_create(const char *address, const char *tags, struct ddp_statsd **ret,
		      struct ddp_error *err);

/** Whether ddp_statsd_create() would understand @address. @return 0; -EINVAL, see @err */
int ddp_statsd_check(const char *address, struct ddp_error *err);

/**
 * What there is by now was told before, or is nobody's affair: the first message tells what grew
 * since. Without it, that is all.
 */
void ddp_statsd_begin(struct ddp_statsd *s, const struct ddp_metrics *now);

/** Never waits. @return 0, or why not all was sent; the next message tells what this one lost */
int ddp_statsd_send(struct ddp_statsd *s, const struct ddp_metrics *now);

/** NULL is allowed. */
void ddp_statsd_destroy(struct ddp_statsd *s);
DEFINE_CLEANUP(struct ddp_statsd *, ddp_statsd_destroy)

#endif /* DDP_METRICS_STATSD_H */
