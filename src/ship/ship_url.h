/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SHIP_URL_H
#define NETRACKER_SHIP_URL_H

#define SHIP_NAME_SIZE 64
#define SHIP_HOST_SIZE 256
#define SHIP_PATH_SIZE 256

/* SCHEME://[USER@]HOST[:PORT][/PATH] */
struct ship_url {
	char scheme[SHIP_NAME_SIZE];
	char user[SHIP_NAME_SIZE]; /* "": none */
	char host[SHIP_HOST_SIZE]; /* an IPv6 address has its brackets */
	unsigned int port;         /* 0: not given */
	char path[SHIP_PATH_SIZE]; /* without the first "/"; "": none */
};

/* Returns NULL, or why the text is no such URL. The parts have only letters, digits and few other characters, none of
 * which needs quotes in SQL, in a header or in the name of a file. */
const char *ship_url_parse(struct ship_url *url, const char *text);

/* Returns the text after the user, so that a message does not show a password. */
const char *ship_url_without_user(const char *text);

#endif
