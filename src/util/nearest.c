// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/nearest.h"

#include <stdio.h>
#include <string.h>

#define MOST_NEAR 32 /* bytes of a name that are compared */

/* Returns the number of bytes to insert, delete, replace, or exchange with the next one. */
static unsigned int edit_distance(const char *one, const char *other)
{
	unsigned int rows[3][MOST_NEAR + 1], i, j;
	size_t size = strnlen(one, MOST_NEAR), other_size = strnlen(other, MOST_NEAR);

	for (j = 0; j <= other_size; j++)
		rows[0][j] = j;
	for (i = 1; i <= size; i++) {
		unsigned int *row = rows[i % 3], *above = rows[(i + 2) % 3], *twice = rows[(i + 1) % 3];

		row[0] = i;
		for (j = 1; j <= other_size; j++) {
			unsigned int least = above[j - 1] + (one[i - 1] != other[j - 1]);

			least = above[j] + 1 < least ? above[j] + 1 : least;
			least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
			if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] &&
			    twice[j - 2] + 1 < least)
				least = twice[j - 2] + 1;
			row[j] = least;
		}
	}
	return rows[size % 3][other_size];
}

bool nearest_find(const char *text, nearest_name_at name_at, const void *context, char *nearest, size_t size)
{
	unsigned int least = (unsigned int)strnlen(text, MOST_NEAR) / 2 + 1, i;
	const char *name;

	nearest[0] = '\0';
	for (i = 0; (name = name_at(i, context)); i++) {
		unsigned int far = edit_distance(text, name);

		if (far >= least)
			continue;
		least = far;
		snprintf(nearest, size, "%s", name);
	}
	return nearest[0];
}
