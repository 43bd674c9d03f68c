/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hands records to a Kafka cluster, and waits until its replicas have them. */
#ifndef NETRACKER_KAFKA_PRODUCER_H
#define NETRACKER_KAFKA_PRODUCER_H

#include "src/ship/kafka_library.h"
#include "src/ship/ship_destination.h"

struct kafka_producer {
	const struct kafka_library *library;
	const char *topic;
	rd_kafka_t *handle;
	bool *is_delivered;             /* records of a part that failed: they are not sent again */
	unsigned int waiting;           /* records whose fate is not known yet */
	bool has_delivered;             /* any, since it was made */
	struct ship_answer *answer;     /* to the part that is sent */
	char trouble[SHIP_REASON_SIZE]; /* the last one that the library reported */
};

/* Takes the configuration. Returns false after reporting the error. */
bool kafka_producer_open(struct kafka_producer *producer, rd_kafka_conf_t *configuration);

/* Records that are not delivered yet are dropped. */
void kafka_producer_close(struct kafka_producer *producer);

/* Queues the record of this index. The bytes are copied. */
void kafka_producer_add(struct kafka_producer *producer, unsigned int index, const char *key, const char *value,
			size_t size);

/* Waits until all are delivered or one failed for good; at most `timeout_ms` without progress. */
void kafka_producer_wait(struct kafka_producer *producer, long timeout_ms);

#endif
