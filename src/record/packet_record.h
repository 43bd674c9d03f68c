/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records from packets: what the wire, live or captured, tells of a connection.
 *
 * Used whole for observers, and in parts for the record of a socket whose packets were seen.
 */
#ifndef NETRACKER_PACKET_RECORD_H
#define NETRACKER_PACKET_RECORD_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/event.h"

/* What was counted of one side, where every packet was followed. */
struct packet_traffic {
	__u64 packets, bytes, retransmits;
	bool complete; /* nothing was missed that can be told to be missing */
};

struct packet_account {
	const struct nt_key *key;
	const struct nt_connection *connection;
	const struct packet_traffic *traffic; /* two, by index of the key's end; NULL: not followed */
	const char *interface;                  /* NULL: not known */
	enum nt_wire_cause cause;
	__u64 now;           /* the moment of the record, in the clock of the connection's times */
	__s64 to_utc_ns;     /* from that clock to the Unix epoch's */
	__u64 most_bytes;    /* no side can have sent more payload; 0: not known */
};

/* Fills the whole record but for `reason`, and but for strings other than the interface's. event is NT_EVENT_EXIT for
 * NT_WIRE_EXIT, else NT_EVENT_CLOSE.
 */
void record_fill_from_packets(struct nt_record *record, const struct packet_account *view);

/* Fills what the wire knows of the times inside a connection, its conn_state and its history; adds to `seen`. */
void record_add_wire(struct nt_record *record, const struct nt_connection *connection);

/* Fills where the first packet was seen. interface: NULL where its name is not known. */
void record_add_place(struct nt_record *record, const struct nt_connection *connection, const char *interface);

/* Fills packets, bytes and retransmissions of both sides; adds to `seen` and to `gaps`. */
void record_add_traffic(struct nt_record *record, const struct nt_connection *connection,
			   const struct packet_traffic traffic[2]);

struct packet_traffic traffic_of_stream_core(const struct nt_stream_core *stream, bool is_incomplete);
struct packet_traffic traffic_of_stream(const struct nt_stream *stream);

/* The traffic of two streams, by index of the key's end. */
void record_add_streams(struct nt_record *record, const struct nt_connection *connection,
			   const struct nt_stream streams[2]);

#endif
