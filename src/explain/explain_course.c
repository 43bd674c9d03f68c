// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_course.h"

#include <string.h>

#include "src/util/escape.h"
#include "src/util/readable.h"

#define NS_PER_US 1000ULL
/* A SYN or SYN-ACK without an answer is sent again after 1 s: RFC 6298 section 2, rule 2.1. */
#define FIRST_RETRANSMISSION_NS 1000000000ULL

static bool role_is(const struct story *story, const char *role)
{
	return explain_word_is(story->record, "role", role);
}

/* ---- who ---- */

static const char *owner_action(const char *owner_by)
{
	static const struct {
		const char *word, *meaning;
	} known[] = {
		{ "connect", "called connect()" },
		{ "io", "was the last here to read from it" },
		{ "close", "closed it" },
		{ "accept", "accepted it" },
		{ "listen", "listens on the port; nobody here read from this connection or closed it" },
		{ "scan", "held it open when tracking started" },
	};
	size_t i;

	for (i = 0; owner_by && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(owner_by, known[i].word))
			return known[i].meaning;
	return NULL;
}

/* "nginx (process 14243, /usr/sbin/nginx, user 33)", or what is known of that. */
static void say_process(struct story *story)
{
	const char *comm = explain_word(story->record, "comm"), *exe = explain_word(story->record, "exe");
	const char *opening = comm ? "(process %llu" : "process %llu";
	__u64 pid, uid;

	if (comm)
		story_say_name(story, comm);
	if (explain_number(story->record, "pid", &pid))
		story_say(story, opening, (unsigned long long)pid);
	else
		story_say(story, comm ? "(process unknown" : "an unknown process");
	if (exe) {
		story_say(story, ",");
		story_say_name(story, exe);
	}
	if (explain_number(story->record, "uid", &uid))
		story_say(story, ", user %llu", (unsigned long long)uid);
	if (comm)
		story_say(story, ")");
}

static void say_place_of_process(struct story *story)
{
	const char *container = explain_word(story->record, "container");
	const char *cgroup = explain_word(story->record, "cgroup");

	if (container) {
		story_say(story, "It runs in container");
		story_say_name(story, container);
		story_say(story, ".");
	}
	if (cgroup) {
		story_say(story, "Its cgroup is");
		story_say_name(story, cgroup);
		story_say(story, ".");
	}
}

static void say_owner(struct story *story)
{
	const char *owner_by = explain_word(story->record, "owner_by"), *did = owner_action(owner_by);
	__u64 opener;

	story_say(story, "The %s is here: this record is its socket's view.",
		  role_is(story, "client") ? "client" : "server");
	if (!explain_word(story->record, "comm") && !json_object_get(story->record, "pid")) {
		story_say(story, "Which process it belongs to is not known.");
		return;
	}
	story_say(story, "It belongs to");
	say_process(story);
	if (did)
		story_say(story, ", which %s", did);
	else if (owner_by) {
		story_say(story, ", found by");
		story_say_name(story, owner_by);
	}
	story_say(story, ".");
	if (explain_number(story->record, "opener_pid", &opener))
		story_say(story, "Process %llu opened it.", (unsigned long long)opener);
	say_place_of_process(story);
}

static void say_where_seen(struct story *story)
{
	const char *interface = explain_word(story->record, "ifname"), *host = explain_word(story->record, "host");
	__u64 number;

	if (interface) {
		story_say(story, "Its first packet was seen on interface");
		story_say_name(story, interface);
		if (explain_number(story->record, "vlan", &number))
			story_say(story, ", VLAN %llu", (unsigned long long)number);
		story_say(story, ".");
	} else if (explain_number(story->record, "vlan", &number))
		story_say(story, "VLAN %llu.", (unsigned long long)number);
	if (explain_number(story->record, "netns", &number))
		story_say(story, "Network namespace %llu.", (unsigned long long)number);
	if (host) {
		story_say(story, "Recorded on host");
		story_say_name(story, host);
		story_say(story, ".");
	}
}

void explain_who(struct story *story)
{
	story_say(story, explain_lists(story->record, "gaps", "direction") ? "Probably" : "The client");
	if (explain_lists(story->record, "gaps", "direction"))
		story_say(story, "the client");
	story_say_name(story, explain_word(story->record, "src_ip"));
	story_say(story, "opened it to the server");
	story_say_name(story, explain_word(story->record, "dst_ip"));
	story_say(story, ".");
	if (role_is(story, "client") || role_is(story, "server"))
		say_owner(story);
	else
		story_say(story, "Only packets were seen, no socket: which process is at either end is not known.");
	say_where_seen(story);
	story_end_paragraph(story, "Who");
}

/* ---- steps ---- */

/* What a part of the handshake is made of: it depends on where it was seen. */
static const char *path_of_answer(const struct story *story, enum nt_side who_answered)
{
	if (story_is_local(story, who_answered))
		return "this machine's own part";
	if (story_is_local(story, who_answered == NT_SRC ? NT_DST : NT_SRC))
		return who_answered == NT_SRC ? "the way to the client and back, and its kernel" :
						"the way to the server and back, and its kernel";
	return who_answered == NT_SRC ? "from where it was seen to the client and back" :
					"from where it was seen to the server and back";
}

static void say_handshake_parts(struct story *story)
{
	__u64 answer, acknowledgement;

	if (explain_number(story->record, "syn_synack_ns", &answer)) {
		story_say(story, "The server answered the SYN after");
		story_say_duration(story, answer);
		story_say(story, "(%s).", path_of_answer(story, NT_DST));
		if (answer >= FIRST_RETRANSMISSION_NS)
			story_say(story, "Over a second: a SYN or its answer was probably lost and sent again.");
	}
	if (explain_number(story->record, "synack_ack_ns", &acknowledgement)) {
		story_say(story, "The client's ACK came");
		story_say_duration(story, acknowledgement);
		story_say(story, "later (%s).", path_of_answer(story, NT_SRC));
	}
}

static void say_handshake(struct story *story)
{
	bool by_socket = role_is(story, "client") && !explain_lists(story->record, "seen", "wire");
	__u64 ns;

	say_handshake_parts(story);
	if (explain_number(story->record, "handshake_ns", &ns)) {
		story_say(story, by_socket ? "From connect() to established it took" : "The whole handshake took");
		story_say_duration(story, ns);
		story_say(story, ".");
	} else if (explain_lists(story->record, "gaps", "start"))
		story_say(story, "The handshake was before what was seen.");
	else if (explain_word_is(story->record, "outcome", "closed") || !explain_lists(story->record, "seen", "wire"))
		story_say(story, "What the handshake took is not known.");
	else if (!json_object_get(story->record, "syn_synack_ns"))
		story_say(story, "No answer that completes a handshake was seen.");
	else
		story_say(story, "No ACK that completes the handshake was seen.");
	if (explain_number(story->record, "accept_wait_ns", &ns)) {
		story_say(story, "Then it waited");
		story_say_duration(story, ns);
		story_say(story, "to be accepted.");
	}
}

static void say_ending_steps(struct story *story)
{
	bool open = explain_word_is(story->record, "outcome", "open");
	__u64 ns;

	if (explain_number(story->record, "first_fin_ns", &ns)) {
		story_say(story, "The first FIN or RST came");
		story_say_duration(story, ns);
		story_say(story, "after the start.");
	}
	if (explain_number(story->record, "syn_finack_ns", &ns)) {
		story_say(story, "The server's first FIN came");
		story_say_duration(story, ns);
		story_say(story, "after the SYN.");
	}
	if (explain_number(story->record, "duration_ns", &ns)) {
		story_say(story, open ? "When this was written it was open for" : "It lasted");
		story_say_duration(story, ns);
		story_say(story, ".");
	}
	if (!role_is(story, "observer") && explain_number(story->record, "wire_duration_ns", &ns)) {
		story_say(story, "First to last packet that opens or closes:");
		story_say_duration(story, ns);
		story_say(story, ".");
	}
}

static void say_round_trip(struct story *story)
{
	__u64 rtt, least;

	if (!explain_number(story->record, "rtt_us", &rtt))
		return;
	story_say(story, "Round trip as the socket here measured it:");
	story_say_duration(story, rtt * NS_PER_US);
	if (explain_number(story->record, "min_rtt_us", &least)) {
		story_say(story, ", at the least");
		story_say_duration(story, least * NS_PER_US);
	}
	story_say(story, ".");
}

void explain_steps(struct story *story)
{
	const char *start = explain_word(story->record, "start");

	if (start) {
		story_say(story, "It began at");
		story_say_name(story, start);
		story_say(story, ".");
	}
	say_handshake(story);
	say_ending_steps(story);
	say_round_trip(story);
	story_end_paragraph(story, "Steps");
}

/* ---- data ---- */

static void say_size(struct story *story, __u64 bytes)
{
	story_say(story, bytes == 1 ? "%llu byte" : "%llu bytes", (unsigned long long)bytes);
	if (bytes < 1024)
		return;
	text_string(&story->words, " (");
	readable_count(&story->words, bytes);
	text_char(&story->words, ')');
}

static void say_sent(struct story *story, enum nt_side side)
{
	static const char *const keys[2][3] = {
		[NT_SRC] = { "src_bytes", "src_packets", "src_retransmits" },
		[NT_DST] = { "dst_bytes", "dst_packets", "dst_retransmits" },
	};
	__u64 bytes, packets, again;

	if (!explain_number(story->record, keys[side][0], &bytes)) {
		story_say(story, "How much %s sent is not known.", story_side(side));
		return;
	}
	story_say(story, side == NT_SRC ? "The client sent" : "The server sent");
	say_size(story, bytes);
	if (explain_number(story->record, keys[side][1], &packets))
		story_say(story, packets == 1 ? "in %llu packet" : "in %llu packets", (unsigned long long)packets);
	if (!explain_number(story->record, keys[side][2], &again))
		story_say(story, ".");
	else if (!again)
		story_say(story, ", none of them twice.");
	else
		story_say(story, "; %llu had to be sent again.", (unsigned long long)again);
}

void explain_data(struct story *story)
{
	bool one_side = !json_object_get(story->record, "src_retransmits") !=
			!json_object_get(story->record, "dst_retransmits");

	say_sent(story, NT_SRC);
	say_sent(story, NT_DST);
	if (one_side)
		story_say(story, "What the other side had to send again, a socket cannot know.");
	story_end_paragraph(story, "Data");
}

/* ---- what held it back ---- */

static const char *meaning_of_limit(const char *limit)
{
	static const struct {
		const char *word, *meaning;
	} known[] = {
		{ "receiver", "the other side's receive window: the application there reads too slowly, or its buffer is "
			      "too small for this path" },
		{ "sndbuf", "the socket's own send buffer, which is too small for this path (SO_SNDBUF, net.ipv4.tcp_wmem)" },
		{ "network", "the network: its rate, its delay and what it lost" },
		{ "app", "the application here: most of the time it had nothing to send" },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(limit, known[i].word))
			return known[i].meaning;
	return NULL;
}

void explain_held_back(struct story *story)
{
	const char *limit = explain_word(story->record, "limited_by"), *meaning = limit ? meaning_of_limit(limit) : NULL;

	if (meaning)
		story_say(story, "What held back its sending longest was %s.", meaning);
	else if (limit) {
		story_say(story, "What held back its sending longest was, in the record's word,");
		story_say_name(story, limit);
		story_say(story, ".");
	} else if (role_is(story, "observer"))
		story_say(story, "Not known: only a socket tells what holds back its sending.");
	else
		story_say(story, "Nothing to tell: it was sending for less than a tick of the kernel's clock.");
	story_end_paragraph(story, "Held back");
}
