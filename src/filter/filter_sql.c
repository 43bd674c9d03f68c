// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/filter/filter_sql.h"

#include <stdio.h>
#include <string.h>

#include "src/filter/filter_tree.h"
#include "src/util/escape.h"

#define ADDRESS_SIZE 16
#define IPV4_SIZE 4
#define FIRST_PRINTABLE 0x20
#define LAST_PRINTABLE 0x7e

/* The tables have addresses and times as they are, the view as text. */
#define OF_CONN " FROM conn WHERE conn.seq=record.seq)"
#define SERVER_IS_DST "CASE role WHEN 'server' THEN "

struct sql_writer {
	struct text_buffer *sql;
	char *reason;
	size_t size;
};

static bool refuse_sql(const struct sql_writer *writer, const struct filter_node *node, const char *what)
{
	snprintf(writer->reason, writer->size, "SQL cannot say %s of %s", what, node->field.name);
	return false;
}

/* ---- values ---- */

static void append_sql_text(struct text_buffer *sql, const char *text, size_t size)
{
	struct text_buffer escaped = { 0 };
	size_t i;

	escape_text(&escaped, text, size);
	sql->failed = sql->failed || escaped.failed;
	text_char(sql, '\'');
	for (i = 0; i < escaped.used; i++) {
		if (escaped.bytes[i] == '\'')
			text_char(sql, '\'');
		text_char(sql, escaped.bytes[i]);
	}
	text_char(sql, '\'');
	text_free(&escaped);
}

/* Appends text as filter_append_sql_bytes() has it. */
static void append_byte_text(struct text_buffer *sql, const char *text, size_t size)
{
	size_t i;

	text_string(sql, "('");
	for (i = 0; i < size; i++) {
		if (text[i] == '\'')
			text_char(sql, '\'');
		if ((unsigned char)text[i] < FIRST_PRINTABLE || (unsigned char)text[i] > LAST_PRINTABLE)
			text_format(sql, "'||char(%u)||'", (unsigned char)text[i]);
		else
			text_char(sql, text[i]);
	}
	text_string(sql, "')");
}

static void append_blob(struct text_buffer *sql, const __u8 *bytes, size_t size)
{
	size_t i;

	text_string(sql, "x'");
	for (i = 0; i < size; i++)
		text_format(sql, "%02x", bytes[i]);
	text_char(sql, '\'');
}

/* ---- fields ---- */

static const struct {
	const char *name, *sql;
} computed_fields[] = {
	{ "lport", SERVER_IS_DST "dst_port ELSE src_port END" },
	{ "rport", SERVER_IS_DST "src_port ELSE dst_port END" },
	{ "sent", SERVER_IS_DST "dst_bytes ELSE src_bytes END" },
	{ "recv", SERVER_IS_DST "src_bytes ELSE dst_bytes END" },
	{ "received", SERVER_IS_DST "src_bytes ELSE dst_bytes END" },
	{ "bytes", "src_bytes+dst_bytes" },
	{ "send-q", "send_queue_bytes+unacked_bytes" },
	{ "retrans", "coalesce(src_retransmits+dst_retransmits,src_retransmits,dst_retransmits)" },
	{ "rtt", "rtt_us*1000" },
	{ "age", "(SELECT nullif(max(time_ns-start_ns,-1),-1)" OF_CONN },
	{ "family", "family" },
};

static const char *computed_sql(const struct filter_field *field)
{
	size_t i;

	for (i = 0; i < sizeof(computed_fields) / sizeof(computed_fields[0]); i++)
		if (!strcmp(computed_fields[i].name, field->name))
			return computed_fields[i].sql;
	return NULL;
}

static void append_key_name(struct text_buffer *sql, const struct record_field *key)
{
	text_append(sql, key->key + 1, key->key_size - strlen("\"\":"));
}

bool filter_field_append_sql(const struct filter_field *field, struct text_buffer *sql)
{
	const char *computed = field->key ? NULL : computed_sql(field);

	if (!field->key && !computed)
		return false;
	text_char(sql, '(');
	if (computed)
		text_string(sql, computed);
	else
		append_key_name(sql, field->key);
	text_char(sql, ')');
	return true;
}

/* The digits of a byte, and those of the two characters behind \x, of which each is a byte of two digits. */
#define DIGIT_SQL(at) "instr('123456789ABCDEF',substr(h," at ",1))"
#define ESCAPED_DIGIT_SQL(at, high) "(instr('123456789',substr(h," at ",1))+9*(substr(h," high ",1)='6'))"

/* Few texts have anything but printable ASCII without a backslash: of others the hexadecimal digits `h` are taken one byte,
 * or one escape, after another. */
void filter_append_sql_bytes(struct text_buffer *sql, const char *column, int size)
{
	text_format(sql,
		    "(CASE WHEN %.*s GLOB '*[^]^-~ -[]*' THEN\n  (WITH RECURSIVE bytes(h,t) AS (SELECT hex(%.*s),''",
		    size, column, size, column);
	text_string(
		sql,
		" UNION ALL SELECT\n  substr(h,CASE substr(h,1,4) WHEN '5C78' THEN 9 WHEN '5C5C' THEN 5 ELSE 3 END),"
		"\n  t||char(CASE substr(h,1,4) WHEN '5C78' THEN\n  " ESCAPED_DIGIT_SQL("6", "5") "*16+\n  ");
	text_string(sql,
		    ESCAPED_DIGIT_SQL("8", "7") "\n  WHEN '5C5C' THEN 92 ELSE " DIGIT_SQL("1") "*16+" DIGIT_SQL("2"));
	text_format(sql, " END)\n  FROM bytes WHERE h<>'') SELECT t FROM bytes WHERE h='') ELSE %.*s END)", size,
		    column);
}

static void append_key_bytes(struct text_buffer *sql, const struct record_field *key)
{
	filter_append_sql_bytes(sql, key->key + 1, (int)(key->key_size - strlen("\"\":")));
}

/* ---- numbers and times ---- */

const char *filter_relation_sql(enum filter_operator relation)
{
	switch (relation) {
	case FILTER_LESS:
		return "<";
	case FILTER_AT_MOST:
		return "<=";
	case FILTER_GREATER:
		return ">";
	case FILTER_AT_LEAST:
		return ">=";
	default:
		return "=";
	}
}

static void append_sql_number(struct text_buffer *sql, enum filter_type type, __s64 number)
{
	char time[FIELD_STORAGE_SIZE];

	if (type != FILTER_TIME) {
		text_signed(sql, number);
		return;
	}
	record_time_text(time, (__u64)number, 9);
	text_format(sql, "'%s'", time);
}

static bool append_number_condition(struct sql_writer *writer, const struct filter_node *node,
				    const struct filter_value *value, const char *column)
{
	struct text_buffer *sql = writer->sql;

	if (value->is_percent)
		return refuse_sql(writer, node, "a ratio");
	if (column)
		text_string(sql, column);
	else if (!filter_field_append_sql(&node->field, sql))
		return refuse_sql(writer, node, "the value");
	if (filter_field_unit(&node->field) > 1)
		text_format(sql, "*%lld", (long long)filter_field_unit(&node->field));
	text_string(sql, filter_tests_equality(node) ? " BETWEEN " : filter_relation_sql(node->relation));
	append_sql_number(sql, node->field.type, value->low);
	if (filter_tests_equality(node)) {
		text_string(sql, " AND ");
		append_sql_number(sql, node->field.type, value->high);
	}
	return true;
}

/* One of both ports. */
static bool append_port_condition(struct sql_writer *writer, const struct filter_node *node,
				  const struct filter_value *value)
{
	text_char(writer->sql, '(');
	append_number_condition(writer, node, value, "src_port");
	text_string(writer->sql, " OR ");
	append_number_condition(writer, node, value, "dst_port");
	text_char(writer->sql, ')');
	return true;
}

/* ---- addresses ---- */

static void append_network(struct text_buffer *sql, const struct nt_network *network, const char *column)
{
	size_t size = network->family == 4 ? IPV4_SIZE : ADDRESS_SIZE;
	__u64 last[2] = { network->address[0] | ~network->mask[0], network->address[1] | ~network->mask[1] };

	text_format(sql, "length(%s)=%zu AND %s BETWEEN ", column, size, column);
	append_blob(sql, (const __u8 *)network->address + ADDRESS_SIZE - size, size);
	text_string(sql, " AND ");
	append_blob(sql, (const __u8 *)last + ADDRESS_SIZE - size, size);
}

static bool append_address_condition(struct sql_writer *writer, const struct filter_node *node,
				     const struct filter_value *value)
{
	char server[80], key[FIELD_KEY_SIZE];
	struct text_buffer *sql = writer->sql;
	const char *name = node->field.name;

	text_string(sql, "(SELECT ");
	if (node->field.key) {
		snprintf(key, sizeof(key), "%.*s", (int)(node->field.key->key_size - strlen("\"\":")),
			 node->field.key->key + 1);
		append_network(sql, &value->network, key);
		text_string(sql, strncmp(key, "wire_", 5) ? OF_CONN : " FROM more WHERE more.seq=record.seq)");
		return true;
	}
	if (!strcmp(name, "local") || !strcmp(name, "remote")) {
		snprintf(server, sizeof(server), "(CASE role WHEN %d THEN %s ELSE %s END)", NT_ROLE_SERVER,
			 *name == 'l' ? "dst_ip" : "src_ip", *name == 'l' ? "src_ip" : "dst_ip");
		append_network(sql, &value->network, server);
	} else {
		append_network(sql, &value->network, "src_ip");
		text_string(sql, " OR ");
		append_network(sql, &value->network, "dst_ip");
	}
	text_string(sql, OF_CONN);
	return true;
}

/* ---- texts ---- */

/* A glob without sets is the same in SQLite. */
static bool append_glob(struct sql_writer *writer, const struct filter_node *node, const struct filter_value *value)
{
	if (filter_has_pattern(node))
		return refuse_sql(writer, node, "a regular expression");
	if (strpbrk(value->text, "[\\"))
		return refuse_sql(writer, node, "a set of characters");
	append_key_bytes(writer->sql, node->field.key);
	text_string(writer->sql, " GLOB ");
	append_byte_text(writer->sql, value->text, value->size);
	return true;
}

static void append_cgroup_condition(struct text_buffer *sql, const struct filter_value *value)
{
	bool is_path = !value->size || *value->text == '/';

	text_string(sql, is_path ? "substr(cgroup||'/',1,length(" : "instr(cgroup||'/','/'||");
	append_sql_text(sql, value->text, value->size);
	if (is_path) {
		text_string(sql, ")+1)=");
		append_sql_text(sql, value->text, value->size);
		text_string(sql, "||'/'");
	} else {
		text_string(sql, "||'/')>0");
	}
}

static bool append_text_condition(struct sql_writer *writer, const struct filter_node *node,
				  const struct filter_value *value)
{
	struct text_buffer *sql = writer->sql;

	if (value->pattern)
		return append_glob(writer, node, value);
	if (node->relation == FILTER_CONTAINS) {
		text_string(sql, "instr(");
		append_key_bytes(sql, node->field.key);
		text_char(sql, ',');
		append_byte_text(sql, value->text, value->size);
		text_string(sql, ")>0");
	} else if (node->field.type == FILTER_CGROUP) {
		append_cgroup_condition(sql, value);
	} else if (node->field.type == FILTER_CONTAINER) {
		text_format(sql, "substr(container,1,%zu)=lower(", value->size);
		append_sql_text(sql, value->text, value->size);
		text_char(sql, ')');
	} else {
		append_key_name(sql, node->field.key);
		text_char(sql, '=');
		append_sql_text(sql, value->text, value->size);
	}
	return true;
}

/* ---- words ---- */

/* A list is joined by +. */
static bool append_words_condition(struct sql_writer *writer, const struct filter_node *node,
				   const struct filter_value *value)
{
	const struct field_names *names = node->field.names;
	bool is_list = node->field.type == FILTER_NAMES, is_first = true;
	struct text_buffer column = { 0 };
	unsigned int i;

	filter_field_append_sql(&node->field, &column);
	text_char(&column, '\0');
	for (i = 0; i < names->count && !column.failed; i++) {
		if (!names->names[i] || !(value->bits >> i & 1))
			continue;
		text_string(writer->sql, is_first ? "(" : " OR ");
		text_format(writer->sql, is_list ? "instr('+'||%s||'+','+%s+')>0" : "%s='%s'", column.bytes,
			    names->names[i]);
		is_first = false;
	}
	text_string(writer->sql, is_first ? "0" : ")");
	writer->sql->failed = writer->sql->failed || column.failed;
	text_free(&column);
	return true;
}

/* ---- the tree ---- */

static bool append_value_condition(struct sql_writer *writer, const struct filter_node *node,
				   const struct filter_value *value)
{
	switch (node->field.type) {
	case FILTER_ADDRESS:
		return append_address_condition(writer, node, value);
	case FILTER_TEXT:
	case FILTER_COMM:
	case FILTER_CGROUP:
	case FILTER_CONTAINER:
		return append_text_condition(writer, node, value);
	case FILTER_NAME:
	case FILTER_NAMES:
		return append_words_condition(writer, node, value);
	default:
		if (!node->field.key && !computed_sql(&node->field))
			return append_port_condition(writer, node, value);
		return append_number_condition(writer, node, value, NULL);
	}
}

static bool append_comparison(struct sql_writer *writer, const struct filter_node *node)
{
	bool negates = node->relation == FILTER_UNEQUAL || node->relation == FILTER_MATCHES_NOT;
	unsigned int i;

	text_string(writer->sql, negates ? "NOT (" : "(");
	for (i = 0; i < node->count; i++) {
		if (i)
			text_string(writer->sql, " OR ");
		if (!append_value_condition(writer, node, &node->values[i]))
			return false;
	}
	text_char(writer->sql, ')');
	return true;
}

/* Returns false if the view has no column for the field. */
static bool view_has(const struct filter_field *field)
{
	return strcmp(field->name, "community_id") != 0;
}

static bool append_known(struct sql_writer *writer, const struct filter_node *node)
{
	struct text_buffer *sql = writer->sql;

	if (node->field.type == FILTER_NAMES || node->field.type == FILTER_FLAG)
		text_string(sql, "ifnull(");
	if (!filter_field_append_sql(&node->field, sql))
		return refuse_sql(writer, node, "the value");
	text_string(sql, node->field.type == FILTER_NAMES ? ",'')<>''" :
			 node->field.type == FILTER_FLAG  ? ",0)" :
							    " IS NOT NULL");
	return true;
}

static bool append_node(struct sql_writer *writer, const struct filter_node *node)
{
	struct text_buffer *sql = writer->sql;

	switch (node->kind) {
	case FILTER_ALWAYS:
		text_char(sql, '1');
		return true;
	case FILTER_KNOWN:
		return view_has(&node->field) ? append_known(writer, node) : refuse_sql(writer, node, "the value");
	case FILTER_COMPARE:
		return view_has(&node->field) ? append_comparison(writer, node) : refuse_sql(writer, node, "the value");
	default:
		break;
	}
	text_string(sql, node->kind == FILTER_NOT ? "NOT (" : "(");
	if (!append_node(writer, node->left))
		return false;
	if (node->kind != FILTER_NOT) {
		text_string(sql, node->kind == FILTER_AND ? " AND " : " OR ");
		if (!append_node(writer, node->right))
			return false;
	}
	text_char(sql, ')');
	return true;
}

bool filter_append_sql(const struct filter *filter, struct text_buffer *sql, char *reason, size_t size)
{
	struct sql_writer writer = { sql, reason, size };
	bool is_first = true;
	unsigned int i;

	for (i = 0; filter && i < filter->option_count; i++) {
		text_string(sql, is_first ? "" : " AND ");
		is_first = false;
		if (!append_node(&writer, filter->options[i]))
			return false;
	}
	if (filter && filter->expression) {
		text_string(sql, is_first ? "" : " AND ");
		return append_node(&writer, filter->expression);
	}
	if (is_first)
		text_char(sql, '1');
	return true;
}
