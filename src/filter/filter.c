// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/filter/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/filter/filter_tree.h"

#define MOST_MATCH_STEPS 100000
#define MOST_MATCH_DEPTH 1000
#define MOST_MATCH_KIB 1024
#define MOST_ITEM 4096

/* ---- nodes ---- */

struct filter_node *filter_node_new(enum filter_kind kind)
{
	struct filter_node *node = calloc(1, sizeof(*node));

	if (node)
		node->kind = kind;
	return node;
}

void filter_node_free(struct filter_node *node)
{
	unsigned int i;

	if (!node)
		return;
	filter_node_free(node->left);
	filter_node_free(node->right);
	for (i = 0; i < node->count; i++) {
		free(node->values[i].text);
		pcre2_code_free(node->values[i].pattern);
	}
	free(node->values);
	free(node);
}

struct filter_value *filter_node_add_value(struct filter_node *node)
{
	struct filter_value *values;

	if (node->count == FILTER_MOST_VALUES)
		return NULL;
	values = realloc(node->values, (node->count + 1) * sizeof(*values));
	if (!values)
		return NULL;
	node->values = values;
	memset(&values[node->count], 0, sizeof(*values));
	return &values[node->count++];
}

/* ---- filters ---- */

bool filter_matching_begin(struct filter_matching *matching)
{
	*matching = (struct filter_matching){ .limits = pcre2_match_context_create(NULL) };
	matching->data[0] = pcre2_match_data_create(1, NULL);
	if (!matching->limits || !matching->data[0]) {
		filter_matching_end(matching);
		return false;
	}
	pcre2_set_match_limit(matching->limits, MOST_MATCH_STEPS);
	pcre2_set_depth_limit(matching->limits, MOST_MATCH_DEPTH);
	pcre2_set_heap_limit(matching->limits, MOST_MATCH_KIB);
	return true;
}

void filter_matching_end(struct filter_matching *matching)
{
	unsigned int i;

	for (i = 0; i < FILTER_MATCH_SLOTS; i++)
		pcre2_match_data_free(matching->data[i]);
	pcre2_match_context_free(matching->limits);
}

static pcre2_match_data *take_match_data(struct filter_matching *matching)
{
	pcre2_match_data *data = NULL;
	unsigned int i;

	for (i = 0; i < FILTER_MATCH_SLOTS && !data; i++)
		if (__atomic_load_n(&matching->data[i], __ATOMIC_RELAXED))
			data = __atomic_exchange_n(&matching->data[i], NULL, __ATOMIC_ACQUIRE);
	return data ? data : pcre2_match_data_create(1, NULL);
}

static void give_match_data(struct filter_matching *matching, pcre2_match_data *data)
{
	unsigned int i;

	for (i = 0; i < FILTER_MATCH_SLOTS; i++) {
		pcre2_match_data *none = NULL;

		if (__atomic_compare_exchange_n(&matching->data[i], &none, data, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	}
	pcre2_match_data_free(data);
}

int filter_match(struct filter_matching *matching, const pcre2_code *pattern, const char *text, size_t size)
{
	pcre2_match_data *data = take_match_data(matching);
	int result;

	if (!data)
		return PCRE2_ERROR_NOMEMORY;
	result = pcre2_match(pattern, (PCRE2_SPTR)text, size, 0, 0, data, matching->limits);
	give_match_data(matching, data);
	return result;
}

struct filter *filter_new(void)
{
	struct filter *filter = calloc(1, sizeof(*filter));

	if (!filter || filter_matching_begin(&filter->matching))
		return filter;
	free(filter);
	return NULL;
}

void filter_free(struct filter *filter)
{
	unsigned int i;

	if (!filter)
		return;
	filter_node_free(filter->expression);
	for (i = 0; i < filter->option_count; i++)
		filter_node_free(filter->options[i]);
	filter_matching_end(&filter->matching);
	free(filter);
}

bool filter_add_text(struct filter *filter, const char *text, struct filter_error *error)
{
	struct filter_node *node, *both;

	*error = (struct filter_error){ 0 };
	if (!filter_parse(text, &node, error))
		return false;
	if (!filter->expression) {
		filter->expression = node;
		return true;
	}
	both = filter_node_new(FILTER_AND);
	if (!both) {
		filter_node_free(node);
		return filter_fail_for_memory(error);
	}
	both->left = filter->expression;
	both->right = node;
	filter->expression = both;
	return true;
}

static struct filter_node *find_option(const struct filter *filter, const char *field)
{
	unsigned int i;

	for (i = 0; i < filter->option_count; i++)
		if (!strcmp(filter->option_names[i], field))
			return filter->options[i];
	return NULL;
}

static struct filter_node *add_option(struct filter *filter, const char *field)
{
	struct filter_node *node;

	if (filter->option_count == FILTER_MOST_OPTIONS)
		return NULL;
	node = filter_node_new(FILTER_COMPARE);
	if (!node || !filter_field_find(field, &node->field)) {
		filter_node_free(node);
		return NULL;
	}
	filter->option_names[filter->option_count] = field;
	filter->options[filter->option_count++] = node;
	return node;
}

/* An item of a list. In quotation marks every character stands for itself, a comma too. Returns the text behind it, or NULL
 * if it is too long. */
static const char *take_item(const char *text, char item[MOST_ITEM], bool *is_quoted)
{
	const char *end;

	*is_quoted = *text == '"' && strchr(text + 1, '"');
	text += *is_quoted;
	end = *is_quoted ? strchr(text, '"') : text + strcspn(text, ",");
	if (end - text >= MOST_ITEM)
		return NULL;
	memcpy(item, text, (size_t)(end - text));
	item[end - text] = '\0';
	return end + *is_quoted;
}

static bool add_items(struct filter_node *node, const char *values, struct filter_error *error)
{
	char item[MOST_ITEM];
	bool is_quoted;

	for (;;) {
		values = take_item(values, item, &is_quoted);
		if (!values)
			return filter_fail(error, "a value is longer than %d bytes", MOST_ITEM - 1);
		if (!filter_parse_value(node, item, is_quoted, error))
			return false;
		if (!*values)
			return true;
		if (*values++ != ',')
			return filter_fail(error, "a comma is missing");
	}
}

bool filter_add_option(struct filter *filter, const char *field, enum filter_operator relation, const char *values,
		       struct filter_error *error)
{
	struct filter_node *node = find_option(filter, field);

	*error = (struct filter_error){ .end = strlen(values) };
	if (!node)
		node = add_option(filter, field);
	if (!node)
		return filter_fail_for_memory(error);
	if (relation != FILTER_EQUAL)
		node->count = 0; /* numbers own nothing */
	node->relation = relation;
	return add_items(node, values, error);
}

static const char *find_condition(const struct filter_node *node, const struct record_field *key)
{
	const char *found;

	if (!node)
		return NULL;
	if (node->kind == FILTER_COMPARE && node->field.key == key)
		return node->field.name;
	found = find_condition(node->left, key);
	return found ? found : find_condition(node->right, key);
}

const char *filter_condition_on(const struct filter *filter, const char *key)
{
	struct filter_field field;
	const char *found;
	unsigned int i;

	if (!filter || !filter_field_find(key, &field) || !field.key)
		return NULL;
	found = find_condition(filter->expression, field.key);
	for (i = 0; i < filter->option_count && !found; i++)
		found = find_condition(filter->options[i], field.key);
	return found;
}

static const char *find_field_without(const struct filter_node *node, bool (*has)(const struct filter_field *field))
{
	const char *found;

	if (!node)
		return NULL;
	if ((node->kind == FILTER_COMPARE || node->kind == FILTER_KNOWN) && !has(&node->field))
		return node->field.name;
	found = find_field_without(node->left, has);
	return found ? found : find_field_without(node->right, has);
}

const char *filter_find_condition_without(const struct filter *filter, bool (*has)(const struct filter_field *field))
{
	const char *found;
	unsigned int i;

	if (!filter)
		return NULL;
	found = find_field_without(filter->expression, has);
	for (i = 0; i < filter->option_count && !found; i++)
		found = find_field_without(filter->options[i], has);
	return found;
}

static void visit_node_fields(const struct filter_node *node,
			      void (*visit)(void *context, const struct filter_field *field), void *context)
{
	if (!node)
		return;
	if (node->kind == FILTER_COMPARE || node->kind == FILTER_KNOWN)
		visit(context, &node->field);
	visit_node_fields(node->left, visit, context);
	visit_node_fields(node->right, visit, context);
}

void filter_visit_fields(const struct filter *filter, void (*visit)(void *context, const struct filter_field *field),
			 void *context)
{
	unsigned int i;

	if (!filter)
		return;
	visit_node_fields(filter->expression, visit, context);
	for (i = 0; i < filter->option_count; i++)
		visit_node_fields(filter->options[i], visit, context);
}

bool filter_is_given(const struct filter *filter)
{
	return filter && (filter->expression || filter->option_count);
}

bool filter_has_option(const struct filter *filter, const char *field)
{
	return filter && find_option(filter, field);
}

/* ---- judgement ---- */

static enum filter_truth judge_known(const struct filter_node *node, const struct nt_record *record)
{
	struct filter_operand operand;

	filter_field_get(&node->field, record, &operand);
	if (node->field.type == FILTER_FLAG)
		return operand.number[0] ? FILTER_TRUE : FILTER_FALSE;
	if (node->field.type == FILTER_NAMES)
		return operand.bits ? FILTER_TRUE : FILTER_FALSE;
	return operand.count ? FILTER_TRUE : FILTER_FALSE;
}

/* The parser bounds the depth. */
static enum filter_truth judge_node(struct filter *filter, const struct filter_node *node,
				    const struct nt_record *record)
{
	enum filter_truth one, other;

	switch (node->kind) {
	case FILTER_ALWAYS:
		return FILTER_TRUE;
	case FILTER_NOT:
		return FILTER_TRUE - judge_node(filter, node->left, record);
	case FILTER_KNOWN:
		return judge_known(node, record);
	case FILTER_COMPARE:
		return filter_compare(filter, node, record);
	default:
		break;
	}
	one = judge_node(filter, node->left, record);
	if (one == (node->kind == FILTER_AND ? FILTER_FALSE : FILTER_TRUE))
		return one;
	other = judge_node(filter, node->right, record);
	return (node->kind == FILTER_AND) == (one < other) ? one : other;
}

enum filter_truth filter_judge(const struct filter *filter, const struct nt_record *record)
{
	struct filter *writable = (struct filter *)filter; /* the memory of pattern matching */
	enum filter_truth truth = FILTER_TRUE, one;
	unsigned int i;

	if (!filter)
		return FILTER_TRUE;
	for (i = 0; i < filter->option_count && truth != FILTER_FALSE; i++) {
		one = filter_compare(writable, filter->options[i], record);
		truth = one < truth ? one : truth;
	}
	if (!filter->expression || truth == FILTER_FALSE)
		return truth;
	one = judge_node(writable, filter->expression, record);
	return one < truth ? one : truth;
}

unsigned long long filter_limited_matches(const struct filter *filter)
{
	return filter ? __atomic_load_n(&filter->limited, __ATOMIC_RELAXED) : 0;
}
