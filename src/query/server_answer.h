/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answers from a server: its records, and the statements. Those with groups are in server_groups.h. */
#ifndef NETRACKER_SERVER_ANSWER_H
#define NETRACKER_SERVER_ANSWER_H

#include "src/cli/options.h"
#include "src/delivery/delivery.h"
#include "src/query/groups.h"
#include "src/query/query_scan.h"
#include "src/query/query_server.h"

/* Asks the server. `visit` gets each row, until it returns false or a signal asks to stop. Frees the statement. Notes in the
 * scan if the answer is not complete, which is reported. */
void server_answer_read(struct query_scan *scan, struct text_buffer *sql,
			bool (*visit)(void *context, const char *row, size_t size), void *context);

/* Writes the records: all in the order of time, or with -n the newest ones. Returns the time of the latest. */
__u64 server_answer_write_records(struct query_scan *scan, const struct options *options, struct delivery *delivery);

/* --print-sql: prints what is sent. Returns the exit status. */
int server_answer_print(const struct query_scan *scan, const struct options *options, const struct groups *groups);

#endif
