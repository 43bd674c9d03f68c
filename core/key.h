/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key of a connection: both endpoints and the network namespace, the same for packets of both directions.
 *
 * VLAN and interface are not part of it, because packets of one connection may be seen on several.
 */
#ifndef NETRACKER_CORE_KEY_H
#define NETRACKER_CORE_KEY_H

#include "packet.h"

/* The kernel's hash tables compare every byte of a key, so it has no padding. */
struct nt_key {
	union {
		__u8 address[2][16]; /* network byte order, IPv4 as ::ffff:a.b.c.d */
		__u64 words[2][2];
	};
	__u16 port[2]; /* host byte order */
	__u32 netns;   /* inode number; 0 if there is none */
};
#define NT_KEY_SIZE 40
NT_STATIC_ASSERT(sizeof(struct nt_key) == NT_KEY_SIZE, "struct nt_key has no hidden padding");

/* Returns whether the source is side 0. The order is arbitrary, but on one machine it is the same for both directions.
 * */
NT_INLINE int nt_key_source_is_first(const struct nt_packet *packet)
{
	const __u64 *source = packet->address_words, *destination = packet->address_words + 2;

	if (source[1] != destination[1])
		return source[1] < destination[1];
	if (source[0] != destination[0])
		return source[0] < destination[0];
	return packet->source_port <= packet->destination_port;
}

/* Fills the key of a packet. Returns the index (0 or 1) of its source in the key, 0 if both endpoints are the same. */
NT_INLINE int nt_key_from_packet(struct nt_key *key, const struct nt_packet *packet, __u32 netns)
{
	key->netns = netns;
	if (nt_key_source_is_first(packet)) {
		key->words[0][0] = packet->address_words[0];
		key->words[0][1] = packet->address_words[1];
		key->words[1][0] = packet->address_words[2];
		key->words[1][1] = packet->address_words[3];
		key->port[0] = packet->source_port;
		key->port[1] = packet->destination_port;
		return 0;
	}
	key->words[0][0] = packet->address_words[2];
	key->words[0][1] = packet->address_words[3];
	key->words[1][0] = packet->address_words[0];
	key->words[1][1] = packet->address_words[1];
	key->port[0] = packet->destination_port;
	key->port[1] = packet->source_port;
	return 1;
}

NT_INLINE int nt_key_equals(const struct nt_key *a, const struct nt_key *b)
{
	return a->words[0][0] == b->words[0][0] && a->words[0][1] == b->words[0][1] &&
	       a->words[1][0] == b->words[1][0] && a->words[1][1] == b->words[1][1] && a->port[0] == b->port[0] &&
	       a->port[1] == b->port[1] && a->netns == b->netns;
}

NT_INLINE int nt_key_is_self(const struct nt_key *key)
{
	return key->words[0][0] == key->words[1][0] && key->words[0][1] == key->words[1][1] &&
	       key->port[0] == key->port[1];
}

#endif
