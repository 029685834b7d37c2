// SPDX-License-Identifier: Apache-2.0
/* See files.h. */
#include "ddprofctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/whole_file.h"
#include "base/write_fd.h"
#include "ddprofctl/print.h"

enum { MAX_FILE_BYTES = 256 << 20 };	/* what a file may hold at most, not packed either */

int ctl_say(const char *what, int r, struct ddp_error *err)
{
	if (err)
		make_printable(err->text);
	ddp_log_error("%s: %s", what, err && err->text[0] ? err->text : strerror(-r));
	return r;
}

int ctl_arguments(const struct ddp_option *options, int argc, char **argv, void *values,
		  const char **files, size_t max, size_t *ret_nr)
{
	struct ddp_error err = { "" };

	*ret_nr = 0;
	for (;;) {
		int rest;

		if (ddp_options_parse(options, argc, argv, values, &rest, &err)) {
			ddp_log_error("%s", err.text);
			return -EINVAL;
		}
		if (rest == argc)
			return 0;
		if (*ret_nr == max) {
			ddp_log_error("%s: one file too many, see --help", argv[rest]);
			return -EINVAL;
		}
		files[(*ret_nr)++] = argv[rest];
		/* more options may stand behind the file, which takes argv[0]'s place for them */
		argc -= rest;
		argv += rest;
	}
}

/* Reading */

static const char *input_name(const char *path)
{
	return strcmp(path, "-") ? path : "stdin";
}

static int read_all(int fd, struct ddp_buffer *ret)
{
	char part[65536];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) != 0) {
		int r = n < 0 ? (errno == EINTR ? 0 : -errno) :
				ddp_buffer_write(ret, part, (size_t)n);

		if (r)
			return r;
	}
	return 0;
}

static int read_file(const char *path, struct ddp_buffer *ret)
{
	CLEANUP(close_fd) int fd = -1;

	if (!strcmp(path, "-"))
		return read_all(STDIN_FILENO, ret);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : read_all(fd, ret);
}

/* What pprof alone can look like is pprof; else the name tells, or there is only pprof to try */
static enum ddp_format find_format(const char *path, const struct ddp_buffer *bytes)
{
	enum ddp_format named;

	if (!ddp_format_is_pprof(bytes->bytes, bytes->len) &&
	    !ddp_format_from_path(path, &named) && named >= DDP_FORMAT_COLLAPSED)
		return named;
	return DDP_FORMAT_AUTO;
}

/* What is no pprof file may be stacks in a file whose name does not say so */
static void hint_at_from(const struct ddp_buffer *bytes, struct ddp_error *err)
{
	size_t used = strlen(err->text);

	if (bytes->len && !ddp_format_is_pprof(bytes->bytes, bytes->len))
		snprintf(err->text + used, sizeof(err->text) - used,
			 "; if it has collapsed stacks: --from collapsed");
}

static int parse(const char *path, const struct ddp_buffer *bytes, uint32_t *format,
		 const struct ddp_value_type *type, struct ddp_pprof **ret, struct ddp_error *err)
{
	bool wanted = *format != DDP_FORMAT_AUTO;
	int r;

	if (!wanted)
		*format = find_format(path, bytes);
	r = ddp_format_read(bytes->bytes, bytes->len, *format, type, ret, err);
	if (r == -EBADMSG && !wanted && *format == DDP_FORMAT_AUTO)
		hint_at_from(bytes, err);
	return r;
}

int ctl_load(const char *path, uint32_t *format, const struct ddp_value_type *type,
	     struct ddp_pprof **ret)
{
	static const struct ddp_value_type samples = { "samples", "count" };
	CLEANUP(ddp_buffer_free) struct ddp_buffer bytes = { .max_bytes = MAX_FILE_BYTES };
	struct ddp_error err = { "" };
	int r = read_file(path, &bytes);

	if (r == -EFBIG)
		snprintf(err.text, sizeof(err.text), "larger than %d MiB", MAX_FILE_BYTES >> 20);
	r = r ?: parse(path, &bytes, format, type ?: &samples, ret, &err);
	return r ? ctl_say(input_name(path), r, &err) : 0;
}

/* Writing */

int ctl_output_format(const char *path, uint32_t wanted, enum ddp_format *ret)
{
	*ret = wanted;
	if (wanted != DDP_FORMAT_AUTO || !ddp_format_from_path(path, ret))
		return 0;
	ddp_log_error("%s: the name does not say in which form to write, use --to", path);
	return -EINVAL;
}

static int save_as_it_is(const char *path, ctl_produce_fn produce, void *ctx,
			 struct ddp_error *err)
{
	CLEANUP(close_fd) int opened = -1;
	int fd = STDOUT_FILENO;

	if (strcmp(path, "-")) {
		opened = open(path, O_WRONLY | O_CLOEXEC);
		if (opened < 0)
			return -errno;
		fd = opened;
	}
	return produce(ctx, write_fd, &fd, err);
}

struct filling {
	ctl_produce_fn produce;
	void *ctx;
	struct ddp_error *err;
};

static int fill(void *filling, int fd)
{
	const struct filling *f = filling;

	return f->produce(f->ctx, write_fd, &fd, f->err);
}

static int save_complete(const char *path, ctl_produce_fn produce, void *ctx,
			 struct ddp_error *err)
{
	CLEANUP(free) char *target = realpath(path, NULL);	/* NULL: there is none yet */
	struct filling f = { produce, ctx, err };

	return ddp_whole_file(target ?: path, fill, &f);
}

int ctl_save(const char *path, ctl_produce_fn produce, void *ctx)
{
	struct ddp_error err = { "" };
	struct stat st;
	int r;

	if (!strcmp(path, "-") || (!stat(path, &st) && !S_ISREG(st.st_mode)))
		r = save_as_it_is(path, produce, ctx, &err);
	else
		r = save_complete(path, produce, ctx, &err);
	return r ? ctl_say(strcmp(path, "-") ? path : "stdout", r, &err) : 0;
}

struct save {
	const struct ddp_pprof *p;
	enum ddp_format format;
	const struct ddp_format_options *options;
};

static int produce_profile(void *ctx, ddp_write_fn write, void *write_ctx, struct ddp_error *err)
{
	const struct save *s = ctx;

	return ddp_format_write(s->p, s->format, s->options, write, write_ctx, err);
}

int ctl_save_profile(const char *path, const struct ddp_pprof *p, enum ddp_format format,
		     const struct ddp_format_options *options)
{
	return ctl_save(path, produce_profile, &(struct save){ p, format, options });
}

/* Names */

int ctl_find_value(const struct ddp_pprof *p, const char *path, const char *wanted, size_t *ret)
{
	struct ddp_error err;
	int r = ddp_format_find_value(p, wanted, ret, &err);

	return r ? ctl_say(input_name(path), r, &err) : 0;
}

void ctl_say_values(const char *const *files, const struct ddp_pprof *const *profiles, size_t n)
{
	bool collapsed = false;
	char list[256];

	for (size_t i = 0; i < n; i++) {
		ddp_format_list_values(profiles[i], list, sizeof(list));
		make_printable(list);
		ddp_log_error("%s has %s", input_name(files[i]), list[0] ? list : "no values");
		collapsed |= !strcmp(list, "samples/count");	/* what they are by default */
	}
	if (collapsed)
		ddp_log_error("what the numbers of collapsed stacks are: "
			      "ddprofctl convert --value cpu-time/nanoseconds FROM TO");
}

int ctl_check_label(const char *path, const struct ddp_pprof *const *profiles, size_t nr,
		    const char *label)
{
	struct ddp_error err = { "" };
	int r = label ? ddp_format_find_label(profiles, nr, label, &err) : 0;

	return r ? ctl_say(path, r, &err) : 0;
}

int ctl_check_stdin(const char *const *files, size_t nr)
{
	size_t times = 0;

	for (size_t i = 0; i < nr; i++)
		times += !strcmp(files[i], "-");
	if (times < 2)
		return 0;
	ddp_log_error("-: stdin can be read only once, put the others into files");
	return -EINVAL;
}

const char *ctl_title(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : input_name(path);
}
