// SPDX-License-Identifier: GPL-2.0-or-later
/* The view `record`: what the tables hold as numbers and blobs, as the text of docs/record.md. For people with the
 * program sqlite3; it follows the fields' table, except for the Community ID, which SQL cannot compute. */
#include "src/history/history_schema.h"

#include <stdio.h>
#include <string.h>

#define GROUPS_OF_IPV6 8
#define HEX_OF_GROUP 4

/* The value of an octet in hexadecimal digits: SQLite has no function for it. */
static void append_octet(struct text_buffer *sql, const char *hex, int octet)
{
	text_format(sql, "(instr('123456789ABCDEF',substr(%s,%d,1))*16+instr('123456789ABCDEF',substr(%s,%d,1)))", hex,
		    2 * octet + 1, hex, 2 * octet + 2);
}

static void append_ipv4(struct text_buffer *sql, const char *hex)
{
	int octet;

	for (octet = 0; octet < 4; octet++) {
		if (octet)
			text_string(sql, "||'.'||");
		append_octet(sql, hex, octet);
	}
}

/* ":fd00:0:0:0:0:0:0:1:". */
static void append_groups(struct text_buffer *sql, const char *hex)
{
	int group;

	text_string(sql, "':'");
	for (group = 0; group < GROUPS_OF_IPV6; group++)
		text_format(sql, "||ifnull(nullif(ltrim(substr(lower(%s),%d,%d),'0'),''),'0')||':'", hex,
			    HEX_OF_GROUP * group + 1, HEX_OF_GROUP);
}

/* RFC 5952 section 4.2: `::` stands for the first of the longest runs of two or more zero groups. */
static void append_ipv6(struct text_buffer *sql, const char *hex)
{
	char run[2 * GROUPS_OF_IPV6 + 2] = ":0:0:0:0:0:0:0:0:";
	size_t size;

	text_string(sql, "(SELECT replace(trim(CASE");
	for (size = strlen(run); size >= strlen(":0:0:"); size -= 2) {
		run[size] = '\0';
		text_format(sql,
			    " WHEN instr(t,'%s') THEN substr(t,1,instr(t,'%s')-1)||'~'||substr(t,instr(t,'%s')+%d)",
			    run, run, run, (int)size);
	}
	text_string(sql, " ELSE t END,':'),'~','::') FROM (SELECT ");
	append_groups(sql, hex);
	text_string(sql, " AS t))");
}

void history_view_append_address(struct text_buffer *sql, const char *hex)
{
	text_format(sql, "CASE length(%s) WHEN 8 THEN ", hex);
	append_ipv4(sql, hex);
	text_string(sql, " WHEN 32 THEN ");
	append_ipv6(sql, hex);
	text_string(sql, " END");
}

static void append_time_text(struct text_buffer *sql, const char *column)
{
	text_format(sql,
		    "strftime('%%Y-%%m-%%dT%%H:%%M:%%S',%s/1000000000,'unixepoch')||printf('.%%09dZ',%s%%1000000000)",
		    column, column);
}

static void append_case(struct text_buffer *sql, const char *column, const struct field_names *names)
{
	unsigned int i;

	text_format(sql, "CASE %s", column);
	for (i = 0; i < names->count; i++)
		if (names->names[i])
			text_format(sql, " WHEN %u THEN '%s'", i, names->names[i]);
	text_string(sql, " END");
}

/* As CSV has lists: joined by +. */
static void append_set(struct text_buffer *sql, const char *column, const struct field_names *names)
{
	unsigned int i;

	text_string(sql, "substr(");
	for (i = 0; i < names->count; i++)
		text_format(sql, "%sCASE WHEN %s&%u THEN '+%s' ELSE '' END", i ? "||" : "", column, 1U << i,
			    names->names[i]);
	text_string(sql, ",2)");
}

static void append_value(struct text_buffer *sql, const struct history_column *column)
{
	char name[64], hex[80];

	snprintf(name, sizeof(name), "%s.%s", history_table_names[column->table], column->name);
	snprintf(hex, sizeof(hex), "hex(%s)", name);
	switch (column->kind) {
	case FIELD_KIND_ENUMERATOR:
		append_case(sql, name, column->field->names);
		return;
	case FIELD_KIND_BITS:
		append_set(sql, name, column->field->names);
		return;
	case FIELD_KIND_ADDRESS:
		history_view_append_address(sql, hex);
		return;
	case FIELD_KIND_TIME:
		append_time_text(sql, name);
		return;
	default:
		text_string(sql, name);
	}
}

/* Fields that follow from others, and the id. Returns NULL for the rest, and for the Community ID. */
static const char *derived_value(const char *key)
{
	static const char *const derived[][2] = {
		{ "id", "CASE typeof(conn.id) WHEN 'integer' THEN printf('%016x',conn.id) ELSE conn.id END" },
		{ "family", "CASE length(conn.src_ip) WHEN 4 THEN 'ipv4' WHEN 16 THEN 'ipv6' END" },
		{ "complete", "kind.gaps=0" },
	};
	size_t i;

	for (i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		if (!strcmp(derived[i][0], key))
			return derived[i][1];
	return NULL;
}

static const struct history_column *column_of_field(const struct record_field *field)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_all(&count);

	for (i = 0; i < count; i++)
		if (columns[i].field == field)
			return &columns[i];
	return NULL;
}

static void append_key(struct text_buffer *sql, const struct record_field *field, const char *key)
{
	const struct history_column *column = column_of_field(field);
	const char *derived = derived_value(key);

	if (!column && !derived)
		return;
	text_string(sql, ",\n ");
	if (derived)
		text_string(sql, derived);
	else
		append_value(sql, column);
	text_string(sql, " AS ");
	text_string(sql, key);
}

void history_view_append(struct text_buffer *sql)
{
	char key[FIELD_KEY_SIZE];
	unsigned int i;

	text_format(sql, "CREATE VIEW record AS SELECT conn.seq AS seq,\n %d AS v", NT_RECORD_VERSION);
	for (i = 0; record_field_name(i, key); i++)
		append_key(sql, &record_fields[i], key);
	text_string(sql, "\nFROM conn LEFT JOIN more ON more.seq=conn.seq LEFT JOIN prog ON prog.id=conn.prog"
			 " LEFT JOIN place ON place.id=conn.place LEFT JOIN kind ON kind.id=conn.kind;\n");
}
