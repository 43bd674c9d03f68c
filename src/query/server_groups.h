/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of a server's records: it adds up records that are like each other, and what it sends is added up here. */
#ifndef NETRACKER_SERVER_GROUPS_H
#define NETRACKER_SERVER_GROUPS_H

#include "src/query/groups.h"
#include "src/query/query_scan.h"

/* Adds the records of the scan's span to a part. */
void server_groups_read(struct query_scan *scan, struct group_part *part);

/* Notes which groups there were before the span. Returns false without memory. */
bool server_groups_note_before(struct query_scan *scan, const struct groups *groups);

#endif
