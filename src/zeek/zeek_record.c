// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/zeek/zeek_record.h"

#include <stdio.h>
#include <string.h>

#include "src/record/record_id.h"

static void zeek_fill_tuple(struct nt_record *record, const struct zeek_entry *entry)
{
	int orig = entry->connection.orig;

	memcpy(record->src_ip, entry->key.address[orig], sizeof(record->src_ip));
	memcpy(record->dst_ip, entry->key.address[1 - orig], sizeof(record->dst_ip));
	record->src_port = entry->key.port[orig];
	record->dst_port = entry->key.port[1 - orig];
	if (entry->vlan != NT_NO_VLAN) {
		record->vlan = entry->vlan;
		nt_record_set(record, NT_HAS_VLAN);
	}
}

/* Zeek omits the bytes together with the duration. */
static void zeek_fill_duration(struct nt_record *record, const struct nt_zeek_connection *connection)
{
	const struct nt_zeek_endpoint *orig = &connection->endpoint[connection->orig];
	const struct nt_zeek_endpoint *resp = &connection->endpoint[1 - connection->orig];

	record->start_ns = connection->start;
	record->end_ns = connection->last;
	nt_record_set(record, NT_HAS_START);
	if (connection->last <= connection->start)
		return;
	record->duration_ns = connection->last - connection->start;
	record->bytes[NT_SRC] = nt_zeek_size(orig, resp);
	record->bytes[NT_DST] = nt_zeek_size(resp, orig);
	nt_record_set(record, NT_HAS_DURATION);
	nt_record_set(record, NT_HAS_SRC_BYTES);
	nt_record_set(record, NT_HAS_DST_BYTES);
}

static void zeek_fill_counts(struct nt_record *record, const struct nt_zeek_connection *connection)
{
	const struct nt_zeek_endpoint *orig = &connection->endpoint[connection->orig];
	const struct nt_zeek_endpoint *resp = &connection->endpoint[1 - connection->orig];

	record->packets[NT_SRC] = orig->packets;
	record->packets[NT_DST] = resp->packets;
	record->ip_bytes[NT_SRC] = orig->network_bytes;
	record->ip_bytes[NT_DST] = resp->network_bytes;
	record->missed_bytes = connection->missed_bytes;
	nt_record_set(record, NT_HAS_SRC_PACKETS);
	nt_record_set(record, NT_HAS_DST_PACKETS);
	nt_record_set(record, NT_HAS_SRC_IP_BYTES);
	nt_record_set(record, NT_HAS_DST_IP_BYTES);
	nt_record_set(record, NT_HAS_MISSED_BYTES);
	record->seen = NT_SEEN_WIRE | NT_SEEN_PACKETS;
	if (connection->missed_bytes)
		record->gaps |= NT_GAP_PACKETS;
}

/* The first letter of the history shows whether the start of the connection was seen. */
static void zeek_fill_history(struct nt_record *record, const struct nt_zeek_connection *connection)
{
	const char *history = connection->history.text;

	snprintf(record->conn_state, sizeof(record->conn_state), "%s", nt_zeek_conn_state(connection));
	nt_record_set(record, NT_HAS_CONN_STATE);
	if (history) {
		record->long_history = history;
		nt_record_set(record, NT_HAS_HISTORY);
	}
	if (!history || *history != 'S')
		record->gaps |= NT_GAP_START;
	if (!history || (*history != 'S' && *history != 'H' && strncmp(history, "^h", 2)))
		record->gaps |= NT_GAP_DIRECTION;
}

static void set_outcome(struct nt_record *record, enum nt_outcome outcome, enum nt_side ended_by)
{
	record->outcome = outcome;
	record->ended_by = ended_by;
	nt_record_set(record, NT_HAS_ENDED_BY);
}

/* docs/zeek.md has the table of outcomes. */
static void zeek_fill_outcome(struct nt_record *record, const struct nt_zeek_connection *connection,
			      enum nt_wire_cause cause)
{
	__u8 orig = connection->endpoint[connection->orig].state,
	     resp = connection->endpoint[1 - connection->orig].state;
	enum nt_side first_fin = connection->first_fin == 1 + connection->orig ? NT_SRC : NT_DST;

	if (resp == NT_ENDPOINT_RESET)
		set_outcome(record, strcmp(record->conn_state, "REJ") ? NT_OUTCOME_RESET : NT_OUTCOME_REFUSED, NT_DST);
	else if (orig == NT_ENDPOINT_RESET)
		set_outcome(record, NT_OUTCOME_RESET, NT_SRC);
	else if (orig == NT_ENDPOINT_CLOSED && resp == NT_ENDPOINT_CLOSED)
		set_outcome(record, NT_OUTCOME_CLOSED, first_fin);
	else if (cause != NT_WIRE_ENDED)
		record->outcome = strcmp(record->conn_state, "S0") ? NT_OUTCOME_OPEN : NT_OUTCOME_UNANSWERED;
	else if (connection->first_fin)
		set_outcome(record, NT_OUTCOME_EXPIRED, first_fin);
	else
		record->outcome = nt_zeek_is_attempt(connection) ? NT_OUTCOME_TIMEOUT : NT_OUTCOME_EXPIRED;
	record->event = record->outcome >= NT_OUTCOME_UNANSWERED ? NT_EVENT_EXIT : NT_EVENT_CLOSE;
	if (cause == NT_WIRE_EVICTED) {
		record->event = NT_EVENT_CLOSE;
		record->gaps |= NT_GAP_EVICTED;
	}
}

void record_fill_from_zeek(struct nt_record *record, const struct zeek_entry *entry, enum nt_wire_cause cause)
{
	const struct nt_zeek_connection *connection = &entry->connection;

	memset(record, 0, sizeof(*record));
	record->role = NT_ROLE_OBSERVER;
	zeek_fill_tuple(record, entry);
	zeek_fill_duration(record, connection);
	zeek_fill_counts(record, connection);
	zeek_fill_history(record, connection);
	zeek_fill_outcome(record, connection, cause);
	record_id_observer(record);
}
