#include "src/capture_file.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/message.h"

#define NS_PER_SECOND 1000000000ULL
/* libpcap reads by stdio, whose own buffer is a page: a system call for each 40 packets. Small enough for the cache. */
#define READ_BUFFER (128 * 1024)

struct capture_file {
	pcap_t *pcap;
	char *buffer;
	const char *name;
	__u64 packets;
};

/* NULL where the file cannot be opened; *reason then says why. */
static pcap_t *open_pcap(struct capture_file *file, char reason[PCAP_ERRBUF_SIZE])
{
	FILE *stream = strcmp(file->name, "-") ? fopen(file->name, "rbe") : fdopen(dup(STDIN_FILENO), "rb");
	pcap_t *pcap;

	if (!stream) {
		snprintf(reason, PCAP_ERRBUF_SIZE, "%s", strerror(errno));
		return NULL;
	}
	file->buffer = malloc(READ_BUFFER);
	if (file->buffer)
		setvbuf(stream, file->buffer, _IOFBF, READ_BUFFER);
	/* Nobody else reads it: without it libpcap's two calls for a packet take twice as long. */
	__fsetlocking(stream, FSETLOCKING_BYCALLER);
	pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, reason);
	if (!pcap)
		fclose(stream);
	return pcap;
}

int capture_file_open(struct capture_file **file, const char *name)
{
	char reason[PCAP_ERRBUF_SIZE] = "";
	struct capture_file *opened = calloc(1, sizeof(*opened));

	*file = NULL;
	if (!opened) {
		message_error("%s: cannot read: %s", name, strerror(ENOMEM));
		return -1;
	}
	opened->name = name;
	opened->pcap = open_pcap(opened, reason);
	if (!opened->pcap) {
		message_error("%s: cannot read: %s; give a pcap or pcapng file, or - for standard input", name, reason);
		capture_file_close(opened);
		return -1;
	}
	*file = opened;
	return 0;
}

/* A time of 0 would mean that something did not happen. */
static __u64 time_of(const struct pcap_pkthdr *header)
{
	__u64 ns = (__u64)header->ts.tv_sec * NS_PER_SECOND + header->ts.tv_usec; /* nanoseconds were asked for */

	return ns ? ns : 1;
}

int capture_file_next(struct capture_file *file, struct capture_packet *packet)
{
	struct pcap_pkthdr *header;
	int result = pcap_next_ex(file->pcap, &header, &packet->data);

	if (result == PCAP_ERROR_BREAK)
		return 0;
	if (result != 1) {
		message_error("%s: broken after packet %llu: %s; the records up to there are written", file->name,
			      (unsigned long long)file->packets, pcap_geterr(file->pcap));
		return -1;
	}
	file->packets++;
	packet->captured = header->caplen;
	packet->length = header->len > header->caplen ? header->len : header->caplen;
	packet->ns = time_of(header);
	return 1;
}

int capture_file_link_type(const struct capture_file *file)
{
	return pcap_datalink(file->pcap);
}

void capture_file_close(struct capture_file *file)
{
	if (!file)
		return;
	if (file->pcap)
		pcap_close(file->pcap); /* and the stream, which needs the buffer until then */
	free(file->buffer);
	free(file);
}
