/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request at a time to ClickHouse's HTTP interface. */
#ifndef NETRACKER_SHIP_HTTP_H
#define NETRACKER_SHIP_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "src/ship/ship_url.h"

#define SHIP_ANSWER_SIZE 512

struct ship_http;

struct ship_http_options {
	const char *password_file; /* NULL: no password */
	const char *ca_file;       /* NULL: the certificates that the system trusts */
	long timeout_ms;           /* of a request */
};

struct ship_answer {
	long status;                 /* of HTTP; 0: there was no answer */
	bool is_not_trusted;         /* no answer, since the server's certificate does not fit */
	long retry_after_s;          /* 0: not given, or a time that has passed */
	size_t size;                 /* of the answer */
	char text[SHIP_ANSWER_SIZE]; /* the beginning of the answer, or why there is none */
};

/* Returns NULL after reporting the error. */
struct ship_http *ship_http_open(const struct ship_url *url, const struct ship_http_options *options);
void ship_http_close(struct ship_http *http);

/* Sends a query, with rows for it or without (NULL); these are compressed. */
void ship_http_post(struct ship_http *http, const char *query, const char *rows, size_t size,
		    struct ship_answer *answer);

#endif
