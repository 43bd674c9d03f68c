// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/cli/column_names.h"

#include <stdio.h>
#include <string.h>

#include "src/record/record_fields.h"
#include "src/util/nearest.h"

/* Returns the name of a column of the format, which is the context. */
static const char *column_name_at(unsigned int index, const void *context)
{
	static char name[FIELD_KEY_SIZE];
	const struct format *format = context;

	return format->column_name(index, name) ? name : NULL;
}

static bool find_column(const struct format *format, const char *wanted, unsigned int *index)
{
	const char *name;

	for (*index = 0; (name = column_name_at(*index, format)); ++*index)
		if (!strcmp(name, wanted))
			return true;
	return false;
}

static bool add_column(struct column_choice *choice, const struct format *format, const char *name, char *reason,
		       size_t size)
{
	char nearest[FIELD_KEY_SIZE];
	unsigned int index;

	if (!find_column(format, name, &index)) {
		if (nearest_find(name, column_name_at, format, nearest, sizeof(nearest)))
			snprintf(reason, size, "%s has no column '%s'; nearest: %s", format->name, name, nearest);
		else
			snprintf(reason, size, "%s has no column '%s'; docs/record.md has the keys", format->name,
				 name);
		return false;
	}
	if (choice->count == MOST_CHOSEN_COLUMNS) {
		snprintf(reason, size, "more than %d columns", MOST_CHOSEN_COLUMNS);
		return false;
	}
	choice->index[choice->count++] = index;
	return true;
}

bool column_names_add(struct column_choice *choice, const struct format *format, const char *names, char *reason,
		      size_t size)
{
	for (;;) {
		size_t length = strcspn(names, ",");
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name) - 1), names);
		if (!add_column(choice, format, name, reason, size))
			return false;
		if (!names[length])
			return true;
		names += length + 1;
	}
}
