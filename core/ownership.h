/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ownership: decides which socket of this machine a connection's packets belong to, for the kernel side, the sweep and
 * the join. tests/unit/test_ownership.c has a row for every case below; "-" stands for any value.
 *
 * The wire context records, for each side of a connection, the cookie of the socket that sent its SYN, SYN-ACK or FIN.
 * The opener is the side whose SYN was seen first, the answerer is the other one.
 *
 * A listener's SYN-ACK has the cookie of its request, which a child socket inherits. The last ACK of the handshake may
 * make no child: the listen queue is full, the listener waits for data (TCP_DEFER_ACCEPT), or a firewall drops the ACK.
 * So the wire context also records whether a side has a socket: it sent a packet itself, or reported that it is
 * established.
 *
 * 1. Does a side belong to a socket, judged by the wire context's entry alone? nt_ownership_of_side():
 *
 *    side      handshake   socket  its FIN  result   reason
 *    opener    incomplete  yes     -        OPENING  connect() makes the socket before the SYN is sent
 *    opener    complete    yes     -        SOCKET
 *    opener    -           no      -        NONE     the SYN of a local client shows its socket
 *    answerer  incomplete  yes     -        OPENING  simultaneous open; TCP Fast Open, where the SYN makes the child
 *    answerer  incomplete  no      -        NONE     before the last ACK of the handshake there is nothing to record
 *    answerer  complete    yes     -        SOCKET
 *    answerer  complete    no      unseen   MAYBE    its socket may still come, or is in another namespace and left
 *                                                    no cookie (SYN cookies, RFC 4987)
 *    answerer  complete    no      seen     NONE     the FIN of a local server shows its socket
 *    side 1 of a self-connection   -        NONE     both endpoints are side 0; the answerer's rows do not apply
 *
 *    OPENING and SOCKET are proof; every caller takes them alike, except for one. When one socket gives up or loses its
 *    peer, its connection's entry is removed unless the other side is SOCKET: an entry that is half-open then has
 *    nothing to add to the record of the other socket.
 *
 * 2. Is the connection that of a given socket with the same addresses and ports? nt_claim_of_socket():
 *
 *    wire's cookie  socket's cookie  socket's namespace  result  reason
 *    A              A                -                   COOKIE  no two sockets have the same cookie; the packets of
 *                                                                another namespace cross our interfaces too
 *    A              B                -                   NONE
 *    A, none        none             the interfaces'     TUPLE   before Linux 5.12 programs on sockets get no cookie
 *    none           A                the interfaces'     TUPLE   SYN cookies, as above
 *    one is none, or both            another             NONE    two namespaces may use the same addresses and ports
 *
 * 3. The same addresses and ports can be used again, even by the same socket with the same cookie (connect() after a
 *    failed connect()). So the connection must also fall into the life of the socket:
 *
 *    nt_socket_owns_latest()  The connection is the latest one of its addresses and ports, and the socket is alive or
 *                             closes now: the kernel side at the events of a socket. A matching cookie is enough. By
 *                             TUPLE, a server's socket that is older than the first packet belongs to the connection
 *                             before this one.
 *    nt_socket_owns()         The connection is any one of its addresses and ports, and the socket has closed: the
 *                             join, which holds several of both. Cookie or not, nt_life_has_connection() must hold:
 *
 *    first packet                      socket        its side  result  reason
 *    after the socket closed           -             -         no
 *    before it closed                  pre-existing  -         yes     neither its start nor its role is certain
 *    before it closed                  server        opener    no
 *    not after the socket's start      server        answerer  yes     the last ACK of the handshake makes the socket
 *    later                             server        answerer  no
 *    not before the socket's start     client        opener    yes     connect() precedes the SYN
 *    earlier                           client        opener    no
 *    before it closed                  client        answerer  only after a simultaneous open
 *
 * 4. Did no socket come of a completed handshake with a listener of this machine? nt_is_unaccepted():
 *
 *    handshake   answerer's socket  its request's cookie  answered here  its FIN  result  reason
 *    complete    no                 yes                   -              unseen   yes     only a listener sends it
 *    complete    no                 no                    yes            unseen   yes     SYN cookies
 *    complete    no                 -                     -              seen     no      a listener sends no FIN
 *    complete    no                 no                    no             -        no      forwarded
 *    complete    yes                -                     -              -        no
 *    incomplete  -                  -                     -              -        no
 *
 *    "Answered here" is a SYN-ACK that left an interface, had no socket and had not come in by another interface.
 *
 * 5. Was a connection that no socket owns, and that no listener answered as in 4, forwarded? nt_is_forwarded():
 *
 *    SYN seen leaving  handshake   sockets tracked  result  reason
 *    yes               -           -                yes     a local client would have left its cookie
 *    no                complete    yes              yes     the table above would have found a local socket
 *    no                complete    no               no      it may be a local server's, under SYN cookies
 *    no                incomplete  -                no      it was for this machine, and no socket took it
 *
 * nt_filter_has_side() (core/kernel_filter.h) is not one of these: it asks which role a socket on a side would have.
 */
#ifndef NETRACKER_CORE_OWNERSHIP_H
#define NETRACKER_CORE_OWNERSHIP_H

#include "event.h"

/* In the order of certainty. */
enum nt_ownership {
	NT_OWNED_NONE,
	NT_OWNED_MAYBE,   /* a server's socket that has sent nothing with its cookie so far */
	NT_OWNED_OPENING, /* a client's socket; the handshake is not complete */
	NT_OWNED_SOCKET,  /* a socket; the handshake is complete */
};

enum nt_claim {
	NT_CLAIM_NONE,
	NT_CLAIM_TUPLE,  /* by addresses, ports and namespace: another connection can have the same */
	NT_CLAIM_COOKIE, /* by the cookie */
};

/* side: index in the key. */
NT_INLINE enum nt_ownership nt_ownership_of_side(const struct nt_wire *wire, int side)
{
	const struct nt_connection *connection = &wire->connection;
	int established = nt_connection_is_established(connection);

	if (wire->has_socket[side & 1])
		return established ? NT_OWNED_SOCKET : NT_OWNED_OPENING;
	if (side == connection->src_index || !established || connection->marks & NT_MARK_SELF)
		return NT_OWNED_NONE;
	return connection->side[side & 1] & NT_SIDE_FIN ? NT_OWNED_NONE : NT_OWNED_MAYBE;
}

/* Returns whether the side certainly belongs to a socket. */
NT_INLINE int nt_side_has_socket(const struct nt_wire *wire, int side)
{
	return nt_ownership_of_side(wire, side) >= NT_OWNED_OPENING;
}

NT_INLINE int nt_wire_has_socket(const struct nt_wire *wire)
{
	return nt_side_has_socket(wire, 0) || nt_side_has_socket(wire, 1);
}

/* Returns whether the side belongs to a socket that has not closed yet. */
NT_INLINE int nt_side_has_open_socket(const struct nt_wire *wire, int side)
{
	return nt_side_has_socket(wire, side) && !wire->socket_closed[side & 1];
}

/* Returns whether a socket that has not closed will show whether it took the RST that the packets show. Who has closed
 * before it sent or received the RST shows nothing more. */
NT_INLINE int nt_wire_awaits_socket(const struct nt_wire *wire)
{
	return !wire->socket_closed[0] && !wire->socket_closed[1] &&
	       (nt_side_has_open_socket(wire, 0) || nt_side_has_open_socket(wire, 1));
}

/* Returns whether a listener of this machine completed the handshake and no socket came of it so far. */
NT_INLINE int nt_is_unaccepted(const struct nt_wire *wire)
{
	int answerer = !wire->connection.src_index;

	if (!wire->cookie[answerer] && !wire->answered_here)
		return 0;
	return nt_ownership_of_side(wire, answerer) == NT_OWNED_MAYBE;
}

/* Returns whether a connection that no socket owns was forwarded, unless nt_is_unaccepted(). sockets_are_known: this
 * machine's sockets are tracked too. */
NT_INLINE int nt_is_forwarded(const struct nt_wire *wire, int sockets_are_known)
{
	return wire->syn_left || (sockets_are_known && nt_connection_is_established(&wire->connection));
}

NT_INLINE int nt_key_side_is(const struct nt_key *key, int side, const __u8 address[16], __u16 port)
{
	__u64 words[2];

	__builtin_memcpy(words, address, sizeof(words));
	return key->port[side] == port && key->words[side][0] == words[0] && key->words[side][1] == words[1];
}

/* Returns the side of the connection that the socket is, 0 if it is both (a self-connection), -1 if it is neither: by
 * the cookie where address translation gave the packets another tuple, otherwise by the tuple. */
NT_INLINE int nt_side_of_socket(const struct nt_wire *wire, const struct nt_socket *socket)
{
	const struct nt_key *key = &wire->key;
	int side;

	for (side = 0; side < 2; side++)
		if (wire->translated[side] && wire->cookie[side] == socket->cookie)
			return side;
	for (side = 0; side < 2; side++)
		if (nt_key_side_is(key, side, socket->local, socket->local_port) &&
		    nt_key_side_is(key, !side, socket->remote, socket->remote_port))
			return side;
	return -1;
}

/* Judges by cookies, or else by the tuple. side: the socket's side of the key. own_netns: the namespace of the
 * interfaces. */
NT_INLINE enum nt_claim nt_claim_of_socket(const struct nt_wire *wire, int side, const struct nt_socket *socket,
					   __u32 own_netns)
{
	__u64 cookie = wire->cookie[side & 1];

	if (cookie && socket->cookie)
		return cookie == socket->cookie ? NT_CLAIM_COOKIE : NT_CLAIM_NONE;
	return socket->netns == own_netns ? NT_CLAIM_TUPLE : NT_CLAIM_NONE;
}

NT_INLINE int nt_socket_owns_latest(const struct nt_wire *wire, int side, const struct nt_socket *socket,
				    __u32 own_netns)
{
	enum nt_claim claim = nt_claim_of_socket(wire, side, socket, own_netns);

	if (claim != NT_CLAIM_TUPLE)
		return claim == NT_CLAIM_COOKIE;
	return socket->role != NT_ROLE_SERVER || !socket->start_ns || wire->connection.first_ns <= socket->start_ns;
}

/* Returns whether the connection falls into the life of the socket, which has closed (close_ns is set). */
NT_INLINE int nt_life_has_connection(const struct nt_connection *connection, int side, const struct nt_socket *socket)
{
	__u64 first = connection->first_ns;
	int opened = side == connection->src_index;

	if (first > socket->close_ns)
		return 0;
	if (socket->flags & NT_SOCKET_PREEXISTING)
		return 1;
	if (socket->role == NT_ROLE_SERVER)
		return !opened && first <= socket->start_ns;
	if (opened)
		return first >= socket->start_ns;
	return connection->marks & NT_MARK_SIMULTANEOUS || socket->flags & NT_SOCKET_SIMULTANEOUS;
}

NT_INLINE int nt_socket_owns(const struct nt_wire *wire, int side, const struct nt_socket *socket, __u32 own_netns)
{
	return nt_claim_of_socket(wire, side, socket, own_netns) != NT_CLAIM_NONE &&
	       nt_life_has_connection(&wire->connection, side, socket);
}

#endif
