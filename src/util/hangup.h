/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The meaning of SIGHUP. With -o FILE it comes from log rotation: open the file again. If the terminal at the start has
 * gone, or without -o, it ends the program as SIGTERM does, unless nohup(1) prevents it.
 */
#ifndef NETRACKER_HANGUP_H
#define NETRACKER_HANGUP_H

#include <stdbool.h>

enum hangup_meaning { HANGUP_NOTHING, HANGUP_REOPEN, HANGUP_END };

struct hangup {
	bool to_file;      /* -o */
	bool ignored;      /* at the start: nohup */
	bool had_terminal; /* at the start */
};

/* Call it before the process changes its disposition of SIGHUP. */
void hangup_init(struct hangup *hangup, bool to_file);

/* Returns the meaning of a SIGHUP that has just arrived. */
enum hangup_meaning hangup_meaning(const struct hangup *hangup);

#endif
