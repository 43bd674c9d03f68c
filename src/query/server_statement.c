// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/server_statement.h"

#include <string.h>

#include "src/filter/filter_implied.h"
#include "src/query/query_columns.h"
#include "src/record/record_fields.h"

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_MINUTE (60 * NS_PER_SECOND)
#define LATEST_NS (9223372036ULL * NS_PER_SECOND)     /* DateTime64(9) has no later time */
#define LATEST_DAY_NS (4102444800ULL * NS_PER_SECOND) /* of Date: the end of 2099; later than any record */
/* Records that no id joins are distinguished by what the table's key and their tuple are. */
#define LONE "if(id = '', cityHash64(time, event, comm, src_ip, src_port, dst_ip, dst_port), 0)"
/* The oldest of the records of one id at one time is `open`; the alphabet has the order of a connection's end. */
#define NEWEST_OF_IDS "\nORDER BY time DESC, event = 'open', event\nLIMIT 1 BY host, id, lone"

const char *const server_sum_names[SERVER_SUMS] = {
	[SERVER_CONNS] = "conns",       [SERVER_FAILED] = "failed",           [SERVER_SENT] = "sent",
	[SERVER_RECEIVED] = "received", [SERVER_SRC_RETRANS] = "src_retrans", [SERVER_DST_RETRANS] = "dst_retrans",
};

static const char *const sum_values[SERVER_SUMS] = {
	[SERVER_CONNS] = "count()",
	[SERVER_FAILED] = "sum(outcome NOT IN ('closed', 'open'))",
	[SERVER_SENT] = "sum(if(role = 'server', dst_bytes, src_bytes))",
	[SERVER_RECEIVED] = "sum(if(role = 'server', src_bytes, dst_bytes))",
	[SERVER_SRC_RETRANS] = "sum(src_retransmits)",
	[SERVER_DST_RETRANS] = "sum(dst_retransmits)",
};

/* ---- columns ---- */

/* Returns whether the columns that the key comes from are all there. */
static bool columns_have(const struct history_columns *columns, const char *name)
{
	struct history_columns of_key = { { 0 } };
	size_t i;

	if (!history_columns_add(&of_key, name))
		return false;
	for (i = 0; i < sizeof(of_key.bits) / sizeof(of_key.bits[0]); i++)
		if (of_key.bits[i] & ~columns->bits[i])
			return false;
	return true;
}

/* The addresses and ports give `community_id`; the table has none. `columns` is NULL: all. */
static void append_key_list(struct text_buffer *sql, const struct history_columns *columns)
{
	char name[FIELD_KEY_SIZE];
	unsigned int i;
	bool is_first = true;

	for (i = 0; record_field_name(i, name); i++) {
		if (!strcmp(name, "community_id") || (columns && (!strcmp(name, "v") || !columns_have(columns, name))))
			continue;
		text_format(sql, is_first ? "%s" : ", %s", name);
		is_first = false;
	}
}

/* ---- the span ---- */

static void append_server_time(struct text_buffer *sql, const struct query_server *server, __u64 ns)
{
	char time[FIELD_STORAGE_SIZE];

	record_time_text(time, ns < LATEST_NS ? ns : LATEST_NS, 9);
	if (server->is_reduced) {
		text_format(sql, "'%s'", time);
		return;
	}
	time[strlen("2026-11-27")] = ' ';
	time[strlen(time) - 1] = '\0';
	text_format(sql, "toDateTime64('%s', 9, 'UTC')", time);
}

/* The reduced table's partitions are days of their own column. */
static void append_day(struct text_buffer *sql, const char *relation, __u64 ns)
{
	char time[FIELD_STORAGE_SIZE];

	if (ns > LATEST_DAY_NS)
		return;
	record_time_text(time, ns, 3);
	text_format(sql, " AND day %s toDate('%.10s')", relation, time);
}

static void append_span_begin(struct text_buffer *sql, const struct query_server *server, __u64 from_ns)
{
	text_string(sql, " AND time >= ");
	append_server_time(sql, server, from_ns);
	if (server->is_reduced)
		append_day(sql, ">=", from_ns);
}

static void append_span_end(struct text_buffer *sql, const struct query_server *server,
			    const struct history_selection *selection)
{
	if (selection->match == HISTORY_ALIVE_IN) {
		text_format(sql, "(start %s OR start <= ", server->is_reduced ? "= ''" : "IS NULL");
		append_server_time(sql, server, selection->to_ns);
		text_char(sql, ')');
		return;
	}
	text_string(sql, "time <= ");
	append_server_time(sql, server, selection->to_ns);
	if (server->is_reduced)
		append_day(sql, "<=", selection->to_ns);
}

static void append_server_span(struct text_buffer *sql, const struct query_server *server,
			       const struct history_selection *selection)
{
	append_span_end(sql, server, selection);
	if (selection->from_ns)
		append_span_begin(sql, server, selection->from_ns);
	if (server->id)
		text_format(sql, " AND id = '%s'", server->id);
}

/* Appends what all records of an id have in common, so that none of them is left out. */
static void append_id_filter(struct text_buffer *sql, const struct query_server *server)
{
	filter_append_implied(server->filter, FILTER_OF_ID, server->is_reduced, sql);
}

static void append_record_filter(struct text_buffer *sql, const struct query_server *server)
{
	filter_append_implied(server->filter, FILTER_OF_RECORD, server->is_reduced, sql);
}

/* Rows that FINAL makes one are equal, so that it does not matter which of them are left out before; FINAL alone would read
 * all columns of all rows. */
#define FINAL_OF_SPAN " FINAL\nPREWHERE "

static void append_server_table(struct text_buffer *sql, const struct query_server *server)
{
	text_format(sql, "%s.%s", server->clickhouse.table.database, server->clickhouse.table.name);
}

/* The ids of which one record at least passes the filter: the others need not be sorted. */
static void append_candidates(struct text_buffer *sql, const struct query_server *server,
			      const struct history_selection *selection)
{
	struct text_buffer filter = { 0 };

	append_record_filter(&filter, server);
	if (filter.used) {
		text_string(sql, " AND id IN (SELECT id FROM ");
		append_server_table(sql, server);
		text_string(sql, "\nWHERE ");
		append_server_span(sql, server, selection);
		text_append(sql, filter.bytes, filter.used);
		text_char(sql, ')');
	}
	sql->failed = sql->failed || filter.failed;
	text_free(&filter);
}

/* ---- records ---- */

/* The newest record of each id is found by few columns: to sort all of them a server would need much memory. */
void server_statement_append_records(struct text_buffer *sql, const struct query_server *server,
				     const struct history_selection *selection, bool newest_first, __u64 most)
{
	text_string(sql, "SELECT ");
	append_key_list(sql, NULL);
	text_string(sql, "\nFROM ");
	append_server_table(sql, server);
	text_string(sql, FINAL_OF_SPAN);
	append_server_span(sql, server, selection);
	append_record_filter(sql, server);
	text_string(sql, "\nAND (host, id, time, event) IN (SELECT host, id, time, event FROM (\n"
			 "SELECT host, id, time, event, " LONE " AS lone\nFROM ");
	append_server_table(sql, server);
	text_string(sql, "\nWHERE ");
	append_server_span(sql, server, selection);
	append_id_filter(sql, server);
	append_candidates(sql, server, selection);
	text_string(sql, NEWEST_OF_IDS "))");
	text_string(sql, newest_first ? "\nORDER BY time DESC, id DESC, host DESC" : "\nORDER BY time, id, host");
	if (most)
		text_format(sql, "\nLIMIT %llu", (unsigned long long)most);
	text_string(sql, "\nFORMAT JSONEachRow");
}

/* ---- groups ---- */

/* By what the server groups. */
struct server_keys {
	struct history_columns columns; /* as they are */
	bool has_peer;                  /* and the peer, without its role */
	__u64 time_unit_ns;             /* and the time, in minutes or seconds; 0: no time */
};

static void add_columns_of_key(struct history_columns *columns, const struct group_key *key)
{
	struct group_keys keys = { .count = 1 };

	keys.keys[0] = *key;
	group_keys_add_columns(&keys, columns);
}

static bool is_of_peer(const struct group_key *key)
{
	return key->kind == GROUP_BY_PEER || key->kind == GROUP_BY_NET;
}

/* Adds the columns of one kind of keys: peers, or times. */
static void add_plain_columns(struct server_keys *keys, const struct groups *groups, bool of_peers)
{
	unsigned int i;

	for (i = 0; i < groups->keys.count; i++) {
		const struct group_key *key = &groups->keys.keys[i];

		if (of_peers ? is_of_peer(key) : key->kind == GROUP_BY_TIME)
			add_columns_of_key(&keys->columns, key);
	}
}

static void add_peers(struct server_keys *keys, const struct groups *groups)
{
	unsigned int i;

	for (i = 0; i < groups->keys.count; i++)
		keys->has_peer = keys->has_peer || is_of_peer(&groups->keys.keys[i]);
	if (!columns_have(&keys->columns, "src_ip") && !columns_have(&keys->columns, "dst_ip"))
		return;
	keys->has_peer = false;
	add_plain_columns(keys, groups, true);
}

static __u64 unit_of_bucket(__u64 bucket_ns)
{
	return !(bucket_ns % NS_PER_MINUTE) ? NS_PER_MINUTE : !(bucket_ns % NS_PER_SECOND) ? NS_PER_SECOND : 1;
}

static void add_times(struct server_keys *keys, const struct groups *groups)
{
	__u64 unit_ns;
	unsigned int i;

	for (i = 0; i < groups->keys.count; i++) {
		if (groups->keys.keys[i].kind != GROUP_BY_TIME)
			continue;
		unit_ns = unit_of_bucket(groups->keys.keys[i].bucket_ns);
		if (!keys->time_unit_ns || unit_ns < keys->time_unit_ns)
			keys->time_unit_ns = unit_ns;
	}
	if (keys->time_unit_ns != 1 && !columns_have(&keys->columns, "time"))
		return;
	keys->time_unit_ns = 0;
	add_plain_columns(keys, groups, false);
}

static struct server_keys find_server_keys(const struct query_server *server, const struct groups *groups)
{
	struct server_keys keys = { 0 };
	unsigned int i;

	for (i = 0; i < groups->keys.count; i++)
		if (!is_of_peer(&groups->keys.keys[i]) && groups->keys.keys[i].kind != GROUP_BY_TIME)
			add_columns_of_key(&keys.columns, &groups->keys.keys[i]);
	if (groups->order.percent)
		query_columns_add_field(&keys.columns, &groups->order.field);
	if (!server->tests_filter)
		query_columns_add_filter(&keys.columns, server->filter);
	add_peers(&keys, groups);
	add_times(&keys, groups);
	return keys;
}

static void append_server_key_list(struct text_buffer *sql, const struct server_keys *keys)
{
	size_t begin = sql->used;

	append_key_list(sql, &keys->columns);
	if (keys->has_peer)
		text_string(sql, sql->used > begin ? ", peer" : "peer");
	if (keys->time_unit_ns)
		text_string(sql, sql->used > begin ? ", moment" : "moment");
}

/* Both addresses of a record are of one family. */
static const char *address_in_place(const struct server_keys *keys)
{
	return keys->has_peer                         ? "peer" :
	       columns_have(&keys->columns, "src_ip") ? "src_ip" :
	       columns_have(&keys->columns, "dst_ip") ? "dst_ip" :
							"'::'";
}

/* Appends the columns of a record that the keys do not need, so that each row is one. */
static void append_whole_record(struct text_buffer *sql, const struct server_keys *keys)
{
	static const struct {
		const char *name, *value;
	} needed[] = {
		{ "event", "'close'" }, { "role", "'client'" }, { "src_ip", NULL },        { "dst_ip", NULL },
		{ "src_port", "0" },    { "dst_port", "0" },    { "outcome", "'closed'" },
	};
	size_t i;

	text_format(sql, "SELECT %d AS v", NT_RECORD_VERSION);
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!columns_have(&keys->columns, needed[i].name))
			text_format(sql, ", %s AS %s", needed[i].value ? needed[i].value : address_in_place(keys),
				    needed[i].name);
	}
	if (keys->time_unit_ns)
		text_string(sql, ", moment AS time");
}

static void append_columns_of_groups(struct text_buffer *sql, const struct query_server *server,
				     const struct history_selection *selection, const struct server_keys *keys)
{
	bool is_minute = keys->time_unit_ns == NS_PER_MINUTE;

	append_key_list(sql, selection->wanted);
	if (keys->has_peer)
		text_string(sql, ", if(role = 'client', dst_ip, src_ip) AS peer");
	if (keys->time_unit_ns && server->is_reduced)
		text_format(sql, ", concat(substring(time, 1, %zu), '%s') AS moment",
			    strlen(is_minute ? "2026-11-27T10:00" : "2026-11-27T10:00:00"), is_minute ? ":00Z" : "Z");
	else if (keys->time_unit_ns)
		text_format(sql, ", %s(time) AS moment", is_minute ? "toStartOfMinute" : "toStartOfSecond");
}

static void append_server_sums(struct text_buffer *sql)
{
	unsigned int i;

	for (i = 0; i < SERVER_SUMS; i++)
		text_format(sql, ",\n%s AS %s", sum_values[i], server_sum_names[i]);
}

void server_statement_append_groups(struct text_buffer *sql, const struct query_server *server,
				    const struct history_selection *selection, const struct groups *groups)
{
	struct server_keys keys = find_server_keys(server, groups);

	append_whole_record(sql, &keys);
	text_string(sql, ", * FROM (\nSELECT ");
	append_server_key_list(sql, &keys);
	append_server_sums(sql);
	text_string(sql, "\nFROM (SELECT ");
	append_columns_of_groups(sql, server, selection, &keys);
	text_string(sql, ", " LONE " AS lone\nFROM ");
	append_server_table(sql, server);
	text_string(sql, FINAL_OF_SPAN);
	append_server_span(sql, server, selection);
	append_id_filter(sql, server);
	append_candidates(sql, server, selection);
	text_string(sql, NEWEST_OF_IDS ")\nWHERE 1");
	append_record_filter(sql, server);
	text_string(sql, "\nGROUP BY ");
	append_server_key_list(sql, &keys);
	text_string(sql, ")\nFORMAT JSONEachRow");
}

void server_statement_append_earlier(struct text_buffer *sql, const struct query_server *server,
				     const struct history_selection *selection, const struct groups *groups)
{
	struct server_keys keys = find_server_keys(server, groups);

	append_whole_record(sql, &keys);
	text_string(sql, ", * FROM (\nSELECT DISTINCT ");
	append_server_key_list(sql, &keys);
	text_string(sql, "\nFROM (SELECT ");
	append_columns_of_groups(sql, server, selection, &keys);
	text_string(sql, "\nFROM ");
	append_server_table(sql, server);
	text_string(sql, "\nWHERE ");
	append_server_span(sql, server, selection);
	append_record_filter(sql, server);
	text_string(sql, "))\nFORMAT JSONEachRow");
}
