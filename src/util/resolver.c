// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

#include "src/util/hash_map.h"
#include "src/util/host_name.h"
#include "src/util/message.h"
#include "src/util/stop.h"

#define NS_PER_SECOND 1000000000ULL
#define STOP_CHECK_NS 100000000ULL

/* The name of one address. */
struct resolved {
	struct hash_node node;
	TAILQ_ENTRY(resolved) use;
	unsigned char address[RESOLVER_ADDRESS_SIZE];
	bool is_asked; /* its look-up waits or has begun */
	__u64 valid_until_ns;
	char name[HOST_NAME_SIZE]; /* escaped; empty: none is known */
};

/* The owner and each thread hold it; the last one frees it. */
struct resolver {
	struct resolver_host host;
	pthread_mutex_t lock;    /* of all that follows */
	pthread_cond_t asked;    /* the queue has an address, or the owner has gone */
	pthread_cond_t answered; /* a look-up has returned */
	struct hash_map by_address;
	TAILQ_HEAD(resolved_list, resolved) by_use; /* the least recently used first */
	unsigned char queue[RESOLVER_QUEUE][RESOLVER_ADDRESS_SIZE];
	unsigned int queue_first, queue_count;
	unsigned int running; /* look-ups that have begun */
	unsigned int holders;
	bool is_over; /* the owner has gone */
	__u64 waited_ns;
};

static void forget_resolved(struct resolver *resolver, struct resolved *resolved)
{
	hash_map_remove(&resolver->by_address, &resolved->node);
	TAILQ_REMOVE(&resolver->by_use, resolved, use);
	free(resolved);
}

static void free_resolver(struct resolver *resolver)
{
	struct resolved *resolved;

	while ((resolved = TAILQ_FIRST(&resolver->by_use)))
		forget_resolved(resolver, resolved);
	hash_map_free(&resolver->by_address);
	pthread_cond_destroy(&resolver->answered);
	pthread_cond_destroy(&resolver->asked);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}

/* Call it with the lock, which it unlocks. */
static void release(struct resolver *resolver)
{
	bool is_last = !--resolver->holders;

	pthread_mutex_unlock(&resolver->lock);
	if (is_last)
		free_resolver(resolver);
}

static struct resolved *find_resolved(const struct resolver *resolver,
				      const unsigned char address[RESOLVER_ADDRESS_SIZE])
{
	__u64 hash = hash_map_hash(&resolver->by_address, address, RESOLVER_ADDRESS_SIZE);
	struct hash_node *node;

	for (node = hash_map_first(&resolver->by_address, hash); node; node = hash_map_next(node)) {
		struct resolved *resolved = hash_map_entry(node, struct resolved, node);

		if (!memcmp(resolved->address, address, RESOLVER_ADDRESS_SIZE))
			return resolved;
	}
	return NULL;
}

static struct resolved *add_resolved(struct resolver *resolver, const unsigned char address[RESOLVER_ADDRESS_SIZE])
{
	struct resolved *resolved;

	if (resolver->by_address.count >= RESOLVER_ENTRIES)
		forget_resolved(resolver, TAILQ_FIRST(&resolver->by_use));
	resolved = calloc(1, sizeof(*resolved));
	if (!resolved)
		return NULL;
	memcpy(resolved->address, address, RESOLVER_ADDRESS_SIZE);
	hash_map_insert(&resolver->by_address, &resolved->node,
			hash_map_hash(&resolver->by_address, address, RESOLVER_ADDRESS_SIZE));
	TAILQ_INSERT_TAIL(&resolver->by_use, resolved, use);
	return resolved;
}

static void put_in_queue(struct resolver *resolver, struct resolved *resolved)
{
	unsigned int last = (resolver->queue_first + resolver->queue_count) % RESOLVER_QUEUE;

	memcpy(resolver->queue[last], resolved->address, RESOLVER_ADDRESS_SIZE);
	resolver->queue_count++;
	resolved->is_asked = true;
	pthread_cond_signal(&resolver->asked);
}

/* Finds the address, and asks for its name unless there is a valid answer. A name that is no longer valid stays until
 * the next answer. Returns NULL if it was not asked for, and there is no room now. Call it with the lock.
 */
static struct resolved *ask(struct resolver *resolver, const unsigned char address[RESOLVER_ADDRESS_SIZE])
{
	struct resolved *resolved = find_resolved(resolver, address);
	bool has_room = resolver->queue_count < RESOLVER_QUEUE;

	if (resolved) {
		TAILQ_REMOVE(&resolver->by_use, resolved, use);
		TAILQ_INSERT_TAIL(&resolver->by_use, resolved, use);
	} else if (has_room)
		resolved = add_resolved(resolver, address);
	if (resolved && has_room && !resolved->is_asked &&
	    resolver->host.now_ns(resolver->host.context) >= resolved->valid_until_ns)
		put_in_queue(resolver, resolved);
	return resolved;
}

bool resolver_append_name(struct resolver *resolver, const unsigned char address[RESOLVER_ADDRESS_SIZE],
			  struct text_buffer *text)
{
	const struct resolved *resolved;
	bool is_known;

	pthread_mutex_lock(&resolver->lock);
	resolved = ask(resolver, address);
	is_known = resolved && resolved->name[0];
	if (is_known)
		text_string(text, resolved->name);
	pthread_mutex_unlock(&resolver->lock);
	return is_known;
}

void resolver_ask(struct resolver *resolver, const unsigned char address[RESOLVER_ADDRESS_SIZE])
{
	pthread_mutex_lock(&resolver->lock);
	ask(resolver, address);
	pthread_mutex_unlock(&resolver->lock);
}

/* ---- waiting ---- */

static __u64 wait_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * NS_PER_SECOND + (__u64)now.tv_nsec;
}

/* Returns whether look-ups of the address, or any if it is NULL, wait or have begun. */
static bool is_awaited(const struct resolver *resolver, const unsigned char *address)
{
	const struct resolved *resolved;

	if (!address)
		return resolver->queue_count || resolver->running;
	resolved = find_resolved(resolver, address);
	return resolved && resolved->is_asked;
}

static void await_answer(struct resolver *resolver, __u64 until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / NS_PER_SECOND),
					.tv_nsec = (long)(until_ns % NS_PER_SECOND) };

	pthread_cond_timedwait(&resolver->answered, &resolver->lock, &until);
}

/* A signal does not end a wait for a condition: a stop is noticed when the next piece of the wait is over. Call it with
 * the lock. */
static void await_within(struct resolver *resolver, const unsigned char *address, __u64 most_ns)
{
	__u64 left_ns = RESOLVER_ALL_WAITS_NS - resolver->waited_ns, began_ns = wait_clock_ns(), now_ns = began_ns;
	__u64 until_ns = began_ns + (most_ns < left_ns ? most_ns : left_ns);

	while (is_awaited(resolver, address) && now_ns < until_ns && !stop_is_requested()) {
		await_answer(resolver, until_ns - now_ns < STOP_CHECK_NS ? until_ns : now_ns + STOP_CHECK_NS);
		now_ns = wait_clock_ns();
	}
	resolver->waited_ns += now_ns < until_ns ? now_ns - began_ns : until_ns - began_ns;
}

void resolver_await(struct resolver *resolver, const unsigned char address[RESOLVER_ADDRESS_SIZE])
{
	pthread_mutex_lock(&resolver->lock);
	ask(resolver, address);
	await_within(resolver, address, RESOLVER_WAIT_NS);
	pthread_mutex_unlock(&resolver->lock);
}

void resolver_await_all(struct resolver *resolver)
{
	pthread_mutex_lock(&resolver->lock);
	await_within(resolver, NULL, RESOLVER_ALL_WAITS_NS);
	pthread_mutex_unlock(&resolver->lock);
}

/* ---- threads ---- */

/* Stores an answer, unless its address was forgotten meanwhile. Call it with the lock. */
static void store_answer(struct resolver *resolver, const unsigned char address[RESOLVER_ADDRESS_SIZE],
			 enum look_up_result result, const char shown[HOST_NAME_SIZE])
{
	__u64 valid_ns = result == LOOK_UP_FAILED ? RESOLVER_FAILURE_NS : RESOLVER_ANSWER_NS;
	struct resolved *resolved = find_resolved(resolver, address);

	if (!resolved)
		return;
	memcpy(resolved->name, shown, HOST_NAME_SIZE);
	resolved->valid_until_ns = resolver->host.now_ns(resolver->host.context) + valid_ns;
	resolved->is_asked = false;
}

/* Looks up the first address of the queue. Call it with the lock, which is released meanwhile. */
static void look_up_next(struct resolver *resolver)
{
	unsigned char address[RESOLVER_ADDRESS_SIZE];
	char name[NI_MAXHOST] = "", shown[HOST_NAME_SIZE] = "";
	enum look_up_result result;

	memcpy(address, resolver->queue[resolver->queue_first], sizeof(address));
	resolver->queue_first = (resolver->queue_first + 1) % RESOLVER_QUEUE;
	resolver->queue_count--;
	resolver->running++;
	pthread_mutex_unlock(&resolver->lock);
	result = resolver->host.look_up(resolver->host.context, address, name, sizeof(name));
	if (result == LOOK_UP_FOUND)
		host_name_escape(shown, name, sizeof(name));
	pthread_mutex_lock(&resolver->lock);
	resolver->running--;
	store_answer(resolver, address, result, shown);
	pthread_cond_broadcast(&resolver->answered);
}

static void *run_thread(void *argument)
{
	struct resolver *resolver = argument;

	pthread_mutex_lock(&resolver->lock);
	while (!resolver->is_over) {
		if (resolver->queue_count)
			look_up_next(resolver);
		else
			pthread_cond_wait(&resolver->asked, &resolver->lock);
	}
	release(resolver);
	return NULL;
}

/* Returns 0 if there is one at least, or an error of errno(3). */
static int start_threads(struct resolver *resolver)
{
	pthread_attr_t detached;
	sigset_t all, before;
	pthread_t thread;
	unsigned int i;
	int error;

	error = pthread_attr_init(&detached);
	if (error)
		return error;
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&resolver->lock);
	for (i = 0; i < RESOLVER_THREADS && !error; i++) {
		error = pthread_create(&thread, &detached, run_thread, resolver);
		resolver->holders += !error;
	}
	pthread_mutex_unlock(&resolver->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	return resolver->holders > 1 ? 0 : error;
}

/* Returns NULL without memory. */
static struct resolver *allocate_resolver(const struct resolver_host *host)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	pthread_condattr_t monotonic;

	if (!resolver)
		return NULL;
	resolver->host = *host;
	resolver->holders = 1;
	TAILQ_INIT(&resolver->by_use);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&resolver->lock, NULL);
	pthread_cond_init(&resolver->asked, NULL);
	pthread_cond_init(&resolver->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (hash_map_init(&resolver->by_address))
		return resolver;
	free_resolver(resolver);
	return NULL;
}

struct resolver *resolver_new(const struct resolver_host *host)
{
	struct resolver *resolver = allocate_resolver(host);
	int error;

	if (!resolver) {
		message_error("names of addresses: out of memory; leave out --resolve");
		return NULL;
	}
	error = start_threads(resolver);
	if (!error)
		return resolver;
	message_error("names of addresses: cannot start a thread: %s; leave out --resolve", strerror(error));
	free_resolver(resolver);
	return NULL;
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	pthread_mutex_lock(&resolver->lock);
	resolver->is_over = true;
	pthread_cond_broadcast(&resolver->asked);
	release(resolver);
}

/* ---- the system's resolver ---- */

static enum look_up_result look_up_by_system(void *context, const unsigned char address[RESOLVER_ADDRESS_SIZE],
					     char *name, size_t size)
{
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in ipv4 = { .sin_family = AF_INET };
	bool is_ipv4;
	int error;

	(void)context;
	memcpy(&ipv6.sin6_addr, address, sizeof(ipv6.sin6_addr));
	memcpy(&ipv4.sin_addr, address + RESOLVER_ADDRESS_SIZE - sizeof(ipv4.sin_addr), sizeof(ipv4.sin_addr));
	is_ipv4 = IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr);
	error = getnameinfo(is_ipv4 ? (struct sockaddr *)&ipv4 : (struct sockaddr *)&ipv6,
			    is_ipv4 ? sizeof(ipv4) : sizeof(ipv6), name, (socklen_t)size, NULL, 0, NI_NAMEREQD);
	return !error ? LOOK_UP_FOUND : error == EAI_NONAME ? LOOK_UP_NO_NAME : LOOK_UP_FAILED;
}

static __u64 now_of_system(void *context)
{
	(void)context;
	return wait_clock_ns();
}

const struct resolver_host resolver_system = { .look_up = look_up_by_system, .now_ns = now_of_system };
