/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of addresses. Threads look them up, so that the caller never waits for a name unless it asks for that.
 *
 * Bounded: RESOLVER_THREADS look-ups at a time, RESOLVER_QUEUE that wait, RESOLVER_ENTRIES answers, of which the least
 * recently used is forgotten. An answer counts for RESOLVER_ANSWER_NS, also that there is no name. For one caller: all
 * functions are called by the thread that made the resolver.
 */
#ifndef NETRACKER_RESOLVER_H
#define NETRACKER_RESOLVER_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/util/text_buffer.h"

#define RESOLVER_THREADS 4
#define RESOLVER_QUEUE 1024
#define RESOLVER_ENTRIES 4096
#define RESOLVER_ANSWER_NS 600000000000ULL
#define RESOLVER_FAILURE_NS 60000000000ULL
#define RESOLVER_WAIT_NS 500000000ULL       /* for one address */
#define RESOLVER_ALL_WAITS_NS 2000000000ULL /* for all addresses of a resolver's life together */

/* An address is an IPv6 address, or an IPv4-mapped one (RFC 4291 section 2.5.5.2). */
#define RESOLVER_ADDRESS_SIZE 16

enum look_up_result {
	LOOK_UP_FOUND,
	LOOK_UP_NO_NAME, /* the address has none */
	LOOK_UP_FAILED,  /* unknown: worth asking again after RESOLVER_FAILURE_NS */
};

/* Both functions are called by several threads at a time. */
struct resolver_host {
	/* May block. Writes a name of at most `size` bytes, with its NUL. */
	enum look_up_result (*look_up)(void *context, const unsigned char address[RESOLVER_ADDRESS_SIZE], char *name,
				       size_t size);
	__u64 (*now_ns)(void *context); /* of a monotonic clock */
	void *context;
};

struct resolver;

/* Asks the system: /etc/hosts, DNS and whatever else nsswitch.conf(5) names. */
extern const struct resolver_host resolver_system;

/* The threads stay in the network namespace of the caller, and take no signals. `host` is copied. Returns NULL after
 * reporting the error: no memory, or no thread.
 */
struct resolver *resolver_new(const struct resolver_host *host);

/* Does not wait for a look-up that has begun: its thread frees what it uses when the look-up returns. NULL is allowed. */
void resolver_free(struct resolver *resolver);

/* Appends the name of the address as host_name_escape() writes it. Returns false if none is known (yet); then appends
 * nothing, and asks for the name unless it was asked for, or too many wait.
 */
bool resolver_append_name(struct resolver *resolver, const unsigned char address[RESOLVER_ADDRESS_SIZE],
			  struct text_buffer *text);

/* Asks for the name without waiting. */
void resolver_ask(struct resolver *resolver, const unsigned char address[RESOLVER_ADDRESS_SIZE]);

/* Asks for the name and waits until there is an answer, within the bounds above, and not after a stop (src/util/stop.h).
 */
void resolver_await(struct resolver *resolver, const unsigned char address[RESOLVER_ADDRESS_SIZE]);

/* The same for all addresses that were asked for; the bound of one address is not applied. */
void resolver_await_all(struct resolver *resolver);

#endif
