// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_sql.h"

#include <stdio.h>
#include <string.h>

#include "src/filter/filter_sql.h"
#include "src/history/history_schema.h"
#include "src/util/message.h"

#define NS_PER_SECOND 1000000000ULL
#define BITS_PER_DIGIT 4
#define DIGITS_OF_IPV4 8
#define DIGITS_OF_IPV6 32
#define LATEST_NS 9223372036854775807ULL /* SQLite's integers are signed */

struct question {
	const struct options *options;
	const struct history_selection *selection;
	const struct groups *groups;
	struct text_buffer sql;
	char reason[160];
};

/* ---- records ---- */

static __u64 last_ns(const struct question *question)
{
	return question->selection->to_ns < LATEST_NS ? question->selection->to_ns : LATEST_NS;
}

/* Appends the condition on the newest record of each id in the span. */
static void append_newest(struct question *question)
{
	const char *begin = question->selection->match == HISTORY_ALIVE_IN ? "ifnull(start_ns,0)" : "time_ns";

	text_format(&question->sql,
		    "seq IN (SELECT max(seq) FROM conn WHERE time_ns>=%llu AND %s<=%llu GROUP BY id,"
		    "CASE WHEN ifnull(id,'') IN ('',0) THEN seq END)",
		    (unsigned long long)question->selection->from_ns, begin, (unsigned long long)last_ns(question));
}

static bool append_question_filter(struct question *question)
{
	text_string(&question->sql, " AND ");
	return filter_append_sql(question->options->delivery.filter, &question->sql, question->reason,
				 sizeof(question->reason));
}

static bool append_record_question(struct question *question)
{
	const struct options *options = question->options;
	bool takes_newest = options->delivery.max_records;

	text_string(&question->sql,
		    takes_newest ? "SELECT * FROM (\nSELECT * FROM record\nWHERE " : "SELECT * FROM record\nWHERE ");
	append_newest(question);
	if (!append_question_filter(question))
		return false;
	if (takes_newest)
		text_format(&question->sql, "\nORDER BY seq DESC LIMIT %llu)",
			    (unsigned long long)options->delivery.max_records);
	text_string(&question->sql, options->reverse ? "\nORDER BY seq DESC;\n" : "\nORDER BY seq;\n");
	return true;
}

/* ---- keys ---- */

/* Appends the first `bits` bits of the digits `hex`, and zeros. */
static void append_masked_digits(struct text_buffer *sql, const char *hex, unsigned int bits, unsigned int digits)
{
	unsigned int whole = bits / BITS_PER_DIGIT, rest = bits % BITS_PER_DIGIT;
	unsigned int step = 1U << (BITS_PER_DIGIT - rest), zeros = digits - whole - (rest > 0);

	text_format(sql, "substr(%s,1,%u)", hex, whole);
	if (rest)
		text_format(sql, "||substr('0123456789ABCDEF',(instr('0123456789ABCDEF',substr(%s,%u,1))-1)/%u*%u+1,1)",
			    hex, whole + 1, step, step);
	if (zeros)
		text_format(sql, "||'%.*s'", (int)zeros, "00000000000000000000000000000000");
}

/* Appends a table of one row: `net`, the digits of the peer's network. */
static void append_net_table(struct text_buffer *sql, const struct group_key *key)
{
	text_format(sql, "(SELECT CASE length(h) WHEN %d THEN ", DIGITS_OF_IPV4);
	append_masked_digits(sql, "h", key->bits[0], DIGITS_OF_IPV4);
	text_string(sql, " ELSE ");
	append_masked_digits(sql, "h", key->bits[1], DIGITS_OF_IPV6);
	text_format(sql,
		    " END AS net FROM (SELECT hex(CASE role WHEN %d THEN dst_ip ELSE src_ip END) AS h FROM conn "
		    "WHERE conn.seq=record.seq))",
		    NT_ROLE_CLIENT);
}

static void append_net_key(struct text_buffer *sql, const struct group_key *key)
{
	text_string(sql, "(SELECT ");
	history_view_append_address(sql, "net");
	text_format(sql, "||CASE length(net) WHEN %d THEN '/%u' ELSE '/%u' END FROM ", DIGITS_OF_IPV4, key->bits[0],
		    key->bits[1]);
	append_net_table(sql, key);
	text_char(sql, ')');
}

/* IPv4 is among IPv6 as ::ffff:0:0/96. */
#define IPV4_PREFIX "00000000000000000000FFFF"
#define ADDRESS_ORDER_SQL(address, more) \
	"(SELECT CASE length(a) WHEN 4 THEN '" IPV4_PREFIX "' ELSE '' END||hex(a) FROM (SELECT " address \
	" AS a FROM conn WHERE conn.seq=record.seq))" more

static bool append_time_key(struct question *question, const struct group_key *key)
{
	__u64 seconds = key->bucket_ns / NS_PER_SECOND;

	if (key->bucket_ns % NS_PER_SECOND) {
		snprintf(question->reason, sizeof(question->reason), "SQL has whole seconds alone");
		return false;
	}
	text_format(&question->sql,
		    "(SELECT strftime('%%Y-%%m-%%dT%%H:%%M:%%S.000Z',time_ns/1000000000/%llu*%llu,'unixepoch') "
		    "FROM conn WHERE conn.seq=record.seq)",
		    (unsigned long long)seconds, (unsigned long long)seconds);
	return true;
}

static bool append_field_key(struct question *question, const struct group_key *key)
{
	const struct record_field *field = key->field;
	int size = (int)(field->key_size - strlen("\"\":"));

	if (!strncmp(field->key + 1, "community_id", strlen("community_id"))) {
		snprintf(question->reason, sizeof(question->reason), "SQL cannot compute community_id");
		return false;
	}
	if (field->type == FIELD_BOOLEAN)
		text_format(&question->sql, "CASE %.*s WHEN 1 THEN 'true' WHEN 0 THEN 'false' END", size,
			    field->key + 1);
	else
		text_format(&question->sql, "%.*s", size, field->key + 1);
	return true;
}

static bool append_key_value(struct question *question, const struct group_key *key)
{
	switch (key->kind) {
	case GROUP_BY_PEER:
		text_string(&question->sql, "CASE role WHEN 'client' THEN dst_ip ELSE src_ip END");
		return true;
	case GROUP_BY_NET:
		append_net_key(&question->sql, key);
		return true;
	case GROUP_BY_SERVICE:
		text_string(&question->sql,
			    "CASE family WHEN 'ipv6' THEN '['||dst_ip||']' ELSE dst_ip END||':'||dst_port");
		return true;
	case GROUP_BY_TIME:
		return append_time_key(question, key);
	default:
		return append_field_key(question, key);
	}
}

/* Appends what orders the key's values as group_keys_append() does. Returns false if the values themselves do. */
static bool append_key_order(struct text_buffer *sql, const struct group_key *key)
{
	const struct record_field *field = key->field;

	switch (key->kind) {
	case GROUP_BY_FIELD:
		if (field->type != FIELD_STRING)
			return false;
		filter_append_sql_bytes(sql, field->key + 1, (int)(field->key_size - strlen("\"\":")));
		return true;
	case GROUP_BY_NET:
		text_format(sql, "(SELECT CASE length(net) WHEN %d THEN '" IPV4_PREFIX "' ELSE '' END||net FROM ",
			    DIGITS_OF_IPV4);
		append_net_table(sql, key);
		text_char(sql, ')');
		return true;
	case GROUP_BY_PEER:
		text_format(sql, ADDRESS_ORDER_SQL("CASE role WHEN %d THEN dst_ip ELSE src_ip END", ""),
			    NT_ROLE_CLIENT);
		return true;
	case GROUP_BY_SERVICE:
		text_string(sql, ADDRESS_ORDER_SQL("dst_ip", "||printf('%05d',dst_port)"));
		return true;
	default:
		return false;
	}
}

/* Appends `k1, k2`: the keys in the inner statements. */
static void append_keys(struct question *question)
{
	unsigned int i;

	for (i = 0; i < question->groups->keys.count; i++)
		text_format(&question->sql, "%sk%u", i ? ", " : "", i + 1);
}

static void append_ordered_keys(struct question *question, bool is_reversed)
{
	unsigned int i;

	for (i = 0; i < question->groups->keys.count; i++)
		text_format(&question->sql, "%smin(o%u)%s", i ? ", " : "", i + 1, is_reversed ? " DESC" : "");
}

static bool append_key_values(struct question *question)
{
	unsigned int i;

	for (i = 0; i < question->groups->keys.count; i++) {
		text_string(&question->sql, i ? ",\n " : " ");
		if (!append_key_value(question, &question->groups->keys.keys[i]))
			return false;
		text_format(&question->sql, " AS k%u", i + 1);
	}
	return true;
}

static bool append_orders(struct question *question)
{
	unsigned int i;

	for (i = 0; i < question->groups->keys.count; i++) {
		text_string(&question->sql, ",\n ");
		if (!append_key_order(&question->sql, &question->groups->keys.keys[i]) &&
		    !append_key_value(question, &question->groups->keys.keys[i]))
			return false;
		text_format(&question->sql, " AS o%u", i + 1);
	}
	return true;
}

/* ---- groups ---- */

/* The value of the percentile, its rank in the group, and how many there are; unknown ones come last. */
static void append_ranks(struct question *question)
{
	text_string(&question->sql, ",\n ranked AS (SELECT *, count(value) OVER (PARTITION BY ");
	append_keys(question);
	text_string(&question->sql, ") AS values_count,\n row_number() OVER (PARTITION BY ");
	append_keys(question);
	text_string(&question->sql, " ORDER BY value NULLS LAST) AS rank FROM found)");
}

static bool append_found(struct question *question)
{
	const struct group_order *order = &question->groups->order;

	text_string(&question->sql, "WITH found AS (SELECT\n");
	if (!append_key_values(question) || !append_orders(question))
		return false;
	if (order->percent) {
		text_string(&question->sql, ",\n ");
		if (!filter_field_append_sql(&order->field, &question->sql)) {
			snprintf(question->reason, sizeof(question->reason), "SQL cannot say the value of %s",
				 order->field.name);
			return false;
		}
		text_string(&question->sql, " AS value");
	}
	text_string(&question->sql, ",\n role, outcome, src_bytes, dst_bytes, src_retransmits, dst_retransmits\n"
				    " FROM record\n WHERE ");
	append_newest(question);
	if (!append_question_filter(question))
		return false;
	text_char(&question->sql, ')');
	if (order->percent)
		append_ranks(question);
	return true;
}

/* --new: the groups of the records before the span. */
static bool append_before(struct question *question)
{
	text_string(&question->sql, ",\n before AS (SELECT DISTINCT\n");
	if (!append_key_values(question))
		return false;
	text_format(&question->sql, "\n FROM record\n WHERE seq IN (SELECT seq FROM conn WHERE time_ns<%llu)",
		    (unsigned long long)question->selection->from_ns);
	if (!append_question_filter(question))
		return false;
	text_char(&question->sql, ')');
	return true;
}

static void append_not_before(struct question *question)
{
	unsigned int i;

	text_string(&question->sql, "\nWHERE NOT EXISTS (SELECT 1 FROM before WHERE ");
	for (i = 0; i < question->groups->keys.count; i++)
		text_format(&question->sql, "%sbefore.k%u IS found.k%u", i ? " AND " : "", i + 1, i + 1);
	text_char(&question->sql, ')');
}

static void append_sums(struct question *question)
{
	static const char *const sums[GROUP_COLUMNS] = {
		[GROUP_CONNS] = "count(*)",
		[GROUP_FAILED] = "sum(outcome NOT IN ('closed','open'))",
		[GROUP_SENT] = "sum(CASE role WHEN 'server' THEN dst_bytes ELSE src_bytes END)",
		[GROUP_RECEIVED] = "sum(CASE role WHEN 'server' THEN src_bytes ELSE dst_bytes END)",
		[GROUP_RETRANS] = "sum(coalesce(src_retransmits+dst_retransmits,src_retransmits,dst_retransmits))",
	};
	const struct groups *groups = question->groups;
	unsigned int i;

	text_string(&question->sql, "\nSELECT ");
	for (i = 0; i < groups->keys.count; i++)
		text_format(&question->sql, "k%u AS \"%s\", ", i + 1, groups->keys.keys[i].name);
	for (i = 0; i < GROUP_COLUMNS; i++)
		text_format(&question->sql, "%s%s AS \"%s\"", i ? ",\n " : "", sums[i], group_column_names[i]);
	if (groups->order.percent)
		text_format(&question->sql, ",\n max(CASE WHEN rank=(values_count*%u+99)/100 THEN value END) AS \"%s\"",
			    groups->order.percent, groups->order.name);
}

static void append_group_order(struct question *question)
{
	const struct group_order *order = &question->groups->order;

	text_string(&question->sql, "\nGROUP BY ");
	append_keys(question);
	text_string(&question->sql, "\nORDER BY ");
	if (!order->by_key)
		text_format(&question->sql, "\"%s\" %s NULLS LAST, ",
			    order->percent ? order->name : group_column_names[order->column],
			    order->reversed ? "ASC" : "DESC");
	append_ordered_keys(question, order->by_key && order->reversed);
	if (question->options->delivery.output.top)
		text_format(&question->sql, "\nLIMIT %u", question->options->delivery.output.top);
	text_string(&question->sql, ";\n");
}

static bool append_group_question(struct question *question)
{
	if (!append_found(question) || (question->options->only_new && !append_before(question)))
		return false;
	append_sums(question);
	text_string(&question->sql, question->groups->order.percent ? "\nFROM ranked AS found" : "\nFROM found");
	if (question->options->only_new)
		append_not_before(question);
	append_group_order(question);
	return true;
}

int query_sql_print(const struct options *options, const struct history_selection *selection,
		    const struct groups *groups)
{
	struct question question = { .options = options, .selection = selection, .groups = groups };
	bool is_said = groups ? append_group_question(&question) : append_record_question(&question);
	int status = EXIT_STATUS_DONE;

	if (!is_said) {
		message_error("--print-sql: %s; ask without it", question.reason);
		status = EXIT_STATUS_USAGE;
	} else if (question.sql.failed) {
		message_error("query: out of memory");
		status = EXIT_STATUS_BROKEN;
	} else if (fwrite(question.sql.bytes, 1, question.sql.used, stdout) != question.sql.used || fflush(stdout)) {
		message_error("--print-sql: cannot write to standard output");
		status = EXIT_STATUS_BROKEN;
	}
	text_free(&question.sql);
	return status;
}
