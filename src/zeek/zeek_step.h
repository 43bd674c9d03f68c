/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Applies one packet to a connection by Zeek's rules, in the order of the table in src/zeek/zeek_connection.h. */
#ifndef NETRACKER_ZEEK_STEP_H
#define NETRACKER_ZEEK_STEP_H

#include "zeek_connection.h"

/* The first packet was a SYN-ACK, and a packet without SYN, FIN and RST follows: this is no scan, and the sender of the
 * SYN-ACK is the responder (CheckHistory).
 */
static inline void nt_zeek_flip_synack(struct nt_zeek_connection *connection)
{
	struct nt_zeek_history *history = &connection->history;

	if (history->length != 1 || history->text[0] != 'H')
		return;
	nt_zeek_flip(connection);
	if (history->length == 2)
		__builtin_memcpy(history->text, "^h", 2);
	nt_zeek_endpoint_of(connection, 1)->first_seen = 1;
}

static inline void nt_zeek_add_letters_of_several(struct nt_zeek_connection *connection,
						  const struct nt_zeek_step *step)
{
	int is_orig = nt_zeek_is_orig(connection, step->sender);

	if ((step->packet->flags & (NT_FIN | NT_RST)) == (NT_FIN | NT_RST))
		nt_zeek_history_add_once(&connection->history, NT_ZEEK_LETTER_FIN_RST, 'I', is_orig);
	else
		nt_zeek_history_add_once(&connection->history, NT_ZEEK_LETTER_ODD_SYN, 'Q', is_orig);
}

static inline void nt_zeek_add_letters_of_none(struct nt_zeek_connection *connection, const struct nt_zeek_step *step)
{
	if (!step->packet->payload_length && !(step->packet->flags & NT_ACK))
		return;
	nt_zeek_flip_synack(connection);
	if (step->packet->payload_length)
		nt_zeek_history_add_once(&connection->history, NT_ZEEK_LETTER_DATA, 'D',
					 nt_zeek_is_orig(connection, step->sender));
	else
		nt_zeek_history_add_once(&connection->history, NT_ZEEK_LETTER_ACK, 'A',
					 nt_zeek_is_orig(connection, step->sender));
}

/* Adds the packet's letter to the history (update_history). */
static inline void nt_zeek_add_letters(struct nt_zeek_connection *connection, const struct nt_zeek_step *step)
{
	const struct nt_packet *packet = step->packet;
	int is_orig = nt_zeek_is_orig(connection, step->sender);
	__u64 *last = step->sender->letter_sequence;

	switch (packet->flags & (NT_SYN | NT_FIN | NT_RST)) {
	case 0:
		nt_zeek_add_letters_of_none(connection, step);
		break;
	case NT_SYN:
		nt_zeek_history_add_if_changed(&connection->history, NT_ZEEK_LETTER_SYN,
					       packet->flags & NT_ACK ? 'H' : 'S', is_orig, step->relative, &last[0]);
		break;
	case NT_FIN:
		nt_zeek_history_add_if_changed(&connection->history, NT_ZEEK_LETTER_FIN, 'F', is_orig,
					       step->relative + packet->payload_length, &last[1]);
		break;
	case NT_RST:
		nt_zeek_history_add_if_changed(&connection->history, NT_ZEEK_LETTER_RST, 'R', is_orig, step->relative,
					       &last[2]);
		break;
	default:
		nt_zeek_add_letters_of_several(connection, step);
		break;
	}
	/* After a RST or the peer's FIN the window has no meaning (update_window). */
	if (!packet->window && !(packet->flags & NT_RST) && step->peer->state != NT_ENDPOINT_CLOSED &&
	    step->sender->state != NT_ENDPOINT_RESET)
		nt_zeek_history_add_scaled(&connection->history, &step->sender->zero_windows, 'W',
					   nt_zeek_is_orig(connection, step->sender));
}

/* Marks a connection whose start was missed as partial (SetPartialStatus). */
static inline void nt_zeek_check_partial(struct nt_zeek_connection *connection, const struct nt_zeek_step *step)
{
	__u8 kind = step->packet->flags & (NT_SYN | NT_ACK);

	if (step->sender->first_seen)
		return;
	if (step->is_orig)
		connection->partial = kind != NT_SYN;
	else if (!connection->partial)
		connection->partial = !(kind & NT_SYN);
}

/* Interactive services get a longer inactivity timeout (connection_established, base/protocols/conn/inactivity.zeek).
 */
static inline void nt_zeek_set_established(struct nt_zeek_connection *connection)
{
	__u16 orig_port = connection->port[connection->orig], port = connection->port[1 - connection->orig];

	if (connection->endpoint[connection->orig].state == NT_ENDPOINT_INACTIVE && !nt_zeek_is_server_port(port) &&
	    nt_zeek_is_server_port(orig_port))
		port = orig_port;
	if (nt_zeek_is_interactive_port(port))
		nt_zeek_limit_inactivity(connection, NT_ZEEK_INACTIVITY_OF_PORTS);
}

/* Handles a SYN or SYN-ACK of the responder. */
static inline void nt_zeek_answer(struct nt_zeek_connection *connection, struct nt_zeek_step *step)
{
	struct nt_zeek_endpoint *sender = step->sender, *peer = step->peer;

	/* The SYN was captured after its SYN-ACK. */
	if (!(step->packet->flags & NT_ACK) && peer->state == NT_ENDPOINT_SYNACK_SENT &&
	    step->packet->sequence == sender->start) {
		nt_zeek_flip(connection);
		nt_zeek_set_state(connection, peer, sender, NT_ENDPOINT_ESTABLISHED);
		nt_zeek_endpoint_of(connection, 1)->first_seen = 1;
	}
	if (peer->state == NT_ENDPOINT_SYN_SENT)
		nt_zeek_set_state(connection, peer, sender, NT_ENDPOINT_ESTABLISHED);
	nt_zeek_set_state(connection, sender, peer, NT_ENDPOINT_ESTABLISHED);
	if (peer->state != NT_ENDPOINT_PARTIAL)
		nt_zeek_set_established(connection);
}

/* The sender's first packet is neither SYN, FIN nor RST. */
static inline void nt_zeek_set_first_state(struct nt_zeek_connection *connection, struct nt_zeek_step *step)
{
	/* Some systems acknowledge a SYN before they answer it. */
	if (!step->is_orig && !step->packet->payload_length &&
	    connection->endpoint[connection->orig].state == NT_ENDPOINT_SYN_SENT)
		return;
	if (!(step->packet->flags & NT_ACK) || step->peer->state != NT_ENDPOINT_ESTABLISHED) {
		nt_zeek_set_state(connection, step->sender, step->peer, NT_ENDPOINT_PARTIAL);
		return;
	}
	/* The SYN was missed, the SYN-ACK was not. */
	nt_zeek_set_state(connection, step->sender, step->peer, NT_ENDPOINT_ESTABLISHED);
	connection->partial = 0;
	nt_zeek_endpoint_of(connection, step->is_orig)->first_seen = 1;
}

static inline int nt_zeek_is_reject(const struct nt_zeek_step *step)
{
	__u8 peer = step->peer->state;

	return step->is_orig ? peer == NT_ENDPOINT_ESTABLISHED :
			       peer == NT_ENDPOINT_SYN_SENT || peer == NT_ENDPOINT_SYNACK_SENT;
}

static inline void nt_zeek_leave_inactive(struct nt_zeek_connection *connection, struct nt_zeek_step *step)
{
	__u8 flags = step->packet->flags;

	if ((flags & NT_SYN) && step->is_orig) {
		nt_zeek_set_state(connection, step->sender, step->peer,
				  flags & NT_ACK ? NT_ENDPOINT_SYNACK_SENT : NT_ENDPOINT_SYN_SENT);
		connection->timers.attempt = step->now + NT_ZEEK_ATTEMPT;
	} else if (flags & NT_SYN) {
		nt_zeek_answer(connection, step);
	}
	if (flags & NT_FIN) {
		nt_zeek_set_state(connection, step->sender, step->peer, NT_ENDPOINT_CLOSED);
		step->close = step->gen_event = 1;
	}
	if (flags & NT_RST) {
		step->close = 1;
		step->gen_event = !nt_zeek_is_reject(step);
		nt_zeek_set_state(connection, step->sender, step->peer, NT_ENDPOINT_RESET);
	}
	if (step->sender->state == NT_ENDPOINT_INACTIVE)
		nt_zeek_set_first_state(connection, step);
}

static inline void nt_zeek_leave_syn_sent(struct nt_zeek_connection *connection, struct nt_zeek_step *step)
{
	if (step->packet->flags & NT_FIN) {
		nt_zeek_set_state(connection, step->sender, step->peer, NT_ENDPOINT_CLOSED);
		step->close = step->gen_event = 1;
	}
	if (step->packet->flags & NT_RST) {
		nt_zeek_set_state(connection, step->sender, step->peer, NT_ENDPOINT_RESET);
		connection->active = 0;
		step->close = 1;
	}
}

static inline void nt_zeek_leave_established(struct nt_zeek_connection *connection, struct nt_zeek_step *step)
{
	struct nt_zeek_endpoint *sender = step->sender, *peer = step->peer;
	__u8 flags = step->packet->flags;

	if ((flags & (NT_SYN | NT_ACK)) == NT_SYN && sender->state == NT_ENDPOINT_PARTIAL &&
	    peer->state == NT_ENDPOINT_INACTIVE)
		nt_zeek_set_state(connection, sender, peer, NT_ENDPOINT_SYN_SENT);
	if ((flags & (NT_FIN | NT_RST)) == NT_FIN) {
		nt_zeek_set_state(connection, sender, peer, NT_ENDPOINT_CLOSED);
		/* The peer sent FIN before RST: this was an orderly close. */
		if (peer->state == NT_ENDPOINT_RESET && peer->previous_state == NT_ENDPOINT_CLOSED)
			nt_zeek_set_state(connection, peer, sender, NT_ENDPOINT_CLOSED);
		step->close = step->gen_event = 1;
	}
	if (flags & NT_RST) {
		nt_zeek_set_state(connection, sender, peer, NT_ENDPOINT_RESET);
		step->close = 1;
		if (peer->state != NT_ENDPOINT_RESET || peer->previous_state != NT_ENDPOINT_ESTABLISHED)
			connection->active = 0;
	}
}

static inline void nt_zeek_leave_closed(struct nt_zeek_connection *connection, struct nt_zeek_step *step)
{
	if (!(step->packet->flags & NT_RST) || step->peer->state == NT_ENDPOINT_CLOSED)
		return;
	nt_zeek_set_state(connection, step->sender, step->peer, NT_ENDPOINT_RESET);
	if (!step->sender->closed)
		step->close = 1;
}

static inline void nt_zeek_change_state(struct nt_zeek_connection *connection, struct nt_zeek_step *step)
{
	switch (step->sender->state) {
	case NT_ENDPOINT_INACTIVE:
		nt_zeek_leave_inactive(connection, step);
		break;
	case NT_ENDPOINT_SYN_SENT:
	case NT_ENDPOINT_SYNACK_SENT:
		nt_zeek_leave_syn_sent(connection, step);
		break;
	case NT_ENDPOINT_ESTABLISHED:
	case NT_ENDPOINT_PARTIAL:
		nt_zeek_leave_established(connection, step);
		break;
	case NT_ENDPOINT_CLOSED:
		nt_zeek_leave_closed(connection, step);
		break;
	default:
		break;
	}
}

/* Returns the acknowledgement number relative to the peer's SYN, or 0 if it is impossible. */
static inline __u64 nt_zeek_take_acknowledgement(struct nt_zeek_step *step)
{
	struct nt_zeek_endpoint *peer = step->peer;
	const struct nt_packet *packet = step->packet;
	int underflow = 0;
	__u64 relative;

	if (peer->state == NT_ENDPOINT_INACTIVE) {
		/* Assume that the peer's SYN was just before. */
		nt_zeek_set_start(peer, packet->acknowledgement - 1, packet->acknowledgement - 1);
		return 1;
	}
	relative = nt_zeek_relative(peer, packet->acknowledgement, peer->acknowledged, peer->acknowledged_wraps,
				    &underflow);
	if (underflow)
		return 0;
	if (!(packet->flags & NT_RST))
		nt_zeek_update_acknowledged(peer, packet->acknowledgement);
	return relative;
}

/* Context of nt_zeek_count_gap(). */
struct nt_zeek_gap_context {
	struct nt_zeek_connection *connection;
	struct nt_zeek_endpoint *endpoint;
};

static inline int nt_zeek_is_clean(const struct nt_zeek_endpoint *endpoint)
{
	return endpoint->state == NT_ENDPOINT_ESTABLISHED ||
	       (endpoint->state == NT_ENDPOINT_CLOSED && endpoint->previous_state == NT_ENDPOINT_ESTABLISHED);
}

/* In other states the sequence numbers are too uncertain to count gaps (established_or_cleanly_closing). */
static inline void nt_zeek_count_gap(void *context, __u64 length)
{
	struct nt_zeek_gap_context *gap = context;
	struct nt_zeek_connection *connection = gap->connection;

	if (!nt_zeek_is_clean(&connection->endpoint[0]) || !nt_zeek_is_clean(&connection->endpoint[1]))
		return;
	nt_zeek_history_add_scaled(&connection->history, &gap->endpoint->gaps, 'G',
				   nt_zeek_is_orig(connection, gap->endpoint));
	connection->missed_bytes += length;
}

static inline void nt_zeek_acknowledge_peer(struct nt_zeek_connection *connection, struct nt_zeek_step *step,
					    __u64 acknowledged)
{
	struct nt_zeek_gap_context context = { connection, step->peer };

	if (nt_zeek_acknowledge(step->peer, step->sender, acknowledged, connection->partial, nt_zeek_count_gap,
				&context))
		nt_zeek_check_eof(connection, step->peer, step->sender);
}

/* SYN and FIN take a sequence number each; the payload of a RST takes none (get_segment_len). */
static inline __u32 nt_zeek_segment_length(const struct nt_packet *packet)
{
	__u32 length = packet->flags & NT_RST ? 0 : packet->payload_length;

	return length + !!(packet->flags & NT_SYN) + !!(packet->flags & NT_FIN);
}

static inline void nt_zeek_take_fin(struct nt_zeek_connection *connection, struct nt_zeek_step *step, __u32 length)
{
	step->sender->sent_fin = 1;
	step->sender->fin = step->relative + length;
	if (!connection->first_fin)
		connection->first_fin = 1 + (step->sender == &connection->endpoint[1]);
}

/* Adds the payload, then completes a close that waited for it. */
static inline void nt_zeek_take_payload(struct nt_zeek_connection *connection, struct nt_zeek_step *step, __u32 marks)
{
	const struct nt_packet *packet = step->packet;

	if (packet->payload_length && !(packet->flags & NT_RST) && !step->underflow && !(marks & NT_ZEEK_CUT_PAYLOAD))
		nt_zeek_send(step->sender, step->peer, step->relative + !!(packet->flags & NT_SYN),
			     packet->payload_length);
	nt_zeek_check_eof(connection, step->sender, step->peer);
	if (step->close)
		nt_zeek_close(connection, step->sender, step->peer, step->gen_event);
}

/* Processes a packet with a whole header and the right checksum (Process). */
static inline void nt_zeek_process(struct nt_zeek_connection *connection, struct nt_zeek_step *step, __u32 marks)
{
	struct nt_zeek_endpoint *sender = step->sender;
	const struct nt_packet *packet = step->packet;
	__u32 length = nt_zeek_segment_length(packet), next = packet->sequence + length;
	__u64 acknowledged = 0;

	nt_zeek_check_partial(connection, step);
	nt_zeek_init_endpoint(sender, packet, next);
	step->relative = nt_zeek_relative(sender, packet->sequence, sender->last, sender->last_wraps, &step->underflow);
	nt_zeek_add_letters(connection, step);
	if (!connection->endpoint[0].closed || !connection->endpoint[1].closed)
		connection->last = step->now;
	if (packet->flags & NT_FIN)
		nt_zeek_take_fin(connection, step, length);
	if (packet->flags & NT_ACK)
		acknowledged = nt_zeek_take_acknowledgement(step);
	if (nt_zeek_update_last(sender, packet, next))
		nt_zeek_history_add_scaled(&connection->history, &sender->retransmits, 'T',
					   nt_zeek_is_orig(connection, sender));
	nt_zeek_change_state(connection, step);
	if (packet->flags & NT_ACK)
		nt_zeek_acknowledge_peer(connection, step, acknowledged);
	nt_zeek_endpoint_of(connection, step->is_orig)->first_seen = 1;
	nt_zeek_take_payload(connection, step, marks);
	sender->packets++;
	sender->network_bytes += packet->network_length;
}

/* Applies a packet to the connection. source: index of its sender; marks: enum nt_zeek_mark bits. */
static inline void nt_zeek_take(struct nt_zeek_connection *connection, const struct nt_packet *packet, int source,
				__u32 marks, __u64 now)
{
	int is_orig = connection->self || source == connection->orig;
	struct nt_zeek_step step = {
		.packet = packet,
		.sender = nt_zeek_endpoint_of(connection, is_orig),
		.peer = nt_zeek_endpoint_of(connection, !is_orig),
		.now = now,
		.is_orig = is_orig,
	};

	if (marks & NT_ZEEK_BAD_HEADER)
		return;
	if (marks & NT_ZEEK_BAD_CHECKSUM)
		nt_zeek_history_add_scaled(&connection->history, &step.sender->bad_checksums, 'C', is_orig);
	else
		nt_zeek_process(connection, &step, marks);
}

#endif
