/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zeek's conn_state, derived from the states of both sides by Zeek's tests in their order
 * (scripts/base/protocols/conn). */
#ifndef NETRACKER_CORE_CONN_STATE_H
#define NETRACKER_CORE_CONN_STATE_H

#include "port.h"

/* A side's state as Zeek's TCP analyser names it. */
enum nt_endpoint {
	NT_ENDPOINT_INACTIVE,    /* sent nothing that was seen */
	NT_ENDPOINT_PARTIAL,     /* its packets were seen, but not its SYN */
	NT_ENDPOINT_SYN_SENT,    /* opened the connection */
	NT_ENDPOINT_SYNACK_SENT, /* its first packet was a SYN-ACK */
	NT_ENDPOINT_ESTABLISHED,
	NT_ENDPOINT_CLOSED, /* sent a FIN */
	NT_ENDPOINT_RESET,  /* sent a RST */
};

/* The values that determine conn_state. */
struct nt_conn_sides {
	enum nt_endpoint src, dst;
	int has_payload;     /* either side sent payload */
	const char *history; /* Zeek's letters, no NUL needed */
	__u32 history_length;
};

/* Returns whether the history matches ^?S[^HAFGIQ]*R: the opener sent a SYN, then a RST, and nothing in between that
 * shows an answer. */
NT_INLINE int nt_history_is_syn_reset(const char *history, __u32 length)
{
	__u32 i = length && history[0] == '^';

	if (i >= length || history[i] != 'S')
		return 0;
	for (; i < length; i++) {
		switch (history[i]) {
		case 'R':
			return 1;
		case 'H':
		case 'A':
		case 'F':
		case 'G':
		case 'I':
		case 'Q':
			return 0;
		}
	}
	return 0;
}

NT_INLINE const char *nt_conn_state_of_reset(const struct nt_conn_sides *sides)
{
	if (sides->dst == NT_ENDPOINT_RESET) {
		if (sides->src == NT_ENDPOINT_SYN_SENT || sides->src == NT_ENDPOINT_SYNACK_SENT ||
		    (sides->src == NT_ENDPOINT_RESET && !sides->has_payload))
			return "REJ";
		return sides->src <= NT_ENDPOINT_PARTIAL ? "RSTRH" : "RSTR";
	}
	if (sides->dst <= NT_ENDPOINT_PARTIAL)
		return nt_history_is_syn_reset(sides->history, sides->history_length) ? "RSTOS0" : "OTH";
	return "RSTO";
}

/* Returns a constant string; for user space only. */
NT_INLINE const char *nt_conn_state(const struct nt_conn_sides *sides)
{
	enum nt_endpoint src = sides->src, dst = sides->dst;

	if (src == NT_ENDPOINT_RESET || dst == NT_ENDPOINT_RESET)
		return nt_conn_state_of_reset(sides);
	if (src == NT_ENDPOINT_CLOSED && dst == NT_ENDPOINT_CLOSED)
		return "SF";
	if (src == NT_ENDPOINT_CLOSED)
		return dst <= NT_ENDPOINT_PARTIAL ? "SH" : "S2";
	if (dst == NT_ENDPOINT_CLOSED)
		return src <= NT_ENDPOINT_PARTIAL ? "SHR" : "S3";
	if (src == NT_ENDPOINT_SYN_SENT && dst == NT_ENDPOINT_INACTIVE)
		return "S0";
	if (src == NT_ENDPOINT_ESTABLISHED && dst == NT_ENDPOINT_ESTABLISHED)
		return "S1";
	return "OTH";
}

#endif
