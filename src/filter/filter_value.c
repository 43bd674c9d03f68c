// SPDX-License-Identifier: GPL-2.0-or-later
/* Values of comparisons: numbers, times, addresses; filter_text.c and filter_object.c parse the others. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/filter/filter_tree.h"
#include "src/util/quantity.h"
#include "src/util/time_point.h"

#define MOST_NUMBER (1ULL << 62)
#define MOST_PID 4194304 /* PID_MAX_LIMIT, include/linux/threads.h */
#define NUMBER_SIZE 64

bool filter_fail(struct filter_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return false;
}

bool filter_fail_for_memory(struct filter_error *error)
{
	error->no_memory = true;
	return filter_fail(error, "out of memory");
}

/* ---- numbers ---- */

static bool parse_port(const char *text, __s64 *port)
{
	const struct servent *service;
	__u64 number;

	if (quantity_number(text, 0, 65535, &number)) {
		*port = (__s64)number;
		return true;
	}
	service = getservbyname(text, "tcp");
	if (!service)
		return false;
	*port = ntohs((__u16)service->s_port);
	return true;
}

/* Parses a number without range. */
static bool parse_scalar(const struct filter_field *field, const char *text, __s64 *number)
{
	bool is_negative = field->is_signed && *text == '-';
	__u64 value;

	text += is_negative;
	switch (field->type) {
	case FILTER_PORT:
		return parse_port(text, number);
	case FILTER_DURATION:
		if (!quantity_duration(text, field->unit_ns, &value))
			return false;
		break;
	case FILTER_SIZE:
		if (!quantity_size(text, 0, MOST_NUMBER, &value))
			return false;
		break;
	default:
		if (!quantity_number(text, 0, MOST_NUMBER, &value))
			return false;
		break;
	}
	*number = is_negative ? -(__s64)value : (__s64)value;
	return true;
}

/* A service's name may have a hyphen, so a value is a range only if it is nothing else. */
static bool parse_range(const struct filter_field *field, const char *text, struct filter_value *value)
{
	const char *hyphen = *text ? strchr(text + 1, '-') : NULL;
	char low[NUMBER_SIZE];

	if (parse_scalar(field, text, &value->low)) {
		value->high = value->low;
		return true;
	}
	if (!hyphen || (size_t)(hyphen - text) >= sizeof(low))
		return false;
	memcpy(low, text, (size_t)(hyphen - text));
	low[hyphen - text] = '\0';
	return parse_scalar(field, low, &value->low) && parse_scalar(field, hyphen + 1, &value->high) &&
	       value->low <= value->high;
}

static const char *describe_numbers(enum filter_type type)
{
	switch (type) {
	case FILTER_PORT:
		return "a port from 0 to 65535, a service of /etc/services, or a range: 443, https, 8000-8080";
	case FILTER_DURATION:
		return "a time with ns, us, ms, s, m, h or d: 10ms, 2s";
	case FILTER_SIZE:
		return "bytes, with K, M, G or T: 64K, 10M";
	case FILTER_COUNT_OR_RATIO:
		return "a number, or a percentage of the packets: 10, 2%";
	default:
		return "a number";
	}
}

static bool parse_number_value(const struct filter_field *field, const char *text, struct filter_value *value,
			       struct filter_error *error)
{
	char *end;

	if (parse_range(field, text, value))
		return true;
	if (field->type == FILTER_COUNT_OR_RATIO && isdigit((unsigned char)*text)) {
		value->percent = strtod(text, &end);
		value->is_percent = !strcmp(end, "%");
		if (value->is_percent)
			return true;
	}
	return filter_fail(error, "'%.60s' is no value of %s; valid: %s", text, field->name,
			   describe_numbers(field->type));
}

static bool parse_time_value(const char *text, struct filter_value *value, struct filter_error *error)
{
	struct time_span span;

	if (!time_point_parse(text, &span))
		return filter_fail(error,
				   "'%.60s' is no time; valid: 2026-11-30, \"2026-11-30 14:05:09\", 14:05, today, "
				   "yesterday, now, -10m",
				   text);
	value->low = (__s64)span.first_ns;
	value->high = (__s64)span.last_ns;
	return true;
}

/* ---- addresses ---- */

/* Returns the family, 4 or 6; 0 if the text is no address. */
static int parse_address(const char *text, __u8 address[16])
{
	memset(address, 0, 10);
	memset(address + 10, 0xff, 2);
	if (inet_pton(AF_INET, text, address + 12) == 1)
		return 4;
	return inet_pton(AF_INET6, text, address) == 1 ? 6 : 0;
}

static void fill_network(struct nt_network *network, const __u8 address[16], unsigned int bits)
{
	__u8 mask[16] = {}, masked[16];
	unsigned int i;

	for (i = 0; i < bits; i++)
		mask[i / 8] |= 0x80 >> i % 8;
	for (i = 0; i < 16; i++)
		masked[i] = address[i] & mask[i];
	memcpy(network->mask, mask, sizeof(mask));
	memcpy(network->address, masked, sizeof(masked));
	network->family = nt_address_family(masked);
}

/* Bits beyond the prefix are cleared. An IPv6 address may be in brackets. */
static bool parse_network(const char *written, struct nt_network *network)
{
	size_t size = strcspn(written, "/");
	bool has_brackets = *written == '[' && size > 2 && written[size - 1] == ']';
	const char *prefix = written + size;
	char text[INET6_ADDRSTRLEN];
	__u8 address[16];
	__u64 most, bits;
	int family;

	size -= has_brackets ? 2 : 0;
	if (size >= sizeof(text))
		return false;
	memcpy(text, written + has_brackets, size);
	text[size] = '\0';
	family = parse_address(text, address);
	bits = most = family == 4 ? 32 : 128;
	if (!family || (*prefix && !quantity_number(prefix + 1, 0, most, &bits)))
		return false;
	fill_network(network, address, (unsigned int)bits + (family == 4 ? 96 : 0));
	return true;
}

static bool parse_network_value(const char *text, struct filter_value *value, struct filter_error *error)
{
	if (parse_network(text, &value->network))
		return true;
	return filter_fail(error,
			   "'%.60s' is no address or network; valid: 192.0.2.1, 10.0.0.0/8, fd00::/8; names are "
			   "not looked up: getent hosts NAME",
			   text);
}

static bool parse_flag_value(const struct filter_field *field, const char *text, struct filter_value *value,
			     struct filter_error *error)
{
	static const char *const words[] = { "false", "true", "no", "yes", "0", "1" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]))
			continue;
		value->low = value->high = i % 2;
		return true;
	}
	return filter_fail(error, "'%.60s' is no value of %s; valid: true, false", text, field->name);
}

static bool check_pid(const struct filter_field *field, struct filter_value *value, const char *text,
		      struct filter_error *error)
{
	if (strcmp(field->name, "pid") || (value->low >= 1 && value->high <= MOST_PID))
		return true;
	return filter_fail(error, "'%.60s' is no process id; valid: 1 to 4194304", text);
}

/* ---- operators ---- */

static bool is_text(enum filter_type type)
{
	return type == FILTER_TEXT || type == FILTER_COMM || type == FILTER_CGROUP || type == FILTER_CONTAINER;
}

static bool has_names(enum filter_type type)
{
	return type == FILTER_NAME || type == FILTER_NAMES;
}

static bool is_ordered(enum filter_type type)
{
	return type <= FILTER_COUNT_OR_RATIO;
}

bool filter_check_operator(const struct filter_node *node, struct filter_error *error)
{
	enum filter_type type = node->field.type;

	switch (node->relation) {
	case FILTER_EQUAL:
	case FILTER_UNEQUAL:
		return true;
	case FILTER_MATCHES:
	case FILTER_MATCHES_NOT:
		if (is_text(type) || has_names(type))
			return true;
		return filter_fail(error, "a regular expression is for texts, and %s is none; use = or <",
				   node->field.name);
	case FILTER_CONTAINS:
		return is_text(type) ?
			       true :
			       filter_fail(error, "contains is for texts, and %s is none; use =", node->field.name);
	default:
		if (is_ordered(type))
			return true;
		return filter_fail(error,
				   "< and > are for numbers and times, and %s is none; use = or !=", node->field.name);
	}
}

/* < and the like compare with one number. */
static bool check_ordered_values(const struct filter_node *node, const struct filter_value *value,
				 struct filter_error *error)
{
	if (filter_tests_equality(node) || !is_ordered(node->field.type))
		return true;
	if (node->count == 1 && (value->low == value->high || node->field.type == FILTER_TIME))
		return true;
	return filter_fail(error, "< and > compare with one number; use = for a list or a range");
}

static bool parse_by_type(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			  struct filter_error *error)
{
	switch (node->field.type) {
	case FILTER_ADDRESS:
		return parse_network_value(text, value, error);
	case FILTER_NAME:
	case FILTER_NAMES:
		return filter_parse_names(node, text, is_quoted, value, error);
	case FILTER_FLAG:
		return parse_flag_value(&node->field, text, value, error);
	case FILTER_USER:
		return filter_parse_user(text, value, error);
	case FILTER_NETNS:
		return filter_parse_netns(text, value, error);
	case FILTER_CGROUP:
		return filter_parse_cgroup(node, text, is_quoted, value, error);
	case FILTER_CONTAINER:
		return filter_parse_container(node, text, is_quoted, value, error);
	case FILTER_TEXT:
	case FILTER_COMM:
		return filter_parse_text(node, text, is_quoted, value, error);
	case FILTER_TIME:
		return parse_time_value(text, value, error);
	default:
		return parse_number_value(&node->field, text, value, error) &&
		       check_pid(&node->field, value, text, error);
	}
}

bool filter_parse_value(struct filter_node *node, const char *text, bool is_quoted, struct filter_error *error)
{
	struct filter_value *value;

	if (!*text && !is_quoted)
		return filter_fail(error, "a value of %s is empty", node->field.name);
	value = filter_node_add_value(node);
	if (!value && node->count == FILTER_MOST_VALUES)
		return filter_fail(error, "more than %d values", FILTER_MOST_VALUES);
	if (!value)
		return filter_fail_for_memory(error);
	return parse_by_type(node, text, is_quoted, value, error) && check_ordered_values(node, value, error);
}
