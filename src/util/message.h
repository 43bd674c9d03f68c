/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to the user on stderr: one line each with the prefix "netracker: ", hostile bytes escaped. Any thread may write
 * them. */
#ifndef NETRACKER_MESSAGE_H
#define NETRACKER_MESSAGE_H

#include <stdbool.h>

enum exit_status {
	EXIT_STATUS_DONE = 0,
	EXIT_STATUS_BROKEN = 1, /* input or output failed part-way */
	EXIT_STATUS_USAGE = 2,
	EXIT_STATUS_PRIVILEGES = 3,
	EXIT_STATUS_KERNEL = 4,    /* the kernel lacks something */
	EXIT_STATUS_INTERFACE = 5, /* an interface is unknown, or has programs of `attach` already */
	EXIT_STATUS_MATCHED = 6,   /* --fail-if-any: a record matched */
	EXIT_STATUS_LOST = 7,      /* records were lost */
};

/* Sets -q and -v. Neither is set before the call. */
void message_set_levels(bool quiet, bool verbose);

/* The user must act: "what: why; what to do". Always printed. */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A note for the user. Not printed with -q. */
void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Printed with -v only. */
void message_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a terminal: prints a line that the next message or message_clear() erases. Truncated to the terminal's width. */
void message_transient(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Erases the transient line, if any. Call it before writing anything else to the same terminal. */
void message_clear(void);

#endif
