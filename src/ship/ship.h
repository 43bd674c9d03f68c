/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SHIP_H
#define NETRACKER_SHIP_H

struct options;

/* Runs `netracker ship`. Returns the exit status. */
int ship_run(const struct options *options);

#endif
