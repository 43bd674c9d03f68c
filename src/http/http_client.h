/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One HTTP request at a time to one server. */
#ifndef NETRACKER_HTTP_CLIENT_H
#define NETRACKER_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "src/http/http_packing.h"
#include "src/http/server_url.h"

#define HTTP_ANSWER_SIZE 65536

struct http_client;

struct http_settings {
	const char *command;                    /* for messages */
	const char *password_file, *token_file; /* NULL: none */
	const char *ca_file;                    /* NULL: the certificates that the system trusts */
	const char *cert_file, *key_file;       /* of the client; NULL: none */
	long timeout_ms;                        /* of a request */
	enum http_packing packing;
};

struct http_answer {
	long status;                 /* 0: there was no answer */
	const char *refusal;         /* no answer, and why a repetition does not help; NULL: it may */
	long retry_after_s;          /* 0: not given, or a time that has passed */
	size_t size;                 /* of the answer */
	char text[HTTP_ANSWER_SIZE]; /* the beginning of the answer, or why there is none */
};

/* Returns NULL after reporting the error. */
struct http_client *http_client_open(const struct server_url *url, bool is_tls, const struct http_settings *settings);
void http_client_close(struct http_client *http);

/* Add a header to all requests; the second one a name with ": ", and the first line of a file. Return false after reporting
 * the error. */
bool http_client_add_header(struct http_client *http, const char *header);
bool http_client_add_secret(struct http_client *http, const char *name, const char *path);

/* Adds the HTTP way to say who asks: a bearer token, or a user and a password. Returns false after reporting the error. */
bool http_client_add_authorization(struct http_client *http, const char *user, const struct http_settings *settings);

/* Posts to `target`: path and query, without the first "/". `packed`: the body is compressed as the settings
 * say. */
void http_client_post(struct http_client *http, const char *target, const char *body, size_t size, bool packed,
		      struct http_answer *answer);

/* Posts as well; `take` gets the bytes of an answer with the status 200 as they come, until it returns false. Ends at a
 * signal, and if no byte comes for as long as the timeout. */
void http_client_stream(struct http_client *http, const char *target, const char *body, struct http_answer *answer,
			bool (*take)(void *context, const char *bytes, size_t size), void *context);

/* Escapes text for a query. Returns NULL without memory, after reporting it. Caller frees with http_client_free(). */
char *http_client_escape(struct http_client *http, const char *text);
void http_client_free(char *escaped);

#endif
