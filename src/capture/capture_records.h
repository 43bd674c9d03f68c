/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the files of two formats that are a sequence of records and that libpcap does not read: snoop (RFC 1761) and
 * Endace's ERF.
 */
#ifndef NETRACKER_CAPTURE_RECORDS_H
#define NETRACKER_CAPTURE_RECORDS_H

#include <linux/types.h>
#include <stddef.h>
#include <stdio.h>

#include "src/capture/capture_file.h"

/* capture_records_open() needs this many of a file's first bytes. */
#define CAPTURE_RECORDS_HEAD 16

struct capture_records;

/* head: the file's first bytes, which are not read from the stream yet. The caller keeps ownership of the stream, which
 * must stay open until capture_records_close(). interfaces: as for capture_file_open(). Returns 0; -1 with *reason set; 1
 * if the file is of neither format.
 */
int capture_records_open(struct capture_records **records, FILE *stream, const __u8 *head, size_t size,
			 struct interface_names *interfaces, const char **reason);

/* Returns 1 if there is a packet, whose data is valid until the next call; 0 at the end of the file; -1 if it is
 * broken.
 */
int capture_records_next(struct capture_records *records, struct capture_packet *packet);

/* Returns the reason after capture_records_next() returned -1. */
const char *capture_records_error(const struct capture_records *records);

/* Returns libpcap's DLT_ number, or -1 if packets may have different link types. */
int capture_records_link_type(const struct capture_records *records);

/* Accepts NULL. */
void capture_records_close(struct capture_records *records);

#endif
