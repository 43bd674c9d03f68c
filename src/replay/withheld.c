// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/withheld.h"

#include <stdlib.h>

#include "src/replay/replay_tracker.h"

struct withheld {
	struct replay_located segment[WITHHELD_MOST];
	bool is_used[WITHHELD_MOST];
	unsigned int next;
};

struct withheld *withheld_new(void)
{
	return calloc(1, sizeof(struct withheld));
}

void withheld_free(struct withheld *withheld)
{
	free(withheld);
}

bool withheld_keep(struct withheld *withheld, const struct replay_located *located, struct replay_located *replaced)
{
	unsigned int at = withheld->next++ % WITHHELD_MOST;
	struct replay_located *kept = &withheld->segment[at];
	bool was_used = withheld->is_used[at];

	if (was_used)
		*replaced = *kept;
	*kept = *located;
	kept->segment.frame = NULL;
	kept->segment.process = NULL;
	withheld->is_used[at] = true;
	return was_used;
}

static bool is_of_same_key(const struct replay_located *one, const struct replay_located *other)
{
	return one->hash == other->hash && nt_key_equals(&one->key, &other->key);
}

/* A SYN is acknowledged by the SYN-ACK that answers it. */
static bool is_syn_answered(const struct nt_connection *connection, const struct replay_located *kept,
			    const struct nt_packet *answer)
{
	const struct nt_packet *syn = &kept->segment.packet;
	bool is_known = connection->side[kept->source] & NT_SIDE_SYN &&
			connection->isn[kept->source] == syn->sequence && !connection->ack_ns;

	return !(syn->flags & NT_ACK) && !is_known && (answer->flags & NT_SYN) &&
	       nt_acknowledges_syn(answer, syn->sequence);
}

static bool is_brought_by_it_alone(const struct replay_entry *entry, const struct replay_located *kept, __u32 ack)
{
	const struct nt_packet *packet = &kept->segment.packet;
	__u32 end = nt_packet_end_sequence(packet);

	return packet->sequence != end && ack - end < NT_MOST_WINDOW &&
	       !growing_stream_has_seen(&entry->streams[kept->source], packet->sequence, end);
}

bool withheld_take_acknowledged(struct withheld *withheld, const struct replay_entry *entry,
				const struct replay_located *located, struct replay_located *taken)
{
	const struct nt_packet *packet = &located->segment.packet;
	unsigned int i, at;

	for (i = 0; i < WITHHELD_MOST; i++) {
		const struct replay_located *kept = &withheld->segment[at = (withheld->next + i) % WITHHELD_MOST];

		if (!withheld->is_used[at] || kept->source == located->source || !is_of_same_key(kept, located))
			continue;
		if (kept->segment.packet.flags & NT_SYN ? !is_syn_answered(&entry->connection, kept, packet) :
							  !is_brought_by_it_alone(entry, kept, packet->acknowledgement))
			continue;
		*taken = *kept;
		withheld->is_used[at] = false;
		return true;
	}
	return false;
}

bool withheld_take_repeated(struct withheld *withheld, const struct replay_located *located)
{
	const struct nt_packet *packet = &located->segment.packet;
	unsigned int i;

	for (i = 0; i < WITHHELD_MOST; i++) {
		const struct replay_located *kept = &withheld->segment[i];

		if (!withheld->is_used[i] || kept->source != located->source ||
		    kept->segment.packet.sequence != packet->sequence ||
		    kept->segment.packet.payload_length != packet->payload_length ||
		    kept->segment.packet.flags & (NT_SYN | NT_RST) || !is_of_same_key(kept, located))
			continue;
		withheld->is_used[i] = false;
		return true;
	}
	return false;
}

bool withheld_take_any(struct withheld *withheld, const struct replay_entry *entry, struct replay_located *taken)
{
	unsigned int i, at;

	for (i = 0; i < WITHHELD_MOST; i++) {
		at = (withheld->next + i) % WITHHELD_MOST;
		if (!withheld->is_used[at] || withheld->segment[at].hash != entry->hash ||
		    !nt_key_equals(&withheld->segment[at].key, &entry->key))
			continue;
		*taken = withheld->segment[at];
		withheld->is_used[at] = false;
		return true;
	}
	return false;
}
