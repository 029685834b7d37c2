/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of `ddprofctl doctor`: each looks at one thing that profiling needs, changes nothing,
 * and says what it found in one line or several. Called by doctor.c in the order of its table.
 */
#ifndef DDPROFCTL_DOCTOR_H
#define DDPROFCTL_DOCTOR_H

#include <ddprof/io.h>
#include <jansson.h>

enum ctl_verdict {
	CTL_FINE,
	CTL_WORSE,	/* works, with less */
	CTL_MISSING,	/* does not work */
};

struct ctl_doctor {
	const char *config;		/* file of the service */
	const char *control_socket;	/* NULL: the default */
	int missing;			/* findings so far */
	/* what `ddprof --show_config` says of that file; "": it could not be read */
	struct ddp_buffer settings;
	json_t *status;			/* of the running collector; NULL: none answers */
};

/** Says one thing; @remedy, what to do, only unless it is CTL_FINE. */
void ctl_found(struct ctl_doctor *d, enum ctl_verdict verdict, const char *remedy,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* doctor_kernel.c: what the kernel and the module give */
void ctl_check_module(struct ctl_doctor *d);
void ctl_check_family(struct ctl_doctor *d);
void ctl_check_rights(struct ctl_doctor *d);
void ctl_check_lockdown(struct ctl_doctor *d);
void ctl_check_unwinder(struct ctl_doctor *d);
void ctl_check_tables(struct ctl_doctor *d);
void ctl_check_kallsyms(struct ctl_doctor *d);
void ctl_check_headers(struct ctl_doctor *d);
void ctl_check_events(struct ctl_doctor *d);
void ctl_check_tracepoints(struct ctl_doctor *d);
void ctl_check_cgroups(struct ctl_doctor *d);

/* doctor_service.c: what the service has. The first two fill in what the others look at */
void ctl_check_config(struct ctl_doctor *d);
void ctl_check_collector(struct ctl_doctor *d);
void ctl_check_targets(struct ctl_doctor *d);
void ctl_check_folders(struct ctl_doctor *d);
void ctl_check_unit(struct ctl_doctor *d);

#endif /* DDPROFCTL_DOCTOR_H */
