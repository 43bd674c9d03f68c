// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_otlp.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/ship/otlp_record.h"
#include "src/ship/ship_judge.h"
#include "src/util/message.h"

#define PATH_OF_LOGS "v1/logs"
#define OTLP_PORT 4318
#define HTTP_PORT 80
#define HTTPS_PORT 443

struct otlp {
	struct http_client *http;
	struct server_url url;
	struct otlp_names names;
	struct text_buffer body;
};

/* ---- the URL ---- */

static bool is_of_web(const struct server_url *url)
{
	return !strncmp(url->scheme, "http", 4);
}

static bool is_otlp_tls(const struct server_url *url)
{
	return url->scheme[strlen(url->scheme) - 1] == 's';
}

static bool ends_with_path_of_logs(const char *path)
{
	size_t length = strlen(path), size = strlen(PATH_OF_LOGS);

	return length >= size && !strcmp(path + length - size, PATH_OF_LOGS) &&
	       (length == size || path[length - size - 1] == '/');
}

static const char *otlp_check(struct server_url *url)
{
	size_t length = strlen(url->path);

	if (!ends_with_path_of_logs(url->path)) {
		if (is_of_web(url))
			return "with http:// the path ends with /" PATH_OF_LOGS;
		if (length + sizeof("/" PATH_OF_LOGS) > sizeof(url->path))
			return "the path is too long";
		snprintf(url->path + length, sizeof(url->path) - length, "%s" PATH_OF_LOGS,
			 length && url->path[length - 1] != '/' ? "/" : "");
	}
	if (!url->port)
		url->port = !is_of_web(url) ? OTLP_PORT : is_otlp_tls(url) ? HTTPS_PORT : HTTP_PORT;
	return NULL;
}

/* ---- open ---- */

static void otlp_close(void *connection)
{
	struct otlp *otlp = connection;

	if (!otlp)
		return;
	http_client_close(otlp->http);
	text_free(&otlp->body);
	free(otlp);
}

static bool add_otlp_headers(struct http_client *http, const struct server_url *url,
			     const struct ship_settings *settings)
{
	return http_client_add_header(http, "Content-Type: application/json") &&
	       http_client_add_authorization(http, url->user, &settings->http);
}

static void *otlp_open(const struct server_url *url, const struct ship_settings *settings)
{
	struct otlp *otlp = calloc(1, sizeof(*otlp));

	if (!otlp) {
		message_error("ship: out of memory");
		return NULL;
	}
	otlp->url = *url;
	otlp_names_fill(&otlp->names);
	otlp->http = http_client_open(url, is_otlp_tls(url), &settings->http);
	if (otlp->http && add_otlp_headers(otlp->http, url, settings))
		return otlp;
	otlp_close(otlp);
	return NULL;
}

/* ---- encode ---- */

/* The record's host and a NUL come first, since the host is no part of the log record. */
static void otlp_encode(void *connection, struct text_buffer *bytes, const struct nt_record *record)
{
	const struct otlp *otlp = connection;

	text_append(bytes, record->host, strlen(record->host) + 1);
	otlp_record_append(bytes, &otlp->names, record);
}

/* Records of one host that follow each other have one resource. */
static void append_logs(struct text_buffer *body, const struct ship_batch *batch, unsigned int first,
			unsigned int count)
{
	const char *host = NULL, *bytes;
	unsigned int i;
	size_t size, skipped;

	text_string(body, "{\"resourceLogs\":[");
	for (i = 0; i < count; i++) {
		size = ship_batch_bytes(batch, first + i, 1, &bytes);
		skipped = strlen(bytes) + 1;
		if (host && !strcmp(host, bytes)) {
			text_char(body, ',');
		} else {
			if (host) {
				otlp_resource_end(body);
				text_char(body, ',');
			}
			otlp_resource_begin(body, bytes);
		}
		host = bytes;
		text_append(body, bytes + skipped, size - skipped);
	}
	otlp_resource_end(body);
	text_string(body, "]}");
}

/* ---- the answer ---- */

/* A member of 64 bits is a string in protobuf's JSON; readers take numbers too. */
static unsigned int read_count(const json_t *value)
{
	long long count = json_is_string(value) ? atoll(json_string_value(value)) : json_integer_value(value);

	return count < 0 ? 0 : count > SHIP_MOST_RECORDS ? SHIP_MOST_RECORDS : (unsigned int)count;
}

static void judge_partial_success(const json_t *partial, struct ship_answer *answer)
{
	const char *text = json_string_value(json_object_get(partial, "errorMessage"));

	answer->dropped = read_count(json_object_get(partial, "rejectedLogRecords"));
	snprintf(answer->reason, sizeof(answer->reason), "%s", text ? text : "");
}

/* By the protocol only these statuses mean that the same request may succeed later; yet others come from servers that are
 * being restarted, too. */
static bool is_to_be_repeated(long status)
{
	return !status || status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

static void judge_otlp(struct http_answer *http, struct ship_answer *answer)
{
	json_t *object = json_loads(http->text, 0, NULL);
	const char *text = json_string_value(json_object_get(object, "message")); /* of google.rpc.Status */

	if (text)
		snprintf(http->text, sizeof(http->text), "%s", text);
	ship_judge_http(http, answer);
	if (answer->verdict == SHIP_AGAIN && !is_to_be_repeated(http->status)) {
		answer->may_be_records = true;
	} else if (http->status == 404) {
		ship_judge_explain(http, "the server has no such path; a collector has /" PATH_OF_LOGS, answer);
	} else if (answer->verdict == SHIP_TAKEN && json_is_object(object)) {
		judge_partial_success(json_object_get(object, "partialSuccess"), answer);
	} else if (answer->verdict == SHIP_TAKEN && http->size && *http->text != '{') {
		answer->verdict = SHIP_REFUSED;
		ship_judge_explain(http, "it is no OTLP server", answer);
	} else if (answer->verdict == SHIP_TAKEN && http->size) {
		snprintf(answer->reason, sizeof(answer->reason),
			 "an answer that cannot be read; records that it may have dropped count as sent");
	}
	json_decref(object);
}

static void otlp_send(void *connection, const struct ship_batch *batch, unsigned int first, unsigned int count,
		      struct ship_answer *answer)
{
	struct otlp *otlp = connection;
	struct http_answer http;

	otlp->body.used = 0;
	otlp->body.failed = false;
	append_logs(&otlp->body, batch, first, count);
	if (otlp->body.failed) {
		answer->verdict = SHIP_AGAIN;
		snprintf(answer->reason, sizeof(answer->reason), "out of memory");
		return;
	}
	http_client_post(otlp->http, otlp->url.path, otlp->body.bytes, otlp->body.used, true, &http);
	judge_otlp(&http, answer);
}

const struct ship_destination ship_otlp = {
	.name = "otlp",
	.schemes = { "otlp", "otlps", "http", "https" },
	.form = "otlp://[USER@]HOST[:PORT][/PATH]",
	.options = SHIP_PASSWORD | SHIP_TOKEN | SHIP_CERTIFICATES | SHIP_COMPRESSION,
	.check = otlp_check,
	.open = otlp_open,
	.close = otlp_close,
	.encode = otlp_encode,
	.send = otlp_send,
};
