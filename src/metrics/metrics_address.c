// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/metrics/metrics_address.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "src/util/quantity.h"

#define LOOPBACK "127.0.0.1"

/* Copies the address without brackets. Brackets are for IPv6, whose address has colons too. */
static bool copy_host(char host[METRICS_ADDRESS_TEXT], const char *text, size_t size)
{
	bool has_brackets = size > 2 && text[0] == '[' && text[size - 1] == ']';

	if (has_brackets) {
		text++;
		size -= 2;
	}
	if (!size || size >= METRICS_ADDRESS_TEXT - sizeof("[]:65535"))
		return false;
	memcpy(host, text, size);
	host[size] = '\0';
	return has_brackets == !!strchr(host, ':');
}

static bool resolve_host(struct metrics_address *address, const char *host, const char *port)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	if (getaddrinfo(host, port, &hints, &found))
		return false;
	memcpy(&address->socket, found->ai_addr, found->ai_addrlen);
	address->size = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

bool metrics_address_parse(struct metrics_address *address, const char *text)
{
	const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
	char host[METRICS_ADDRESS_TEXT] = LOOPBACK;
	__u64 number;

	if (!quantity_number(port, 1, 65535, &number))
		return false;
	if ((colon && !copy_host(host, text, (size_t)(colon - text))) || !resolve_host(address, host, port))
		return false;
	snprintf(address->text, sizeof(address->text), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
		 (unsigned int)number);
	return true;
}
