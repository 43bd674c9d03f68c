/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SIGHUP means. With -o FILE it is whoever rotates the file: open it again. Where the terminal that we were
 * started from has gone, or without -o, it is the end, as SIGTERM is. nohup(1) keeps it from being the end.
 */
#ifndef NETRACKER_HANGUP_H
#define NETRACKER_HANGUP_H

#include <stdbool.h>

enum hangup_meaning { HANGUP_NOTHING, HANGUP_REOPEN, HANGUP_END };

struct hangup {
	bool to_file;      /* -o */
	bool ignored;      /* when we were started: nohup */
	bool had_terminal; /* when we were started */
};

/* Before anybody changes what the process does on SIGHUP. */
void hangup_init(struct hangup *hangup, bool to_file);

/* Of a SIGHUP that has just come. */
enum hangup_meaning hangup_meaning(const struct hangup *hangup);

#endif
