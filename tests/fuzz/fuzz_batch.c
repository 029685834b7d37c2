// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: a spool's file under a right checksum. What is taken for a batch says the same
 * byte by byte when it is written again; nothing is read past the end. Input: a file, whose head is
 * put right.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sender_batch.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 40 };

static void there_and_back(const struct ddp__batch *b, const struct ddp_export_form *form)
{
	struct ddp__batch *again;

	must(!ddp__batch_create(form, NULL, &again));
	must(again->n == b->n && !memcmp(again->bytes, b->bytes, b->n));
	ddp__batch_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ddp__batch_form form;
	struct ddp__batch *b;
	int r;

	if (size < HEAD_BYTES)
		return 0;
	b = ddp__batch_alloc(size);
	must(b);
	memcpy(b->bytes, data, size);
	must(ddp__batch_open(b, &form) == -EBADMSG || !memcmp(b->bytes, "ddpspoo\n", 8));
	ddp__batch_form_free(&form);
	ddp__batch_seal(b);
	must(strlen(ddp__batch_id(b)) < size);
	r = ddp__batch_open(b, &form);
	must(!r || r == -EBADMSG);
	if (!r)
		there_and_back(b, &form.form);
	ddp__batch_form_free(&form);
	ddp__batch_unref(b);
	return 0;
}
