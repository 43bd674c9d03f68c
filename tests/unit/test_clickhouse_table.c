// SPDX-License-Identifier: GPL-2.0-or-later
/* The columns of the table of `netracker ship --setup`, and its version: with other columns and the same version, ship would
 * send keys that existing tables drop. */
#include <stdlib.h>
#include <string.h>

#include "src/clickhouse/clickhouse_table.h"

#include "tests/unit/check.h"

/* If these are no longer the columns: raise CLICKHOUSE_TABLE_VERSION, and write both here. */
#define VERSION 1
static const char columns
	[] = "v id time event host role family src_ip src_port dst_ip dst_port netns netns_name wire_src_ip "
	     "wire_src_port wire_dst_ip wire_dst_port ifname vlan pid comm exe uid owner_by opener_pid cgroup "
	     "container start duration_ns first_fin_ns wire_duration_ns syn_synack_ns synack_ack_ns handshake_ns "
	     "syn_finack_ns request_ns response_ns accept_wait_ns outcome ended_by reason state state_age_ns "
	     "recv_queue_bytes send_queue_bytes unacked_bytes cwnd last_sent_ns last_received_ns conn_state "
	     "history src_bytes dst_bytes src_packets dst_packets src_retransmits dst_retransmits rtt_us "
	     "min_rtt_us limited_by seen complete gaps last_request_ns last_response_ns backlog backlog_max drops "
	     "dual_stack";

/* Leaves the names in backquotes, with spaces between. */
static void keep_names(char *sql)
{
	char *out = sql, *name = strchr(sql, '`'), *end;
	size_t size;

	while (name) {
		end = strchr(++name, '`');
		size = (size_t)(end - name);
		memmove(out, name, size);
		out[size] = ' ';
		out += size + 1;
		name = strchr(end + 1, '`');
	}
	out[-1] = '\0';
}

static void has_columns_of_version(bool reduced)
{
	const struct clickhouse_table table = { .database = "nt", .name = "conn" };
	struct text_buffer sql = { 0 };

	clickhouse_table_append(&sql, &table, reduced);
	text_char(&sql, '\0');
	CHECK(!sql.failed);
	keep_names(sql.bytes);
	CHECK_EQUAL(CLICKHOUSE_TABLE_VERSION, VERSION);
	CHECK_STRING(sql.bytes, columns);
	text_free(&sql);
}

int main(void)
{
	has_columns_of_version(false);
	has_columns_of_version(true);
	return check_finish();
}
