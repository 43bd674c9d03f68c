/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The request to end a command that has no event loop, by SIGINT or SIGTERM. */
#ifndef NETRACKER_STOP_H
#define NETRACKER_STOP_H

#include <linux/types.h>
#include <stdbool.h>

/* The handlers do not restart system calls: one that waits returns EINTR. */
void stop_on_signals(void);

/* As if a signal came after this time. Call stop_on_signals() before. */
void stop_after(__u64 ns);

/* As if a signal had come. Safe in a signal handler. From now on a signal comes every 0.1 s, so that a call that began to
 * wait just after the first one returns too. */
void stop_request(void);

bool stop_is_requested(void);

/* Returns the milliseconds since the request, 0 without one. */
int stop_elapsed_ms(void);

#endif
