// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_end.h"

#include <string.h>

struct meaning {
	const char *word, *meaning;
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *find_meaning(const struct meaning *list, size_t count, const char *word)
{
	size_t i;

	for (i = 0; word && i < count; i++)
		if (!strcmp(list[i].word, word))
			return list[i].meaning;
	return NULL;
}

/* ---- the end ---- */

/* The reasons for which this machine's kernel sends a RST: enum sk_rst_reason, include/net/rstreason.h (Linux 6.10). */
static const struct meaning reset_reasons[] = {
	{ "no_socket", "there was no longer a socket for the packet" },
	{ "tcp_abort_on_close", "the application closed it with received data unread" },
	{ "tcp_abort_on_data",
	  "the application had closed it, and data came, or TCP_LINGER2 allows no time for the other side to close" },
	{ "tcp_abort_on_linger", "the application closed it, and the other side did not close within the time that "
				 "TCP_LINGER2 allows" },
	{ "tcp_abort_on_memory", "the kernel had no more memory for TCP, or too many sockets without an owner" },
	{ "tcp_state", "the application aborted it in this state, mostly by close() with SO_LINGER 0" },
	{ "tcp_disconnect_with_data", "the application disconnected it with data unsent" },
	{ "tcp_keepalive_timeout", "the other side did not answer keep-alive probes" },
	{ "tcp_timewait_socket", "a packet came for a connection that had already ended" },
	{ "tcp_flags", "a packet came whose flags make no sense in this state" },
	{ "tcp_old_ack", "an ACK came that was too old" },
	{ "tcp_too_old_ack", "an ACK came that was far too old" },
	{ "tcp_ack_unsent_data", "the other side acknowledged data that was never sent" },
	{ "tcp_invalid_ack_sequence", "an ACK came with an impossible number" },
	{ "tcp_rfc7323_paws", "a packet came with a time stamp from the past" },
	{ "invalid_syn", "a SYN came in the middle of the connection" },
};

static const struct meaning timeout_reasons[] = {
	{ "etimedout", "The kernel retransmitted until it gave up." },
	{ "keepalive_timeout", "It was idle, and keep-alive probes were not answered." },
	{ "gave_up",
	  "The application here closed the socket while it was still connecting, and no answer to the SYN is known." },
};

static const struct meaning unreachable_reasons[] = {
	{ "ehostunreach", "no route to the host, its neighbour does not answer, or a router or firewall said so" },
	{ "enetunreach", "there is no route to that network, or a router or firewall said so" },
	{ "econnrefused", "an ICMP message said that the port is unreachable, as a firewall's REJECT does" },
	{ "eacces", "an ICMPv6 message said that it is prohibited, as a firewall's REJECT does" },
	{ "enoprotoopt", "an ICMP message said that the protocol is unreachable, as a firewall's REJECT does" },
	{ "ehostdown", "an ICMP message said that the host is unknown" },
	{ "enonet", "an ICMP message said that the host is isolated" },
	{ "eopnotsupp", "an ICMP message said that the source route failed" },
	{ "eproto", "an ICMP message said that the packet's header is wrong" },
};

/* In a capture an ICMP message is the only cause. */
static const struct meaning observed_unreachable_reasons[] = {
	{ "ehostunreach",
	  "a router or firewall said that the host is unreachable or prohibited, or that the packet passed "
	  "too many routers" },
	{ "enetunreach", "a router or firewall said that the network is unreachable or prohibited" },
};

static void append_list_word(struct paragraph *paragraph, const char *lead, const char *reason, const char *meaning)
{
	paragraph_add(paragraph, "%s", lead);
	paragraph_add_name(paragraph, reason);
	if (meaning)
		paragraph_add(paragraph, ": %s", meaning);
	paragraph_add(paragraph, ".");
}

/* In the record of a socket, no_socket is one of the kernel's reasons for a RST. */
static bool is_unaccepted(const struct paragraph *paragraph)
{
	return explain_has_value(paragraph->record, "role", "observer") &&
	       explain_has_value(paragraph->record, "reason", "no_socket");
}

static void add_reset_reason(struct paragraph *paragraph, enum nt_side sender)
{
	const char *reason = explain_get_word(paragraph->record, "reason");

	if (is_unaccepted(paragraph))
		return;
	if (reason)
		append_list_word(paragraph, "The kernel's reason is", reason,
				 find_meaning(reset_reasons, COUNT(reset_reasons), reason));
	else if (paragraph_is_local_side(paragraph, sender))
		paragraph_add(paragraph, "This machine's kernel gave no reason (it does from Linux 6.10 on).");
	else
		paragraph_add(paragraph, "Only that machine knows the reason: a RST carries none.");
}

static void describe_closed(struct paragraph *paragraph, const enum nt_side *ended_by)
{
	paragraph_add(paragraph, "It was closed in order, by a FIN from each side.");
	if (ended_by)
		paragraph_add(paragraph, "%s closed first.", *ended_by == NT_SRC ? "The client" : "The server");
}

static void describe_reset(struct paragraph *paragraph, const enum nt_side *ended_by)
{
	if (!ended_by) {
		paragraph_add(paragraph, "It was reset by a RST; the side that sent it is unknown.");
		return;
	}
	paragraph_add(paragraph, "%s reset it with a RST.", *ended_by == NT_SRC ? "The client" : "The server");
	add_reset_reason(paragraph, *ended_by);
}

static void describe_refused(struct paragraph *paragraph, const enum nt_side *ended_by)
{
	__u64 port = 0;

	(void)ended_by;
	explain_get_number(paragraph->record, "dst_port", &port);
	paragraph_add(paragraph,
		      "The server's address answered the SYN with a RST: nothing listens on port %llu there, or a "
		      "firewall rejects it.",
		      (unsigned long long)port);
}

static void describe_timeout(struct paragraph *paragraph, const enum nt_side *ended_by)
{
	const char *reason = explain_get_word(paragraph->record, "reason");
	const char *meaning = find_meaning(timeout_reasons, COUNT(timeout_reasons), reason);

	(void)ended_by;
	paragraph_add(paragraph, reason && !strcmp(reason, "gave_up") ?
					 "It was never established." :
					 "Neither side ended it: answers stopped coming, or never came.");
	if (meaning)
		paragraph_add(paragraph, "%s", meaning);
	if (reason)
		append_list_word(paragraph, "The record's word for it is", reason, NULL);
}

static void describe_observed_unreachable(struct paragraph *paragraph, const char *reason)
{
	const char *meaning = find_meaning(observed_unreachable_reasons, COUNT(observed_unreachable_reasons), reason);

	if (!meaning)
		meaning = find_meaning(unreachable_reasons, COUNT(unreachable_reasons), reason);
	paragraph_add(paragraph, "An ICMP message answered the SYN.");
	if (reason)
		append_list_word(paragraph, "The error that a socket of Linux gets from it is", reason, meaning);
}

static void describe_unreachable(struct paragraph *paragraph, const enum nt_side *ended_by)
{
	const char *reason = explain_get_word(paragraph->record, "reason");

	(void)ended_by;
	if (explain_has_value(paragraph->record, "role", "observer")) {
		describe_observed_unreachable(paragraph, reason);
		return;
	}
	paragraph_add(paragraph, "The network could not deliver it.");
	if (reason)
		append_list_word(paragraph, "The socket's error was", reason,
				 find_meaning(unreachable_reasons, COUNT(unreachable_reasons), reason));
}

static void describe_expired(struct paragraph *paragraph, const enum nt_side *ended_by)
{
	paragraph_add(paragraph,
		      "Its end was not seen: no packet came for %s, or a new connection used its addresses and ports.",
		      is_unaccepted(paragraph) ? "70 seconds" : "two hours");
	if (ended_by)
		paragraph_add(paragraph, "%s had sent a FIN.", *ended_by == NT_SRC ? "The client" : "The server");
}

static void describe_unanswered(struct paragraph *paragraph, const enum nt_side *ended_by)
{
	(void)ended_by;
	paragraph_add(paragraph, explain_has_value(paragraph->record, "event", "close") ?
					 "No SYN-ACK had answered it when its record had to leave the table." :
					 "No SYN-ACK had answered it when tracking, or the capture, ended.");
}

static const struct meaning state_meanings[] = {
	{ "syn_sent", "it waits for an answer to its SYN" },
	{ "syn_recv", "it waits for the ACK that completes the handshake" },
	{ "established", "both sides can send" },
	{ "close_wait",
	  "the other side has closed, the application here has not; if this lasts, the application forgot to "
	  "close" },
	{ "fin_wait1", "closed here, and the FIN is not acknowledged yet" },
	{ "fin_wait2", "closed here, and the other side has not closed yet" },
	{ "last_ack", "both sides closed, the last ACK is awaited" },
	{ "closing", "both sides closed at once, the last ACK is awaited" },
	{ "time_wait", "both sides closed, old packets may still come" },
};

static void describe_state(struct paragraph *paragraph, const char *state)
{
	__u64 age_ns;

	append_list_word(paragraph, "Its socket's state was", state,
			 find_meaning(state_meanings, COUNT(state_meanings), state));
	if (!explain_get_number(paragraph->record, "state_age_ns", &age_ns))
		return;
	paragraph_add(paragraph, "It had been in this state for");
	paragraph_add_duration(paragraph, age_ns);
	paragraph_add(paragraph, ".");
}

static void describe_open(struct paragraph *paragraph, const enum nt_side *ended_by)
{
	static const struct meaning events[] = {
		{ "open", "It was open when this record was written." },
		{ "listed", "It was open when this record was written." },
		{ "update", "It was open when this record was written; another record of it was to follow." },
		{ "exit", "It was still open when tracking, or the capture, ended." },
		{ "close", "It was still open when its record had to leave the table." },
	};
	const char *meaning = find_meaning(events, COUNT(events), explain_get_word(paragraph->record, "event"));
	const char *state = explain_get_word(paragraph->record, "state");

	(void)ended_by;
	if (explain_has_value(paragraph->record, "reason", "repair"))
		meaning =
			"It was still open when a process dumped it in TCP_REPAIR mode, to restore it elsewhere; that "
			"sends nothing to the other side.";
	paragraph_add(paragraph, "%s", meaning ? meaning : "It was open.");
	if (state)
		describe_state(paragraph, state);
}

static void add_zeek_words(struct paragraph *paragraph)
{
	const char *state = explain_get_word(paragraph->record, "conn_state");
	const char *history = explain_get_word(paragraph->record, "history");

	if (!state && !history)
		return;
	paragraph_add(paragraph, "In Zeek's terms:");
	if (state)
		paragraph_add_name(paragraph, state);
	if (history) {
		paragraph_add(paragraph, "history");
		paragraph_add_name(paragraph, history);
	}
	paragraph_add(paragraph, ".");
}

void explain_write_end(struct paragraph *paragraph)
{
	static const struct {
		const char *outcome;
		void (*describe)(struct paragraph *paragraph, const enum nt_side *ended_by);
	} outcomes[] = {
		{ "closed", describe_closed },           { "reset", describe_reset },
		{ "refused", describe_refused },         { "timeout", describe_timeout },
		{ "unreachable", describe_unreachable }, { "expired", describe_expired },
		{ "unanswered", describe_unanswered },   { "open", describe_open },
	};
	const char *outcome = explain_get_word(paragraph->record, "outcome");
	bool by_src = explain_has_value(paragraph->record, "ended_by", "src");
	bool is_known = by_src || explain_has_value(paragraph->record, "ended_by", "dst");
	enum nt_side side = by_src ? NT_SRC : NT_DST;
	size_t i = 0;

	if (is_unaccepted(paragraph))
		paragraph_add(
			paragraph,
			"A listener of this machine completed the handshake, but the kernel made no socket of it: "
			"the listener's queue was full, it waits for data (TCP_DEFER_ACCEPT), or the ACK was "
			"dropped on its way, as by a firewall.");
	while (i < COUNT(outcomes) && strcmp(outcome, outcomes[i].outcome))
		i++;
	if (i < COUNT(outcomes))
		outcomes[i].describe(paragraph, is_known ? &side : NULL);
	else
		append_list_word(paragraph, "It ended in a way that this version does not know:", outcome, NULL);
	add_zeek_words(paragraph);
	paragraph_finish(paragraph, "End");
}

/* ---- sources and gaps ---- */

static const struct meaning gap_meanings[] = {
	{ "start", "Its start, and all times measured from it: it was open before tracking began, or its SYN was not "
		   "captured." },
	{ "direction",
	  "The side that opened it: it was inferred from listeners or port numbers, or both sides opened it at "
	  "once." },
	{ "owner", "Its process: none here read from it or closed it, so at best the listener's owner is named." },
	{ "owner_partial",
	  "Part of its process: the path of the program or the control group. The process had ended before they could "
	  "be read." },
	{ "packets",
	  "The content of some packets: sequence numbers show that they were missed. Bytes and packets are those "
	  "that were seen." },
	{ "wire_end", "Its last packets: they continued for over two seconds after the socket's end." },
	{ "doubtful_end",
	  "Its end: it follows from a RST or FIN that the packets seen cannot validate, so the receiver "
	  "may have refused it." },
	{ "hidden", "Its packets: another program on the interface may have taken them before this one saw them." },
	{ "bypass", "The amount of data: it was moved past TCP, as sockmap programs do." },
	{ "bytes_mod_4g",
	  "The amount of data: without --packets it is known only modulo 4 GiB, and there may have been more." },
	{ "value_range", "A value of 2^53 or more, which JSON numbers do not hold exactly." },
	{ "evicted", "Its end, or packets after it: it was evicted from a full table." },
	{ "events", "Possibly more: events near this one were lost, or its end was found late." },
};

static void add_gaps(struct paragraph *paragraph)
{
	const json_t *gaps = json_object_get(paragraph->record, "gaps");
	size_t i;

	for (i = 0; i < json_array_size(gaps); i++) {
		const char *gap = json_string_value(json_array_get(gaps, i));
		const char *meaning = find_meaning(gap_meanings, COUNT(gap_meanings), gap);

		if (meaning)
			paragraph_add(paragraph, "%s", meaning);
		else
			append_list_word(paragraph, "A gap that this version does not know:", gap, NULL);
	}
	if (gaps && !json_array_size(gaps))
		paragraph_add(paragraph, "Nothing that should be known is missing.");
	else if (!gaps)
		paragraph_add(paragraph, "The record does not say whether something is missing.");
}

static void add_sources(struct paragraph *paragraph)
{
	bool socket = explain_list_has(paragraph->record, "seen", "socket");
	const char *packets = explain_list_has(paragraph->record, "seen", "packets") ?
				      "all its packets" :
			      explain_list_has(paragraph->record, "seen", "wire") ?
				      "the packets that open and close it, not those in between" :
				      NULL;

	if (socket && packets)
		paragraph_add(paragraph, "The kernel's socket, and %s.", packets);
	else if (socket)
		paragraph_add(paragraph, "The kernel's socket alone; its packets were not seen.");
	else if (packets)
		paragraph_add(paragraph, "No socket, %s.", packets);
}

void explain_write_gaps(struct paragraph *paragraph)
{
	add_sources(paragraph);
	paragraph_finish(paragraph, "Seen");
	add_gaps(paragraph);
	paragraph_finish(paragraph, "Unknown");
}
