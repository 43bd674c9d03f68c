/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of a record in the order of docs/record.md: one table, from which every format is written. */
#ifndef NETRACKER_RECORD_FIELDS_H
#define NETRACKER_RECORD_FIELDS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"

enum field_type {
	FIELD_INTEGER,
	FIELD_SIGNED,
	FIELD_STRING, /* any bytes: to be escaped */
	FIELD_WORD,   /* of our own making: no byte needs it */
	FIELD_BOOLEAN,
	FIELD_LIST,
};

#define FIELD_LIST_MAX 8
#define FIELD_KEY_SIZE 24     /* the longest name and what JSON puts around it; copied whole, which is faster */
#define FIELD_STORAGE_SIZE 48 /* an IPv6 address (INET6_ADDRSTRLEN 46), a time or a Community ID */

/* One field's value. Strings may be any bytes and end at the first NUL or after string_size bytes; words end there. */
struct field_value {
	__u64 integer; /* FIELD_INTEGER, FIELD_BOOLEAN; FIELD_SIGNED as two's complement */
	const char *string;
	size_t string_size;
	const char *list[FIELD_LIST_MAX];
	unsigned int list_count;
	char storage[FIELD_STORAGE_SIZE]; /* what `string` points to where the record holds no text */
};

/* Words of an enumeration; index or bit number is the enumerator. */
struct field_names {
	const char *const *names;
	unsigned int count;
};

extern const struct field_names record_event_names, record_role_names, record_outcome_names, record_side_names,
	record_gap_names, record_limited_by_names, record_state_names;

/* The word of an enumerator, NULL where there is none. */
const char *field_name(const struct field_names *names, unsigned int index);

struct record_field;

struct record_field {
	char key[FIELD_KEY_SIZE]; /* as JSON has it: "name": */
	size_t key_size;          /* without what is left of it */
	enum field_type type;
	int present; /* enum nt_present, or FIELD_ALWAYS */
	bool (*get)(const struct record_field *field, const struct nt_record *record, struct field_value *value);
	size_t offset, size; /* of the member in struct nt_record */
	const struct field_names *names;
};

#define FIELD_ALWAYS (-1)

extern const struct record_field record_fields[];
extern const unsigned int record_field_count;

/* False where the record does not know the value. */
bool record_field_get(const struct record_field *field, const struct nt_record *record, struct field_value *value);

/* NULL: the record names none. */
static inline void record_name_host(struct nt_record *record, const char *host)
{
	record->host = host;
	if (host)
		nt_record_set(record, NT_HAS_HOST);
}

#define ADDRESS_TEXT_SIZE 46

/* IPv4-mapped addresses as IPv4, others as RFC 5952 has them. */
void record_address_text(char out[ADDRESS_TEXT_SIZE], const __u8 address[16]);

/* RFC 3339 in UTC with 3 or 9 decimals (cut, not rounded): 2023-11-14T22:13:20.001000000Z. */
void record_time_text(char out[FIELD_STORAGE_SIZE], __u64 epoch_ns, int decimals);

#endif
