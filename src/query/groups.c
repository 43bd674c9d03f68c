// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/query/query_columns.h"
#include "src/util/quantity.h"

const char *const group_column_names[GROUP_COLUMNS] = { "conns", "failed", "sent", "received", "retrans" };

/* ---- the order ---- */

static bool find_group_column(const char *name, enum group_column *column)
{
	unsigned int i;

	if (!strcmp(name, "recv")) /* as the filter language has it */
		name = "received";
	for (i = 0; i < GROUP_COLUMNS; i++) {
		*column = (enum group_column)i;
		if (!strcmp(name, group_column_names[i]))
			return true;
	}
	return false;
}

static bool is_number(const struct filter_field *field)
{
	return field->type == FILTER_NUMBER || field->type == FILTER_DURATION || field->type == FILTER_SIZE ||
	       field->type == FILTER_COUNT_OR_RATIO;
}

/* Parses "p95:handshake_ns". */
static bool parse_percentile(struct group_order *order, const char *text)
{
	const char *colon = strchr(text, ':');
	char number[4];
	__u64 percent;

	if (*text != 'p' || !colon || colon - text > 4 || strlen(text) >= GROUP_SORT_SIZE)
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)(colon - text - 1), text + 1);
	if (!quantity_number(number, 1, 100, &percent) || !filter_field_find(colon + 1, &order->field))
		return false;
	order->percent = (unsigned int)percent;
	snprintf(order->name, sizeof(order->name), "%s", text);
	return is_number(&order->field);
}

bool group_order_parse(struct group_order *order, const struct group_keys *keys, const char *text, char *reason,
		       size_t size)
{
	if (!text) {
		order->by_key = keys->keys[0].kind == GROUP_BY_TIME;
		order->column = GROUP_CONNS;
		return true;
	}
	if (find_group_column(text, &order->column) || parse_percentile(order, text))
		return true;
	snprintf(
		reason, size,
		"'%.60s' is not valid with --by; valid: conns, failed, sent, received, retrans, or a percentile from p1 to "
		"p100 of a number, as p95:handshake_ns",
		text);
	return false;
}

/* ---- records ---- */

void groups_add_columns(const struct groups *groups, struct history_columns *columns)
{
	query_columns_add_keys(columns, "event role outcome src_bytes dst_bytes src_retransmits dst_retransmits");
	group_keys_add_columns(&groups->keys, columns);
	if (groups->order.percent)
		query_columns_add_field(columns, &groups->order.field);
}

bool groups_init(struct groups *groups)
{
	return hash_map_init(&groups->map);
}

static void free_group(struct group *group)
{
	group_values_free(&group->values);
	free(group);
}

void groups_free(struct groups *groups)
{
	size_t i;

	for (i = 0; i < groups->count; i++)
		free_group(groups->list[i]);
	free(groups->list);
	hash_map_free(&groups->map);
	text_free(&groups->key);
	*groups = (struct groups){ 0 };
}

/* Sets `key` to the record's. Returns its group, or NULL. */
static struct group *find_group(struct groups *groups, const struct nt_record *record, __u64 *hash)
{
	struct hash_node *node;

	groups->key.used = 0;
	group_keys_append(&groups->keys, record, &groups->key);
	*hash = hash_map_hash(&groups->map, groups->key.bytes, groups->key.used);
	for (node = hash_map_first(&groups->map, *hash); node; node = hash_map_next(node)) {
		struct group *group = hash_map_entry(node, struct group, node);

		if (group->key_size == groups->key.used && !memcmp(group->key, groups->key.bytes, group->key_size))
			return group;
	}
	return NULL;
}

static bool reserve_group(struct groups *groups)
{
	size_t capacity = groups->capacity ? 2 * groups->capacity : 256;
	struct group **larger;

	if (groups->count < groups->capacity)
		return true;
	larger = reallocarray(groups->list, capacity, sizeof(*larger));
	if (!larger)
		return false;
	groups->list = larger;
	groups->capacity = capacity;
	return true;
}

static struct group *add_group(struct groups *groups, __u64 hash)
{
	struct group *group = reserve_group(groups) ? calloc(1, sizeof(*group) + groups->key.used) : NULL;

	if (!group)
		return NULL;
	group->key_size = groups->key.used;
	memcpy(group->key, groups->key.bytes, group->key_size);
	hash_map_insert(&groups->map, &group->node, hash);
	groups->list[groups->count++] = group;
	return group;
}

static void add_known(struct group *group, enum group_column column, bool is_known, __u64 value)
{
	if (!is_known)
		return;
	group->is_known[column] = true;
	group->sums[column] += value;
}

static bool connection_failed(const struct nt_record *record)
{
	return record->outcome != NT_OUTCOME_CLOSED && record->outcome != NT_OUTCOME_OPEN;
}

static void add_sums(struct group *group, const struct nt_record *record)
{
	enum nt_side local = nt_record_local_side(record);
	bool has_bytes[2] = { nt_record_has(record, NT_HAS_SRC_BYTES), nt_record_has(record, NT_HAS_DST_BYTES) };

	add_known(group, GROUP_CONNS, true, 1);
	add_known(group, GROUP_FAILED, true, connection_failed(record));
	add_known(group, GROUP_SENT, has_bytes[local], record->bytes[local]);
	add_known(group, GROUP_RECEIVED, has_bytes[!local], record->bytes[!local]);
	add_known(group, GROUP_RETRANS, nt_record_has(record, NT_HAS_SRC_RETRANSMITS), record->retransmits[NT_SRC]);
	add_known(group, GROUP_RETRANS, nt_record_has(record, NT_HAS_DST_RETRANSMITS), record->retransmits[NT_DST]);
}

static void add_value(struct groups *groups, struct group *group, const struct nt_record *record)
{
	struct filter_operand operand;

	filter_field_get(&groups->order.field, record, &operand);
	if (operand.count && !group_values_add(&group->values, operand.number[0]))
		groups->failed = true;
}

void groups_add(struct groups *groups, const struct nt_record *record)
{
	__u64 hash;
	struct group *group = find_group(groups, record, &hash);

	if (!group && groups->count == MOST_GROUPS) {
		groups->left_out++;
		return;
	}
	if (!group && !groups->key.failed)
		group = add_group(groups, hash);
	if (!group) {
		groups->failed = true;
		return;
	}
	add_sums(group, record);
	if (groups->order.percent)
		add_value(groups, group, record);
}

void groups_note_before(struct groups *groups, const struct nt_record *record)
{
	__u64 hash;
	struct group *group = find_group(groups, record, &hash);

	if (group)
		group->was_before = true;
}

void groups_remove_before(struct groups *groups)
{
	size_t kept = 0, i;

	for (i = 0; i < groups->count; i++) {
		struct group *group = groups->list[i];

		if (!group->was_before) {
			groups->list[kept++] = group;
			continue;
		}
		hash_map_remove(&groups->map, &group->node);
		free_group(group);
	}
	groups->count = kept;
}

/* ---- the list ---- */

static int order_keys(const struct group *one, const struct group *other)
{
	size_t size = one->key_size < other->key_size ? one->key_size : other->key_size;
	int order = memcmp(one->key, other->key, size);

	return order ? order : (one->key_size > other->key_size) - (one->key_size < other->key_size);
}

/* The largest first. */
static int order_numbers(__s64 one, __s64 other)
{
	return (one < other) - (one > other);
}

/* Unknown values come last, whatever the direction is. */
static int order_groups(const void *left, const void *right, void *context)
{
	const struct group *one = *(struct group *const *)left, *other = *(struct group *const *)right;
	const struct group_order *order = context;
	bool knows_one = order->percent ? one->has_percentile : one->is_known[order->column];
	bool knows_other = order->percent ? other->has_percentile : other->is_known[order->column];
	int result;

	if (order->by_key)
		return order->reversed ? order_keys(other, one) : order_keys(one, other);
	if (knows_one != knows_other)
		return knows_one ? -1 : 1;
	if (order->percent)
		result = order_numbers(one->percentile, other->percentile);
	else
		result = order_numbers((__s64)one->sums[order->column], (__s64)other->sums[order->column]);
	result = order->reversed ? -result : result;
	return result ? result : order_keys(one, other);
}

void groups_sort(struct groups *groups)
{
	size_t i;

	for (i = 0; i < groups->count && groups->order.percent; i++) {
		struct group *group = groups->list[i];

		group->has_percentile = group_values_count(&group->values);
		if (group->has_percentile)
			group->percentile = group_values_percentile(&group->values, groups->order.percent);
	}
	if (groups->count)
		qsort_r(groups->list, groups->count, sizeof(*groups->list), order_groups, &groups->order);
}

bool groups_are_approximate(const struct groups *groups)
{
	size_t i;

	for (i = 0; i < groups->count; i++)
		if (group_values_are_approximate(&groups->list[i]->values))
			return true;
	return false;
}
