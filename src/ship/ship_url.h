/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SHIP_URL_H
#define NETRACKER_SHIP_URL_H

#include <stdbool.h>

#define SHIP_NAME_SIZE 64
#define SHIP_HOST_SIZE 256

/* clickhouse://[USER@]HOST[:PORT]/DATABASE[/TABLE]; clickhouses:// is the same over TLS. */
struct ship_url {
	bool is_tls;
	unsigned int port;         /* of the HTTP interface; default 8123, over TLS 8443 */
	char user[SHIP_NAME_SIZE]; /* "": the server's default user */
	char host[SHIP_HOST_SIZE]; /* an IPv6 address has its brackets */
	char database[SHIP_NAME_SIZE], table[SHIP_NAME_SIZE];
};

/* Returns NULL, or why the text is no destination. Names have only letters, digits and "_", so they need no quotes in SQL
 * or in the name of a file. */
const char *ship_url_parse(struct ship_url *url, const char *text);

#endif
