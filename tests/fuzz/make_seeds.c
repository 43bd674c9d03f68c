// SPDX-License-Identifier: GPL-2.0-or-later
/* Seeds for the fuzz targets out of captures.
 *
 * make_seeds DIRECTORY CAPTURE...: DIRECTORY/parser gets each capture's frames, in files of some; DIRECTORY/connection
 * its connections. The reader's seeds are the captures themselves, each behind a byte for the options; the join takes
 * events, of which captures hold none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/replay/replay_table.h"

#include "core/packet.h"
#include "src/capture/capture_file.h"
#include "src/capture/capture_reader.h"
#include "tests/fuzz/connection_input.h"
#include "tests/fuzz/parser_input.h"

#define FRAMES_A_FILE 4
#define MOST_CONNECTIONS 64 /* of one capture */
#define MOST_CAPTURED 2000  /* bytes of a frame */
#define NS_PER_MS 1000000ULL

struct seeds {
	const char *directory;
	int capture; /* its number */
	int link_type;
	unsigned int frames, connections;
	FILE *parser;
};

struct told {
	FILE *file;
	struct nt_key key;
	__u32 first[2]; /* sequence numbers, by index of the key's end */
	bool known[2];
	__u64 last_ns;
};

static FILE *open_seed(const struct seeds *seeds, const char *target, unsigned int number)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%03d-%04u", seeds->directory, target, seeds->capture, number);
	file = fopen(path, "we");
	if (!file)
		perror(path);
	return file;
}

static void tell_frame(struct seeds *seeds, const struct capture_packet *captured)
{
	const struct parser_input input = {.link_type = seeds->link_type, .options = NT_PARSE_TUNNELS};
	const struct parser_frame frame = {
		.captured = captured->captured,
		.not_captured = captured->length - captured->captured,
	};

	if (captured->captured > MOST_CAPTURED)
		return;
	if (seeds->frames % FRAMES_A_FILE == 0) {
		if (seeds->parser)
			fclose(seeds->parser);
		seeds->parser = open_seed(seeds, "parser", seeds->frames / FRAMES_A_FILE);
		if (seeds->parser)
			fwrite(&input, sizeof(input), 1, seeds->parser);
	}
	seeds->frames++;
	if (!seeds->parser)
		return;
	fwrite(&frame, sizeof(frame), 1, seeds->parser);
	fwrite(captured->data, captured->captured, 1, seeds->parser);
}

static struct told *told_of(struct seeds *seeds, struct told *told, const struct nt_key *key)
{
	unsigned int i;

	for (i = 0; i < seeds->connections; i++)
		if (nt_key_equals(&told[i].key, key))
			return &told[i];
	if (seeds->connections == MOST_CONNECTIONS)
		return NULL;
	told[i] = (struct told){.file = open_seed(seeds, "connection", i), .key = *key};
	seeds->connections++;
	return &told[i];
}

static __u16 distance(struct told *told, int end, __u32 sequence)
{
	if (!told->known[end]) {
		told->known[end] = true;
		told->first[end] = sequence;
	}
	return sequence - told->first[end];
}

static void tell_segment(struct told *told, const struct nt_packet *packet, int source, __u64 now)
{
	__u64 since_last = now - told->last_ns;
	struct connection_input input = {
		.flags = packet->flags,
		.bits = source ? CONNECTION_SECOND_END : 0,
		.milliseconds = since_last < 255 * NS_PER_MS ? since_last / NS_PER_MS : 255,
		.sequence = distance(told, source, packet->sequence),
		.payload_length = packet->payload_length,
	};

	if (packet->flags & NT_ACK)
		input.acknowledgement = distance(told, !source, packet->acknowledgement - 1) + 1;
	told->last_ns = now;
	fwrite(&input, sizeof(input), 1, told->file);
}

struct telling {
	struct seeds *seeds;
	struct told *told;
};

static void tell_packet(void *context, struct capture_segment *segment)
{
	const struct telling *telling = context;
	struct told *connection;
	struct nt_key key;
	int source;

	if (segment->result != NT_PACKET_TCP)
		return;
	source = nt_key_from_packet(&key, &segment->packet, 0);
	connection = told_of(telling->seeds, telling->told, &key);
	if (connection && connection->file)
		tell_segment(connection, &segment->packet, source, segment->ns);
}

static void tell_capture(struct seeds *seeds, const char *path)
{
	static struct told told[MOST_CONNECTIONS];
	const struct telling telling = {seeds, told};
	const struct capture_reader_host host = {.take = tell_packet, .context = (void *)&telling};
	struct capture_reader *reader;
	struct capture_packet packet;
	struct capture_file *file;

	seeds->frames = seeds->connections = 0;
	if (capture_file_open(&file, path))
		return;
	reader = capture_reader_new(true, &host);
	while (reader && capture_file_next(file, &packet) == 1) {
		seeds->link_type = packet.link_type;
		tell_frame(seeds, &packet);
		capture_reader_take(reader, &packet);
	}
	capture_reader_free(reader);
	if (seeds->parser)
		fclose(seeds->parser);
	seeds->parser = NULL;
	while (seeds->connections)
		if (told[--seeds->connections].file)
			fclose(told[seeds->connections].file);
	capture_file_close(file);
}

int main(int argc, char **argv)
{
	struct seeds seeds = {.directory = argv[1]};
	int i;

	if (argc < 3) {
		fprintf(stderr, "usage: make_seeds DIRECTORY CAPTURE...\n");
		return 2;
	}
	for (i = 2; i < argc; i++) {
		seeds.capture = i - 2;
		tell_capture(&seeds, argv[i]);
	}
	return 0;
}
