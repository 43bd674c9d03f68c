// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_file.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#include "src/capture/capture_lines.h"
#include "src/capture/capture_pcapng.h"
#include "src/capture/capture_records.h"
#include "src/capture/capture_stream.h"
#include "src/util/message.h"

#define NS_PER_SECOND 1000000000ULL
/* libpcap reads through stdio, whose default buffer of one page costs a system call every 40 packets. This one still
 * fits into the CPU's cache.
 */
#define READ_BUFFER (128 * 1024)

struct capture_file {
	struct capture_stream *stream;
	FILE *input;    /* the stream's */
	char *buffer;   /* used by input */
	bool has_lines; /* JSON objects, one a line; else one of these is set */
	pcap_t *pcap;
	struct capture_pcapng *pcapng;
	struct capture_records *records;
	const char *name;
	struct interface_names *interfaces; /* NULL: not kept */
	__u64 packets;
};

static int report_unreadable(const char *name, const char *reason)
{
	message_error(
		"%s: cannot read: %s; give a pcap, pcapng, snoop or ERF file, records of -f json, or - for standard input",
		name, reason);
	return -1;
}

/* Returns -EINTR, without a message, if a signal interrupted a read from a pipe; -1 after reporting the error. */
static int report_failed_open(const struct capture_file *file, const char *reason)
{
	const char *error = capture_stream_error(file->stream);

	if (capture_stream_is_interrupted(file->stream))
		return -EINTR;
	if (!error)
		return report_unreadable(file->name, reason);
	message_error("%s: cannot read: %s", file->name, error);
	return -1;
}

/* ERF has no magic number, so the others are tried first. */
static int open_format(struct capture_file *file)
{
	char pcap_error[PCAP_ERRBUF_SIZE] = "";
	const char *reason = pcap_error;
	const __u8 *head;
	size_t size = capture_stream_peek(file->stream, &head, CAPTURE_RECORDS_HEAD);
	int result = 1;

	if (!size)
		return report_failed_open(file, "the file is empty");
	file->has_lines = capture_lines_begin(file->stream);
	if (file->has_lines)
		return 0;
	if (!capture_pcapng_begins(head, size))
		result = capture_records_open(&file->records, file->input, head, size, file->interfaces, &reason);
	if (result == 1 && head[0] == CAPTURE_PCAPNG_FIRST_BYTE)
		capture_pcapng_open(&file->pcapng, file->input, file->interfaces, &reason);
	else if (result == 1)
		file->pcap = pcap_fopen_offline_with_tstamp_precision(file->input, PCAP_TSTAMP_PRECISION_NANO,
								      pcap_error);
	return file->pcap || file->pcapng || file->records ? 0 : report_failed_open(file, reason);
}

static void buffer_input(struct capture_file *file)
{
	file->buffer = malloc(READ_BUFFER);
	if (file->buffer)
		setvbuf(file->input, file->buffer, _IOFBF, READ_BUFFER);
	/* One thread reads the stream. With locking, libpcap's two reads per packet take twice as long. */
	__fsetlocking(file->input, FSETLOCKING_BYCALLER);
}

static int open_stream(struct capture_file *file)
{
	errno = 0;
	file->stream = capture_stream_open(file->name);
	if (!file->stream)
		return errno == EINTR ? -EINTR : report_unreadable(file->name, strerror(errno));
	file->input = capture_stream_file(file->stream);
	buffer_input(file);
	return open_format(file);
}

int capture_file_open(struct capture_file **file, const char *name, struct interface_names *interfaces)
{
	struct capture_file *opened = calloc(1, sizeof(*opened));
	int error;

	*file = NULL;
	if (!opened)
		return report_unreadable(name, strerror(ENOMEM));
	opened->name = name;
	opened->interfaces = interfaces;
	error = open_stream(opened);
	if (error)
		capture_file_close(opened);
	else
		*file = opened;
	return error;
}

/* Seconds are unsigned in the file, but signed in libpcap's struct. tv_usec holds nanoseconds, as requested at opening,
 * and any value is possible in a hostile file. Returns 0 for a time before the epoch.
 */
static __u64 packet_time_ns(const struct pcap_pkthdr *header)
{
	__s64 ns = (__s64)((__u64)(__u32)header->ts.tv_sec * NS_PER_SECOND) + header->ts.tv_usec;

	return ns < 0 ? 0 : (__u64)ns;
}

/* Returns 0 if the fraction of the second is valid. */
static __u64 second_of_corrupt_time(const struct pcap_pkthdr *header)
{
	if (header->ts.tv_usec >= 0 && header->ts.tv_usec < (__s64)NS_PER_SECOND)
		return 0;
	return (__u32)header->ts.tv_sec * NS_PER_SECOND;
}

static int read_pcap_packet(struct capture_file *file, struct capture_packet *packet)
{
	struct pcap_pkthdr *header;
	int result = pcap_next_ex(file->pcap, &header, &packet->data);

	if (result != 1)
		return result == PCAP_ERROR_BREAK ? 0 : -1;
	packet->captured = header->caplen;
	packet->length = header->len;
	packet->ns = packet_time_ns(header);
	packet->second_ns = second_of_corrupt_time(header);
	packet->link_type = pcap_datalink(file->pcap);
	packet->interface = (struct capture_interface){ 0 };
	packet->direction = 0;
	packet->process = NULL;
	return 1;
}

static int report_broken(const struct capture_file *file)
{
	const char *error = capture_stream_error(file->stream);

	if (!error)
		error = file->pcap   ? pcap_geterr(file->pcap) :
			file->pcapng ? capture_pcapng_error(file->pcapng) :
				       capture_records_error(file->records);
	message_error("%s: broken after packet %llu: %s; the records up to there are written", file->name,
		      (unsigned long long)file->packets, error);
	return -1;
}

int capture_file_next(struct capture_file *file, struct capture_packet *packet)
{
	int result;

	packet->second_ns = 0;
	result = file->pcap   ? read_pcap_packet(file, packet) :
		 file->pcapng ? capture_pcapng_next(file->pcapng, packet) :
				capture_records_next(file->records, packet);

	if (result < 0)
		return capture_stream_is_interrupted(file->stream) ? 0 : report_broken(file);
	if (result != 1)
		return result;
	file->packets++;
	if (packet->length < packet->captured)
		packet->length = packet->captured;
	if (!packet->ns) /* the trackers use 0 for "never" */
		packet->ns = 1;
	return 1;
}

FILE *capture_file_lines(const struct capture_file *file)
{
	return file->has_lines ? file->input : NULL;
}

const char *capture_file_error(const struct capture_file *file)
{
	return capture_stream_error(file->stream);
}

int capture_file_link_type(const struct capture_file *file)
{
	if (file->records)
		return capture_records_link_type(file->records);
	return file->pcap ? pcap_datalink(file->pcap) : -1;
}

__u64 capture_file_packets(const struct capture_file *file)
{
	return file->packets;
}

__u64 capture_file_position(const struct capture_file *file)
{
	return capture_stream_position(file->stream);
}

#pragma GCC diagnostic push
#ifndef __clang__
/* gcc's analyzer does not know that pcap_close() closes the stream. */
#pragma GCC diagnostic ignored "-Wanalyzer-file-leak"
#endif

void capture_file_close(struct capture_file *file)
{
	if (!file)
		return;
	if (file->pcap)
		pcap_close(file->pcap); /* closes the input too, which uses the buffer until then */
	else if (file->input)
		fclose(file->input);
	capture_pcapng_close(file->pcapng);
	capture_records_close(file->records);
	free(file->buffer);
	free(file);
}

#pragma GCC diagnostic pop
