/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The summary for programs: lines of values, from which JSON, CSV and TSV are written. docs/formats.md defines the keys.
 */
#ifndef NETRACKER_SUMMARY_LINES_H
#define NETRACKER_SUMMARY_LINES_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/record/record_fields.h"
#include "src/summary/summary.h"
#include "src/util/text_buffer.h"

/* The first line of an interval is SUMMARY_TOTAL; those of one kind follow each other. */
enum summary_line_kind {
	SUMMARY_TOTAL,
	SUMMARY_PROBLEM,
	SUMMARY_PROCESS,
	SUMMARY_SERVICE,
	SUMMARY_PEER,
	SUMMARY_BUSIEST,
	SUMMARY_SLOWEST,
	SUMMARY_LINE_KINDS
};

/* In the order in which they are written. */
enum summary_key {
	SUMMARY_KEY_V,
	SUMMARY_KEY_FROM,
	SUMMARY_KEY_TO,
	SUMMARY_KEY_HOST,
	SUMMARY_KEY_TABLE, /* not in JSON, where the lists have names */
	SUMMARY_KEY_OTHERS,
	SUMMARY_KEY_COMM,
	SUMMARY_KEY_PID,
	SUMMARY_KEY_IP,
	SUMMARY_KEY_PORT,
	SUMMARY_KEY_SRC_IP,
	SUMMARY_KEY_SRC_PORT,
	SUMMARY_KEY_DST_IP,
	SUMMARY_KEY_DST_PORT,
	SUMMARY_KEY_CONNECTIONS,
	SUMMARY_KEY_OUTCOMES, /* SUMMARY_OUTCOMES keys, in the order of enum nt_outcome */
	SUMMARY_KEY_SENT = SUMMARY_KEY_OUTCOMES + SUMMARY_OUTCOMES,
	SUMMARY_KEY_RECEIVED,
	SUMMARY_KEY_SENT_UNKNOWN,
	SUMMARY_KEY_RECEIVED_UNKNOWN,
	SUMMARY_KEY_PACKETS,
	SUMMARY_KEY_RETRANSMITS,
	SUMMARY_KEY_HANDSHAKES,
	SUMMARY_KEY_P50,
	SUMMARY_KEY_P95,
	SUMMARY_KEY_P99,
	SUMMARY_KEY_HANDSHAKE,
	SUMMARY_KEY_PROBLEM,
	SUMMARY_KEY_COUNT,
	SUMMARY_KEY_TEXT,
	SUMMARY_KEY_COMMAND,
	SUMMARY_KEYS
};

enum summary_value_type { SUMMARY_ABSENT, SUMMARY_INTEGER, SUMMARY_STRING };

/* A string ends at its first NUL or after `size` bytes, and may hold any byte. */
struct summary_value {
	enum summary_value_type type;
	__u64 integer;
	const char *string;
	size_t size;
	char storage[FIELD_STORAGE_SIZE];
};

struct summary_line {
	enum summary_line_kind kind;
	struct summary_value values[SUMMARY_KEYS];
};

/* The times are since the Unix epoch; from_ns 0: unknown. host: NULL if it has no name. */
struct summary_span {
	__u64 from_ns, to_ns;
	const char *host;
};

/* Calls `write` for each line of the current interval, after summary_settle(). Returns false without memory. */
bool summary_lines_each(struct summary *summary, const struct summary_span *span,
			void (*write)(void *context, const struct summary_line *line), void *context);

const char *summary_key_name(enum summary_key key);

/* Returns the name of the lines' kind, for one line ("process") and for a list of them ("processes"). */
const char *summary_kind_name(enum summary_line_kind kind);
const char *summary_list_name(enum summary_line_kind kind);

#endif
