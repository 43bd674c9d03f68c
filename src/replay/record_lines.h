/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads records that -f json wrote, and delivers them again. */
#ifndef NETRACKER_RECORD_LINES_H
#define NETRACKER_RECORD_LINES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

struct delivery;

struct record_lines {
	struct delivery *delivery;
	const char *name; /* of the input, for messages */
	bool flushes;     /* the input is no file: the next record may come much later */
	bool (*is_over)(void *context);
	void *context;
	__u64 now;       /* the latest time of a record */
	__u64 rejected;  /* lines that are no records */
	__u64 unwanted;  /* records of events that --events leaves out */
	__u64 listeners; /* records of listeners */
	__u64 unknown;   /* records of events that this version does not know */
};

/* Reads all lines, or until is_over(). Reports lines that are no records. Returns false if the input broke, without a
 * message.
 */
bool record_lines_read(struct record_lines *lines, FILE *input);

/* Reports what was not read, with the number of lines. */
void record_lines_report(const struct record_lines *lines);

#endif
