/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_ATTACH_H
#define NETRACKER_ATTACH_H

struct options;

/* Run `netracker attach`, `status` and `detach`. Each returns the exit status. */
int attach_run(const struct options *options);
int status_run(const struct options *options);
int detach_run(const struct options *options);

#endif
