// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/server_groups.h"

#include "src/clickhouse/clickhouse_rows.h"
#include "src/query/server_answer.h"
#include "src/query/server_statement.h"

struct server_visit {
	struct query_scan *scan;
	struct group_part *part;
	const struct groups *groups;
	struct text_buffer key;
};

static bool filter_takes(const struct query_scan *scan, const struct nt_record *record)
{
	return scan->server->tests_filter || filter_accepts(scan->filter, record);
}

static void take_sum(const json_t *row, enum server_sum sum, struct group_sums *sums, enum group_column column)
{
	__u64 number;

	if (!clickhouse_rows_number(row, server_sum_names[sum], &number))
		return;
	sums->known |= 1U << column;
	sums->sums[column] += number;
}

static bool add_server_record(void *context, struct nt_record *record, const json_t *row)
{
	struct server_visit *visit = context;
	struct group_sums sums = { 0 };

	if (!filter_takes(visit->scan, record))
		return true;
	take_sum(row, SERVER_CONNS, &sums, GROUP_CONNS);
	take_sum(row, SERVER_FAILED, &sums, GROUP_FAILED);
	take_sum(row, SERVER_SENT, &sums, GROUP_SENT);
	take_sum(row, SERVER_RECEIVED, &sums, GROUP_RECEIVED);
	take_sum(row, SERVER_SRC_RETRANS, &sums, GROUP_RETRANS);
	take_sum(row, SERVER_DST_RETRANS, &sums, GROUP_RETRANS);
	group_part_add_sums(visit->part, record, &sums);
	return true;
}

static bool add_server_row(void *context, const char *row, size_t size)
{
	struct server_visit *visit = context;

	return query_server_take(visit->scan->server, row, size, add_server_record, visit);
}

void server_groups_read(struct query_scan *scan, struct group_part *part)
{
	struct server_visit visit = { .scan = scan, .part = part };
	struct text_buffer sql = { 0 };

	server_statement_append_groups(&sql, scan->server, &scan->selection, part->all->whole);
	server_answer_read(scan, &sql, add_server_row, &visit);
}

static bool note_server_record(void *context, struct nt_record *record, const json_t *row)
{
	struct server_visit *visit = context;

	(void)row;
	if (filter_takes(visit->scan, record))
		groups_note_before(visit->groups, &visit->key, record);
	return !visit->key.failed;
}

static bool note_server_row(void *context, const char *row, size_t size)
{
	struct server_visit *visit = context;

	return query_server_take(visit->scan->server, row, size, note_server_record, visit);
}

bool server_groups_note_before(struct query_scan *scan, const struct groups *groups)
{
	const struct history_selection before = query_scan_before(scan);
	struct server_visit visit = { .scan = scan, .groups = groups };
	struct text_buffer sql = { 0 };

	server_statement_append_earlier(&sql, scan->server, &before, groups);
	server_answer_read(scan, &sql, note_server_row, &visit);
	text_free(&visit.key);
	return !visit.key.failed;
}
