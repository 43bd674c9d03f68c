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
/* libpcap reads by stdio, whose own buffer is a page: a system call for each 40 packets. Small enough for the cache. */
#define READ_BUFFER (128 * 1024)

struct capture_file {
	FILE *stream;
	char *buffer; /* of the stream */
	pcap_t *pcap; /* one of the two */
	struct capture_pcapng *pcapng;
	const char *name;
	__u64 packets;
};

struct compression {
	__u8 magic[4], length;
	const char *name, *reader;
};

/* NULL: it is none of these, or a pipe, which cannot be looked at again. */
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

/* Of a pipe a signal may have ended the waiting: errno is that of the call that failed. */
static int cannot_read(const char *name, const char *why)
{
	if (errno == EINTR)
		return -EINTR;
	message_error("%s: cannot read: %s; give a pcap or pcapng file, or - for standard input", name, why);
	return -1;
}

static int cannot_read_compressed(const char *name, const struct compression *compression)
{
	message_error("%s: cannot read: compressed with %s; try: %s FILE | netracker replay -", name, compression->name,
		      compression->reader);
	return -1;
}

static int open_format(struct capture_file *file, int first_byte)
{
	const struct compression *compression = find_compression(file->stream);
	char reason[PCAP_ERRBUF_SIZE] = "";
	const char *why;

	if (compression)
		return cannot_read_compressed(file->name, compression);
	errno = 0; /* a pipe cannot be looked at before it is read */

	if (first_byte == CAPTURE_PCAPNG_FIRST_BYTE)
		return capture_pcapng_open(&file->pcapng, file->stream, &why) ? cannot_read(file->name, why) : 0;
	file->pcap = pcap_fopen_offline_with_tstamp_precision(file->stream, PCAP_TSTAMP_PRECISION_NANO, reason);
	return file->pcap ? 0 : cannot_read(file->name, reason);
}

static void buffer_stream(struct capture_file *file)
{
	file->buffer = malloc(READ_BUFFER);
	if (file->buffer)
		setvbuf(file->stream, file->buffer, _IOFBF, READ_BUFFER);
	/* Nobody else reads it: without it libpcap's two calls for a packet take twice as long. */
	__fsetlocking(file->stream, FSETLOCKING_BYCALLER);
}

/* One byte can be put back into any stream, and tells pcapng from pcap. */
static int open_stream(struct capture_file *file)
{
	int first_byte;

	errno = 0;
	file->stream = strcmp(file->name, "-") ? fopen(file->name, "rbe") : fdopen(dup(STDIN_FILENO), "rb");
	if (!file->stream)
		return cannot_read(file->name, strerror(errno));
	buffer_stream(file);
	first_byte = getc(file->stream);
	if (first_byte == EOF)
		return cannot_read(file->name, ferror(file->stream) ? strerror(errno) : "it is empty");
	ungetc(first_byte, file->stream);
	return open_format(file, first_byte);
}

int capture_file_open(struct capture_file **file, const char *name)
{
	struct capture_file *opened = calloc(1, sizeof(*opened));
	int error;

	*file = NULL;
	if (!opened)
		return cannot_read(name, strerror(ENOMEM));
	opened->name = name;
	error = open_stream(opened);
	if (error)
		capture_file_close(opened);
	else
		*file = opened;
	return error;
}

/* The file's seconds are unsigned, libpcap's type for them is not. Nanoseconds were asked for; the file can have any number
 * there, and where they come to a time before the epoch it is none.
 */
static __u64 time_of(const struct pcap_pkthdr *header)
{
	__s64 ns = (__s64)((__u64)(__u32)header->ts.tv_sec * NS_PER_SECOND) + header->ts.tv_usec;

	return ns < 0 ? 0 : (__u64)ns;
}

static int next_of_pcap(struct capture_file *file, struct capture_packet *packet)
{
	struct pcap_pkthdr *header;
	int result = pcap_next_ex(file->pcap, &header, &packet->data);

	if (result != 1)
		return result == PCAP_ERROR_BREAK ? 0 : -1;
	packet->captured = header->caplen;
	packet->length = header->len;
	packet->ns = time_of(header);
	packet->link_type = pcap_datalink(file->pcap);
	return 1;
}

static bool was_interrupted(const struct capture_file *file)
{
	return ferror(file->stream) && errno == EINTR;
}

int capture_file_next(struct capture_file *file, struct capture_packet *packet)
{
	int result = file->pcap ? next_of_pcap(file, packet) : capture_pcapng_next(file->pcapng, packet);

	if (result < 0 && was_interrupted(file))
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
	if (!packet->ns) /* 0 would mean that something did not happen */
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
		pcap_close(file->pcap); /* and the stream, which needs the buffer until then */
	else if (file->stream)
		fclose(file->stream);
	capture_pcapng_close(file->pcapng);
	free(file->buffer);
	free(file);
}

#pragma GCC diagnostic pop
