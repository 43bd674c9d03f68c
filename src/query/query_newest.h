/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the newest records of a question (-n) from the end of the history, so that little of it is read.
 *
 * Only records that the filter accepts are kept in memory. Whether one of them is the newest of its id is found out by a
 * pass over the ids of the records behind it.
 */
#ifndef NETRACKER_QUERY_NEWEST_H
#define NETRACKER_QUERY_NEWEST_H

#include "src/query/position_list.h"
#include "src/query/query_scan.h"

#define QUERY_NEWEST_CANDIDATES (1U << 20)

/* Adds the newest `most` positions to the list, or all, the newest first. So many candidates are kept in memory at a time;
 * 0: QUERY_NEWEST_CANDIDATES. Without query_scan_measure(). */
void query_newest_find(struct query_scan *scan, __u64 most, size_t candidates, struct position_list *found);

#endif
