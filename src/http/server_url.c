// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/http/server_url.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define SCHEME_CHARACTERS ALPHANUMERIC "+"
#define USER_CHARACTERS ALPHANUMERIC "_.-"
#define HOST_CHARACTERS ALPHANUMERIC ".-_"
#define ADDRESS_CHARACTERS "[]:.0123456789abcdefABCDEF"
#define PATH_CHARACTERS ALPHANUMERIC "_.-/"

static bool copy_part(char *part, size_t size, const char *text, size_t length, const char *characters)
{
	if (!length || length >= size || strspn(text, characters) < length)
		return false;
	memcpy(part, text, length);
	part[length] = '\0';
	return true;
}

static bool parse_url_port(struct server_url *url, const char *text, size_t length)
{
	char digits[6];

	if (!copy_part(digits, sizeof(digits), text, length, "0123456789"))
		return false;
	url->port = (unsigned int)atoi(digits);
	return url->port && url->port <= 65535;
}

static bool is_address(const char *host)
{
	char address[SERVER_HOST_SIZE];
	struct in6_addr binary;
	size_t length = strlen(host);

	if (length < 2 || host[length - 1] != ']')
		return false;
	memcpy(address, host + 1, length - 2);
	address[length - 2] = '\0';
	return inet_pton(AF_INET6, address, &binary) == 1;
}

static const char *parse_host(struct server_url *url, const char *text, size_t length)
{
	const char *end = memchr(text, *text == '[' ? ']' : ':', length);
	size_t host = end ? (size_t)(end - text) + (*text == '[') : length;

	if (!copy_part(url->host, sizeof(url->host), text, host, *text == '[' ? ADDRESS_CHARACTERS : HOST_CHARACTERS) ||
	    (*text == '[' && !is_address(url->host)))
		return "it needs a host: a name, an IPv4 address, or an IPv6 address in brackets";
	if (host < length && (text[host] != ':' || !parse_url_port(url, text + host + 1, length - host - 1)))
		return "the port must be a number from 1 to 65535";
	return NULL;
}

const char *server_url_without_user(const char *text)
{
	const char *separator = strstr(text, "://"), *at = strrchr(text, '@');

	return at && (!separator || at > separator) ? at + 1 : text;
}

const char *server_url_parse(struct server_url *url, const char *text)
{
	const char *at, *reason, *separator = strstr(text, "://");
	size_t length;

	*url = (struct server_url){ 0 };
	if (!separator ||
	    !copy_part(url->scheme, sizeof(url->scheme), text, (size_t)(separator - text), SCHEME_CHARACTERS))
		return "it must begin with the name of a protocol and ://";
	text = separator + 3;
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
	text += length;
	text += *text == '/';
	if (!reason && *text && !copy_part(url->path, sizeof(url->path), text, strlen(text), PATH_CHARACTERS))
		reason = "what follows the host may have letters, digits, _, ., - and /";
	return reason;
}
