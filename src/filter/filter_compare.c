// SPDX-License-Identifier: GPL-2.0-or-later
/* Compares a field of a record with the values of a condition. */
#include <string.h>
#include <strings.h>

#include "src/filter/filter_tree.h"

static enum filter_truth truth_of(bool condition)
{
	return condition ? FILTER_TRUE : FILTER_FALSE;
}

/* sign: of the difference between the record's value and the condition's. */
static bool has_order(enum filter_operator relation, int sign)
{
	switch (relation) {
	case FILTER_LESS:
		return sign < 0;
	case FILTER_AT_MOST:
		return sign <= 0;
	case FILTER_GREATER:
		return sign > 0;
	case FILTER_AT_LEAST:
		return sign >= 0;
	default:
		return sign == 0;
	}
}

static enum filter_truth compare_percent(const struct filter_node *node, const struct filter_operand *operand,
					 const struct filter_value *value)
{
	double percent;

	if (!operand->of)
		return FILTER_UNKNOWN;
	percent = 100.0 * (double)operand->number[0] / (double)operand->of;
	return truth_of(has_order(node->relation, (percent > value->percent) - (percent < value->percent)));
}

static bool compare_number(const struct filter_node *node, __s64 number, const struct filter_value *value)
{
	if (filter_tests_equality(node))
		return number >= value->low && number <= value->high;
	return has_order(node->relation, (number > value->low) - (number < value->low));
}

static enum filter_truth compare_numbers(const struct filter_node *node, const struct filter_operand *operand,
					 const struct filter_value *value)
{
	unsigned int i;

	if (value->is_percent)
		return compare_percent(node, operand, value);
	for (i = 0; i < operand->count; i++)
		if (compare_number(node, operand->number[i], value))
			return FILTER_TRUE;
	return FILTER_FALSE;
}

static enum filter_truth compare_addresses(const struct filter_operand *operand, const struct filter_value *value)
{
	__u64 words[2];
	unsigned int i;

	for (i = 0; i < operand->count; i++) {
		memcpy(words, operand->address[i], sizeof(words));
		if (nt_network_has(&value->network, words, nt_address_family(operand->address[i])))
			return FILTER_TRUE;
	}
	return FILTER_FALSE;
}

/* A comparison that the limits end has no result. */
static enum filter_truth match_pattern(struct filter *filter, const struct filter_operand *operand,
				       const struct filter_value *value)
{
	int result = filter_match(&filter->matching, value->pattern, operand->text, operand->size);

	if (result < 0 && result != PCRE2_ERROR_NOMATCH)
		__atomic_fetch_add(&filter->limited, 1, __ATOMIC_RELAXED);
	if (result >= 0)
		return FILTER_TRUE;
	return result == PCRE2_ERROR_NOMATCH ? FILTER_FALSE : FILTER_UNKNOWN;
}

static bool text_equals(const struct filter_operand *operand, const struct filter_value *value)
{
	return operand->size == value->size && !memcmp(operand->text, value->text, value->size);
}

/* A path selects the control group and those below it; a name without a slash before it, a part of the path. */
static bool cgroup_has(const struct filter_operand *operand, const struct filter_value *value)
{
	const char *at = operand->text, *end = operand->text + operand->size;

	if (!value->size || *value->text == '/')
		return operand->size >= value->size && !memcmp(at, value->text, value->size) &&
		       (operand->size == value->size || at[value->size] == '/');
	for (; at && (size_t)(end - at) > value->size; at = memchr(at, '/', (size_t)(end - at))) {
		at++;
		if ((size_t)(end - at) >= value->size && !memcmp(at, value->text, value->size) &&
		    (at + value->size == end || at[value->size] == '/'))
			return true;
	}
	return false;
}

static enum filter_truth compare_texts(struct filter *filter, const struct filter_node *node,
				       const struct filter_operand *operand, const struct filter_value *value)
{
	if (value->pattern)
		return match_pattern(filter, operand, value);
	if (node->relation == FILTER_CONTAINS)
		return truth_of(memmem(operand->text, operand->size, value->text, value->size));
	if (node->field.type == FILTER_CGROUP)
		return truth_of(cgroup_has(operand, value));
	if (node->field.type == FILTER_CONTAINER)
		return truth_of(operand->size >= value->size && !strncasecmp(operand->text, value->text, value->size));
	return truth_of(text_equals(operand, value));
}

static enum filter_truth compare_value(struct filter *filter, const struct filter_node *node,
				       const struct filter_operand *operand, const struct filter_value *value)
{
	switch (node->field.type) {
	case FILTER_ADDRESS:
		return compare_addresses(operand, value);
	case FILTER_TEXT:
	case FILTER_COMM:
	case FILTER_CGROUP:
	case FILTER_CONTAINER:
		return compare_texts(filter, node, operand, value);
	case FILTER_NAME:
	case FILTER_NAMES:
		return truth_of(operand->bits & value->bits);
	default:
		return compare_numbers(node, operand, value);
	}
}

enum filter_truth filter_compare(struct filter *filter, const struct filter_node *node, const struct nt_record *record)
{
	bool negates = node->relation == FILTER_UNEQUAL || node->relation == FILTER_MATCHES_NOT;
	enum filter_truth truth = FILTER_FALSE;
	struct filter_operand operand;
	unsigned int i;

	filter_field_get(&node->field, record, &operand);
	if (!operand.count)
		return FILTER_UNKNOWN;
	for (i = 0; i < node->count && truth != FILTER_TRUE; i++) {
		enum filter_truth one = compare_value(filter, node, &operand, &node->values[i]);

		truth = one > truth ? one : truth;
	}
	return negates ? FILTER_TRUE - truth : truth;
}
