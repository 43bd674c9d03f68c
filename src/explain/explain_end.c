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

/* Why this machine's kernel sent a RST: enum sk_rst_reason, include/net/rstreason.h (Linux 6.10). */
static const struct meaning reset_reasons[] = {
	{ "no_socket", "no socket was there for the packet any more" },
	{ "tcp_abort_on_close", "the application closed it with received data unread" },
	{ "tcp_abort_on_data", "data came after the application had closed it" },
	{ "tcp_abort_on_linger", "the application closed it, and the other side did not close within the time that "
				 "TCP_LINGER2 allows" },
	{ "tcp_abort_on_memory", "the kernel had no more memory for TCP, or too many sockets without an owner" },
	{ "tcp_state", "the application broke it off in this state, mostly by close() with SO_LINGER 0" },
	{ "tcp_disconnect_with_data", "the application disconnected it with data still to be sent" },
	{ "tcp_keepalive_timeout", "the other side did not answer keep-alive probes" },
	{ "tcp_timewait_socket", "a packet came for a connection that had already ended" },
	{ "tcp_flags", "a packet came whose flags make no sense in this state" },
	{ "tcp_old_ack", "an ACK came that was too old" },
	{ "tcp_too_old_ack", "an ACK came that was far too old" },
	{ "tcp_ack_unsent_data", "the other side acknowledged data that was never sent" },
	{ "tcp_invalid_ack_sequence", "an ACK came with a number that cannot be" },
	{ "tcp_rfc7323_paws", "a packet came with a time stamp from the past" },
	{ "invalid_syn", "a SYN came in the middle of the connection" },
};

static const struct meaning timeout_reasons[] = {
	{ "etimedout", "The kernel sent again and again, and gave up." },
	{ "keepalive_timeout", "It was idle, and keep-alive probes were not answered." },
	{ "gave_up", "The application here did not wait any longer: it closed the socket while it was still connecting." },
};

static const struct meaning unreachable_reasons[] = {
	{ "ehostunreach", "no route to the host, its neighbour does not answer, or a router said so" },
	{ "enetunreach", "there is no route to that network, or a router said so" },
	{ "econnrefused", "an ICMP message said that the port is unreachable" },
};

static void say_kernels_word(struct story *story, const char *lead, const char *reason, const char *meaning)
{
	story_say(story, "%s", lead);
	story_say_name(story, reason);
	if (meaning)
		story_say(story, ": %s", meaning);
	story_say(story, ".");
}

static void say_reset_reason(struct story *story, enum nt_side sender)
{
	const char *reason = explain_word(story->record, "reason");

	if (reason)
		say_kernels_word(story, "The kernel's reason is", reason,
				 find_meaning(reset_reasons, COUNT(reset_reasons), reason));
	else if (story_is_local(story, sender))
		story_say(story, "This machine's kernel did not tell why (it does from Linux 6.10 on).");
	else
		story_say(story, "Why, only that machine knows: a RST carries no reason.");
}

static void describe_closed(struct story *story, const enum nt_side *ended_by)
{
	story_say(story, "It was closed in order, by a FIN from each side.");
	if (ended_by)
		story_say(story, "%s closed first.", *ended_by == NT_SRC ? "The client" : "The server");
}

static void describe_reset(struct story *story, const enum nt_side *ended_by)
{
	if (!ended_by) {
		story_say(story, "A RST broke it off; which side sent it is not known.");
		return;
	}
	story_say(story, "%s broke it off with a RST.", *ended_by == NT_SRC ? "The client" : "The server");
	say_reset_reason(story, *ended_by);
}

static void describe_refused(struct story *story, const enum nt_side *ended_by)
{
	__u64 port = 0;

	(void)ended_by;
	explain_number(story->record, "dst_port", &port);
	story_say(story, "The server's address answered the SYN with a RST: nothing listens on port %llu there, or a "
			 "firewall rejects it.", (unsigned long long)port);
}

static void describe_timeout(struct story *story, const enum nt_side *ended_by)
{
	const char *reason = explain_word(story->record, "reason");
	const char *meaning = find_meaning(timeout_reasons, COUNT(timeout_reasons), reason);

	(void)ended_by;
	story_say(story, "Nobody ended it: answers stopped coming, or never came.");
	if (meaning)
		story_say(story, "%s", meaning);
	if (reason)
		say_kernels_word(story, "In the record's word:", reason, NULL);
}

static void describe_unreachable(struct story *story, const enum nt_side *ended_by)
{
	const char *reason = explain_word(story->record, "reason");

	(void)ended_by;
	story_say(story, "The network could not deliver it.");
	if (reason)
		say_kernels_word(story, "The application got the error", reason,
				 find_meaning(unreachable_reasons, COUNT(unreachable_reasons), reason));
}

static void describe_expired(struct story *story, const enum nt_side *ended_by)
{
	story_say(story, "Its end was not seen: for two hours no packet came, or a new connection took its addresses and "
			 "ports.");
	if (ended_by)
		story_say(story, "%s had sent a FIN.", *ended_by == NT_SRC ? "The client" : "The server");
}

static const struct meaning state_meanings[] = {
	{ "syn_sent", "it waits for an answer to its SYN" },
	{ "syn_recv", "it waits for the ACK that completes the handshake" },
	{ "established", "both sides can send" },
	{ "close_wait", "the other side has closed, the application here has not; where this lasts, the application forgot "
			"to close" },
	{ "fin_wait1", "closed here, and the FIN is not acknowledged yet" },
	{ "fin_wait2", "closed here, and the other side has not closed yet" },
	{ "last_ack", "both sides closed, the last ACK is awaited" },
	{ "closing", "both sides closed at once, the last ACK is awaited" },
	{ "time_wait", "both sides closed, old packets may still come" },
};

static void describe_open(struct story *story, const enum nt_side *ended_by)
{
	static const struct meaning events[] = {
		{ "open", "It was established just when this was written." },
		{ "update", "It was open when this was written; more was to come." },
		{ "exit", "It was still open when tracking, or the capture, ended." },
	};
	const char *said = find_meaning(events, COUNT(events), explain_word(story->record, "event"));
	const char *state = explain_word(story->record, "state");

	(void)ended_by;
	story_say(story, "%s", said ? said : "It was open.");
	if (state)
		say_kernels_word(story, "Its socket's state was", state,
				 find_meaning(state_meanings, COUNT(state_meanings), state));
}

static void say_wire_words(struct story *story)
{
	const char *state = explain_word(story->record, "conn_state"), *history = explain_word(story->record, "history");

	if (!state && !history)
		return;
	story_say(story, "In Zeek's words:");
	if (state)
		story_say_name(story, state);
	if (history) {
		story_say(story, "history");
		story_say_name(story, history);
	}
	story_say(story, ".");
}

void explain_end(struct story *story)
{
	static const struct {
		const char *outcome;
		void (*tell)(struct story *story, const enum nt_side *ended_by);
	} outcomes[] = {
		{ "closed", describe_closed },   { "reset", describe_reset },             { "refused", describe_refused },
		{ "timeout", describe_timeout }, { "unreachable", describe_unreachable }, { "expired", describe_expired },
		{ "open", describe_open },
	};
	const char *outcome = explain_word(story->record, "outcome");
	bool by_src = explain_word_is(story->record, "ended_by", "src");
	enum nt_side side = by_src ? NT_SRC : NT_DST;
	size_t i = 0;

	while (i < COUNT(outcomes) && strcmp(outcome, outcomes[i].outcome))
		i++;
	if (i < COUNT(outcomes))
		outcomes[i].tell(story, by_src || explain_word_is(story->record, "ended_by", "dst") ? &side : NULL);
	else
		say_kernels_word(story, "It ended in a way that this version does not know:", outcome, NULL);
	say_wire_words(story);
	story_end_paragraph(story, "End");
}

/* ---- what it rests on, and what is missing ---- */

static const struct meaning gap_meanings[] = {
	{ "start", "When it began, and all that is measured from there: it was there before tracking, or its SYN was not "
		   "captured." },
	{ "direction", "Who opened it: that was inferred, from who listens or from port numbers, or both sides opened it at "
		       "once." },
	{ "owner", "Which process it belongs to: nobody here read from it or closed it, so at best the listener's owner is "
		   "named." },
	{ "packets", "What some packets carried: sequence numbers show that they passed unseen. Bytes and packets are those "
		     "that were seen." },
	{ "wire_end", "The end of its packets: they went on for over two seconds after the socket's end." },
	{ "bytes_mod_4g", "How much was sent: without --packets it is known only modulo 4 GiB, and more was possible." },
	{ "events", "Perhaps more: events near this one were lost, or its end was found late." },
};

static void say_gaps(struct story *story)
{
	const json_t *gaps = json_object_get(story->record, "gaps");
	size_t i;

	for (i = 0; i < json_array_size(gaps); i++) {
		const char *gap = json_string_value(json_array_get(gaps, i));
		const char *meaning = find_meaning(gap_meanings, COUNT(gap_meanings), gap);

		if (meaning)
			story_say(story, "%s", meaning);
		else
			say_kernels_word(story, "A gap that this version does not know:", gap, NULL);
	}
	if (gaps && !json_array_size(gaps))
		story_say(story, "Nothing that should be known is missing.");
	else if (!gaps)
		story_say(story, "The record does not say whether something is missing.");
}

static void say_sources(struct story *story)
{
	bool socket = explain_lists(story->record, "seen", "socket");
	const char *packets = explain_lists(story->record, "seen", "packets") ? "all its packets" :
			      explain_lists(story->record, "seen", "wire") ?
				      "the packets that open and close it, not those in between" : NULL;

	if (socket && packets)
		story_say(story, "The kernel's socket, and %s.", packets);
	else if (socket)
		story_say(story, "The kernel's socket alone; its packets were not seen.");
	else if (packets)
		story_say(story, "No socket, %s.", packets);
}

void explain_known(struct story *story)
{
	say_sources(story);
	story_end_paragraph(story, "Seen");
	say_gaps(story);
	story_end_paragraph(story, "Not known");
}
