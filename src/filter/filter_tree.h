/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A parsed filter: a tree of conditions. Only for src/filter/. */
#ifndef NETRACKER_FILTER_TREE_H
#define NETRACKER_FILTER_TREE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "src/filter/filter.h"
#include "src/filter/filter_field.h"

#define FILTER_MOST_CONDITIONS 1024
#define FILTER_MOST_DEPTH 64
#define FILTER_MOST_VALUES 4096 /* of one comparison */

#define FILTER_MATCH_SLOTS 32 /* threads that match at the same time; more ones allocate memory each time */

/* The limits and the memory of pattern matching. Each thread takes memory of its own for a match. */
struct filter_matching {
	pcre2_match_context *limits;
	pcre2_match_data *data[FILTER_MATCH_SLOTS]; /* that no thread uses now; NULL: none */
};

/* Returns false without memory. */
bool filter_matching_begin(struct filter_matching *matching);
void filter_matching_end(struct filter_matching *matching);

/* As pcre2_match() from the begin of the text. Any thread may call it. */
int filter_match(struct filter_matching *matching, const pcre2_code *pattern, const char *text, size_t size);

struct filter_value {
	__s64 low, high; /* a number alone: both are equal; of a user, a namespace: its number; 0 if it has none */
	double percent;
	bool is_percent;
	struct nt_network network;
	__u64 bits;          /* of enumerators */
	char *text;          /* owned */
	size_t size;         /* of the text */
	pcre2_code *pattern; /* owned; NULL: compare with the text */
};

enum filter_kind { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_KNOWN, FILTER_COMPARE, FILTER_ALWAYS };

struct filter_node {
	enum filter_kind kind;
	struct filter_node *left, *right; /* owned; FILTER_NOT has only `left` */
	struct filter_field field;
	enum filter_operator relation;
	struct filter_value *values; /* owned */
	unsigned int count;
};

#define FILTER_MOST_OPTIONS 24

struct filter {
	struct filter_node *expression; /* NULL: accepts every record */
	struct filter_node *options[FILTER_MOST_OPTIONS];
	const char *option_names[FILTER_MOST_OPTIONS];
	unsigned int option_count;
	struct filter_matching matching;
	unsigned long long limited; /* matches that the limits ended; atomic */
};

struct filter_node *filter_node_new(enum filter_kind kind);
void filter_node_free(struct filter_node *node);

/* Returns a value to fill, all zero. NULL without memory or beyond FILTER_MOST_VALUES. */
struct filter_value *filter_node_add_value(struct filter_node *node);

/* Compares one field of a record. `filter` has the memory and the limits of pattern matching. */
enum filter_truth filter_compare(struct filter *filter, const struct filter_node *node, const struct nt_record *record);

static inline bool filter_tests_equality(const struct filter_node *node)
{
	return node->relation == FILTER_EQUAL || node->relation == FILTER_UNEQUAL;
}

static inline bool filter_has_pattern(const struct filter_node *node)
{
	return node->relation == FILTER_MATCHES || node->relation == FILTER_MATCHES_NOT;
}

/* Parses an expression of NUL-terminated text into the node. Returns false with the error. */
bool filter_parse(const char *text, struct filter_node **node, struct filter_error *error);

/* Parses one value of a comparison and adds it. is_quoted: every character stands for itself. Returns false with the
 * message, which has no position yet. */
bool filter_parse_value(struct filter_node *node, const char *text, bool is_quoted, struct filter_error *error);

/* Returns whether the operator can be used with the field's type. Otherwise false with the message. */
bool filter_check_operator(const struct filter_node *node, struct filter_error *error);

/* The parsers of values by their kind, as filter_parse_value(). */
bool filter_parse_text(const struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
		       struct filter_error *error);
bool filter_parse_cgroup(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			 struct filter_error *error);
bool filter_parse_container(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			    struct filter_error *error);
bool filter_parse_names(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			struct filter_error *error);
bool filter_parse_user(const char *text, struct filter_value *value, struct filter_error *error);
bool filter_parse_netns(const char *text, struct filter_value *value, struct filter_error *error);

bool filter_fail_for_memory(struct filter_error *error);

__attribute__((format(printf, 2, 3))) bool filter_fail(struct filter_error *error, const char *format, ...);

#endif
