/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists the records of a question in the order in which the history has them. One part of the history is held in memory at
 * a time: some 8 bytes for each record of it that the question is about. */
#ifndef NETRACKER_QUERY_LIST_H
#define NETRACKER_QUERY_LIST_H

#include "src/query/query_scan.h"

/* Calls `write` for each position, the last one first if `reverse`, until it returns false or a signal asks to stop. */
void query_list_run(struct query_scan *scan, bool reverse, bool (*write)(void *context, __u64 position), void *context);

#endif
