// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of addresses: what is asked for and when, bounds, and look-ups that do not return. */
#include "src/util/resolver.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "src/util/stop.h"
#include "tests/unit/check.h"

/* A host whose look-ups end when the test lets them. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool blocks;
	unsigned int begun, returned;
	enum look_up_result result;
	const char *name; /* NULL: "h" and the last two bytes of the address */
	size_t name_size;
	__u64 now_ns;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static enum look_up_result fake_look_up(void *context, const unsigned char address[16], char *name, size_t size)
{
	enum look_up_result result;

	(void)context;
	pthread_mutex_lock(&fake.lock);
	fake.begun++;
	pthread_cond_broadcast(&fake.changed);
	while (fake.blocks)
		pthread_cond_wait(&fake.changed, &fake.lock);
	if (fake.name)
		memcpy(name, fake.name, fake.name_size < size ? fake.name_size : size);
	else
		snprintf(name, size, "h%u.example", address[14] * 256U + address[15]);
	result = fake.result;
	fake.returned++;
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.lock);
	return result;
}

static __u64 fake_now(void *context)
{
	__u64 now_ns;

	(void)context;
	pthread_mutex_lock(&fake.lock);
	now_ns = fake.now_ns;
	pthread_mutex_unlock(&fake.lock);
	return now_ns;
}

static void set_blocks(bool blocks)
{
	pthread_mutex_lock(&fake.lock);
	fake.blocks = blocks;
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.lock);
}

static void pass_time(__u64 ns)
{
	pthread_mutex_lock(&fake.lock);
	fake.now_ns += ns;
	pthread_mutex_unlock(&fake.lock);
}

static void set_answer(enum look_up_result result, const char *name, size_t size)
{
	pthread_mutex_lock(&fake.lock);
	fake.result = result;
	fake.name = name;
	fake.name_size = size;
	pthread_mutex_unlock(&fake.lock);
}

static unsigned int count_begun(void)
{
	unsigned int begun;

	pthread_mutex_lock(&fake.lock);
	begun = fake.begun;
	pthread_mutex_unlock(&fake.lock);
	return begun;
}

static void await_begun(unsigned int count)
{
	pthread_mutex_lock(&fake.lock);
	while (fake.begun < count)
		pthread_cond_wait(&fake.changed, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

static void await_returned(void)
{
	pthread_mutex_lock(&fake.lock);
	while (fake.returned < fake.begun)
		pthread_cond_wait(&fake.changed, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

static struct resolver *new_resolver(void)
{
	const struct resolver_host host = { .look_up = fake_look_up, .now_ns = fake_now };

	fake.begun = fake.returned = 0;
	fake.blocks = false;
	fake.now_ns = 0;
	set_answer(LOOK_UP_FOUND, NULL, 0);
	return resolver_new(&host);
}

/* 198.18.x.y as an IPv4-mapped address. */
static const unsigned char *address_of(unsigned int number)
{
	static unsigned char address[16] = { [10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18 };

	address[13] = (unsigned char)(18 + (number >> 16));
	address[14] = (unsigned char)(number >> 8);
	address[15] = (unsigned char)number;
	return address;
}

/* The empty string if no name is known. */
static const char *known_name(struct resolver *resolver, unsigned int number)
{
	static char name[64];
	struct text_buffer text = { 0 };
	bool is_known = resolver_append_name(resolver, address_of(number), &text);

	CHECK_EQUAL(is_known, text.used > 0);
	snprintf(name, sizeof(name), "%.*s", (int)text.used, text.bytes);
	text_free(&text);
	return name;
}

static const char *awaited_name(struct resolver *resolver, unsigned int number)
{
	resolver_await(resolver, address_of(number));
	return known_name(resolver, number);
}

static __u64 monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * 1000 + (__u64)now.tv_nsec / 1000000;
}

static void test_asks_once(void)
{
	struct resolver *resolver = new_resolver();

	set_blocks(true);
	CHECK_STRING(known_name(resolver, 1), "");
	CHECK_STRING(known_name(resolver, 1), "");
	set_blocks(false);
	CHECK_STRING(awaited_name(resolver, 1), "h1.example");
	CHECK_STRING(awaited_name(resolver, 2), "h2.example");
	CHECK_STRING(awaited_name(resolver, 1), "h1.example");
	CHECK_EQUAL(count_begun(), 2);
	resolver_free(resolver);
}

static void test_answers_become_old(void)
{
	struct resolver *resolver = new_resolver();

	CHECK_STRING(awaited_name(resolver, 1), "h1.example");
	pass_time(RESOLVER_ANSWER_NS - 1);
	CHECK_STRING(awaited_name(resolver, 1), "h1.example");
	CHECK_EQUAL(count_begun(), 1);
	pass_time(1);
	set_blocks(true);
	set_answer(LOOK_UP_FOUND, "new.example", sizeof("new.example"));
	CHECK_STRING(known_name(resolver, 1), "h1.example"); /* the old one, until the new one is known */
	await_begun(2);
	set_blocks(false);
	CHECK_STRING(awaited_name(resolver, 1), "new.example");
	pass_time(RESOLVER_ANSWER_NS);
	set_answer(LOOK_UP_NO_NAME, NULL, 0);
	CHECK_STRING(awaited_name(resolver, 1), "");
	CHECK_EQUAL(count_begun(), 3);
	resolver_free(resolver);
}

static void test_unnamed_addresses(void)
{
	struct resolver *resolver = new_resolver();

	set_answer(LOOK_UP_NO_NAME, NULL, 0);
	CHECK_STRING(awaited_name(resolver, 1), "");
	pass_time(RESOLVER_ANSWER_NS - 1);
	CHECK_STRING(awaited_name(resolver, 1), "");
	CHECK_EQUAL(count_begun(), 1);
	set_answer(LOOK_UP_FAILED, NULL, 0);
	CHECK_STRING(awaited_name(resolver, 2), "");
	pass_time(RESOLVER_FAILURE_NS - 1);
	CHECK_STRING(awaited_name(resolver, 2), "");
	CHECK_EQUAL(count_begun(), 2);
	pass_time(1);
	set_answer(LOOK_UP_FOUND, NULL, 0);
	CHECK_STRING(awaited_name(resolver, 2), "h2.example");
	resolver_free(resolver);
}

static void test_hostile_names(void)
{
	struct resolver *resolver = new_resolver();
	static char unterminated[4096];

	set_answer(LOOK_UP_FOUND, "198.18.0.1", sizeof("198.18.0.1"));
	CHECK_STRING(awaited_name(resolver, 1), "");
	set_answer(LOOK_UP_FOUND, "a\033[2Jb", sizeof("a\033[2Jb"));
	CHECK_STRING(awaited_name(resolver, 2), "a\\x1b\\x5b2Jb");
	memset(unterminated, 'a', sizeof(unterminated));
	set_answer(LOOK_UP_FOUND, unterminated, sizeof(unterminated));
	CHECK_STRING(awaited_name(resolver, 3), "aaaaaaaaaaaaaaaaaaa~aaaaaaaaaaaaaaaaaaa");
	CHECK_EQUAL(count_begun(), 3);
	resolver_free(resolver);
}

static void test_flood_of_addresses(void)
{
	struct resolver *resolver = new_resolver();
	unsigned int i;

	set_blocks(true);
	for (i = 0; i < RESOLVER_THREADS; i++)
		resolver_ask(resolver, address_of(i));
	await_begun(RESOLVER_THREADS);
	for (; i < 100000; i++)
		resolver_ask(resolver, address_of(i));
	set_blocks(false);
	resolver_await_all(resolver);
	CHECK_EQUAL(count_begun(), RESOLVER_THREADS + RESOLVER_QUEUE);
	CHECK_STRING(known_name(resolver, 5), "h5.example");
	resolver_free(resolver);
}

static void test_forgets_least_recently_used(void)
{
	struct resolver *resolver = new_resolver();
	unsigned int i, before;

	for (i = 0; i < RESOLVER_ENTRIES; i++)
		resolver_await(resolver, address_of(i));
	CHECK_STRING(known_name(resolver, 0), "h0.example");
	CHECK_STRING(awaited_name(resolver, RESOLVER_ENTRIES), "h4096.example");
	before = count_begun();
	CHECK_STRING(known_name(resolver, 0), "h0.example");
	CHECK_STRING(known_name(resolver, 2), "h2.example");
	CHECK_STRING(awaited_name(resolver, 1), "h1.example"); /* it was forgotten, so asked for again */
	CHECK_EQUAL(count_begun(), before + 1);
	resolver_free(resolver);
}

/* Without a bound on all waits together these would take 50 s. The machine may add to each. */
static void test_waits_are_bounded(void)
{
	struct resolver *resolver = new_resolver();
	__u64 began = monotonic_ms(), took;
	unsigned int i;

	set_blocks(true);
	resolver_await(resolver, address_of(0));
	took = monotonic_ms() - began;
	CHECK(took >= 490 && took < 30000);
	for (i = 1; i < 100; i++)
		resolver_await(resolver, address_of(i));
	resolver_await_all(resolver);
	took = monotonic_ms() - began;
	CHECK(took >= 1990 && took < 40000);
	resolver_free(resolver);
	set_blocks(false);
	await_returned();
}

/* A blocked look-up uses memory that must outlive the resolver: the address sanitizer sees it otherwise. */
static void test_free_does_not_wait(void)
{
	struct resolver *resolver = new_resolver();
	unsigned int i;

	set_blocks(true);
	for (i = 0; i < 2 * RESOLVER_THREADS; i++)
		resolver_ask(resolver, address_of(i));
	await_begun(RESOLVER_THREADS);
	resolver_free(resolver);
	set_blocks(false);
	await_returned();
	CHECK_EQUAL(count_begun(), RESOLVER_THREADS); /* what waited was dropped */
	resolver_free(NULL);
}

static void test_threads_take_no_signals(void)
{
	struct resolver *resolver;
	sigset_t usr1, before;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	resolver = new_resolver();
	CHECK_STRING(awaited_name(resolver, 1), "h1.example");
	sigprocmask(SIG_BLOCK, &usr1, &before); /* here; a thread that had it open would end the process */
	kill(getpid(), SIGUSR1);
	CHECK_EQUAL(sigtimedwait(&usr1, NULL, &(struct timespec){ .tv_sec = 5 }), SIGUSR1);
	sigprocmask(SIG_SETMASK, &before, NULL);
	resolver_free(resolver);
}

/* Comes last: a request to stop is not taken back. */
static void test_stop_ends_waits(void)
{
	struct resolver *resolver = new_resolver();
	__u64 began = monotonic_ms();

	set_blocks(true);
	stop_on_signals();
	stop_request();
	resolver_await(resolver, address_of(1));
	resolver_await_all(resolver);
	CHECK(monotonic_ms() - began < 1900);
	resolver_free(resolver);
	set_blocks(false);
	await_returned();
}

int main(void)
{
	test_asks_once();
	test_answers_become_old();
	test_unnamed_addresses();
	test_hostile_names();
	test_flood_of_addresses();
	test_forgets_least_recently_used();
	test_waits_are_bounded();
	test_free_does_not_wait();
	test_threads_take_no_signals();
	test_stop_ends_waits();
	return check_finish();
}
