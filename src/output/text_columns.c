// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/output/text_columns.h"

#include <time.h>

#include "src/util/escape.h"
#include "src/util/readable.h"
#include "src/record/record_fields.h"

#define NS_PER_MS 1000000ULL
#define NS_PER_SECOND 1000000000ULL
#define COMM_WIDTH 15

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

	localtime_r(&seconds, &local);
	strftime(text, sizeof(text), "%H:%M:%S", &local);
	text_string(cell, text);
}

static void print_utc_time(struct text_buffer *cell, const struct nt_record *record)
{
	char text[FIELD_STORAGE_SIZE];

	record_time_text(text, record->end_ns, 3);
	text_string(cell, text);
}

static void print_event(struct text_buffer *cell, const struct nt_record *record)
{
	print_name(cell, &record_event_names, record->event);
}

static void print_role(struct text_buffer *cell, const struct nt_record *record)
{
	print_name(cell, &record_role_names, record->role);
}

static void print_role_letter(struct text_buffer *cell, const struct nt_record *record)
{
	text_char(cell, record->role == NT_ROLE_CLIENT ? 'C' : record->role == NT_ROLE_SERVER ? 'S' : 'O');
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

static void print_endpoint(struct text_buffer *cell, const __u8 *address, __u16 port)
{
	char text[ADDRESS_TEXT_SIZE];

	record_address_text(text, address);
	text_format(cell, nt_address_family(address) == 4 ? "%s:%u" : "[%s]:%u", text, port);
}

static void print_src(struct text_buffer *cell, const struct nt_record *record)
{
	print_endpoint(cell, record->src_ip, record->src_port);
}

static void print_dst(struct text_buffer *cell, const struct nt_record *record)
{
	print_endpoint(cell, record->dst_ip, record->dst_port);
}

static void print_indented_dst(struct text_buffer *cell, const struct nt_record *record)
{
	text_string(cell, "  ");
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
		[NT_EVENT_CLOSE] = "open",
		[NT_EVENT_OPEN] = "opened",
		[NT_EVENT_UPDATE] = "update",
		[NT_EVENT_EXIT] = "still-open",
	};

	if (record->outcome == NT_OUTCOME_OPEN && record->event <= NT_EVENT_EXIT)
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

static const char *gaps_colour(const struct nt_record *record)
{
	return record->gaps ? COLOUR_YELLOW : NULL;
}

static void print_milliseconds(struct text_buffer *cell, __u64 ns)
{
	text_format(cell, "%llu.%03llu", (unsigned long long)(ns / NS_PER_MS),
		    (unsigned long long)(ns % NS_PER_MS / 1000));
}

static void print_optional(struct text_buffer *cell, const struct nt_record *record, int bit, __u64 value,
			   void (*print)(struct text_buffer *cell, __u64 value))
{
	if (nt_record_has(record, bit))
		print(cell, value);
	else
		print_absent(cell);
}

static void print_duration_short(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_DURATION, record->duration_ns, readable_duration);
}

static void print_duration_ms(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_DURATION, record->duration_ns, print_milliseconds);
}

/* Leaves out a negative time: it shows only that the capture has the packets out of order. */
static void print_handshake(struct text_buffer *cell, const struct nt_record *record,
			    void (*print)(struct text_buffer *cell, __u64 value))
{
	if (nt_record_has(record, NT_HAS_HANDSHAKE) && record->handshake_ns >= 0)
		print(cell, (__u64)record->handshake_ns);
	else
		print_absent(cell);
}

static void print_handshake_short(struct text_buffer *cell, const struct nt_record *record)
{
	print_handshake(cell, record, readable_duration);
}

static void print_handshake_ms(struct text_buffer *cell, const struct nt_record *record)
{
	print_handshake(cell, record, print_milliseconds);
}

static void print_count(struct text_buffer *cell, __u64 count)
{
	text_format(cell, "%llu", (unsigned long long)count);
}

static void print_src_bytes_short(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_SRC_BYTES, record->bytes[NT_SRC], readable_count);
}

static void print_dst_bytes_short(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_DST_BYTES, record->bytes[NT_DST], readable_count);
}

static void text_print_src_bytes(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_SRC_BYTES, record->bytes[NT_SRC], print_count);
}

static void text_print_dst_bytes(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_DST_BYTES, record->bytes[NT_DST], print_count);
}

static void print_src_retransmits(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_SRC_RETRANSMITS, record->retransmits[NT_SRC], print_count);
}

static void print_dst_retransmits(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_DST_RETRANSMITS, record->retransmits[NT_DST], print_count);
}

static void print_both_retransmits(struct text_buffer *cell, const struct nt_record *record)
{
	print_src_retransmits(cell, record);
	text_char(cell, '/');
	print_dst_retransmits(cell, record);
}

static void text_print_state(struct text_buffer *cell, const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_STATE))
		return print_absent(cell);
	print_name(cell, &record_state_names, record->state);
}

static void print_rtt_us(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_RTT, record->rtt_us, print_count);
}

static void print_rtt_short(struct text_buffer *cell, const struct nt_record *record)
{
	print_optional(cell, record, NT_HAS_RTT, record->rtt_us * 1000ULL, readable_duration);
}

static void print_limited_by(struct text_buffer *cell, const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_LIMITED_BY))
		return print_absent(cell);
	print_name(cell, &record_limited_by_names, record->limited_by);
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

static const struct text_column terminal_columns[] = {
	{ "TIME", 8, LEFT, 5, print_local_time, NULL, NULL },
	{ "PID", 7, RIGHT, 0, print_pid, NULL, NULL },
	{ "COMM", COMM_WIDTH, LEFT, 0, print_comm_cut, NULL, NULL },
	{ "R", 1, LEFT, 4, print_role_letter, NULL, NULL },
	{ "SRC", 21, LEFT, 0, print_src, NULL, NULL },
	{ "DST", 21, LEFT, 0, print_dst, NULL, NULL },
	{ "OUTCOME", 11, LEFT, 0, print_outcome_and_side, NULL, outcome_colour },
	{ "LASTED", 6, RIGHT, 6, print_duration_short, NULL, NULL },
	{ "SHAKE", 6, RIGHT, 1, print_handshake_short, NULL, NULL },
	{ "SRC-TX", 6, RIGHT, 0, print_src_bytes_short, NULL, NULL },
	{ "DST-TX", 6, RIGHT, 0, print_dst_bytes_short, NULL, NULL },
	{ "RETR", 5, RIGHT, 2, print_both_retransmits, NULL, NULL },
	{ "GAPS", 7, LEFT, 3, print_gaps, print_gap_letters, gaps_colour },
};

/* Two lines a record, if SRC and DST do not fit side by side. */
static const struct text_column narrow_columns[] = {
	{ "SRC", 21, LEFT, 0, print_src, NULL, NULL },
	{ "OUTCOME", 11, LEFT, 0, print_outcome_and_side, NULL, outcome_colour },
	{ "LASTED", 6, RIGHT, 0, print_duration_short, NULL, NULL },
	{ "SHAKE", 6, RIGHT, 2, print_handshake_short, NULL, NULL },
	{ "SRC-TX", 6, RIGHT, 3, print_src_bytes_short, NULL, NULL },
	{ "DST-TX", 6, RIGHT, 3, print_dst_bytes_short, NULL, NULL },
	{ "RETR", 5, RIGHT, 1, print_both_retransmits, NULL, NULL },
};

static const struct text_column narrow_list_columns[] = {
	{ "SRC", 21, LEFT, 0, print_src, NULL, NULL },
	{ "STATE", 11, LEFT, 0, text_print_state, NULL, NULL },
	{ "AGE", 6, RIGHT, 0, print_duration_short, NULL, NULL },
	{ "RTT", 6, RIGHT, 2, print_rtt_short, NULL, NULL },
	{ "SRC-TX", 6, RIGHT, 3, print_src_bytes_short, NULL, NULL },
	{ "DST-TX", 6, RIGHT, 3, print_dst_bytes_short, NULL, NULL },
	{ "RETR", 5, RIGHT, 1, print_both_retransmits, NULL, NULL },
};

/* The second line of each record. It is indented, and so is its heading. */
static const struct text_column second_columns[] = {
	{ "  DST", 23, LEFT, 0, print_indented_dst, NULL, NULL },
	{ "COMM", COMM_WIDTH, LEFT, 0, print_comm_cut, NULL, NULL },
	{ "PID", 7, RIGHT, 3, print_pid, NULL, NULL },
	{ "TIME", 8, LEFT, 2, print_local_time, NULL, NULL },
	{ "GAPS", 7, LEFT, 1, print_gaps, print_gap_letters, gaps_colour },
};

static const struct text_column second_list_columns[] = {
	{ "  DST", 23, LEFT, 0, print_indented_dst, NULL, NULL },
	{ "COMM", COMM_WIDTH, LEFT, 0, print_comm_cut, NULL, NULL },
	{ "PID", 7, RIGHT, 3, print_pid, NULL, NULL },
	{ "LIMITED", 8, LEFT, 2, print_limited_by, NULL, NULL },
	{ "GAPS", 4, LEFT, 1, print_gap_letters, NULL, gaps_colour },
};

static const struct text_column list_columns[] = {
	{ "PID", 7, RIGHT, 0, print_pid, NULL, NULL },
	{ "COMM", COMM_WIDTH, LEFT, 0, print_comm_cut, NULL, NULL },
	{ "R", 1, LEFT, 3, print_role_letter, NULL, NULL },
	{ "SRC", 21, LEFT, 0, print_src, NULL, NULL },
	{ "DST", 21, LEFT, 0, print_dst, NULL, NULL },
	{ "STATE", 11, LEFT, 0, text_print_state, NULL, NULL },
	{ "AGE", 6, RIGHT, 4, print_duration_short, NULL, NULL },
	{ "SRC-TX", 6, RIGHT, 0, print_src_bytes_short, NULL, NULL },
	{ "DST-TX", 6, RIGHT, 0, print_dst_bytes_short, NULL, NULL },
	{ "RTT", 6, RIGHT, 5, print_rtt_short, NULL, NULL },
	{ "RETR", 5, RIGHT, 2, print_both_retransmits, NULL, NULL },
	{ "LIMITED", 8, LEFT, 2, print_limited_by, NULL, NULL },
	{ "GAPS", 4, LEFT, 1, print_gap_letters, NULL, gaps_colour },
};

static const struct text_column file_columns[] = {
	{ "TIME", 24, LEFT, 0, print_utc_time, NULL, NULL },
	{ "EVENT", 6, LEFT, 0, print_event, NULL, NULL },
	{ "ROLE", 8, LEFT, 0, print_role, NULL, NULL },
	{ "PID", 7, RIGHT, 0, print_pid, NULL, NULL },
	{ "COMM", 15, LEFT, 0, print_comm, NULL, NULL },
	{ "SRC", 21, LEFT, 0, print_src, NULL, NULL },
	{ "DST", 21, LEFT, 0, print_dst, NULL, NULL },
	{ "OUTCOME", 11, LEFT, 0, print_outcome, NULL, NULL },
	{ "BY", 3, LEFT, 0, print_ended_by, NULL, NULL },
	{ "DURATION_MS", 12, RIGHT, 0, print_duration_ms, NULL, NULL },
	{ "HANDSHAKE_MS", 12, RIGHT, 0, print_handshake_ms, NULL, NULL },
	{ "SRC_BYTES", 10, RIGHT, 0, text_print_src_bytes, NULL, NULL },
	{ "DST_BYTES", 10, RIGHT, 0, text_print_dst_bytes, NULL, NULL },
	{ "SRC_RETR", 8, RIGHT, 0, print_src_retransmits, NULL, NULL },
	{ "DST_RETR", 8, RIGHT, 0, print_dst_retransmits, NULL, NULL },
	{ "GAPS", 4, LEFT, 0, print_gaps, NULL, NULL },
	{ "STATE", 11, LEFT, 0, text_print_state, NULL, NULL },
	{ "RTT_US", 8, RIGHT, 0, print_rtt_us, NULL, NULL },
	{ "LIMITED_BY", 10, LEFT, 0, print_limited_by, NULL, NULL },
};

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

static const struct text_table second_table = { .columns = second_columns, .count = COUNT(second_columns) };
static const struct text_table second_list_table = {
	.columns = second_list_columns,
	.count = COUNT(second_list_columns),
};
static const struct text_table narrow_table = {
	.columns = narrow_columns,
	.count = COUNT(narrow_columns),
	.second_line = &second_table,
};
static const struct text_table narrow_list_table = {
	.columns = narrow_list_columns,
	.count = COUNT(narrow_list_columns),
	.second_line = &second_list_table,
};

const struct text_table terminal_table = {
	.columns = terminal_columns,
	.count = COUNT(terminal_columns),
	.when_too_wide = &narrow_table,
};
const struct text_table list_table = {
	.columns = list_columns,
	.count = COUNT(list_columns),
	.when_too_wide = &narrow_list_table,
};
const struct text_table file_table = { .columns = file_columns, .count = COUNT(file_columns) };
