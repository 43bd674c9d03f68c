/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcapng files (draft-ietf-opsawg-pcapng), block by block.
 *
 * libpcap has one link type and one snap length for a file, and refuses a pcapng file when it comes to an interface with
 * another, after any number of packets. Files of several interfaces are what pcapng is for, and standard input cannot
 * be read a second time: so all of pcapng is read here, and libpcap reads the rest.
 */
#ifndef NETRACKER_CAPTURE_PCAPNG_H
#define NETRACKER_CAPTURE_PCAPNG_H

#include <stdio.h>

#include "src/capture/capture_file.h"

/* No other kind of file that is read begins with it. */
#define CAPTURE_PCAPNG_FIRST_BYTE 0x0a

struct capture_pcapng;

/* Reads the first section's header. stream: stays the caller's. 0, or -1: *why says why. */
int capture_pcapng_open(struct capture_pcapng **pcapng, FILE *stream, const char **why);

/* 1: a packet, its data valid until the next call; 0: the end; -1: the file is broken here. */
int capture_pcapng_next(struct capture_pcapng *pcapng, struct capture_packet *packet);

/* What was wrong, after -1. */
const char *capture_pcapng_error(const struct capture_pcapng *pcapng);

/* NULL is allowed. */
void capture_pcapng_close(struct capture_pcapng *pcapng);

#endif
