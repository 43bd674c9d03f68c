/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_QUERY_H
#define NETRACKER_QUERY_H

struct options;

/* Runs `netracker query`. Returns the exit status. */
int query_run(const struct options *options);

#endif
