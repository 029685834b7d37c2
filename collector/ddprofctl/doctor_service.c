// SPDX-License-Identifier: Apache-2.0
/*
 * See doctor.h. What a configuration means is ddprof's to say: it is asked with --show_config, and
 * its lines "NAME = VALUE  (SOURCE)" are read, which begin anew with each [target NAME].
 */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/json.h"
#include "ddprofctl/ask.h"
#include "ddprofctl/capture.h"
#include "ddprofctl/doctor.h"
#include "metrics/monitor.h"

enum { CONNECT_MS = 2000, MAX_VALUE = 1024 };

DEFINE_CLEANUP(CURL *, curl_easy_cleanup)

/* The configuration */

/* Beside ourselves, else where programs are */
static void find_ddprof(char ret[4096])
{
	ssize_t n = readlink("/proc/self/exe", ret, 4000);
	char *slash;

	ret[n > 0 ? n : 0] = '\0';
	slash = strrchr(ret, '/');
	if (slash)
		strcpy(slash + 1, "ddprof");
	if (!slash || access(ret, X_OK))
		strcpy(ret, "ddprof");
}

/* The last line of what a program said, without its newline */
static const char *last_line(struct ddp_buffer *said)
{
	char *text = (char *)said->bytes, *line;
	size_t n = text ? strlen(text) : 0;

	while (n && text[n - 1] == '\n')
		text[--n] = '\0';
	line = n ? strrchr(text, '\n') : NULL;
	return line ? line + 1 : n ? text : "";
}

/* Where the section with the heading @section begins, "": the first; NULL: there is none */
static const char *find_section(const struct ctl_doctor *d, const char *section)
{
	const char *text = (const char *)d->settings.bytes;
	char heading[128];

	if (!text || !section[0])
		return text;
	snprintf(heading, sizeof(heading), "\n[%s]\n", section);
	text = strstr(text, heading);
	return text ? text + strlen(heading) : NULL;
}

/* @return whether it is set; without where it came from */
static bool setting(const struct ctl_doctor *d, const char *section, const char *name,
		    char ret[MAX_VALUE])
{
	const char *line = find_section(d, section);
	size_t n = strlen(name), value;

	for (; line && *line && *line != '['; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncmp(line, name, n) || strncmp(line + n, " = ", 3))
			continue;
		line += n + 3;
		value = strcspn(line, "\n");
		snprintf(ret, MAX_VALUE, "%.*s", (int)value, line);
		if (strstr(ret, "  ("))
			*strstr(ret, "  (") = '\0';
		return true;
	}
	return false;
}

/* ddprof has said it, of any target's as well, and not of a file that only says where a key is */
static void check_secrecy(struct ctl_doctor *d)
{
	static const char warning[] = "every user of this machine may read this file";

	if (d->settings.bytes && strstr((const char *)d->settings.bytes, warning))
		ctl_found(d, CTL_WORSE, "chmod 600, and give it to the service's user; or "
			  "api_key = file:PATH", "others can read %s, which has a key", d->config);
}

void ctl_check_config(struct ctl_doctor *d)
{
	bool there = !access(d->config, F_OK);
	char program[4096];
	char *argv[] = { program, "--show_config", there ? "--config" : NULL, (char *)d->config,
			 NULL };
	int r;

	find_ddprof(program);
	r = ctl_capture(argv, &d->settings);
	if (r < 0)
		ctl_found(d, CTL_WORSE, "make install", "%s cannot be run: %s", program,
			  strerror(-r));
	else if (r)
		ctl_found(d, CTL_MISSING, "correct that line; `ddprof --print config` has all",
			  "the configuration is not accepted: %s", last_line(&d->settings));
	else if (there)
		ctl_found(d, CTL_FINE, "", "%s is accepted", d->config);
	else
		ctl_found(d, CTL_FINE, "", "no %s: what is not given has its default", d->config);
	if (r)
		ddp_buffer_free(&d->settings);
	else
		check_secrecy(d);
}

/* Calls @fn for the main section and that of each target */
static void each_section(struct ctl_doctor *d,
			 void (*fn)(struct ctl_doctor *d, const char *section))
{
	const char *at = (const char *)d->settings.bytes;
	char section[128];

	if (!at)
		return;
	fn(d, "");
	while ((at = strstr(at, "\n["))) {
		snprintf(section, sizeof(section), "%.*s", (int)strcspn(at + 2, "]\n"), at + 2);
		at += 2;
		fn(d, section);
	}
}

/* The running collector */

void ctl_check_collector(struct ctl_doctor *d)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer answer = { 0 };
	struct ddp_error err = { "" };
	const char *trouble;
	char socket[MAX_VALUE];
	int r;

	if (d->control_socket)
		snprintf(socket, sizeof(socket), "%s", d->control_socket);
	else if (!setting(d, "", "control_socket", socket))
		snprintf(socket, sizeof(socket), "%s", DDP_CONTROL_SOCKET);
	r = ctl_ask(socket, "/status", &answer, &err);
	if (r == -ENOENT) {
		ctl_found(d, CTL_FINE, "", "no collector answers on %s: none runs, or it has "
			  "another socket", socket);
		return;
	}
	if (r) {
		ctl_found(d, CTL_WORSE, r == -EACCES ? "run as root" : "restart it if it stays so",
			  "the running collector does not say how it is: %s", err.text);
		return;
	}
	d->status = json_loadb((const char *)answer.bytes, answer.len, 0, NULL);
	trouble = json_string_value(json_object_get(d->status, "trouble"));
	if (trouble)
		ctl_found(d, CTL_MISSING, "restart it; `ddprofctl status` says more",
			  "a collector runs, but: %s", trouble);
	else
		ctl_found(d, CTL_FINE, "", "a collector runs and is well: `ddprofctl status`");
}

/* Where profiles go */

/* Only whether somebody is there: what they think of profiles is seen when one is sent */
static void try_url(struct ctl_doctor *d, const char *url, const char *what)
{
	CLEANUP(curl_easy_cleanup) CURL *curl = curl_easy_init();
	const char *path = url[0] == '/' ? url : strncmp(url, "unix://", 7) ? NULL : url + 7;
	CURLcode r;

	if (!curl)
		return;
	curl_easy_setopt(curl, CURLOPT_URL, path ? "http://localhost" : url);
	if (path)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	r = curl_easy_perform(curl);
	if (r)
		ctl_found(d, CTL_WORSE, "start the receiver, or correct the address; profiles wait "
			  "meanwhile", "%s at %s cannot be reached: %s", what, url,
			  curl_easy_strerror(r));
	else
		ctl_found(d, CTL_FINE, "", "%s at %s takes connections", what, url);
}

static bool is_on(const struct ctl_doctor *d, const char *name)
{
	char value[MAX_VALUE];

	return setting(d, "", name, value) && !strcmp(value, "1");
}

static void check_section_target(struct ctl_doctor *d, const char *section)
{
	char url[MAX_VALUE], host[MAX_VALUE] = "", port[MAX_VALUE] = "", made[2 * MAX_VALUE + 16];

	if (setting(d, section, "url", url)) {
		if (strncmp(url, "file://", 7)) /* a folder, see check_section_folder() */
			try_url(d, url, section[0] ? section : "the agent");
		return;
	}
	if (section[0] || is_on(d, "agentless") || setting(d, "", "directory", url) ||
	    setting(d, "", "output", url))
		return;
	if (!setting(d, "", "host", host) || !setting(d, "", "port", port))
		return;
	snprintf(made, sizeof(made), strchr(host, ':') && host[0] != '[' ? "http://[%s]:%s" :
									   "http://%s:%s",
		 host, port);
	try_url(d, made, "the agent");
}

/* What the collector that runs has seen of it counts more than another attempt */
static void say_target(struct ctl_doctor *d, json_t *target)
{
	const char *name = json_string_value(json_object_get(target, "name")) ?: "";
	const char *error = json_string_value(json_object_get(target, "last_error")) ?: "";
	json_t *metrics = json_object_get(target, "metrics");

	if (json_number_value(json_object_get(metrics, "ddprof_target_up")) <= 0)
		ctl_found(d, CTL_WORSE, "start the receiver, or correct the target; profiles wait "
			  "meanwhile", "target %s does not take profiles: %s", name, error);
	else
		ctl_found(d, CTL_FINE, "", "target %s takes profiles, as far as the collector "
			  "knows", name);
	if (json_number_value(json_object_get(metrics, "ddprof_target_spool_up")) <= 0)
		ctl_found(d, CTL_WORSE, "make room, or look at its rights; the log says more",
			  "the spool of target %s does not take profiles", name);
}

void ctl_check_targets(struct ctl_doctor *d)
{
	json_t *targets = json_object_get(d->status, "targets");

	if (!targets)
		each_section(d, check_section_target);
	for (size_t i = 0; i < json_array_size(targets); i++)
		say_target(d, json_array_get(targets, i));
}

/* Folders */

/* The folder, or where it is still to be made: its parent */
static int check_writable(const char *path, char ret_checked[MAX_VALUE])
{
	char inside[MAX_VALUE + 2], *slash;

	snprintf(ret_checked, MAX_VALUE, "%s", path);
	if (access(path, F_OK)) {
		slash = strrchr(ret_checked, '/');
		if (slash)
			slash[slash == ret_checked] = '\0';
	}
	snprintf(inside, sizeof(inside), "%s/.", ret_checked);
	return access(inside, W_OK | X_OK) ? -errno : 0;
}

static void check_folder(struct ctl_doctor *d, const char *what, const char *path, uint64_t mib)
{
	char checked[MAX_VALUE];
	struct statvfs fs;
	uint64_t free_mib;
	int r = check_writable(path, checked);

	if (!r && statvfs(checked, &fs))
		r = -errno;
	if (r) {
		ctl_found(d, CTL_WORSE, "make it, for the service's user alone (mode 0700)",
			  "%s %s cannot be written: %s", what, path, strerror(-r));
		return;
	}
	free_mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	if (free_mib < mib)
		ctl_found(d, CTL_WORSE, "make room, or set a lower limit",
			  "%s %s may take %" PRIu64 " MiB, but %" PRIu64 " are free", what, path,
			  mib, free_mib);
	else
		ctl_found(d, CTL_FINE, "", "%s %s: %" PRIu64 " MiB are free, it takes %" PRIu64
			  " at most", what, path, free_mib, mib);
}

static void check_section_folder(struct ctl_doctor *d, const char *section)
{
	char path[MAX_VALUE], mib[MAX_VALUE] = "0";

	if (!section[0] && setting(d, "", "spool", path)) {
		setting(d, "", "spool_mb", mib);
		check_folder(d, "spool", path, strtoull(mib, NULL, 10));
	}
	setting(d, section, "directory_mb", mib);
	if (setting(d, section, "directory", path))
		check_folder(d, "directory", path, strtoull(mib, NULL, 10));
	if (setting(d, section, "url", path) && !strncmp(path, "file://", 7))
		check_folder(d, "directory", path + 7, strtoull(mib, NULL, 10));
}

void ctl_check_folders(struct ctl_doctor *d)
{
	char path[MAX_VALUE];

	each_section(d, check_section_folder);
	if (d->settings.bytes && !setting(d, "", "spool", path))
		ctl_found(d, CTL_FINE, "", "no spool: what is not sent when ddprof ends is lost");
}

/* systemd */

/* The value of "NAME=VALUE" in what systemctl said */
static const char *property(const struct ddp_buffer *said, const char *name, char ret[64])
{
	const char *line = (const char *)said->bytes;
	size_t n = strlen(name);

	ret[0] = '\0';
	for (; line && *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, name, n) && line[n] == '=')
			snprintf(ret, 64, "%.*s", (int)strcspn(line + n + 1, "\n"), line + n + 1);
	return ret;
}

void ctl_check_unit(struct ctl_doctor *d)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer said = { 0 };
	char *argv[] = { "systemctl", "show", "ddprof.service", "--property",
			 "LoadState,ActiveState,SubState,UnitFileState,Result", NULL };
	char load[64], active[64], file[64], result[64];

	if (access("/run/systemd/system", F_OK)) {
		ctl_found(d, CTL_FINE, "", "systemd does not run here");
		return;
	}
	if (ctl_capture(argv, &said)) {
		ctl_found(d, CTL_WORSE, "look at systemctl status ddprof", "systemctl does not say "
			  "how the service is: %s", last_line(&said));
		return;
	}
	property(&said, "LoadState", load);
	property(&said, "ActiveState", active);
	property(&said, "UnitFileState", file);
	property(&said, "Result", result);
	if (!strcmp(load, "not-found"))
		ctl_found(d, CTL_FINE, "", "the service ddprof is not installed");
	else if (!strcmp(active, "failed"))
		ctl_found(d, CTL_MISSING, "journalctl -u ddprof says why; then systemctl restart "
			  "ddprof", "the service ddprof has failed: %s", result);
	else
		ctl_found(d, CTL_FINE, "", "the service ddprof is %s, %s", active, file);
}
