/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record with every member set, and no two members equal. */
#ifndef NETRACKER_TESTS_SAMPLE_RECORD_H
#define NETRACKER_TESTS_SAMPLE_RECORD_H

#include <linux/types.h>
#include <string.h>

#include "core/record.h"

static const __u8 sample_src_ipv4[16] = { [10] = 0xff, [11] = 0xff, 198, 18, 0, 1 };
static const __u8 sample_dst_ipv4[16] = { [10] = 0xff, [11] = 0xff, 198, 18, 0, 2 };

__attribute__((unused)) static struct nt_record sample_record(void)
{
	struct nt_record record = {
		.present = NT_PRESENT(NT_HAS_HOST + 1) - 1,
		.event = NT_EVENT_CLOSE,
		.role = NT_ROLE_SERVER,
		.outcome = NT_OUTCOME_RESET,
		.ended_by = NT_DST,
		.owner_by = NT_OWNER_IO,
		.limited_by = NT_LIMITED_SNDBUF,
		.seen = NT_SEEN_WIRE | NT_SEEN_SOCKET,
		.state = 5,
		.id = "00112233445566aa",
		.src_port = 34855,
		.dst_port = 80,
		.netns = 4026531840,
		.netns_name = "blue",
		.wire_src_port = 34856,
		.wire_dst_port = 8080,
		.ifname = "eth0",
		.vlan = 100,
		.pid = 1234,
		.uid = 33,
		.opener_pid = 1200,
		.comm = "nginx",
		.container = "abc",
		.exe = "/usr/sbin/nginx",
		.host = "db1",
		.cgroup = "/system.slice/nginx.service",
		.start_ns = 1700000000001000000, /* 2023-11-14T22:13:20.001Z */
		.end_ns = 1700000001501000000,
		.duration_ns = 1500000000,
		.first_fin_ns = 1400000000,
		.wire_duration_ns = 1500000001,
		.syn_synack_ns = 20000,
		.synack_ack_ns = 30000,
		.handshake_ns = 50000,
		.syn_finack_ns = 1400000001,
		.request_ns = 60000,
		.response_ns = 90000000,
		.last_request_ns = 800000000,
		.last_response_ns = 900000000,
		.accept_wait_ns = 7000,
		.state_age_ns = 9000,
		.recv_queue_bytes = 11,
		.send_queue_bytes = 12,
		.unacked_bytes = 13,
		.cwnd = 10,
		.last_sent_ns = 4000000,
		.last_received_ns = 8000000,
		.reason = "tcp_abort_on_close",
		.conn_state = "RSTR",
		.history = "ShADadr",
		.bytes = { 77, 4294967297 },
		.packets = { 6, 5 },
		.retransmits = { 1, 2 },
		.rtt_us = 45,
		.min_rtt_us = 40,
	};

	memcpy(record.wire_src_ip, sample_src_ipv4, sizeof(record.wire_src_ip));
	memcpy(record.wire_dst_ip, sample_dst_ipv4, sizeof(record.wire_dst_ip));
	record.wire_src_ip[15] = 11;
	record.wire_dst_ip[15] = 12;
	memcpy(record.src_ip, sample_src_ipv4, sizeof(record.src_ip));
	memcpy(record.dst_ip, sample_dst_ipv4, sizeof(record.dst_ip));
	return record;
}

/* A listener on [::]:80 with one connection more than its limit. */
__attribute__((unused)) static struct nt_record sample_listener(void)
{
	struct nt_record record = sample_record();

	record.event = NT_EVENT_LISTENER;
	record.present = NT_PRESENT(NT_HAS_HOST) | NT_PRESENT(NT_HAS_NETNS) | NT_PRESENT(NT_HAS_NETNS_NAME) |
			 NT_PRESENT(NT_HAS_PID) | NT_PRESENT(NT_HAS_COMM) | NT_PRESENT(NT_HAS_EXE) |
			 NT_PRESENT(NT_HAS_UID) | NT_PRESENT(NT_HAS_CGROUP) | NT_PRESENT(NT_HAS_CONTAINER) |
			 NT_PRESENT(NT_HAS_BACKLOG) | NT_PRESENT(NT_HAS_BACKLOG_MAX) | NT_PRESENT(NT_HAS_DROPS) |
			 NT_PRESENT(NT_HAS_DUAL_STACK);
	record.outcome = NT_OUTCOME_OPEN;
	memset(record.src_ip, 0, sizeof(record.src_ip));
	memset(record.dst_ip, 0, sizeof(record.dst_ip));
	record.src_port = 0;
	record.backlog = 512;
	record.backlog_max = 511;
	record.drops = 70;
	record.dual_stack = 1;
	return record;
}

#endif
