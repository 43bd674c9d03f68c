/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings of librdkafka for a destination. */
#ifndef NETRACKER_KAFKA_CONFIGURATION_H
#define NETRACKER_KAFKA_CONFIGURATION_H

#include "src/ship/kafka_library.h"
#include "src/ship/ship_destination.h"

/* Returns NULL after reporting the error. */
rd_kafka_conf_t *kafka_configuration_make(const struct kafka_library *library, const struct server_url *url,
					  const struct ship_settings *settings);

#endif
