/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_EXPLAIN_H
#define NETRACKER_EXPLAIN_H

struct options;

/* Runs `netracker explain`. Returns the exit status. */
int explain_run(const struct options *options);

#endif
