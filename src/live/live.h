/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_LIVE_H
#define NETRACKER_LIVE_H

struct options;

/* Runs `netracker`. Returns the exit status. */
int live_run(const struct options *options);

#endif
