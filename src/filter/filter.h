/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter language of docs/filters.md: `port 443 and not comm curl`. The filter options are shorthands of it.
 *
 * Truth has three values: a comparison with an unknown value is unknown, and so is its negation. A filter accepts what is
 * true.
 */
#ifndef NETRACKER_FILTER_H
#define NETRACKER_FILTER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/kernel_filter.h"
#include "core/record.h"

struct filter;
struct filter_field;

/* In this order: `and` is the least of two, `or` the greatest. */
enum filter_truth { FILTER_FALSE, FILTER_UNKNOWN, FILTER_TRUE };

enum filter_operator {
	FILTER_EQUAL,
	FILTER_UNEQUAL,
	FILTER_LESS,
	FILTER_AT_MOST,
	FILTER_GREATER,
	FILTER_AT_LEAST,
	FILTER_MATCHES,
	FILTER_MATCHES_NOT,
	FILTER_CONTAINS,
};

#define FILTER_MESSAGE_SIZE 320
#define FILTER_MOST_TEXT 16384 /* bytes of one expression */

/* The text is wrong at its bytes [begin, end). The message says why, and may hold bytes of the text. */
struct filter_error {
	size_t begin, end;
	bool no_memory; /* the text may be right */
	char message[FILTER_MESSAGE_SIZE];
};

/* A new filter accepts every record. Returns NULL without memory. Caller calls filter_free(). */
struct filter *filter_new(void);
void filter_free(struct filter *filter);

/* Adds a condition: the filter then accepts what it accepted before and the expression accepts. Returns false if the text
 * is no expression; the filter must not be used then.
 */
bool filter_add_text(struct filter *filter, const char *text, struct filter_error *error);

/* Returns whether an expression can begin with this word. */
bool filter_can_begin(const char *word);

/* Returns the fields' short names, for help and completion. NULL behind the last one. */
const char *filter_short_name(unsigned int index);

/* Adds the values of an option, separated by commas, to those given before for this field; records must have one of them.
 * `field` is a field's name and is not copied. With another operator than FILTER_EQUAL the value replaces the former.
 */
bool filter_add_option(struct filter *filter, const char *field, enum filter_operator relation, const char *values,
		       struct filter_error *error);

/* Returns whether values were given by filter_add_option(). NULL: none were. */
bool filter_has_option(const struct filter *filter, const char *field);

/* Returns the field, as it was written, of a condition on the value of this key. NULL if there is none. */
const char *filter_condition_on(const struct filter *filter, const char *key);

/* Returns the first field, as it was written, of a condition on a field for which `has` is false. NULL if there is none. */
const char *filter_find_condition_without(const struct filter *filter, bool (*has)(const struct filter_field *field));

/* Calls `visit` for the field of each condition. */
void filter_visit_fields(const struct filter *filter, void (*visit)(void *context, const struct filter_field *field),
			 void *context);

/* Returns whether anything was added. */
bool filter_is_given(const struct filter *filter);

/* NULL accepts everything. Several threads may call it. */
enum filter_truth filter_judge(const struct filter *filter, const struct nt_record *record);

static inline bool filter_accepts(const struct filter *filter, const struct nt_record *record)
{
	return filter_judge(filter, record) == FILTER_TRUE;
}

/* Fills the part that the kernel side can test: it passes all that the filter accepts, and more. If packets are watched, it
 * tests neither owner nor namespace (struct nt_filter). Returns false if there is nothing for it to test.
 */
bool filter_for_kernel(struct nt_filter *kernel, const struct filter *filter, bool packets_watched);

/* Calls `report` for each process and control group that the filter names and that does not exist now. */
void filter_check_objects(const struct filter *filter, void (*report)(const char *kind, const char *name));

/* Returns how many comparisons with a regular expression were ended by the limits, so that they are unknown. */
unsigned long long filter_limited_matches(const struct filter *filter);

#endif
