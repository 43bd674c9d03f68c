/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SHIP_OTLP_H
#define NETRACKER_SHIP_OTLP_H

/* OpenTelemetry's protocol: logs over HTTP, in JSON. */
extern const struct ship_destination ship_otlp;

#endif
