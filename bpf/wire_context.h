/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire context: TC programs on ingress and egress. They never decide what happens to a packet. A packet without
 * SYN, FIN and RST usually costs no more than a check of its flags and of one slot.
 */
#ifndef NETRACKER_BPF_WIRE_CONTEXT_H
#define NETRACKER_BPF_WIRE_CONTEXT_H

#include "icmp.h"
#include "translations.h"

#include "../core/ownership.h"

#define TC_ACT_UNSPEC (-1)
#define ETHERNET_HEADER 14

/* A test that runs captures through these programs defines these, to pass in what the capture says. */
#ifndef NT_NOW
#define NT_NOW() bpf_ktime_get_boot_ns()
#define NT_FRAME_LENGTH(skb) ((skb)->len)
#define NT_INTERFACE(skb) ((skb)->ifindex)
#endif

/* The verifier checks a global function once, and not again for every path that leads to a call. On Linux 5.10 such a
 * function can take no pointer but the packet, so everything else that it works on is in the workspace. */
static __always_inline struct workspace *wire_find_workspace(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&workspaces, &zero);
}

static __always_inline bool is_syn(const struct sighting *sighting)
{
	return (sighting->packet.flags & (NT_SYN | NT_ACK)) == NT_SYN;
}

/* Returns whether the packet is a SYN of a client in this namespace: a forwarded one came in by an interface. */
static __always_inline bool is_begun_here(struct __sk_buff *skb, const struct sighting *sighting)
{
	return is_syn(sighting) && sighting->leaving && !skb->ingress_ifindex;
}

/* Records the TCP socket that sent the packet, if it is one of this machine. A RST, and before 6.13 also the ACK of a
 * time-wait socket, may come from the kernel's control socket, which is a raw one. */
static __always_inline void record_sender(struct __sk_buff *skb, struct nt_wire *wire, struct workspace *workspace)
{
	const struct sighting *sighting = &workspace->sighting;
	__u32 source = sighting->source & 1;
	struct bpf_sock *sender, *sk;

	if (wire->has_socket[source] || sighting->packet.flags & NT_RST)
		return;
	sender = skb->sk;
	if (!sender)
		return;
	sk = bpf_sk_fullsock(sender); /* NULL for a request, whose cookie its child inherits */
	if (sk && (sk->protocol != IPPROTO_TCP || sk->type != SOCK_STREAM))
		return;
	wire->cookie[source] = bpf_get_socket_cookie(skb);
	/* without the socket context nothing reports whether a child came of the request */
	wire->has_socket[source] = sk || !config.sockets_enabled;
	if (!config.sockets_enabled)
		return;
	read_socket_tuple(&workspace->own, sender, nt_address_family(sighting->packet.source) == 4);
	wire->translated[source] = store_translation(workspace, &wire->key, source, wire->cookie[source],
						     is_begun_here(skb, sighting));
}

/* Under SYN cookies a listener's SYN-ACK has neither a socket nor a request. One that is forwarded came in by an
 * interface. */
static __always_inline void record_answer(struct __sk_buff *skb, struct nt_wire *wire)
{
	if (skb->ingress_ifindex)
		wire->answered_here = 0;
	else if (config.sockets_enabled && !skb->sk)
		wire->answered_here = 1;
}

/* Records the socket of a SYN that is kept. */
static __always_inline void record_held_syn(struct __sk_buff *skb, struct nt_wire *wire,
					    const struct sighting *sighting)
{
	struct bpf_sock *sk = skb->sk;

	wire->held_left = sighting->leaving;
	wire->held_cookie = 0;
	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk && sk->protocol == IPPROTO_TCP && sk->type == SOCK_STREAM)
		wire->held_cookie = bpf_get_socket_cookie(skb);
}

static __always_inline void record_sighting(struct __sk_buff *skb, struct nt_wire *wire, struct workspace *workspace)
{
	const struct sighting *sighting = &workspace->sighting;

	/* A SYN that is kept may be another socket's. */
	if (sighting->step & NT_STEP_REFUSED) {
		if (is_syn(sighting) && wire->connection.held_from == 1 + (sighting->source & 1))
			record_held_syn(skb, wire, sighting);
		return;
	}
	record_sender(skb, wire, workspace);
	if (!sighting->leaving)
		return;
	if (is_syn(sighting))
		wire->syn_left = 1;
	else if (sighting->packet.flags & NT_SYN)
		record_answer(skb, wire);
}

/* Copies the final state of the connection before it is removed from its table, which reuses the entry at once. It is
 * not copied into the ring buffer: up to 6.1 the verifier forgets that a record reserved there is not NULL.
 * cause: enum nt_wire_cause. */
static __always_inline void record_wire_end(struct nt_wire_event *event, const struct nt_wire *wire, __u32 cause,
					    __u64 now)
{
	struct nt_streams *followed = NULL;

	if (config.follow_packets)
		followed = bpf_map_lookup_elem(&streams, &wire->key);
	event->header.type = NT_EVENT_TYPE_WIRE_END;
	event->header.padding = 0;
	event->header.now = now;
	event->wire = *wire;
	event->cause = cause;
	event->has_streams = !!followed;
	if (followed)
		event->streams = *followed;
}

/* Returns 1 if no record of the connection in workspace->end can pass the filters, and counts it. */
__noinline int is_wire_end_filtered(struct __sk_buff *skb)
{
	struct workspace *workspace = wire_find_workspace();

	NT_FORGET(skb); /* else the compiler leaves out the unused argument, and the verifier refuses the call */
	if (!workspace || nt_filter_has_wire(filter(), &workspace->end.wire))
		return 0;
	count(config.sockets_enabled && nt_wire_has_socket(&workspace->end.wire) ? NT_COUNT_WIRE_SETTLED :
										   NT_COUNT_WIRE_FILTERED);
	return 1;
}

static __always_inline void emit_wire_end(struct __sk_buff *skb, struct nt_wire_event *event)
{
	__u64 size = event->has_streams ? sizeof(*event) : NT_WIRE_EVENT_SHORT;

	if (config.follow_packets)
		bpf_map_delete_elem(&streams, &event->wire.key);
	if (config.filters && is_wire_end_filtered(skb))
		return;
	if (bpf_ringbuf_output(&events, event, size, ring_flags()))
		count_ring_failure(NT_COUNT_WIRE_RING_FAILED);
}

/* Returns whether the packet begins another connection by answering a SYN that was kept. */
static __always_inline bool answers_held_syn(const struct sighting *sighting)
{
	return sighting->step & NT_STEP_NEW && (sighting->packet.flags & (NT_SYN | NT_ACK | NT_RST)) != NT_SYN;
}

/* Takes that SYN out of the connection that it did not belong to. */
static __always_inline void release_held_syn(struct workspace *workspace)
{
	struct nt_connection *previous = &workspace->end.wire.connection;
	__u32 opener = !(workspace->sighting.source & 1);

	nt_connection_release_syn(previous);
	__builtin_memset(&workspace->followed, 0, sizeof(workspace->followed));
	if (workspace->end.has_streams)
		nt_stream_move_syn(opener ? &workspace->end.streams.of[1].core : &workspace->end.streams.of[0].core,
				   opener ? &workspace->followed.of[1].core : &workspace->followed.of[0].core,
				   previous->held_isn, previous->held_count);
}

/* Removes the connection from its table and reports its end, unless another processor did. */
static __always_inline void wire_end_connection(struct __sk_buff *skb, const struct wire_found *found,
						struct workspace *workspace, __u32 cause)
{
	record_wire_end(&workspace->end, found->wire, cause, workspace->sighting.now);
	if (answers_held_syn(&workspace->sighting))
		release_held_syn(workspace);
	stop_expecting_ack(found->wire);
	stop_expecting_payload(found->wire, workspace->sighting.now);
	remove_translations(found->wire);
	if (wire_remove(found, &workspace->sighting.key))
		emit_wire_end(skb, &workspace->end);
}

/* Counts the packet in the stream of its side. Returns 1, or 0 if the connection's streams are not kept. */
__noinline int count_in_stream(struct __sk_buff *skb)
{
	struct workspace *workspace = wire_find_workspace();
	struct nt_streams *followed;
	struct sighting *sighting;
	struct nt_place place;

	if (!config.follow_packets || !workspace)
		return 0;
	sighting = &workspace->sighting;
	place = nt_place_at(NT_INTERFACE(skb), sighting->leaving, sighting->now);
	followed = bpf_map_lookup_elem(&streams, &sighting->key);
	if (!followed)
		return 0;
	nt_streams_step(followed, sighting->source & 1, &sighting->packet, &place, sighting->now);
	return 1;
}

static __always_inline void follow_packet(struct __sk_buff *skb, struct nt_connection *connection,
					  struct sighting *sighting)
{
	if (!config.follow_packets)
		return;
	if (sighting->step & NT_STEP_REFUSED)
		sighting->packet.marks |= NT_PACKET_REFUSED;
	nt_connection_follow(connection, &sighting->packet, sighting->source & 1);
	if (count_in_stream(skb))
		nt_connection_add_letters(connection, &sighting->packet, sighting->source & 1);
}

/* Returns whether the packet can show the first payload of its side. Packets after the wait cannot: the first payload
 * may have passed by. */
static __always_inline bool may_have_first_payload(const struct nt_wire *wire, const struct sighting *sighting)
{
	if (sighting->step & NT_STEP_REFUSED)
		return false;
	return config.follow_packets || sighting->step & NT_STEP_ESTABLISHED ||
	       !nt_connection_is_established(&wire->connection) || sighting->now <= wire->payload_until_ns;
}

static __always_inline void add_first_payload(struct nt_wire *wire, const struct sighting *sighting)
{
	if (may_have_first_payload(wire, sighting))
		nt_first_payload_add(&wire->connection, &sighting->packet, sighting->source & 1, sighting->now);
	if (wire->payload_until_ns &&
	    (sighting->now > wire->payload_until_ns || nt_first_payloads_are_settled(&wire->connection)))
		stop_expecting_payload(wire, sighting->now);
}

/* Begins with a SYN that was kept and with its answer. */
static __always_inline void wire_init_held(struct nt_wire *wire, struct workspace *workspace)
{
	const struct sighting *sighting = &workspace->sighting;
	const struct nt_wire *previous = &workspace->end.wire;

	nt_connection_begin_held(&wire->connection, &previous->connection, &sighting->packet, sighting->source & 1,
				 sighting->now);
	wire->cookie[!(sighting->source & 1)] = previous->held_cookie;
	wire->has_socket[!(sighting->source & 1)] = !!previous->held_cookie;
	wire->syn_left = previous->held_left;
	expect_ack(wire);
}

static __always_inline void wire_init(struct nt_wire *wire, struct __sk_buff *skb, struct workspace *workspace)
{
	const struct sighting *sighting = &workspace->sighting;

	__builtin_memset(wire, 0, sizeof(*wire));
	wire->key = sighting->key;
	wire->ifindex = skb->ifindex;
	if (answers_held_syn(sighting))
		wire_init_held(wire, workspace);
	else
		nt_connection_begin(&wire->connection, &sighting->packet, sighting->source & 1, sighting->now);
	nt_first_payload_add(&wire->connection, &sighting->packet, sighting->source & 1, sighting->now);
	record_sighting(skb, wire, workspace);
	if (config.follow_packets)
		nt_connection_follow(&wire->connection, &sighting->packet, sighting->source & 1);
}

/* Returns the share of the user of this machine who opens the connection, or else that of the opener's network. */
static __always_inline __u16 choose_share(struct __sk_buff *skb, const struct sighting *sighting)
{
	if (is_begun_here(skb, sighting) && skb->sk)
		return nt_share_of_user(config.own_netns, bpf_get_socket_uid(skb), config.share_multiplier);
	return nt_share_of_peer(sighting->packet.address_parts, config.share_multiplier);
}

static __always_inline void begin_stream(struct __sk_buff *skb, struct workspace *workspace)
{
	if (!answers_held_syn(&workspace->sighting))
		__builtin_memset(&workspace->followed, 0, sizeof(workspace->followed));
	check_details(bpf_map_update_elem(&streams, &workspace->sighting.key, &workspace->followed, BPF_ANY));
	count_in_stream(skb);
}

/* Begins a connection with a SYN, or with the answer to one. wire_init() adds its letter to the history. */
static __always_inline void wire_begin_connection(struct __sk_buff *skb, struct workspace *workspace)
{
	const struct sighting *sighting = &workspace->sighting;
	struct nt_slot *slot = look_up_slot(&sighting->key);

	if (!slot || is_in_slot(slot, &sighting->key)) /* another processor is removing the previous connection */
		return;
	count(NT_COUNT_WIRE_OPENED);
	if (claim_slot(slot)) {
		wire_init(&slot->wire, skb, workspace);
		publish_slot(slot);
	} else {
		wire_init(&workspace->fresh, skb, workspace);
		workspace->fresh.share = choose_share(skb, sighting);
		if (insert_half_open(slot, &sighting->key, &workspace->fresh))
			remove_translations(&workspace->fresh);
	}
	if (config.follow_packets)
		begin_stream(skb, workspace);
}

static __always_inline void wire_handle_established(const struct wire_found *found, const struct sighting *sighting)
{
	__u16 share;
	int error;

	if (!config.follow_packets)
		expect_payload(found->wire, sighting->now);
	/* until a socket comes, every packet shows that the client is still there: wire_add_socket() */
	if (!nt_is_unaccepted(found->wire))
		stop_expecting_ack(found->wire);
	if (found->place == IN_SLOT)
		return;
	share = found->wire->share;
	error = insert_fairly(&established, NT_FAIR_ESTABLISHED, &sighting->key, found->wire, share);
	if (error == -EEXIST) /* another processor does the same */
		return;
	if (error)
		remove_translations(found->wire);
	if (remove_half_open(&sighting->key, share)) { /* it ended meanwhile, and its end was reported */
		if (!error)
			delete_fairly(&established, NT_FAIR_ESTABLISHED, &sighting->key, share);
	} else if (error) {
		__sync_fetch_and_add(&found->slot->elsewhere, -1);
		count_failure(NT_COUNT_ESTABLISHED_FAILED, error);
	}
}

/* Returns whether no packet can change the end any more. After two FINs these are their acknowledgements: of both if
 * every packet is followed, otherwise of the first. A FIN that its receiver refused has none. After a RST, whether it
 * was taken: its socket shows that when it closes; without a socket the sweep ends the connection when nothing has
 * followed for 2 s.
 */
static __always_inline bool has_ended(const struct nt_wire *wire, const struct sighting *sighting)
{
	const struct nt_connection *connection = &wire->connection;
	__u8 acknowledged[2] = { connection->side[0] & NT_SIDE_ACKNOWLEDGED_FIN,
				 connection->side[1] & NT_SIDE_ACKNOWLEDGED_FIN };

	switch (nt_connection_state(connection)) {
	case NT_STATE_RESET:
		if (!nt_connection_is_established(connection))
			return sighting->step & NT_STEP_ENDED;
		return config.sockets_enabled && (wire->socket_closed[0] || wire->socket_closed[1]);
	case NT_STATE_CLOSED:
		if (connection->marks & NT_MARK_SELF)
			return !config.follow_packets || acknowledged[0] || acknowledged[1];
		if (config.follow_packets)
			return acknowledged[0] && acknowledged[1];
		return connection->first_closer == 1 ? acknowledged[1] : acknowledged[0];
	default:
		return false;
	}
}

/* Returns whether the connection has to see packets without SYN, FIN and RST. After a RST
 * they show whether the connection goes on: without a socket at once, otherwise when it closes by FINs.
 */
static __always_inline bool expects_packets(const struct nt_wire *wire)
{
	switch (nt_connection_state(&wire->connection)) {
	case NT_STATE_SYN_RECEIVED:
	case NT_STATE_CLOSED:
		return true;
	case NT_STATE_RESET:
		return !config.sockets_enabled || !nt_wire_awaits_socket(wire) ||
		       nt_connection_any_side(&wire->connection) & NT_SIDE_FIN;
	default:
		return false;
	}
}

/* The sweep of the slots is frequent; that of the table of established connections needs a reason. */
static __always_inline void wire_expect_packets(const struct wire_found *found)
{
	expect_ack(found->wire);
	if (found->place == IN_ESTABLISHED && nt_connection_state(&found->wire->connection) == NT_STATE_RESET &&
	    !nt_wire_awaits_socket(found->wire) && !shared.has_reset)
		shared.has_reset = 1;
}

static __always_inline void wire_handle_step(struct __sk_buff *skb, const struct wire_found *found,
					     struct workspace *workspace)
{
	const struct sighting *sighting = &workspace->sighting;

	if (sighting->step & NT_STEP_NEW)
		wire_end_connection(skb, found, workspace, NT_WIRE_REPLACED);
	else if (has_ended(found->wire, sighting))
		wire_end_connection(skb, found, workspace, NT_WIRE_ENDED);
	else if (sighting->step & NT_STEP_ESTABLISHED)
		wire_handle_established(found, sighting);
	else if (expects_packets(found->wire))
		wire_expect_packets(found);
	else if (nt_connection_is_established(&found->wire->connection) && !nt_is_unaccepted(found->wire))
		stop_expecting_ack(found->wire);
}

/* Returns whether the packet can be nothing but payload: the handshake is over, and no side has closed or reset. */
static __always_inline bool is_payload_at_most(const struct nt_wire *wire, const struct sighting *sighting)
{
	return !config.follow_packets && !(sighting->packet.flags & (NT_SYN | NT_FIN | NT_RST)) &&
	       !wire->waits_for_ack && wire->connection.ack_ns &&
	       nt_connection_state(&wire->connection) == NT_STATE_ESTABLISHED;
}

/* Steps the connection of the packet. A new one begins with a SYN (which may have been kept) only: the socket context knows pre-existing ones. */
static __always_inline void wire_step_connection(struct __sk_buff *skb, struct workspace *workspace)
{
	struct sighting *sighting = &workspace->sighting;
	__u8 flags = sighting->packet.flags;
	struct wire_found found;

	sighting->step = 0;
	wire_look_up(&found, &sighting->key, !(flags & (NT_FIN | NT_RST)));
	if (!found.wire && !is_syn(sighting) && translate_back(sighting))
		wire_look_up(&found, &sighting->key, !(flags & (NT_FIN | NT_RST)));
	if (found.wire && is_payload_at_most(found.wire, sighting)) {
		found.wire->connection.last_seen_ns = sighting->now;
		add_first_payload(found.wire, sighting);
		return;
	}
	if (found.wire) {
		sighting->step = nt_connection_step(&found.wire->connection, &sighting->packet, sighting->source & 1,
						    sighting->now);
		if (!(sighting->step & NT_STEP_NEW)) {
			record_sighting(skb, found.wire, workspace);
			add_first_payload(found.wire, sighting);
			follow_packet(skb, &found.wire->connection, sighting);
		}
		wire_handle_step(skb, &found, workspace);
		if (!(sighting->step & NT_STEP_NEW))
			return;
	}
	if (((flags & (NT_SYN | NT_ACK | NT_RST)) == NT_SYN || sighting->step & NT_STEP_NEW) &&
	    skb->ifindex != shared.attaching_ifindex)
		wire_begin_connection(skb, workspace);
}

/* Parses any packet: VLAN tags, IP options, extension headers. */
__noinline int wire_parse(struct __sk_buff *skb, __u32 offset)
{
	struct workspace *workspace = wire_find_workspace();
	struct nt_frame frame = { .skb = skb };
	enum nt_parse result;

	if (!workspace)
		return NT_PACKET_NOT_IP;
	result = nt_parse_ethertype(&frame, offset, bpf_ntohs(skb->protocol), NT_FRAME_LENGTH(skb), 0,
				    &workspace->sighting.packet);
	if (result == NT_PACKET_MALFORMED || result == NT_PACKET_TRUNCATED)
		count(NT_COUNT_PACKETS_MALFORMED);
	return result;
}

/* Returns whether the packet is TCP, and parses it: most packets in place and without a call. */
static __always_inline bool read_tcp_packet(struct __sk_buff *skb, __u32 network_offset, struct nt_packet *packet)
{
	struct nt_frame frame = { .skb = skb };

	packet->vlan = skb->vlan_present ? NT_VLAN_ID(skb->vlan_tci) : NT_NO_VLAN;
	if (!nt_parse_plain(&frame, network_offset, bpf_ntohs(skb->protocol), NT_FRAME_LENGTH(skb), packet) &&
	    wire_parse(skb, network_offset) != NT_PACKET_TCP)
		return false;
	if (skb->gso_segs > 1)
		packet->segments = skb->gso_segs;
	return true;
}

/* Returns NT_FAST_PATH_DONE for a packet that changes nothing: it is neither TCP nor ICMP, or changes no state and no
 * connection waits for it.
 */
static __always_inline enum nt_fast_path wire_classify(struct __sk_buff *skb, __u32 network_offset)
{
	struct nt_frame frame = { .skb = skb };
	enum nt_fast_path path;
	struct nt_fast_path_slot *waits;
	__u32 slot;

	path = nt_peek_slot(&frame, network_offset, bpf_ntohs(skb->protocol), &slot);
	if (path != NT_FAST_PATH_SLOT)
		return path;
	if (config.follow_packets)
		return NT_FAST_PATH_PARSE;
	waits = find_waiting_slot(slot);
	if (!waits)
		return NT_FAST_PATH_DONE;
	if (waits->handshakes > 0)
		return NT_FAST_PATH_PARSE;
	if (!waits->payloads || !nt_peek_has_payload(&frame, network_offset, bpf_ntohs(skb->protocol)))
		return NT_FAST_PATH_DONE;
	return NT_FAST_PATH_PARSE;
}

static __always_inline void wire_handle_tcp(struct __sk_buff *skb, __u32 network_offset, bool leaving)
{
	struct workspace *workspace = wire_find_workspace();
	struct sighting *sighting;

	if (!workspace || !read_tcp_packet(skb, network_offset, &workspace->sighting.packet))
		return;
	sighting = &workspace->sighting;
	sighting->source = nt_key_from_packet(&sighting->key, &sighting->packet, config.own_netns);
	sighting->leaving = leaving;
	sighting->now = NT_NOW();
	wire_step_connection(skb, workspace);
}

__noinline int wire_handle_icmp(struct __sk_buff *skb, __u32 network_offset)
{
	struct workspace *workspace = wire_find_workspace();
	bool is_ipv6 = skb->protocol == bpf_htons(NT_ETHERTYPE_IPV6);
	struct nt_packet *quoted;
	int error;

	if (!workspace)
		return 0;
	quoted = &workspace->sighting.packet;
	error = read_icmp_error(skb, network_offset, is_ipv6, quoted);
	if (!error)
		return 0;
	record_error_on_wire(&workspace->sighting.key, quoted, error, NT_NOW());
	if (is_ipv6 && config.sockets_enabled)
		record_error_of_sender(skb, quoted, error);
	return 0;
}

static __always_inline void wire_handle_packet(struct __sk_buff *skb, __u32 network_offset, bool leaving)
{
	enum nt_fast_path path = wire_classify(skb, network_offset);

	if (path == NT_FAST_PATH_DONE || shared.ended)
		return;
	if (path == NT_FAST_PATH_PARSE)
		wire_handle_tcp(skb, network_offset, leaving);
	else
		wire_handle_icmp(skb, network_offset);
}

SEC("tc")
int wire_ingress(struct __sk_buff *skb)
{
	wire_handle_packet(skb, ETHERNET_HEADER, false);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int wire_egress(struct __sk_buff *skb)
{
	wire_handle_packet(skb, ETHERNET_HEADER, true);
	return TC_ACT_UNSPEC;
}

/* The next two are for devices without a link layer: tun, WireGuard, PPP, tunnels. */
SEC("tc")
int wire_ingress_plain(struct __sk_buff *skb)
{
	wire_handle_packet(skb, 0, false);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int wire_egress_plain(struct __sk_buff *skb)
{
	wire_handle_packet(skb, 0, true);
	return TC_ACT_UNSPEC;
}

#endif
