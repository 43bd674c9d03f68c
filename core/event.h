/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel side tells user space: the ring buffer's events, the counters and the loader's settings.
 *
 * Each context tells what it knows, once; user space joins (src/live/join.c). One layout for the BPF object and the loader,
 * which are always built together: every member is naturally aligned, and every hole is an explicit member.
 *
 * Addresses are 16 bytes in network byte order (IPv4 as IPv4-mapped IPv6), ports are in host byte order, times are
 * nanoseconds of CLOCK_BOOTTIME, 0 where the moment was not seen.
 */
#ifndef NETRACKER_CORE_EVENT_H
#define NETRACKER_CORE_EVENT_H

#ifndef NT_LOAD /* a BPF host has its own */
#include "buffer.h"
#endif
#include "connection.h"
#include "key.h"
#include "port.h"
#include "record.h"
#include "socket.h"
#include "stream.h"

enum nt_event_type {
	NT_EVENT_TYPE_PROCESS,       /* struct nt_process_event: a process that was not described before */
	NT_EVENT_TYPE_SOCKET_OPEN,   /* struct nt_socket_event: it became established */
	NT_EVENT_TYPE_SOCKET_CLOSE,  /* struct nt_socket_event: its change to CLOSE */
	NT_EVENT_TYPE_SOCKET_STATUS, /* struct nt_socket_event: still open, as an iterator found it */
	NT_EVENT_TYPE_SOCKET_MORE,   /* struct nt_socket_more_event: what became known after the change to CLOSE */
	NT_EVENT_TYPE_WIRE_END,      /* struct nt_wire_event */
};

/* The key of its connection's packets on interfaces of a network namespace. Returns the key's end that the socket is. */
NT_INLINE int nt_key_of_socket(struct nt_key *key, const struct nt_socket *socket, __u32 netns)
{
	struct nt_packet packet = {};

	__builtin_memcpy(packet.source, socket->local, 16);
	__builtin_memcpy(packet.destination, socket->remote, 16);
	packet.source_port = socket->local_port;
	packet.destination_port = socket->remote_port;
	return nt_key_from_packet(key, &packet, netns);
}

/* The socket's own counts, at its change to CLOSE (or now, for those still open). */
struct nt_socket_counts {
	__u64 bytes_sent;     /* payload, each byte once */
	__u64 bytes_received; /* payload, in order */
	__u32 segments_out, segments_in, retransmits;
	__u32 srtt_us, min_rtt_us; /* 0 / ~0: no sample */
	__u32 busy_jiffies, receiver_limited_jiffies, sndbuf_limited_jiffies; /* each exclusive of the others */
	__u32 lifetime_jiffies; /* since established; 0 where that was not seen */
	__u32 error;            /* sk_err */
	__u8 old_state;         /* before CLOSE */
	__u8 valid;             /* 0: the socket was not readable */
	__u8 padding[2];
	__u32 padding2;
};

/* What the wire context knows of one connection: the value of its tables. */
struct nt_wire {
	struct nt_key key;
	struct nt_connection connection;
	__u64 cookie[2]; /* by index of the key's end: the socket that sends from it, 0: not seen */
	__u32 ifindex;   /* where the first packet was seen */
	__u8 syn_left;   /* the SYN was seen leaving by an interface */
	__u8 waits_for_ack; /* counted among those that wait (core/fast_path.h) */
	__u8 socket_closed[2];    /* by index of the key's end: its socket has told of its own end */
	__u8 fin_acknowledged[2]; /* by index of the key's end: of its FIN; where every packet is followed */
	__u8 padding[6];
};

/* A place for one connection, in an array that the hash of its key is the index of. What finds its slot taken is kept in
 * the hash tables. Both sides change the counts by atomic additions only, which is all that Linux 5.10 has: who reads 1
 * after adding 1 is alone, and who does not takes it back. */
struct nt_slot {
	__s32 claims;    /* 0: free */
	__s32 takers;    /* who is alone here takes the connection out */
	__s32 elsewhere; /* connections of this slot that are in the hash tables; may be too many, never too few */
	__u32 live;      /* `wire` is filled */
	struct nt_wire wire;
};

/* Where a socket's connection stood on the wire at the socket's event. */
enum nt_wire_status {
	NT_WIRE_ABSENT,  /* not in the tables: never seen, or its end was told before */
	NT_WIRE_OPEN,    /* going on: its end will be told later */
	NT_WIRE_SETTLED, /* the socket's end is all that will be known: taken out of the tables */
	NT_WIRE_NOT_ASKED, /* both FINs came by: most likely its end was told before */
};

struct nt_event_header {
	__u32 type; /* enum nt_event_type */
	__u32 padding;
	__u64 now;
};

struct nt_socket_event {
	struct nt_event_header header;
	__u64 address; /* of the kernel's struct sock: names the socket until it is destroyed */
	struct nt_socket socket;
	struct nt_socket_counts counts;
	__u32 wire_status; /* enum nt_wire_status */
	__u32 has_streams;
	struct nt_wire wire;  /* where NT_WIRE_OPEN or NT_WIRE_SETTLED */
	struct nt_stream streams[2]; /* by index of the key's end, where every packet is followed */
};

/* The length of a socket's event that has nothing of the wire. */
#define NT_SOCKET_EVENT_SHORT __builtin_offsetof(struct nt_socket_event, wire)

struct nt_socket_more_event {
	struct nt_event_header header;
	__u64 address;
	__u64 cookie;
	__u32 nth;
	__u8 reset_sent;
	__u8 reset_reason;
	__u8 awaits_owner; /* still */
	__u8 padding;
	struct nt_owner owner;
};

enum nt_wire_cause {
	NT_WIRE_ENDED,   /* FINs of both, or a RST */
	NT_WIRE_IDLE,    /* silent beyond the limit */
	NT_WIRE_REPLACED, /* another connection began on the same tuple */
	NT_WIRE_EXIT,    /* still open when tracking ended */
};

struct nt_wire_event {
	struct nt_event_header header;
	struct nt_wire wire;
	__u32 cause; /* enum nt_wire_cause */
	__u32 has_streams;
	struct nt_stream streams[2];
};

#define NT_PATH_COMPONENTS 16
#define NT_PATH_COMPONENT_SIZE 264 /* no name of NAME_MAX (255) bytes fills it, only one that is longer is cut */

/* The length of a wire's event without streams. */
#define NT_WIRE_EVENT_SHORT __builtin_offsetof(struct nt_wire_event, streams)

/* A path as the kernel's trees are walked: from its last component to its first, each ended by a NUL. A path with more
 * components is not known. */
struct nt_path {
	__u32 count;
	__u32 known;
	char component[NT_PATH_COMPONENTS][NT_PATH_COMPONENT_SIZE];
};

struct nt_process_event {
	struct nt_event_header header;
	struct nt_process_id process;
	struct nt_path executable, cgroup;
};

/* Set by the loader before the object is loaded. */
struct nt_config {
	__u32 own_netns;         /* inode number of the namespace whose interfaces are watched */
	__u32 wire_enabled;
	__u32 follow_packets;
	__u32 open_events;       /* tell NT_EVENT_TYPE_SOCKET_OPEN */
	__u32 wakeup_bytes;      /* wake the reader when the ring buffer holds more */
	__u32 slot_mask;         /* the number of slots, a power of 2, less 1 */
	__u32 filters;           /* leave untold what struct nt_filter does not let through */
	__u32 sockets_enabled;   /* what the wire saw of a socket's connection is no view of its own */
	__u32 cgroup_v1;         /* there are hierarchies of version 1: a process has a cgroup in each */
};

/* What both sides read and write at any time: the BPF object's .bss, which the loader maps. */
struct nt_shared {
	/* User space sets it when tracking ends, before it detaches one program after the other, which takes milliseconds
	 * each: what only some of them saw would be told wrong. */
	__u32 ended;
	/* The interface that user space is attaching to, one way after the other: what begins there meanwhile is not noted,
	 * since only one of its ways is seen. 0: none. */
	__u32 attaching_ifindex;
	/* The kernel side sets it when it puts something into the overflow of the half-open table, user space clears it when
	 * it finds that empty. */
	__u32 overflow_is_used;
	/* The last socket that was counted as replaced (NT_COUNT_SOCKETS_REPLACED). */
	__u8 replaced_role;
	__u8 replaced_state;
	__u8 replaced_flags;
	__u8 padding;
};

/* Why a table took no new entry, or the ring buffer no event. A counter named FAILED is the first of NT_FAILURES, one
 * for each of these. */
enum nt_failure {
	NT_FAILED_FULL,
	NT_FAILED_NO_MEMORY, /* the kernel had none for an entry, though the table has room */
	NT_FAILED_LOCK,      /* the lock could not be taken: it was held for too long, or by whom this interrupted */
	NT_FAILED_OTHER,     /* an error that no kernel gives here today */
	NT_FAILURES,
};

#define NT_TCP_STATES 13 /* one more than the largest of the kernel's numbers */

/* Indexes of the per-CPU counters. */
enum nt_counter {
	NT_COUNT_SOCKETS_OPENED,
	NT_COUNT_SOCKETS_PREEXISTING,
	NT_COUNT_SOCKETS_FAILED, /* not begun */
	NT_COUNT_SOCKETS_FAILED_LAST = NT_COUNT_SOCKETS_FAILED + NT_FAILURES - 1,
	NT_COUNT_SOCKETS_FILTERED, /* not told */
	/* By the state that was known last: another socket began at the address of one whose change to CLOSE and whose
	 * destruction were missed. */
	NT_COUNT_SOCKETS_REPLACED,
	NT_COUNT_SOCKETS_REPLACED_LAST = NT_COUNT_SOCKETS_REPLACED + NT_TCP_STATES - 1,
	NT_COUNT_SOCKETS_EVICTED, /* replaced, and not reported: their addresses are not known */
	NT_COUNT_SOCKETS_NOT_BEGUN, /* opened, but no SYN was sent: the address or the port could not be had */
	NT_COUNT_RECURSION_CAUGHT,  /* done by the second copy of a program that was interrupted */
	NT_COUNT_SOCKET_RING_FAILED,
	NT_COUNT_SOCKET_RING_FAILED_LAST = NT_COUNT_SOCKET_RING_FAILED + NT_FAILURES - 1,
	NT_COUNT_MORE_RING_FAILED, /* for whatever cause */
	NT_COUNT_PROCESS_RING_FAILED, /* for whatever cause */
	NT_COUNT_WIRE_OPENED,
	NT_COUNT_WIRE_SETTLED,   /* is a socket's, whose event has what was known of it, or is filtered like it */
	NT_COUNT_WIRE_FILTERED,  /* not told, and no socket's */
	NT_COUNT_WIRE_RING_FAILED,
	NT_COUNT_WIRE_RING_FAILED_LAST = NT_COUNT_WIRE_RING_FAILED + NT_FAILURES - 1,
	NT_COUNT_HALF_OPEN_BEGUN,
	NT_COUNT_HALF_OPEN_TAKEN, /* left the half-open table by being established, ended or settled */
	NT_COUNT_HALF_OPEN_FAILED,
	NT_COUNT_HALF_OPEN_FAILED_LAST = NT_COUNT_HALF_OPEN_FAILED + NT_FAILURES - 1,
	NT_COUNT_ESTABLISHED_FAILED,
	NT_COUNT_ESTABLISHED_FAILED_LAST = NT_COUNT_ESTABLISHED_FAILED + NT_FAILURES - 1,
	NT_COUNT_DETAILS_FAILED, /* no connection was lost: a table of listeners, owners, processes or streams, or the
				  * half-open one where the overflow took the entry */
	NT_COUNT_DETAILS_FAILED_LAST = NT_COUNT_DETAILS_FAILED + NT_FAILURES - 1,
	NT_COUNT_PACKETS_MALFORMED,
	NT_COUNT_EVENTS, /* told, or lost in the ring */
	NT_COUNTERS,
};

#endif
