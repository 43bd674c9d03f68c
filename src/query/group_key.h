/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys by which records are grouped (--by), and their values in one string of bytes. */
#ifndef NETRACKER_GROUP_KEY_H
#define NETRACKER_GROUP_KEY_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/history/history_columns.h"
#include "src/record/record_fields.h"
#include "src/util/text_buffer.h"

#define MOST_GROUP_KEYS 8
#define GROUP_KEY_NAME_SIZE 32

enum group_key_kind {
	GROUP_BY_FIELD,
	GROUP_BY_USER,
	GROUP_BY_PEER,    /* of a client dst, else the side that opened the connection */
	GROUP_BY_NET,     /* of the peer */
	GROUP_BY_SERVICE, /* address and port of dst */
	GROUP_BY_TIME,
};

struct group_key {
	char name[GROUP_KEY_NAME_SIZE]; /* in JSON and CSV */
	enum group_key_kind kind;
	const struct record_field *field;
	unsigned int bits[2]; /* of a net: of IPv4, of IPv6 */
	__u64 bucket_ns;
};

struct group_keys {
	struct group_key keys[MOST_GROUP_KEYS];
	unsigned int count;
};

/* Parses "comm,net/24,10m". Returns false after writing the reason. */
bool group_keys_parse(struct group_keys *keys, const char *text, char *reason, size_t size);

void group_keys_add_columns(const struct group_keys *keys, struct history_columns *columns);

/* Appends the record's values: two records append the same bytes if they are of the same group. The order of the bytes is
 * that of numbers and times, of the bytes of texts, and of addresses and ports as they are sent; IPv4 as ::ffff:0:0/96.
 * Unknown values come first. */
void group_keys_append(const struct group_keys *keys, const struct nt_record *record, struct text_buffer *bytes);

enum group_value_type { GROUP_UNKNOWN, GROUP_NUMBER, GROUP_TEXT };

/* A value taken out of the bytes. */
struct group_value {
	enum group_value_type type;
	__s64 number;
	const char *text; /* any bytes; points into the bytes or to `storage` */
	size_t size;
	char storage[128];
};

/* Takes the next value. Returns the bytes behind it. */
const char *group_value_take(struct group_value *value, const char *bytes);

#endif
