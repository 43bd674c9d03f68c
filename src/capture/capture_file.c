// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_file.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/capture/capture_pcapng.h"
#include "src/util/message.h"

#define NS_PER_SECOND 1000000000ULL
/* libpcap reads through stdio, whose default buffer of one page costs a system call every 40 packets. This one still
 * fits into the CPU's cache.
 */
#define READ_BUFFER (128 * 1024)

struct capture_file {
	FILE *stream;
	char *buffer;                  /* used by stream */
	pcap_t *pcap;                  /* NULL for a pcapng file */
	struct capture_pcapng *pcapng; /* NULL for a pcap file */
	const char *name;
	__u64 packets;
};

struct compression {
	__u8 magic[4], length;
	const char *name, *reader;
};

/* NULL if the file is not compressed, or is a pipe, whose first bytes cannot be read twice. */
static const struct compression *find_compression(FILE *stream)
{
	static const struct compression known[] = {
		{ { 0x1f, 0x8b }, 2, "gzip", "zcat" },
		{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, "zstd", "zstdcat" },
		{ { 0xfd, '7', 'z', 'X' }, 4, "xz", "xzcat" },
		{ { 'B', 'Z', 'h' }, 3, "bzip2", "bzcat" },
	};
	__u8 magic[4];
	size_t i;

	if (pread(fileno(stream), magic, sizeof(magic), 0) != sizeof(magic))
		return NULL;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!memcmp(magic, known[i].magic, known[i].length))
			return &known[i];
	return NULL;
}

/* Expects errno of the failed call. Returns -EINTR, without a message, if a signal interrupted a read from a pipe; -1
 * after reporting the error.
 */
static int report_unreadable(const char *name, const char *reason)
{
	if (errno == EINTR)
		return -EINTR;
	message_error("%s: cannot read: %s; give a pcap or pcapng file, or - for standard input", name, reason);
	return -1;
}

static int report_compressed(const char *name, const struct compression *compression)
{
	message_error("%s: cannot read: compressed with %s; run: %s FILE | netracker replay -", name, compression->name,
		      compression->reader);
	return -1;
}

static int open_format(struct capture_file *file, int first_byte)
{
	const struct compression *compression = find_compression(file->stream);
	char pcap_error[PCAP_ERRBUF_SIZE] = "";
	const char *reason;

	if (compression)
		return report_compressed(file->name, compression);
	errno = 0; /* pread() of a pipe failed */

	if (first_byte == CAPTURE_PCAPNG_FIRST_BYTE)
		return capture_pcapng_open(&file->pcapng, file->stream, &reason) ?
			       report_unreadable(file->name, reason) :
			       0;
	file->pcap = pcap_fopen_offline_with_tstamp_precision(file->stream, PCAP_TSTAMP_PRECISION_NANO, pcap_error);
	return file->pcap ? 0 : report_unreadable(file->name, pcap_error);
}

static void buffer_stream(struct capture_file *file)
{
	file->buffer = malloc(READ_BUFFER);
	if (file->buffer)
		setvbuf(file->stream, file->buffer, _IOFBF, READ_BUFFER);
	/* One thread reads the stream. With locking, libpcap's two reads per packet take twice as long. */
	__fsetlocking(file->stream, FSETLOCKING_BYCALLER);
}

/* ISO C guarantees ungetc() of one byte, also on pipes. The first byte is enough to distinguish pcapng from pcap. */
static int open_stream(struct capture_file *file)
{
	int first_byte;

	errno = 0;
	file->stream = strcmp(file->name, "-") ? fopen(file->name, "rbe") : fdopen(dup(STDIN_FILENO), "rb");
	if (!file->stream)
		return report_unreadable(file->name, strerror(errno));
	buffer_stream(file);
	first_byte = getc(file->stream);
	if (first_byte == EOF)
		return report_unreadable(file->name, ferror(file->stream) ? strerror(errno) : "the file is empty");
	ungetc(first_byte, file->stream);
	return open_format(file, first_byte);
}

int capture_file_open(struct capture_file **file, const char *name)
{
	struct capture_file *opened = calloc(1, sizeof(*opened));
	int error;

	*file = NULL;
	if (!opened)
		return report_unreadable(name, strerror(ENOMEM));
	opened->name = name;
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

static int read_pcap_packet(struct capture_file *file, struct capture_packet *packet)
{
	struct pcap_pkthdr *header;
	int result = pcap_next_ex(file->pcap, &header, &packet->data);

	if (result != 1)
		return result == PCAP_ERROR_BREAK ? 0 : -1;
	packet->captured = header->caplen;
	packet->length = header->len;
	packet->ns = packet_time_ns(header);
	packet->link_type = pcap_datalink(file->pcap);
	return 1;
}

static bool is_interrupted(const struct capture_file *file)
{
	return ferror(file->stream) && errno == EINTR;
}

int capture_file_next(struct capture_file *file, struct capture_packet *packet)
{
	int result = file->pcap ? read_pcap_packet(file, packet) : capture_pcapng_next(file->pcapng, packet);

	if (result < 0 && is_interrupted(file))
		return 0;
	if (result < 0)
		message_error("%s: broken after packet %llu: %s; the records up to there are written", file->name,
			      (unsigned long long)file->packets,
			      file->pcap ? pcap_geterr(file->pcap) : capture_pcapng_error(file->pcapng));
	if (result != 1)
		return result;
	file->packets++;
	if (packet->length < packet->captured)
		packet->length = packet->captured;
	if (!packet->ns) /* the trackers use 0 for "never" */
		packet->ns = 1;
	return 1;
}

int capture_file_link_type(const struct capture_file *file)
{
	return file->pcap ? pcap_datalink(file->pcap) : -1;
}

__u64 capture_file_packets(const struct capture_file *file)
{
	return file->packets;
}

__u64 capture_file_position(const struct capture_file *file)
{
	off_t at = ftello(file->stream);

	return at < 0 ? 0 : (__u64)at;
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
		pcap_close(file->pcap); /* closes the stream too, which uses the buffer until then */
	else if (file->stream)
		fclose(file->stream);
	capture_pcapng_close(file->pcapng);
	free(file->buffer);
	free(file);
}

#pragma GCC diagnostic pop
