// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_columns.h"

#include <stdio.h>
#include <string.h>

void query_columns_add_keys(struct history_columns *columns, const char *keys)
{
	char key[FIELD_KEY_SIZE];

	while (*keys) {
		size_t size = strcspn(keys, " ");

		snprintf(key, sizeof(key), "%.*s", (int)size, keys);
		history_columns_add(columns, key);
		keys += size + (keys[size] == ' ');
	}
}

void query_columns_add_field(struct history_columns *columns, const struct filter_field *field)
{
	char key[FIELD_KEY_SIZE];

	if (field->computed_from) {
		query_columns_add_keys(columns, field->computed_from);
		return;
	}
	snprintf(key, sizeof(key), "%.*s", (int)(field->key->key_size - strlen("\"\":")), field->key->key + 1);
	query_columns_add_keys(columns, key);
}

static void add_condition_columns(void *context, const struct filter_field *field)
{
	query_columns_add_field(context, field);
}

void query_columns_add_filter(struct history_columns *columns, const struct filter *filter)
{
	query_columns_add_keys(columns, "event");
	filter_visit_fields(filter, add_condition_columns, columns);
}
