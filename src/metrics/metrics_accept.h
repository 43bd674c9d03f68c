/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chooses between the two formats of metrics by a request's Accept header (RFC 9110, 12.5.1). */
#ifndef NETRACKER_METRICS_ACCEPT_H
#define NETRACKER_METRICS_ACCEPT_H

#include "src/metrics/metrics_text.h"

/* OpenMetrics only for a client that names it, and that does not prefer text/plain. accept: NULL if there is none. */
enum metrics_format metrics_accept_format(const char *accept);

#endif
