/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What netracker says to a person, on stderr: one line each, "netracker: " before it, hostile bytes escaped. */
#ifndef NETRACKER_MESSAGE_H
#define NETRACKER_MESSAGE_H

#include <stdbool.h>

enum exit_status {
	EXIT_STATUS_DONE = 0,
	EXIT_STATUS_BROKEN = 1,      /* input or output broke part-way */
	EXIT_STATUS_USAGE = 2,
	EXIT_STATUS_PRIVILEGES = 3,
	EXIT_STATUS_KERNEL = 4,      /* the kernel lacks something */
	EXIT_STATUS_INTERFACE = 5,   /* an interface is unknown, or has programs of `attach` already */
};

/* -q and -v. Before the call neither is set. */
void message_set_levels(bool quiet, bool verbose);

/* Where a person must act: "what: why; what to do". Always printed. */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Worth knowing; not printed with -q. */
void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Printed with -v only. */
void message_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a terminal: a line that the next message or message_clear() takes away. Cut to the terminal's width. */
void message_transient(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes it away, if there is one: before anything else is written that may go to the same terminal. */
void message_clear(void);

#endif
