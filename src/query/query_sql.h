/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question as SQL (--print-sql): for one file of a history, on its view `record`. */
#ifndef NETRACKER_QUERY_SQL_H
#define NETRACKER_QUERY_SQL_H

#include "src/cli/options.h"
#include "src/history/history_reader.h"
#include "src/query/groups.h"

/* Writes the statement to standard output. `groups`: with --by its keys and order; else NULL. Returns the exit status,
 * after reporting what SQL cannot say. */
int query_sql_print(const struct options *options, const struct history_selection *selection,
		    const struct groups *groups);

#endif
