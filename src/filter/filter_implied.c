// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/filter/filter_implied.h"

#include <string.h>

#include "src/filter/filter_sql.h"
#include "src/filter/filter_tree.h"

#define MOST_VALUES 1000 /* of one comparison; a statement has an end */
#define PLAIN_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ./:@-"
#define NS_PER_US 1000
#define COMM_SIZE 15 /* the kernel truncates longer names */

struct implied_writer {
	struct text_buffer *sql;
	enum filter_part part;
	bool is_reduced;
	bool is_exact; /* until a part of the filter is left out */
};

/* ---- values ---- */

static bool is_of_key(const struct filter_field *field, const char *begin)
{
	return field->key && !strncmp(field->key->key + 1, begin, strlen(begin));
}

static bool is_one_address(const struct nt_network *network)
{
	return !~network->mask[0] && !~network->mask[1];
}

/* A network of IPv6 holds no IPv4 address, but the table has these within ::ffff:0:0/96. */
static bool covers_mapped_addresses(const struct nt_network *network)
{
	static const __u8 mapped[16] = { [10] = 0xff, [11] = 0xff };
	__u64 words[2];

	memcpy(words, mapped, sizeof(words));
	return network->family == 6 && (words[0] & network->mask[0]) == network->address[0] &&
	       (words[1] & network->mask[1]) == network->address[1];
}

static void append_address_range(struct text_buffer *sql, const struct nt_network *network, const char *column)
{
	const __u64 last[2] = { network->address[0] | ~network->mask[0], network->address[1] | ~network->mask[1] };
	const char *mapped = network->family == 4 ? "::ffff:" : "";
	char first_text[ADDRESS_TEXT_SIZE], last_text[ADDRESS_TEXT_SIZE];

	record_address_text(first_text, (const __u8 *)network->address);
	record_address_text(last_text, (const __u8 *)last);
	text_format(sql, "%s BETWEEN toIPv6('%s%s') AND toIPv6('%s%s')", column, mapped, first_text, mapped, last_text);
	if (covers_mapped_addresses(network))
		text_format(sql, " AND NOT (%s BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255'))",
			    column);
}

static void append_address_bytes(struct text_buffer *sql, const __u64 address[2])
{
	text_format(sql, "unhex('%016llx%016llx')", (unsigned long long)__builtin_bswap64(address[0]),
		    (unsigned long long)__builtin_bswap64(address[1]));
}

/* The address is text. A function has no error for that of the other family. */
static void append_reduced_range(struct text_buffer *sql, const struct nt_network *network, const char *column)
{
	const __u64 last[2] = { network->address[0] | ~network->mask[0], network->address[1] | ~network->mask[1] };

	if (network->family == 4) {
		text_format(sql, "position(%s, ':') = 0 AND IPv4StringToNum(%s) BETWEEN %u AND %u", column, column,
			    (__u32)__builtin_bswap64(network->address[1]), (__u32)__builtin_bswap64(last[1]));
		return;
	}
	text_format(sql, "position(%s, ':') > 0 AND IPv6StringToNum(%s) BETWEEN ", column, column);
	append_address_bytes(sql, network->address);
	text_string(sql, " AND ");
	append_address_bytes(sql, last);
}

static void append_reduced_address(struct text_buffer *sql, const struct nt_network *network, const char *column)
{
	char text[ADDRESS_TEXT_SIZE];

	if (!is_one_address(network)) {
		append_reduced_range(sql, network, column);
		return;
	}
	record_address_text(text, (const __u8 *)network->address);
	text_format(sql, "%s = '%s'", column, text);
}

/* The columns of an address or a port, of which one must match. */
struct implied_columns {
	const char *columns[2]; /* the second one is NULL: one column */
};

static const struct {
	const char *name; /* of a field that is computed from both sides */
	struct implied_columns columns;
} side_fields[] = {
	{ "local", { { "if(role = 'server', dst_ip, src_ip)" } } },
	{ "remote", { { "if(role = 'server', src_ip, dst_ip)" } } },
	{ "lport", { { "if(role = 'server', dst_port, src_port)" } } },
	{ "rport", { { "if(role = 'server', src_port, dst_port)" } } },
};

/* Which side is the local one may change within an id, so either side may match for all its records. Returns false if the
 * table cannot test the field. */
static bool find_implied_columns(const struct implied_writer *writer, const struct filter_field *field,
				 struct implied_columns *columns)
{
	static const struct implied_columns addresses = { { "src_ip", "dst_ip" } },
					    ports = { { "src_port", "dst_port" } };
	size_t i;

	if (is_of_key(field, "wire_"))
		return false;
	*columns = field->type == FILTER_ADDRESS ? addresses : ports;
	if (writer->part == FILTER_OF_ID)
		return true;
	if (is_of_key(field, "src_"))
		columns->columns[1] = NULL;
	else if (is_of_key(field, "dst_"))
		*columns = (struct implied_columns){ { columns->columns[1] } };
	for (i = 0; i < sizeof(side_fields) / sizeof(side_fields[0]); i++)
		if (!strcmp(side_fields[i].name, field->name))
			*columns = side_fields[i].columns;
	return true;
}

static bool append_implied_address(const struct implied_writer *writer, const struct filter_field *field,
				   const struct nt_network *network)
{
	void (*append)(struct text_buffer *, const struct nt_network *,
		       const char *) = writer->is_reduced ? append_reduced_address : append_address_range;
	struct implied_columns columns;

	if (!find_implied_columns(writer, field, &columns))
		return false;
	append(writer->sql, network, columns.columns[0]);
	if (columns.columns[1]) {
		text_string(writer->sql, " OR ");
		append(writer->sql, network, columns.columns[1]);
	}
	return true;
}

static bool append_implied_port(const struct implied_writer *writer, const struct filter_field *field,
				const struct filter_value *value)
{
	long long low = value->low, high = value->high;
	struct implied_columns columns;

	if (!find_implied_columns(writer, field, &columns))
		return false;
	text_format(writer->sql, "%s BETWEEN %lld AND %lld", columns.columns[0], low, high);
	if (columns.columns[1])
		text_format(writer->sql, " OR %s BETWEEN %lld AND %lld", columns.columns[1], low, high);
	return true;
}

static void append_column_name(struct text_buffer *sql, const struct record_field *key)
{
	text_append(sql, key->key + 1, key->key_size - strlen("\"\":"));
}

static bool append_one_word(const struct implied_writer *writer, const struct filter_node *node,
			    const struct filter_value *value)
{
	const struct field_names *names = node->field.names;
	unsigned int i, count = 0;

	append_column_name(writer->sql, node->field.key);
	text_string(writer->sql, " IN (");
	for (i = 0; i < names->count; i++)
		if (names->names[i] && value->bits >> i & 1)
			text_format(writer->sql, "%s'%s'", count++ ? ", " : "", names->names[i]);
	text_char(writer->sql, ')');
	return count;
}

static bool append_plain_text(const struct implied_writer *writer, const struct filter_node *node,
			      const struct filter_value *value)
{
	if (value->pattern || !value->size || strspn(value->text, PLAIN_CHARACTERS) != value->size ||
	    (node->field.type == FILTER_COMM && value->size >= COMM_SIZE))
		return false;
	append_column_name(writer->sql, node->field.key);
	text_string(writer->sql, " = '");
	text_append(writer->sql, value->text, value->size);
	text_char(writer->sql, '\'');
	return true;
}

static bool is_order_relation(enum filter_operator relation)
{
	return relation == FILTER_LESS || relation == FILTER_AT_MOST || relation == FILTER_GREATER ||
	       relation == FILTER_AT_LEAST;
}

static bool append_implied_number(const struct implied_writer *writer, const struct filter_node *node,
				  const struct filter_value *value)
{
	if (value->is_percent)
		return false;
	append_column_name(writer->sql, node->field.key);
	if (node->field.type == FILTER_DURATION && node->field.unit_ns == NS_PER_US)
		text_string(writer->sql, " * 1000");
	if (is_order_relation(node->relation))
		text_format(writer->sql, " %s %lld", filter_relation_sql(node->relation), (long long)value->low);
	else
		text_format(writer->sql, " BETWEEN %lld AND %lld", (long long)value->low, (long long)value->high);
	return true;
}

/* ---- the tree ---- */

static bool is_of_order(const struct filter_node *node)
{
	return node->field.type == FILTER_NUMBER || node->field.type == FILTER_DURATION ||
	       node->field.type == FILTER_SIZE;
}

/* Returns false if the table cannot test the value; what was appended is then removed. */
static bool append_implied_value(const struct implied_writer *writer, const struct filter_node *node,
				 const struct filter_value *value)
{
	bool is_of_record = writer->part == FILTER_OF_RECORD && node->field.key &&
			    !is_of_key(&node->field, "community_id"); /* the table has none */

	switch (node->field.type) {
	case FILTER_ADDRESS:
		return append_implied_address(writer, &node->field, &value->network);
	case FILTER_PORT:
		return append_implied_port(writer, &node->field, value);
	case FILTER_NAME:
		return is_of_record && append_one_word(writer, node, value);
	case FILTER_TEXT:
	case FILTER_COMM:
		return is_of_record && append_plain_text(writer, node, value);
	default:
		return is_of_record && is_of_order(node) && append_implied_number(writer, node, value);
	}
}

static bool append_implied_values(const struct implied_writer *writer, const struct filter_node *node)
{
	unsigned int i;

	if ((node->relation != FILTER_EQUAL && !(is_of_order(node) && is_order_relation(node->relation))) ||
	    node->count > MOST_VALUES)
		return false;
	for (i = 0; i < node->count; i++) {
		text_string(writer->sql, i ? " OR " : "");
		if (!append_implied_value(writer, node, &node->values[i]))
			return false;
	}
	return node->count;
}

static bool append_implied_node(struct implied_writer *writer, const struct filter_node *node);

/* Appends what is known of `and`: one side may do. */
static bool append_sides_of_and(struct implied_writer *writer, const struct filter_node *node)
{
	size_t begin = writer->sql->used, middle;
	bool has_left = append_implied_node(writer, node->left), has_right;

	if (!has_left)
		writer->sql->used = begin;
	middle = writer->sql->used;
	text_string(writer->sql, has_left ? " AND " : "");
	has_right = append_implied_node(writer, node->right);
	if (!has_right)
		writer->sql->used = middle;
	return has_left || has_right;
}

/* Both sides of `or` are needed. */
static bool append_sides_of_or(struct implied_writer *writer, const struct filter_node *node)
{
	if (!append_implied_node(writer, node->left))
		return false;
	text_string(writer->sql, " OR ");
	return append_implied_node(writer, node->right);
}

/* Returns false if nothing is known; what was appended is then to be removed. */
static bool append_implied_node(struct implied_writer *writer, const struct filter_node *node)
{
	bool is_known = false;

	text_char(writer->sql, '(');
	if (node->kind == FILTER_COMPARE)
		is_known = append_implied_values(writer, node);
	else if (node->kind == FILTER_AND)
		is_known = append_sides_of_and(writer, node);
	else if (node->kind == FILTER_OR)
		is_known = append_sides_of_or(writer, node);
	text_char(writer->sql, ')');
	writer->is_exact = writer->is_exact && is_known;
	return is_known;
}

static void append_implied_condition(struct implied_writer *writer, const struct filter_node *node)
{
	size_t begin = writer->sql->used;

	text_string(writer->sql, " AND ");
	if (!append_implied_node(writer, node))
		writer->sql->used = begin;
}

bool filter_append_implied(const struct filter *filter, enum filter_part part, bool is_reduced, struct text_buffer *sql)
{
	struct implied_writer writer = { sql, part, is_reduced, true };
	unsigned int i;

	for (i = 0; filter && i < filter->option_count; i++)
		append_implied_condition(&writer, filter->options[i]);
	if (filter && filter->expression)
		append_implied_condition(&writer, filter->expression);
	return writer.is_exact;
}
