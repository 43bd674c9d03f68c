// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_columns.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "src/util/escape.h"

#define ID_DIGITS (NT_ID_SIZE - 1)
#define MAPPED_PREFIX_SIZE 12
#define IPV4_SIZE 4
#define IPV6_SIZE 16

const char *const history_table_names[HISTORY_TABLES] = {
	[HISTORY_CONN] = "conn",   [HISTORY_MORE] = "more", [HISTORY_PROG] = "prog",
	[HISTORY_PLACE] = "place", [HISTORY_KIND] = "kind",
};

/* In the tables' order. Of `conn` first what most questions need: SQLite reads a row up to the last column that it needs.
 */
static const struct {
	enum history_table table;
	const char *key;  /* of docs/record.md; NULL: it refers to a dictionary */
	const char *name; /* if it is another than the key */
	enum history_table dictionary;
} column_rules[] = {
	{ HISTORY_CONN, "time", "time_ns", 0 },
	{ HISTORY_CONN, "id", NULL, 0 },
	{ HISTORY_CONN, "event", NULL, 0 },
	{ HISTORY_CONN, "role", NULL, 0 },
	{ HISTORY_CONN, "outcome", NULL, 0 },
	{ HISTORY_CONN, "src_ip", NULL, 0 },
	{ HISTORY_CONN, "dst_ip", NULL, 0 },
	{ HISTORY_CONN, "src_port", NULL, 0 },
	{ HISTORY_CONN, "dst_port", NULL, 0 },
	{ HISTORY_CONN, NULL, "prog", HISTORY_PROG },
	{ HISTORY_CONN, "pid", NULL, 0 },
	{ HISTORY_CONN, "ended_by", NULL, 0 },
	{ HISTORY_CONN, "src_bytes", NULL, 0 },
	{ HISTORY_CONN, "dst_bytes", NULL, 0 },
	{ HISTORY_CONN, "start", "start_ns", 0 },
	{ HISTORY_CONN, "duration_ns", NULL, 0 },
	{ HISTORY_CONN, NULL, "kind", HISTORY_KIND },
	{ HISTORY_CONN, NULL, "place", HISTORY_PLACE },
	{ HISTORY_CONN, "handshake_ns", NULL, 0 },
	{ HISTORY_CONN, "src_packets", NULL, 0 },
	{ HISTORY_CONN, "dst_packets", NULL, 0 },
	{ HISTORY_CONN, "src_retransmits", NULL, 0 },
	{ HISTORY_CONN, "dst_retransmits", NULL, 0 },
	{ HISTORY_CONN, "syn_synack_ns", NULL, 0 },
	{ HISTORY_CONN, "synack_ack_ns", NULL, 0 },
	{ HISTORY_CONN, "syn_finack_ns", NULL, 0 },
	{ HISTORY_CONN, "request_ns", NULL, 0 },
	{ HISTORY_CONN, "response_ns", NULL, 0 },
	{ HISTORY_CONN, "accept_wait_ns", NULL, 0 },
	{ HISTORY_CONN, "first_fin_ns", NULL, 0 },
	{ HISTORY_CONN, "wire_duration_ns", NULL, 0 },
	{ HISTORY_CONN, "rtt_us", NULL, 0 },
	{ HISTORY_CONN, "min_rtt_us", NULL, 0 },
	{ HISTORY_CONN, "last_request_ns", NULL, 0 },
	{ HISTORY_CONN, "last_response_ns", NULL, 0 },
	{ HISTORY_MORE, "opener_pid", NULL, 0 },
	{ HISTORY_MORE, "wire_src_ip", NULL, 0 },
	{ HISTORY_MORE, "wire_src_port", NULL, 0 },
	{ HISTORY_MORE, "wire_dst_ip", NULL, 0 },
	{ HISTORY_MORE, "wire_dst_port", NULL, 0 },
	{ HISTORY_MORE, "state", NULL, 0 },
	{ HISTORY_MORE, "state_age_ns", NULL, 0 },
	{ HISTORY_MORE, "recv_queue_bytes", NULL, 0 },
	{ HISTORY_MORE, "send_queue_bytes", NULL, 0 },
	{ HISTORY_MORE, "unacked_bytes", NULL, 0 },
	{ HISTORY_MORE, "cwnd", NULL, 0 },
	{ HISTORY_MORE, "last_sent_ns", NULL, 0 },
	{ HISTORY_MORE, "last_received_ns", NULL, 0 },
	{ HISTORY_PROG, "comm", NULL, 0 },
	{ HISTORY_PROG, "exe", NULL, 0 },
	{ HISTORY_PROG, "uid", NULL, 0 },
	{ HISTORY_PROG, "cgroup", NULL, 0 },
	{ HISTORY_PROG, "container", NULL, 0 },
	{ HISTORY_PLACE, "host", NULL, 0 },
	{ HISTORY_PLACE, "netns", NULL, 0 },
	{ HISTORY_PLACE, "netns_name", NULL, 0 },
	{ HISTORY_PLACE, "ifname", NULL, 0 },
	{ HISTORY_PLACE, "vlan", NULL, 0 },
	{ HISTORY_KIND, "owner_by", NULL, 0 },
	{ HISTORY_KIND, "reason", NULL, 0 },
	{ HISTORY_KIND, "conn_state", NULL, 0 },
	{ HISTORY_KIND, "history", NULL, 0 },
	{ HISTORY_KIND, "limited_by", NULL, 0 },
	{ HISTORY_KIND, "seen", NULL, 0 },
	{ HISTORY_KIND, "gaps", NULL, 0 },
};

#define COLUMN_COUNT (sizeof(column_rules) / sizeof(column_rules[0]))
_Static_assert(COLUMN_COUNT <= HISTORY_MOST_COLUMNS, "a set of columns holds all");

static struct history_column all_columns[COLUMN_COUNT];
static struct {
	const struct history_column *first;
	unsigned int count;
} tables[HISTORY_TABLES]; /* parts of all_columns */
static pthread_once_t columns_once = PTHREAD_ONCE_INIT;

static const struct record_field *find_field(const char *key)
{
	char name[FIELD_KEY_SIZE];
	unsigned int i;

	for (i = 0; record_field_name(i, name); i++)
		if (!strcmp(name, key))
			return &record_fields[i];
	return NULL;
}

static void fill_columns(void)
{
	size_t i;

	for (i = 0; i < COLUMN_COUNT; i++) {
		const char *key = column_rules[i].key;
		struct history_column *column = &all_columns[i];

		column->table = column_rules[i].table;
		column->name = column_rules[i].name ? column_rules[i].name : key;
		column->dictionary = column_rules[i].dictionary;
		column->field = key ? find_field(key) : NULL;
		column->kind = column->field ? record_field_kind(column->field) : FIELD_KIND_DERIVED;
		if (!tables[column->table].count++)
			tables[column->table].first = column;
	}
}

const struct history_column *history_columns_all(unsigned int *count)
{
	pthread_once(&columns_once, fill_columns);
	*count = COLUMN_COUNT;
	return all_columns;
}

const struct history_column *history_columns_of(enum history_table table, unsigned int *count)
{
	pthread_once(&columns_once, fill_columns);
	*count = tables[table].count;
	return tables[table].first;
}

static bool add_column_of_key(struct history_columns *columns, const char *key)
{
	unsigned int i, count;
	const struct history_column *all = history_columns_all(&count);

	for (i = 0; i < count; i++) {
		if (!column_rules[i].key || strcmp(column_rules[i].key, key))
			continue;
		history_columns_set(columns, i);
		return all[i].field != NULL;
	}
	return false;
}

bool history_columns_add(struct history_columns *columns, const char *key)
{
	if (!strcmp(key, "v"))
		return true;
	if (!strcmp(key, "complete"))
		return add_column_of_key(columns, "gaps");
	if (!strcmp(key, "family"))
		return add_column_of_key(columns, "dst_ip");
	if (!strcmp(key, "community_id"))
		return add_column_of_key(columns, "src_ip") && add_column_of_key(columns, "dst_ip") &&
		       add_column_of_key(columns, "src_port") && add_column_of_key(columns, "dst_port");
	return add_column_of_key(columns, key);
}

/* ---- out of a record ---- */

static const void *column_member(const struct history_column *column, const struct nt_record *record)
{
	return (const char *)record + column->field->offset;
}

/* Returns NULL if there is none. */
static const char *column_string(const struct history_column *column, const struct nt_record *record, size_t *size)
{
	const char *string = column_member(column, record);

	switch (column->kind) {
	case FIELD_KIND_POINTER:
		string = *(const char *const *)column_member(column, record);
		*size = string ? strlen(string) : 0;
		return string;
	case FIELD_KIND_HISTORY:
		string = record->long_history ? record->long_history : record->history;
		*size = strlen(string);
		return string;
	default:
		*size = strnlen(string, column->field->size);
		return string;
	}
}

bool history_column_is_present(const struct history_column *column, const struct nt_record *record)
{
	return record_has_field(record, column->field);
}

/* Returns false unless the id is 16 digits, as netracker writes them: records of other programs may have others. */
static bool parse_id(const char *id, __u64 *number)
{
	int i;

	*number = 0;
	for (i = 0; i < ID_DIGITS; i++) {
		const char *digit = id[i] ? strchr("0123456789abcdef", id[i]) : NULL;

		if (!digit)
			return false;
		*number = *number << 4 | (__u64)(digit - "0123456789abcdef");
	}
	return !id[ID_DIGITS];
}

static void write_id(char id[NT_ID_SIZE], __u64 number)
{
	int i;

	for (i = ID_DIGITS - 1; i >= 0; i--, number >>= 4)
		id[i] = "0123456789abcdef"[number & 0xf];
	id[ID_DIGITS] = '\0';
}

static bool is_id(const struct history_column *column)
{
	return column->field->offset == offsetof(struct nt_record, id);
}

static int bind_string(const struct history_column *column, const struct nt_record *record, sqlite3_stmt *statement,
		       int parameter, struct text_buffer *scratch)
{
	const char *string;
	__u64 number;
	size_t size;

	if (is_id(column) && parse_id(record->id, &number))
		return sqlite3_bind_int64(statement, parameter, (sqlite3_int64)number);
	string = column_string(column, record, &size);
	if (!string)
		return sqlite3_bind_null(statement, parameter);
	if (column->field->type == FIELD_WORD)
		return sqlite3_bind_text(statement, parameter, string, (int)size, SQLITE_STATIC);
	scratch->used = 0;
	scratch->failed = false;
	escape_text(scratch, string, size);
	if (scratch->failed)
		return SQLITE_NOMEM;
	return sqlite3_bind_text(statement, parameter, size ? scratch->bytes : "", (int)scratch->used,
				 SQLITE_TRANSIENT);
}

static int bind_address(const __u8 *address, sqlite3_stmt *statement, int parameter)
{
	if (nt_address_family(address) == 4)
		return sqlite3_bind_blob(statement, parameter, address + MAPPED_PREFIX_SIZE, IPV4_SIZE, SQLITE_STATIC);
	return sqlite3_bind_blob(statement, parameter, address, IPV6_SIZE, SQLITE_STATIC);
}

int history_column_bind(const struct history_column *column, const struct nt_record *record, sqlite3_stmt *statement,
			int parameter, struct text_buffer *scratch)
{
	const void *member = column_member(column, record);

	if (!history_column_is_present(column, record))
		return sqlite3_bind_null(statement, parameter);
	switch (column->kind) {
	case FIELD_KIND_INTEGER:
	case FIELD_KIND_ENUMERATOR:
	case FIELD_KIND_BITS:
	case FIELD_KIND_TIME:
		return sqlite3_bind_int64(statement, parameter,
					  (sqlite3_int64)record_field_integer(column->field, record));
	case FIELD_KIND_ADDRESS:
		return bind_address(member, statement, parameter);
	default:
		return bind_string(column, record, statement, parameter, scratch);
	}
}

void history_column_append(const struct history_column *column, const struct nt_record *record,
			   struct text_buffer *bytes)
{
	const char *string;
	size_t size;

	text_char(bytes, history_column_is_present(column, record));
	if (!history_column_is_present(column, record))
		return;
	switch (column->kind) {
	case FIELD_KIND_INTEGER:
	case FIELD_KIND_ENUMERATOR:
	case FIELD_KIND_BITS:
	case FIELD_KIND_TIME:
		text_append(bytes, column_member(column, record), column->field->size);
		return;
	case FIELD_KIND_ADDRESS:
		text_append(bytes, column_member(column, record), IPV6_SIZE);
		return;
	default:
		string = column_string(column, record, &size);
		text_char(bytes, string != NULL);
		text_append(bytes, string, size);
		text_char(bytes, '\0');
	}
}

/* ---- into a record ---- */

static bool load_integer(const struct history_column *column, void *member, sqlite3_value *value)
{
	sqlite3_int64 number = sqlite3_value_int64(value);

	if (!record_member_set_integer(member, column->field->size, number))
		return false;
	if (column->kind == FIELD_KIND_ENUMERATOR)
		return field_name(column->field->names, (unsigned int)number);
	return column->kind != FIELD_KIND_BITS || !((__u64)number >> column->field->names->count);
}

static bool load_address(__u8 *member, sqlite3_value *value)
{
	const void *bytes = sqlite3_value_blob(value);
	int size = sqlite3_value_bytes(value);

	if (size != IPV4_SIZE && size != IPV6_SIZE)
		return false;
	memset(member, 0, IPV6_SIZE);
	memset(member + MAPPED_PREFIX_SIZE - 2, 0xff, 2);
	memcpy(member + IPV6_SIZE - size, bytes, (size_t)size);
	return true;
}

/* Allocates the text with a NUL behind it. Words need no escaping in any format, so that only plain ones are taken. Returns 0,
 * or -errno. */
static int copy_text(const struct history_column *column, sqlite3_value *value, char **copy, size_t *size)
{
	const char *text = (const char *)sqlite3_value_text(value);

	*size = (size_t)sqlite3_value_bytes(value);
	if (!text)
		return -ENOMEM;
	if (memchr(text, '\0', *size) || (column->field->type == FIELD_WORD && !record_word_is_plain(text)))
		return -EUCLEAN;
	*copy = malloc(*size + 1);
	if (!*copy)
		return -ENOMEM;
	memcpy(*copy, text, *size);
	if (column->field->type != FIELD_WORD)
		*size = escape_text_undo(*copy, *size);
	(*copy)[*size] = '\0';
	return 0;
}

/* An array of characters that is full ends with no NUL; one of a word always does. */
static bool load_characters(const struct history_column *column, char *member, const char *text, size_t size)
{
	size_t most = column->kind == FIELD_KIND_CHARACTERS ? column->field->size : column->field->size - 1;

	if (size > most)
		return false;
	memset(member, 0, column->field->size);
	memcpy(member, text, size);
	return true;
}

static int load_string(const struct history_column *column, struct nt_record *record, sqlite3_value *value)
{
	char *member = (char *)record + column->field->offset, *text;
	size_t size;
	bool fits;
	int error;

	if (is_id(column) && sqlite3_value_type(value) == SQLITE_INTEGER) {
		write_id(record->id, (__u64)sqlite3_value_int64(value));
		return 0;
	}
	error = copy_text(column, value, &text, &size);
	if (error)
		return error;
	if (column->kind == FIELD_KIND_POINTER || column->kind == FIELD_KIND_HISTORY) {
		history_column_free(column, record);
		if (column->kind == FIELD_KIND_HISTORY)
			record->long_history = text;
		else
			*(const char **)member = text;
		return 0;
	}
	fits = load_characters(column, member, text, size);
	free(text);
	return fits ? 0 : -EUCLEAN;
}

int history_column_load(const struct history_column *column, struct nt_record *record, sqlite3_value *value)
{
	void *member = (char *)record + column->field->offset;
	int type = sqlite3_value_type(value), error;

	if (type == SQLITE_NULL)
		return 0;
	switch (column->kind) {
	case FIELD_KIND_INTEGER:
	case FIELD_KIND_ENUMERATOR:
	case FIELD_KIND_BITS:
	case FIELD_KIND_TIME:
		error = type == SQLITE_INTEGER && load_integer(column, member, value) ? 0 : -EUCLEAN;
		break;
	case FIELD_KIND_ADDRESS:
		error = type == SQLITE_BLOB && load_address(member, value) ? 0 : -EUCLEAN;
		break;
	default:
		error = load_string(column, record, value);
	}
	if (!error && column->field->present >= 0)
		nt_record_set(record, column->field->present);
	return error;
}

void history_column_free(const struct history_column *column, struct nt_record *record)
{
	const char **pointer = (const char **)((char *)record + column->field->offset);

	if (column->kind == FIELD_KIND_HISTORY)
		pointer = &record->long_history;
	else if (column->kind != FIELD_KIND_POINTER)
		return;
	free((char *)*pointer);
	*pointer = NULL;
}

void history_column_copy(const struct history_column *column, struct nt_record *to, const struct nt_record *from)
{
	int bit = column->field->present;

	if (!record_has_field(from, column->field))
		return;
	if (bit >= 0)
		nt_record_set(to, bit);
	if (column->kind == FIELD_KIND_HISTORY)
		to->long_history = from->long_history;
	else
		memcpy((char *)to + column->field->offset, (const char *)from + column->field->offset,
		       column->field->size);
}
