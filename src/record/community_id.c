// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/community_id.h"

#include <endian.h>
#include <netinet/in.h>
#include <sha1.h>
#include <stdbool.h>
#include <string.h>

#include "core/record.h"

#define IPV4_OFFSET 12 /* of the IPv4 address in an IPv4-mapped IPv6 address */

struct endpoint {
	const __u8 *address;
	__u16 port;
};

/* A cache of one: a connection within this machine has two records in a row with the same community ID. */
static struct {
	__u8 addresses[2][16];
	__u16 ports[2];
	char text[COMMUNITY_ID_SIZE];
} cached;

static bool is_cached(const __u8 src[16], __u16 src_port, const __u8 dst[16], __u16 dst_port)
{
	return cached.ports[0] == src_port && cached.ports[1] == dst_port && !memcmp(cached.addresses[0], src, 16) &&
	       !memcmp(cached.addresses[1], dst, 16) && cached.text[0];
}

static void cache_text(const __u8 src[16], __u16 src_port, const __u8 dst[16], __u16 dst_port, const char *text)
{
	memcpy(cached.addresses[0], src, 16);
	memcpy(cached.addresses[1], dst, 16);
	cached.ports[0] = src_port;
	cached.ports[1] = dst_port;
	memcpy(cached.text, text, COMMUNITY_ID_SIZE);
}

static bool is_before(const struct endpoint *a, const struct endpoint *b, size_t address_size)
{
	int order = memcmp(a->address, b->address, address_size);

	return order ? order < 0 : a->port <= b->port;
}

static __u8 *append_bytes(__u8 *out, const void *bytes, size_t size)
{
	memcpy(out, bytes, size);
	return out + size;
}

/* The input and its padding (RFC 3174 section 4) fit into one block. SHA1Final() would add the padding byte by byte,
 * which takes longer than the hashing.
 */
static void hash_block(__u8 digest[SHA1_DIGEST_LENGTH], __u8 block[SHA1_BLOCK_LENGTH], size_t size)
{
	__u64 bits = htobe64(size * 8);
	SHA1_CTX hash;
	size_t i;

	memset(block + size, 0, SHA1_BLOCK_LENGTH - size);
	block[size] = 0x80;
	memcpy(block + SHA1_BLOCK_LENGTH - sizeof(bits), &bits, sizeof(bits));
	SHA1Init(&hash);
	SHA1Transform(hash.state, block);
	for (i = 0; i < SHA1_DIGEST_LENGTH / sizeof(__u32); i++)
		digest = append_bytes(digest, &(__u32){ htonl(hash.state[i]) }, sizeof(__u32));
}

static void hash_endpoints(__u8 digest[SHA1_DIGEST_LENGTH], const struct endpoint *first, const struct endpoint *second,
			   size_t address_size)
{
	const __u8 seed[2] = { 0, 0 }, protocol_and_padding[2] = { IPPROTO_TCP, 0 };
	const __u16 ports[2] = { htons(first->port), htons(second->port) };
	__u8 hashed[SHA1_BLOCK_LENGTH], *end = hashed;

	_Static_assert(sizeof(seed) + 2 * 16 + sizeof(protocol_and_padding) + sizeof(ports) <
			       SHA1_BLOCK_LENGTH - sizeof(__u64),
		       "two IPv6 addresses leave room for the padding");
	end = append_bytes(end, seed, sizeof(seed));
	end = append_bytes(end, first->address, address_size);
	end = append_bytes(end, second->address, address_size);
	end = append_bytes(end, protocol_and_padding, sizeof(protocol_and_padding));
	end = append_bytes(end, ports, sizeof(ports));
	hash_block(digest, hashed, (size_t)(end - hashed));
}

/* RFC 4648 section 4. The 20 bytes of a SHA-1 leave two in the cached group: 27 characters and one "=". */
static void base64(char *out, const __u8 digest[SHA1_DIGEST_LENGTH])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned int i, character;

	for (i = 0; i < SHA1_DIGEST_LENGTH; i += 3) {
		__u32 third = i + 2 < SHA1_DIGEST_LENGTH ? digest[i + 2] : 0;
		__u32 group = (__u32)digest[i] << 16 | (__u32)digest[i + 1] << 8 | third;

		for (character = 0; character < 4; character++)
			*out++ = alphabet[group >> (18 - 6 * character) & 63];
	}
	out[-1] = '=';
	*out = '\0';
}

void community_id(char out[COMMUNITY_ID_SIZE], const __u8 src[16], __u16 src_port, const __u8 dst[16], __u16 dst_port)
{
	bool ipv4 = nt_address_family(src) == 4 && nt_address_family(dst) == 4;
	size_t offset = ipv4 ? IPV4_OFFSET : 0;
	struct endpoint from = { src + offset, src_port }, to = { dst + offset, dst_port };
	__u8 digest[SHA1_DIGEST_LENGTH];

	if (is_cached(src, src_port, dst, dst_port)) {
		memcpy(out, cached.text, COMMUNITY_ID_SIZE);
		return;
	}
	if (is_before(&from, &to, 16 - offset))
		hash_endpoints(digest, &from, &to, 16 - offset);
	else
		hash_endpoints(digest, &to, &from, 16 - offset);
	memcpy(out, "1:", 2); /* NOLINT(bugprone-not-null-terminated-result): base64() writes the rest and NUL */
	base64(out + 2, digest);
	cache_text(src, src_port, dst, dst_port, out);
}
