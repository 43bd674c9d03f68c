// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/cli/option_values.h"

#include <string.h>

#include "src/filter/filter.h"
#include "src/util/quantity.h"
#include "src/zeek/conn_log.h"

#define NS_PER_SECOND 1000000000ULL
#define LEAST_KEPT_NS (24 * 3600 * NS_PER_SECOND) /* a file has a day */
#define LEAST_KEPT_BYTES (16ULL << 20)
#define MOST_KEPT_BYTES (1ULL << 60)

/* Calls `add` with each item of a list. Returns false at the first item that is empty or that `add` refuses. */
static bool for_each_item (const char *text, bool (*add)(const char *item, void *context, const void *valid),
			   void *context, const void *valid)
{
	char item[64];

	for (;;) {
		size_t length = strcspn(text, ",");

		if (!length || length >= sizeof(item))
			return false;
		memcpy(item, text, length);
		item[length] = '\0';
		if (!add(item, context, valid))
			return false;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

static bool add_word(const char *item, void *context, const void *valid)
{
	const struct field_names *names = valid;
	unsigned int *bits = context, i;

	for (i = 0; i < names->count; i++) {
		if (!strcmp(item, names->names[i])) {
			*bits |= 1U << i;
			return true;
		}
	}
	return false;
}

/* Sets bit 1 << index for each of the words, which are separated by commas. */
static bool parse_words(const char *text, const struct field_names *names, unsigned int *bits)
{
	return for_each_item (text, add_word, bits, names);
}

static void *member_of(struct options *options, const struct option_rule *rule)
{
	return (char *)options + rule->offset;
}

static bool set_number32(__u32 *member, const struct option_rule *rule, const char *value)
{
	__u64 number;

	if (!quantity_number(value, rule->least, rule->most, &number))
		return false;
	*member = (__u32)number;
	return true;
}

static bool set_string_option(const char **member, const struct option_rule *rule, const char *value)
{
	*member = value;
	return *value && strlen(value) <= rule->most;
}

static bool set_words(unsigned int *member, const struct option_rule *rule, const char *value)
{
	if (rule->replaces)
		*member = 0;
	return parse_words(value, rule->words, member);
}

static bool set_word(unsigned int *member, const struct field_names *names, const char *value)
{
	for (*member = 1; *member <= names->count; ++*member)
		if (!strcmp(value, names->names[*member - 1]))
			return true;
	return false;
}

static bool set_interface(struct options *options, const char *value)
{
	struct interface_names *interfaces = &options->interfaces;

	if (!strcmp(value, "none"))
		options->no_interfaces = true;
	else
		interfaces->names[interfaces->count++] = value;
	return *value && !(options->no_interfaces && interfaces->count);
}

static bool has_only(const char *value, const char *characters)
{
	return strspn(value, characters) == strlen(value);
}

static bool set_format(struct options *options, const char *value)
{
	static const struct format *const formats[] = {
		&format_text, &format_json, &format_csv, &format_tsv, &format_trace, &conn_log_format,
	};
	size_t i;

	options->format_given = true;
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (!strcmp(value, formats[i]->name)) {
			options->delivery.output.sink.format = formats[i];
			return true;
		}
	}
	return false;
}

static bool set_rules(struct options *options, const char *value)
{
	options->rules = RULES_ZEEK;
	options->tunnels = true;
	return !strcmp(value, "zeek");
}

static bool set_columns(struct options *options, const char *value)
{
	if (options->column_list_count == MOST_COLUMN_LISTS)
		return false;
	options->column_lists[options->column_list_count++] = value;
	return true;
}

/* An item that is not named is not limited. */
static bool add_kept(const char *item, void *context, const void *valid)
{
	struct history_options *history = context;

	(void)valid;
	if (quantity_size(item, LEAST_KEPT_BYTES, MOST_KEPT_BYTES, &history->most_bytes))
		return true;
	return quantity_duration(item, 0, &history->most_age_ns) && history->most_age_ns >= LEAST_KEPT_NS;
}

static bool set_keep(struct options *options, const char *value)
{
	struct history_options *history = &options->delivery.history;

	options->keep_given = true;
	history->most_age_ns = history->most_bytes = 0;
	return !strcmp(value, "all") || for_each_item (value, add_kept, history, NULL);
}

static bool set_time_span(struct time_span *span, const char *value)
{
	return time_point_parse(value, span);
}

bool option_value_set(struct options *options, const struct option_rule *rule, const char *value)
{
	void *member = member_of(options, rule);

	switch (rule->type) {
	case OPTION_FLAG:
		return *(bool *)member = true;
	case OPTION_STRING:
		return set_string_option(member, rule, value);
	case OPTION_NUMBER32:
		return set_number32(member, rule, value);
	case OPTION_NUMBER64:
		return quantity_number(value, rule->least, rule->most, member);
	case OPTION_DURATION:
		return quantity_duration(value, NS_PER_SECOND, member) && *(__u64 *)member >= rule->least &&
		       (!rule->most || *(__u64 *)member <= rule->most);
	case OPTION_SIZE:
		return quantity_size(value, rule->least, rule->most, member);
	case OPTION_WORD:
		return set_word(member, rule->words, value);
	case OPTION_WORDS:
		return set_words(member, rule, value);
	case OPTION_INTERFACE:
		return set_interface(options, value);
	case OPTION_FORMAT:
		return set_format(options, value);
	case OPTION_JSON:
		return set_format(options, format_json.name);
	case OPTION_LIKE:
		return set_rules(options, value);
	case OPTION_ID:
		return set_string_option(member, rule, value) && strlen(value) == NT_ID_SIZE - 1 &&
		       has_only(value, "0123456789abcdef");
	case OPTION_COLUMNS:
		return set_columns(options, value);
	case OPTION_KEEP:
		return set_keep(options, value);
	case OPTION_TIME:
		return set_time_span(member, value);
	case OPTION_METRICS:
		return metrics_address_parse(member, value);
	case OPTION_CONDITION: /* options.c adds these to the filter */
	case OPTION_WHERE:
	case OPTION_HELP:
	case OPTION_VERSION:
		break;
	}
	return false;
}
