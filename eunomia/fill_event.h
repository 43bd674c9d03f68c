/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills an event from the core's result of a connection. */
#ifndef NETRACKER_EUNOMIA_FILL_EVENT_H
#define NETRACKER_EUNOMIA_FILL_EVENT_H

/* Copies a constant of at most eight characters, always as eight bytes, into text that is zeroed. The compiler
 * makes the eight bytes a number; a string would need a section .rodata.str1.1, which ecli does not load.
 */
#define PUT_TEXT(text, constant) __builtin_memcpy((text), constant "\0\0\0\0\0\0\0", 8)

static __always_inline void write_address(char text[40], struct workspace *workspace, __u32 side)
{
	workspace->line.used = 0;
	__builtin_memset(workspace->line.text, 0, 40); /* the bytes after the text's end are copied, too */
	put_address(side, 0);
	__builtin_memcpy(text, workspace->line.text, 40);
}

static __always_inline void put_outcome(char text[12], int outcome)
{
	PUT_TEXT(text, "expired");
	if (outcome == NT_OUTCOME_CLOSED)
		PUT_TEXT(text, "closed");
	else if (outcome == NT_OUTCOME_RESET)
		PUT_TEXT(text, "reset");
	else if (outcome == NT_OUTCOME_REFUSED)
		PUT_TEXT(text, "refused");
	else if (outcome == NT_OUTCOME_TIMEOUT)
		PUT_TEXT(text, "timeout");
}

static __always_inline void fill_event(struct event *event, struct workspace *workspace)
{
	const struct nt_result *result = &workspace->result;
	const struct nt_table_step *step = &workspace->step;
	int src = result->index[NT_SRC] & 1, dst = result->index[NT_DST] & 1;

	__builtin_memset(event, 0, sizeof(*event));
	write_address(event->src_ip, workspace, src);
	write_address(event->dst_ip, workspace, dst);
	event->src_port = step->key.port[src];
	event->dst_port = step->key.port[dst];
	PUT_TEXT(event->direction, "incoming");
	if (step->ended.connection.marks & NT_MARK_SIMULTANEOUS)
		PUT_TEXT(event->direction, "both");
	else if (step->ended.is_outgoing)
		PUT_TEXT(event->direction, "outgoing");
	put_outcome(event->outcome, result->outcome);
	PUT_TEXT(event->ended_by, "-");
	if (result->ended_by == NT_SRC)
		PUT_TEXT(event->ended_by, "src");
	else if (result->ended_by == NT_DST)
		PUT_TEXT(event->ended_by, "dst");
	event->ifindex = step->ifindex;
	event->start_ns = result->start_ns;
	event->duration_ns = result->duration_ns;
	event->handshake_ns = result->handshake_ns;
	event->syn_finack_ns = result->syn_finack_ns;
}

#endif
