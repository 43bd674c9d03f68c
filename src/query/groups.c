// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/query/query_columns.h"
#include "src/util/quantity.h"
#include "src/util/stop.h"

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
	order->unit = filter_field_unit(&order->field);
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

static void free_group(const struct groups *groups, struct group *group)
{
	group_values_free(&group->values, groups->budget);
	free(group);
}

void groups_free(struct groups *groups)
{
	size_t i;

	for (i = 0; i < groups->count; i++)
		free_group(groups, groups->list[i]);
	free(groups->list);
	hash_map_free(&groups->map);
	*groups = (struct groups){ 0 };
}

static struct group *find_group(const struct groups *groups, const char *key, size_t size, __u64 hash)
{
	struct hash_node *node;

	for (node = hash_map_first(&groups->map, hash); node; node = hash_map_next(node)) {
		struct group *group = hash_map_entry(node, struct group, node);

		if (group->key_size == size && !memcmp(group->key, key, size))
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

static struct group *new_group(struct groups *groups, const struct group_row *row)
{
	struct group *group = reserve_group(groups) ? calloc(1, sizeof(*group) + row->key.used) : NULL;

	if (!group)
		return NULL;
	group->key_size = (__u32)row->key.used;
	memcpy(group->key, row->key.bytes, row->key.used);
	hash_map_insert(&groups->map, &group->node, row->hash);
	groups->list[groups->count++] = group;
	return group;
}

static void set_sum(struct group_sums *sums, enum group_column column, bool is_known, __u64 value)
{
	if (!is_known)
		return;
	sums->known |= 1U << column;
	sums->sums[column] += value;
}

static bool connection_failed(const struct nt_record *record)
{
	return record->outcome != NT_OUTCOME_CLOSED && record->outcome != NT_OUTCOME_OPEN;
}

static void set_sums_of_record(struct group_sums *sums, const struct nt_record *record)
{
	enum nt_side local = nt_record_local_side(record);
	bool has_bytes[2] = { nt_record_has(record, NT_HAS_SRC_BYTES), nt_record_has(record, NT_HAS_DST_BYTES) };

	*sums = (struct group_sums){ 0 };
	set_sum(sums, GROUP_CONNS, true, 1);
	set_sum(sums, GROUP_FAILED, true, connection_failed(record));
	set_sum(sums, GROUP_SENT, has_bytes[local], record->bytes[local]);
	set_sum(sums, GROUP_RECEIVED, has_bytes[!local], record->bytes[!local]);
	set_sum(sums, GROUP_RETRANS, nt_record_has(record, NT_HAS_SRC_RETRANSMITS), record->retransmits[NT_SRC]);
	set_sum(sums, GROUP_RETRANS, nt_record_has(record, NT_HAS_DST_RETRANSMITS), record->retransmits[NT_DST]);
}

static void set_value(struct group_row *row, const struct groups *groups, const struct nt_record *record)
{
	struct filter_operand operand;

	filter_field_get(&groups->order.field, record, &operand);
	row->has_value = operand.count;
	row->value = operand.number[0] / groups->order.unit;
}

static void fill_group_row(struct group_row *row, const struct groups *groups, const struct nt_record *record)
{
	row->key.used = 0;
	group_keys_append(&groups->keys, record, &row->key);
	row->hash = hash_map_hash(&groups->map, row->key.bytes, row->key.used);
	if (groups->order.percent)
		set_value(row, groups, record);
}

static void add_sums(struct group_sums *to, const struct group_sums *from)
{
	unsigned int i;

	to->known |= from->known;
	for (i = 0; i < GROUP_COLUMNS; i++)
		to->sums[i] += from->sums[i];
}

/* `group` is NULL if there is none. */
static void add_to_group(struct groups *groups, struct group *group, const struct group_row *row)
{
	__u64 i;

	if (!group && !row->key.failed)
		group = new_group(groups, row);
	if (!group) {
		groups->failed = true;
		return;
	}
	add_sums(&group->sums, &row->sums);
	/* a server says how many there are, which may be a lie */
	for (i = 0; row->has_value && i < row->sums.sums[GROUP_CONNS] && !stop_is_requested(); i++)
		if (!group_values_add(&group->values, groups->budget, row->value))
			groups->failed = true;
}

void groups_note_before(const struct groups *groups, struct text_buffer *key, const struct nt_record *record)
{
	struct group *group;

	key->used = 0;
	group_keys_append(&groups->keys, record, key);
	group = find_group(groups, key->bytes, key->used, hash_map_hash(&groups->map, key->bytes, key->used));
	if (group)
		__atomic_store_n(&group->was_before, true, __ATOMIC_RELAXED);
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
		free_group(groups, group);
	}
	groups->count = kept;
}

/* ---- parts ---- */

bool group_parts_init(struct group_parts *parts, struct groups *whole, unsigned int count)
{
	unsigned int i;

	*parts = (struct group_parts){ .whole = whole, .parts = calloc(count, sizeof(*parts->parts)) };
	pthread_mutex_init(&parts->lock, NULL);
	for (i = 0; parts->parts && i < count; i++) {
		struct groups *groups = &parts->parts[i].groups;

		parts->count = i + 1;
		parts->parts[i].all = parts;
		groups->keys = whole->keys;
		groups->order = whole->order;
		groups->budget = whole->budget;
		if (!groups_init(groups))
			return false;
		/* So that a hash is the same in all. */
		memcpy(groups->map.secret, whole->map.secret, sizeof(whole->map.secret));
	}
	return parts->parts;
}

void group_parts_free(struct group_parts *parts)
{
	unsigned int i, row;

	for (i = 0; i < parts->count; i++) {
		groups_free(&parts->parts[i].groups);
		for (row = 0; row < GROUP_ROWS_WAITING; row++)
			text_free(&parts->parts[i].rows[row].key);
	}
	free(parts->parts);
	pthread_mutex_destroy(&parts->lock);
}

static void merge_group(struct groups *groups, struct group *group, struct group *other)
{
	add_sums(&group->sums, &other->sums);
	if (!group_values_merge(&group->values, groups->budget, &other->values))
		groups->failed = true;
}

/* Moves a group, which is in no map, or adds it to the one with the same key. */
static void move_group(struct groups *groups, struct group *moved)
{
	struct group *group = find_group(groups, moved->key, moved->key_size, moved->node.hash);

	if (group) {
		merge_group(groups, group, moved);
	} else if (groups->count == MOST_GROUPS) {
		groups->left_out += moved->sums.sums[GROUP_CONNS];
	} else if (!reserve_group(groups)) {
		groups->failed = true;
	} else {
		hash_map_insert(&groups->map, &moved->node, moved->node.hash);
		groups->list[groups->count++] = moved;
		return;
	}
	free_group(groups, moved);
}

static void move_part(struct group_part *part)
{
	struct groups *groups = &part->groups, *whole = part->all->whole;
	size_t i;

	pthread_mutex_lock(&part->all->lock);
	for (i = 0; i < groups->count; i++) {
		hash_map_remove(&groups->map, &groups->list[i]->node);
		move_group(whole, groups->list[i]);
	}
	whole->failed = whole->failed || groups->failed;
	pthread_mutex_unlock(&part->all->lock);
	__atomic_sub_fetch(&part->all->in_parts, groups->count, __ATOMIC_RELAXED);
	groups->count = 0;
}

/* Before the part gets another group: all parts together may have only so many. */
static void reserve_in_parts(struct group_part *part)
{
	__u64 *count = &part->all->in_parts;

	if (__atomic_add_fetch(count, 1, __ATOMIC_RELAXED) <= MOST_GROUPS)
		return;
	__atomic_sub_fetch(count, 1, __ATOMIC_RELAXED);
	move_part(part);
	__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
}

static void add_first_row(struct group_part *part)
{
	const struct group_row *row = &part->rows[part->first];
	struct group *group = find_group(&part->groups, row->key.bytes, row->key.used, row->hash);

	if (!group)
		reserve_in_parts(part);
	add_to_group(&part->groups, group, row);
	part->first = (part->first + 1) % GROUP_ROWS_WAITING;
	part->waiting--;
}

static struct group_row *waiting_row(struct group_part *part, unsigned int index)
{
	return &part->rows[(part->first + index) % GROUP_ROWS_WAITING];
}

void group_part_add(struct group_part *part, const struct nt_record *record)
{
	struct group_sums sums;

	set_sums_of_record(&sums, record);
	group_part_add_sums(part, record, &sums);
}

void group_part_add_sums(struct group_part *part, const struct nt_record *record, const struct group_sums *sums)
{
	const struct hash_map *map = &part->groups.map;
	struct group_row *row;

	if (part->waiting == GROUP_ROWS_WAITING)
		add_first_row(part);
	row = waiting_row(part, part->waiting++);
	fill_group_row(row, &part->groups, record);
	row->sums = *sums;
	hash_map_prefetch_bucket(map, row->hash);
	if (part->waiting > GROUP_ROWS_WAITING / 2)
		hash_map_prefetch_node(map, waiting_row(part, part->waiting - 1 - GROUP_ROWS_WAITING / 2)->hash);
}

void group_parts_merge(struct group_parts *parts)
{
	unsigned int i;

	for (i = 0; i < parts->count; i++) {
		while (parts->parts[i].waiting)
			add_first_row(&parts->parts[i]);
		move_part(&parts->parts[i]);
	}
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
	bool knows_one = order->percent ? one->has_percentile : group_knows(one, order->column);
	bool knows_other = order->percent ? other->has_percentile : group_knows(other, order->column);
	int result;

	if (order->by_key)
		return order->reversed ? order_keys(other, one) : order_keys(one, other);
	if (knows_one != knows_other)
		return knows_one ? -1 : 1;
	if (order->percent)
		result = order_numbers(one->percentile, other->percentile);
	else
		result = order_numbers((__s64)one->sums.sums[order->column], (__s64)other->sums.sums[order->column]);
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

size_t groups_count_approximate(const struct groups *groups)
{
	size_t count = 0, i;

	for (i = 0; i < groups->count; i++)
		count += group_values_are_approximate(&groups->list[i]->values);
	return count;
}

size_t groups_count_cut(const struct groups *groups)
{
	size_t count = 0, i;

	for (i = 0; i < groups->count; i++)
		count += groups->list[i]->values.is_cut;
	return count;
}
