/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a capture file, pcap or pcapng, compressed or not, packet by packet. */
#ifndef NETRACKER_CAPTURE_FILE_H
#define NETRACKER_CAPTURE_FILE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

#include "src/capture/capture_process.h"
#include "src/capture/interface_names.h"

struct capture_file;

struct capture_packet {
	const __u8 *data;                      /* valid until the next call */
	__u32 captured;                        /* bytes in data */
	__u32 length;                          /* bytes of the frame as it was sent */
	__u64 ns;                              /* nanoseconds since the Unix epoch; at least 1 */
	__u64 second_ns;                       /* the second alone, if its fraction is a second or more; 0: it is not */
	int link_type;                         /* libpcap's DLT_ number */
	struct capture_interface interface;    /* as the file describes it; number 0: not at all */
	__u8 direction;                        /* according to the file; 1: leaving; 0: coming in, or unknown */
	const struct capture_process *process; /* according to the file; valid as data is. NULL: unknown */
};

/* "-" is standard input. interfaces: NULL, or where the names of interfaces are kept. `name` must stay valid until capture_file_close(). Returns 0; -1 after reporting the error;
 * -EINTR if a signal interrupted the read from a pipe. *file is NULL unless 0 is returned.
 */
int capture_file_open(struct capture_file **file, const char *name, struct interface_names *interfaces);

/* Returns 1 if there is a packet; 0 at the end of the file, or if a signal interrupted the read from a pipe; -1 after
 * reporting that the file is broken.
 */
int capture_file_next(struct capture_file *file, struct capture_packet *packet);

/* Returns the input if the file has JSON objects, one a line, and no packets. NULL if it has packets. It is closed with
 * the file.
 */
FILE *capture_file_lines(const struct capture_file *file);

/* Returns capture_stream_error()'s reason of a failed read, or NULL. */
const char *capture_file_error(const struct capture_file *file);

/* Returns libpcap's DLT_ number, or -1 for pcapng and ERF, whose packets may have different link types. */
int capture_file_link_type(const struct capture_file *file);

/* Returns the number of packets read so far. */
__u64 capture_file_packets(const struct capture_file *file);

/* Returns how many bytes of the file were read, compressed ones if it is compressed. */
__u64 capture_file_position(const struct capture_file *file);

/* Accepts NULL. */
void capture_file_close(struct capture_file *file);

#endif
