// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/record_id.h"

#include <endian.h>

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
#define FNV_OFFSET_BASIS 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

static __u64 hash_bytes(__u64 hash, const void *bytes, size_t size)
{
	const __u8 *byte = bytes;

	while (size--)
		hash = (hash ^ *byte++) * FNV_PRIME;
	return hash;
}

__u64 record_id_hash(const void *bytes, size_t size)
{
	return hash_bytes(FNV_OFFSET_BASIS, bytes, size);
}

/* Numbers are hashed as little-endian bytes, so that a record has the same id on every machine. */
static __u64 hash_number(__u64 hash, __u64 number, size_t size)
{
	__u64 little_endian = htole64(number);

	return hash_bytes(hash, &little_endian, size);
}

static __u64 hash_record_tuple(__u64 hash, const struct nt_record *record)
{
	hash = hash_bytes(hash, record->src_ip, sizeof(record->src_ip));
	hash = hash_number(hash, record->src_port, sizeof(record->src_port));
	hash = hash_bytes(hash, record->dst_ip, sizeof(record->dst_ip));
	return hash_number(hash, record->dst_port, sizeof(record->dst_port));
}

static void set_id(struct nt_record *record, __u64 hash)
{
	int i;

	for (i = NT_ID_SIZE - 2; i >= 0; i--) {
		record->id[i] = "0123456789abcdef"[hash & 0xf];
		hash >>= 4;
	}
	record->id[NT_ID_SIZE - 1] = '\0';
}

void record_id_observer(struct nt_record *record)
{
	__u32 netns = nt_record_has(record, NT_HAS_NETNS) ? record->netns : 0;
	__u64 start_ns = nt_record_has(record, NT_HAS_START) ? record->start_ns : 0;
	__u64 hash = hash_record_tuple(hash_number(FNV_OFFSET_BASIS, netns, sizeof(netns)), record);

	set_id(record, hash_number(hash, start_ns, sizeof(start_ns)));
}

void record_id_socket(struct nt_record *record, __u64 boot_hash, __u64 socket, __u32 connections_before)
{
	__u64 hash = hash_number(FNV_OFFSET_BASIS, boot_hash, sizeof(boot_hash));

	hash = hash_record_tuple(hash_number(hash, socket, sizeof(socket)), record);
	set_id(record, hash_number(hash, connections_before, sizeof(connections_before)));
}
