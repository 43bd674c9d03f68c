/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The word that a mistyped one is most like, for error messages. */
#ifndef NETRACKER_NEAREST_H
#define NETRACKER_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/* Returns the name at this place of a list, or NULL behind its end. It is valid until the next call. */
typedef const char *(*nearest_name_at)(unsigned int index, const void *context);

/* Copies the name that is most like the text, truncated to size - 1 bytes. Returns false if none is. */
bool nearest_find(const char *text, nearest_name_at name_at, const void *context, char *nearest, size_t size);

#endif
