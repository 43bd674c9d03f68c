// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/output/format.h"
#include "src/ship/kafka_configuration.h"
#include "src/ship/kafka_producer.h"
#include "src/util/message.h"

#define DEFAULT_PORT 9092
#define TOPIC_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define MOST_TOPIC_CHARACTERS 249 /* Kafka's own limit */

struct kafka_destination {
	struct server_url url;
	struct ship_settings settings;
	struct kafka_producer producer;
};

static const char *check_kafka_url(struct server_url *url)
{
	size_t size = strspn(url->path, TOPIC_CHARACTERS);

	if (!size || url->path[size] || size > MOST_TOPIC_CHARACTERS)
		return "it needs a topic after the host: letters, digits, '.', '_' and '-'";
	if (!url->port)
		url->port = DEFAULT_PORT;
	return NULL;
}

static bool make_producer(struct kafka_destination *kafka)
{
	rd_kafka_conf_t *configuration = kafka_configuration_make(kafka->producer.library, &kafka->url,
								  &kafka->settings);

	return configuration && kafka_producer_open(&kafka->producer, configuration);
}

static void close_kafka(void *connection)
{
	struct kafka_destination *kafka = connection;

	if (!kafka)
		return;
	kafka_producer_close(&kafka->producer);
	free(kafka->producer.is_delivered);
	free(kafka);
}

static void *open_kafka(const struct server_url *url, const struct ship_settings *settings)
{
	struct kafka_destination *kafka = calloc(1, sizeof(*kafka));

	if (!kafka) {
		message_error("ship: out of memory");
		return NULL;
	}
	kafka->url = *url;
	kafka->settings = *settings;
	kafka->producer.topic = kafka->url.path;
	kafka->producer.library = kafka_library_load();
	kafka->producer.is_delivered = calloc(SHIP_MOST_RECORDS, sizeof(bool));
	if (kafka->producer.library && kafka->producer.is_delivered && make_producer(kafka))
		return kafka;
	close_kafka(kafka);
	return NULL;
}

/* The key and its NUL, then the value. */
static void encode_kafka(void *connection, struct text_buffer *bytes, const struct nt_record *record)
{
	static const struct format_view view;

	(void)connection;
	text_append(bytes, record->host, strlen(record->host) + 1);
	format_json.record(bytes, record, &view);
}

static void add_records(struct kafka_destination *kafka, const struct ship_batch *batch, unsigned int first,
			unsigned int count)
{
	const char *key, *value;
	unsigned int i;
	size_t size;

	for (i = first; i < first + count; i++) {
		if (kafka->producer.is_delivered[i])
			continue;
		size = ship_batch_bytes(batch, i, 1, &key);
		value = key + strlen(key) + 1;
		kafka_producer_add(&kafka->producer, i, key, value, (size_t)(key + size - value) - 1);
	}
}

/* After a failure another producer begins, so that the records that this one still holds are not delivered as well. */
static void send_kafka(void *connection, const struct ship_batch *batch, unsigned int first, unsigned int count,
		       struct ship_answer *answer)
{
	struct kafka_destination *kafka = connection;
	struct kafka_producer *producer = &kafka->producer;

	answer->verdict = SHIP_TAKEN;
	if (!producer->handle && !make_producer(kafka)) {
		answer->verdict = SHIP_REFUSED;
		snprintf(answer->reason, sizeof(answer->reason), "the configuration is not valid any more");
		return;
	}
	producer->answer = answer;
	add_records(kafka, batch, first, count);
	kafka_producer_wait(producer, kafka->settings.http.timeout_ms);
	producer->answer = NULL;
	if (answer->verdict == SHIP_TAKEN)
		memset(producer->is_delivered + first, 0, count * sizeof(bool));
	else if (answer->verdict != SHIP_BAD)
		kafka_producer_close(producer);
}

const struct ship_destination ship_kafka = {
	.name = "kafka",
	.schemes = { "kafka", "kafkas" },
	.form = "kafka://[USER@]HOST[:PORT]/TOPIC",
	.options = SHIP_PASSWORD | SHIP_CERTIFICATES | SHIP_KAFKA_CONFIG,
	.check = check_kafka_url,
	.open = open_kafka,
	.close = close_kafka,
	.encode = encode_kafka,
	.send = send_kafka,
};
