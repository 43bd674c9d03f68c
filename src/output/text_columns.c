// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/output/text_columns.h"

#include <time.h>

#include "src/util/escape.h"
#include "src/util/readable.h"
#include "src/record/record_fields.h"
#include "src/record/record_wait.h"

#define NS_PER_SECOND 1000000000ULL
#define COMM_WIDTH 15         /* of TASK_COMM_LEN, without escapes */
#define CONTAINER_ID_SHOWN 12 /* hexadecimal digits, as docker ps shows */
#define REASON_WIDTH 11

#define COLOUR_RED "\033[31m"
#define COLOUR_YELLOW "\033[33m"
#define COLOUR_CYAN "\033[36m"

static void print_absent(struct text_buffer *cell)
{
	text_char(cell, '-');
}

static void print_name(struct text_buffer *cell, const struct field_names *names, unsigned int index)
{
	const char *name = field_name(names, index);

	text_string(cell, name ? name : "-");
}

static void print_local_time(struct text_buffer *cell, const struct nt_record *record)
{
	struct tm local;
	char text[16];
	time_t seconds = (time_t)(record->end_ns / NS_PER_SECOND);

	if (!record->end_ns)
		return print_absent(cell);
	localtime_r(&seconds, &local);
	strftime(text, sizeof(text), "%H:%M:%S", &local);
	text_string(cell, text);
}

static void text_print_role(struct text_buffer *cell, const struct nt_record *record)
{
	static const char *const words[] = {
		[NT_ROLE_CLIENT] = "client",
		[NT_ROLE_SERVER] = "server",
		[NT_ROLE_OBSERVER] = "packets",
	};

	text_string(cell,
		    !nt_record_is_listener(record) && record->role <= NT_ROLE_OBSERVER ? words[record->role] : "-");
}

static void print_role_letter(struct text_buffer *cell, const struct nt_record *record)
{
	text_char(cell, record->role == NT_ROLE_CLIENT ? 'C' : record->role == NT_ROLE_SERVER ? 'S' : 'P');
}

static void print_pid(struct text_buffer *cell, const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_PID))
		return print_absent(cell);
	text_format(cell, "%u", record->pid);
}

static void print_comm(struct text_buffer *cell, const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_COMM))
		return print_absent(cell);
	escape_word(cell, record->comm, sizeof(record->comm));
}

/* Truncates the name to its column, not within an escape: no process name may make a line too long. */
static void print_comm_cut(struct text_buffer *cell, const struct nt_record *record)
{
	size_t kept = 0, next = 0;

	print_comm(cell, record);
	if (cell->used <= COMM_WIDTH)
		return;
	while (next < COMM_WIDTH) {
		kept = next;
		next += cell->bytes[next] == '\\' ? sizeof("\\xNN") - 1 : 1;
	}
	cell->used = kept;
	text_char(cell, '~');
}

static void print_indented_comm(struct text_buffer *cell, const struct nt_record *record)
{
	struct text_buffer comm = { 0 };

	print_comm_cut(&comm, record);
	text_string(cell, "  ");
	text_append(cell, comm.bytes, comm.used);
	cell->failed = cell->failed || comm.failed;
	text_free(&comm);
}

static void print_endpoint(struct text_buffer *cell, const __u8 *address, __u16 port)
{
	char text[ADDRESS_TEXT_SIZE];

	record_address_text(text, address);
	text_format(cell, nt_address_family(address) == 4 ? "%s:%u" : "[%s]:%u", text, port);
}

/* As print_endpoint(), with the address's name if it is known. */
static void print_named_endpoint(struct text_buffer *cell, const __u8 *address, __u16 port, struct resolver *names)
{
	if (resolver_append_name(names, address, cell))
		text_format(cell, ":%u", port);
	else
		print_endpoint(cell, address, port);
}

static void print_src(struct text_buffer *cell, const struct nt_record *record)
{
	if (nt_record_is_listener(record))
		return print_absent(cell);
	print_endpoint(cell, record->src_ip, record->src_port);
}

static void print_dst(struct text_buffer *cell, const struct nt_record *record)
{
	print_endpoint(cell, record->dst_ip, record->dst_port);
}

static void print_named_src(struct text_buffer *cell, const struct nt_record *record, struct resolver *names)
{
	print_named_endpoint(cell, record->src_ip, record->src_port, names);
}

static void print_named_dst(struct text_buffer *cell, const struct nt_record *record, struct resolver *names)
{
	print_named_endpoint(cell, record->dst_ip, record->dst_port, names);
}

static void print_indented_dst(struct text_buffer *cell, const struct nt_record *record)
{
	text_string(cell, "  ");
	print_dst(cell, record);
}

static void print_indented_named_dst(struct text_buffer *cell, const struct nt_record *record, struct resolver *names)
{
	text_string(cell, "  ");
	print_named_dst(cell, record, names);
}

/* A listener as ss shows it: `*` takes IPv4 and IPv6; the device behind `%` is the one that it is bound to. */
static void print_bound_address(struct text_buffer *cell, const struct nt_record *record)
{
	char text[ADDRESS_TEXT_SIZE];

	record_address_text(text, record->dst_ip);
	if (nt_record_has(record, NT_HAS_DUAL_STACK) && record->dual_stack)
		text_char(cell, '*');
	else
		text_format(cell, nt_address_family(record->dst_ip) == 4 ? "%s" : "[%s]", text);
	if (nt_record_has(record, NT_HAS_IFNAME)) {
		text_char(cell, '%');
		escape_word(cell, record->ifname, sizeof(record->ifname));
	}
	text_format(cell, ":%u", record->dst_port);
}

static void print_local(struct text_buffer *cell, const struct nt_record *record)
{
	if (nt_record_is_listener(record))
		print_bound_address(cell, record);
	else if (nt_record_local_side(record) == NT_SRC)
		print_src(cell, record);
	else
		print_dst(cell, record);
}

static void print_outcome(struct text_buffer *cell, const struct nt_record *record)
{
	print_name(cell, &record_outcome_names, record->outcome);
}

static void print_ended_by(struct text_buffer *cell, const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_ENDED_BY))
		return print_absent(cell);
	print_name(cell, &record_side_names, record->ended_by);
}

/* Prints "closed:src", or for an open connection the kind of the record. */
static void print_outcome_and_side(struct text_buffer *cell, const struct nt_record *record)
{
	static const char *const open_words[] = {
		[NT_EVENT_CLOSE] = "open",      [NT_EVENT_OPEN] = "opened", [NT_EVENT_UPDATE] = "update",
		[NT_EVENT_EXIT] = "still-open", [NT_EVENT_LISTED] = "open", [NT_EVENT_LISTENER] = "-",
	};

	if (record->outcome == NT_OUTCOME_OPEN && record->event <= NT_EVENT_LISTENER)
		return text_string(cell, open_words[record->event]);
	print_outcome(cell, record);
	if (!nt_record_has(record, NT_HAS_ENDED_BY))
		return;
	text_char(cell, ':');
	print_ended_by(cell, record);
}

static const char *outcome_colour(const struct nt_record *record)
{
	switch (record->outcome) {
	case NT_OUTCOME_RESET:
	case NT_OUTCOME_REFUSED:
	case NT_OUTCOME_TIMEOUT:
	case NT_OUTCOME_UNREACHABLE:
	case NT_OUTCOME_UNANSWERED:
		return COLOUR_RED;
	case NT_OUTCOME_EXPIRED:
		return COLOUR_YELLOW;
	case NT_OUTCOME_OPEN:
		return COLOUR_CYAN;
	default:
		return NULL;
	}
}

static bool is_backlog_full(const struct nt_record *record)
{
	return nt_record_has(record, NT_HAS_BACKLOG) && nt_record_has(record, NT_HAS_BACKLOG_MAX) &&
	       record->backlog > record->backlog_max;
}

static const char *backlog_colour(const struct nt_record *record)
{
	return is_backlog_full(record) ? COLOUR_RED : NULL;
}

static const char *drops_colour(const struct nt_record *record)
{
	return nt_record_has(record, NT_HAS_DROPS) && record->drops ? COLOUR_YELLOW : NULL;
}

static const char *gaps_colour(const struct nt_record *record)
{
	return record->gaps ? COLOUR_YELLOW : NULL;
}

static void print_optional(struct text_buffer *cell, const struct nt_record *record, int bit, __u64 value,
			   void (*print)(struct text_buffer *cell, __u64 value))
{
	if (nt_record_has(record, bit))
		print(cell, value);
	else
		print_absent(cell);
}

static void text_print_duration(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_DURATION, record->duration_ns, readable_duration);
}

/* Leaves out a negative time: it shows only that the capture has the packets out of order. */
static void print_handshake(struct text_buffer *cell, const struct nt_record *record)
{
	if (nt_record_has(record, NT_HAS_HANDSHAKE) && record->handshake_ns >= 0)
		readable_duration(cell, (__u64)record->handshake_ns);
	else
		print_absent(cell);
}

static void print_bytes_of(struct text_buffer *cell, const struct nt_record *record, enum nt_side side)
{
	print_optional(cell, record, side == NT_SRC ? NT_HAS_SRC_BYTES : NT_HAS_DST_BYTES, record->bytes[side],
		       readable_count);
}

static void text_print_sent(struct text_buffer *cell, const struct nt_record *record)
{
	print_bytes_of(cell, record, nt_record_local_side(record));
}

static void text_print_received(struct text_buffer *cell, const struct nt_record *record)
{
	print_bytes_of(cell, record, !nt_record_local_side(record));
}

static void print_count(struct text_buffer *cell, __u64 count)
{
	text_format(cell, "%llu", (unsigned long long)count);
}

static void print_retransmits_of(struct text_buffer *cell, const struct nt_record *record, enum nt_side side)
{
	print_optional(cell, record, side == NT_SRC ? NT_HAS_SRC_RETRANSMITS : NT_HAS_DST_RETRANSMITS,
		       record->retransmits[side], print_count);
}

static void text_print_retransmits(struct text_buffer *cell, const struct nt_record *record)
{
	print_retransmits_of(cell, record, nt_record_local_side(record));
	text_char(cell, '/');
	print_retransmits_of(cell, record, !nt_record_local_side(record));
}

static void text_print_state(struct text_buffer *cell, const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_STATE))
		return print_absent(cell);
	print_name(cell, &record_state_names, record->state);
}

static void print_rtt(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_RTT, record->rtt_us * 1000ULL, readable_duration);
}

static void print_reason(struct text_buffer *cell, const struct nt_record *record)
{
	text_string(cell, nt_record_has(record, NT_HAS_REASON) ? record->reason : "-");
}

static void print_reason_cut(struct text_buffer *cell, const struct nt_record *record)
{
	print_reason(cell, record);
	if (cell->used <= REASON_WIDTH)
		return;
	cell->used = REASON_WIDTH - 1;
	text_char(cell, '~');
}

static void print_state_age(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_STATE_AGE, record->state_age_ns, readable_duration);
}

static void print_recv_queue(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_RECV_QUEUE, record->recv_queue_bytes, readable_count);
}

/* As ss shows it: what was sent is in the queue until it is acknowledged. */
static void print_send_queue(struct text_buffer *cell, const struct nt_record *record)
{
	__u64 queued = (__u64)record->send_queue_bytes + record->unacked_bytes;

	if (nt_record_has(record, NT_HAS_UNACKED))
		print_optional(cell, record, NT_HAS_SEND_QUEUE, queued, readable_count);
	else
		print_absent(cell);
}

static void print_unacked(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_UNACKED, record->unacked_bytes, readable_count);
}

static void print_cwnd(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_CWND, record->cwnd, print_count);
}

static void print_backlog(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_BACKLOG, record->backlog, print_count);
}

static void print_backlog_max(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_BACKLOG_MAX, record->backlog_max, print_count);
}

static void print_drops(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_DROPS, record->drops, print_count);
}

static void print_uid(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_UID, record->uid, print_count);
}

static void print_netns(struct text_buffer *cell, const struct nt_record *record)
{
	if (nt_record_has(record, NT_HAS_NETNS_NAME) && record->netns_name)
		return escape_word(cell, record->netns_name, strlen(record->netns_name));
	print_optional(cell, record, NT_HAS_NETNS, record->netns, print_count);
}

static void print_container(struct text_buffer *cell, const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_CONTAINER))
		return print_absent(cell);
	text_append(cell, record->container, strnlen(record->container, CONTAINER_ID_SHOWN));
}

static void print_limited_by(struct text_buffer *cell, const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_LIMITED_BY))
		return print_absent(cell);
	print_name(cell, &record_limited_by_names, record->limited_by);
}

/* The largest part of the time: "peer:300ms". */
static void print_wait(struct text_buffer *cell, const struct nt_record *record)
{
	struct record_wait wait = record_wait_compute(record);
	const char *name = "network";
	__u64 most = wait.network.ns;

	if (!wait.server.known)
		return print_absent(cell);
	if (wait.server.ns > most) {
		most = wait.server.ns;
		name = record_wait_server_name(record);
	}
	if (wait.rest.known && wait.rest.ns > most) {
		most = wait.rest.ns;
		name = record_wait_rest_name(wait.rest_is);
	}
	text_format(cell, "%s:", name);
	readable_duration(cell, most);
}

static void print_gaps(struct text_buffer *cell, const struct nt_record *record)
{
	const char *separator = "";
	unsigned int i;

	if (!record->gaps)
		print_absent(cell);
	for (i = 0; i < record_gap_names.count; i++) {
		if (!(record->gaps & 1U << i))
			continue;
		text_format(cell, "%s%s", separator, record_gap_names.names[i]);
		separator = "+";
	}
}

static void print_gap_letters(struct text_buffer *cell, const struct nt_record *record)
{
	static const char letters[] = "SDOoPWEHYBVXL"; /* in the order of enum nt_gap */
	unsigned int i;

	if (!record->gaps)
		print_absent(cell);
	for (i = 0; i < sizeof(letters) - 1; i++)
		if (record->gaps & 1U << i)
			text_char(cell, letters[i]);
}

/* clang-format off */
#define LEFT_COLUMN(name, title, its_width, printer) \
	static const struct text_column name = { \
		.heading = title, .width = its_width, .alignment = LEFT, .heading_alignment = LEFT, .print = printer }
#define RIGHT_COLUMN(name, title, its_width, printer) \
	static const struct text_column name = { \
		.heading = title, .width = its_width, .alignment = RIGHT, .heading_alignment = RIGHT, .print = printer }
#define ENDPOINT_COLUMN(name, title, its_width, width_of_names, printer, named_printer) \
	static const struct text_column name = { \
		.heading = title, .width = its_width, .alignment = LEFT, .heading_alignment = LEFT, .print = printer, \
		.print_named = named_printer, .named_width = width_of_names }
/* clang-format on */

/* A heading that is wider than its column, such as HANDSHAKE, extends to the left, where the heading before it leaves
 * room. A name or an outcome that is wider than its column takes room from the next one. */
const struct text_column text_time_column = {
	.heading = "TIME",
	.width = 8,
	.alignment = LEFT,
	.heading_alignment = LEFT,
	.print = print_local_time,
};
RIGHT_COLUMN(pid_column, "PID", 7, print_pid);
LEFT_COLUMN(comm_column, "COMM", COMM_WIDTH, print_comm_cut);
LEFT_COLUMN(indented_comm_column, "  COMM", 2 + COMM_WIDTH, print_indented_comm); /* of a second line */
LEFT_COLUMN(short_comm_column, "COMM", 10, print_comm_cut);
LEFT_COLUMN(role_column, "ROLE", 7, text_print_role);
LEFT_COLUMN(socket_role_column, "ROLE", 6, text_print_role); /* no record has `packets` */
LEFT_COLUMN(role_letter_column, "R", 1, print_role_letter);
ENDPOINT_COLUMN(src_column, "SRC", TEXT_ENDPOINT_WIDTH, TEXT_NAMED_WIDTH, print_src, print_named_src);
ENDPOINT_COLUMN(dst_column, "DST", TEXT_ENDPOINT_WIDTH, TEXT_NAMED_WIDTH, print_dst, print_named_dst);
ENDPOINT_COLUMN(narrow_src_column, "SRC", TEXT_ENDPOINT_WIDTH, 0, print_src, print_named_src);
ENDPOINT_COLUMN(second_dst_column, "  DST", 23, 0, print_indented_dst,
		print_indented_named_dst); /* the second line is indented */
LEFT_COLUMN(local_column, "LOCAL", 21, print_local);
static const struct text_column backlog_column = {
	.heading = "BACKLOG",
	.width = 7,
	.alignment = RIGHT,
	.heading_alignment = RIGHT,
	.print = print_backlog,
	.colour = backlog_colour,
};
RIGHT_COLUMN(backlog_max_column, "MAX", 5, print_backlog_max);
static const struct text_column drops_column = {
	.heading = "DROPS",
	.width = 6,
	.alignment = RIGHT,
	.heading_alignment = RIGHT,
	.print = print_drops,
	.colour = drops_colour,
};
RIGHT_COLUMN(uid_column, "UID", 6, print_uid);
static const struct text_column outcome_column = {
	.heading = "OUTCOME",
	.width = 10,
	.alignment = LEFT,
	.heading_alignment = LEFT,
	.print = print_outcome_and_side,
	.colour = outcome_colour,
};
RIGHT_COLUMN(handshake_column, "HANDSHAKE", 6, print_handshake);
RIGHT_COLUMN(lasted_column, "LASTED", 6, text_print_duration);
RIGHT_COLUMN(age_column, "AGE", 6, text_print_duration);
static const struct text_column sent_column = {
	.heading = "SENT",
	.width = 6,
	.alignment = RIGHT,
	.heading_alignment = LEFT,
	.print = text_print_sent,
};
RIGHT_COLUMN(received_column, "RECEIVED", 6, text_print_received);
RIGHT_COLUMN(retrans_column, "RETRANS", 7, text_print_retransmits);
LEFT_COLUMN(state_column, "STATE", 11, text_print_state);
RIGHT_COLUMN(state_age_column, "STATE-AGE", 6, print_state_age);
RIGHT_COLUMN(recv_queue_column, "RECV-Q", 6, print_recv_queue);
RIGHT_COLUMN(send_queue_column, "SEND-Q", 6, print_send_queue);
RIGHT_COLUMN(unacked_column, "UNACKED", 7, print_unacked);
RIGHT_COLUMN(cwnd_column, "CWND", 4, print_cwnd);
RIGHT_COLUMN(rtt_column, "RTT", 6, print_rtt);
LEFT_COLUMN(wait_column, "WAIT", 14, print_wait);
LEFT_COLUMN(limited_column, "LIMITED", 8, print_limited_by);
LEFT_COLUMN(netns_column, "NETNS", 10, print_netns);
LEFT_COLUMN(container_column, "CONTAINER", CONTAINER_ID_SHOWN, print_container);
LEFT_COLUMN(reason_column, "REASON", 18, print_reason); /* tcp_abort_on_close */
LEFT_COLUMN(short_reason_column, "REASON", REASON_WIDTH, print_reason_cut);
static const struct text_column gaps_column = {
	.heading = "GAPS",
	.width = 5,
	.alignment = LEFT,
	.heading_alignment = LEFT,
	.print = print_gaps,
	.print_short = print_gap_letters,
	.colour = gaps_colour,
};

static const struct table_column ended_columns[] = {
	{ &text_time_column, 0, 0 },    { &pid_column, 0, 0 },       { &comm_column, 1, 0 },
	{ &short_comm_column, 0, 1 },   { &role_column, 10, 0 },     { &role_letter_column, 0, 10 },
	{ &src_column, 0, 0 },          { &dst_column, 0, 0 },       { &outcome_column, 0, 0 },
	{ &handshake_column, 8, 0 },    { &lasted_column, 0, 0 },    { &sent_column, 9, 0 },
	{ &received_column, 9, 0 },     { &retrans_column, 7, 0 },   { &rtt_column, 5, 0 },
	{ &netns_column, 3, 0 },        { &container_column, 2, 0 }, { &reason_column, 1, 0 },
	{ &short_reason_column, 4, 1 }, { &gaps_column, 6, 0 },
};

static const struct table_column open_columns[] = {
	{ &pid_column, 0, 0 },          { &comm_column, 1, 0 },         { &short_comm_column, 0, 1 },
	{ &socket_role_column, 13, 0 }, { &role_letter_column, 0, 13 }, { &src_column, 0, 0 },
	{ &dst_column, 0, 0 },          { &state_column, 0, 0 },        { &state_age_column, 8, 0 },
	{ &recv_queue_column, 0, 0 },   { &send_queue_column, 0, 0 },   { &age_column, 9, 0 },
	{ &sent_column, 12, 0 },        { &received_column, 12, 0 },    { &rtt_column, 11, 0 },
	{ &retrans_column, 10, 0 },     { &limited_column, 7, 0 },      { &unacked_column, 3, 0 },
	{ &cwnd_column, 2, 0 },         { &netns_column, 5, 0 },        { &container_column, 4, 0 },
	{ &gaps_column, 6, 0 },
};

static const struct table_column listener_columns[] = {
	{ &pid_column, 0, 0 },     { &comm_column, 3, 0 },        { &short_comm_column, 0, 3 }, { &local_column, 0, 0 },
	{ &backlog_column, 0, 0 }, { &backlog_max_column, 0, 0 }, { &drops_column, 5, 0 },      { &uid_column, 1, 0 },
	{ &netns_column, 4, 0 },   { &container_column, 2, 0 },
};

/* Two lines a record, if SRC and DST, or a listener and its owner, do not fit side by side. */
static const struct table_column narrow_ended_columns[] = {
	{ &narrow_src_column, 0, 0 }, { &outcome_column, 0, 0 },  { &handshake_column, 2, 0 }, { &lasted_column, 0, 0 },
	{ &sent_column, 3, 0 },       { &received_column, 3, 0 }, { &retrans_column, 1, 0 },
};

static const struct table_column narrow_open_columns[] = {
	{ &narrow_src_column, 0, 0 }, { &state_column, 0, 0 },   { &recv_queue_column, 4, 0 },
	{ &send_queue_column, 0, 0 }, { &rtt_column, 2, 0 },     { &sent_column, 3, 0 },
	{ &received_column, 3, 0 },   { &retrans_column, 1, 0 },
};

static const struct table_column narrow_listener_columns[] = {
	{ &local_column, 0, 0 },
	{ &backlog_column, 0, 0 },
	{ &backlog_max_column, 0, 0 },
};

static const struct table_column second_ended_columns[] = {
	{ &second_dst_column, 0, 0 }, { &comm_column, 0, 0 }, { &pid_column, 4, 0 },
	{ &text_time_column, 3, 0 },  { &role_column, 2, 0 }, { &gaps_column, 1, 0 },
};

static const struct table_column second_open_columns[] = {
	{ &second_dst_column, 0, 0 },  { &comm_column, 0, 0 },    { &pid_column, 5, 0 },  { &age_column, 4, 0 },
	{ &socket_role_column, 3, 0 }, { &limited_column, 2, 0 }, { &gaps_column, 1, 0 },
};

static const struct table_column second_listener_columns[] = {
	{ &indented_comm_column, 0, 0 },
	{ &pid_column, 0, 0 },
	{ &drops_column, 0, 0 },
	{ &netns_column, 1, 0 },
};

#define TABLE(name, list, narrow, second) \
	const struct text_table name = { .columns = list, \
					 .count = sizeof(list) / sizeof((list)[0]), \
					 .when_too_wide = narrow, \
					 .second_line = second }

static TABLE(second_ended_table, second_ended_columns, NULL, NULL);
static TABLE(second_open_table, second_open_columns, NULL, NULL);
static TABLE(second_listener_table, second_listener_columns, NULL, NULL);
static TABLE(narrow_listener_table, narrow_listener_columns, NULL, &second_listener_table);
static TABLE(narrow_ended_table, narrow_ended_columns, NULL, &second_ended_table);
static TABLE(narrow_open_table, narrow_open_columns, NULL, &second_open_table);
TABLE(text_ended_table, ended_columns, &narrow_ended_table, NULL);
TABLE(text_open_table, open_columns, &narrow_open_table, NULL);
TABLE(text_listener_table, listener_columns, &narrow_listener_table, NULL);

const struct text_column *const text_named_columns[] = {
	&text_time_column, &pid_column,       &comm_column,       &role_column,        &src_column,
	&dst_column,       &outcome_column,   &handshake_column,  &lasted_column,      &age_column,
	&sent_column,      &received_column,  &retrans_column,    &state_column,       &rtt_column,
	&limited_column,   &wait_column,      &netns_column,      &container_column,   &reason_column,
	&gaps_column,      &state_age_column, &recv_queue_column, &send_queue_column,  &unacked_column,
	&cwnd_column,      &local_column,     &backlog_column,    &backlog_max_column, &drops_column,
	&uid_column,
};

const unsigned int text_named_column_count = sizeof(text_named_columns) / sizeof(text_named_columns[0]);
