// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_records.h"

#include <endian.h>
#include <errno.h>
#include <pcap/dlt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1000000000ULL
#define MOST_RECORD (1U << 20) /* bytes; larger than any packet */

/* ERF has no magic number. A file is one if its first header makes sense: a known type, a time from 1990 on, and lengths
 * that fit each other.
 */
#define ERF_EARLIEST 631152000U
#define ERF_MORE_HEADERS 0x80 /* in the type of the header, and of each extension header */
#define ERF_EXTENSION 8
#define ERF_PORT 3 /* in the flags */
#define ERF_MOST_EXTENSIONS 16
/* A record holds extension headers and padding beside its packet. */
#define ERF_MOST_EXCESS (ERF_MOST_EXTENSIONS * ERF_EXTENSION + 64)

enum erf_type {
	ERF_HDLC_POS = 1,
	ERF_ETH = 2,
	ERF_COLOR_HDLC_POS = 10,
	ERF_COLOR_ETH = 11,
	ERF_DSM_COLOR_HDLC_POS = 15,
	ERF_DSM_COLOR_ETH = 16,
	ERF_COLOR_HASH_POS = 19,
	ERF_COLOR_HASH_ETH = 20,
	ERF_IPV4 = 22,
	ERF_IPV6 = 23,
	ERF_META = 27,
	ERF_MOST_TYPE = 31,
	ERF_PAD = 48,
};

struct snoop_header {
	__u8 magic[8];
	__u32 version, link_type; /* all numbers of snoop are big-endian */
};

struct snoop_record {
	__u32 length, captured, record, drops, seconds, microseconds;
};

struct erf_record {
	__u64 time; /* little-endian, in units of 2^-32 s; the other numbers are big-endian */
	__u8 type, flags;
	__u16 record, lost, length;
};

_Static_assert(sizeof(struct snoop_header) == 16 && sizeof(struct snoop_record) == 24 &&
		       sizeof(struct erf_record) == 16,
	       "the layouts of the files");

struct capture_records {
	FILE *stream;
	struct interface_names *interfaces; /* NULL: not kept */
	bool is_snoop;
	int link_type; /* of snoop */
	__u8 *data;    /* of the current record */
	__u32 capacity;
	const char *error; /* NULL: none */
};

static int set_error(struct capture_records *records, const char *reason)
{
	records->error = reason;
	return -1;
}

/* Returns 1; 0 at the end of the file; -1 if the file ends inside. */
static int read_exactly(struct capture_records *records, void *to, __u32 size)
{
	size_t got = fread(to, 1, size, records->stream);

	if (got == size)
		return 1;
	if (ferror(records->stream))
		return set_error(records, strerror(errno));
	return got ? set_error(records, "the file ends inside a record") : 0;
}

/* Reads the rest of a record into records->data. Returns 0, or -1. */
static int read_data(struct capture_records *records, __u32 size)
{
	if (size > MOST_RECORD)
		return set_error(records, "a record of more than 1 MiB");
	if (size > records->capacity) {
		__u8 *data = realloc(records->data, size);

		if (!data)
			return set_error(records, strerror(ENOMEM));
		records->data = data;
		records->capacity = size;
	}
	if (!size || read_exactly(records, records->data, size) == 1)
		return 0;
	return records->error ? -1 : set_error(records, "the file ends inside a record");
}

/* ---- snoop ---- */

/* Returns -1 for others than IEEE 802.3, Ethernet and FDDI. */
static int dlt_of_snoop(__u32 link_type)
{
	switch (link_type) {
	case 0:
	case 4:
		return DLT_EN10MB;
	case 8:
		return DLT_FDDI;
	default:
		return -1;
	}
}

static int open_snoop(struct capture_records *records)
{
	struct snoop_header header;

	if (read_exactly(records, &header, sizeof(header)) != 1)
		return set_error(records, "the file ends inside its header");
	if (be32toh(header.version) != 2)
		return set_error(records, "an unsupported version of snoop");
	records->link_type = dlt_of_snoop(be32toh(header.link_type));
	return records->link_type < 0 ? set_error(records, "a link type of snoop that is not supported") : 0;
}

static int next_of_snoop(struct capture_records *records, struct capture_packet *packet)
{
	struct snoop_record header;
	int result = read_exactly(records, &header, sizeof(header));
	__u32 record = be32toh(header.record), captured = be32toh(header.captured);

	if (result != 1)
		return result;
	if (record < sizeof(header) || captured > record - sizeof(header))
		return set_error(records, "a record whose lengths do not fit");
	if (read_data(records, record - sizeof(header)))
		return -1;
	*packet = (struct capture_packet){
		.data = records->data,
		.captured = captured,
		.length = be32toh(header.length),
		.ns = be32toh(header.seconds) * NS_PER_SECOND + be32toh(header.microseconds) * 1000ULL,
		.second_ns = be32toh(header.microseconds) < 1000000 ? 0 : be32toh(header.seconds) * NS_PER_SECOND,
		.link_type = records->link_type,
	};
	return 1;
}

/* ---- ERF ---- */

/* Returns the bytes between the header with its extensions and the frame. */
static __u32 erf_prefix(__u8 type)
{
	switch (type) {
	case ERF_ETH:
	case ERF_COLOR_ETH:
	case ERF_DSM_COLOR_ETH:
	case ERF_COLOR_HASH_ETH:
		return 2; /* offset and padding */
	default:
		return 0;
	}
}

/* PPP and Cisco's HDLC have no types of their own, but begin differently. */
static int dlt_of_erf(__u8 type, const __u8 *frame, __u32 size)
{
	switch (type) {
	case ERF_ETH:
	case ERF_COLOR_ETH:
	case ERF_DSM_COLOR_ETH:
	case ERF_COLOR_HASH_ETH:
		return DLT_EN10MB;
	case ERF_HDLC_POS:
	case ERF_COLOR_HDLC_POS:
	case ERF_DSM_COLOR_HDLC_POS:
	case ERF_COLOR_HASH_POS:
		return size && (*frame == 0x0f || *frame == 0x8f) ? DLT_C_HDLC : DLT_PPP;
	case ERF_IPV4:
	case ERF_IPV6:
		return DLT_RAW;
	default:
		return DLT_ERF; /* which is not supported, so that the packet is counted as such */
	}
}

/* Rounded, since writers cut the fraction off. */
static __u64 erf_time_ns(__u64 time)
{
	return (time >> 32) * NS_PER_SECOND + (((time & 0xffffffff) * NS_PER_SECOND + (1U << 31)) >> 32);
}

/* Sets *skipped to the bytes of records->data before the frame. Returns 0, or -1. */
static int pass_extensions(struct capture_records *records, const struct erf_record *header, __u32 size, __u32 *skipped)
{
	__u8 type = header->type;
	__u32 at = 0;
	int i;

	for (i = 0; i < ERF_MOST_EXTENSIONS && type & ERF_MORE_HEADERS && at + ERF_EXTENSION <= size; i++) {
		type = records->data[at];
		at += ERF_EXTENSION;
	}
	*skipped = at + erf_prefix(header->type & ~ERF_MORE_HEADERS);
	if (type & ERF_MORE_HEADERS || *skipped > size)
		return set_error(records, "a record whose lengths do not fit");
	return 0;
}

static int set_erf_packet(struct capture_records *records, const struct erf_record *header, __u32 size,
			  struct capture_packet *packet)
{
	__u32 skipped, length = be16toh(header->length);

	if (pass_extensions(records, header, size, &skipped))
		return -1;
	*packet = (struct capture_packet){
		.data = records->data + skipped,
		/* padding follows the frame */
		.captured = size - skipped < length ? size - skipped : length,
		.length = length,
		.ns = erf_time_ns(le64toh(header->time)),
		.link_type = dlt_of_erf(header->type & ~ERF_MORE_HEADERS, records->data + skipped, size - skipped),
		.interface = interface_names_find(records->interfaces, header->flags & ERF_PORT, NULL, 0),
	};
	return 1;
}

static int next_of_erf(struct capture_records *records, struct capture_packet *packet)
{
	struct erf_record header;
	__u32 size;
	__u8 type;
	int result;

	do {
		result = read_exactly(records, &header, sizeof(header));
		if (result != 1)
			return result;
		if (be16toh(header.record) < sizeof(header))
			return set_error(records, "a record whose lengths do not fit");
		size = be16toh(header.record) - sizeof(header);
		if (read_data(records, size))
			return -1;
		type = header.type & ~ERF_MORE_HEADERS;
	} while (type == ERF_META || type == ERF_PAD);
	return set_erf_packet(records, &header, size, packet);
}

static bool is_erf(const __u8 *head, size_t size)
{
	struct erf_record header;
	__u32 record, length;
	__u8 type;

	if (size < sizeof(header))
		return false;
	memcpy(&header, head, sizeof(header));
	type = header.type & ~ERF_MORE_HEADERS;
	record = be16toh(header.record);
	length = be16toh(header.length);
	if (record < sizeof(header) || record > sizeof(header) + length + ERF_MOST_EXCESS)
		return false;
	/* Records without a packet may have no time; Wireshark's tools begin their files with one. */
	if (type == ERF_META || type == ERF_PAD)
		return record % ERF_EXTENSION == 0;
	return type && type <= ERF_MOST_TYPE && le64toh(header.time) >> 32 >= ERF_EARLIEST;
}

/* ---- both ---- */

int capture_records_open(struct capture_records **records, FILE *stream, const __u8 *head, size_t size,
			 struct interface_names *interfaces, const char **reason)
{
	bool is_snoop = size >= 8 && !memcmp(head, "snoop\0\0\0", 8);
	struct capture_records *opened;

	*records = NULL;
	if (!is_snoop && !is_erf(head, size))
		return 1;
	opened = calloc(1, sizeof(*opened));
	*reason = strerror(ENOMEM);
	if (!opened)
		return -1;
	opened->stream = stream;
	opened->interfaces = interfaces;
	opened->is_snoop = is_snoop;
	opened->link_type = -1;
	if (!is_snoop || !open_snoop(opened)) {
		*records = opened;
		return 0;
	}
	*reason = opened->error;
	capture_records_close(opened);
	return -1;
}

int capture_records_next(struct capture_records *records, struct capture_packet *packet)
{
	return records->is_snoop ? next_of_snoop(records, packet) : next_of_erf(records, packet);
}

const char *capture_records_error(const struct capture_records *records)
{
	return records->error;
}

int capture_records_link_type(const struct capture_records *records)
{
	return records->link_type;
}

void capture_records_close(struct capture_records *records)
{
	if (!records)
		return;
	free(records->data);
	free(records);
}
