/* The wire context: TC programs on ingress and egress. A packet's fate is never decided here, and what carries no SYN,
 * FIN or RST leaves after a look at its flags and at one slot.
 */
#ifndef NETRACKER_BPF_WIRE_H
#define NETRACKER_BPF_WIRE_H

#include "wire_tables.h"

#define TC_ACT_UNSPEC (-1)
#define ETHERNET_HEADER 14

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

static __always_inline void note_sighting(struct __sk_buff *skb, struct nt_wire *wire, const struct sighting *sighting)
{
	__u64 cookie = sending_socket(skb, sighting->packet.flags);

	if (cookie)
		wire->cookie[sighting->source & 1] = cookie;
	if (sighting->leaving && (sighting->packet.flags & (NT_SYN | NT_ACK)) == NT_SYN)
		wire->syn_left = 1;
}

/* A wire's end in the ring buffer, not submitted yet: whoever takes the entry out of its table submits it. */
static __always_inline struct nt_wire_event *prepare_wire_end(const struct nt_wire *wire, __u32 why, __u64 now)
{
	struct nt_wire_event *event;
	struct nt_streams *followed = NULL;

	if (config.follow_packets)
		followed = bpf_map_lookup_elem(&streams, &wire->key);
	if (followed)
		event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	else
		event = bpf_ringbuf_reserve(&events, NT_WIRE_EVENT_SHORT, 0);
	if (!event)
		return NULL;
	event->header.type = NT_EVENT_TYPE_WIRE_END;
	event->header.padding = 0;
	event->header.now = now;
	event->wire = *wire;
	event->why = why;
	event->has_streams = !!followed;
	if (followed) {
		event->streams[0] = followed->of[0];
		event->streams[1] = followed->of[1];
	}
	return event;
}

static __always_inline void tell_wire_end(struct nt_wire_event *event, const struct nt_key *key, bool taken)
{
	if (!taken) {
		if (event)
			bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return;
	}
	if (config.follow_packets)
		bpf_map_delete_elem(&streams, key);
	count(NT_COUNT_WIRE_ENDED);
	if (event)
		bpf_ringbuf_submit(event, ring_flags());
	else
		count(NT_COUNT_WIRE_RING_FULL);
}

static __always_inline void half_open_ends(struct nt_wire *wire, const struct sighting *sighting, __u32 why)
{
	struct nt_wire_event *event = prepare_wire_end(wire, why, sighting->now);

	forget_ack(wire);
	tell_wire_end(event, &sighting->key, !take_half_open(&sighting->key));
}

static __always_inline void established_ends(const struct nt_wire *wire, const struct sighting *sighting, __u32 why)
{
	struct nt_wire_event *event = prepare_wire_end(wire, why, sighting->now);

	tell_wire_end(event, &sighting->key, !bpf_map_delete_elem(&established, &sighting->key));
}

/* Counts the packet in its side's stream. Apart from the rest, for the verifier. */
static __noinline int follow(struct nt_streams *followed, const struct sighting *sighting, __u32 ifindex)
{
	nt_stream_step(sighting->source & 1 ? &followed->of[1] : &followed->of[0], &sighting->packet, ifindex,
		       sighting->leaving);
	return 0;
}

static __always_inline void follow_packet(struct __sk_buff *skb, struct nt_connection *connection,
					  const struct sighting *sighting)
{
	struct nt_streams *followed = bpf_map_lookup_elem(&streams, &sighting->key);

	if (!followed)
		return;
	nt_connection_note(connection, &sighting->packet, sighting->source & 1);
	follow(followed, sighting, skb->ifindex);
}

static __always_inline void wire_begins(struct __sk_buff *skb, struct workspace *workspace)
{
	const struct sighting *sighting = &workspace->sighting;
	struct nt_wire *wire = &workspace->fresh;

	__builtin_memset(wire, 0, sizeof(*wire));
	wire->key = sighting->key;
	wire->ifindex = skb->ifindex;
	nt_connection_begin(&wire->connection, &sighting->packet, sighting->source & 1, sighting->now);
	note_sighting(skb, wire, sighting);
	count(NT_COUNT_WIRE_OPENED);
	if (bpf_map_update_elem(&half_open, &sighting->key, wire, BPF_ANY))
		count(NT_COUNT_HALF_OPEN_FULL);
	else
		count(NT_COUNT_HALF_OPEN_BEGUN);
	if (!config.follow_packets)
		return;
	__builtin_memset(&workspace->followed, 0, sizeof(workspace->followed));
	bpf_map_update_elem(&streams, &sighting->key, &workspace->followed, BPF_ANY);
	follow_packet(skb, &wire->connection, sighting);
}

static __always_inline void wire_established(struct nt_wire *wire, const struct sighting *sighting)
{
	long error;

	forget_ack(wire);
	error = bpf_map_update_elem(&established, &sighting->key, wire, BPF_NOEXIST);
	if (!take_half_open(&sighting->key) && error)
		count(NT_COUNT_ESTABLISHED_FULL);
}

/* The core's step over an entry of either table. Apart from the rest, and its result in memory, so that the verifier
 * need not go through what follows for every way through the state machine. */
static __noinline int step(struct nt_wire *wire, struct sighting *sighting)
{
	sighting->step = nt_connection_step(&wire->connection, &sighting->packet, sighting->source & 1, sighting->now);
	return 0;
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

static __always_inline void half_open_stepped(struct nt_wire *wire, const struct sighting *sighting)
{
	if (sighting->step & NT_STEP_NEW)
		half_open_ends(wire, sighting, NT_WIRE_REPLACED);
	else if (has_ended(wire, sighting))
		half_open_ends(wire, sighting, NT_WIRE_ENDED);
	else if (sighting->step & NT_STEP_ESTABLISHED)
		wire_established(wire, sighting);
	else if (nt_connection_has_synack(&wire->connection))
		expect_ack(wire);
}

static __always_inline void established_stepped(struct nt_wire *wire, const struct sighting *sighting)
{
	if (sighting->step & NT_STEP_NEW)
		established_ends(wire, sighting, NT_WIRE_REPLACED);
	else if (has_ended(wire, sighting))
		established_ends(wire, sighting, NT_WIRE_ENDED);
}

/* Where the connection of the packet is: what opens or continues a handshake is looked for among the half-open first,
 * what ends a connection among the established. */
static __always_inline struct nt_wire *find_wire(const struct sighting *sighting, bool *is_half_open)
{
	bool ends = sighting->packet.flags & (NT_FIN | NT_RST);
	struct nt_wire *wire;

	*is_half_open = !ends;
	wire = ends ? bpf_map_lookup_elem(&established, &sighting->key)
		    : bpf_map_lookup_elem(&half_open, &sighting->key);
	if (wire)
		return wire;
	*is_half_open = ends;
	return ends ? bpf_map_lookup_elem(&half_open, &sighting->key)
		    : bpf_map_lookup_elem(&established, &sighting->key);
}

/* Steps the connection that the packet belongs to. A new one begins with a SYN only: what had begun before the tracker
 * is the socket context's to know. */
static __always_inline void connection_packet(struct __sk_buff *skb, struct workspace *workspace)
{
	struct sighting *sighting = &workspace->sighting;
	bool begins = (sighting->packet.flags & (NT_SYN | NT_ACK | NT_RST)) == NT_SYN, is_half_open;
	struct nt_wire *wire = find_wire(sighting, &is_half_open);

	if (wire) {
		step(wire, sighting);
		if (!(sighting->step & NT_STEP_NEW))
			note_sighting(skb, wire, sighting);
		if (config.follow_packets && !(sighting->step & NT_STEP_NEW))
			follow_packet(skb, &wire->connection, sighting);
		if (is_half_open)
			half_open_stepped(wire, sighting);
		else
			established_stepped(wire, sighting);
		begins = begins && sighting->step & NT_STEP_NEW;
	}
	if (begins)
		wire_begins(skb, workspace);
}

/* The parser in two parts, with what lies between them in memory: for the verifier, as above. */
static __noinline int pass_vlan_tags(struct __sk_buff *skb, __u32 offset, struct sighting *sighting)
{
	struct nt_frame frame = {.skb = skb};
	__u16 ethertype = bpf_ntohs(skb->protocol);

	sighting->packet.vlan = skb->vlan_present ? NT_VLAN_ID(skb->vlan_tci) : NT_NO_VLAN;
	if (nt_pass_vlan_tags(&frame, &offset, &ethertype, &sighting->packet.vlan))
		ethertype = 0;
	sighting->network_offset = offset;
	sighting->ethertype = ethertype;
	return 0;
}

static __noinline int parse_ip(struct __sk_buff *skb, struct sighting *sighting)
{
	struct nt_frame frame = {.skb = skb};

	sighting->parsed = nt_parse_ip(&frame, sighting->network_offset, sighting->ethertype, skb->len, 0,
				       &sighting->packet);
	return 0;
}

/* Whether the packet can be of no interest: it is no TCP, or changes no state and no handshake waits for it. */
static __always_inline bool can_leave(struct __sk_buff *skb, __u32 network_offset)
{
	struct nt_frame frame = {.skb = skb};
	__u32 slot;
	__s32 *waits;

	switch (nt_peek_slot(&frame, network_offset, bpf_ntohs(skb->protocol), &slot)) {
	case NT_LOOK_DONE:
		return true;
	case NT_LOOK_SLOT:
		if (config.follow_packets)
			return false;
		waits = bpf_map_lookup_elem(&waiting, &slot);
		return !waits || *waits <= 0;
	default:
		return false;
	}
}

static __always_inline void packet_seen(struct __sk_buff *skb, __u32 network_offset, bool leaving)
{
	struct workspace *workspace;
	struct sighting *sighting;
	__u32 zero = 0;

	if (can_leave(skb, network_offset))
		return;
	workspace = bpf_map_lookup_elem(&workspaces, &zero);
	if (!workspace)
		return;
	sighting = &workspace->sighting;
	pass_vlan_tags(skb, network_offset, sighting);
	parse_ip(skb, sighting);
	if (sighting->parsed == NT_PACKET_MALFORMED || sighting->parsed == NT_PACKET_TRUNCATED)
		count(NT_COUNT_PACKETS_MALFORMED);
	if (sighting->parsed != NT_PACKET_TCP)
		return;
	sighting->source = nt_key_from_packet(&sighting->key, &sighting->packet, config.own_netns);
	sighting->leaving = leaving;
	sighting->now = bpf_ktime_get_boot_ns();
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
