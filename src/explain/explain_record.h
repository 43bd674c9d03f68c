/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as it stands in a line of JSON: what docs/record.md calls one, from whoever wrote it. Not struct nt_record:
 * that has no room for words and names of other versions.
 */
#ifndef NETRACKER_EXPLAIN_RECORD_H
#define NETRACKER_EXPLAIN_RECORD_H

#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/util/text_buffer.h"

/* A record: an object in which every key of record_fields that is there has its type, and those that name the
 * connection are there (in a record of an unknown event only "v" and "event"). NULL where it is none, and `why` says
 * why, with bytes of the line in it as they are. json_decref() it.
 */
json_t *explain_record_read(const char *line, size_t size, struct text_buffer *why);

/* close, open, update or exit: an event that has the keys of a connection. */
bool explain_record_is_known(const json_t *record);

/* False, and nothing set, where the record does not have the key. */
bool explain_number(const json_t *record, const char *key, __u64 *number);

/* NULL where the record does not have the key. UTF-8, hostile: to be escaped. */
const char *explain_word(const json_t *record, const char *key);

bool explain_word_is(const json_t *record, const char *key, const char *word);

/* Whether the list of this key has the word. */
bool explain_lists(const json_t *record, const char *key, const char *word);

#endif
