// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/kafka_configuration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/http/secret_file.h"
#include "src/util/message.h"

#define QUOTE(text) #text
#define NUMBER(macro) QUOTE(macro)

struct kafka_settings {
	const struct kafka_library *library;
	rd_kafka_conf_t *configuration;
	char reason[SHIP_REASON_SIZE];
};

static bool set_property(struct kafka_settings *to, const char *name, const char *value)
{
	return to->library->conf_set(to->configuration, name, value, to->reason, sizeof(to->reason)) ==
	       RD_KAFKA_CONF_OK;
}

/* NULL sets nothing. */
static bool set_file(struct kafka_settings *to, const char *name, const char *path)
{
	return !path || set_property(to, name, path);
}

static bool set_certificates(struct kafka_settings *to, const struct http_settings *settings)
{
	return set_file(to, "ssl.ca.location", settings->ca_file) &&
	       set_file(to, "ssl.certificate.location", settings->cert_file) &&
	       set_file(to, "ssl.key.location", settings->key_file ? settings->key_file : settings->cert_file);
}

/* The library repeats requests by itself and the cluster drops what it has already, for ever: the sender ends the wait.
 * The partition of a host is the one that Java's producers choose. */
static bool set_delivery(struct kafka_settings *to)
{
	return set_property(to, "client.id", "netracker") && set_property(to, "enable.idempotence", "true") &&
	       set_property(to, "compression.type", "zstd") && set_property(to, "message.timeout.ms", "0") &&
	       set_property(to, "partitioner", "murmur2_random") &&
	       set_property(to, "queue.buffering.max.messages", NUMBER(SHIP_MOST_RECORDS));
}

static bool set_cluster(struct kafka_settings *to, const struct server_url *url)
{
	char server[SERVER_HOST_SIZE + 8];

	snprintf(server, sizeof(server), "%s:%u", url->host, url->port);
	return set_property(to, "bootstrap.servers", server);
}

/* Without TLS a password is not sent as it is. */
static bool set_security(struct kafka_settings *to, const struct server_url *url, const struct http_settings *settings)
{
	static const char *const protocols[2][2] = { { "plaintext", "ssl" }, { "sasl_plaintext", "sasl_ssl" } };
	bool is_tls = !strcmp(url->scheme, "kafkas"), has_user = *url->user;
	char password[SECRET_SIZE];
	bool is_set;

	if (!set_property(to, "security.protocol", protocols[has_user][is_tls]) ||
	    (is_tls && !set_certificates(to, settings)))
		return false;
	if (!has_user)
		return true;
	snprintf(to->reason, sizeof(to->reason), "the user in the URL needs a password: --password-file FILE");
	if (!settings->password_file || !secret_file_read(password, settings->password_file, settings->command))
		return false;
	is_set = set_property(to, "sasl.mechanism", is_tls ? "PLAIN" : "SCRAM-SHA-512") &&
		 set_property(to, "sasl.username", url->user) && set_property(to, "sasl.password", password);
	explicit_bzero(password, sizeof(password));
	return is_set;
}

/* ---- the user's own file ---- */

/* Cuts the text at its end, and returns it without blanks at its beginning. */
static char *trim_blanks(char *text)
{
	size_t size;

	text += strspn(text, " \t\r\n");
	size = strlen(text);
	while (size && strchr(" \t\r\n", text[size - 1]))
		text[--size] = '\0';
	return text;
}

static bool set_line(struct kafka_settings *to, char *line)
{
	char *name = trim_blanks(line), *value = strchr(name, '=');

	if (!*name || *name == '#')
		return true;
	if (!value) {
		snprintf(to->reason, sizeof(to->reason), "'%.100s' is not NAME=VALUE", name);
		return false;
	}
	*value = '\0';
	return set_property(to, trim_blanks(name), trim_blanks(value + 1));
}

static bool set_lines(struct kafka_settings *to, const char *path, FILE *file)
{
	char line[4096], reason[SHIP_REASON_SIZE];
	unsigned int number = 0;

	while (fgets(line, sizeof(line), file)) {
		number++;
		if (set_line(to, line))
			continue;
		memcpy(reason, to->reason, sizeof(reason));
		snprintf(to->reason, sizeof(to->reason), "%.200s:%u: %.250s", path, number, reason);
		return false;
	}
	return true;
}

/* NULL sets nothing. */
static bool set_from_file(struct kafka_settings *to, const char *path)
{
	FILE *file;
	bool is_set;

	if (!path)
		return true;
	file = fopen(path, "re");
	if (!file) {
		snprintf(to->reason, sizeof(to->reason), "%.300s: %s", path, strerror(errno));
		return false;
	}
	is_set = set_lines(to, path, file);
	fclose(file);
	return is_set;
}

rd_kafka_conf_t *kafka_configuration_make(const struct kafka_library *library, const struct server_url *url,
					  const struct ship_settings *settings)
{
	struct kafka_settings to = { .library = library, .configuration = library->conf_new() };

	if (set_delivery(&to) && set_cluster(&to, url) && set_security(&to, url, &settings->http) &&
	    set_from_file(&to, settings->kafka_config))
		return to.configuration;
	message_error("ship: Kafka: %s", to.reason);
	library->conf_destroy(to.configuration);
	return NULL;
}
