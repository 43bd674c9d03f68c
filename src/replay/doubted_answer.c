// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/doubted_answer.h"

#include <stdlib.h>
#include <string.h>

#define KEPT 16

struct doubted_answer {
	struct nt_connection connection;
	struct nt_stream_core streams[2];
	struct nt_last_exchange exchange;
	struct replay_located packet[DOUBTED_ANSWER_MOST];
	int count; /* 0: the place is free */
};

struct doubted_answers {
	struct doubted_answer answer[KEPT];
	unsigned int next;
};

struct doubted_answers *doubted_answers_new(void)
{
	return calloc(1, sizeof(struct doubted_answers));
}

void doubted_answers_free(struct doubted_answers *doubted)
{
	free(doubted);
}

static struct doubted_answer *find_doubted(struct doubted_answers *doubted, const struct nt_key *key, __u32 hash)
{
	struct doubted_answer *answer;

	for (answer = doubted->answer; answer < doubted->answer + KEPT; answer++)
		if (answer->count && answer->packet[0].hash == hash && nt_key_equals(&answer->packet[0].key, key))
			return answer;
	return NULL;
}

static void add_doubted(struct doubted_answer *answer, const struct replay_located *located)
{
	struct replay_located *kept = &answer->packet[answer->count++];

	*kept = *located;
	kept->segment.frame = NULL;
	kept->segment.process = NULL;
}

void doubted_answers_open(struct doubted_answers *doubted, const struct replay_entry *entry,
			  const struct replay_located *answer)
{
	struct doubted_answer *opened = find_doubted(doubted, &answer->key, answer->hash);

	if (!opened)
		opened = &doubted->answer[doubted->next++ % KEPT];
	opened->connection = entry->connection;
	opened->streams[0] = entry->streams[0].core;
	opened->streams[1] = entry->streams[1].core;
	opened->exchange = entry->exchange;
	opened->count = 0;
	add_doubted(opened, answer);
}

static bool acknowledges(const struct replay_located *located, const struct replay_located *answer)
{
	__u32 end = nt_packet_end_sequence(&answer->segment.packet);

	return located->source != answer->source && located->segment.packet.flags & NT_ACK &&
	       end != answer->segment.packet.sequence && located->segment.packet.acknowledgement - end < NT_MOST_WINDOW;
}

bool doubted_answers_add(struct doubted_answers *doubted, const struct replay_located *located)
{
	struct doubted_answer *answer = find_doubted(doubted, &located->key, located->hash);

	if (!answer)
		return false;
	if (answer->count == DOUBTED_ANSWER_MOST || acknowledges(located, &answer->packet[0])) {
		answer->count = 0;
		return false;
	}
	add_doubted(answer, located);
	return true;
}

/* The holes of then are gone. There are some only if data came before the answer. */
static void restore_stream(struct growing_stream *stream, const struct nt_stream_core *core)
{
	stream->core = *core;
	stream->core.room = 0;
	if (core->room)
		stream->core.flags |= NT_STREAM_INCOMPLETE;
}

int doubted_answers_restore(struct doubted_answers *doubted, struct replay_entry *entry, struct replay_located *taken)
{
	struct doubted_answer *answer = find_doubted(doubted, &entry->key, entry->hash);
	int count = answer ? answer->count : 0;

	if (!count)
		return 0;
	entry->connection = answer->connection;
	restore_stream(&entry->streams[0], &answer->streams[0]);
	restore_stream(&entry->streams[1], &answer->streams[1]);
	entry->exchange = answer->exchange;
	memcpy(taken, answer->packet, (size_t)count * sizeof(*taken));
	answer->count = 0;
	return count;
}
