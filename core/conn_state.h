/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zeek's conn_state: what it makes of the states of both ends, in the order of its tests (scripts/base/protocols/conn). */
#ifndef NETRACKER_CORE_CONN_STATE_H
#define NETRACKER_CORE_CONN_STATE_H

#include "port.h"

/* A side's state as Zeek's TCP analyser names it. */
enum nt_endpoint {
	NT_ENDPOINT_INACTIVE,    /* nothing of it was seen */
	NT_ENDPOINT_PARTIAL,     /* it was seen, its SYN was not */
	NT_ENDPOINT_SYN_SENT,    /* it opened the connection */
	NT_ENDPOINT_SYNACK_SENT, /* a SYN-ACK of it came first */
	NT_ENDPOINT_ESTABLISHED,
	NT_ENDPOINT_CLOSED, /* sent a FIN */
	NT_ENDPOINT_RESET,  /* sent a RST */
};

/* What conn_state is made of. */
struct nt_conn_sides {
	enum nt_endpoint src, dst;
	int has_payload; /* of either */
	const char *history; /* Zeek's letters, no NUL needed */
	__u32 history_length;
};

/* ^?S[^HAFGIQ]*R: the opener sent SYN, then RST, and nothing that tells of an answer between. */
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

NT_INLINE const char *nt_conn_state_of_reset(const struct nt_conn_sides *ends)
{
	if (ends->dst == NT_ENDPOINT_RESET) {
		if (ends->src == NT_ENDPOINT_SYN_SENT || ends->src == NT_ENDPOINT_SYNACK_SENT ||
		    (ends->src == NT_ENDPOINT_RESET && !ends->has_payload))
			return "REJ";
		return ends->src <= NT_ENDPOINT_PARTIAL ? "RSTRH" : "RSTR";
	}
	if (ends->dst <= NT_ENDPOINT_PARTIAL)
		return nt_history_is_syn_reset(ends->history, ends->history_length) ? "RSTOS0" : "OTH";
	return "RSTO";
}

/* For user space: the string is a constant. */
NT_INLINE const char *nt_conn_state(const struct nt_conn_sides *ends)
{
	enum nt_endpoint src = ends->src, dst = ends->dst;

	if (src == NT_ENDPOINT_RESET || dst == NT_ENDPOINT_RESET)
		return nt_conn_state_of_reset(ends);
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
