/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that appears under its name when it is complete, in the place of one that may be there,
 * and can be read by its owner only. It is written under another name first, one that nobody can
 * have taken or foreseen. Called by all that writes files for users.
 */
#ifndef DDP_BASE_WHOLE_FILE_H
#define DDP_BASE_WHOLE_FILE_H

/** Writes what the file shall hold. @return 0, or a negative errno */
typedef int (*ddp_fill_fn)(void *ctx, int fd);

/** @return 0; what @fill or the file answers, and nothing has changed */
int ddp_whole_file(const char *path, ddp_fill_fn fill, void *ctx);

#endif /* DDP_BASE_WHOLE_FILE_H */
