/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One HTTP request at a time to one server. */
#ifndef NETRACKER_SHIP_HTTP_H
#define NETRACKER_SHIP_HTTP_H

#include "src/ship/ship_destination.h"

#define SHIP_ANSWER_SIZE 4096

struct ship_http;

struct ship_http_answer {
	long status;                 /* 0: there was no answer */
	bool is_not_trusted;         /* no answer, since the server's certificate does not fit */
	long retry_after_s;          /* 0: not given, or a time that has passed */
	size_t size;                 /* of the answer */
	char text[SHIP_ANSWER_SIZE]; /* the beginning of the answer, or why there is none */
};

/* Returns NULL after reporting the error. */
struct ship_http *ship_http_open(const struct ship_url *url, bool is_tls, const struct ship_settings *settings);
void ship_http_close(struct ship_http *http);

/* Add a header to all requests; the second one a name with ": ", and the first line of a file. Return false after reporting
 * the error. */
bool ship_http_add_header(struct ship_http *http, const char *header);
bool ship_http_add_secret(struct ship_http *http, const char *name, const char *path);

/* Adds the HTTP way to say who asks: a bearer token, or a user and a password. Returns false after reporting the error. */
bool ship_http_add_authorization(struct ship_http *http, const char *user, const struct ship_settings *settings);

/* Posts to `target`: path and query, without the first "/". `packed`: the body is compressed. */
void ship_http_post(struct ship_http *http, const char *target, const char *body, size_t size, bool packed,
		    struct ship_http_answer *answer);

/* Sets a reason: this one, the status, and the first line of the answer. */
void ship_http_explain(const struct ship_http_answer *http, const char *reason, struct ship_answer *answer);

/* Judges the answer by its status as HTTP means it, with a reason. */
void ship_http_judge(const struct ship_http_answer *http, struct ship_answer *answer);

/* Escapes text for a query. Returns NULL without memory, after reporting it. Caller frees with ship_http_free(). */
char *ship_http_escape(struct ship_http *http, const char *text);
void ship_http_free(char *escaped);

#endif
