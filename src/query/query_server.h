/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ClickHouse server that is asked, and its answers. */
#ifndef NETRACKER_QUERY_SERVER_H
#define NETRACKER_QUERY_SERVER_H

#include <jansson.h>
#include <stdbool.h>

#include "src/clickhouse/clickhouse_server.h"
#include "src/cli/options.h"
#include "src/filter/filter.h"
#include "src/util/text_buffer.h"

struct query_server {
	struct clickhouse_server clickhouse;
	bool is_reduced; /* its table has text for times and addresses */
	const char *id;  /* only records with this id; NULL: any */
	const struct filter *filter;
	bool tests_filter; /* no record that it finds needs to be tested again */
	__u64 bad_rows;    /* that are no records */
};

/* Returns EXIT_STATUS_DONE if the server has such a table, else the exit status after reporting the error. Call
 * query_server_close() either way. */
int query_server_open(struct query_server *server, const struct options *options);
void query_server_close(struct query_server *server);

/* Sends a statement, which it frees. Calls `visit` for each row, which query_server_take() reads, until it returns false or
 * a signal asks to stop. Returns false after reporting that the answer is not complete. */
bool query_server_run(struct query_server *server, struct text_buffer *sql,
		      bool (*visit)(void *context, const char *row, size_t size), void *context);

/* Calls `take` for the record of a row, and returns what that returns. A row that is no record is counted. */
bool query_server_take(struct query_server *server, const char *row, size_t size,
		       bool (*take)(void *context, struct nt_record *record, const json_t *row), void *context);

#endif
