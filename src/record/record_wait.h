/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Divides the time of a connection: docs/record.md, "Whose time it was". */
#ifndef NETRACKER_RECORD_WAIT_H
#define NETRACKER_RECORD_WAIT_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"

struct record_wait_part {
	bool known;
	__u64 ns;
};

/* The rest of the duration is named by what limited the socket's sending longest. */
enum record_wait_rest { RECORD_WAIT_IDLE, RECORD_WAIT_READER, RECORD_WAIT_WRITER, RECORD_WAIT_NETWORK };

struct record_wait {
	struct record_wait_part network; /* the handshake, and a round trip for the answer */
	struct record_wait_part server;  /* before its first payload */
	struct record_wait_part rest;
	enum record_wait_rest rest_is;
};

/* Computes the parts from the record's values; one with an unknown input is unknown. */
struct record_wait record_wait_compute(const struct nt_record *record);

/* Returns the name of the server's part: "peer", or "local" where the server is the record's own socket. */
const char *record_wait_server_name(const struct nt_record *record);

const char *record_wait_rest_name(enum record_wait_rest rest);

#endif
