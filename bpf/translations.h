/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address translation: connections whose packets have another tuple on our interfaces than their socket has. A packet
 * that a socket sent shows both: its headers, and the socket that it still points to.
 *
 * Only packets without a connection of their own are looked up here, and only once a translation was seen, so a machine
 * without address translation pays for the comparison at a SYN and a SYN-ACK.
 */
#ifndef NETRACKER_BPF_TRANSLATIONS_H
#define NETRACKER_BPF_TRANSLATIONS_H

#include "wire_tables.h"

/* By the socket's cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct nt_translation);
} translations SEC(".maps");

/* By the tuple of a client's socket of this namespace. If the server is here too, its packets leave with that tuple:
 * the way back is translated before the interface, as is the way there. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct nt_key);
	__type(value, struct nt_translation);
} translations_back SEC(".maps");

/* Loads a member of a struct bpf_sock. The compiler would merge the loads of both families into one with an offset that
 * is not constant, and the verifier refuses arithmetic on such a pointer. */
#define LOAD_SOCKET(sk, member) \
	({ \
		__u64 loaded; \
		asm volatile("%0 = *(u32 *)(%1 + %2)" \
			     : "=r"(loaded) \
			     : "r"(sk), "i"(offsetof(struct bpf_sock, member))); \
		(__u32) loaded; \
	})

/* Fills the packet that the socket would have sent without address translation. */
static __always_inline void read_socket_tuple(struct nt_packet *own, struct bpf_sock *sk, bool is_ipv4)
{
	if (is_ipv4) {
		own->address_parts[0] = own->address_parts[1] = own->address_parts[4] = own->address_parts[5] = 0;
		own->address_parts[2] = own->address_parts[6] = bpf_htonl(0xffff);
		own->address_parts[3] = LOAD_SOCKET(sk, src_ip4);
		own->address_parts[7] = LOAD_SOCKET(sk, dst_ip4);
	} else {
		own->address_parts[0] = LOAD_SOCKET(sk, src_ip6[0]);
		own->address_parts[1] = LOAD_SOCKET(sk, src_ip6[1]);
		own->address_parts[2] = LOAD_SOCKET(sk, src_ip6[2]);
		own->address_parts[3] = LOAD_SOCKET(sk, src_ip6[3]);
		own->address_parts[4] = LOAD_SOCKET(sk, dst_ip6[0]);
		own->address_parts[5] = LOAD_SOCKET(sk, dst_ip6[1]);
		own->address_parts[6] = LOAD_SOCKET(sk, dst_ip6[2]);
		own->address_parts[7] = LOAD_SOCKET(sk, dst_ip6[3]);
	}
	own->source_port = sk->src_port;
	own->destination_port = bpf_ntohs(sk->dst_port);
}

/* Returns 1 if the socket of workspace->own has another tuple than the connection, after storing the translation.
 * begins_here: the packet is a SYN that this namespace's stack made. */
static __always_inline int store_translation(struct workspace *workspace, const struct nt_key *key, __u32 source,
					     __u64 cookie, bool begins_here)
{
	struct nt_translation *translation = &workspace->translation;
	__u32 own = nt_key_from_packet(&translation->socket_key, &workspace->own, config.own_netns);

	if (nt_key_equals(&translation->socket_key, key))
		return 0;
	translation->key = *key;
	translation->flips = (own ^ source) & 1;
	translation->padding = 0;
	shared.has_translations = 1;
	check_details(bpf_map_update_elem(&translations, &cookie, translation, BPF_ANY));
	if (begins_here)
		check_details(bpf_map_update_elem(&translations_back, &translation->socket_key, translation, BPF_ANY));
	return 1;
}

/* The way back may be a later connection's, of another socket with the same tuple. */
static __always_inline void remove_translation_back(const struct nt_key *socket_key, const struct nt_key *key)
{
	struct nt_translation *back = bpf_map_lookup_elem(&translations_back, socket_key);

	if (back && nt_key_equals(&back->key, key))
		bpf_map_delete_elem(&translations_back, socket_key);
}

static __always_inline void remove_translation(const struct nt_wire *wire, int side)
{
	__u64 cookie = wire->cookie[side];
	struct nt_translation *translation;

	if (!wire->translated[side])
		return;
	translation = bpf_map_lookup_elem(&translations, &cookie);
	if (!translation || !nt_key_equals(&translation->key, &wire->key))
		return;
	remove_translation_back(&translation->socket_key, &wire->key);
	bpf_map_delete_elem(&translations, &cookie);
}

/* Call it before the connection is removed from its table. */
static __always_inline void remove_translations(const struct nt_wire *wire)
{
	if (!wire->translated[0] && !wire->translated[1])
		return;
	remove_translation(wire, 0);
	remove_translation(wire, 1);
}

/* Turns a packet of the way back into one of its connection. Returns false if there is no translation. */
static __always_inline bool translate_back(struct sighting *sighting)
{
	struct nt_translation *translation;

	if (!shared.has_translations)
		return false;
	translation = bpf_map_lookup_elem(&translations_back, &sighting->key);
	if (!translation)
		return false;
	sighting->source = (sighting->source ^ translation->flips) & 1;
	sighting->key = translation->key;
	return true;
}

#endif
