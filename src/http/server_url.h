/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SERVER_URL_H
#define NETRACKER_SERVER_URL_H

#define SERVER_NAME_SIZE 64
#define SERVER_HOST_SIZE 256
#define SERVER_PATH_SIZE 256

/* SCHEME://[USER@]HOST[:PORT][/PATH] */
struct server_url {
	char scheme[SERVER_NAME_SIZE];
	char user[SERVER_NAME_SIZE]; /* "": none */
	char host[SERVER_HOST_SIZE]; /* an IPv6 address has its brackets */
	unsigned int port;           /* 0: not given */
	char path[SERVER_PATH_SIZE]; /* without the first "/"; "": none */
};

/* Returns NULL, or why the text is no such URL. The parts have only letters, digits and few other characters, none of
 * which needs quotes in SQL, in a header or in the name of a file. */
const char *server_url_parse(struct server_url *url, const char *text);

/* Returns the text after the user, so that a message does not show a password. */
const char *server_url_without_user(const char *text);

#endif
