// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/http/http_client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/http/curl_library.h"
#include "src/http/secret_file.h"
#include "src/util/message.h"
#include "src/util/stop.h"
#include "src/util/text_buffer.h"

#define CONNECT_TIMEOUT_MS 10000L
#define MOST_AFTER_STOP_MS 5000 /* of the request in flight */
#define MOST_OF_ANSWER (1U << 20)
#define MS_PER_SECOND 1000

static const struct curl_library *libcurl; /* set by http_client_open() */

struct http_client {
	const char *command; /* for messages */
	CURL *curl;
	struct curl_slist *headers;
	char base[SERVER_HOST_SIZE + 32]; /* of the URLs */
	char error[CURL_ERROR_SIZE];
	struct http_packer packer;
	long timeout_ms;
	bool is_tls, has_certificate;
};

/* ---- open ---- */

static bool report_http_memory(const char *command)
{
	message_error("%s: out of memory", command);
	return false;
}

bool http_client_add_header(struct http_client *http, const char *header)
{
	struct curl_slist *longer = libcurl->slist_append(http->headers, header);

	if (!longer)
		return report_http_memory(http->command);
	http->headers = longer;
	return true;
}

bool http_client_add_secret(struct http_client *http, const char *name, const char *path)
{
	char secret[SECRET_SIZE] = "", header[SECRET_SIZE + 64];
	bool is_added = secret_file_read(secret, path, http->command);

	if (is_added) {
		snprintf(header, sizeof(header), "%s%s", name, secret);
		is_added = http_client_add_header(http, header);
	}
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(header, sizeof(header));
	return is_added;
}

static bool set_login(struct http_client *http, const char *user, const char *path)
{
	char secret[SECRET_SIZE];
	bool is_set = secret_file_read(secret, path, http->command);

	if (is_set) /* curl copies both */
		is_set = libcurl->easy_setopt(http->curl, CURLOPT_USERNAME, user) == CURLE_OK &&
			 libcurl->easy_setopt(http->curl, CURLOPT_PASSWORD, secret) == CURLE_OK;
	explicit_bzero(secret, sizeof(secret));
	return is_set;
}

bool http_client_add_authorization(struct http_client *http, const char *user, const struct http_settings *settings)
{
	if (settings->token_file)
		return http_client_add_secret(http, "Authorization: Bearer ", settings->token_file);
	if (!settings->password_file)
		return true;
	if (*user)
		return set_login(http, user, settings->password_file);
	message_error("%s: --password-file needs a user in the URL: USER@HOST", http->command);
	return false;
}

/* An answer without end would keep the connection until the timeout, for each attempt. */
static size_t keep_beginning(char *bytes, size_t one, size_t count, void *context)
{
	struct http_answer *answer = context;
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

/* Without --ca-file curl trusts the certificates of the system, and with it those beside the file, unless CAPATH is unset: an
 * option that could not be set would be a trust that nobody asked for. */
static bool set_certificate_files(struct http_client *http, const struct http_settings *settings)
{
	const struct {
		CURLoption option;
		const char *path;
	} files[] = {
		{ CURLOPT_CAINFO, settings->ca_file },
		{ CURLOPT_SSLCERT, settings->cert_file },
		{ CURLOPT_SSLKEY, settings->key_file },
	};
	CURLcode code = settings->ca_file ? libcurl->easy_setopt(http->curl, CURLOPT_CAPATH, NULL) : CURLE_OK;
	unsigned int i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]) && code == CURLE_OK; i++)
		if (files[i].path)
			code = libcurl->easy_setopt(http->curl, files[i].option, files[i].path);
	if (code != CURLE_OK)
		message_error("%s: cannot use the certificates: %s", http->command, libcurl->easy_strerror(code));
	return code == CURLE_OK;
}

static void set_options(struct http_client *http)
{
	libcurl->easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	libcurl->easy_setopt(http->curl, CURLOPT_QUICK_EXIT, 1L); /* does not wait for a name server after a signal */
	libcurl->easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	libcurl->easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->error);
	libcurl->easy_setopt(http->curl, CURLOPT_NOPROGRESS, 0L);
	libcurl->easy_setopt(http->curl, CURLOPT_USERAGENT, "netracker/" NETRACKER_VERSION);
}

/* curl itself reports a missing file as a connection that failed, which would be tried again for ever. */
static bool can_read(const struct http_client *http, const char *path)
{
	if (!path || !access(path, R_OK))
		return true;
	message_error("%s: %s: cannot read it: %s", http->command, path, strerror(errno));
	return false;
}

struct http_client *http_client_open(const struct server_url *url, bool is_tls, const struct http_settings *settings)
{
	struct http_client *http;

	libcurl = curl_library_load();
	if (!libcurl)
		return NULL;
	http = calloc(1, sizeof(*http));
	if (http)
		http->curl = libcurl->easy_init();
	if (!http || !http->curl) {
		report_http_memory(settings->command);
		free(http);
		return NULL;
	}
	http->command = settings->command;
	http->timeout_ms = settings->timeout_ms;
	http->is_tls = is_tls;
	http->has_certificate = settings->cert_file;
	http->packer.packing = settings->packing;
	snprintf(http->base, sizeof(http->base), "%s://%s:%u/", is_tls ? "https" : "http", url->host, url->port);
	set_options(http);
	/* Without "Expect" curl would wait for a permission that not every server gives. */
	if (set_certificate_files(http, settings) && http_client_add_header(http, "Expect:") &&
	    can_read(http, settings->cert_file) && can_read(http, settings->key_file) &&
	    can_read(http, settings->ca_file))
		return http;
	http_client_close(http);
	return NULL;
}

void http_client_close(struct http_client *http)
{
	struct curl_slist *header;

	if (!http)
		return;
	for (header = http->headers; header; header = header->next) /* some are secrets */
		explicit_bzero(header->data, strlen(header->data));
	libcurl->slist_free_all(http->headers);
	libcurl->easy_cleanup(http->curl);
	http_packer_free(&http->packer);
	free(http);
}

/* ---- post ---- */

static bool set_target(struct http_client *http, const char *target)
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

/* The server's alert of TLS, in the words of GnuTLS: before TLS 1.3 it ends the handshake, later the first reading. */
static bool is_certificate_alert(const struct http_client *http, CURLcode code)
{
	static const char *const words[] = { "ertificate", "CA is unknown", "Access was denied", "Handshake failed",
					     "TLS fatal alert" };
	unsigned int i;

	if (code != CURLE_SSL_CONNECT_ERROR && code != CURLE_RECV_ERROR)
		return false;
	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strstr(http->error, words[i]))
			return true;
	return false;
}

static const char *refusal_of(const struct http_client *http, CURLcode code)
{
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
	    code == CURLE_SSL_ISSUER_ERROR)
		return "the server's certificate does not fit; see --ca-file";
	if (code == CURLE_SSL_CERTPROBLEM || strstr(http->error, "reading X.509"))
		return "the client's certificate and key cannot be used; see --cert-file and --key-file";
	if (!is_certificate_alert(http, code))
		return NULL;
	return http->has_certificate ? "the server does not take the client's certificate; see --cert-file" :
				       "the server wants a client's certificate; see --cert-file";
}

/* A server that does not take a client's certificate may have closed the connection before its alert is read. */
static const char *hint_of(const struct http_client *http, CURLcode code)
{
	bool is_cut = code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
		      (code == CURLE_SSL_CONNECT_ERROR && strstr(http->error, "Send failure"));
	long connections = 0;

	libcurl->easy_getinfo(http->curl, CURLINFO_NUM_CONNECTS, &connections);
	if (!http->is_tls || !is_cut || !connections)
		return "";
	return http->has_certificate ? " (does it take the client's certificate? see --cert-file)" :
				       " (does it want a client's certificate? see --cert-file)";
}

static void describe_error(const struct http_client *http, CURLcode code, struct http_answer *answer)
{
	answer->refusal = refusal_of(http, code);
	snprintf(answer->text, sizeof(answer->text), "%s%s",
		 answer->size > MOST_OF_ANSWER ? "the server's answer does not end" :
		 http->error[0]                ? http->error :
						 libcurl->easy_strerror(code),
		 answer->refusal ? "" : hint_of(http, code));
}

static void keep_status(struct http_client *http, struct http_answer *answer)
{
	curl_off_t retry_after = 0;

	libcurl->easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	libcurl->easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &retry_after);
	answer->retry_after_s = retry_after <= 0 ? 0 : retry_after < INT_MAX ? (long)retry_after : INT_MAX;
}

void http_client_post(struct http_client *http, const char *target, const char *body, size_t size, bool packed,
		      struct http_answer *answer)
{
	struct curl_slist packing = { .data = (char *)(size_t)http_packer_header(&http->packer),
				      .next = http->headers };
	CURLcode code = CURLE_OUT_OF_MEMORY;

	packed = packed && http->packer.packing != HTTP_PLAIN;
	*answer = (struct http_answer){ 0 };
	http->error[0] = '\0';
	libcurl->easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, http->timeout_ms);
	libcurl->easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, keep_beginning);
	libcurl->easy_setopt(http->curl, CURLOPT_WRITEDATA, answer);
	libcurl->easy_setopt(http->curl, CURLOPT_XFERINFOFUNCTION, end_after_stop);
	if (set_target(http, target) && (!packed || http_packer_pack(&http->packer, body, size))) {
		libcurl->easy_setopt(http->curl, CURLOPT_HTTPHEADER, packed ? &packing : http->headers);
		libcurl->easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE,
				     (curl_off_t)(packed ? http->packer.packed.used : size));
		libcurl->easy_setopt(http->curl, CURLOPT_POSTFIELDS, packed ? http->packer.packed.bytes : body);
		code = libcurl->easy_perform(http->curl);
		libcurl->easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
	}
	if (code == CURLE_OK)
		keep_status(http, answer);
	else
		describe_error(http, code, answer);
}

/* ---- a long answer ---- */

struct http_stream {
	struct http_client *http;
	struct http_answer *answer;
	bool (*take)(void *context, const char *bytes, size_t size);
	void *context;
	bool is_ended; /* by take() */
};

static size_t pass_on(char *bytes, size_t one, size_t count, void *context)
{
	struct http_stream *stream = context;
	long status = 0;

	libcurl->easy_getinfo(stream->http->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return keep_beginning(bytes, one, count, stream->answer);
	stream->is_ended = stop_is_requested() || !stream->take(stream->context, bytes, count);
	return stream->is_ended ? 0 : one * count;
}

static int end_at_stop(void *context, curl_off_t down, curl_off_t received, curl_off_t up, curl_off_t sent)
{
	(void)context, (void)down, (void)received, (void)up, (void)sent;
	return stop_is_requested();
}

void http_client_stream(struct http_client *http, const char *target, const char *body, struct http_answer *answer,
			bool (*take)(void *context, const char *bytes, size_t size), void *context)
{
	struct http_stream stream = { .http = http, .answer = answer, .take = take, .context = context };
	long patience_s = (http->timeout_ms + MS_PER_SECOND - 1) / MS_PER_SECOND;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	*answer = (struct http_answer){ 0 };
	http->error[0] = '\0';
	libcurl->easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, 0L);
	libcurl->easy_setopt(http->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	libcurl->easy_setopt(http->curl, CURLOPT_LOW_SPEED_TIME, patience_s);
	libcurl->easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, pass_on);
	libcurl->easy_setopt(http->curl, CURLOPT_WRITEDATA, &stream);
	libcurl->easy_setopt(http->curl, CURLOPT_XFERINFOFUNCTION, end_at_stop);
	if (set_target(http, target)) {
		libcurl->easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->headers);
		libcurl->easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		libcurl->easy_setopt(http->curl, CURLOPT_POSTFIELDS, body);
		code = libcurl->easy_perform(http->curl);
		libcurl->easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
		libcurl->easy_setopt(http->curl, CURLOPT_LOW_SPEED_TIME, 0L);
	}
	if (code == CURLE_OK || stream.is_ended)
		keep_status(http, answer);
	else
		describe_error(http, code, answer);
}

void http_client_free(char *escaped)
{
	libcurl->free(escaped);
}

char *http_client_escape(struct http_client *http, const char *text)
{
	char *escaped = libcurl->easy_escape(http->curl, text, 0);

	if (!escaped)
		report_http_memory(http->command);
	return escaped;
}
