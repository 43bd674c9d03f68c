// SPDX-License-Identifier: GPL-2.0-or-later
/* The trace line of the first NeTracker: the time from the SYN to the first FIN of the side that answered. */
#include "src/output/format.h"

static void trace_print_endpoint(struct text_buffer *text, const __u8 *address, __u16 port)
{
	char address_text[ADDRESS_TEXT_SIZE];

	record_address_text(address_text, address);
	text_format(text, nt_address_family(address) == 4 ? "%s:%u" : "[%s]:%u", address_text, port);
}

static bool trace_accepts(const struct nt_record *record)
{
	return nt_record_has(record, NT_HAS_SYN_FINACK) &&
	       (record->event == NT_EVENT_CLOSE || record->event == NT_EVENT_EXIT);
}

static void trace_record(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	(void)view;
	text_string(text, "[TC] Total RTT (SYN - FIN-ACK) for ");
	trace_print_endpoint(text, record->src_ip, record->src_port);
	text_string(text, " -> ");
	trace_print_endpoint(text, record->dst_ip, record->dst_port);
	text_string(text, ": ");
	text_integer(text, record->syn_finack_ns);
	text_string(text, " ns\n");
}

const struct format format_trace = { .name = "trace", .accepts = trace_accepts, .record = trace_record };
