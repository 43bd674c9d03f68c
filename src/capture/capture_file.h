/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A capture file, pcap or pcapng, packet by packet. */
#ifndef NETRACKER_CAPTURE_FILE_H
#define NETRACKER_CAPTURE_FILE_H

#include <linux/types.h>

struct capture_file;

struct capture_packet {
	const __u8 *data; /* valid until the next call */
	__u32 captured;   /* bytes in data */
	__u32 length;     /* bytes that the frame had */
	__u64 ns;         /* since the Unix epoch; 1 at least */
	int link_type;    /* libpcap's DLT_ number */
};

/* "-" is standard input. 0; -1 after having said why; -EINTR: a signal came while a pipe was waited for. */
int capture_file_open(struct capture_file **file, const char *name);

/* 1: a packet; 0: the end, or a signal came while the pipe's next packet was waited for; -1: the file is broken here, and
 * it was said how.
 */
int capture_file_next(struct capture_file *file, struct capture_packet *packet);

/* libpcap's DLT_ number, or -1 where only the packets tell: a pcapng file may hold several. */
int capture_file_link_type(const struct capture_file *file);

__u64 capture_file_packets(const struct capture_file *file);

/* How far reading has come, in bytes; 0 where that is not known, as of a pipe. */
__u64 capture_file_position(const struct capture_file *file);

/* NULL is allowed. */
void capture_file_close(struct capture_file *file);

#endif
