/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The drain thread: takes what the CPUs recorded, in the order that docs/concurrency.md proves,
 * lists new address spaces, and sends it all to the owner. One a session.
 */
#ifndef DDP_DRAIN_H
#define DDP_DRAIN_H

struct ddp_drain;
struct ddp_session;
struct irq_work;

struct ddp_drain *ddp_drain_create(struct ddp_session *session);
/* Begin to send. */
int ddp_drain_run(struct ddp_drain *d);
/* No sampler runs any more: send what is left, then RECORDS_END. Returns at once. */
void ddp_drain_finish(struct ddp_drain *d);
/* Send nothing from now on. */
void ddp_drain_mute(struct ddp_drain *d);
/* Ends the thread wherever it is and frees. */
void ddp_drain_destroy(struct ddp_drain *d);

/* Process or interrupt context, not NMI: there is something to do before the next flush. */
void ddp_drain_wake(struct ddp_drain *d);

/* Any context: forget what the collector knows, it has lost messages. */
void ddp_drain_resync(struct ddp_drain *d);

/* A CPU's irq_work: it has something to drain now. */
void ddp_drain_irq_work(struct irq_work *work);

#endif /* DDP_DRAIN_H */
