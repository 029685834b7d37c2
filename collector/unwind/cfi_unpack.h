/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed debug sections, unpacked: an ELF compression header and zlib or zstd data
 * (SHF_COMPRESSED), or the older .zdebug form. Used by cfi_file.
 */
#ifndef DDP_UNWIND_CFI_UNPACK_H
#define DDP_UNWIND_CFI_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * @param bytes  a malloc()ed section, in; unpacked, out; unchanged on error
 * @param zdebug "ZLIB", the size as 8 bytes, highest first, and zlib data
 * @return 0; -EBADMSG: damaged, or it does not unpack to the size that it states; -EFBIG: it states
 *	more than @max; -ENOMEM
 */
int ddp_cfi_unpack(uint8_t **bytes, size_t *nr, bool zdebug, size_t max);

#endif /* DDP_UNWIND_CFI_UNPACK_H */
