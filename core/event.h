/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interface between the kernel side and user space: the ring buffer's events, the counters and the loader's
 * settings.
 *
 * Each context reports what it knows once; user space joins the reports (src/live/join.c). The BPF object and the
 * loader are always built together and share one layout: every member is naturally aligned, and all padding is
 * explicit.
 *
 * Addresses are 16 bytes in network byte order (IPv4 as IPv4-mapped IPv6), ports are in host byte order, times are
 * nanoseconds of CLOCK_BOOTTIME, 0 if the moment was not seen.
 */
#ifndef NETRACKER_CORE_EVENT_H
#define NETRACKER_CORE_EVENT_H

#ifndef NT_LOAD /* a BPF host has its own */
#include "buffer.h"
#endif
#include "connection.h"
#include "key.h"
#include "last_exchange.h"
#include "port.h"
#include "record.h"
#include "share.h"
#include "socket.h"

enum nt_event_type {
	NT_EVENT_TYPE_PROCESS,       /* struct nt_compact_process_event: a process that was not described before */
	NT_EVENT_TYPE_LONG_PROCESS,  /* struct nt_process_event: one whose paths are too long for that */
	NT_EVENT_TYPE_SOCKET_OPEN,   /* struct nt_socket_event: the socket became established */
	NT_EVENT_TYPE_SOCKET_CLOSE,  /* struct nt_socket_event: the socket changed to CLOSE */
	NT_EVENT_TYPE_SOCKET_STATUS, /* struct nt_socket_event: an open socket, read by an iterator */
	NT_EVENT_TYPE_SOCKET_MORE,   /* struct nt_socket_more_event: values known only after that change */
	NT_EVENT_TYPE_WIRE_END,      /* struct nt_wire_event */
	NT_EVENT_TYPE_LISTENER,      /* struct nt_listener_event: read by an iterator */
};

/* Fills the key of the packets of the socket's connection, for the interfaces of a network namespace. Returns the
 * socket's side of the key, 0 or 1. */
NT_INLINE int nt_key_of_socket(struct nt_key *key, const struct nt_socket *socket, __u32 netns)
{
	struct nt_packet packet = {};

	__builtin_memcpy(packet.source, socket->local, 16);
	__builtin_memcpy(packet.destination, socket->remote, 16);
	packet.source_port = socket->local_port;
	packet.destination_port = socket->remote_port;
	return nt_key_from_packet(key, &packet, netns);
}

/* The kernel keeps what the peer left unanswered when a timer ends the connection. */
enum nt_waited_for {
	NT_WAITED_FOR_NOTHING,
	NT_WAITED_FOR_ACK,   /* of a retransmitted segment */
	NT_WAITED_FOR_PROBE, /* a keep-alive or zero-window probe */
};

/* The socket's own counts at its change to CLOSE, or at the event if it is still open. */
struct nt_socket_counts {
	__u64 bytes_sent;     /* payload, each byte once */
	__u64 bytes_received; /* payload, in order */
	__u32 segments_out, segments_in, retransmits;
	__u32 srtt_us, min_rtt_us;                                            /* srtt_us 0, min_rtt_us ~0: no sample */
	__u32 busy_jiffies, receiver_limited_jiffies, sndbuf_limited_jiffies; /* each excludes the others */
	__u32 lifetime_jiffies;                                               /* since established; 0 if unknown */
	__u32 error;           /* the error that ended the connection; 0: none */
	__u8 old_state;        /* before CLOSE */
	__u8 valid;            /* 0: the socket was not readable */
	__u8 fin_acknowledged; /* the peer acknowledged this socket's FIN */
	__u8 waited_for;       /* enum nt_waited_for */
	__u32 padding2;
};

/* The wire context's entry for one connection: the value of its tables. Arrays are indexed by the key's side. */
struct nt_wire {
	struct nt_key key;
	struct nt_connection connection;
	__u64 cookie[2];       /* of the socket that sends from this side, or of its request; 0: unknown */
	__u32 ifindex;         /* the interface of the first packet */
	__u8 syn_left;         /* the SYN was seen on egress */
	__u8 waits_for_ack;    /* counted in its slot of the fast path (core/fast_path.h) */
	__u8 socket_closed[2]; /* the socket on this side has reported its close */
	__u8 has_socket[2];    /* a socket is on this side, and not only a listener's request for one */
	__u8 answered_here;    /* a listener of this namespace sent the SYN-ACK without a request (SYN cookies) */
	__u8 translated[2];    /* the socket on this side has another tuple than the key (address translation) */
	__u8 in_sockmap;       /* a socket of it was in a sockmap */
	__u8 held_left;        /* the SYN that is kept (core/connection.h) was seen on egress */
	__u8 padding;
	__u64 held_cookie;      /* of the socket that sent that SYN */
	__u64 payload_until_ns; /* until when its slot counts it as waiting for payload; 0: it does not */
	__u16 share;            /* in the hash tables: the opener's (core/share.h) */
	__u8 attempt_error;     /* the last ICMP error that quotes the SYN, as an errno; 0: none */
	__u8 padding2[5];
};

/* A connection whose packets have another tuple than its socket. */
struct nt_translation {
	struct nt_key key;        /* of the packets */
	struct nt_key socket_key; /* of the socket's tuple */
	__u32 flips;              /* side 0 of one key is side 1 of the other */
	__u32 padding;
};

/* An element of the array that is indexed by the hash of a key. It holds one connection; others with the same hash are
 * kept in the hash tables. The kernel side and user space change the counts only by atomic additions, all that Linux
 * 5.10 has: whoever adds 1 and then reads 1 is alone; anyone else subtracts it again. */
struct nt_slot {
	__s32 claims;    /* 0: free */
	__s32 takers;    /* whoever is alone in this count may remove the connection */
	__s32 elsewhere; /* connections of this slot in the hash tables; may be too many, never too few */
	__u32 live;      /* `wire` is filled */
	struct nt_wire wire;
};

/* The status of a socket's connection on the wire at the socket's event. */
enum nt_wire_status {
	NT_WIRE_ABSENT,  /* not in the tables: never seen, or its end was reported before */
	NT_WIRE_OPEN,    /* still open: its end is reported later */
	NT_WIRE_SETTLED, /* removed from the tables: the socket's event is its report, no other follows */
	/* Not looked up: the socket saw both FINs, so its end was most likely reported before; or the close was missed.
	 * User space looks it up. */
	NT_WIRE_NOT_ASKED,
};

struct nt_event_header {
	__u32 type; /* enum nt_event_type */
	__u32 padding;
	__u64 now;
};

struct nt_socket_event {
	struct nt_event_header header;
	__u64 address; /* of the kernel's struct sock; identifies the socket until it is destroyed */
	struct nt_socket socket;
	struct nt_socket_counts counts;
	struct nt_socket_queues queues; /* of NT_EVENT_TYPE_SOCKET_STATUS */
	__u32 wire_status;              /* enum nt_wire_status */
	__u32 has_streams;
	struct nt_wire wire;       /* valid with NT_WIRE_OPEN and NT_WIRE_SETTLED */
	struct nt_streams streams; /* valid if has_streams */
};

/* The length of a socket's event without the wire's part. */
#define NT_SOCKET_EVENT_SHORT __builtin_offsetof(struct nt_socket_event, wire)

struct nt_socket_more_event {
	struct nt_event_header header;
	__u64 address;
	__u64 cookie;
	__u32 nth;
	__u8 reset_sent;
	__u8 reset_reason;
	__u8 awaits_owner; /* the owner is still unknown */
	__u8 padding;
	struct nt_owner owner;
};

enum nt_wire_cause {
	NT_WIRE_ENDED,    /* FINs of both sides, or a RST */
	NT_WIRE_IDLE,     /* expired: no packet for longer than the limit */
	NT_WIRE_REPLACED, /* another connection began on the same tuple */
	NT_WIRE_EXIT,     /* still open when tracking ended */
	NT_WIRE_EVICTED,  /* evicted from a full table; only in replay, the kernel's tables do not report it */
};

struct nt_wire_event {
	struct nt_event_header header;
	struct nt_wire wire;
	__u32 cause; /* enum nt_wire_cause */
	__u32 has_streams;
	struct nt_streams streams;
};

struct nt_listener_event {
	struct nt_event_header header;
	__u64 address; /* of the kernel's struct sock */
	__u64 cookie;  /* 0 if the kernel assigned none */
	struct nt_owner owner;
	__u8 local[16];
	__u16 local_port;
	__u8 ipv6_only; /* of a socket that is bound to ::; IPv4 connections are not for it */
	__u8 has_drops; /* `drops` was read */
	__u32 netns;
	__u32 ifindex; /* of the device that it is bound to; 0: none */
	__u32 backlog, backlog_max;
	__u32 drops;
};

#define NT_PATH_COMPONENTS 16
#define NT_PATH_COMPONENT_SIZE 264 /* holds every name of up to NAME_MAX (255) bytes; longer ones are cut */

/* The length of a wire event without streams. */
#define NT_WIRE_EVENT_SHORT __builtin_offsetof(struct nt_wire_event, streams)

/* A path in the order in which the kernel's trees are walked: from the last component to the first, each terminated by
 * NUL. A path with more components than fit is unknown. */
struct nt_path {
	__u32 count; /* components */
	__u32 known; /* 0: unknown, or incomplete */
	char component[NT_PATH_COMPONENTS][NT_PATH_COMPONENT_SIZE];
};

struct nt_process_event {
	struct nt_event_header header;
	struct nt_process_id process;
	struct nt_path executable, cgroup;
};

/* The same in an eighth of the room, which most paths fit into: the names follow each other. So thousands of short-lived
 * processes a second do not fill the ring buffer. */
#define NT_COMPACT_NAME_SIZE 128 /* with the NUL */
#define NT_COMPACT_TEXT_SIZE (384 + NT_COMPACT_NAME_SIZE)

struct nt_compact_path {
	__u32 count; /* components */
	__u32 known; /* 0: unknown, or incomplete */
	char text[NT_COMPACT_TEXT_SIZE];
};

struct nt_compact_process_event {
	struct nt_event_header header;
	struct nt_process_id process;
	struct nt_compact_path executable, cgroup;
};

/* The tables that are shared fairly (core/share.h), and the indexes of their counts in the map `shares`. */
enum nt_fair_table {
	NT_FAIR_SOCKETS,
	NT_FAIR_HALF_OPEN,
	NT_FAIR_ESTABLISHED,
	NT_FAIR_TABLES,
};

/* Set by the loader before the object is loaded. */
struct nt_config {
	__u32 own_netns; /* inode number of the namespace whose interfaces are tracked */
	__u32 wire_enabled;
	__u32 follow_packets;
	__u32 open_events;                /* emit NT_EVENT_TYPE_SOCKET_OPEN */
	__u32 wakeup_bytes;               /* wake the reader when the ring buffer holds this much */
	__u32 slot_mask;                  /* the number of slots, a power of 2, minus 1 */
	__u32 filters;                    /* emit only connections that pass struct nt_filter */
	__u32 sockets_enabled;            /* a connection of a socket has no record of its own from the wire */
	__u32 cgroup_v1;                  /* there are hierarchies of version 1: a process has a cgroup in each */
	__u32 table_size[NT_FAIR_TABLES]; /* in entries */
	__u32 listeners_only;             /* the start-up scan leaves connections out */
	__u32 padding;
	__u64 share_multiplier; /* random and odd */
};

#define NT_PUBLISHED_COMMAND 512
#define NT_PUBLISHED_COUNTS 64

/* A tracker publishes this for `netracker status`, in a map that no program uses: it disappears with the process. */
struct nt_publication {
	__u32 pid;                  /* 0: nothing is published */
	__u32 counts;               /* how many of `count` are used: distinguishes versions */
	__u64 begun_ns, updated_ns; /* since the Unix epoch */
	char version[16];
	char command[NT_PUBLISHED_COMMAND]; /* arguments as in /proc/PID/cmdline, possibly cut */
	__u64 count[NT_PUBLISHED_COUNTS];   /* struct accounting of src/record/accounting.h */
};

/* State that the kernel side and user space both read and write at any time: the BPF object's .bss, which the loader
 * maps. */
struct nt_shared {
	/* Set by user space when tracking ends. It then detaches the programs one after the other, which takes
	 * milliseconds each; events that only some of them saw would be reported wrongly. */
	__u32 ended;
	/* The interface to which user space is attaching, one direction after the other; 0: none. Connections that
	 * begin there are ignored meanwhile, because only one direction of them is seen. */
	__u32 attaching_ifindex;
	/* Set by the kernel side when it inserts into half_open_overflow, cleared by user space when it finds that
	 * table empty. */
	__u32 overflow_is_used;
	/* Set by the kernel side when a connection without an open socket in the table of established connections was
	 * reset, cleared by user space before it looks for those that expired. */
	__u32 has_reset;
	__u32 has_translations; /* set by the kernel side when it has seen the first address translation */
	/* The last socket that was counted as replaced (NT_COUNT_SOCKETS_REPLACED). */
	__u8 replaced_role;
	__u8 replaced_state;
	__u8 replaced_flags;
	__u8 padding;
};

/* Causes of a failed insertion into a table, or of a failed reservation in the ring buffer. A counter named FAILED is
 * the first of NT_FAILURES counters, one for each cause. */
enum nt_failure {
	NT_FAILED_FULL,
	NT_FAILED_SHARE,     /* the table is three quarters full, and a quarter of it is of this group (core/share.h) */
	NT_FAILED_NO_MEMORY, /* the kernel could not allocate an entry, though the table has room */
	NT_FAILED_LOCK,      /* the lock was held for too long, or by the code that this program interrupted */
	NT_FAILED_OTHER,     /* an error that no present kernel returns here */
	NT_FAILURES,
};

#define NT_TCP_STATES 13 /* one more than the largest state number of the kernel */

/* Indexes of the per-CPU counters. */
enum nt_counter {
	NT_COUNT_SOCKETS_OPENED,
	NT_COUNT_SOCKETS_PREEXISTING,
	NT_COUNT_SOCKETS_FAILED, /* no entry could be inserted */
	NT_COUNT_SOCKETS_FAILED_LAST = NT_COUNT_SOCKETS_FAILED + NT_FAILURES - 1,
	NT_COUNT_SOCKETS_FILTERED, /* closed, and excluded by the filters */
	/* Counts sockets whose change to CLOSE and whose destruction were both missed, when another socket begins at
	 * the same address. Indexed by the last known state. */
	NT_COUNT_SOCKETS_REPLACED,
	NT_COUNT_SOCKETS_REPLACED_LAST = NT_COUNT_SOCKETS_REPLACED + NT_TCP_STATES - 1,
	NT_COUNT_SOCKETS_EVICTED,   /* replaced, and not reported because their addresses are unknown */
	NT_COUNT_SOCKETS_NOT_BEGUN, /* opened, but no SYN was sent: no address or no port was available */
	NT_COUNT_RECURSION_CAUGHT,  /* calls that the stand-by program handled */
	NT_COUNT_ENDS_MISSED,       /* changes to CLOSE that no program saw, found later */
	NT_COUNT_SOCKET_RING_FAILED,
	NT_COUNT_SOCKET_RING_FAILED_LAST = NT_COUNT_SOCKET_RING_FAILED + NT_FAILURES - 1,
	NT_COUNT_OPEN_RING_FAILED,    /* an event of an open connection, for any cause: its close record is not lost */
	NT_COUNT_MORE_RING_FAILED,    /* for any cause */
	NT_COUNT_PROCESS_RING_FAILED, /* for any cause */
	NT_COUNT_WIRE_OPENED,
	NT_COUNT_WIRE_SETTLED,  /* belongs to a socket whose event reports it too, or is filtered with its socket */
	NT_COUNT_WIRE_FILTERED, /* belongs to no socket, and excluded by the filters */
	NT_COUNT_WIRE_RING_FAILED,
	NT_COUNT_WIRE_RING_FAILED_LAST = NT_COUNT_WIRE_RING_FAILED + NT_FAILURES - 1,
	NT_COUNT_HALF_OPEN_BEGUN,
	NT_COUNT_HALF_OPEN_TAKEN, /* removed from the half-open table: established, ended or settled */
	NT_COUNT_HALF_OPEN_FAILED,
	NT_COUNT_HALF_OPEN_FAILED_LAST = NT_COUNT_HALF_OPEN_FAILED + NT_FAILURES - 1,
	NT_COUNT_ESTABLISHED_FAILED,
	NT_COUNT_ESTABLISHED_FAILED_LAST = NT_COUNT_ESTABLISHED_FAILED + NT_FAILURES - 1,
	NT_COUNT_DETAILS_FAILED, /* no connection was lost: a table of listeners, owners, processes or streams, or the
				  * half-open one if the overflow table took the entry */
	NT_COUNT_DETAILS_FAILED_LAST = NT_COUNT_DETAILS_FAILED + NT_FAILURES - 1,
	NT_COUNT_PACKETS_MALFORMED,
	NT_COUNT_EVENTS, /* emitted, or lost for lack of room in the ring buffer */
	NT_COUNTERS,
};

#endif
