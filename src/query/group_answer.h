/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to --by: groups of the records that a scan finds. */
#ifndef NETRACKER_GROUP_ANSWER_H
#define NETRACKER_GROUP_ANSWER_H

#include "src/cli/options.h"
#include "src/query/groups.h"
#include "src/query/query_scan.h"

/* Parses --by and --sort, and adds the columns that they need. Returns false after reporting what is wrong. Call
 * groups_free() either way. */
bool group_answer_begin(struct groups *groups, const struct options *options, struct history_columns *wanted);

/* Reads the records and writes the groups. Returns the exit status, but for what the scan knows itself. */
int group_answer_write(struct groups *groups, const struct options *options, struct query_scan *scan);

#endif
