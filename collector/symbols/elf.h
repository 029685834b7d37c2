/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile wants from an ELF file: function names by file offset, the addresses it was linked
 * at, and the GNU build-id. Read once into memory of our own, through libelf and read() rather than
 * mmap(): the file may belong to a program that truncates it while we look. Files are not trusted:
 * every size is checked against the file's, and what is damaged is left out. Used by process and
 * symbols.
 */
#ifndef DDP_SYMBOLS_ELF_H
#define DDP_SYMBOLS_ELF_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"

enum {
	DDP_MAX_SYMBOLS = 1 << 23,	/* of one file; the largest known programs have 2 million */
	DDP_MAX_SYMBOL_NAME = 4096,	/* bytes; longer ones are cut */
	DDP_MAX_BUILD_ID = 64,		/* bytes; SHA-1 has 20, SHA-512 64 */
};

struct ddp_elf;

/**
 * @param fd  borrowed for the call
 * @return 0
 *	-ENOEXEC  not an ELF file, or one of another kind than programs and libraries
 *	-EFBIG	  more symbols than DDP_MAX_SYMBOLS, or names that are too long together
 *	-ENOMEM, or what reading it answered
 */
int ddp_elf_open(int fd, struct ddp_elf **ret);

/** The same from memory, which is borrowed for the call. */
int ddp_elf_open_memory(const void *image, size_t bytes, struct ddp_elf **ret);

/** NULL is allowed. */
void ddp_elf_close(struct ddp_elf *e);
DEFINE_CLEANUP(struct ddp_elf *, ddp_elf_close)

/** A loadable, executable segment, as the program headers have it; all of it below 2^63. */
struct ddp_elf_segment {
	uint64_t offset, bytes;	/* in the file */
	uint64_t address;	/* virtual, as linked, of its first byte */
};

/** The segment that a file offset lies in; NULL: in none. Lives as long as @e. */
const struct ddp_elf_segment *ddp_elf_segment(const struct ddp_elf *e, uint64_t file_offset);

/** The function at a file offset; NULL: none known. Lives as long as @e. */
const char *ddp_elf_symbol(const struct ddp_elf *e, uint64_t file_offset);

/** Lower-case hex, "" when it has none. Lives as long as @e. */
const char *ddp_elf_build_id(const struct ddp_elf *e);

size_t ddp_elf_nr_symbols(const struct ddp_elf *e);

/** Memory it takes. */
size_t ddp_elf_bytes(const struct ddp_elf *e);

/**
 * The build-id among notes as they stand in memory (Elf_Nhdr, name, description, each padded to 4
 * bytes), in the machine's byte order: an ELF note segment, /sys/kernel/notes.
 * @param ret  receives hex digits and a NUL
 * @return 0; -ENOENT
 */
int ddp_build_id_from_notes(const void *notes, size_t bytes, char ret[2 * DDP_MAX_BUILD_ID + 1]);

#endif /* DDP_SYMBOLS_ELF_H */
