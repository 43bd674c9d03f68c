/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of a record's fields, in the order of docs/record.md. Every format is written from it. */
#ifndef NETRACKER_RECORD_FIELDS_H
#define NETRACKER_RECORD_FIELDS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"

enum field_type {
	FIELD_INTEGER,
	FIELD_SIGNED,
	FIELD_STRING, /* any bytes; the format escapes them */
	FIELD_WORD,   /* written by NeTracker; needs no escaping */
	FIELD_BOOLEAN,
	FIELD_LIST,
};

enum field_kind {
	FIELD_KIND_DERIVED, /* from other members; `offset` is not its own */
	FIELD_KIND_INTEGER,
	FIELD_KIND_CHARACTERS, /* an array that ends at its first NUL or its end */
	FIELD_KIND_WORD,       /* an array that ends with NUL */
	FIELD_KIND_POINTER,
	FIELD_KIND_ENUMERATOR,
	FIELD_KIND_BITS,
	FIELD_KIND_ADDRESS,
	FIELD_KIND_TIME,
	FIELD_KIND_HISTORY,
};

#define FIELD_LIST_MAX 16
#define FIELD_KEY_SIZE 24     /* the longest name, quotes and colon; a copy of constant size is faster */
#define FIELD_STORAGE_SIZE 48 /* an IPv6 address (INET6_ADDRSTRLEN 46), a time or a Community ID */

/* One field's value. A string ends at its first NUL or after string_size bytes; a word has string_size bytes. */
struct field_value {
	__u64 integer; /* FIELD_INTEGER, FIELD_BOOLEAN; FIELD_SIGNED as two's complement */
	const char *string;
	size_t string_size;
	const char *list[FIELD_LIST_MAX];
	unsigned int list_count;
	char storage[FIELD_STORAGE_SIZE]; /* for `string`, if the record holds no text */
};

/* Words of an enumeration, indexed by enumerator or bit number. */
struct field_names {
	const char *const *names;
	unsigned int count;
};

extern const struct field_names record_event_names, record_role_names, record_outcome_names, record_side_names,
	record_gap_names, record_limited_by_names, record_state_names;

/* Returns the word of an enumerator. NULL if there is none. */
const char *field_name(const struct field_names *names, unsigned int index);

struct record_field;

struct record_field {
	char key[FIELD_KEY_SIZE]; /* as in JSON: "name": */
	size_t key_size;          /* bytes of `key` in use */
	enum field_type type;
	int present; /* enum nt_present, FIELD_ALWAYS or FIELD_OF_CONNECTIONS */
	bool (*get)(const struct record_field *field, const struct nt_record *record, struct field_value *value);
	size_t offset, size; /* of the member in struct nt_record */
	const struct field_names *names;
};

#define FIELD_ALWAYS (-1)
#define FIELD_OF_CONNECTIONS (-2) /* in every record but those of listeners */

extern const struct record_field record_fields[];
extern const unsigned int record_field_count;

/* Writes the field's key. Returns false beyond the last field. */
bool record_field_name(unsigned int index, char name[FIELD_KEY_SIZE]);

/* Returns how the field's member in struct nt_record holds the value. */
enum field_kind record_field_kind(const struct record_field *field);

/* Returns whether the record says that it has the field: its value may still be unknown. */
static inline bool record_has_field(const struct nt_record *record, const struct record_field *field)
{
	if (field->present == FIELD_OF_CONNECTIONS)
		return !nt_record_is_listener(record);
	return field->present == FIELD_ALWAYS || nt_record_has(record, field->present);
}

/* Returns whether records of listeners, or of connections, may have the field. */
bool record_field_is_of_listeners(const struct record_field *field);
bool record_field_is_of_connections(const struct record_field *field);

/* Returns false if the value is unknown. Strings point into the record or into the value. */
bool record_field_get(const struct record_field *field, const struct nt_record *record, struct field_value *value);

/* `host` is not copied. NULL leaves the key out. */
static inline void record_name_host(struct nt_record *record, const char *host)
{
	record->host = host;
	if (host)
		nt_record_set(record, NT_HAS_HOST);
}

/* Returns the value of an integer's or an enumeration's member. Inline: it runs for each such key of each record. */
static inline __u64 record_field_integer(const struct record_field *field, const struct nt_record *record)
{
	const void *member = (const char *)record + field->offset;

	switch (field->size) {
	case sizeof(__u8):
		return *(const __u8 *)member;
	case sizeof(__u16):
		return *(const __u16 *)member;
	case sizeof(__u32):
		return *(const __u32 *)member;
	default:
		return *(const __u64 *)member;
	}
}

/* Sets a member of `size` bytes. Returns false if the value does not fit: one of 8 bytes holds any, another none below 0. */
bool record_member_set_integer(void *member, size_t size, long long value);

/* Leaves out integers of 2^53 and more, which JSON readers do not hold exactly (RFC 8259 section 6), and adds the gap
 * `value_range`. */
void record_limit_integers(struct nt_record *record);

/* NeTracker's own words need no escaping in any format. Returns false for others, which a reader must not take. */
bool record_word_is_plain(const char *word);

#define ADDRESS_TEXT_SIZE 46

/* Writes an IPv4-mapped address as IPv4, any other as RFC 5952 requires. `address` is in network byte order. */
void record_address_text(char out[ADDRESS_TEXT_SIZE], const __u8 address[16]);

/* Writes RFC 3339 in UTC with 3 or 9 decimals (truncated, not rounded): 2023-11-14T22:13:20.001000000Z. */
void record_time_text(char out[FIELD_STORAGE_SIZE], __u64 epoch_ns, int decimals);

#endif
