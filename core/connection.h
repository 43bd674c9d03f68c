/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection as seen on the wire: a TCP state machine over the packets of both sides, with time as a parameter.
 *
 * nt_connection_begin() starts a connection, nt_connection_step() takes each further packet. SYN, FIN, RST and the
 * handshake's ACK are enough; nt_connection_add_packet() is for hosts that pass in every packet.
 * Times are nanoseconds of any one clock. A time of 0 means that the event has not happened.
 *
 * Two processors may step one connection at once, each with packets of one side. So a packet changes only the members
 * of its own side, and the state is not stored but computed from both sides: nt_connection_state(). If two processors
 * end a connection at the same instant, NT_STEP_ENDED may be returned to both or to neither; a host that must not miss
 * the end reads the state again when it sweeps.
 *
 *   state         event                                        next          because
 *   ------------- -------------------------------------------- ------------- -----------------------------------------
 *   (none)        SYN                                          SYN_SENT      RFC 9293 3.5; its sender is the opener
 *                 SYN-ACK                                      SYN_RECEIVED  its receiver is the opener
 *                 FIN, RST, anything else                      (as below)    midstream: as from ESTABLISHED
 *   SYN_SENT      SYN-ACK that acknowledges the SYN            SYN_RECEIVED  3.10.7.3
 *                 SYN-ACK that does not                        SYN_SENT      3.10.7.3: the opener will reset it
 *                 SYN of the other side                        SYN_SENT      3.5 figure 8: simultaneous open
 *                 SYN-ACK of the opener after that             SYN_RECEIVED  3.5 figure 8
 *                 RST by the other side, acknowledges the SYN  RESET         3.10.7.3: refused
 *                 RST by the other side that does not          SYN_SENT      3.10.7.3: dropped by the opener
 *                 RST by the opener, up to 64 KiB after its SYN RESET        given up, or a port scan
 *                 RST by the opener, another sequence number   SYN_SENT      3.5 figure 9: it resets an older one
 *                 ACK of the opener, in a window after its SYN ESTABLISHED   the SYN-ACK took another path
 *                 data or FIN that acknowledges the SYN        ESTABLISHED   the SYN-ACK took another path
 *                 other ACK of the other side                  SYN_SENT      3.10.7.3: a challenge from an older one
 *   SYN_RECEIVED  ACK of the opener for the SYN-ACK            ESTABLISHED   3.5 figure 6
 *                 ACK of the other side for the opener's       ESTABLISHED   3.5 figure 8, one direction
 *                 SYN-ACK of the other side after the opener's ESTABLISHED   3.5 figure 8
 *                 data or FIN of the other side                ESTABLISHED   it sends only after it was acknowledged
 *                 SYN-ACK, another sequence number             SYN_RECEIVED  RFC 4987 3.6: cookies change with time
 *                 SYN of the opener, began with the SYN-ACK    SYN_RECEIVED  captured out of order
 *                 RST                                          RESET         3.10.7.4
 *   ESTABLISHED   FIN                                          HALF_CLOSED   3.6
 *                 RST                                          RESET         3.10.7.4
 *   HALF_CLOSED   FIN of the other side                        CLOSED        3.6
 *                 RST                                          RESET         3.10.7.4: one direction was still open
 *   CLOSED        RST                                          CLOSED        nothing is left to reset
 *   RESET         FIN, RST                                     RESET         it has ended
 *                 SYN-ACK, ACK of the opener for it            RESET         recorded: the RST may be no peer's
 *   refused       SYN of the opener, same sequence number      SYN_SENT      only by nt_connection_retry()
 *   not RESET     FIN (in SYN_SENT, SYN_RECEIVED too)          (above)       a FIN is always recorded
 *   any           SYN, same sequence number, same side         unchanged     retransmitted, or on another interface
 *   CLOSED        SYN, same sequence number                    another       3.6.1: the port is used again
 *   any           SYN, another sequence number                 another       3.6.1
 *   midstream     SYN                                          another       the former one began earlier
 *   any           everything else                              unchanged
 */
#ifndef NETRACKER_CORE_CONNECTION_H
#define NETRACKER_CORE_CONNECTION_H

#include "packet.h"

#define NT_CONNECTION_HISTORY 30

/* The largest distance of an acknowledgement from the SYN it acknowledges: the SYN may carry data (RFC 7413). */
#define NT_MOST_SYN_PAYLOAD 0xffff
/* The largest distance of two sequence numbers that are valid at one time: the largest window (RFC 7323, 2.3). */
#define NT_MOST_WINDOW 0x40000000

enum nt_state {
	NT_STATE_SYN_SENT,
	NT_STATE_SYN_RECEIVED,
	NT_STATE_ESTABLISHED,
	NT_STATE_HALF_CLOSED,
	NT_STATE_CLOSED,
	NT_STATE_RESET,
};

/* Kinds of packets that one side has sent; written only by packets of that side. */
enum nt_side_flag {
	NT_SIDE_SEEN = 1,
	NT_SIDE_SYN = 2,
	NT_SIDE_SYNACK = 4,
	NT_SIDE_SYNCHRONISED = 8, /* a packet that it sends only after both sides have each other's SYN */
	NT_SIDE_FIN = 16,
	NT_SIDE_RST = 32, /* a RST before both sides had sent a FIN */
};

/* Letters of the history that appear at most once for a side; written only by packets of that side. */
enum nt_letter {
	NT_LETTER_ACK = 1,
	NT_LETTER_DATA = 2,
	NT_LETTER_RST = 4,
	NT_LETTER_FIN_RST = 8,
	NT_LETTER_ODD_SYN = 16, /* SYN together with FIN or RST */
};

enum nt_connection_mark {
	NT_MARK_MIDSTREAM = 1,    /* neither SYN nor SYN-ACK came first */
	NT_MARK_FLIPPED = 2,      /* the opener is not the sender of the first packet */
	NT_MARK_SELF = 4,         /* self-connection, both endpoints are the same: every packet has index 0 */
	NT_MARK_SIMULTANEOUS = 8, /* both sides sent a SYN before they received the other's */
	NT_MARK_COOKIES = 16,     /* SYN-ACKs with different sequence numbers: SYN cookies */
	NT_MARK_SYN_PAYLOAD = 32, /* a SYN carried data (RFC 7413), which the receiver may have discarded */
};

enum nt_step {
	NT_STEP_NEW = 1,         /* the packet begins another connection of this tuple; this one is unchanged */
	NT_STEP_CHANGED = 2,     /* the state or a detail of the handshake changed */
	NT_STEP_ESTABLISHED = 4, /* the packet established the connection */
	NT_STEP_ENDED = 8,       /* the packet closed or reset it */
	NT_STEP_REPEAT = 16,     /* SYN, FIN or RST without effect: retransmitted, or seen on another interface */
};

/* Arrays are indexed by the key's side. */
struct nt_connection {
	__u64 first_ns;
	__u64 last_change_ns;
	__u64 last_seen_ns;
	__u64 syn_ns;    /* the opener's SYN */
	__u64 synack_ns; /* the first SYN-ACK of the side that answered */
	__u64 ack_ns;    /* the ACK that completed the handshake */
	__u64 fin_ns[2];
	__u64 rst_ns;
	__u32 isn[2];          /* sequence number of the SYN; valid if the side sent one */
	__u32 fin_sequence[2]; /* the FIN's own sequence number */
	__u32 rst_sequence[2]; /* the last RST's */
	__u16 vlan;            /* the first packet's, as in struct nt_packet */
	__u8 side[2];          /* enum nt_side_flag */
	__u8 src_index;        /* the side that opened it */
	__u8 marks;            /* enum nt_connection_mark */
	__u8 first_closer;     /* 1 + index of the side that sent the first FIN or RST; 0: none */
	__u8 history_length;
	__u8 letters[2];                     /* enum nt_letter */
	char history[NT_CONNECTION_HISTORY]; /* Zeek's letters, no NUL */
};
NT_STATIC_ASSERT(sizeof(struct nt_connection) == 136, "struct nt_connection has no hidden padding");

/* Returns whether a is after b, modulo 2^32 (RFC 9293 section 3.4). */
NT_INLINE int nt_sequence_after(__u32 a, __u32 b)
{
	return (int)(a - b) > 0;
}

NT_INLINE __u8 nt_connection_any_side(const struct nt_connection *connection)
{
	return connection->side[0] | connection->side[1];
}

NT_INLINE int nt_connection_is_established(const struct nt_connection *connection)
{
	return (connection->marks & NT_MARK_MIDSTREAM) || (nt_connection_any_side(connection) & NT_SIDE_SYNCHRONISED);
}

NT_INLINE int nt_connection_has_synack(const struct nt_connection *connection)
{
	return !!(nt_connection_any_side(connection) & NT_SIDE_SYNACK);
}

NT_INLINE enum nt_state nt_connection_state(const struct nt_connection *connection)
{
	__u8 any = nt_connection_any_side(connection);

	if (any & NT_SIDE_RST)
		return NT_STATE_RESET;
	if (any & NT_SIDE_FIN) {
		/* In a self-connection the one FIN is also the received one. */
		if ((connection->side[0] & connection->side[1] & NT_SIDE_FIN) || (connection->marks & NT_MARK_SELF))
			return NT_STATE_CLOSED;
		return NT_STATE_HALF_CLOSED;
	}
	if (nt_connection_is_established(connection))
		return NT_STATE_ESTABLISHED;
	return any & NT_SIDE_SYNACK ? NT_STATE_SYN_RECEIVED : NT_STATE_SYN_SENT;
}

/* Inside the state machine a packet's letter is returned together with its enum nt_step bits and appended in one place
 * only, because the verifier follows every copy of inlined code.
 */
#define NT_STEP_LETTER(letter) ((__u32)(letter) << 8)

NT_INLINE void nt_connection_append(struct nt_connection *connection, char letter)
{
	__u32 length = connection->history_length;

	if (length >= NT_CONNECTION_HISTORY)
		return;
	connection->history[length] = letter;
	connection->history_length = length + 1;
}

NT_INLINE void nt_connection_append_letter(struct nt_connection *connection, int source, __u32 letter)
{
	/* The letters of the side that answered are in lower case, which is 32 more. */
	nt_connection_append(connection, letter + (source != connection->src_index) * 32);
}

/* Returns the letter, or 0 if the side has it already. bit: the letter's bit in letters[]. */
NT_INLINE __u32 nt_connection_letter_once(struct nt_connection *connection, int source, char letter, enum nt_letter bit)
{
	__u8 given = connection->letters[source];

	connection->letters[source] = given | bit;
	return given & bit ? 0 : NT_STEP_LETTER(letter);
}

NT_INLINE void nt_connection_set_first_closer(struct nt_connection *connection, int source)
{
	if (!connection->first_closer)
		connection->first_closer = 1 + source;
}

NT_INLINE __u32 nt_connection_set_syn(struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	connection->isn[source] = packet->sequence;
	connection->side[source] |= packet->flags & NT_ACK ? NT_SIDE_SYN | NT_SIDE_SYNACK : NT_SIDE_SYN;
	if (packet->payload_length)
		connection->marks |= NT_MARK_SYN_PAYLOAD;
	if (packet->flags & NT_FIN)
		return nt_connection_letter_once(connection, source, 'Q', NT_LETTER_ODD_SYN);
	return packet->flags & NT_ACK ? NT_STEP_LETTER('H') : NT_STEP_LETTER('S');
}

/* Returns whether the packet acknowledges a SYN with this sequence number, and no more data than a SYN may carry. */
NT_INLINE int nt_acknowledges_syn(const struct nt_packet *packet, __u32 isn)
{
	return (packet->flags & NT_ACK) && packet->acknowledgement - isn - 1 <= NT_MOST_SYN_PAYLOAD;
}

/* Handles a SYN without ACK. */
NT_INLINE __u32 nt_connection_syn(struct nt_connection *connection, const struct nt_packet *packet, int source,
				  enum nt_state state, __u64 now)
{
	int same = connection->isn[source] == packet->sequence;

	if (connection->side[source] & NT_SIDE_SYN)
		return same && state != NT_STATE_CLOSED ? NT_STEP_REPEAT : NT_STEP_NEW;
	if (connection->marks & NT_MARK_MIDSTREAM)
		return NT_STEP_NEW;
	if (source == connection->src_index) {
		/* It began with the SYN-ACK, which acknowledges the SYN's sequence number. */
		if (!same)
			return NT_STEP_NEW;
		connection->syn_ns = now;
	} else {
		if (state != NT_STATE_SYN_SENT)
			return NT_STEP_NEW;
		connection->marks |= NT_MARK_SIMULTANEOUS;
	}
	return NT_STEP_CHANGED | nt_connection_set_syn(connection, packet, source);
}

/* Returns whether the SYN-ACK answers the other side's SYN. If its sender sent a SYN before (RFC 9293 figure 8), the
 * SYN-ACK must repeat that. */
NT_INLINE int nt_connection_synack_fits(const struct nt_connection *connection, const struct nt_packet *packet,
					int source)
{
	int peer = connection->marks & NT_MARK_SELF ? source : 1 - source;

	/* The compiler would turn the subtraction into an exclusive or: verifiers before Linux 6.10 do not track it. */
	NT_FORGET(peer);
	peer &= 1;
	if ((connection->side[source] & NT_SIDE_SYN) && connection->isn[source] != packet->sequence)
		return 0;
	return (connection->side[peer] & NT_SIDE_SYN) && nt_acknowledges_syn(packet, connection->isn[peer]);
}

/* Returns whether a SYN-ACK completes the handshake: in a simultaneous open each SYN-ACK completes that of the other
 * side (RFC 9293 figure 8), in a self-connection one does both. */
NT_INLINE int nt_connection_synack_completes(const struct nt_connection *connection, enum nt_state state)
{
	if (connection->marks & NT_MARK_SELF)
		return 1;
	return (connection->marks & NT_MARK_SIMULTANEOUS) && state == NT_STATE_SYN_RECEIVED;
}

NT_INLINE __u32 nt_connection_synack(struct nt_connection *connection, const struct nt_packet *packet, int source,
				     enum nt_state state, __u64 now)
{
	__u32 result = NT_STEP_CHANGED;

	if (connection->side[source] & NT_SIDE_SYNACK) {
		if (connection->isn[source] == packet->sequence || state != NT_STATE_SYN_RECEIVED)
			return NT_STEP_REPEAT;
		connection->marks |= NT_MARK_COOKIES;
	} else if (state == NT_STATE_CLOSED || !nt_connection_synack_fits(connection, packet, source)) {
		return NT_STEP_REPEAT;
	} else if (state == NT_STATE_RESET) {
		result = NT_STEP_REPEAT;
	} else if (nt_connection_synack_completes(connection, state)) {
		connection->side[source] |= NT_SIDE_SYNCHRONISED;
		connection->ack_ns = now;
		result |= NT_STEP_ESTABLISHED;
	}
	if (!connection->synack_ns && (source != connection->src_index || (connection->marks & NT_MARK_SELF)))
		connection->synack_ns = now;
	return result | nt_connection_set_syn(connection, packet, source);
}

/* Returns whether the opener's ACK fits the SYN-ACK. It may acknowledge more if packets in between were not seen. An
 * ACK directly after the opener's SYN may answer a SYN-ACK with another SYN cookie, which was not seen. If several
 * cookies were seen, stores the one that the ACK answers.
 */
NT_INLINE int nt_connection_ack_fits(struct nt_connection *connection, const struct nt_packet *packet, int answerer)
{
	__u32 beyond = packet->acknowledgement - connection->isn[answerer] - 1;

	if (!(connection->side[answerer] & NT_SIDE_SYNACK) || beyond < NT_MOST_WINDOW)
		return 1;
	if (!(connection->marks & NT_MARK_COOKIES))
		return packet->sequence - connection->isn[1 - answerer] == 1;
	connection->isn[answerer] = packet->acknowledgement - 1;
	return 1;
}

/* Handles an ACK of the opener. It completes the handshake even if the SYN-ACK was not seen. */
NT_INLINE __u32 nt_connection_opener_ack(struct nt_connection *connection, const struct nt_packet *packet, int source,
					 __u64 now)
{
	int answerer = 1 - source;

	if (connection->ack_ns || packet->sequence - connection->isn[source] - 1 >= NT_MOST_WINDOW ||
	    !nt_connection_ack_fits(connection, packet, answerer))
		return 0;
	if (connection->side[answerer] & NT_SIDE_SYNACK)
		connection->ack_ns = now;
	else if (connection->side[source] & NT_SIDE_SYNCHRONISED)
		return 0;
	return NT_STEP_CHANGED;
}

/* Handles an ACK of the side that answered. Data, a FIN or the acknowledgement of the other side's SYN-ACK shows that
 * it is synchronised. Any other ACK may be a challenge ACK of an older connection (RFC 9293 figure 9).
 */
NT_INLINE __u32 nt_connection_answerer_data(const struct nt_connection *connection, const struct nt_packet *packet,
					    int source)
{
	if (!packet->payload_length && !(packet->flags & NT_FIN) && !(connection->side[1 - source] & NT_SIDE_SYNACK))
		return 0;
	return packet->acknowledgement - connection->isn[1 - source] - 1 < NT_MOST_WINDOW ? NT_STEP_CHANGED : 0;
}

/* Handles a packet with neither SYN nor RST, which may show that both sides are synchronised. */
NT_INLINE __u32 nt_connection_acknowledge(struct nt_connection *connection, const struct nt_packet *packet, int source,
					  enum nt_state state, __u64 now)
{
	int established = nt_connection_is_established(connection);
	__u32 result;

	if (!(packet->flags & NT_ACK) || (connection->marks & NT_MARK_MIDSTREAM))
		return 0;
	if (source == connection->src_index)
		result = nt_connection_opener_ack(connection, packet, source, now);
	else if (established)
		return 0;
	else
		result = nt_connection_answerer_data(connection, packet, source);
	/* After the end only the time of the handshake's ACK is still recorded, in nt_connection_opener_ack(). */
	if (state > NT_STATE_HALF_CLOSED)
		return 0;
	if (!result || established)
		return result;
	connection->side[source] |= NT_SIDE_SYNCHRONISED;
	return NT_STEP_CHANGED | NT_STEP_ESTABLISHED;
}

NT_INLINE __u32 nt_connection_fin(struct nt_connection *connection, const struct nt_packet *packet, int source,
				  enum nt_state state, __u64 now)
{
	__u32 sequence = packet->sequence + packet->payload_length + !!(packet->flags & NT_SYN);
	/* A packet with a SYN has its letter already. */
	__u32 letter = packet->flags & NT_SYN ? 0 : NT_STEP_LETTER('F');
	__u8 peer = connection->side[1 - source];

	if (connection->side[source] & NT_SIDE_FIN)
		return NT_STEP_REPEAT | (connection->fin_sequence[source] != sequence ? letter : 0);
	connection->fin_sequence[source] = sequence;
	connection->fin_ns[source] = now;
	connection->side[source] |= NT_SIDE_FIN;
	if (state == NT_STATE_RESET)
		return NT_STEP_REPEAT | letter;
	nt_connection_set_first_closer(connection, source);
	if ((peer & NT_SIDE_FIN) || (connection->marks & NT_MARK_SELF))
		return NT_STEP_CHANGED | NT_STEP_ENDED | letter;
	return NT_STEP_CHANGED | letter;
}

/* Before the handshake a RST counts only if it belongs to this SYN. */
NT_INLINE int nt_connection_rst_fits(const struct nt_connection *connection, const struct nt_packet *packet, int source,
				     enum nt_state state)
{
	if (state != NT_STATE_SYN_SENT)
		return 1;
	if (source == connection->src_index)
		return packet->sequence - connection->isn[source] <= NT_MOST_SYN_PAYLOAD + 1;
	return nt_acknowledges_syn(packet, connection->isn[1 - source]);
}

NT_INLINE __u32 nt_connection_rst_letter(struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	__u8 given = connection->letters[source];

	if (packet->flags & NT_SYN)
		return nt_connection_letter_once(connection, source, 'Q', NT_LETTER_ODD_SYN);
	if (packet->flags & NT_FIN)
		return nt_connection_letter_once(connection, source, 'I', NT_LETTER_FIN_RST);
	connection->letters[source] = given | NT_LETTER_RST;
	if ((given & NT_LETTER_RST) && connection->rst_sequence[source] == packet->sequence)
		return 0;
	return NT_STEP_LETTER('R');
}

NT_INLINE __u32 nt_connection_rst(struct nt_connection *connection, const struct nt_packet *packet, int source,
				  enum nt_state state, __u64 now)
{
	__u32 letter;

	if (!nt_connection_rst_fits(connection, packet, source, state))
		return NT_STEP_REPEAT;
	letter = nt_connection_rst_letter(connection, packet, source);
	connection->rst_sequence[source] = packet->sequence;
	if (state >= NT_STATE_CLOSED)
		return NT_STEP_REPEAT | letter;
	connection->rst_ns = now;
	connection->side[source] |= NT_SIDE_RST;
	nt_connection_set_first_closer(connection, source);
	return NT_STEP_CHANGED | NT_STEP_ENDED | letter;
}

/* Takes one more packet. source: the index of its sender, from nt_key_from_packet(). Returns enum nt_step bits, 0 for
 * data or an ACK that changes nothing. With NT_STEP_NEW the connection is unchanged: the caller ends it and begins
 * another with this packet.
 */
NT_INLINE __u32 nt_connection_step(struct nt_connection *connection, const struct nt_packet *packet, int source,
				   __u64 now)
{
	enum nt_state state = nt_connection_state(connection);
	__u8 kind = packet->flags & (NT_SYN | NT_ACK | NT_RST);
	__u32 result;

	source &= 1;
	if (kind & NT_RST)
		result = nt_connection_rst(connection, packet, source, state, now);
	else if (kind == NT_SYN)
		result = nt_connection_syn(connection, packet, source, state, now);
	else if (kind == (NT_SYN | NT_ACK))
		result = nt_connection_synack(connection, packet, source, state, now);
	else
		result = nt_connection_acknowledge(connection, packet, source, state, now);
	if (result & NT_STEP_NEW)
		return NT_STEP_NEW;
	if ((packet->flags & (NT_FIN | NT_RST)) == NT_FIN)
		result |= nt_connection_fin(connection, packet, source, state, now);
	if (result >> 8)
		nt_connection_append_letter(connection, source, result >> 8);
	connection->side[source] |= NT_SIDE_SEEN;
	connection->last_seen_ns = now;
	if (!(result & NT_STEP_CHANGED))
		return result & NT_STEP_REPEAT;
	connection->last_change_ns = now;
	return result & (NT_STEP_CHANGED | NT_STEP_ESTABLISHED | NT_STEP_ENDED);
}

/* Guesses the opener of a connection whose beginning was not seen: the side whose port is not a system port (RFC 6335
 * section 6) if the other side's is one, otherwise the sender of the first packet. Returns its index.
 */
NT_INLINE int nt_connection_guess_opener(const struct nt_packet *packet, int source)
{
	if (packet->flags & NT_SYN) /* together with RST: SYN and ACK still show the direction */
		return packet->flags & NT_ACK ? 1 - source : source;
	if (packet->source_port < 1024 && packet->destination_port >= 1024)
		return 1 - source;
	return source;
}

NT_INLINE int nt_packet_is_self(const struct nt_packet *packet)
{
	return packet->address_words[0] == packet->address_words[2] &&
	       packet->address_words[1] == packet->address_words[3] && packet->source_port == packet->destination_port;
}

/* Begins a connection with a packet of any kind. Returns enum nt_step bits: NT_STEP_CHANGED, and NT_STEP_ENDED if the
 * first packet also ends it.
 */
NT_INLINE __u32 nt_connection_begin(struct nt_connection *connection, const struct nt_packet *packet, int source,
				    __u64 now)
{
	__u8 kind = packet->flags & (NT_SYN | NT_ACK | NT_RST);
	__u32 result = 0;
	int peer;

	source &= 1;
	__builtin_memset(connection, 0, sizeof(*connection));
	connection->first_ns = now;
	connection->vlan = packet->vlan;
	connection->marks = nt_packet_is_self(packet) ? NT_MARK_SELF : 0;
	peer = connection->marks & NT_MARK_SELF ? source : 1 - source;
	connection->src_index = source;
	if (kind == NT_SYN) {
		connection->syn_ns = now;
		result = nt_connection_set_syn(connection, packet, source);
	} else if (kind == (NT_SYN | NT_ACK)) {
		connection->src_index = peer;
		connection->isn[peer & 1] = packet->acknowledgement - 1;
		connection->synack_ns = now;
		result = nt_connection_set_syn(connection, packet, source);
	} else {
		connection->marks |= NT_MARK_MIDSTREAM;
		connection->src_index = nt_connection_guess_opener(packet, source);
	}
	if (connection->src_index != source) {
		connection->marks |= NT_MARK_FLIPPED;
		nt_connection_append(connection, '^');
	}
	if (kind & NT_RST)
		result = nt_connection_rst(connection, packet, source, NT_STATE_ESTABLISHED, now);
	else if (packet->flags & NT_FIN)
		result |= nt_connection_fin(connection, packet, source, NT_STATE_ESTABLISHED, now);
	if (result >> 8)
		nt_connection_append_letter(connection, source, result >> 8);
	connection->side[source] |= NT_SIDE_SEEN;
	connection->last_change_ns = now;
	connection->last_seen_ns = now;
	return NT_STEP_CHANGED | (result & NT_STEP_ENDED);
}

/* Adds the letters of data and of pure ACKs to the history; for hosts that pass in every packet. */
NT_INLINE void nt_connection_add_packet(struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	__u32 letter = 0;

	source &= 1;
	if (packet->flags & (NT_SYN | NT_FIN | NT_RST))
		return;
	if (packet->payload_length)
		letter = nt_connection_letter_once(connection, source, 'D', NT_LETTER_DATA);
	else if (packet->flags & NT_ACK)
		letter = nt_connection_letter_once(connection, source, 'A', NT_LETTER_ACK);
	if (letter)
		nt_connection_append_letter(connection, source, letter >> 8);
}

/* Returns whether the packet repeats the SYN of an attempt that was refused, as Windows does. */
NT_INLINE int nt_connection_is_retry(const struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	source &= 1;
	return (packet->flags & (NT_SYN | NT_ACK | NT_RST | NT_FIN)) == NT_SYN && source == connection->src_index &&
	       !(connection->marks & NT_MARK_SELF) && connection->isn[source] == packet->sequence &&
	       connection->side[source] == (NT_SIDE_SEEN | NT_SIDE_SYN) &&
	       connection->side[1 - source] == (NT_SIDE_SEEN | NT_SIDE_RST);
}

/* Takes a refusal back: the attempt goes on in SYN_SENT. For hosts that hold refusals until they report them; call it
 * before the step with a packet for which nt_connection_is_retry() is true.
 */
NT_INLINE void nt_connection_retry(struct nt_connection *connection)
{
	connection->side[1 - connection->src_index] &= ~NT_SIDE_RST;
	connection->first_closer = 0;
	__builtin_memset(&connection->rst_ns, 0, sizeof(connection->rst_ns));
}

#endif
