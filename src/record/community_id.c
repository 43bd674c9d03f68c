// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/community_id.h"

#include <endian.h>
#include <netinet/in.h>
#include <sha1.h>
#include <stdbool.h>
#include <string.h>

#include "core/record.h"

#define IPV4_OFFSET 12 /* where the IPv4 address starts in an IPv4-mapped one */

struct endpoint {
	const __u8 *address;
	__u16 port;
};

/* The two ends of a connection on this machine come one after the other, and have the same. */
static struct {
	__u8 addresses[2][16];
	__u16 ports[2];
	char text[COMMUNITY_ID_SIZE];
} last;

static bool is_last(const __u8 src[16], __u16 src_port, const __u8 dst[16], __u16 dst_port)
{
	return last.ports[0] == src_port && last.ports[1] == dst_port && !memcmp(last.addresses[0], src, 16) &&
	       !memcmp(last.addresses[1], dst, 16) && last.text[0];
}

static void keep_last(const __u8 src[16], __u16 src_port, const __u8 dst[16], __u16 dst_port, const char *text)
{
	memcpy(last.addresses[0], src, 16);
	memcpy(last.addresses[1], dst, 16);
	last.ports[0] = src_port;
	last.ports[1] = dst_port;
	memcpy(last.text, text, COMMUNITY_ID_SIZE);
}

static bool is_before(const struct endpoint *a, const struct endpoint *b, size_t address_size)
{
	int order = memcmp(a->address, b->address, address_size);

	return order ? order < 0 : a->port <= b->port;
}

static __u8 *put(__u8 *out, const void *bytes, size_t size)
{
	memcpy(out, bytes, size);
	return out + size;
}

/* What is hashed and its padding (RFC 3174 section 4) fit into one block. SHA1Final() would add the padding byte by byte,
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
		digest = put(digest, &(__u32){ htonl(hash.state[i]) }, sizeof(__u32));
}

static void hash_endpoints(__u8 digest[SHA1_DIGEST_LENGTH], const struct endpoint *first,
			   const struct endpoint *second, size_t address_size)
{
	const __u8 seed[2] = { 0, 0 }, protocol_and_padding[2] = { IPPROTO_TCP, 0 };
	const __u16 ports[2] = { htons(first->port), htons(second->port) };
	__u8 hashed[SHA1_BLOCK_LENGTH], *end = hashed;

	_Static_assert(sizeof(seed) + 2 * 16 + sizeof(protocol_and_padding) + sizeof(ports) <
			       SHA1_BLOCK_LENGTH - sizeof(__u64),
		       "two IPv6 addresses leave room for the padding");
	end = put(end, seed, sizeof(seed));
	end = put(end, first->address, address_size);
	end = put(end, second->address, address_size);
	end = put(end, protocol_and_padding, sizeof(protocol_and_padding));
	end = put(end, ports, sizeof(ports));
	hash_block(digest, hashed, (size_t)(end - hashed));
}

/* RFC 4648 section 4. The 20 bytes of a SHA-1 leave two in the last group: 27 characters and one "=". */
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

void community_id(char out[COMMUNITY_ID_SIZE], const __u8 src[16], __u16 src_port, const __u8 dst[16],
		  __u16 dst_port)
{
	bool ipv4 = nt_address_family(src) == 4 && nt_address_family(dst) == 4;
	size_t offset = ipv4 ? IPV4_OFFSET : 0;
	struct endpoint from = { src + offset, src_port }, to = { dst + offset, dst_port };
	__u8 digest[SHA1_DIGEST_LENGTH];

	if (is_last(src, src_port, dst, dst_port)) {
		memcpy(out, last.text, COMMUNITY_ID_SIZE);
		return;
	}
	if (is_before(&from, &to, 16 - offset))
		hash_endpoints(digest, &from, &to, 16 - offset);
	else
		hash_endpoints(digest, &to, &from, 16 - offset);
	memcpy(out, "1:", 2); /* NOLINT(bugprone-not-null-terminated-result): base64() writes the rest and NUL */
	base64(out + 2, digest);
	keep_last(src, src_port, dst, dst_port, out);
}
