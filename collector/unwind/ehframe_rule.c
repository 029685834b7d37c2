// SPDX-License-Identifier: Apache-2.0
/*
 * See ehframe_program.h: what a program's state comes to as a rule of uapi/ddprof_unwind.h, or why
 * no rule can say it. Source of the signal's frame: struct rt_sigframe,
 * arch/x86/include/asm/sigframe.h.
 */
#include "unwind/ehframe_program.h"

static bool fits16(int64_t n)
{
	return n >= INT16_MIN && n <= INT16_MAX;
}

static int cfa_rule(const struct cfi_value *cfa, struct ddprof_unwind_rule *ret)
{
	switch (cfa->form) {
	case CFI_VALUE_REG:
		ret->kind = DDPROF_UNWIND_REG;
		break;
	case CFI_VALUE_DEREF:
		ret->kind = DDPROF_UNWIND_DEREF;
		break;
	case CFI_VALUE_PLT:
		if (cfa->add < 0 || cfa->add > 15)
			return DDP_CFI_RANGE;
		ret->kind = DDPROF_UNWIND_PLT;
		break;
	default:
		return DDP_CFI_EXPRESSION;
	}
	if (cfa->offset < INT32_MIN || cfa->offset > INT32_MAX || !fits16(cfa->add))
		return DDP_CFI_RANGE;
	ret->base = cfa->reg;
	ret->offset = (int32_t)cfa->offset;
	ret->add = (int16_t)cfa->add;
	return -1;
}

/*
 * rsp is the CFA unless somebody says otherwise. same_value and undefined do not: GCC's own
 * unwinder sets rsp to the CFA for both, and assembly that says so was tried with that.
 */
static int sp_reason(const struct cfi_place *sp)
{
	if (sp->how == CFI_AT)
		return DDP_CFI_REGISTER;
	if (sp->how == CFI_IS && (sp->value.form != CFI_VALUE_CFA || sp->value.offset))
		return DDP_CFI_REGISTER;
	return -1;
}

static int ra_reason(const struct cfi_place *ra)
{
	if (ra->how == CFI_AT && ra->value.form == CFI_VALUE_CFA && ra->value.offset == -8)
		return -1;
	if (ra->how == CFI_IS && ra->value.form == CFI_VALUE_REG)
		return DDP_CFI_REGISTER;
	return DDP_CFI_RETURN;
}

/*
 * What cannot be said of rbp costs the callers that need it, not this frame. undefined is meant
 * as it stands: code that says so has used rbp for something else.
 */
static void bp_rule(const struct cfi_place *bp, struct ddprof_unwind_rule *ret)
{
	ret->bp = DDPROF_UNWIND_BP_LOST;
	if (bp->how == CFI_UNSPECIFIED || bp->how == CFI_SAME) {
		ret->bp = DDPROF_UNWIND_BP_SAME;
	} else if (bp->how == CFI_AT && fits16(bp->value.offset)) {
		if (bp->value.form == CFI_VALUE_CFA)
			ret->bp = DDPROF_UNWIND_BP_CFA;
		else if (bp->value.form == CFI_VALUE_REG && bp->value.reg == CFI_REG_BP)
			ret->bp = DDPROF_UNWIND_BP_BP;
		else
			return;
		ret->bp_offset = (int16_t)bp->value.offset;
	}
}

/* Few frames need it, so there is room only for where compilers save it: just below the CFA */
static void bx_rule(const struct cfi_place *bx, struct ddprof_unwind_rule *ret)
{
	int64_t offset = bx->value.offset;

	if (bx->how == CFI_UNSPECIFIED || bx->how == CFI_SAME)
		ret->bx = 0;
	else if (bx->how == CFI_AT && bx->value.form == CFI_VALUE_CFA && !(offset & 7) &&
		 offset < 0 && offset > 8 * DDPROF_UNWIND_BX_LOST)
		ret->bx = (int8_t)(offset / 8);
	else
		ret->bx = DDPROF_UNWIND_BX_LOST;
}

static bool at_sp_plus(const struct cfi_place *p, int64_t offset)
{
	return p->how == CFI_AT && p->value.form == CFI_VALUE_REG && p->value.reg == CFI_REG_SP &&
	       p->value.offset == offset;
}

/* struct rt_sigframe as the kernel leaves it: the registers of ucontext.uc_mcontext */
static bool is_signal(const struct cfi_program *p)
{
	const struct cfi_place *place = p->state.place;

	return p->cie->signal && at_sp_plus(&place[CFI_BP], 120) &&
	       at_sp_plus(&place[CFI_SP], 160) && at_sp_plus(&place[CFI_RA], 168);
}

static int full_rule(const struct cfi_program *p, struct ddprof_unwind_rule *ret)
{
	const struct cfi_place *place = p->state.place;
	int reason = ra_reason(&place[CFI_RA]);

	if (reason < 0)
		reason = sp_reason(&place[CFI_SP]);
	if (reason < 0)
		reason = cfa_rule(&p->state.cfa, ret);
	if (reason < 0 && p->cie->signal)
		reason = DDP_CFI_RETURN;
	if (reason >= 0) {
		*ret = (struct ddprof_unwind_rule){ .kind = DDPROF_UNWIND_UNKNOWN };
		return reason;
	}
	bp_rule(&place[CFI_BP], ret);
	bx_rule(&place[CFI_BX], ret);
	return -1;
}

int cfi_program_rule(const struct cfi_program *p, struct ddprof_unwind_rule *ret)
{
	*ret = (struct ddprof_unwind_rule){ .kind = DDPROF_UNWIND_UNKNOWN };
	if (p->fault >= 0)
		return p->fault;
	if (p->state.place[CFI_RA].how == CFI_UNDEFINED)
		ret->kind = DDPROF_UNWIND_STOP;
	else if (is_signal(p))
		ret->kind = DDPROF_UNWIND_SIGNAL;
	else
		return full_rule(p, ret);
	return -1;
}
