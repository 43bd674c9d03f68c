/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The destination Kafka: a topic, whose messages have the host as key and the JSON line as value. */
#ifndef NETRACKER_SHIP_KAFKA_H
#define NETRACKER_SHIP_KAFKA_H

#include "src/ship/ship_destination.h"

extern const struct ship_destination ship_kafka;

#endif
