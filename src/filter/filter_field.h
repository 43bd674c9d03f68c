/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of the filter language: the record's keys, and short names. */
#ifndef NETRACKER_FILTER_FIELD_H
#define NETRACKER_FILTER_FIELD_H

#include "src/record/record_fields.h"

enum filter_type {
	FILTER_NUMBER,
	FILTER_DURATION,
	FILTER_SIZE,
	FILTER_PORT,
	FILTER_TIME,
	FILTER_COUNT_OR_RATIO, /* retransmissions: a number, or with % of the packets */
	FILTER_ADDRESS,
	FILTER_TEXT,
	FILTER_COMM,  /* a text of at most 15 bytes: the kernel truncates names */
	FILTER_NAME,  /* an enumerator */
	FILTER_NAMES, /* any number of enumerators */
	FILTER_FLAG,
	FILTER_USER,
	FILTER_NETNS,
	FILTER_CGROUP,
	FILTER_CONTAINER,
};

#define FILTER_SIDES 2

/* A field's value in one record: up to two numbers or addresses, of which one must match, or one text. */
struct filter_operand {
	unsigned int count; /* 0: unknown */
	__s64 number[FILTER_SIDES];
	__u64 of; /* FILTER_COUNT_OR_RATIO: the packets; 0: unknown */
	const __u8 *address[FILTER_SIDES];
	const char *text; /* not NUL-terminated; NULL: none */
	size_t size;
	__u64 bits;
	struct field_value value; /* has the text, if the record has none */
};

struct filter_field {
	char name[FIELD_KEY_SIZE]; /* as the user wrote it */
	enum filter_type type;
	__u64 unit_ns; /* FILTER_DURATION: nanoseconds that a number without unit counts */
	void (*get)(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand);
	const struct record_field *key; /* NULL: computed from several */
	const char *computed_from;      /* these keys, separated by spaces, beside `event` */
	const struct field_names *names;
	bool is_signed;
	bool is_absent_at_times; /* so that its name alone asks whether it is known */
	bool is_of_connections;  /* computed from several keys, which records of listeners do not have */
};

/* Fills the field of this name. Returns false if there is none. */
bool filter_field_find(const char *name, struct filter_field *field);

/* Copies the name of the field that is most like the text. Returns false if none is. */
bool filter_field_find_nearest(const char *text, char nearest[FIELD_KEY_SIZE]);

/* Returns whether records of listeners, or of connections, may have the field. */
bool filter_field_is_of_listeners(const struct filter_field *field);
bool filter_field_is_of_connections(const struct filter_field *field);

/* Returns what the operand's number counts for 1 of the record's key: 1000 of keys that count microseconds, else 1. */
__s64 filter_field_unit(const struct filter_field *field);

/* Fills the operand: all zero if the value is unknown. */
void filter_field_get(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand);

static inline bool filter_local_is_src(const struct nt_record *record)
{
	return record->role != NT_ROLE_SERVER;
}

#endif
