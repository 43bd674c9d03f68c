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

bool filter_parse_text(const struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
		       struct filter_error *error)
{
	value->text = strdup(text);
	if (!value->text)
		return filter_fail_for_memory(error);
	value->size = strlen(text);
	if (node->relation == FILTER_CONTAINS)
		return true;
	if (filter_has_pattern(node))
		return compile_pattern(text, 0, value, error);
	if (!is_quoted && strpbrk(text, WILDCARDS))
		return compile_glob(text, value, error);
	limit_comm(node, value);
	return true;
}

/* Refuses a path with the mount point, which would match nothing: records have the path from the hierarchy's root. */
bool filter_parse_cgroup(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			 struct filter_error *error)
{
	if (!strncmp(text, CGROUP_MOUNT, strlen(CGROUP_MOUNT)))
		return filter_fail(error,
				   "'%.60s' is no control group; valid: a path without " CGROUP_MOUNT
				   ", as in /proc/PID/cgroup: /system.slice",
				   text);
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

/* ss writes close-wait and estab, netstat CLOSE_WAIT and ESTABLISHED. */
static void normalise_name(const struct field_names *names, const char *text, char name[WORD_SIZE])
{
	size_t i;

	for (i = 0; text[i] && i < WORD_SIZE - 1; i++)
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
	if (nearest_find(name, enumerator_at, field->names, nearest, sizeof(nearest)))
		return filter_fail(error, "'%.40s' is no value of %s; nearest: %s; valid: %s", text, field->name,
				   nearest, valid);
	return filter_fail(error, "'%.40s' is no value of %s; valid: %s", text, field->name, valid);
}

/* The pattern is tried on all names now, so that no record needs it. */
static bool parse_name_value(const struct filter_field *field, const char *text, struct filter_value *value,
			     struct filter_error *error)
{
	pcre2_match_data *match = pcre2_match_data_create(1, NULL);
	char name[WORD_SIZE];

	if (!match)
		return filter_fail_for_memory(error);
	normalise_name(field->names, text, name);
	value->bits = find_names(field->names, name, value->pattern, match);
	pcre2_match_data_free(match);
	return value->bits ? true : fail_name(field, text, name, error);
}

bool filter_parse_names(struct filter_node *node, const char *text, bool is_quoted, struct filter_value *value,
			struct filter_error *error)
{
	if ((filter_has_pattern(node) || strpbrk(text, WILDCARDS)) &&
	    !filter_parse_text(node, text, is_quoted, value, error))
		return false;
	return parse_name_value(&node->field, text, value, error);
}
