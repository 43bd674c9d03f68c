/* Fills an event, which was zeroed, from the core's summary of a connection. */
#ifndef NETRACKER_EUNOMIA_FILL_EVENT_H
#define NETRACKER_EUNOMIA_FILL_EVENT_H

#include "event.h"

static __always_inline void put_address(char text[40], const __u8 *address)
{
	if (nt_address_family(address) == 4)
		BPF_SNPRINTF(text, 40, "%pI4", address + 12);
	else
		BPF_SNPRINTF(text, 40, "%pI6", address);
}

/* Into zeroed text. At most eight characters, copied as eight: that makes a number of them, where strings would need a
 * section .rodata.str1.1, which ecli does not load. */
#define PUT_TEXT(text, constant) __builtin_memcpy((text), constant "\0\0\0\0\0\0\0", 8)

static __always_inline void put_words(struct event *event, const struct nt_summary *summary, __u64 is_outgoing)
{
	PUT_TEXT(event->outcome, "expired");
	if (summary->outcome == NT_OUTCOME_CLOSED)
		PUT_TEXT(event->outcome, "closed");
	else if (summary->outcome == NT_OUTCOME_RESET)
		PUT_TEXT(event->outcome, "reset");
	else if (summary->outcome == NT_OUTCOME_REFUSED)
		PUT_TEXT(event->outcome, "refused");
	else if (summary->outcome == NT_OUTCOME_TIMEOUT)
		PUT_TEXT(event->outcome, "timeout");
	PUT_TEXT(event->ended_by, "-");
	if (summary->ended_by == NT_SRC)
		PUT_TEXT(event->ended_by, "src");
	else if (summary->ended_by == NT_DST)
		PUT_TEXT(event->ended_by, "dst");
	PUT_TEXT(event->direction, "incoming");
	if (is_outgoing)
		PUT_TEXT(event->direction, "outgoing");
}

static __always_inline void put_tuple(struct event *event, const struct nt_key *key, const struct nt_summary *summary)
{
	int src = summary->index[NT_SRC] & 1, dst = summary->index[NT_DST] & 1;

	put_address(event->src_ip, key->address[src]);
	put_address(event->dst_ip, key->address[dst]);
	event->src_port = key->port[src];
	event->dst_port = key->port[dst];
}

static __always_inline void put_times(struct event *event, const struct nt_summary *summary)
{
	event->start_ns = summary->start_ns;
	event->duration_ns = summary->duration_ns;
	event->handshake_ns = summary->handshake_ns;
	event->syn_finack_ns = summary->syn_finack_ns;
}

#endif
