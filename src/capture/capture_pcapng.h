/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads pcapng files (draft-ietf-opsawg-pcapng), block by block.
 *
 * libpcap supports one link type and one snap length per file: it refuses a pcapng file at the first interface that
 * differs, after any number of packets. Files of several interfaces are the purpose of pcapng, and standard input
 * cannot be read a second time. Therefore this module reads all pcapng files; libpcap reads the others.
 */
#ifndef NETRACKER_CAPTURE_PCAPNG_H
#define NETRACKER_CAPTURE_PCAPNG_H

#include <stdbool.h>
#include <stdio.h>

#include "src/capture/capture_file.h"

/* No other supported file format with a magic number begins with this byte. */
#define CAPTURE_PCAPNG_FIRST_BYTE 0x0a

struct capture_pcapng;

/* head: the file's first bytes. */
bool capture_pcapng_begins(const __u8 *head, size_t size);

/* Reads the first section's header. The caller keeps ownership of the stream, which must stay open until
 * capture_pcapng_close(). interfaces: as for capture_file_open(). Returns 0, or -1 with *reason set.
 */
int capture_pcapng_open(struct capture_pcapng **pcapng, FILE *stream, struct interface_names *interfaces,
			const char **reason);

/* Returns 1 if there is a packet, whose data is valid until the next call; 0 at the end of the file; -1 if it is
 * broken.
 */
int capture_pcapng_next(struct capture_pcapng *pcapng, struct capture_packet *packet);

/* Returns the reason after capture_pcapng_next() returned -1. */
const char *capture_pcapng_error(const struct capture_pcapng *pcapng);

/* Accepts NULL. */
void capture_pcapng_close(struct capture_pcapng *pcapng);

#endif
