// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/stop.h"

#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <sys/time.h>
#include <time.h>

#define TICK_US 100000
#define US_PER_SECOND 1000000
#define NS_PER_US 1000

static volatile sig_atomic_t is_requested;
static struct timespec requested_at;

static void ignore_tick(int signal_number)
{
	(void)signal_number;
}

void stop_request(void)
{
	const struct itimerval ticks = { .it_interval.tv_usec = TICK_US, .it_value.tv_usec = TICK_US };

	if (is_requested)
		return;
	clock_gettime(CLOCK_MONOTONIC, &requested_at);
	is_requested = 1;
	setitimer(ITIMER_REAL, &ticks, NULL);
}

static void handle_stop_signal(int signal_number)
{
	(void)signal_number;
	stop_request();
}

void stop_on_signals(void)
{
	const struct sigaction stop = { .sa_handler = handle_stop_signal }, tick = { .sa_handler = ignore_tick };

	sigaction(SIGALRM, &tick, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
}

void stop_after(__u64 ns)
{
	const struct sigaction stop = { .sa_handler = handle_stop_signal };
	const __u64 us = ns / NS_PER_US + 1; /* 0 would be no limit */
	const struct itimerval limit = { .it_value.tv_sec = (time_t)(us / US_PER_SECOND),
					 .it_value.tv_usec = (suseconds_t)(us % US_PER_SECOND) };

	sigaction(SIGALRM, &stop, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
}

bool stop_is_requested(void)
{
	return is_requested;
}

int stop_elapsed_ms(void)
{
	struct timespec now;
	long long elapsed;

	if (!is_requested)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	elapsed = (now.tv_sec - requested_at.tv_sec) * 1000LL + (now.tv_nsec - requested_at.tv_nsec) / 1000000;
	return elapsed < INT_MAX ? (int)elapsed : INT_MAX;
}
