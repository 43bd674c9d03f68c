// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "src/util/message.h"
#include "src/util/stop.h"
#include "src/util/text_buffer.h"

#define CONNECT_TIMEOUT_MS 10000L
#define MOST_AFTER_STOP_MS 5000 /* of the request in flight */
#define MOST_OF_ANSWER (1U << 20)
#define PASSWORD_SIZE 1024
#define GZIP_WINDOW (15 + 16) /* zlib's notation of the gzip format */
#define GZIP_MEMORY 8

/* The formats of time that records have; keys that the table has no column for. */
#define SETTINGS "&date_time_input_format=best_effort&input_format_skip_unknown_fields=1"

struct ship_http {
	CURL *curl;
	struct curl_slist *headers, *headers_of_rows;
	char base[SHIP_HOST_SIZE + 32];
	char error[CURL_ERROR_SIZE];
	struct text_buffer packed;
};

/* ---- open ---- */

static bool add_http_header(struct curl_slist **list, const char *header)
{
	struct curl_slist *longer = curl_slist_append(*list, header);

	if (longer)
		*list = longer;
	return longer;
}

/* Returns false after reporting the error. */
static bool read_password(char password[PASSWORD_SIZE], const char *path)
{
	FILE *file = fopen(path, "re");
	bool is_read = file && fgets(password, PASSWORD_SIZE, file);
	bool is_cut = is_read && strlen(password) == PASSWORD_SIZE - 1;

	if (is_read)
		password[strcspn(password, "\r\n")] = '\0';
	else
		message_error("ship: %s: cannot read the password: %s", path,
			      file && !ferror(file) ? "the file is empty" : strerror(errno));
	if (is_cut)
		message_error("ship: %s: the first line is too long for a password", path);
	if (file)
		fclose(file);
	return is_read && !is_cut;
}

static bool add_credentials(struct curl_slist **list, const struct ship_url *url, const char *password_file)
{
	char password[PASSWORD_SIZE] = "", header[PASSWORD_SIZE + 32];
	bool is_added = !password_file || read_password(password, password_file);

	if (is_added && *url->user) {
		snprintf(header, sizeof(header), "X-ClickHouse-User: %s", url->user);
		is_added = add_http_header(list, header);
	}
	if (is_added && *password) {
		snprintf(header, sizeof(header), "X-ClickHouse-Key: %s", password);
		is_added = add_http_header(list, header);
	}
	explicit_bzero(password, sizeof(password));
	explicit_bzero(header, sizeof(header));
	return is_added;
}

static bool add_headers(struct ship_http *http, const struct ship_url *url, const char *password_file)
{
	/* Without "Expect" curl would wait for a permission that not every server gives. */
	return add_credentials(&http->headers, url, password_file) && add_http_header(&http->headers, "Expect:") &&
	       add_credentials(&http->headers_of_rows, url, password_file) &&
	       add_http_header(&http->headers_of_rows, "Expect:") &&
	       add_http_header(&http->headers_of_rows, "Content-Encoding: gzip");
}

/* An answer without end would keep the connection until the timeout, for each attempt. */
static size_t keep_beginning(char *bytes, size_t one, size_t count, void *context)
{
	struct ship_answer *answer = context;
	size_t used = strlen(answer->text), room = sizeof(answer->text) - 1 - used;

	strncat(answer->text, bytes, count < room ? count : room);
	answer->size += count;
	return answer->size > MOST_OF_ANSWER ? 0 : one * count;
}

/* Ends a request that goes on for too long after a signal. */
static int end_after_stop(void *context, curl_off_t down, curl_off_t received, curl_off_t up, curl_off_t sent)
{
	(void)context, (void)down, (void)received, (void)up, (void)sent;
	return stop_elapsed_ms() > MOST_AFTER_STOP_MS;
}

static void set_options(struct ship_http *http, const struct ship_http_options *options)
{
	curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, options->timeout_ms);
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->error);
	curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, keep_beginning);
	curl_easy_setopt(http->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(http->curl, CURLOPT_XFERINFOFUNCTION, end_after_stop);
	curl_easy_setopt(http->curl, CURLOPT_USERAGENT, "netracker/" NETRACKER_VERSION);
	if (options->ca_file)
		curl_easy_setopt(http->curl, CURLOPT_CAINFO, options->ca_file);
}

struct ship_http *ship_http_open(const struct ship_url *url, const struct ship_http_options *options)
{
	struct ship_http *http = calloc(1, sizeof(*http));

	if (http)
		http->curl = curl_easy_init();
	if (!http || !http->curl) {
		message_error("ship: out of memory");
		free(http);
		return NULL;
	}
	snprintf(http->base, sizeof(http->base), "%s://%s:%u/", url->is_tls ? "https" : "http", url->host, url->port);
	set_options(http, options);
	if (add_headers(http, url, options->password_file))
		return http;
	ship_http_close(http);
	return NULL;
}

void ship_http_close(struct ship_http *http)
{
	if (!http)
		return;
	curl_slist_free_all(http->headers);
	curl_slist_free_all(http->headers_of_rows);
	curl_easy_cleanup(http->curl);
	text_free(&http->packed);
	free(http);
}

/* ---- post ---- */

/* Returns false without memory. */
static bool pack_rows(struct ship_http *http, const char *rows, size_t size)
{
	z_stream stream = { 0 };
	bool is_packed;

	http->packed.used = 0;
	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	is_packed = text_reserve(&http->packed, deflateBound(&stream, size));
	if (is_packed) {
		stream.next_in = (Bytef *)(size_t)rows;
		stream.avail_in = (uInt)size;
		stream.next_out = (Bytef *)http->packed.bytes;
		stream.avail_out = (uInt)http->packed.capacity;
		is_packed = deflate(&stream, Z_FINISH) == Z_STREAM_END;
		http->packed.used = stream.total_out;
	}
	deflateEnd(&stream);
	return is_packed;
}

/* With rows the query is in the URL, else it is the body. */
static bool set_request(struct ship_http *http, const char *query, const char *rows, size_t size)
{
	char *escaped = rows ? curl_easy_escape(http->curl, query, 0) : NULL;
	struct text_buffer url = { 0 };
	bool is_set = !rows || (escaped && pack_rows(http, rows, size));

	text_string(&url, http->base);
	if (escaped) {
		text_string(&url, "?query=");
		text_string(&url, escaped);
		text_string(&url, SETTINGS);
	}
	text_char(&url, '\0');
	is_set = is_set && !url.failed && curl_easy_setopt(http->curl, CURLOPT_URL, url.bytes) == CURLE_OK;
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, rows ? http->headers_of_rows : http->headers);
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)(rows ? http->packed.used : strlen(query)));
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, rows ? http->packed.bytes : query);
	text_free(&url);
	curl_free(escaped);
	return is_set;
}

static bool is_certificate_error(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
	       code == CURLE_SSL_ISSUER_ERROR;
}

void ship_http_post(struct ship_http *http, const char *query, const char *rows, size_t size,
		    struct ship_answer *answer)
{
	curl_off_t retry_after = 0;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	*answer = (struct ship_answer){ 0 };
	http->error[0] = '\0';
	curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, answer);
	if (set_request(http, query, rows, size))
		code = curl_easy_perform(http->curl);
	if (code != CURLE_OK) {
		answer->is_not_trusted = is_certificate_error(code);
		snprintf(answer->text, sizeof(answer->text), "%s",
			 answer->size > MOST_OF_ANSWER ? "the server's answer does not end" :
			 http->error[0]                ? http->error :
							 curl_easy_strerror(code));
		return;
	}
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &retry_after);
	answer->retry_after_s = retry_after > 0 ? (long)retry_after : 0;
}
