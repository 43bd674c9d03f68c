/* Reads a capture by libpcap and does nothing with its packets: what any reader over libpcap costs at least.
 *
 *	read_capture FILE
 */
#include <pcap/pcap.h>
#include <stdio.h>

int main(int count, char **arguments)
{
	char reason[PCAP_ERRBUF_SIZE];
	unsigned long long packets = 0, bytes = 0;
	struct pcap_pkthdr *header;
	const unsigned char *data;
	pcap_t *capture;

	if (count != 2) {
		fprintf(stderr, "usage: read_capture FILE\n");
		return 2;
	}
	capture = pcap_open_offline(arguments[1], reason);
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
