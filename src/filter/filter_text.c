// SPDX-License-Identifier: GPL-2.0-or-later
/* Values that are texts, patterns of texts, or words of an enumeration. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/filter/filter_tree.h"
#include "src/util/nearest.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define MOST_CONTAINER 64 /* hexadecimal digits of an id */
#define WORD_SIZE 64
#define WILDCARDS "*?["

static bool fail_pattern(const char *text, int code, size_t at, struct filter_error *error)
{
	PCRE2_UCHAR reason[120];

	if (code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_NOMEMORY)
		return filter_fail_for_memory(error);
	if (pcre2_get_error_message(code, reason, sizeof(reason)) < 0)
		reason[0] = '\0';
	return filter_fail(error, "'%.60s' is no regular expression: %s (at byte %zu)", text, reason, at);
}

/* Texts are bytes: not all are UTF-8. */
#define PATTERN_FLAGS (PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP)

static bool compile_pattern(const char *text, struct filter_value *value, struct filter_error *error)
{
	size_t at;
	int code;

	value->pattern = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PATTERN_FLAGS, &code, &at, NULL);
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
	done = compile_pattern((const char *)converted, value, error);
	pcre2_converted_pattern_free(converted);
	return done;
}

/* The kernel truncates process names, so a record has no more. A longer name selects what it has become; a longer part or
 * pattern could never match.
 */
static bool fit_comm(const struct filter_node *node, const char *text, bool is_glob, struct filter_value *value,
		     struct filter_error *error)
{
	size_t most = NT_COMM_SIZE - 1, literal = is_glob ? strcspn(text, WILDCARDS) : value->size;

	if (node->field.type != FILTER_COMM || literal <= most)
		return true;
	if (is_glob || node->relation == FILTER_CONTAINS)
		return filter_fail(error,
				   "'%.60s' never matches: the kernel keeps 15 bytes of a process name; use %.14s*",
				   text, text);
	value->text[value->size = most] = '\0';
	return true;
}

bool filter_parse_text(const struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
		       struct filter_error *error)
{
	bool is_glob;

	value->text = strdup(text);
	if (!value->text)
		return filter_fail_for_memory(error);
	value->size = strlen(text);
	if (filter_has_pattern(node))
		return compile_pattern(text, value, error);
	is_glob = node->relation != FILTER_CONTAINS && !is_quoted && strpbrk(text, WILDCARDS);
	if (!fit_comm(node, text, is_glob, value, error))
		return false;
	return is_glob ? compile_glob(text, value, error) : true;
}

/* Refuses a path with the mount point, which would match nothing: records have the path from the hierarchy's root. */
/* A glob of a control group selects what a name without wildcards would: the group and those below it, or if it does not
 * begin with a slash, a part of the path.
 */
static bool parse_cgroup_glob(struct filter_node *node, const char *text, struct filter_error *error)
{
	const char *before = *text == '/' ? "" : "*/";
	size_t size = strlen(text) + sizeof("*//*");
	char *whole = malloc(size);
	struct filter_value *value;
	int below;

	for (below = 0; whole && below < 2; below++) {
		snprintf(whole, size, "%s%s%s", before, text, below ? "/*" : "");
		value = below ? filter_node_add_value(node) : &node->values[node->count - 1];
		if (!value || !filter_parse_text(node, whole, false, value, error))
			break;
	}
	free(whole);
	return below == 2 || (!error->message[0] && filter_fail_for_memory(error));
}

bool filter_parse_cgroup(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			 struct filter_error *error)
{
	if (!strncmp(text, CGROUP_MOUNT, strlen(CGROUP_MOUNT)))
		return filter_fail(error,
				   "'%.60s' is no control group; valid: a path without " CGROUP_MOUNT
				   ", as in /proc/PID/cgroup: /system.slice",
				   text);
	if (filter_tests_equality(node) && !is_quoted && strpbrk(text, WILDCARDS))
		return parse_cgroup_glob(node, text, error);
	if (!filter_parse_text(node, text, is_quoted, value, error))
		return false;
	while (value->size && value->text[value->size - 1] == '/')
		value->text[--value->size] = '\0';
	return true;
}

bool filter_parse_container(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			    struct filter_error *error)
{
	if (!filter_parse_text(node, text, is_quoted, value, error))
		return false;
	if (value->pattern || node->relation == FILTER_CONTAINS ||
	    (value->size <= MOST_CONTAINER && text[strspn(text, "0123456789abcdefABCDEF")] == '\0'))
		return true;
	return filter_fail(error, "'%.60s' is no container id; valid: its first 1 to 64 hexadecimal digits", text);
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

/* ss writes close-wait, fin-wait-1 and estab, netstat CLOSE_WAIT, FIN_WAIT1 and ESTABLISHED. */
static void normalise_name(const struct field_names *names, const char *text, char name[WORD_SIZE])
{
	size_t i;

	for (i = 0; text[i] && i < WORD_SIZE - 1; i++)
		name[i] = text[i] == '-' ? '_' : (char)tolower((unsigned char)text[i]);
	name[i] = '\0';
	if (names != &record_state_names)
		return;
	if (!strcmp(name, "estab"))
		strcpy(name, "established");
	if (i > 2 && isdigit((unsigned char)name[i - 1]) && name[i - 2] == '_')
		memmove(&name[i - 2], &name[i - 1], 2);
}

static __u64 find_enumerator_bit(const struct field_names *names, const char *name)
{
	unsigned int i;

	if (names == &record_outcome_names && !strcmp(name, "failed"))
		return FAILED_OUTCOMES;
	for (i = 0; i < names->count; i++)
		if (names->names[i] && !strcmp(names->names[i], name))
			return 1ULL << i;
	return 0;
}

/* Returns 0, or PCRE2's error if the limits end it. */
static int match_names(const struct field_names *names, struct filter_value *value, struct filter_matching *matching)
{
	unsigned int i;
	int result;

	for (i = 0; i < names->count; i++) {
		if (!names->names[i])
			continue;
		result = filter_match(matching, value->pattern, names->names[i], strlen(names->names[i]));
		if (result >= 0)
			value->bits |= 1ULL << i;
		else if (result != PCRE2_ERROR_NOMATCH)
			return result;
	}
	return 0;
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
	if (nearest_find(name, enumerator_at, field->names, nearest, sizeof(nearest)))
		return filter_fail(error, "'%.40s' is no value of %s; nearest: %s; valid: %s", text, field->name,
				   nearest, valid);
	return filter_fail(error, "'%.40s' is no value of %s; valid: %s", text, field->name, valid);
}

/* The pattern is tried on all names now, so that no record needs it. */
static bool find_matching_names(const struct field_names *names, const char *text, struct filter_value *value,
				struct filter_error *error)
{
	struct filter_matching matching;
	int result;

	if (!filter_matching_begin(&matching))
		return filter_fail_for_memory(error);
	result = match_names(names, value, &matching);
	filter_matching_end(&matching);
	return !result || fail_pattern(text, result, 0, error);
}

bool filter_parse_names(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			struct filter_error *error)
{
	const struct field_names *names = node->field.names;
	bool is_pattern = filter_has_pattern(node) || (!is_quoted && strpbrk(text, WILDCARDS));
	char name[WORD_SIZE];

	normalise_name(names, text, name);
	if (!is_pattern)
		value->bits = find_enumerator_bit(names, name);
	else if (!filter_parse_text(node, text, is_quoted, value, error) ||
		 !find_matching_names(names, text, value, error))
		return false;
	return value->bits ? true : fail_name(&node->field, text, name, error);
}
