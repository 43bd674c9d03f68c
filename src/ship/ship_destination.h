/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A destination of records encodes each record, sends a part of a batch, and judges the answer. The cursor,
 * repetitions, the search for bad records and the accounting are the same for all (ship.h, ship_send.h). */
#ifndef NETRACKER_SHIP_DESTINATION_H
#define NETRACKER_SHIP_DESTINATION_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/http/http_client.h"
#include "src/ship/ship_batch.h"
#include "src/util/text_buffer.h"

#define SHIP_REASON_SIZE 512

enum ship_verdict {
	SHIP_TAKEN,   /* the destination has the records */
	SHIP_AGAIN,   /* not now: the same part is sent again later, for ever */
	SHIP_BAD,     /* a record of the part is bad: its halves are sent, until that record is found and set aside */
	SHIP_REFUSED, /* no repetition helps: the command ends, and nothing is lost */
};

struct ship_answer {
	enum ship_verdict verdict;
	long retry_after_s;  /* SHIP_AGAIN: the shortest wait; 0: not given */
	bool may_be_records; /* SHIP_AGAIN: a record of the part may be the cause too, as of a server's own error */
	bool is_too_large;   /* SHIP_BAD: smaller parts may be taken */
	unsigned int
		bad_row; /* SHIP_BAD: the first bad record of the part, as the answer says; 1 on; 0: it does not say */
	bool is_record;  /* SHIP_BAD: the answer itself says that a record is the cause, not all of the request */
	unsigned int dropped; /* SHIP_TAKEN: records of the part that it does not keep; it does not say which */
	char reason[SHIP_REASON_SIZE]; /* a sentence for people, without its end; "" if all were taken */
};

struct ship_settings {
	struct http_settings http; /* of other protocols too */
	const char *kafka_config;  /* Kafka: properties of librdkafka; NULL: none */
	bool is_biflow;            /* IPFIX: a flow for both directions */
};

/* Options that only some destinations have a use for. */
enum ship_option {
	SHIP_PASSWORD = 1,
	SHIP_TOKEN = 2,
	SHIP_CERTIFICATES = 4,
	SHIP_BIFLOW = 8,
	SHIP_KAFKA_CONFIG = 16,
	SHIP_COMPRESSION = 32,
};

struct ship_destination {
	const char *name;       /* the first part of the name of the cursor's file */
	const char *schemes[5]; /* of its URLs; up to a NULL */
	const char *form;       /* of its URLs, for people */
	unsigned int options;   /* enum ship_option bits that it has a use for; others are refused */

	/* Checks the path and the user, and sets what was left out. Returns NULL, or why the URL is no such destination. */
	const char *(*check)(struct server_url *url);

	/* Returns a connection, or NULL after reporting the error. The connection may be made by the first send(). NULL may
	 * be closed too. */
	void *(*open)(const struct server_url *url, const struct ship_settings *settings);
	void (*close)(void *connection);

	/* Makes what the records need at the destination. Returns the exit status after reporting the result. NULL: they need
	 * nothing. */
	int (*set_up)(void *connection);

	/* Appends the bytes of one record, in the destination's own form. The record has a host. */
	void (*encode)(void *connection, struct text_buffer *bytes, const struct nt_record *record);

	/* Sends `count` records of the batch from `first` on, whose bytes ship_batch_bytes() gives, and waits for the answer,
	 * at most until the timeout of the settings, or 5 s after stop_is_requested(). */
	void (*send)(void *connection, const struct ship_batch *batch, unsigned int first, unsigned int count,
		     struct ship_answer *answer);
};

#endif
