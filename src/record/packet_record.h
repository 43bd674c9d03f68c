/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills records from packets, live or captured: a whole observer's record, or the wire's part of a socket's record. */
#ifndef NETRACKER_PACKET_RECORD_H
#define NETRACKER_PACKET_RECORD_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/event.h"

/* Counts of one side, if every packet is followed. */
struct packet_traffic {
	__u64 packets, bytes, retransmits;
	bool complete; /* no gap was detected in the sequence numbers */
};

/* The times of a connection. */
enum packet_time_bit {
	PACKET_TIME_FIRST = 1,
	PACKET_TIME_SYN = 2,
	PACKET_TIME_SYNACK = 4,
	PACKET_TIME_ACK = 8,
	PACKET_TIME_FIN_0 = 16, /* by index into the key */
	PACKET_TIME_FIN_1 = 32,
	PACKET_TIME_RST = 64,
	PACKET_TIME_CHANGE = 128,
	PACKET_TIME_PAYLOAD_0 = 256,
	PACKET_TIME_PAYLOAD_1 = 512,
	PACKET_TIME_EXCHANGE_0 = 1024,
	PACKET_TIME_EXCHANGE_1 = 2048,
};

/* Times that cannot be compared with the others; enum packet_time_bit. */
struct packet_doubt {
	__u16 former;  /* before the clock was set back: only with each other */
	__u16 unknown; /* with none */
};

struct packet_account {
	const struct nt_key *key;
	const struct nt_connection *connection;
	const struct packet_traffic *traffic;    /* two, by index into the key; NULL if not followed */
	const struct nt_last_exchange *exchange; /* NULL if not followed */
	const char *interface;                   /* NULL if unknown */
	__u32 pid;                               /* of the process that a capture names; 0: unknown */
	const char *comm;                        /* its name; empty: unknown. Read only if pid is known */
	int error;                               /* errno that an ICMP error meant for the attempt; 0: none */
	enum nt_wire_cause cause;
	__u64 now;                        /* the record's time, in the clock of the connection's times */
	__s64 to_utc_ns;                  /* to add to that clock for the time since the Unix epoch */
	__u64 most_bytes;                 /* upper bound of one side's payload; 0 if unknown */
	const struct packet_doubt *doubt; /* NULL: none */
};

/* Fills an observer's record: all but the owner, and of the reasons only that of an ICMP error. Its event is NT_EVENT_EXIT if the cause is NT_WIRE_EXIT,
 * else NT_EVENT_CLOSE.
 */
void record_fill_from_packets(struct nt_record *record, const struct packet_account *account);

/* word: of any case; the record has it in lower case. */
void record_set_reason(struct nt_record *record, const char *word);

/* Sets the times between packets, conn_state and history; adds to `seen`. */
void record_add_wire(struct nt_record *record, const struct nt_connection *connection);

/* Sets request_ns and response_ns. start: the record's, by the connection's clock; 0: unknown. */
void record_add_first_payloads(struct nt_record *record, const struct nt_connection *connection, __u64 start);

/* Sets last_request_ns and last_response_ns in the same way. */
void record_add_last_exchange(struct nt_record *record, const struct nt_connection *connection,
			      const struct nt_last_exchange *exchange, __u64 start);

/* Sets the interface and VLAN of the first packet. `interface` is NULL if its name is unknown. */
void record_add_place(struct nt_record *record, const struct nt_connection *connection, const char *interface);

/* Sets packets, bytes and retransmits of both sides; adds to `seen` and to `gaps`. `traffic`: by index into the key. */
void record_add_traffic(struct nt_record *record, const struct nt_connection *connection,
			const struct packet_traffic traffic[2]);

struct packet_traffic traffic_of_stream_core(const struct nt_stream_core *stream, bool is_incomplete);
struct packet_traffic traffic_of_stream(const struct nt_stream *stream);

/* The same from the streams. */
void record_add_streams(struct nt_record *record, const struct nt_connection *connection,
			const struct nt_streams *streams);

#endif
