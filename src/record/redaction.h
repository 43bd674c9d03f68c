/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replaces what names people and machines in records by values that depend on a key (docs/redaction.md): the same value for
 * the same original, as long as the key is the same. Without the key an original cannot be found from its value.
 *
 * All values come from HMAC-SHA256. An IPv4 address becomes another IPv4 address, and no two become the same one.
 */
#ifndef NETRACKER_REDACTION_H
#define NETRACKER_REDACTION_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"
#include "src/record/record_fields.h"

#define REDACTION_LEAST_KEY 16 /* bytes */
#define REDACTION_MOST_KEY 4096

struct redaction;

/* NULL without memory. The key is copied. */
struct redaction *redaction_new(const void *key, size_t size);
void redaction_free(struct redaction *redaction); /* NULL is allowed */

/* Strings of the record may then point into `redaction`, until the next call. Not thread-safe. */
void redaction_apply(struct redaction *redaction, struct nt_record *record);

/* Returns whether the values of this field are replaced. */
bool redaction_replaces(const struct record_field *field);

#endif
