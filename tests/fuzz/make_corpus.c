// SPDX-License-Identifier: GPL-2.0-or-later
/* Converts captures into initial inputs of the fuzz targets (the corpus).
 *
 * make_corpus DIRECTORY CAPTURE...: writes each capture's frames to DIRECTORY/parser, FRAMES_A_FILE in a file, and its
 * connections to DIRECTORY/connection. tests/fuzz/run makes the reader's inputs: a byte for the options, then the
 * capture. The join has no initial inputs, since captures hold no events.
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

struct corpus {
	const char *directory;
	int capture; /* number of the current capture */
	int link_type;
	unsigned int frames, connections;
	FILE *parser;
};

struct corpus_connection {
	FILE *file;
	struct nt_key key;
	__u32 first[2]; /* first sequence number of each side, in the key's order */
	bool known[2];
	__u64 last_ns;
};

static FILE *open_input(const struct corpus *corpus, const char *target, unsigned int number)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%03d-%04u", corpus->directory, target, corpus->capture, number);
	file = fopen(path, "we");
	if (!file)
		perror(path);
	return file;
}

static void write_frame(struct corpus *corpus, const struct capture_packet *captured)
{
	const struct parser_input input = { .link_type = corpus->link_type, .options = NT_PARSE_TUNNELS };
	const struct parser_frame frame = {
		.captured = captured->captured,
		.not_captured = captured->length - captured->captured,
	};

	if (captured->captured > MOST_CAPTURED)
		return;
	if (corpus->frames % FRAMES_A_FILE == 0) {
		if (corpus->parser)
			fclose(corpus->parser);
		corpus->parser = open_input(corpus, "parser", corpus->frames / FRAMES_A_FILE);
		if (corpus->parser)
			fwrite(&input, sizeof(input), 1, corpus->parser);
	}
	corpus->frames++;
	if (!corpus->parser)
		return;
	fwrite(&frame, sizeof(frame), 1, corpus->parser);
	fwrite(captured->data, captured->captured, 1, corpus->parser);
}

static struct corpus_connection *find_connection(struct corpus *corpus, struct corpus_connection *connections,
						 const struct nt_key *key)
{
	unsigned int i;

	for (i = 0; i < corpus->connections; i++)
		if (nt_key_equals(&connections[i].key, key))
			return &connections[i];
	if (corpus->connections == MOST_CONNECTIONS)
		return NULL;
	connections[i] = (struct corpus_connection){ .file = open_input(corpus, "connection", i), .key = *key };
	corpus->connections++;
	return &connections[i];
}

static __u16 distance(struct corpus_connection *connection, int side, __u32 sequence)
{
	if (!connection->known[side]) {
		connection->known[side] = true;
		connection->first[side] = sequence;
	}
	return sequence - connection->first[side];
}

static void write_segment(struct corpus_connection *connection, const struct nt_packet *packet, int source, __u64 now)
{
	__u64 since_last = now - connection->last_ns;
	struct connection_input input = {
		.flags = packet->flags,
		.bits = source ? CONNECTION_SECOND_SIDE : 0,
		.milliseconds = since_last < 255 * NS_PER_MS ? since_last / NS_PER_MS : 255,
		.sequence = distance(connection, source, packet->sequence),
		.payload_length = packet->payload_length,
	};

	if (packet->flags & NT_ACK)
		input.acknowledgement = distance(connection, !source, packet->acknowledgement - 1) + 1;
	connection->last_ns = now;
	fwrite(&input, sizeof(input), 1, connection->file);
}

struct segment_context {
	struct corpus *corpus;
	struct corpus_connection *connections;
};

static void take_segment(void *context, struct capture_segment *segment)
{
	const struct segment_context *capture = context;
	struct corpus_connection *connection;
	struct nt_key key;
	int source;

	if (segment->result != NT_PACKET_TCP)
		return;
	source = nt_key_from_packet(&key, &segment->packet, 0);
	connection = find_connection(capture->corpus, capture->connections, &key);
	if (connection && connection->file)
		write_segment(connection, &segment->packet, source, segment->ns);
}

static void convert_capture(struct corpus *corpus, const char *path)
{
	static struct corpus_connection connections[MOST_CONNECTIONS];
	const struct segment_context segment_context = { corpus, connections };
	const struct capture_reader_host host = { .take = take_segment, .context = (void *)&segment_context };
	struct capture_reader *reader;
	struct capture_packet packet;
	struct capture_file *file;

	corpus->frames = corpus->connections = 0;
	if (capture_file_open(&file, path, NULL))
		return;
	reader = capture_reader_new(true, &host);
	while (reader && capture_file_next(file, &packet) == 1) {
		corpus->link_type = packet.link_type;
		write_frame(corpus, &packet);
		capture_reader_take(reader, &packet);
	}
	capture_reader_free(reader);
	if (corpus->parser)
		fclose(corpus->parser);
	corpus->parser = NULL;
	while (corpus->connections)
		if (connections[--corpus->connections].file)
			fclose(connections[corpus->connections].file);
	capture_file_close(file);
}

int main(int argc, char **argv)
{
	struct corpus corpus = { .directory = argv[1] };
	int i;

	if (argc < 3) {
		fprintf(stderr, "usage: make_corpus DIRECTORY CAPTURE...\n");
		return 2;
	}
	for (i = 2; i < argc; i++) {
		corpus.capture = i - 2;
		convert_capture(&corpus, argv[i]);
	}
	return 0;
}
