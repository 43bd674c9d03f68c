// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "src/ship/curl_library.h"
#include "src/ship/ship_secret.h"
#include "src/util/message.h"
#include "src/util/stop.h"
#include "src/util/text_buffer.h"

#define CONNECT_TIMEOUT_MS 10000L
#define MOST_AFTER_STOP_MS 5000 /* of the request in flight */
#define MOST_OF_ANSWER (1U << 20)
#define GZIP_WINDOW (15 + 16) /* zlib's notation of the gzip format */
#define GZIP_MEMORY 8

static const struct curl_library *libcurl; /* set by ship_http_open() */

struct ship_http {
	CURL *curl;
	struct curl_slist *headers;
	char base[SHIP_HOST_SIZE + 32]; /* of the URLs */
	char error[CURL_ERROR_SIZE];
	struct text_buffer packed;
};

/* ---- open ---- */

static bool report_http_memory(void)
{
	message_error("ship: out of memory");
	return false;
}

bool ship_http_add_header(struct ship_http *http, const char *header)
{
	struct curl_slist *longer = libcurl->slist_append(http->headers, header);

	if (!longer)
		return report_http_memory();
	http->headers = longer;
	return true;
}

bool ship_http_add_secret(struct ship_http *http, const char *name, const char *path)
{
	char secret[SHIP_SECRET_SIZE] = "", header[SHIP_SECRET_SIZE + 64];
	bool is_added = ship_secret_read(secret, path);

	if (is_added && *secret) {
		snprintf(header, sizeof(header), "%s%s", name, secret);
		is_added = ship_http_add_header(http, header);
	}
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(header, sizeof(header));
	return is_added;
}

static bool set_login(struct ship_http *http, const char *user, const char *path)
{
	char secret[SHIP_SECRET_SIZE];
	bool is_set = ship_secret_read(secret, path);

	if (is_set) /* curl copies both */
		is_set = libcurl->easy_setopt(http->curl, CURLOPT_USERNAME, user) == CURLE_OK &&
			 libcurl->easy_setopt(http->curl, CURLOPT_PASSWORD, secret) == CURLE_OK;
	explicit_bzero(secret, sizeof(secret));
	return is_set;
}

bool ship_http_add_authorization(struct ship_http *http, const char *user, const struct ship_settings *settings)
{
	if (settings->token_file)
		return ship_http_add_secret(http, "Authorization: Bearer ", settings->token_file);
	if (!settings->password_file)
		return true;
	if (*user)
		return set_login(http, user, settings->password_file);
	message_error("ship: --password-file needs a user in the URL: USER@HOST");
	return false;
}

/* An answer without end would keep the connection until the timeout, for each attempt. */
static size_t keep_beginning(char *bytes, size_t one, size_t count, void *context)
{
	struct ship_http_answer *answer = context;
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

static void set_options(struct ship_http *http, const struct ship_settings *settings)
{
	libcurl->easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	libcurl->easy_setopt(http->curl, CURLOPT_QUICK_EXIT, 1L); /* does not wait for a name server after a signal */
	libcurl->easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	libcurl->easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, settings->timeout_ms);
	libcurl->easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->error);
	libcurl->easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, keep_beginning);
	libcurl->easy_setopt(http->curl, CURLOPT_NOPROGRESS, 0L);
	libcurl->easy_setopt(http->curl, CURLOPT_XFERINFOFUNCTION, end_after_stop);
	libcurl->easy_setopt(http->curl, CURLOPT_USERAGENT, "netracker/" NETRACKER_VERSION);
	if (settings->ca_file) {
		/* Without the second the system's certificates would be trusted too. */
		libcurl->easy_setopt(http->curl, CURLOPT_CAINFO, settings->ca_file);
		libcurl->easy_setopt(http->curl, CURLOPT_CAPATH, NULL);
	}
	if (settings->cert_file)
		libcurl->easy_setopt(http->curl, CURLOPT_SSLCERT, settings->cert_file);
	if (settings->key_file)
		libcurl->easy_setopt(http->curl, CURLOPT_SSLKEY, settings->key_file);
}

/* curl itself reports a missing file as a connection that failed, which would be tried again for ever. */
static bool can_read(const char *path)
{
	if (!path || !access(path, R_OK))
		return true;
	message_error("ship: %s: cannot read it: %s", path, strerror(errno));
	return false;
}

struct ship_http *ship_http_open(const struct ship_url *url, bool is_tls, const struct ship_settings *settings)
{
	struct ship_http *http;

	libcurl = curl_library_load();
	if (!libcurl)
		return NULL;
	http = calloc(1, sizeof(*http));
	if (http)
		http->curl = libcurl->easy_init();
	if (!http || !http->curl) {
		report_http_memory();
		free(http);
		return NULL;
	}
	snprintf(http->base, sizeof(http->base), "%s://%s:%u/", is_tls ? "https" : "http", url->host, url->port);
	set_options(http, settings);
	/* Without "Expect" curl would wait for a permission that not every server gives. */
	if (ship_http_add_header(http, "Expect:") && can_read(settings->cert_file) && can_read(settings->key_file) &&
	    can_read(settings->ca_file))
		return http;
	ship_http_close(http);
	return NULL;
}

void ship_http_close(struct ship_http *http)
{
	if (!http)
		return;
	libcurl->slist_free_all(http->headers);
	libcurl->easy_cleanup(http->curl);
	text_free(&http->packed);
	free(http);
}

/* ---- post ---- */

/* Returns false without memory. */
static bool pack_body(struct ship_http *http, const char *body, size_t size)
{
	z_stream stream = { 0 };
	bool is_packed;

	http->packed.used = 0;
	http->packed.failed = false;
	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	is_packed = text_reserve(&http->packed, deflateBound(&stream, size));
	if (is_packed) {
		stream.next_in = (Bytef *)(size_t)body;
		stream.avail_in = (uInt)size;
		stream.next_out = (Bytef *)http->packed.bytes;
		stream.avail_out = (uInt)http->packed.capacity;
		is_packed = deflate(&stream, Z_FINISH) == Z_STREAM_END;
		http->packed.used = stream.total_out;
	}
	deflateEnd(&stream);
	return is_packed;
}

static bool set_target(struct ship_http *http, const char *target)
{
	struct text_buffer url = { 0 };
	bool is_set;

	text_string(&url, http->base);
	text_string(&url, target);
	text_char(&url, '\0');
	is_set = !url.failed && libcurl->easy_setopt(http->curl, CURLOPT_URL, url.bytes) == CURLE_OK;
	text_free(&url);
	return is_set;
}

static bool is_certificate_error(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
	       code == CURLE_SSL_ISSUER_ERROR;
}

static void describe_error(const struct ship_http *http, CURLcode code, struct ship_http_answer *answer)
{
	answer->is_not_trusted = is_certificate_error(code);
	snprintf(answer->text, sizeof(answer->text), "%s",
		 answer->size > MOST_OF_ANSWER ? "the server's answer does not end" :
		 http->error[0]                ? http->error :
						 libcurl->easy_strerror(code));
}

void ship_http_post(struct ship_http *http, const char *target, const char *body, size_t size, bool packed,
		    struct ship_http_answer *answer)
{
	struct curl_slist packing = { .data = (char[]){ "Content-Encoding: gzip" }, .next = http->headers };
	curl_off_t retry_after = 0;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	*answer = (struct ship_http_answer){ 0 };
	http->error[0] = '\0';
	libcurl->easy_setopt(http->curl, CURLOPT_WRITEDATA, answer);
	if (set_target(http, target) && (!packed || pack_body(http, body, size))) {
		libcurl->easy_setopt(http->curl, CURLOPT_HTTPHEADER, packed ? &packing : http->headers);
		libcurl->easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE,
				     (curl_off_t)(packed ? http->packed.used : size));
		libcurl->easy_setopt(http->curl, CURLOPT_POSTFIELDS, packed ? http->packed.bytes : body);
		code = libcurl->easy_perform(http->curl);
		libcurl->easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
	}
	if (code != CURLE_OK) {
		describe_error(http, code, answer);
		return;
	}
	libcurl->easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	libcurl->easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &retry_after);
	answer->retry_after_s = retry_after > 0 ? (long)retry_after : 0;
}

void ship_http_free(char *escaped)
{
	libcurl->free(escaped);
}

char *ship_http_escape(struct ship_http *http, const char *text)
{
	char *escaped = libcurl->easy_escape(http->curl, text, 0);

	if (!escaped)
		report_http_memory();
	return escaped;
}

/* ---- judge ---- */

static enum ship_verdict verdict_of(const struct ship_http_answer *http)
{
	if (http->is_not_trusted)
		return SHIP_REFUSED;
	if (!http->status || http->status == 408 || http->status == 429 || http->status >= 500)
		return SHIP_AGAIN;
	if (http->status / 100 == 2)
		return SHIP_TAKEN;
	return http->status == 400 || http->status == 413 || http->status == 415 ? SHIP_BAD : SHIP_REFUSED;
}

void ship_http_explain(const struct ship_http_answer *http, const char *reason, struct ship_answer *answer)
{
	char status[32] = "";

	if (http->status)
		snprintf(status, sizeof(status), " (status %ld)", http->status);
	snprintf(answer->reason, sizeof(answer->reason), "%s%s: %.*s", reason, status, (int)strcspn(http->text, "\r\n"),
		 http->text);
}

static const char *reason_of(const struct ship_http_answer *http, enum ship_verdict verdict)
{
	if (http->is_not_trusted)
		return "the server's certificate does not fit; see --ca-file";
	if (!http->status)
		return "no answer";
	if (verdict == SHIP_AGAIN)
		return "the server does not take records now";
	if (verdict == SHIP_BAD)
		return "the server does not take them";
	if (http->status == 401 || http->status == 403)
		return "the server refuses this user or password; see --password-file and --token-file";
	return "the server does not know this request, so it is another one";
}

void ship_http_judge(const struct ship_http_answer *http, struct ship_answer *answer)
{
	answer->verdict = verdict_of(http);
	answer->retry_after_s = http->retry_after_s;
	if (answer->verdict != SHIP_TAKEN)
		ship_http_explain(http, reason_of(http, answer->verdict), answer);
}
