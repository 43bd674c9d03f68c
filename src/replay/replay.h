/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_REPLAY_H
#define NETRACKER_REPLAY_H

struct options;

/* Runs `netracker replay`. Returns the exit status. */
int replay_run(const struct options *options);

#endif
