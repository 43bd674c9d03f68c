/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire context: TC programs on ingress and egress. A packet's fate is never decided here, and what carries no SYN,
 * FIN or RST leaves after a look at its flags and at one slot.
 */
#ifndef NETRACKER_BPF_WIRE_CONTEXT_H
#define NETRACKER_BPF_WIRE_CONTEXT_H

#include "wire_tables.h"

#include "../core/ownership.h"

#define TC_ACT_UNSPEC (-1)
#define ETHERNET_HEADER 14

/* A test that runs captures through these programs brings their times and lengths. */
#ifndef NT_NOW
#define NT_NOW() bpf_ktime_get_boot_ns()
#define NT_FRAME_LENGTH(skb) ((skb)->len)
#endif

/* Global functions, which the verifier goes through once each, and not again for every way that leads to them, take the
 * packet only, as Linux 5.10 allows no other pointer: what they work on is in the workspace. */
static __always_inline struct workspace *own_workspace(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&workspaces, &zero);
}

/* The socket that the packet was sent by: 0 where that is no TCP socket, or not of this machine. A RST, and before 6.13
 * the ACK of a time-wait socket too, may be sent by the kernel's own control socket, a raw one. */
static __always_inline __u64 sending_socket(struct __sk_buff *skb, __u8 flags)
{
	struct bpf_sock *sk;

	if (flags & NT_RST)
		return 0;
	sk = skb->sk;
	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk); /* NULL: a request socket, whose cookie its child inherits */
	if (sk && (sk->protocol != IPPROTO_TCP || sk->type != SOCK_STREAM))
		return 0;
	return bpf_get_socket_cookie(skb);
}

static __always_inline void record_sighting(struct __sk_buff *skb, struct nt_wire *wire, const struct sighting *sighting)
{
	__u64 cookie = sending_socket(skb, sighting->packet.flags);

	if (cookie)
		wire->cookie[sighting->source & 1] = cookie;
	if (sighting->leaving && (sighting->packet.flags & (NT_SYN | NT_ACK)) == NT_SYN)
		wire->syn_left = 1;
}

/* How the connection stands at its end, set down before it is taken out of its table, which uses the entry again at
 * once. Not in the ring buffer: up to 6.1 the verifier forgets that a record reserved there is not NULL. */
static __always_inline void record_wire_end(struct nt_wire_event *event, const struct nt_wire *wire, __u32 why, __u64 now)
{
	struct nt_streams *followed = NULL;

	if (config.follow_packets)
		followed = bpf_map_lookup_elem(&streams, &wire->key);
	event->header.type = NT_EVENT_TYPE_WIRE_END;
	event->header.padding = 0;
	event->header.now = now;
	event->wire = *wire;
	event->cause = why;
	event->has_streams = !!followed;
	if (followed) {
		event->streams[0] = followed->of[0];
		event->streams[1] = followed->of[1];
	}
}

/* 1: no view of the connection whose end was noted is asked for. */
__noinline int end_is_filtered(struct __sk_buff *skb)
{
	struct workspace *workspace = own_workspace();

	NT_FORGET(skb); /* else the compiler passes nothing where nothing is used, which the verifier refuses */
	if (!workspace || nt_filter_has_wire(filter(), &workspace->end.wire))
		return 0;
	count(config.sockets_enabled && nt_wire_has_socket(&workspace->end.wire) ? NT_COUNT_WIRE_SETTLED
										 : NT_COUNT_WIRE_FILTERED);
	return 1;
}

static __always_inline void emit_wire_end(struct __sk_buff *skb, struct nt_wire_event *event)
{
	__u64 size = event->has_streams ? sizeof(*event) : NT_WIRE_EVENT_SHORT;

	if (config.follow_packets)
		bpf_map_delete_elem(&streams, &event->wire.key);
	if (config.filters && end_is_filtered(skb))
		return;
	if (bpf_ringbuf_output(&events, event, size, ring_flags()))
		count_ring_failure(NT_COUNT_WIRE_RING_FAILED);
}

/* Takes the connection out of its table and tells of it, unless another processor did. */
static __always_inline void wire_ends(struct __sk_buff *skb, const struct wire_found *found,
				      struct workspace *workspace, __u32 why)
{
	record_wire_end(&workspace->end, found->wire, why, workspace->sighting.now);
	clear_ack(found->wire);
	if (take_wire(found, &workspace->sighting.key))
		emit_wire_end(skb, &workspace->end);
}

/* Counts the packet in its side's stream: 1 if that is kept. */
__noinline int follow(struct __sk_buff *skb)
{
	struct workspace *workspace = own_workspace();
	struct nt_streams *followed;
	struct sighting *sighting;

	if (!config.follow_packets || !workspace)
		return 0;
	sighting = &workspace->sighting;
	followed = bpf_map_lookup_elem(&streams, &sighting->key);
	if (!followed)
		return 0;
	nt_stream_step(sighting->source & 1 ? &followed->of[1] : &followed->of[0], &sighting->packet, skb->ifindex,
		       sighting->leaving);
	return 1;
}

static __always_inline void follow_packet(struct __sk_buff *skb, struct nt_connection *connection,
					  const struct sighting *sighting)
{
	if (config.follow_packets && follow(skb))
		nt_connection_add_packet(connection, &sighting->packet, sighting->source & 1);
}

static __always_inline void fill_wire(struct nt_wire *wire, struct __sk_buff *skb, const struct sighting *sighting)
{
	__builtin_memset(wire, 0, sizeof(*wire));
	wire->key = sighting->key;
	wire->ifindex = skb->ifindex;
	nt_connection_begin(&wire->connection, &sighting->packet, sighting->source & 1, sighting->now);
	record_sighting(skb, wire, sighting);
}

static __always_inline void begin_stream(struct __sk_buff *skb, struct workspace *workspace)
{
	__builtin_memset(&workspace->followed, 0, sizeof(workspace->followed));
	check_details(bpf_map_update_elem(&streams, &workspace->sighting.key, &workspace->followed, BPF_ANY));
	follow(skb);
}

/* A SYN is counted, and has its letter already. */
static __always_inline void wire_begins(struct __sk_buff *skb, struct workspace *workspace)
{
	const struct sighting *sighting = &workspace->sighting;
	struct nt_slot *slot = slot_of(&sighting->key);

	if (!slot || is_in_slot(slot, &sighting->key)) /* the one before is being taken out by another processor */
		return;
	count(NT_COUNT_WIRE_OPENED);
	if (claim_slot(slot)) {
		fill_wire(&slot->wire, skb, sighting);
		publish_slot(slot);
	} else {
		fill_wire(&workspace->fresh, skb, sighting);
		put_half_open(slot, &sighting->key, &workspace->fresh);
	}
	if (config.follow_packets)
		begin_stream(skb, workspace);
}

static __always_inline void wire_established(const struct wire_found *found, const struct sighting *sighting)
{
	int error;

	clear_ack(found->wire);
	if (found->place == IN_SLOT)
		return;
	error = bpf_map_update_elem(&established, &sighting->key, found->wire, BPF_NOEXIST);
	if (error == -EEXIST) /* another processor does this very thing */
		return;
	if (take_half_open(&sighting->key)) { /* it ended meanwhile, and was told of */
		if (!error)
			bpf_map_delete_elem(&established, &sighting->key);
	} else if (error) {
		__sync_fetch_and_add(&found->slot->elsewhere, -1);
		count_failure(NT_COUNT_ESTABLISHED_FAILED, error);
	}
}

/* Where every packet is followed, the last acknowledgement is still to come after the second FIN. */
static __always_inline bool has_ended(struct nt_wire *wire, const struct sighting *sighting)
{
	const struct nt_packet *packet = &sighting->packet;
	__u32 source = sighting->source & 1;

	if (!config.follow_packets)
		return sighting->step & NT_STEP_ENDED;
	if (packet->flags & NT_ACK && wire->connection.side[!source] & NT_SIDE_FIN &&
	    packet->acknowledgement == wire->connection.fin_sequence[!source] + 1)
		wire->fin_acknowledged[!source] = 1;
	if (sighting->step & NT_STEP_ENDED)
		return nt_connection_state(&wire->connection) == NT_STATE_RESET;
	return wire->fin_acknowledged[0] && wire->fin_acknowledged[1];
}

static __always_inline void stepped(struct __sk_buff *skb, const struct wire_found *found, struct workspace *workspace)
{
	const struct sighting *sighting = &workspace->sighting;

	if (sighting->step & NT_STEP_NEW)
		wire_ends(skb, found, workspace, NT_WIRE_REPLACED);
	else if (has_ended(found->wire, sighting))
		wire_ends(skb, found, workspace, NT_WIRE_ENDED);
	else if (sighting->step & NT_STEP_ESTABLISHED)
		wire_established(found, sighting);
	else if (!nt_connection_is_established(&found->wire->connection) &&
		 nt_connection_has_synack(&found->wire->connection))
		expect_ack(found->wire);
}

/* Steps the packet's connection. A new one begins with a SYN only: what had begun before the tracker is the socket
 * context's to know. */
static __always_inline void connection_packet(struct __sk_buff *skb, struct workspace *workspace)
{
	struct sighting *sighting = &workspace->sighting;
	__u8 flags = sighting->packet.flags;
	struct wire_found found;

	find_wire(&found, &sighting->key, !(flags & (NT_FIN | NT_RST)));
	if (found.wire) {
		sighting->step = nt_connection_step(&found.wire->connection, &sighting->packet, sighting->source & 1,
						    sighting->now);
		if (!(sighting->step & NT_STEP_NEW)) {
			record_sighting(skb, found.wire, sighting);
			follow_packet(skb, &found.wire->connection, sighting);
		}
		stepped(skb, &found, workspace);
		if (!(sighting->step & NT_STEP_NEW))
			return;
	}
	if ((flags & (NT_SYN | NT_ACK | NT_RST)) == NT_SYN && skb->ifindex != shared.attaching_ifindex)
		wire_begins(skb, workspace);
}

/* All that a packet can look like. */
__noinline int parse(struct __sk_buff *skb, __u32 offset)
{
	struct workspace *workspace = own_workspace();
	struct nt_frame frame = {.skb = skb};
	enum nt_parse result;

	if (!workspace)
		return NT_PACKET_NOT_IP;
	result = nt_parse_ethertype(&frame, offset, bpf_ntohs(skb->protocol), NT_FRAME_LENGTH(skb), 0,
				    &workspace->sighting.packet);
	if (result == NT_PACKET_MALFORMED || result == NT_PACKET_TRUNCATED)
		count(NT_COUNT_PACKETS_MALFORMED);
	return result;
}

/* What most packets are in place, without a call. */
static __always_inline bool is_tcp(struct __sk_buff *skb, __u32 network_offset, struct nt_packet *packet)
{
	struct nt_frame frame = {.skb = skb};

	packet->vlan = skb->vlan_present ? NT_VLAN_ID(skb->vlan_tci) : NT_NO_VLAN;
	if (!nt_parse_plain(&frame, network_offset, bpf_ntohs(skb->protocol), NT_FRAME_LENGTH(skb), packet) &&
	    parse(skb, network_offset) != NT_PACKET_TCP)
		return false;
	if (skb->gso_segs > 1)
		packet->segments = skb->gso_segs;
	return true;
}

/* Whether the packet can be of no interest: it is no TCP, or changes no state and no handshake waits for it. */
static __always_inline bool can_leave(struct __sk_buff *skb, __u32 network_offset)
{
	struct nt_frame frame = {.skb = skb};
	__u32 slot;
	int *waits;

	switch (nt_peek_slot(&frame, network_offset, bpf_ntohs(skb->protocol), &slot)) {
	case NT_FAST_PATH_DONE:
		return true;
	case NT_FAST_PATH_SLOT:
		if (config.follow_packets)
			return false;
		waits = waiting_count(slot);
		return !waits || *waits <= 0;
	default:
		return false;
	}
}

static __always_inline void packet_seen(struct __sk_buff *skb, __u32 network_offset, bool leaving)
{
	struct workspace *workspace;
	struct sighting *sighting;

	if (can_leave(skb, network_offset) || shared.ended)
		return;
	workspace = own_workspace();
	if (!workspace || !is_tcp(skb, network_offset, &workspace->sighting.packet))
		return;
	sighting = &workspace->sighting;
	sighting->source = nt_key_from_packet(&sighting->key, &sighting->packet, config.own_netns);
	sighting->leaving = leaving;
	sighting->now = NT_NOW();
	connection_packet(skb, workspace);
}

SEC("tc")
int wire_ingress(struct __sk_buff *skb)
{
	packet_seen(skb, ETHERNET_HEADER, false);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int wire_egress(struct __sk_buff *skb)
{
	packet_seen(skb, ETHERNET_HEADER, true);
	return TC_ACT_UNSPEC;
}

/* Devices without a link layer: tun, WireGuard, PPP, tunnels */
SEC("tc")
int wire_ingress_plain(struct __sk_buff *skb)
{
	packet_seen(skb, 0, false);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int wire_egress_plain(struct __sk_buff *skb)
{
	packet_seen(skb, 0, true);
	return TC_ACT_UNSPEC;
}

#endif
