// SPDX-License-Identifier: GPL-2.0-or-later
/* Values of comparisons: 443, https, 8000-8080, 10ms, 64K, 10.0.0.0/8, ngin*. */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <netdb.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/filter/filter_tree.h"
#include "src/util/quantity.h"
#include "src/util/time_point.h"

#define NAMED_NAMESPACES "/run/netns/"
#define CGROUP_MOUNT "/sys/fs/cgroup"
#define NO_UID ((__u32)-1) /* no user id: setresuid(2) takes it for "unchanged" */
#define MOST_NUMBER (1ULL << 62)
#define MOST_PID 4194304 /* PID_MAX_LIMIT, include/linux/threads.h */
#define NUMBER_SIZE 64
#define MOST_CONTAINER 64 /* hexadecimal digits of an id */

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
		if (!quantity_number(text, 0, MOST_NUMBER, &value) && !quantity_size(text, 0, MOST_NUMBER, &value))
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
	__u64 ns;

	if (!time_point_parse(text, &ns))
		return filter_fail(error,
				   "'%.60s' is no time; valid: 2026-11-30, \"2026-11-30 14:05:09\", 14:05, today, "
				   "yesterday, now, -10m",
				   text);
	value->low = value->high = (__s64)ns;
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

/* ---- enumerators ---- */

static const char *enumerator_at(unsigned int index, const void *context)
{
	const struct field_names *names = context;

	if (index >= names->count)
		return NULL;
	return names->names[index] ? names->names[index] : "";
}

/* `failed` is every outcome but closed and open. */
#define FAILED_OUTCOMES (~(1ULL << NT_OUTCOME_CLOSED | 1ULL << NT_OUTCOME_OPEN))

/* ss writes close-wait and estab, netstat CLOSE_WAIT and ESTABLISHED. */
static void normalise_name(const struct field_names *names, const char *text, char name[NUMBER_SIZE])
{
	size_t i;

	for (i = 0; text[i] && i < NUMBER_SIZE - 1; i++)
		name[i] = text[i] == '-' ? '_' : (char)tolower((unsigned char)text[i]);
	name[i] = '\0';
	if (names == &record_state_names && !strcmp(name, "estab"))
		strcpy(name, "established");
}

static __u64 find_names(const struct field_names *names, const char *name, const pcre2_code *pattern,
			pcre2_match_data *match)
{
	__u64 bits = 0;
	unsigned int i;

	if (names == &record_outcome_names && !strcmp(name, "failed"))
		return FAILED_OUTCOMES;
	for (i = 0; i < names->count; i++) {
		if (!names->names[i])
			continue;
		if (pattern ? pcre2_match(pattern, (PCRE2_SPTR)names->names[i], strlen(names->names[i]), 0, 0, match,
					  NULL) >= 0 :
			      !strcmp(names->names[i], name))
			bits |= 1ULL << i;
	}
	return bits;
}

static bool fail_name(const struct filter_field *field, const char *text, const char *name, struct filter_error *error)
{
	char nearest[FIELD_KEY_SIZE], valid[200];
	size_t used = 0;
	unsigned int i;

	valid[0] = '\0';
	for (i = 0; i < field->names->count && used < sizeof(valid) - 1; i++)
		if (field->names->names[i])
			used += (size_t)snprintf(valid + used, sizeof(valid) - used, "%s%s", used ? ", " : "",
						 field->names->names[i]);
	if (filter_find_nearest(name, enumerator_at, field->names, nearest))
		return filter_fail(error, "'%.40s' is no value of %s; nearest: %s; valid: %s", text, field->name,
				   nearest, valid);
	return filter_fail(error, "'%.40s' is no value of %s; valid: %s", text, field->name, valid);
}

/* The pattern is tried on all names now, so that no record needs it. */
static bool parse_name_value(const struct filter_field *field, const char *text, struct filter_value *value,
			     struct filter_error *error)
{
	pcre2_match_data *match = pcre2_match_data_create(1, NULL);
	char name[NUMBER_SIZE];

	if (!match)
		return filter_fail_for_memory(error);
	normalise_name(field->names, text, name);
	value->bits = find_names(field->names, name, value->pattern, match);
	pcre2_match_data_free(match);
	return value->bits ? true : fail_name(field, text, name, error);
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

/* ---- texts ---- */

static bool fail_pattern(const char *text, int code, size_t at, struct filter_error *error)
{
	PCRE2_UCHAR reason[120];

	if (code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_NOMEMORY)
		return filter_fail_for_memory(error);
	if (pcre2_get_error_message(code, reason, sizeof(reason)) < 0)
		reason[0] = '\0';
	return filter_fail(error, "'%.60s' is no regular expression: %s (at byte %zu)", text, reason, at);
}

static bool compile_pattern(const char *text, __u32 flags, struct filter_value *value, struct filter_error *error)
{
	size_t at;
	int code;

	value->pattern = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, flags | PCRE2_NEVER_BACKSLASH_C, &code,
				       &at, NULL);
	return value->pattern ? true : fail_pattern(text, code, at, error);
}

/* A glob is matched as the regular expression that it means, so that the same limits hold. `*` also matches a slash. */
static bool compile_glob(const char *text, struct filter_value *value, struct filter_error *error)
{
	PCRE2_UCHAR *converted = NULL;
	size_t size;
	int code = pcre2_pattern_convert((PCRE2_SPTR)text, strlen(text),
					 PCRE2_CONVERT_GLOB | PCRE2_CONVERT_GLOB_NO_WILD_SEPARATOR |
						 PCRE2_CONVERT_GLOB_NO_STARSTAR,
					 &converted, &size, NULL);
	bool done;

	if (code)
		return fail_pattern(text, code, size, error);
	done = compile_pattern((const char *)converted, 0, value, error);
	pcre2_converted_pattern_free(converted);
	return done;
}

/* The kernel truncates process names, so the record has no more. */
static void limit_comm(const struct filter_node *node, struct filter_value *value)
{
	if (node->field.type == FILTER_COMM && value->size > NT_COMM_SIZE - 1)
		value->text[value->size = NT_COMM_SIZE - 1] = '\0';
}

static bool set_text(const struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
		     struct filter_error *error)
{
	value->text = strdup(text);
	if (!value->text)
		return filter_fail_for_memory(error);
	value->size = strlen(text);
	if (node->operator== FILTER_CONTAINS)
		return true;
	if (node->operator== FILTER_MATCHES || node->operator== FILTER_MATCHES_NOT)
		return compile_pattern(text, 0, value, error);
	if (!is_quoted && strpbrk(text, "*?["))
		return compile_glob(text, value, error);
	limit_comm(node, value);
	return true;
}

/* ---- objects of the system ---- */

/* Looks up a name before it tries a number, as POSIX requires for chown(1): a name may consist of digits. */
static bool parse_user_value(const char *text, struct filter_value *value, struct filter_error *error)
{
	const struct passwd *user = getpwnam(text);
	__u64 number;

	if (!user && !quantity_number(text, 0, NO_UID - 1, &number))
		return filter_fail(error, "no such user: %.60s; valid: a user's name, or a number from 0 to 4294967294",
				   text);
	value->low = value->high = user ? user->pw_uid : (__s64)number;
	return true;
}

/* Returns the inode number of the network namespace at the path. 0 if there is none. */
static __u32 netns_at(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	__u32 inode = 0;

	if (fd < 0)
		return 0;
	if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET && !fstat(fd, &status))
		inode = (__u32)status.st_ino;
	close(fd);
	return inode;
}

/* Accepts a name of `ip netns`, a path with a slash, or an inode number. */
static bool parse_netns_value(const char *text, struct filter_value *value, struct filter_error *error)
{
	char path[512];
	__u64 number;
	__u32 inode;

	snprintf(path, sizeof(path), "%s%s", strchr(text, '/') ? "" : NAMED_NAMESPACES, text);
	inode = netns_at(path);
	if (!inode && quantity_number(text, 1, 0xffffffff, &number))
		inode = (__u32)number;
	value->low = value->high = inode;
	if (inode)
		return true;
	return filter_fail(error,
			   "no such network namespace: %.60s; valid: a name that ip netns lists, an inode number, or a "
			   "path: /proc/PID/ns/net",
			   text);
}

/* Refuses a path with the mount point, which would match nothing: records have the path from the hierarchy's root. */
static bool parse_cgroup_value(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			       struct filter_error *error)
{
	if (!strncmp(text, CGROUP_MOUNT, strlen(CGROUP_MOUNT)))
		return filter_fail(error,
				   "'%.60s' is no control group; valid: a path without " CGROUP_MOUNT
				   ", as in /proc/PID/cgroup: /system.slice",
				   text);
	if (!set_text(node, text, is_quoted, value, error))
		return false;
	while (value->size && value->text[value->size - 1] == '/')
		value->text[--value->size] = '\0';
	return true;
}

static bool check_pid(const struct filter_field *field, struct filter_value *value, const char *text,
		      struct filter_error *error)
{
	if (strcmp(field->name, "pid") || (value->low >= 1 && value->high <= MOST_PID))
		return true;
	return filter_fail(error, "'%.60s' is no process id; valid: 1 to 4194304", text);
}

static bool parse_container_value(struct filter_node *node, const char *text, bool is_quoted,
				  struct filter_value *value, struct filter_error *error)
{
	if (!set_text(node, text, is_quoted, value, error))
		return false;
	if (value->pattern || node->operator== FILTER_CONTAINS ||(value->size <= MOST_CONTAINER &&
								  text[strspn(text, "0123456789abcdefABCDEF")] == '\0'))
		return true;
	return filter_fail(error, "'%.60s' is no container id; valid: its first 1 to 64 hexadecimal digits", text);
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

static bool has_order(enum filter_type type)
{
	return type <= FILTER_COUNT_OR_RATIO;
}

bool filter_check_operator(const struct filter_node *node, struct filter_error *error)
{
	enum filter_type type = node->field.type;

	switch (node->operator) {
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
		if (has_order(type))
			return true;
		return filter_fail(error,
				   "< and > are for numbers and times, and %s is none; use = or !=", node->field.name);
	}
}

/* < and the like compare with one number. */
static bool check_ordered_values(const struct filter_node *node, const struct filter_value *value,
				 struct filter_error *error)
{
	if (node->operator== FILTER_EQUAL || node->operator== FILTER_UNEQUAL || !has_order(node->field.type))
		return true;
	if (node->count == 1 && value->low == value->high)
		return true;
	return filter_fail(error, "< and > compare with one number; use = for a list or a range");
}

static bool parse_name_or_pattern(struct filter_node *node, const char *text, bool is_quoted,
				  struct filter_value *value, struct filter_error *error)
{
	if ((node->operator== FILTER_MATCHES || node->operator== FILTER_MATCHES_NOT || strpbrk(text, "*?[")) &&
	    !set_text(node, text, is_quoted, value, error))
		return false;
	return parse_name_value(&node->field, text, value, error);
}

static bool parse_by_type(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			  struct filter_error *error)
{
	switch (node->field.type) {
	case FILTER_ADDRESS:
		return parse_network_value(text, value, error);
	case FILTER_NAME:
	case FILTER_NAMES:
		return parse_name_or_pattern(node, text, is_quoted, value, error);
	case FILTER_FLAG:
		return parse_flag_value(&node->field, text, value, error);
	case FILTER_USER:
		return parse_user_value(text, value, error);
	case FILTER_NETNS:
		return parse_netns_value(text, value, error);
	case FILTER_CGROUP:
		return parse_cgroup_value(node, text, is_quoted, value, error);
	case FILTER_CONTAINER:
		return parse_container_value(node, text, is_quoted, value, error);
	case FILTER_TEXT:
	case FILTER_COMM:
		return set_text(node, text, is_quoted, value, error);
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
