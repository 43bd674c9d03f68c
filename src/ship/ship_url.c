// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_url.h"

#include <stdlib.h>
#include <string.h>

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NAME_CHARACTERS ALPHANUMERIC "_"
#define USER_CHARACTERS ALPHANUMERIC "_.-"
#define HOST_CHARACTERS ALPHANUMERIC ".-_"
#define ADDRESS_CHARACTERS "[]:.0123456789abcdefABCDEF"
#define DEFAULT_TABLE "conn"
#define HTTP_PORT 8123
#define HTTPS_PORT 8443

static bool copy_part(char *part, size_t size, const char *text, size_t length, const char *characters)
{
	if (!length || length >= size || strspn(text, characters) < length)
		return false;
	memcpy(part, text, length);
	part[length] = '\0';
	return true;
}

static const char *skip_scheme(struct ship_url *url, const char *text)
{
	static const char plain[] = "clickhouse://", tls[] = "clickhouses://";

	url->is_tls = !strncmp(text, tls, sizeof(tls) - 1);
	if (url->is_tls)
		return text + sizeof(tls) - 1;
	return strncmp(text, plain, sizeof(plain) - 1) ? NULL : text + sizeof(plain) - 1;
}

static bool parse_url_port(struct ship_url *url, const char *text, size_t length)
{
	char digits[6];

	if (!copy_part(digits, sizeof(digits), text, length, "0123456789"))
		return false;
	url->port = (unsigned int)atoi(digits);
	return url->port && url->port <= 65535;
}

static const char *parse_host(struct ship_url *url, const char *text, size_t length)
{
	const char *end = memchr(text, *text == '[' ? ']' : ':', length);
	size_t host = end ? (size_t)(end - text) + (*text == '[') : length;

	if (!copy_part(url->host, sizeof(url->host), text, host, *text == '[' ? ADDRESS_CHARACTERS : HOST_CHARACTERS))
		return "it needs a host: a name, an IPv4 address, or an IPv6 address in brackets";
	url->port = url->is_tls ? HTTPS_PORT : HTTP_PORT;
	if (host < length && (text[host] != ':' || !parse_url_port(url, text + host + 1, length - host - 1)))
		return "the port must be a number from 1 to 65535";
	return NULL;
}

static const char *parse_table(struct ship_url *url, const char *path)
{
	size_t length = strcspn(path, "/");

	if (!copy_part(url->database, sizeof(url->database), path, length, NAME_CHARACTERS))
		return "it needs a database after the host: letters, digits and _";
	if (!path[length])
		path = DEFAULT_TABLE;
	else
		path += length + 1;
	if (!copy_part(url->table, sizeof(url->table), path, strlen(path), NAME_CHARACTERS))
		return "the table after the database may have letters, digits and _";
	return NULL;
}

const char *ship_url_parse(struct ship_url *url, const char *text)
{
	const char *at, *reason;
	size_t length;

	*url = (struct ship_url){ 0 };
	text = skip_scheme(url, text);
	if (!text)
		return "it must begin with clickhouse:// or clickhouses://";
	length = strcspn(text, "/");
	at = memchr(text, '@', length);
	if (at && memchr(text, ':', (size_t)(at - text)))
		return "a password in it would be seen by all users of this machine; put it into a file: "
		       "--password-file FILE";
	if (at && !copy_part(url->user, sizeof(url->user), text, (size_t)(at - text), USER_CHARACTERS))
		return "the user may have letters, digits, _, . and -";
	if (at) {
		length -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	reason = parse_host(url, text, length);
	if (!reason)
		reason = parse_table(url, text[length] ? text + length + 1 : "");
	return reason;
}
