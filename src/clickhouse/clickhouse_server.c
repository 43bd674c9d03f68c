// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/clickhouse/clickhouse_server.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_TABLE "conn"
#define HTTP_PORT 8123
#define HTTPS_PORT 8443

static bool is_clickhouse_tls(const struct server_url *url)
{
	return !strcmp(url->scheme, CLICKHOUSE_TLS_SCHEME);
}

static bool is_name(const char *text, size_t size)
{
	return size && size < SERVER_NAME_SIZE && !memchr(text, '.', size) && !memchr(text, '-', size);
}

const char *clickhouse_check_url(struct server_url *url)
{
	size_t length = strcspn(url->path, "/");
	const char *table = url->path + length;

	if (!is_name(url->path, length))
		return "it needs a database after the host: letters, digits and _";
	if (*table == '/') {
		table++;
		if (!is_name(table, strlen(table)) || strchr(table, '/'))
			return "the table after the database may have letters, digits and _";
	} else {
		snprintf(url->path + length, sizeof(url->path) - length, "/" DEFAULT_TABLE);
	}
	if (!url->port)
		url->port = is_clickhouse_tls(url) ? HTTPS_PORT : HTTP_PORT;
	return NULL;
}

bool clickhouse_is_url(const char *text)
{
	size_t length = strcspn(text, ":");

	return !strncmp(text + length, "://", 3) &&
	       ((length == strlen(CLICKHOUSE_SCHEME) && !strncmp(text, CLICKHOUSE_SCHEME, length)) ||
		(length == strlen(CLICKHOUSE_TLS_SCHEME) && !strncmp(text, CLICKHOUSE_TLS_SCHEME, length)));
}

static bool add_credentials(struct http_client *http, const struct server_url *url,
			    const struct http_settings *settings)
{
	char header[SERVER_NAME_SIZE + 32];

	snprintf(header, sizeof(header), "X-ClickHouse-User: %s", url->user);
	if (*url->user && !http_client_add_header(http, header))
		return false;
	if (settings->token_file)
		return http_client_add_secret(http, "Authorization: Bearer ", settings->token_file);
	return !settings->password_file || http_client_add_secret(http, "X-ClickHouse-Key: ", settings->password_file);
}

bool clickhouse_server_open(struct clickhouse_server *server, const struct server_url *url,
			    const struct http_settings *settings)
{
	size_t length = strcspn(url->path, "/");

	*server = (struct clickhouse_server){ .command = settings->command };
	memcpy(server->table.database, url->path, length);
	snprintf(server->table.name, sizeof(server->table.name), "%s", url->path + length + 1);
	server->http = http_client_open(url, is_clickhouse_tls(url), settings);
	return server->http && add_credentials(server->http, url, settings);
}

void clickhouse_server_close(struct clickhouse_server *server)
{
	http_client_close(server->http);
	server->http = NULL;
}
