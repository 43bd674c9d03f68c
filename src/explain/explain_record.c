// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_record.h"

#include <string.h>

bool explain_get_number(const json_t *record, const char *key, __u64 *number)
{
	const json_t *value = json_object_get(record, key);

	/* A negative time comes from packets that were captured out of order. It would only confuse a reader. */
	if (!value || json_integer_value(value) < 0)
		return false;
	*number = (__u64)json_integer_value(value);
	return true;
}

const char *explain_get_word(const json_t *record, const char *key)
{
	return json_string_value(json_object_get(record, key));
}

bool explain_has_value(const json_t *record, const char *key, const char *word)
{
	const char *value = explain_get_word(record, key);

	return value && !strcmp(value, word);
}

bool explain_list_has(const json_t *record, const char *key, const char *word)
{
	const json_t *list = json_object_get(record, key);
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)), word))
			return true;
	return false;
}
