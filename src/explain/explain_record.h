/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as record_reader_parse() returns it, in the form of docs/record.md. It comes from a file and is hostile. It is
 * not struct nt_record, which cannot hold the values that other versions of NeTracker write.
 */
#ifndef NETRACKER_EXPLAIN_RECORD_H
#define NETRACKER_EXPLAIN_RECORD_H

#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/util/text_buffer.h"

/* Returns false and leaves *number alone if the key is absent or its value negative. */
bool explain_get_number(const json_t *record, const char *key, __u64 *number);

/* Returns a string of the record, in UTF-8 and hostile: escape it before printing. NULL if the key is absent. */
const char *explain_get_word(const json_t *record, const char *key);

bool explain_has_value(const json_t *record, const char *key, const char *word);

/* Returns whether the list at this key contains the word. */
bool explain_list_has(const json_t *record, const char *key, const char *word);

#endif
