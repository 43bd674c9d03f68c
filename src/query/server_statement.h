/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The statements that a ClickHouse server is sent (docs/fleet.md). It finds of each id the newest record in the span, and tests what it
 * can of the filter; groups it adds up as far as the keys' columns go. */
#ifndef NETRACKER_SERVER_STATEMENT_H
#define NETRACKER_SERVER_STATEMENT_H

#include <stdbool.h>

#include "src/history/history_reader.h"
#include "src/query/groups.h"
#include "src/query/query_server.h"
#include "src/util/text_buffer.h"

/* Appends the statement that finds records: the oldest first or, with `most`, that many of the newest, the newest first. */
void server_statement_append_records(struct text_buffer *sql, const struct query_server *server,
				     const struct history_selection *selection, bool newest_first, __u64 most);

/* Appends the statement that finds groups. Each row is a record that all records of it are like, as far as the keys go, and
 * their sums, named by server_sum_names. If the filter is not tested by the server alone, they are like it in what the
 * filter tests too. */
void server_statement_append_groups(struct text_buffer *sql, const struct query_server *server,
				    const struct history_selection *selection, const struct groups *groups);

/* The same for the records of another span, of which all count, without sums. */
void server_statement_append_earlier(struct text_buffer *sql, const struct query_server *server,
				     const struct history_selection *selection, const struct groups *groups);

enum server_sum {
	SERVER_CONNS,
	SERVER_FAILED,
	SERVER_SENT,
	SERVER_RECEIVED,
	SERVER_SRC_RETRANS,
	SERVER_DST_RETRANS,
	SERVER_SUMS
};

extern const char *const server_sum_names[SERVER_SUMS];

#endif
