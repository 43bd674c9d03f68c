#include "src/community_id.h"

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

static bool is_before(const struct endpoint *a, const struct endpoint *b, size_t address_size)
{
	int order = memcmp(a->address, b->address, address_size);

	return order ? order < 0 : a->port <= b->port;
}

static void hash_port(SHA1_CTX *hash, __u16 port)
{
	const __u8 bytes[2] = { port >> 8, port & 0xff };

	SHA1Update(hash, bytes, sizeof(bytes));
}

static void hash_endpoints(__u8 digest[SHA1_DIGEST_LENGTH], const struct endpoint *first,
			   const struct endpoint *second, size_t address_size)
{
	const __u8 seed[2] = { 0, 0 }, protocol_and_padding[2] = { IPPROTO_TCP, 0 };
	SHA1_CTX hash;

	SHA1Init(&hash);
	SHA1Update(&hash, seed, sizeof(seed));
	SHA1Update(&hash, first->address, address_size);
	SHA1Update(&hash, second->address, address_size);
	SHA1Update(&hash, protocol_and_padding, sizeof(protocol_and_padding));
	hash_port(&hash, first->port);
	hash_port(&hash, second->port);
	SHA1Final(digest, &hash);
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

	if (is_before(&from, &to, 16 - offset))
		hash_endpoints(digest, &from, &to, 16 - offset);
	else
		hash_endpoints(digest, &to, &from, 16 - offset);
	memcpy(out, "1:", 2);
	base64(out + 2, digest);
}
