// SPDX-License-Identifier: Apache-2.0
/*
 * Wrong input to the TABLE_* commands that needs a session, or an upload, to be wrong: files that
 * are none, images with every kind of fault, uploads out of order or of others. The exact errno,
 * and the text that names the fault. What needs no session is in nl_wrong.c. Run in the guest by
 * test_netlink.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "table.h"
#include "tap.h"

enum { NR_RULES = 2, NR_PAGES = 3, NR_ROWS = 3 };

/* The least image that every fault can be put into. */
struct small_image {
	struct ddprof_unwind_header header;
	struct ddprof_unwind_rule rules[NR_RULES];
	uint32_t pages[NR_PAGES + 1];
	uint32_t rows[NR_ROWS];
};

static const struct small_image right = {
	.header = {
		.magic = DDPROF_UNWIND_MAGIC, .nr_rules = NR_RULES, .nr_pages = NR_PAGES,
		.nr_rows = NR_ROWS, .page_shift = 16,
	},
	.rules = {
		{ .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 8 },
		{ .kind = DDPROF_UNWIND_NONE },
	},
	.pages = { 0, 2, 2, 3 },
	.rows = { 0x1000 << 16, 0x2000 << 16, 0x3000 << 16 | 1 },
};

#define AT(member) offsetof(struct small_image, member), sizeof(right.member)

/* Another value in one place, or two, and what COMMIT says of it. */
struct fault {
	const char *name;
	struct {
		size_t at, width;
		uint32_t value;
	} change[2];
	const char *text;
};

static const struct fault faults[] = {
	{ "magic", { { AT(header.magic), 0x31555743 } }, "known layout" },
	{ "page_shift 7", { { AT(header.page_shift), 7 } }, "page_shift" },
	{ "page_shift 17", { { AT(header.page_shift), 17 } }, "page_shift" },
	{ "65536 rules", { { AT(header.nr_rules), 65536 } }, "too many rules" },
	{ "2^22 + 1 pages", { { AT(header.nr_pages), (1 << 22) + 1 } }, "too many pages" },
	{ "2^24 + 1 rows", { { AT(header.nr_rows), (1 << 24) + 1 } }, "too many rows" },
	{ "rules without rows", { { AT(header.nr_rows), 0 } }, "all or none" },
	{ "rows without rules", { { AT(header.nr_rules), 0 } }, "all or none" },
	{ "rows without pages", { { AT(header.nr_pages), 0 } }, "all or none" },
	{ "first_page at the end", { { AT(header.first_page), UINT32_MAX } }, "last page number" },
	{ "a row less than there are", { { AT(header.nr_rows), 2 } }, "disagree" },
	{ "a row more than there are", { { AT(header.nr_rows), 4 } }, "disagree" },
	{ "a rule more than there are", { { AT(header.nr_rules), 3 } }, "disagree" },
	{ "a page more than there are", { { AT(header.nr_pages), 4 } }, "disagree" },
	{ "unknown kind of rule", { { AT(rules[0].kind), __DDPROF_UNWIND_KIND_MAX } },
	  "a rule is not right" },
	{ "kind 255", { { AT(rules[0].kind), 255 } }, "a rule is not right" },
	{ "base 16", { { AT(rules[0].base), 16 } }, "a rule is not right" },
	{ "bp 4", { { AT(rules[0].bp), __DDPROF_UNWIND_BP_MAX } }, "a rule is not right" },
	{ "bx above the CFA", { { AT(rules[0].bx), 1 } }, "a rule is not right" },
	{ "NONE with bx", { { AT(rules[1].bx), 0xff } }, "a rule is not right" },
	{ "bp_offset of a bp that is the same", { { AT(rules[0].bp_offset), 8 } },
	  "a rule is not right" },
	{ "REG with add", { { AT(rules[0].add), 8 } }, "a rule is not right" },
	{ "PLT with add 16", { { AT(rules[0].kind), DDPROF_UNWIND_PLT }, { AT(rules[0].add), 16 } },
	  "a rule is not right" },
	{ "PLT with add -1",
	  { { AT(rules[0].kind), DDPROF_UNWIND_PLT }, { AT(rules[0].add), UINT16_MAX } },
	  "a rule is not right" },
	{ "NONE with an offset", { { AT(rules[1].offset), 8 } }, "a rule is not right" },
	{ "STOP with a base", { { AT(rules[1].kind), DDPROF_UNWIND_STOP },
				{ AT(rules[1].base), 7 } }, "a rule is not right" },
	{ "SIGNAL with bp", { { AT(rules[1].kind), DDPROF_UNWIND_SIGNAL },
			      { AT(rules[1].bp), DDPROF_UNWIND_BP_CFA } }, "a rule is not right" },
	{ "UNKNOWN with add", { { AT(rules[1].kind), DDPROF_UNWIND_UNKNOWN },
				{ AT(rules[1].add), 1 } }, "a rule is not right" },
	{ "pages begin behind the first row", { { AT(pages[0]), 1 } }, "begin or end" },
	{ "pages end before the last row", { { AT(pages[3]), 2 } }, "begin or end" },
	{ "a page ends behind the rows", { { AT(pages[1]), 4 } }, "directory is not in order" },
	{ "pages decrease", { { AT(pages[1]), 3 } }, "directory is not in order" },
	{ "first_page is empty", { { AT(pages[1]), 0 } }, "first_page has no row" },
	{ "rows out of order", { { AT(rows[0]), 0x2001 << 16 } }, "rows are not in order" },
	{ "two rows with one offset", { { AT(rows[0]), 0x2000 << 16 } }, "rows are not in order" },
	{ "a row of another page", { { AT(header.page_shift), 12 } }, "not in its page" },
	{ "index of no rule", { { AT(rows[0]), 0x1000 << 16 | NR_RULES } }, "does not exist" },
	{ "index 65535", { { AT(rows[1]), 0x2000U << 16 | 0xffff } }, "does not exist" },
	{ "the last row has a rule", { { AT(rows[2]), 0x3000 << 16 } }, "does not end the table" },
};

static int a_file(void)
{
	char path[] = "/tmp/wrong.XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, path, sizeof(path)) < 0)
		tap_bail("no file: %s", strerror(errno));
	unlink(path);
	return fd;
}

static void expect(const char *name, int ret, int error, const char *text, const struct nl *nl)
{
	tap(ret == -error && (!error || (nl->text[0] && strstr(nl->text, text))), name,
	    "%s instead of %s (\"%s\")", strerror(-ret), strerror(error), nl->text);
}

/* -- images -- */

static int upload_small(struct nl *nl, int fd, const struct small_image *s)
{
	struct small_image copy = *s;

	return table_upload(nl, 0, fd, &(struct table_image){ &copy, sizeof(copy) }, NULL);
}

static void images(struct nl *nl, int fd)
{
	char name[128];
	size_t i, c;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct small_image s = right;

		for (c = 0; c < 2 && faults[i].change[c].width; c++)
			memcpy((uint8_t *)&s + faults[i].change[c].at, &faults[i].change[c].value,
			       faults[i].change[c].width);
		snprintf(name, sizeof(name), "image: %s", faults[i].name);
		expect(name, upload_small(nl, fd, &s), EINVAL, faults[i].text, nl);
	}
	expect("image: nothing wrong with it", upload_small(nl, fd, &right), 0, "", nl);
}

/* An image that BEGIN announced as longer or shorter than it says itself. */
static void sizes(struct nl *nl, int fd)
{
	uint8_t bytes[sizeof(right) + 4] = {};
	struct table_image longer = { bytes, sizeof(bytes) };
	struct table_image shorter = { bytes, sizeof(right) - 4 };

	memcpy(bytes, &right, sizeof(right));
	expect("image: bytes behind its end", table_upload(nl, 0, fd, &longer, NULL), EINVAL,
	       "disagree", nl);
	expect("image: cut short", table_upload(nl, 0, fd, &shorter, NULL), EINVAL, "disagree", nl);
}

/* -- the order of things -- */

static void order(struct nl *nl, int fd)
{
	const uint8_t *bytes = (const uint8_t *)&right;
	uint64_t id, again;

	expect("BEGIN: a good one", table_begin(nl, 0, fd, sizeof(right), &id), 0, "", nl);
	expect("COMMIT: nothing has come", table_commit(nl, id), EINVAL, "not complete", nl);
	expect("COMMIT: a wrong image is forgotten", table_commit(nl, id), ENOENT, "begun", nl);
	expect("DATA: a wrong image is forgotten", table_data(nl, id, 0, bytes, 4), ENOENT, "begun",
	       nl);
	table_begin(nl, 0, fd, sizeof(right), &id);
	expect("DATA: one byte over the end", table_data(nl, id, 1, bytes, sizeof(right)), ERANGE,
	       "over", nl);
	expect("DATA: behind the end", table_data(nl, id, sizeof(right) + 1, bytes, 1), ERANGE,
	       "over", nl);
	expect("DATA: offset + length overflow", table_data(nl, id, UINT32_MAX, bytes, 16), ERANGE,
	       "over", nl);
	expect("DATA: nothing, at the end", table_data(nl, id, sizeof(right), bytes, 0), 0, "", nl);
	expect("DATA: all but the last byte", table_data(nl, id, 0, bytes, sizeof(right) - 1), 0,
	       "", nl);
	expect("BEGIN: again starts over", table_begin(nl, 0, fd, sizeof(right), &again), 0, "",
	       nl);
	tap(id == again, "BEGIN: again gives the same number", "%llu, %llu",
	    (unsigned long long)id, (unsigned long long)again);
	table_data(nl, id, sizeof(right) - 1, bytes + sizeof(right) - 1, 1);
	expect("COMMIT: what came before BEGIN does not count", table_commit(nl, id), EINVAL,
	       "not complete", nl);
	expect("an image for the DROPs", upload_small(nl, fd, &right), 0, "", nl);
	expect("COMMIT: twice", table_commit(nl, id), ENOENT, "begun", nl);
	expect("DROP: a table", table_drop(nl, id), 0, "", nl);
	expect("DROP: twice", table_drop(nl, id), ENOENT, "no table", nl);
}

static void too_many(struct nl *nl)
{
	int fds[DDPROF_MAX_UPLOADS + 1], i;
	uint64_t ids[DDPROF_MAX_UPLOADS + 1];

	for (i = 0; i < DDPROF_MAX_UPLOADS; i++) {
		fds[i] = a_file();
		if (table_begin(nl, 0, fds[i], sizeof(right), &ids[i]))
			tap_bail("upload %d: %s", i, nl->text);
	}
	fds[i] = a_file();
	expect("BEGIN: a fifth upload at once", table_begin(nl, 0, fds[i], sizeof(right), &ids[i]),
	       EBUSY, "being uploaded", nl);
	expect("BEGIN: one of the four again",
	       table_begin(nl, 0, fds[0], sizeof(right), &ids[0]), 0, "", nl);
	expect("DROP: an upload", table_drop(nl, ids[0]), 0, "", nl);
	expect("BEGIN: then there is room for one",
	       table_begin(nl, 0, fds[i], sizeof(right), &ids[i]), 0, "", nl);
	for (i = 1; i <= DDPROF_MAX_UPLOADS; i++)
		table_drop(nl, ids[i]);
	for (i = 0; i <= DDPROF_MAX_UPLOADS; i++)
		close(fds[i]);
}

static void unknown_ids(struct nl *nl)
{
	static const uint64_t ids[] = { 0, 1ULL << 60, UINT64_MAX };
	uint64_t id;
	size_t i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		expect("BEGIN: unknown number", table_begin(nl, ids[i], -1, 100, &id), ENOENT,
		       "no file of that id", nl);
		expect("DATA: unknown number", table_data(nl, ids[i], 0, "", 1), ENOENT, "begun",
		       nl);
		expect("COMMIT: unknown number", table_commit(nl, ids[i]), ENOENT, "begun", nl);
		expect("DROP: unknown number", table_drop(nl, ids[i]), ENOENT, "no table", nl);
	}
}

/* -- files -- */

static void descriptor(struct nl *nl, const char *name, int fd)
{
	uint64_t id;

	expect(name, table_begin(nl, 0, fd, 100, &id), EBADF, "regular file", nl);
	if (fd < 1 << 20)
		close(fd);
}

static void descriptors(struct nl *nl)
{
	int ends[2];

	descriptor(nl, "FILE_FD: not open", 1 << 20);
	descriptor(nl, "FILE_FD: the largest number", INT32_MAX);
	descriptor(nl, "FILE_FD: a folder", open("/", O_RDONLY | O_CLOEXEC));
	descriptor(nl, "FILE_FD: a device", open("/dev/null", O_RDONLY | O_CLOEXEC));
	descriptor(nl, "FILE_FD: only a path", open("/bin", O_PATH | O_CLOEXEC));
	descriptor(nl, "FILE_FD: memory that is a file's, not open as one",
		   open("/proc/self/exe", O_PATH | O_CLOEXEC));
	if (pipe(ends))
		tap_bail("no pipe");
	descriptor(nl, "FILE_FD: a pipe", ends[0]);
	close(ends[1]);
	descriptor(nl, "FILE_FD: a socket", dup(nl->fd));
}

/* -- sessions -- */

static void start(struct nl *nl, const struct nl_start *how)
{
	int ret = nl_open(nl);

	if (ret || !nl->family)
		tap_bail("no family");
	ret = nl_start(nl, how, NULL);
	if (ret)
		tap_bail("START: %s (%s)", strerror(-ret), nl->text);
}

static void without_tables(int fd)
{
	struct nl nl = {};
	struct table_info info;
	uint64_t id;

	start(&nl, &(struct nl_start){ .no_tables = true });
	expect("TABLES_KIB 0: BEGIN", table_begin(&nl, 0, fd, 100, &id), ENOSPC,
	       "without unwind tables", &nl);
	expect("TABLES_KIB 0: DATA", table_data(&nl, 1, 0, "", 1), ENOSPC, "without unwind tables",
	       &nl);
	expect("TABLES_KIB 0: COMMIT", table_commit(&nl, 1), ENOSPC, "without unwind tables", &nl);
	expect("TABLES_KIB 0: DROP", table_drop(&nl, 1), ENOSPC, "without unwind tables", &nl);
	tap(table_list(&nl, NULL, 0) == 0, "TABLES_KIB 0: nothing is listed", "%s", nl.text);
	tap(!table_info(&nl, &info), "TABLES_KIB 0: GET_INFO answers", "%s", nl.text);
	nl_close(&nl);
}

/* More than the limit at once: never, whatever could be evicted. */
static void too_large(int fd)
{
	struct nl nl = {};
	uint64_t id;

	start(&nl, &(struct nl_start){ .tables_kib = 64 });
	expect("BEGIN: larger than TABLES_KIB", table_begin(&nl, 0, fd, 65537, &id), ENOSPC,
	       "no room", &nl);
	expect("BEGIN: as large as TABLES_KIB, with what comes on top",
	       table_begin(&nl, 0, fd, 65536, &id), ENOSPC, "no room", &nl);
	nl_close(&nl);
}

/* By a process that is not the owner's, and then by another socket of the owner's. */
static void elsewhere(struct nl *owner, int fd)
{
	struct nl nl = {};
	uint64_t id;
	int status = 1;
	pid_t pid = fork();

	if (!pid) {
		if (nl_open(&nl))
			_exit(2);
		expect("another process: BEGIN", table_begin(&nl, 0, fd, 100, &id), EPERM,
		       "another process", &nl);
		expect("another process: DATA", table_data(&nl, 1, 0, "", 1), EPERM,
		       "another process", &nl);
		expect("another process: COMMIT", table_commit(&nl, 1), EPERM, "another process",
		       &nl);
		expect("another process: DROP", table_drop(&nl, 1), EPERM, "another process", &nl);
		tap(table_list(&nl, NULL, 0) >= 0, "another process: TABLE_LIST answers", "%s",
		    nl.text);
		_exit(tap_failures);
	}
	waitpid(pid, &status, 0);
	tap_failures += status != 0;
	if (nl_open(&nl))
		tap_bail("no socket");
	expect("another socket of the owner: an upload", upload_small(&nl, fd, &right), 0, "", &nl);
	nl_close(&nl);
	tap(table_list(owner, NULL, 0) > 0, "another socket of the owner: its table stays", "%s",
	    owner->text);
}

int main(void)
{
	int fd = a_file();
	struct table_info info;
	struct nl nl = {};

	without_tables(fd);
	too_large(fd);
	start(&nl, &(struct nl_start){});
	descriptors(&nl);
	unknown_ids(&nl);
	images(&nl, fd);
	sizes(&nl, fd);
	order(&nl, fd);
	too_many(&nl);
	tap(!table_info(&nl, &info) && !info.tables && !info.bytes,
	    "what was wrong or dropped takes no memory", "%llu tables, %llu bytes",
	    (unsigned long long)info.tables, (unsigned long long)info.bytes);
	elsewhere(&nl, fd);
	expect("STOP", nl_simple(&nl, DDPROF_CMD_STOP, NULL), 0, "", &nl);
	expect("DROP: after STOP", table_drop(&nl, 1), ENOENT, "no session", &nl);
	nl_close(&nl);
	return tap_failures != 0;
}
