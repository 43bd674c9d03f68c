// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads a capture by libpcap and ignores its packets: the minimum cost of any reader that uses libpcap.
 *
 *	read_capture FILE              opens the file with libpcap's defaults
 *	read_capture --unlocked FILE   uses a stream like netracker's: a larger buffer, no lock for each read
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>

static pcap_t *open_unlocked(const char *name, char reason[PCAP_ERRBUF_SIZE])
{
	static char buffer[128 * 1024];
	FILE *stream = fopen(name, "rb");

	if (!stream) {
		snprintf(reason, PCAP_ERRBUF_SIZE, "cannot open %s", name);
		return NULL;
	}
	setvbuf(stream, buffer, _IOFBF, sizeof(buffer));
	__fsetlocking(stream, FSETLOCKING_BYCALLER);
	return pcap_fopen_offline(stream, reason);
}

int main(int count, char **arguments)
{
	char reason[PCAP_ERRBUF_SIZE];
	unsigned long long packets = 0, bytes = 0;
	struct pcap_pkthdr *header;
	const unsigned char *data;
	pcap_t *capture;

	if (count < 2 || count > 3 || (count == 3 && strcmp(arguments[1], "--unlocked"))) {
		fprintf(stderr, "usage: read_capture [--unlocked] FILE\n");
		return 2;
	}
	capture = count == 3 ? open_unlocked(arguments[2], reason) : pcap_open_offline(arguments[1], reason);
	if (!capture) {
		fprintf(stderr, "read_capture: %s\n", reason);
		return 1;
	}
	for (; pcap_next_ex(capture, &header, &data) == 1; packets++)
		bytes += header->len + data[0];
	printf("%llu packets, %llu\n", packets, bytes);
	pcap_close(capture);
	return 0;
}
