/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_LIST_H
#define NETRACKER_LIST_H

struct options;

/* Runs `netracker list`. Returns the exit status. */
int list_run(const struct options *options);

#endif
