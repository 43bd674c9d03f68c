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
 *                 RST at or just after the sender's SYN        RESET         3.10.7.4
 *                 other RST, SYN of another sequence number    SYN_RECEIVED  refused: 3.10.7.4
 *   ESTABLISHED   FIN                                          HALF_CLOSED   3.6
 *                 RST                                          RESET         3.10.7.4
 *                 SYN, another sequence number                 ESTABLISHED   refused: RFC 5961 4.2; see "SYNs" below
 *   HALF_CLOSED   FIN of the other side                        CLOSED        3.6
 *                 FIN of the same side, another place          HALF_CLOSED   it replaces one that nobody acknowledged
 *                 RST                                          RESET         3.10.7.4: one direction was still open
 *   CLOSED        RST                                          CLOSED        nothing is left to reset
 *   RESET         FIN, RST                                     RESET         it has ended
 *                 SYN-ACK, ACK of the opener for it            RESET         recorded: the RST may be no peer's
 *   refused       SYN of the opener, same sequence number      SYN_SENT      only by nt_connection_retry()
 *                 the other side goes on                       (before it)   the RST was not taken; see "RSTs" below
 *   not RESET     FIN (in SYN_SENT, SYN_RECEIVED too)          (above)       a FIN is always recorded
 *   any           SYN, same sequence number, same side         unchanged     retransmitted, or on another interface
 *   CLOSED        SYN, same sequence number                    another       3.6.1: the port is used again
 *   (other)       SYN, another sequence number                 another       3.6.1
 *   midstream     SYN, and only one side was seen              another       the former one began earlier
 *   any           everything else                              unchanged
 *
 * Refused segments. What its receiver refuses (RFC 9293 3.10.7.4, RFC 5961) is counted and has its letter in the
 * history, and changes nothing else: NT_STEP_REFUSED. core/flow.h has the sequence numbers and windows by which this is
 * known; a host that does not pass in every packet knows them only for the handshake.
 *
 * RSTs. What passes these tests is believed, and taken back if the other side goes on: if it acknowledges something
 * behind the RST or something that the RST's sender sent later, or sends anything 2 s later. So a host does not drop a
 * connection that was reset before that time.
 *
 * Order. Packets are taken as they come, but a capture may have them in another order than they were sent in. So their
 * times decide which SYN, ACK, FIN or RST was the first, and whether a packet was sent before a RST. Of two FINs the one
 * that acknowledges the other was sent after it, whatever their times are.
 *
 * SYNs. A SYN on a living connection is refused, but it may be that the connection ended unseen. It is kept; if the
 * other side answers it, another connection began with it: NT_STEP_NEW comes with the answer, and
 * nt_connection_begin_next() begins with both.
 */
#ifndef NETRACKER_CORE_CONNECTION_H
#define NETRACKER_CORE_CONNECTION_H

#include "flow.h"
#include "packet.h"

#define NT_CONNECTION_HISTORY 30

/* The largest distance of an acknowledgement from the SYN it acknowledges: the SYN may carry data (RFC 7413). */
#define NT_MOST_SYN_PAYLOAD 0xffff
/* Whoever sends this long after a RST did not take it: until then packets may be on their way. */
#define NT_OUTLIVED_NS 2000000000ULL
/* The longest time between a SYN and its answer: as long as its sender retransmits it (RFC 6298 5.5, tcp(7)). */
#define NT_ANSWERED_NS (70ULL * 1000000000)

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
	NT_SIDE_RST = 32,              /* a RST before both sides had sent a FIN */
	NT_SIDE_ACKNOWLEDGED_FIN = 64, /* it acknowledged the other side's FIN */
	NT_SIDE_FIN_FITS = 128,        /* its FIN follows directly on what it sent before */
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
	NT_MARK_FOLLOWED = 64,    /* the host passes in every packet */
	NT_MARK_TWO_FINS = 128,   /* a side sent FINs in two places */
};

enum nt_step {
	NT_STEP_NEW = 1,         /* the packet begins another connection of this tuple; this one is unchanged */
	NT_STEP_CHANGED = 2,     /* the state or a detail of the handshake changed */
	NT_STEP_ESTABLISHED = 4, /* the packet established the connection */
	NT_STEP_ENDED = 8,       /* the packet closed or reset it */
	NT_STEP_REPEAT = 16,     /* SYN, FIN or RST without effect: retransmitted, or seen on another interface */
	NT_STEP_REFUSED = 32,    /* the receiver drops the packet */
	NT_STEP_REVIVED = 64,    /* internal: a RST was taken back */
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
	__u64 rst_ns[2];
	__u64 payload_ns[2];        /* the first payload, or its acknowledgement if that came first */
	__u64 change_before_rst_ns; /* last_change_ns before the RST */
	__u64 early_ack_ns;         /* the opener's first ACK, captured before the SYN-ACK */
	__u64 held_ns;              /* the SYN that is kept */
	__u32 held_isn;
	__u32 early_ack; /* its acknowledgement */
	struct nt_flow flow[2];
	__u32 isn[2];          /* sequence number of the SYN; valid if the side sent one */
	__u32 fin_sequence[2]; /* the FIN's own sequence number */
	__u32 fin_acknowledgement[2];
	__u32 rst_sequence[2];     /* the last RST's */
	__u32 payload_sequence[2]; /* of payload captured before the side's SYN */
	__u16 vlan;                /* the first packet's, as in struct nt_packet */
	__u8 side[2];              /* enum nt_side_flag */
	__u8 src_index;            /* the side that opened it */
	__u8 marks;                /* enum nt_connection_mark */
	__u8 first_closer;         /* 1 + index of the side that sent the first FIN; 0: none */
	__u8 history_length;
	__u8 letters[2];                     /* enum nt_letter */
	char history[NT_CONNECTION_HISTORY]; /* Zeek's letters, no NUL */
	__u8 resets[2];                      /* how often a RST of the side was believed, modulo 256 */
	__u8 outlived[2];                    /* the other side's `resets` that this side did not take */
	__u8 held_from;                      /* 1 + index of the side whose SYN is kept; 0: none */
	__u8 held_count;                     /* how often it was sent */
	__u8 payload_flags[2];               /* enum nt_payload_flag (core/first_payload.h) */
};
NT_STATIC_ASSERT(sizeof(struct nt_connection) == 280, "struct nt_connection has no hidden padding");

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

/* Returns the index of the other side. */
NT_INLINE int nt_connection_peer(const struct nt_connection *connection, int source)
{
	int peer = connection->marks & NT_MARK_SELF ? source : 1 - source;

	/* The compiler would turn the subtraction into an exclusive or: verifiers before Linux 6.10 do not track it. */
	NT_FORGET(peer);
	return peer & 1;
}

/* Returns whether the side sent a RST that the other side took, as far as is known. */
NT_INLINE int nt_connection_side_reset(const struct nt_connection *connection, int side)
{
	return (connection->side[side & 1] & NT_SIDE_RST) &&
	       connection->resets[side & 1] != connection->outlived[nt_connection_peer(connection, side & 1)];
}

NT_INLINE enum nt_state nt_connection_state(const struct nt_connection *connection)
{
	__u8 any = nt_connection_any_side(connection);

	if ((any & NT_SIDE_RST) && (nt_connection_side_reset(connection, 0) || nt_connection_side_reset(connection, 1)))
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

/* Returns whether the packet was sent before one of that time, which was taken before it. A time of 0 is none. */
NT_INLINE int nt_connection_precedes(const struct nt_packet *packet, __u64 now, __u64 ns)
{
	return now < ns && !(packet->marks & NT_PACKET_OTHER_CLOCK);
}

NT_INLINE void nt_connection_set_earlier(__u64 *ns, const struct nt_packet *packet, __u64 now)
{
	if (nt_connection_precedes(packet, now, *ns))
		*ns = now;
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

/* Returns whether the side has sent a SYN with this number that nothing has answered yet. An ICMP error that quotes the
 * number comes from someone who has seen the SYN (RFC 5927 4.1).
 */
NT_INLINE int nt_connection_awaits_answer(const struct nt_connection *connection, int source, __u32 isn)
{
	return nt_connection_state(connection) == NT_STATE_SYN_SENT && source == connection->src_index &&
	       (connection->side[source & 1] & NT_SIDE_SYN) && connection->isn[source & 1] == isn;
}

/* Returns whether the packet acknowledges a SYN with this sequence number, and no more data than a SYN may carry. */
NT_INLINE int nt_acknowledges_syn(const struct nt_packet *packet, __u32 isn)
{
	return (packet->flags & NT_ACK) && packet->acknowledgement - isn - 1 <= NT_MOST_SYN_PAYLOAD;
}

/* Returns whether a connection that was reset may go on: the RST may not have been taken. */
NT_INLINE int nt_connection_may_go_on(const struct nt_connection *connection, __u64 now)
{
	int side = nt_connection_side_reset(connection, 0) ? 0 : 1;

	return nt_connection_is_established(connection) && !(connection->flow[side].flags & NT_FLOW_RST_FITS) &&
	       now - connection->rst_ns[side] < NT_OUTLIVED_NS;
}

/* Returns whether a SYN with another sequence number begins another connection at once. Otherwise the other side may
 * still be in this one, and refuses it.
 */
NT_INLINE int nt_connection_is_over(const struct nt_connection *connection, int source, enum nt_state state, __u64 now)
{
	if (!(connection->side[nt_connection_peer(connection, source)] & NT_SIDE_SEEN))
		return 1;
	if (state == NT_STATE_RESET)
		return !nt_connection_may_go_on(connection, now);
	/* In LAST_ACK the other side refuses it, in TIME_WAIT it does not. One of the FINs may have been refused too. */
	if (state == NT_STATE_CLOSED)
		return connection->side[0] & connection->side[1] & NT_SIDE_ACKNOWLEDGED_FIN;
	return state == NT_STATE_SYN_SENT;
}

/* Keeps a SYN that is refused unless its receiver answers it. */
NT_INLINE __u32 nt_connection_hold_syn(struct nt_connection *connection, const struct nt_packet *packet, int source,
				       __u64 now)
{
	int again = connection->held_from == 1 + source && connection->held_isn == packet->sequence;

	if (again) {
		connection->held_count += connection->held_count < 255;
		return NT_STEP_REFUSED;
	}
	connection->held_from = 1 + source;
	connection->held_isn = packet->sequence;
	connection->held_ns = now;
	connection->held_count = 1;
	if (packet->flags & NT_FIN)
		return NT_STEP_REFUSED | nt_connection_letter_once(connection, source, 'Q', NT_LETTER_ODD_SYN);
	return NT_STEP_REFUSED | NT_STEP_LETTER('S');
}

/* Returns whether the packet answers the SYN that is kept. */
NT_INLINE int nt_connection_answers_held(const struct nt_connection *connection, const struct nt_packet *packet,
					 int source, __u64 now)
{
	int peer = nt_connection_peer(connection, source);

	return connection->held_from == 1 + peer && (packet->flags & (NT_SYN | NT_RST)) &&
	       nt_acknowledges_syn(packet, connection->held_isn) &&
	       !((connection->side[peer] & NT_SIDE_SYN) && packet->acknowledgement == connection->isn[peer] + 1) &&
	       now < connection->held_ns + NT_ANSWERED_NS;
}

/* Handles a SYN without ACK. */
NT_INLINE __u32 nt_connection_syn(struct nt_connection *connection, const struct nt_packet *packet, int source,
				  enum nt_state state, __u64 now)
{
	int same = connection->isn[source] == packet->sequence;
	int known = connection->side[source] & NT_SIDE_SYN;

	if (known && same && state != NT_STATE_CLOSED) {
		if (source == connection->src_index)
			nt_connection_set_earlier(&connection->syn_ns, packet, now);
		return NT_STEP_REPEAT;
	}
	/* A connection that began with the SYN-ACK: it acknowledges the SYN's sequence number. */
	if (!known && same && source == connection->src_index && !(connection->marks & NT_MARK_MIDSTREAM))
		connection->syn_ns = now;
	else if (!known && source != connection->src_index && state == NT_STATE_SYN_SENT)
		connection->marks |= NT_MARK_SIMULTANEOUS;
	else if ((known && same) || nt_connection_is_over(connection, source, state, now))
		return NT_STEP_NEW;
	else
		return nt_connection_hold_syn(connection, packet, source, now);
	return NT_STEP_CHANGED | nt_connection_set_syn(connection, packet, source);
}

/* Returns whether the SYN-ACK answers the other side's SYN. If its sender sent a SYN before (RFC 9293 figure 8), the
 * SYN-ACK must repeat that. */
NT_INLINE int nt_connection_synack_fits(const struct nt_connection *connection, const struct nt_packet *packet,
					int source)
{
	int peer = nt_connection_peer(connection, source);

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
	int again = (connection->side[source] & NT_SIDE_SYN) && connection->isn[source] == packet->sequence;
	__u32 result = NT_STEP_CHANGED;

	if (connection->side[source] & NT_SIDE_SYNACK) {
		if (again) {
			if (source != connection->src_index)
				nt_connection_set_earlier(&connection->synack_ns, packet, now);
			return NT_STEP_REPEAT;
		}
		if (state != NT_STATE_SYN_RECEIVED ||
		    !nt_acknowledges_syn(packet, connection->isn[nt_connection_peer(connection, source)]))
			return NT_STEP_REFUSED | NT_STEP_LETTER('H');
		connection->marks |= NT_MARK_COOKIES;
	} else if (state == NT_STATE_CLOSED || !nt_connection_synack_fits(connection, packet, source)) {
		return again ? NT_STEP_REPEAT : NT_STEP_REFUSED | NT_STEP_LETTER('H');
	} else if (state == NT_STATE_RESET) {
		result = NT_STEP_REPEAT;
	} else if (nt_connection_synack_completes(connection, state)) {
		connection->side[source] |= NT_SIDE_SYNCHRONISED;
		connection->ack_ns = now;
		result |= NT_STEP_ESTABLISHED;
	}
	if (!connection->synack_ns && (source != connection->src_index || (connection->marks & NT_MARK_SELF)))
		connection->synack_ns = now;
	if (!connection->ack_ns && connection->early_ack_ns && connection->early_ack == packet->sequence + 1)
		connection->ack_ns = connection->early_ack_ns;
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

/* Returns whether the opener's ACK is another one than that which completed the handshake. */
NT_INLINE int nt_connection_is_later_ack(const struct nt_connection *connection, const struct nt_packet *packet,
					 __u64 now)
{
	return connection->ack_ns &&
	       (!nt_connection_precedes(packet, now, connection->ack_ns) || now < connection->synack_ns);
}

/* Handles an ACK of the opener. It completes the handshake even if the SYN-ACK was not seen. */
NT_INLINE __u32 nt_connection_opener_ack(struct nt_connection *connection, const struct nt_packet *packet, int source,
					 __u64 now)
{
	int answerer = 1 - source;

	if (nt_connection_is_later_ack(connection, packet, now) ||
	    packet->sequence - connection->isn[source] - 1 >= NT_MOST_WINDOW ||
	    !nt_connection_ack_fits(connection, packet, answerer))
		return 0;
	if (connection->side[answerer] & NT_SIDE_SYNACK) {
		connection->ack_ns = now;
		return NT_STEP_CHANGED;
	}
	if ((connection->early_ack_ns || connection->side[source] & NT_SIDE_SYNCHRONISED) &&
	    !nt_connection_precedes(packet, now, connection->early_ack_ns))
		return 0;
	connection->early_ack_ns = now;
	connection->early_ack = packet->acknowledgement;
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

/* Returns whether a FIN in this place is refused: the other side has acknowledged bytes behind it, or the FIN of this
 * side is another one. A host that does not pass in every packet knows the latter only from acknowledged FINs, and from
 * the place: nothing but a forged FIN is right behind a FIN.
 */
NT_INLINE int nt_connection_refuses_fin(const struct nt_connection *connection, __u32 sequence, int source)
{
	int peer = nt_connection_peer(connection, source);
	const struct nt_flow *flow = &connection->flow[peer];

	if (connection->side[source] & NT_SIDE_FIN)
		return (connection->side[source] & NT_SIDE_FIN_FITS) ||
		       (connection->side[peer] & NT_SIDE_ACKNOWLEDGED_FIN) ||
		       sequence == connection->fin_sequence[source] + 1;
	return (flow->flags & NT_FLOW_SYNCHRONISED) && nt_sequence_after(flow->acknowledged, sequence + 1);
}

/* Returns whether the side's FIN acknowledges the other side's. */
NT_INLINE int nt_connection_fin_is_answer(const struct nt_connection *connection, int side)
{
	return connection->fin_acknowledgement[side] == connection->fin_sequence[1 - side] + 1;
}

/* Sets the closer to the sender of the first FIN. */
NT_INLINE void nt_connection_find_first_closer(struct nt_connection *connection)
{
	__u64 first = connection->fin_ns[0], second = connection->fin_ns[1];
	int answers = nt_connection_fin_is_answer(connection, 0) - nt_connection_fin_is_answer(connection, 1);

	if (!first || !second)
		connection->first_closer = first ? 1 : second ? 2 : 0;
	else if (answers)
		connection->first_closer = answers > 0 ? 2 : 1;
	else if (first != second)
		connection->first_closer = first < second ? 1 : 2;
}

/* Sets the closer after a FIN. */
NT_INLINE void nt_connection_update_first_closer(struct nt_connection *connection, const struct nt_packet *packet)
{
	__u8 before = connection->first_closer;

	nt_connection_find_first_closer(connection);
	if (before && packet->marks & NT_PACKET_OTHER_CLOCK)
		connection->first_closer = before;
}

/* Handles a FIN after a RST. The RST changes nothing if it was sent after this FIN and that of the other side. */
NT_INLINE __u32 nt_connection_fin_after_reset(struct nt_connection *connection, const struct nt_packet *packet,
					      int source, __u64 now)
{
	int peer = nt_connection_peer(connection, source);
	int reset_by = nt_connection_side_reset(connection, source) ? source : peer;

	if (!(connection->side[peer] & NT_SIDE_FIN) ||
	    !nt_connection_precedes(packet, now, connection->rst_ns[reset_by]) ||
	    connection->fin_ns[peer] > connection->rst_ns[reset_by])
		return NT_STEP_REPEAT;
	connection->outlived[nt_connection_peer(connection, reset_by)] = connection->resets[reset_by];
	connection->last_change_ns = connection->fin_ns[peer] > now ? connection->fin_ns[peer] : now;
	return NT_STEP_REVIVED;
}

NT_INLINE void nt_connection_set_fin(struct nt_connection *connection, const struct nt_packet *packet, int source,
				     __u64 now)
{
	connection->fin_sequence[source] = nt_packet_end_sequence(packet) - 1;
	connection->fin_ns[source] = now;
	connection->fin_acknowledgement[source] = packet->acknowledgement;
	connection->side[source] |= NT_SIDE_FIN;
}

NT_INLINE __u32 nt_connection_fin(struct nt_connection *connection, const struct nt_packet *packet, int source,
				  enum nt_state state, __u64 now)
{
	__u32 sequence = packet->sequence + packet->payload_length + !!(packet->flags & NT_SYN);
	/* A packet with a SYN has its letter already. */
	__u32 letter = packet->flags & NT_SYN ? 0 : NT_STEP_LETTER('F');
	__u8 had = connection->side[source] & NT_SIDE_FIN;
	int again = had && connection->fin_sequence[source] == sequence;
	__u8 peer = connection->side[1 - source];
	struct nt_flow *flow = &connection->flow[source];

	if (again && !nt_connection_precedes(packet, now, connection->fin_ns[source]))
		return NT_STEP_REPEAT;
	if (!again && nt_connection_refuses_fin(connection, sequence, source))
		return NT_STEP_REFUSED | letter;
	if ((connection->marks & NT_MARK_FOLLOWED) && (flow->flags & NT_FLOW_SENT) && packet->sequence == flow->next)
		connection->side[source] |= NT_SIDE_FIN_FITS;
	if (had && !again)
		connection->marks |= NT_MARK_TWO_FINS;
	nt_connection_set_fin(connection, packet, source, now);
	nt_connection_update_first_closer(connection, packet);
	if (again)
		return NT_STEP_REPEAT;
	if (state == NT_STATE_RESET)
		return letter | nt_connection_fin_after_reset(connection, packet, source, now);
	if ((peer & NT_SIDE_FIN) || (connection->marks & NT_MARK_SELF))
		return NT_STEP_CHANGED | NT_STEP_ENDED | letter;
	return NT_STEP_CHANGED | letter;
}

enum nt_rst_fit {
	NT_RST_REFUSED,
	NT_RST_PLAUSIBLE, /* within the window, as far as is known */
	NT_RST_FITS,      /* it has the next sequence number: RFC 5961 3.2 */
};

/* Judges a RST in SYN_SENT and SYN_RECEIVED. */
NT_INLINE enum nt_rst_fit nt_connection_rst_fits_attempt(const struct nt_connection *connection,
							 const struct nt_packet *packet, int source,
							 enum nt_state state)
{
	int is_opener = source == connection->src_index;
	int follows_syn = packet->sequence - connection->isn[source] <= NT_MOST_SYN_PAYLOAD + 1;

	if (!is_opener && nt_acknowledges_syn(packet, connection->isn[1 - source]))
		return NT_RST_FITS;
	if (is_opener || state == NT_STATE_SYN_RECEIVED)
		return follows_syn || connection->marks & NT_MARK_COOKIES ? NT_RST_FITS : NT_RST_REFUSED;
	return NT_RST_REFUSED;
}

/* Judges a RST by sequence numbers. A closed endpoint answers with the number that was acknowledged last; after a FIN
 * some systems send a RST with the FIN's number, which the kernel takes.
 */
NT_INLINE enum nt_rst_fit nt_connection_rst_fits(const struct nt_connection *connection, const struct nt_packet *packet,
						 int source, enum nt_state state)
{
	const struct nt_flow *own = &connection->flow[source];
	const struct nt_flow *peer = &connection->flow[nt_connection_peer(connection, source)];
	__u32 next = nt_flow_next(own, peer);

	if (!nt_connection_is_established(connection) && state != NT_STATE_CLOSED && state != NT_STATE_HALF_CLOSED)
		return nt_connection_rst_fits_attempt(connection, packet, source, state);
	if (!(peer->flags & NT_FLOW_ACKNOWLEDGED))
		return NT_RST_PLAUSIBLE;
	if (packet->sequence == next || packet->sequence == peer->acknowledged)
		return NT_RST_FITS;
	if ((connection->side[source] & NT_SIDE_FIN) && packet->sequence == connection->fin_sequence[source] &&
	    packet->sequence + 1 == peer->acknowledged)
		return NT_RST_FITS;
	if (!(peer->flags & NT_FLOW_PRUNED) &&
	    (nt_sequence_after(peer->acknowledged, packet->sequence) ||
	     nt_sequence_after(packet->sequence, nt_sequence_later(peer->edge, next))))
		return NT_RST_REFUSED;
	return NT_RST_PLAUSIBLE;
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

NT_INLINE void nt_connection_set_reset(struct nt_connection *connection, const struct nt_packet *packet, int source,
				       enum nt_rst_fit fit, __u64 now)
{
	struct nt_flow *flow = &connection->flow[source];

	flow->reset = packet->sequence;
	flow->flags &= ~(__u32)(NT_FLOW_ALIVE | NT_FLOW_RST_AGAIN | NT_FLOW_RST_FITS);
	if (fit == NT_RST_FITS)
		flow->flags |= NT_FLOW_RST_FITS;
	if (nt_connection_side_reset(connection, source)) {
		if (connection->last_change_ns == connection->rst_ns[source])
			nt_connection_set_earlier(&connection->last_change_ns, packet, now);
		connection->rst_ns[source] = now;
		return;
	}
	connection->rst_ns[source] = now;
	connection->change_before_rst_ns = connection->last_change_ns;
	connection->last_change_ns = now;
	connection->side[source] |= NT_SIDE_RST;
	connection->resets[source] = connection->outlived[nt_connection_peer(connection, source)] + 1;
}

/* Returns whether the RST is too late to change the end. */
NT_INLINE int nt_connection_rst_is_late(const struct nt_connection *connection, const struct nt_packet *packet,
					int source, enum nt_state state, enum nt_rst_fit fit, __u64 now)
{
	if (state == NT_STATE_CLOSED)
		return !nt_connection_precedes(packet, now, connection->fin_ns[0]) &&
		       !nt_connection_precedes(packet, now, connection->fin_ns[1]);
	if (state != NT_STATE_RESET)
		return 0;
	if (!nt_connection_side_reset(connection, source))
		return !nt_connection_precedes(packet, now, connection->rst_ns[nt_connection_peer(connection, source)]);
	/* A RST that fits replaces one that may have been refused. */
	return fit != NT_RST_FITS || (!nt_connection_precedes(packet, now, connection->rst_ns[source]) &&
				      !nt_connection_may_go_on(connection, now));
}

NT_INLINE __u32 nt_connection_rst(struct nt_connection *connection, const struct nt_packet *packet, int source,
				  enum nt_state state, __u64 now)
{
	enum nt_rst_fit fit = nt_connection_rst_fits(connection, packet, source, state);
	__u32 letter = nt_connection_rst_letter(connection, packet, source);
	int again = nt_connection_side_reset(connection, source);

	connection->rst_sequence[source] = packet->sequence;
	if (fit == NT_RST_REFUSED)
		return NT_STEP_REFUSED | letter;
	if (again)
		connection->flow[source].flags |= NT_FLOW_RST_AGAIN;
	if (nt_connection_rst_is_late(connection, packet, source, state, fit, now))
		return NT_STEP_REPEAT | letter;
	nt_connection_set_reset(connection, packet, source, fit, now);
	return NT_STEP_CHANGED | NT_STEP_ENDED | letter;
}

/* Returns whether the packet shows that its sender did not take the RST of the other side. */
NT_INLINE int nt_connection_is_outlived(const struct nt_connection *connection, const struct nt_packet *packet,
					int peer, __u64 now)
{
	const struct nt_flow *flow = &connection->flow[peer];
	__u32 reset = flow->reset;

	if (now >= connection->rst_ns[peer] + NT_OUTLIVED_NS)
		return 1;
	if (!(packet->flags & NT_ACK))
		return 0;
	/* A RST may have the number of the FIN before it. */
	reset += (connection->side[peer] & NT_SIDE_FIN) && connection->fin_sequence[peer] == reset;
	return nt_sequence_after(packet->acknowledgement, reset) ||
	       ((flow->flags & NT_FLOW_ALIVE) && !nt_sequence_after(flow->alive_end, packet->acknowledgement));
}

/* Takes back the RST that the sender of the packet survived. */
NT_INLINE void nt_connection_revive(struct nt_connection *connection, int source, int peer)
{
	int i;

	connection->outlived[source] = connection->resets[peer];
	connection->last_change_ns = connection->change_before_rst_ns;
	for (i = 0; i < 2; i++)
		if (connection->fin_ns[i] > connection->last_change_ns)
			connection->last_change_ns = connection->fin_ns[i];
	nt_connection_find_first_closer(connection);
}

/* Returns whether the packet shows that its sender has not sent the RST that the packets show: it acknowledges the FIN
 * with which the other side went on. */
NT_INLINE int nt_connection_disowns_reset(const struct nt_connection *connection, const struct nt_packet *packet,
					  int source, int peer)
{
	return packet->flags & NT_ACK && connection->side[peer] & NT_SIDE_FIN &&
	       connection->fin_ns[peer] > connection->rst_ns[source] &&
	       packet->acknowledgement == connection->fin_sequence[peer] + 1;
}

/* Takes a packet that was sent before a RST, and came after it. A RST that follows directly on it is the sender's. */
NT_INLINE void nt_connection_precede_reset(struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	struct nt_flow *flow = &connection->flow[source];

	if (nt_connection_side_reset(connection, source) && nt_packet_end_sequence(packet) == flow->reset)
		flow->flags |= NT_FLOW_RST_FITS;
}

/* Looks for signs of life after a RST. Returns NT_STEP_REVIVED if the connection goes on, or 0. */
NT_INLINE __u32 nt_connection_outlive(struct nt_connection *connection, const struct nt_packet *packet, int source,
				      __u64 now)
{
	int peer = nt_connection_peer(connection, source);
	struct nt_flow *flow = &connection->flow[source];

	if (packet->flags & (NT_SYN | NT_RST) || connection->marks & NT_MARK_SELF ||
	    !nt_connection_is_established(connection))
		return 0;
	if (nt_connection_precedes(packet, now, connection->rst_ns[0]) ||
	    nt_connection_precedes(packet, now, connection->rst_ns[1])) {
		nt_connection_precede_reset(connection, packet, source);
		return 0;
	}
	if (nt_connection_side_reset(connection, source) && (packet->payload_length || packet->flags & NT_FIN))
		nt_flow_go_on(flow, packet);
	if (nt_connection_side_reset(connection, source) &&
	    nt_connection_disowns_reset(connection, packet, source, peer)) {
		nt_connection_revive(connection, peer, source);
		return NT_STEP_REVIVED;
	}
	if (!nt_connection_side_reset(connection, peer))
		return 0;
	flow->flags |= NT_FLOW_WENT_ON;
	if (!nt_connection_is_outlived(connection, packet, peer, now))
		return 0;
	nt_connection_revive(connection, source, peer);
	return NT_STEP_REVIVED;
}

/* Returns whether the packet acknowledges more than the side's FIN did. */
NT_INLINE int nt_connection_is_after_fin(const struct nt_connection *connection, const struct nt_packet *packet,
					 int source)
{
	return packet->flags & NT_ACK &&
	       nt_sequence_after(packet->acknowledgement, connection->fin_acknowledgement[source]);
}

/* Returns whether the packet shows that its sender did not send its FIN: it has a byte in the FIN's place, or it is a
 * later acknowledgement with the FIN's number, which is used up when a FIN is sent.
 */
NT_INLINE int nt_connection_disproves_fin(const struct nt_connection *connection, const struct nt_packet *packet,
					  int source)
{
	__u32 distance = connection->fin_sequence[source] - packet->sequence;

	if (packet->flags & NT_FIN)
		return 0;
	return distance < packet->payload_length ||
	       (!distance && nt_connection_is_after_fin(connection, packet, source));
}

/* Takes back the side's FIN if the packet disproves it: then nobody can have taken the FIN. */
NT_INLINE void nt_connection_drop_fin(struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	__u8 peer = connection->side[nt_connection_peer(connection, source)];

	if (!(connection->side[source] & NT_SIDE_FIN) || peer & (NT_SIDE_ACKNOWLEDGED_FIN | NT_SIDE_FIN) ||
	    !nt_connection_disproves_fin(connection, packet, source))
		return;
	connection->side[source] &= ~(NT_SIDE_FIN | NT_SIDE_FIN_FITS);
	connection->fin_ns[source] = 0;
	nt_connection_find_first_closer(connection);
}

/* Takes the acknowledgement of the other side's FIN. If it has the number of the side's own FIN, that FIN was not sent
 * before: a sent FIN uses up its number. Then the FIN that was seen was a forged one in the right place. A FIN that
 * is sent again shows nothing: some hosts answer so when both FINs cross.
 */
NT_INLINE void nt_connection_acknowledge_fin(struct nt_connection *connection, const struct nt_packet *packet,
					     int source, __u64 now)
{
	if ((connection->side[source] & (NT_SIDE_FIN | NT_SIDE_ACKNOWLEDGED_FIN)) == NT_SIDE_FIN &&
	    connection->fin_sequence[source] == packet->sequence && !(packet->flags & NT_FIN) &&
	    nt_connection_is_after_fin(connection, packet, source)) {
		connection->fin_ns[source] = now;
		connection->fin_acknowledgement[source] = packet->acknowledgement;
		nt_connection_find_first_closer(connection);
	}
	connection->side[source] |= NT_SIDE_ACKNOWLEDGED_FIN;
}

/* Handles a packet without SYN and RST. */
NT_INLINE __u32 nt_connection_other(struct nt_connection *connection, const struct nt_packet *packet, int source,
				    enum nt_state state, __u64 now)
{
	int peer = nt_connection_peer(connection, source);
	__u32 result = nt_connection_acknowledge(connection, packet, source, state, now);

	nt_connection_drop_fin(connection, packet, source);
	if (packet->flags & NT_ACK && connection->side[peer] & NT_SIDE_FIN &&
	    packet->acknowledgement == connection->fin_sequence[peer] + 1)
		nt_connection_acknowledge_fin(connection, packet, source, now);
	return result;
}

/* Handles a packet that was found to be refused. */
NT_INLINE __u32 nt_connection_refuse(struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	if (packet->flags & NT_RST) {
		__u32 letter = nt_connection_rst_letter(connection, packet, source);

		connection->rst_sequence[source] = packet->sequence;
		return NT_STEP_REFUSED | letter;
	}
	if ((packet->flags & (NT_SYN | NT_FIN)) == (NT_SYN | NT_FIN))
		return NT_STEP_REFUSED | nt_connection_letter_once(connection, source, 'Q', NT_LETTER_ODD_SYN);
	if (packet->flags & NT_SYN)
		return NT_STEP_REFUSED | (packet->flags & NT_ACK ? NT_STEP_LETTER('H') : NT_STEP_LETTER('S'));
	return NT_STEP_REFUSED | (packet->flags & NT_FIN ? NT_STEP_LETTER('F') : 0);
}

/* Returns whether the receiver drops the packet. The rules for SYN and RST depend on the state, and follow later. */
NT_INLINE int nt_connection_refuses(const struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	if (packet->marks & NT_PACKET_REFUSED)
		return 1;
	if (packet->flags & (NT_SYN | NT_RST) || !(connection->marks & NT_MARK_FOLLOWED) ||
	    !(nt_connection_is_established(connection) || nt_connection_has_synack(connection)))
		return 0;
	return nt_flow_refuses(&connection->flow[source], &connection->flow[nt_connection_peer(connection, source)],
			       packet);
}

/* Returns the value. The verifier takes the result for unknown, and so has one case to check where there were several:
 * it does not know that no packet has 2^31 bytes of payload.
 */
NT_INLINE __u32 nt_connection_merge_paths(const struct nt_packet *packet, __u32 value)
{
	return value ^ -(packet->payload_length >> 31);
}

/* Takes a packet that its receiver does not drop. Returns enum nt_step bits and a letter. */
NT_INLINE __u32 nt_connection_take(struct nt_connection *connection, const struct nt_packet *packet, int source,
				   __u64 now)
{
	__u32 revived = nt_connection_merge_paths(packet, nt_connection_outlive(connection, packet, source, now));
	enum nt_state state = nt_connection_merge_paths(packet, nt_connection_state(connection));
	__u8 kind = packet->flags & (NT_SYN | NT_ACK | NT_RST);
	__u32 result;

	if (nt_connection_answers_held(connection, packet, source, now))
		return NT_STEP_NEW;
	if (kind & NT_RST)
		result = nt_connection_rst(connection, packet, source, state, now);
	else if (kind == NT_SYN)
		result = nt_connection_syn(connection, packet, source, state, now);
	else if (kind == (NT_SYN | NT_ACK))
		result = nt_connection_synack(connection, packet, source, state, now);
	else
		result = nt_connection_other(connection, packet, source, state, now);
	result = nt_connection_merge_paths(packet, result);
	if (!(result & (NT_STEP_NEW | NT_STEP_REFUSED)) && (packet->flags & (NT_FIN | NT_RST)) == NT_FIN)
		result |= nt_connection_fin(connection, packet, source, state, now);
	return result | revived;
}

/* Takes one more packet. source: the index of its sender, from nt_key_from_packet(). Returns enum nt_step bits, 0 for
 * data or an ACK that changes nothing. With NT_STEP_NEW the connection is unchanged: the caller ends it and begins
 * another with nt_connection_begin_next().
 */
NT_INLINE __u32 nt_connection_step(struct nt_connection *connection, const struct nt_packet *packet, int source,
				   __u64 now)
{
	__u32 result;

	source &= 1;
	result = nt_connection_refuses(connection, packet, source) ?
			 nt_connection_refuse(connection, packet, source) :
			 nt_connection_take(connection, packet, source, now);
	result = nt_connection_merge_paths(packet, result);
	if (result & NT_STEP_NEW)
		return NT_STEP_NEW;
	if (result >> 8)
		nt_connection_append_letter(connection, source, result >> 8);
	connection->side[source] |= NT_SIDE_SEEN;
	connection->last_seen_ns = now;
	if (result & NT_STEP_CHANGED && !nt_connection_precedes(packet, now, connection->last_change_ns))
		connection->last_change_ns = now;
	if (result & NT_STEP_REVIVED) {
		result |= NT_STEP_CHANGED;
		if (nt_connection_state(connection) == NT_STATE_CLOSED)
			result |= NT_STEP_ENDED;
	}
	if (!(result & NT_STEP_CHANGED))
		return result & (NT_STEP_REPEAT | NT_STEP_REFUSED);
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

/* Removes the letter of the SYN that is kept, before the connection is reported: the SYN began the next one. */
NT_INLINE void nt_connection_release_syn(struct nt_connection *connection)
{
	__u32 last = connection->history_length - 1;
	int side = connection->held_from - 1;

	if (last >= NT_CONNECTION_HISTORY)
		return;
	if (connection->history[last] == 'S' + (side != connection->src_index) * 32)
		connection->history_length = last;
}

/* Begins the connection of the SYN that `previous` kept, with the packet that answers it: a SYN-ACK or a RST. */
NT_INLINE __u32 nt_connection_begin_held(struct nt_connection *connection, const struct nt_connection *previous,
					 const struct nt_packet *packet, int source, __u64 now)
{
	int opener = (previous->held_from - 1) & 1;
	__u32 result;

	__builtin_memset(connection, 0, sizeof(*connection));
	connection->first_ns = previous->held_ns;
	connection->syn_ns = previous->held_ns;
	connection->vlan = packet->vlan;
	connection->src_index = opener;
	connection->isn[opener] = previous->held_isn;
	connection->side[opener] = NT_SIDE_SEEN | NT_SIDE_SYN;
	connection->flow[opener].next = previous->held_isn + 1;
	connection->flow[opener].flags = NT_FLOW_SENT;
	nt_connection_append(connection, 'S');
	if (packet->flags & NT_RST) {
		result = nt_connection_rst(connection, packet, source, NT_STATE_SYN_SENT, now);
	} else {
		connection->synack_ns = now;
		result = NT_STEP_CHANGED | nt_connection_set_syn(connection, packet, source);
	}
	if (result >> 8)
		nt_connection_append_letter(connection, source, result >> 8);
	connection->side[source] |= NT_SIDE_SEEN;
	connection->last_change_ns = now;
	connection->last_seen_ns = now;
	return NT_STEP_CHANGED | (result & NT_STEP_ENDED);
}

/* Begins the connection after `previous`, with the packet for which that returned NT_STEP_NEW. Returns enum nt_step bits
 * as nt_connection_begin() does.
 */
NT_INLINE __u32 nt_connection_begin_next(struct nt_connection *connection, const struct nt_connection *previous,
					 const struct nt_packet *packet, int source, __u64 now)
{
	source &= 1;
	if ((packet->flags & (NT_SYN | NT_ACK | NT_RST)) == NT_SYN)
		return nt_connection_begin(connection, packet, source, now);
	return nt_connection_begin_held(connection, previous, packet, source, now);
}

/* Adds a packet to the sequence numbers that are known of its side; for hosts that pass in every packet. */
NT_INLINE void nt_connection_follow(struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	struct nt_flow *flow;

	source &= 1;
	flow = &connection->flow[source];
	connection->marks |= NT_MARK_FOLLOWED;
	if (packet->marks & NT_PACKET_REFUSED)
		nt_flow_take_refused(flow, packet);
	else if (!(packet->flags & NT_RST))
		nt_flow_take(flow, &connection->flow[nt_connection_peer(connection, source)], packet);
}

/* Adds the letters of data and of pure ACKs to the history; for hosts that pass in every packet. */
NT_INLINE void nt_connection_add_letters(struct nt_connection *connection, const struct nt_packet *packet, int source)
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

/* Does both. Called after nt_connection_step() or nt_connection_begin(), with NT_PACKET_REFUSED set if the step returned
 * NT_STEP_REFUSED.
 */
NT_INLINE void nt_connection_add_packet(struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	nt_connection_follow(connection, packet, source);
	nt_connection_add_letters(connection, packet, source);
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
	__builtin_memset(&connection->rst_ns, 0, sizeof(connection->rst_ns));
}

#endif
