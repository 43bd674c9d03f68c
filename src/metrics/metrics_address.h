/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address that metrics are served at, as it is written on the command line. */
#ifndef NETRACKER_METRICS_ADDRESS_H
#define NETRACKER_METRICS_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#define METRICS_ADDRESS_TEXT 80 /* [ADDRESS%INTERFACE]:PORT and NUL */

struct metrics_address {
	struct sockaddr_storage socket;
	socklen_t size;                  /* 0: none */
	char text[METRICS_ADDRESS_TEXT]; /* ADDRESS:PORT, IPv6 in brackets */
};

/* Accepts PORT, which is at 127.0.0.1, ADDRESS:PORT and [IPv6]:PORT; addresses are numbers. */
bool metrics_address_parse(struct metrics_address *address, const char *text);

#endif
