/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option table. The parser, --help, bash completion and the man page's list of options come from it. */
#ifndef NETRACKER_OPTION_TABLE_H
#define NETRACKER_OPTION_TABLE_H

#include <linux/types.h>
#include <stddef.h>

#include "src/cli/options.h"
#include "src/filter/filter.h"
#include "src/record/record_fields.h"

/* The kind of a value. option_value_set() parses it. */
enum option_type {
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_FLAG,
	OPTION_STRING,
	OPTION_NUMBER32,
	OPTION_NUMBER64,
	OPTION_DURATION,
	OPTION_SIZE,
	OPTION_WORD, /* the member is its number, from 1 on */
	OPTION_WORDS,
	OPTION_CONDITION, /* values of a field of the filter language */
	OPTION_WHERE,     /* an expression of the filter language */
	OPTION_INTERFACE,
	OPTION_FORMAT,
	OPTION_JSON, /* a flag: the format json */
	OPTION_LIKE,
	OPTION_ID,
	OPTION_COLUMNS,
	OPTION_KEEP,
	OPTION_TIME,
	OPTION_METRICS,
};

enum option_section {
	SECTION_FILTERS,
	SECTION_SOURCES,
	SECTION_RULES,
	SECTION_OUTPUT,
	SECTIONS,
};

/* Completions that bash offers for a value. */
enum option_completion {
	COMPLETE_NOTHING,
	COMPLETE_WORD,
	COMPLETE_WORD_LIST, /* separated by commas */
	COMPLETE_INTERFACES,
	COMPLETE_PROCESSES,
	COMPLETE_PROCESS_NAMES,
	COMPLETE_USERS,
	COMPLETE_FILES,
	COMPLETE_CGROUPS,
	COMPLETE_NAMESPACES,
	COMPLETE_COLUMNS,
	COMPLETE_FIELDS,
};

/* A text for some commands. The first one that has the command is used. */
struct option_text {
	unsigned int commands; /* bits of enum command_bit */
	const char *text;
};

#define OPTION_TEXTS 4

struct option_rule {
	const char *name;
	int letter; /* 0: none */
	unsigned int commands;
	enum option_type type;
	size_t offset;     /* of the member in struct options */
	__u64 least, most; /* numbers, sizes, durations: bounds (0: none); strings: most bytes */
	const struct field_names *words;
	const char *field;             /* conditions: the field of the filter language */
	enum filter_operator relation; /* conditions */
	bool replaces;                 /* words: if given again, it replaces earlier words instead of adding to them */
	const char *value;             /* the value's name in help; NULL: takes no value */
	const char *optional;          /* the name of a value that may follow after `=`, if `value` is NULL */
	const char *implied;           /* the value that is meant without it */
	const char *valid;             /* for the error message: the valid values */
	const char *kind;              /* the kind of object that a value names, for "no such user"; NULL: none */
	const char *refusal; /* why live tracking or replay does not have it; NULL: struct command has the reason */
	enum option_section section;
	struct option_text help[OPTION_TEXTS];
	enum option_completion completion;
	struct option_text offered[OPTION_TEXTS]; /* words, separated by spaces */
};

extern const struct option_rule option_rules[];
extern const unsigned int option_rule_count;

/* Headings of the sections in help and man page. */
extern const char *const option_section_names[SECTIONS];

/* Returns the command's text. NULL if there is none. */
const char *option_text_for(const struct option_text texts[OPTION_TEXTS], unsigned int command);

#endif
