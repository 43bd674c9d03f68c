/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection record. Every source (live, replay) fills it, every sink (JSON, text, ...) writes it. Names and
 * meanings are those of docs/record.md.
 *
 * An unknown value is absent: its bit in `present` is clear and its member is never read.
 * Addresses are in network byte order, IPv4 as an IPv4-mapped IPv6 address (::ffff:a.b.c.d); ports are in host byte
 * order; times are nanoseconds. Strings behind pointers belong to the code that filled the record and must stay valid
 * until the record is written. Strings come from the system and are hostile: only sinks escape them.
 */
#ifndef NETRACKER_CORE_RECORD_H
#define NETRACKER_CORE_RECORD_H

#include "port.h"

#define NT_RECORD_VERSION 2
#define NT_ID_SIZE 17 /* 16 hexadecimal digits and NUL */
#define NT_COMM_SIZE 16
#define NT_IFNAME_SIZE 64    /* Linux has 15 bytes; the names in a capture of Windows have 50 */
#define NT_CONTAINER_SIZE 65 /* 64 hexadecimal digits and NUL */
#define NT_HISTORY_SIZE 32   /* Zeek's letters and NUL */
#define NT_CONN_STATE_SIZE 8
#define NT_REASON_SIZE 40

enum nt_event_kind {
	NT_EVENT_CLOSE,
	NT_EVENT_OPEN,
	NT_EVENT_UPDATE,
	NT_EVENT_EXIT,
	NT_EVENT_LISTED,
	NT_EVENT_LISTENER, /* no connection: a listener, which is dst; it has no src and no outcome */
};
enum nt_role { NT_ROLE_CLIENT, NT_ROLE_SERVER, NT_ROLE_OBSERVER };
enum nt_owner_by {
	NT_OWNER_CONNECT,
	NT_OWNER_IO,
	NT_OWNER_CLOSE,
	NT_OWNER_ACCEPT,
	NT_OWNER_LISTEN,
	NT_OWNER_SCAN,
	NT_OWNER_CAPTURE, /* a capture says so: a pcapng process comment, PKTAP */
};
enum nt_outcome {
	NT_OUTCOME_CLOSED,
	NT_OUTCOME_RESET,
	NT_OUTCOME_REFUSED,
	NT_OUTCOME_TIMEOUT,
	NT_OUTCOME_UNREACHABLE,
	NT_OUTCOME_EXPIRED,
	NT_OUTCOME_UNANSWERED, /* an attempt that no SYN-ACK had answered when tracking or the file ended */
	NT_OUTCOME_OPEN,
};
enum nt_side { NT_SRC, NT_DST }; /* the side that opened the connection, and the side that answered */
enum nt_limited_by { NT_LIMITED_RECEIVER, NT_LIMITED_SNDBUF, NT_LIMITED_NETWORK, NT_LIMITED_IDLE };

/* Bits of `seen`, in the order in which they are written. */
enum nt_seen { NT_SEEN_WIRE = 1, NT_SEEN_PACKETS = 2, NT_SEEN_SOCKET = 4, NT_SEEN_CALLS = 8 };

/* Bits of `gaps`, in the order in which they are written. */
enum nt_gap {
	NT_GAP_START = 1,
	NT_GAP_DIRECTION = 2,
	NT_GAP_OWNER = 4,
	NT_GAP_OWNER_PARTIAL = 8, /* the owner's exe or cgroup is missing */
	NT_GAP_PACKETS = 16,
	NT_GAP_WIRE_END = 32,
	NT_GAP_DOUBTFUL_END = 64, /* a RST or FIN that could not be validated decided */
	NT_GAP_HIDDEN = 128,      /* another program may have taken packets before ours */
	NT_GAP_BYPASS = 256,      /* bytes moved outside TCP, as by sockmap */
	NT_GAP_BYTES_MOD_4G = 512,
	NT_GAP_VALUE_RANGE = 1024, /* a value of 2^53 or more is left out */
	NT_GAP_EVICTED = 2048,
	NT_GAP_EVENTS = 4096,
};

/* Bits of `present`, one for each member that may be absent. Members without a bit are always present. */
enum nt_present {
	NT_HAS_NETNS,
	NT_HAS_NETNS_NAME,
	NT_HAS_WIRE_SRC, /* wire_src_ip and wire_src_port */
	NT_HAS_WIRE_DST,
	NT_HAS_IFNAME,
	NT_HAS_VLAN,
	NT_HAS_PID,
	NT_HAS_COMM,
	NT_HAS_EXE,
	NT_HAS_UID,
	NT_HAS_OWNER_BY,
	NT_HAS_OPENER_PID,
	NT_HAS_CGROUP,
	NT_HAS_CONTAINER,
	NT_HAS_START,
	NT_HAS_DURATION,
	NT_HAS_FIRST_FIN,
	NT_HAS_WIRE_DURATION,
	NT_HAS_SYN_SYNACK,
	NT_HAS_SYNACK_ACK,
	NT_HAS_HANDSHAKE,
	NT_HAS_SYN_FINACK,
	NT_HAS_REQUEST,
	NT_HAS_RESPONSE,
	NT_HAS_LAST_REQUEST,
	NT_HAS_LAST_RESPONSE,
	NT_HAS_ACCEPT_WAIT,
	NT_HAS_ENDED_BY,
	NT_HAS_REASON,
	NT_HAS_STATE,
	NT_HAS_STATE_AGE,
	NT_HAS_RECV_QUEUE,
	NT_HAS_SEND_QUEUE,
	NT_HAS_UNACKED,
	NT_HAS_CWND,
	NT_HAS_LAST_SENT,
	NT_HAS_LAST_RECEIVED,
	NT_HAS_CONN_STATE,
	NT_HAS_HISTORY,
	NT_HAS_SRC_BYTES,
	NT_HAS_DST_BYTES,
	NT_HAS_SRC_PACKETS,
	NT_HAS_DST_PACKETS,
	NT_HAS_SRC_RETRANSMITS,
	NT_HAS_DST_RETRANSMITS,
	NT_HAS_RTT,
	NT_HAS_MIN_RTT,
	NT_HAS_LIMITED_BY,
	NT_HAS_SRC_IP_BYTES, /* this and the next two are set by Zeek's rules only, and written in Zeek's format only */
	NT_HAS_DST_IP_BYTES,
	NT_HAS_MISSED_BYTES,
	NT_HAS_HOST,
	NT_HAS_BACKLOG, /* this and the next three: of listeners only */
	NT_HAS_BACKLOG_MAX,
	NT_HAS_DROPS,
	NT_HAS_DUAL_STACK,
};
#define NT_PRESENT(bit) (1ULL << (bit))

struct nt_record {
	__u64 present; /* NT_PRESENT(NT_HAS_...) */

	__u8 event; /* enum nt_event_kind */
	__u8 role;  /* enum nt_role */
	__u8 outcome;
	__u8 ended_by; /* enum nt_side */
	__u8 owner_by;
	__u8 limited_by;
	__u8 seen;  /* enum nt_seen bits */
	__u8 state; /* the kernel's TCP state number, TCP_ESTABLISHED (1) to TCP_NEW_SYN_RECV (12) */
	__u32 gaps; /* enum nt_gap bits */

	char id[NT_ID_SIZE];

	__u8 src_ip[16], dst_ip[16];
	__u16 src_port, dst_port;

	__u32 netns; /* inode number */
	const char *netns_name;
	/* The tuple of the packets, if address translation made it another than the socket's. */
	__u8 wire_src_ip[16], wire_dst_ip[16];
	__u16 wire_src_port, wire_dst_port;
	char ifname[NT_IFNAME_SIZE];
	__u16 vlan;

	__u32 pid, uid, opener_pid;
	char comm[NT_COMM_SIZE];
	char container[NT_CONTAINER_SIZE];
	const char *exe, *cgroup;
	const char *host; /* the machine's name, chosen by its user */

	__u64 start_ns; /* since the Unix epoch, UTC */
	__u64 end_ns;   /* since the Unix epoch, UTC: the time of the record; the change to CLOSE if it closed */
	__u64 duration_ns, first_fin_ns, wire_duration_ns;
	/* Negative if the packets of a capture are out of order. */
	long long syn_synack_ns, synack_ack_ns, handshake_ns, syn_finack_ns;
	__u64 request_ns, response_ns, last_request_ns, last_response_ns, accept_wait_ns;
	__u64 state_age_ns;
	__u32 recv_queue_bytes, send_queue_bytes, unacked_bytes;
	__u32 cwnd;                           /* segments */
	__u64 last_sent_ns, last_received_ns; /* before the time of the record */

	char reason[NT_REASON_SIZE];
	char conn_state[NT_CONN_STATE_SIZE];
	char history[NT_HISTORY_SIZE];
	const char *long_history; /* the whole history if it may not fit into `history`; otherwise NULL */

	__u64 bytes[2], packets[2], retransmits[2]; /* indexed by enum nt_side; one present bit each */
	__u64 ip_bytes[2];                          /* of IP packets, by their headers; one present bit each */
	__u64 missed_bytes;                         /* payload in gaps that the peer acknowledged */
	__u32 rtt_us, min_rtt_us;

	__u32 backlog, backlog_max; /* connections that wait to be accepted, and their limit */
	__u32 drops;                /* SYNs and last ACKs of handshakes that the listener did not take, modulo 2^32 */
	__u8 dual_stack;            /* bound to ::, takes IPv4 too */
};

NT_INLINE int nt_record_has(const struct nt_record *record, int bit)
{
	return (record->present >> bit) & 1;
}

NT_INLINE void nt_record_set(struct nt_record *record, int bit)
{
	record->present |= NT_PRESENT(bit);
}

NT_INLINE void nt_record_unset(struct nt_record *record, int bit)
{
	record->present &= ~NT_PRESENT(bit);
}

NT_INLINE int nt_record_is_listener(const struct nt_record *record)
{
	return record->event == NT_EVENT_LISTENER;
}

/* Returns the side that the record's account is of. An observer's is that of the side that opened the connection. */
NT_INLINE enum nt_side nt_record_local_side(const struct nt_record *record)
{
	return record->role == NT_ROLE_SERVER ? NT_DST : NT_SRC;
}

/* Returns 4 for an IPv4-mapped address (RFC 4291 2.5.5.2), otherwise 6. */
NT_INLINE int nt_address_family(const __u8 *address)
{
	int i;

	for (i = 0; i < 10; i++)
		if (address[i])
			return 6;
	return address[10] == 0xff && address[11] == 0xff ? 4 : 6;
}

#endif
