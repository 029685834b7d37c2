/* SPDX-License-Identifier: Apache-2.0 */
/* jansson's values clean themselves up. Used by all that reads or writes JSON with it. */
#ifndef DDP_BASE_JSON_H
#define DDP_BASE_JSON_H

#include <jansson.h>

#include "lib/cleanup.h"

static inline void drop_json(json_t *j)
{
	json_decref(j);
}
DEFINE_CLEANUP(json_t *, drop_json)

#endif /* DDP_BASE_JSON_H */
