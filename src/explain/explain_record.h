/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as parsed JSON, in the form of docs/record.md. It comes from a file and is hostile. It is not struct
 * nt_record, which cannot hold the values that other versions of NeTracker write.
 */
#ifndef NETRACKER_EXPLAIN_RECORD_H
#define NETRACKER_EXPLAIN_RECORD_H

#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/util/text_buffer.h"

/* Parses a line. A record is an object that has the keys of a connection ("v" and "event" alone if the event is
 * unknown), and in which every key of record_fields has the right type. Returns NULL for anything else, with the reason
 * appended to `reason`, which may hold unescaped bytes of the line. The caller calls json_decref().
 */
json_t *explain_record_read(const char *line, size_t size, struct text_buffer *reason);

/* A record of a known event (close, open, update, exit, listed) has the keys of a connection. */
bool explain_has_known_event(const json_t *record);

/* Returns false and leaves *number alone if the key is absent or its value negative. */
bool explain_get_number(const json_t *record, const char *key, __u64 *number);

/* Returns a string of the record, in UTF-8 and hostile: escape it before printing. NULL if the key is absent. */
const char *explain_get_word(const json_t *record, const char *key);

bool explain_has_value(const json_t *record, const char *key, const char *word);

/* Returns whether the list at this key contains the word. */
bool explain_list_has(const json_t *record, const char *key, const char *word);

#endif
