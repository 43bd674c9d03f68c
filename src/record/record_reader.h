/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads records that -f json wrote, of this version and of older ones. They come from a file and are hostile. */
#ifndef NETRACKER_RECORD_READER_H
#define NETRACKER_RECORD_READER_H

#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"
#include "src/util/text_buffer.h"

/* Makes the program end if memory is short, with a message that names the command. jansson does not survive a failed
 * allocation: it leaves out members of objects, or crashes.
 */
void record_reader_begin(const char *command);

/* Parses a line. A record is an object that has the keys of a connection ("v" and "event" alone if it is of none), and in which every key of record_fields has the right type. Returns NULL for anything else, with the reason
 * appended to `reason`, which may hold unescaped bytes of the line. The caller calls json_decref().
 */
json_t *record_reader_parse(const char *line, size_t size, struct text_buffer *reason);

/* The same for an object of other JSON. Returns false with the reason. */
bool record_reader_accepts(const json_t *json, struct text_buffer *reason);

/* Returns whether the record is of a connection: not of a listener, nor of an unknown event. */
bool record_reader_has_connection(const json_t *json);

/* Returns whether it is a record of `netracker list --listening`. */
bool record_reader_has_listener(const json_t *json);

/* Fills a record from what record_reader_parse() returned, if it has a connection. Its strings point into `json`. Returns
 * false with the reason if a value is not one that NeTracker writes.
 */
bool record_reader_fill(struct nt_record *record, const json_t *json, struct text_buffer *reason);

#endif
