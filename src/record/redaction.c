// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/redaction.h"

#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/utils.h>
#include <stdlib.h>
#include <string.h>

#include "src/record/record_id.h"
#include "src/util/escape.h"

#define DIGEST_SIZE crypto_auth_hmacsha256_BYTES
#define WORD_DIGITS 12
#define WORD_SIZE (WORD_DIGITS + 1)
#define FEISTEL_ROUNDS 8
#define NETWORK_BITS 24U
#define HOST_BITS 8U
#define CACHED_ADDRESSES 4096U

struct cached_address {
	__u8 original[16], redacted[16];
	bool is_set;
};

struct redaction {
	crypto_auth_hmacsha256_state keyed; /* after the key, before the first byte */
	struct cached_address cache[CACHED_ADDRESSES];
	struct text_buffer name; /* as JSON writes it */
	char exe[WORD_SIZE], host[WORD_SIZE], netns_name[WORD_SIZE];
	char cgroup[1 + WORD_SIZE];
};

struct redaction *redaction_new(const void *key, size_t size)
{
	struct redaction *redaction = calloc(1, sizeof(*redaction));

	if (redaction)
		crypto_auth_hmacsha256_init(&redaction->keyed, key, size);
	return redaction;
}

void redaction_free(struct redaction *redaction)
{
	if (!redaction)
		return;
	text_free(&redaction->name);
	sodium_memzero(redaction, sizeof(*redaction));
	free(redaction);
}

/* The kind, with its NUL, is hashed before the value: equal values of two kinds have nothing in common afterwards. */
static void compute_digest(const struct redaction *redaction, const char *kind, const void *value, size_t size,
			   __u8 digest[DIGEST_SIZE])
{
	crypto_auth_hmacsha256_state state = redaction->keyed;

	crypto_auth_hmacsha256_update(&state, (const unsigned char *)kind, strlen(kind) + 1);
	crypto_auth_hmacsha256_update(&state, value, size);
	crypto_auth_hmacsha256_final(&state, digest);
}

/* ---- names ---- */

/* The name is hashed as JSON writes it: a byte that is no UTF-8 has the same value when a record is read back from JSON,
 * where it is the characters \xNN. Without memory the value comes from the part that found room. */
static void write_word(struct redaction *redaction, const char *kind, const char *value, char *word,
		       unsigned int digits)
{
	struct text_buffer *name = &redaction->name;
	__u8 digest[DIGEST_SIZE];
	char hex[2 * DIGEST_SIZE + 1];

	name->used = 0;
	name->failed = false;
	escape_json(name, value, strlen(value));
	compute_digest(redaction, kind, name->bytes, name->used, digest);
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	memcpy(word, hex, digits);
	word[digits] = '\0';
}

static void redact_pointer(struct redaction *redaction, const char *kind, const char **value, char word[WORD_SIZE])
{
	write_word(redaction, kind, *value, word, WORD_DIGITS);
	*value = word;
}

static void redact_owner(struct redaction *redaction, struct nt_record *record)
{
	if (nt_record_has(record, NT_HAS_COMM)) {
		char comm[NT_COMM_SIZE + 1] = "";

		memcpy(comm, record->comm, NT_COMM_SIZE);
		write_word(redaction, "comm", comm, record->comm, WORD_DIGITS);
	}
	if (nt_record_has(record, NT_HAS_EXE))
		redact_pointer(redaction, "exe", &record->exe, redaction->exe);
	if (nt_record_has(record, NT_HAS_CGROUP)) {
		redaction->cgroup[0] = '/';
		redact_pointer(redaction, "cgroup", &record->cgroup, redaction->cgroup + 1);
		record->cgroup = redaction->cgroup;
	}
	if (nt_record_has(record, NT_HAS_CONTAINER))
		write_word(redaction, "container", record->container, record->container, NT_CONTAINER_SIZE - 1);
}

static void redact_places(struct redaction *redaction, struct nt_record *record)
{
	if (nt_record_has(record, NT_HAS_HOST))
		redact_pointer(redaction, "host", &record->host, redaction->host);
	if (nt_record_has(record, NT_HAS_NETNS_NAME))
		redact_pointer(redaction, "netns_name", &record->netns_name, redaction->netns_name);
}

/* ---- addresses ---- */

struct permutation {
	const char *kind;
	unsigned int half_bits;
	__u32 tweak; /* the permutation is another one for each */
};

static __u32 compute_round(const struct redaction *redaction, const struct permutation *permutation, __u8 round,
			   __u32 half)
{
	const __u8 input[] = { (__u8)(permutation->tweak >> 16),
			       (__u8)(permutation->tweak >> 8),
			       (__u8)permutation->tweak,
			       round,
			       (__u8)(half >> 8),
			       (__u8)half };
	__u8 digest[DIGEST_SIZE];

	compute_digest(redaction, permutation->kind, input, sizeof(input), digest);
	return ((__u32)digest[0] << 8 | digest[1]) & ((1U << permutation->half_bits) - 1);
}

/* A Feistel network: whatever its rounds compute, no two numbers become the same one. */
static __u32 permute(const struct redaction *redaction, const struct permutation *permutation, __u32 number)
{
	__u32 left = number >> permutation->half_bits, right = number & ((1U << permutation->half_bits) - 1), next;
	__u8 round;

	for (round = 0; round < FEISTEL_ROUNDS; round++) {
		next = left ^ compute_round(redaction, permutation, round, right);
		left = right;
		right = next;
	}
	return left << permutation->half_bits | right;
}

/* Addresses in 0.0.0.0/8 and 127.0.0.0/8 stay as they are, and stand for nothing else. `network` has 24 bits. */
static bool is_kept_network(__u32 network)
{
	return network >> 16 == 0 || network >> 16 == 127;
}

/* The network /24 and the host in it are permuted one after the other, so that networks stay groups of addresses. */
static void redact_ipv4(const struct redaction *redaction, __u8 octets[4])
{
	__u32 network = (__u32)octets[0] << 16 | (__u32)octets[1] << 8 | octets[2];
	const struct permutation networks = { "ipv4-network", NETWORK_BITS / 2, 0 };
	const struct permutation hosts = { "ipv4-host", HOST_BITS / 2, network };

	if (is_kept_network(network))
		return;
	octets[3] = (__u8)permute(redaction, &hosts, octets[3]);
	do /* in a permutation this leads back to `network` at the latest */
		network = permute(redaction, &networks, network);
	while (is_kept_network(network));
	octets[0] = (__u8)(network >> 16);
	octets[1] = (__u8)(network >> 8);
	octets[2] = (__u8)network;
}

static bool is_kept_ipv6(const __u8 address[16])
{
	static const __u8 zeros[15];

	return !memcmp(address, zeros, sizeof(zeros)) && address[15] <= 1; /* :: and ::1 */
}

/* 3fff::/20 is for documentation (RFC 9637), so that nobody has these addresses. 44 bits stand for the network /64. */
static void redact_ipv6(const struct redaction *redaction, __u8 address[16])
{
	__u8 network[DIGEST_SIZE], host[DIGEST_SIZE];

	if (is_kept_ipv6(address))
		return;
	compute_digest(redaction, "ipv6-network", address, 8, network);
	compute_digest(redaction, "ipv6-address", address, 16, host);
	address[0] = 0x3f;
	address[1] = 0xff;
	address[2] = network[0] & 0x0f;
	memcpy(address + 3, network + 1, 5);
	memcpy(address + 8, host, 8);
}

static void redact_address(struct redaction *redaction, __u8 address[16])
{
	struct cached_address *cached = &redaction->cache[record_id_hash(address, 16) % CACHED_ADDRESSES];

	if (!cached->is_set || memcmp(cached->original, address, 16)) {
		memcpy(cached->original, address, 16);
		memcpy(cached->redacted, address, 16);
		if (nt_address_family(address) == 4)
			redact_ipv4(redaction, cached->redacted + 12);
		else
			redact_ipv6(redaction, cached->redacted);
		cached->is_set = true;
	}
	memcpy(address, cached->redacted, 16);
}

/* ---- the record ---- */

/* An observer's id is a hash of its addresses without a secret, from which they could be found. */
static void redact_id(struct redaction *redaction, struct nt_record *record)
{
	write_word(redaction, "id", record->id, record->id, NT_ID_SIZE - 1);
}

void redaction_apply(struct redaction *redaction, struct nt_record *record)
{
	redact_id(redaction, record);
	if (!nt_record_is_listener(record))
		redact_address(redaction, record->src_ip);
	redact_address(redaction, record->dst_ip);
	if (nt_record_has(record, NT_HAS_WIRE_SRC))
		redact_address(redaction, record->wire_src_ip);
	if (nt_record_has(record, NT_HAS_WIRE_DST))
		redact_address(redaction, record->wire_dst_ip);
	redact_owner(redaction, record);
	redact_places(redaction, record);
}

bool redaction_replaces(const struct record_field *field)
{
	static const char *const replaced[] = { "id",          "src_ip", "dst_ip",    "wire_src_ip",
						"wire_dst_ip", "comm",   "exe",       "host",
						"netns_name",  "cgroup", "container", "community_id" };
	size_t size = field->key_size - strlen("\"\":"), i;

	for (i = 0; i < sizeof(replaced) / sizeof(replaced[0]); i++)
		if (strlen(replaced[i]) == size && !memcmp(field->key + 1, replaced[i], size))
			return true;
	return false;
}
