// SPDX-License-Identifier: GPL-2.0-or-later
/* docs/record.md, `id`: equal in all records of one connection, and different for any other. */
#include "src/record/record_id.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static const char *id_of(struct nt_record record)
{
	static char ids[2][NT_ID_SIZE];
	static unsigned int turn;
	char *id = ids[turn++ % 2];

	record_id_observer(&record);
	memcpy(id, record.id, NT_ID_SIZE);
	return id;
}

#define CHECK_DIFFERENT(statement) \
	do { \
		struct nt_record other = sample_record(); \
		statement; \
		CHECK(strcmp(id_of(sample_record()), id_of(other)) != 0); \
	} while (0)

static void check_socket_ids(void)
{
	struct nt_record record = sample_record(), other = sample_record();

	other.event = NT_EVENT_OPEN;
	record_id_socket(&record, 1, 2, 3);
	record_id_socket(&other, 1, 2, 3);
	CHECK_STRING(other.id, record.id);
	record_id_socket(&other, 0, 2, 3);
	CHECK(strcmp(other.id, record.id) != 0);
	record_id_socket(&other, 1, 0, 3);
	CHECK(strcmp(other.id, record.id) != 0);
	record_id_socket(&other, 1, 2, 4);
	CHECK(strcmp(other.id, record.id) != 0);
	other.src_port++;
	record_id_socket(&other, 1, 2, 3);
	CHECK(strcmp(other.id, record.id) != 0);
}

/* Vectors of the FNV reference: http://www.isthe.com/chongo/src/fnv/test_fnv.c */
static void check_hash(void)
{
	CHECK(record_id_hash("", 0) == 0xcbf29ce484222325ULL);
	CHECK(record_id_hash("a", 1) == 0xaf63dc4c8601ec8cULL);
	CHECK(record_id_hash("foobar", 6) == 0x85944171f73967e8ULL);
}

int main(void)
{
	struct nt_record interim = sample_record();

	CHECK_EQUAL(strspn(id_of(sample_record()), "0123456789abcdef"), 16);
	interim.event = NT_EVENT_OPEN;
	interim.duration_ns = 1;
	interim.bytes[NT_SRC] = 0;
	CHECK_STRING(id_of(interim), id_of(sample_record()));
	CHECK_DIFFERENT(other.netns++);
	CHECK_DIFFERENT(other.src_port++);
	CHECK_DIFFERENT(other.dst_port++);
	CHECK_DIFFERENT(other.src_ip[15]++);
	CHECK_DIFFERENT(other.dst_ip[15]++);
	CHECK_DIFFERENT(other.start_ns++);
	CHECK_DIFFERENT((memcpy(other.src_ip, sample_dst_ipv4, 16), memcpy(other.dst_ip, sample_src_ipv4, 16)));
	CHECK_DIFFERENT(nt_record_unset(&other, NT_HAS_NETNS));
	check_socket_ids();
	check_hash();
	return check_finish();
}
