// SPDX-License-Identifier: Apache-2.0
/* See ehframe_pointer.h. */
#include "unwind/ehframe_pointer.h"

static int fixed_signed(struct cursor *c, size_t bytes, uint64_t *ret)
{
	unsigned int spare = 64 - 8 * (unsigned int)bytes;
	int r = cursor_fixed(c, bytes, ret);

	if (!r)
		*ret = (uint64_t)((int64_t)(*ret << spare) >> spare);
	return r;
}

static int number(struct cursor *c, uint8_t format, uint64_t *ret)
{
	int64_t s = 0;
	int r;

	switch (format) {
	case CFI_PE_ABSPTR:
	case CFI_PE_UDATA8:
	case CFI_PE_SIGNED:
	case CFI_PE_SDATA8:
		return cursor_fixed(c, 8, ret);
	case CFI_PE_UDATA2:
		return cursor_fixed(c, 2, ret);
	case CFI_PE_UDATA4:
		return cursor_fixed(c, 4, ret);
	case CFI_PE_SDATA2:
		return fixed_signed(c, 2, ret);
	case CFI_PE_SDATA4:
		return fixed_signed(c, 4, ret);
	case CFI_PE_ULEB128:
		return cursor_varint(c, ret);
	case CFI_PE_SLEB128:
		r = cursor_sleb(c, &s);
		*ret = (uint64_t)s;
		return r;
	default:
		return -EBADMSG;
	}
}

/* An absolute address at the next multiple of 8 */
static int aligned(struct cursor *c, const struct cfi_bases *bases, uint64_t *ret)
{
	uint64_t address = bases->section + cursor_at(c);
	int r = cursor_skip(c, (0 - address) & 7);

	return r ?: cursor_fixed(c, 8, ret);
}

int cfi_pointer(struct cursor *c, uint8_t encoding, const struct cfi_bases *bases, uint64_t *ret)
{
	uint64_t field = bases->section + cursor_at(c), base;
	int r;

	if (encoding == CFI_PE_OMIT)
		return -EBADMSG;
	switch (encoding & CFI_PE_BASE) {
	case CFI_PE_ABSPTR:
		base = 0;
		break;
	case CFI_PE_PCREL:
		base = field;
		break;
	case CFI_PE_TEXTREL:
		base = bases->text;
		break;
	case CFI_PE_DATAREL:
		base = bases->data;
		break;
	case CFI_PE_FUNCREL:
		base = bases->function;
		break;
	case CFI_PE_ALIGNED:
		return aligned(c, bases, ret);
	default:
		return -EBADMSG;
	}
	r = number(c, encoding & CFI_PE_FORMAT, ret);
	if (!r && *ret)
		*ret += base;
	return r;
}
