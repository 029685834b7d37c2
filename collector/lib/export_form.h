/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the upload's parts, shared by the one who lists them (export_form.c) and the one who
 * sends them (exporter.c).
 */
#ifndef DDPROF_LIB_EXPORT_FORM_H
#define DDPROF_LIB_EXPORT_FORM_H

#define EXPORT_EVENT_PART	"event"
#define EXPORT_EVENT_FILE	"event.json"
#define EXPORT_PROFILE_NAME	"profile.pprof"

#endif /* DDPROF_LIB_EXPORT_FORM_H */
