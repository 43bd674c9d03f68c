// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/kafka_producer.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/util/message.h"
#include "src/util/stop.h"

#define POLL_MS 100
#define STOP_MS 3000
#define TOPIC_WAIT_MS 3000 /* a topic that the cluster makes by itself is there by then */
#define TOPIC_CHECK_MS 2000
#define NS_PER_MS 1000000

/* ---- failures ---- */

static enum ship_verdict verdict_of_error(rd_kafka_resp_err_t error)
{
	switch (error) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return SHIP_TAKEN;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		return SHIP_BAD;
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
		return SHIP_REFUSED;
	default:
		return SHIP_AGAIN;
	}
}

/* If records fail for several reasons, a refusal decides, then what may pass: bad records are searched for last. */
static unsigned int weight_of(enum ship_verdict verdict)
{
	static const unsigned int weights[] = {
		[SHIP_TAKEN] = 0, [SHIP_BAD] = 1, [SHIP_AGAIN] = 2, [SHIP_REFUSED] = 3
	};

	return weights[verdict];
}

static void note_failure(struct kafka_producer *producer, enum ship_verdict verdict, const char *reason)
{
	struct ship_answer *answer = producer->answer;

	if (!answer || weight_of(verdict) <= weight_of(answer->verdict))
		return;
	answer->verdict = verdict;
	snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
}

/* ---- the library calls ---- */

static void take_delivery_report(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka_producer *producer = opaque;

	(void)handle;
	producer->waiting--;
	if (message->err) {
		note_failure(producer, verdict_of_error(message->err), producer->library->err2str(message->err));
		return;
	}
	producer->is_delivered[(uintptr_t)message->_private] = true;
	producer->has_delivered = true;
}

/* The library tries again by itself, for ever. At the first attempt it is reported at once that it fails, and a
 * password or a certificate that does not fit stays so. */
static void take_client_error(rd_kafka_t *handle, int error, const char *reason, void *opaque)
{
	struct kafka_producer *producer = opaque;

	(void)handle;
	if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		snprintf(producer->trouble, sizeof(producer->trouble), "%s", reason);
	if (strstr(reason, "certificate verify failed"))
		note_failure(producer, SHIP_REFUSED, reason);
	else if (verdict_of_error(error) == SHIP_REFUSED || error == RD_KAFKA_RESP_ERR__FATAL)
		note_failure(producer, verdict_of_error(error), reason);
	else if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !producer->has_delivered)
		note_failure(producer, SHIP_AGAIN, producer->trouble[0] ? producer->trouble : reason);
}

static void ignore_log(const rd_kafka_t *handle, int level, const char *facility, const char *line)
{
	(void)handle;
	(void)level;
	(void)facility;
	(void)line;
}

/* ---- the producer ---- */

bool kafka_producer_open(struct kafka_producer *producer, rd_kafka_conf_t *configuration)
{
	const struct kafka_library *library = producer->library;
	char reason[SHIP_REASON_SIZE];

	library->conf_set_opaque(configuration, producer);
	library->conf_set_dr_msg_cb(configuration, take_delivery_report);
	library->conf_set_error_cb(configuration, take_client_error);
	library->conf_set_log_cb(configuration, ignore_log);
	producer->waiting = 0;
	producer->has_delivered = false;
	producer->trouble[0] = '\0';
	producer->handle = library->new (RD_KAFKA_PRODUCER, configuration, reason, sizeof(reason));
	if (producer->handle)
		return true;
	library->conf_destroy(configuration);
	message_error("ship: Kafka: %s", reason);
	return false;
}

void kafka_producer_close(struct kafka_producer *producer)
{
	if (producer->handle)
		producer->library->destroy(producer->handle);
	producer->handle = NULL;
}

void kafka_producer_add(struct kafka_producer *producer, unsigned int index, const char *key, const char *value,
			size_t size)
{
	rd_kafka_resp_err_t error = producer->library->producev(
		producer->handle, RD_KAFKA_V_TOPIC(producer->topic), RD_KAFKA_V_KEY(key, strlen(key)),
		RD_KAFKA_V_VALUE((char *)value, size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_OPAQUE((void *)(uintptr_t)index), RD_KAFKA_V_END);

	if (error)
		note_failure(producer, verdict_of_error(error), producer->library->err2str(error));
	else
		producer->waiting++;
}

/* The library goes on if the topic may not be used, or is not there, and does not say so. */
static void check_topic(struct kafka_producer *producer)
{
	const struct kafka_library *library = producer->library;
	rd_kafka_topic_t *topic = library->topic_new(producer->handle, producer->topic, NULL);
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (!topic)
		return;
	if (!library->metadata(producer->handle, 0, topic, &metadata, TOPIC_CHECK_MS) && metadata->topic_cnt)
		error = metadata->topics[0].err;
	if (verdict_of_error(error) == SHIP_REFUSED)
		note_failure(producer, SHIP_REFUSED, library->err2str(error));
	if (metadata)
		library->metadata_destroy(metadata);
	library->topic_destroy(topic);
}

static long kafka_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

/* Returns whether the records still wait for their fate. */
static bool has_waiting_records(const struct kafka_producer *producer)
{
	return producer->waiting && weight_of(producer->answer->verdict) <= weight_of(SHIP_BAD);
}

void kafka_producer_wait(struct kafka_producer *producer, long timeout_ms)
{
	long progress_ms = kafka_clock_ms(), idle_ms;
	bool is_checked = producer->has_delivered;
	unsigned int before;

	while (has_waiting_records(producer)) {
		before = producer->waiting;
		producer->library->poll(producer->handle, POLL_MS);
		if (producer->waiting != before)
			progress_ms = kafka_clock_ms();
		idle_ms = kafka_clock_ms() - progress_ms;
		if (!is_checked && idle_ms >= TOPIC_WAIT_MS) {
			is_checked = true;
			check_topic(producer);
		}
		if (producer->waiting &&
		    (idle_ms >= timeout_ms || (stop_is_requested() && stop_elapsed_ms() >= STOP_MS)))
			note_failure(producer, SHIP_AGAIN,
				     producer->trouble[0] ? producer->trouble : "no answer in time");
	}
}
