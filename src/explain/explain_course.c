// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_course.h"

#include <arpa/inet.h>
#include <string.h>

#include "src/util/escape.h"
#include "src/util/readable.h"

#define NS_PER_US 1000ULL
/* A SYN or SYN-ACK without an answer is retransmitted after 1 s: RFC 6298 section 2, rule 2.1. */
#define FIRST_RETRANSMISSION_NS 1000000000ULL

static bool has_role(const struct paragraph *paragraph, const char *role)
{
	return explain_has_value(paragraph->record, "role", role);
}

/* ---- endpoints ---- */

static const char *find_owner_action(const char *owner_by)
{
	static const struct {
		const char *word, *meaning;
	} known[] = {
		{ "connect", "called connect()" },
		{ "io", "was the last process here to read from it" },
		{ "close", "closed it" },
		{ "accept", "accepted it" },
		{ "listen", "listens on the port; no process here read from this connection or closed it" },
		{ "scan", "held it open when its socket was looked up" },
	};
	size_t i;

	for (i = 0; owner_by && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(owner_by, known[i].word))
			return known[i].meaning;
	return NULL;
}

/* Adds "nginx (process 14243, /usr/sbin/nginx, user 33)", without the parts that are unknown. */
static void add_process(struct paragraph *paragraph)
{
	const char *comm = explain_get_word(paragraph->record, "comm");
	const char *exe = explain_get_word(paragraph->record, "exe");
	const char *opening = comm ? "(process %llu" : "process %llu";
	__u64 pid, uid;

	if (comm)
		paragraph_add_name(paragraph, comm);
	if (explain_get_number(paragraph->record, "pid", &pid))
		paragraph_add(paragraph, opening, (unsigned long long)pid);
	else
		paragraph_add(paragraph, comm ? "(process unknown" : "an unknown process");
	if (exe) {
		paragraph_add(paragraph, ",");
		paragraph_add_name(paragraph, exe);
	}
	if (explain_get_number(paragraph->record, "uid", &uid))
		paragraph_add(paragraph, ", user %llu", (unsigned long long)uid);
	if (comm)
		paragraph_add(paragraph, ")");
}

static void add_container_and_cgroup(struct paragraph *paragraph)
{
	const char *container = explain_get_word(paragraph->record, "container");
	const char *cgroup = explain_get_word(paragraph->record, "cgroup");

	if (container) {
		paragraph_add(paragraph, "It runs in container");
		paragraph_add_name(paragraph, container);
		paragraph_add(paragraph, ".");
	}
	if (cgroup) {
		paragraph_add(paragraph, "Its cgroup is");
		paragraph_add_name(paragraph, cgroup);
		paragraph_add(paragraph, ".");
	}
}

static void add_owner(struct paragraph *paragraph)
{
	const char *owner_by = explain_get_word(paragraph->record, "owner_by"), *action = find_owner_action(owner_by);
	__u64 opener;

	paragraph_add(paragraph, "The %s is on this machine: this record is its socket's account.",
		      has_role(paragraph, "client") ? "client" : "server");
	if (!explain_get_word(paragraph->record, "comm") && !json_object_get(paragraph->record, "pid")) {
		paragraph_add(paragraph, "Its process is unknown.");
		return;
	}
	paragraph_add(paragraph, "It belongs to");
	add_process(paragraph);
	if (action)
		paragraph_add(paragraph, ", which %s", action);
	else if (owner_by) {
		paragraph_add(paragraph, ", found by");
		paragraph_add_name(paragraph, owner_by);
	}
	paragraph_add(paragraph, ".");
	if (explain_get_number(paragraph->record, "opener_pid", &opener))
		paragraph_add(paragraph, "Process %llu opened it.", (unsigned long long)opener);
	add_container_and_cgroup(paragraph);
}

/* A capture may name the process of the machine that it was taken on. */
static void add_observed_process(struct paragraph *paragraph)
{
	if (!json_object_get(paragraph->record, "pid")) {
		paragraph_add(paragraph, "Only packets were seen, no socket: the processes on both sides are unknown.");
		return;
	}
	paragraph_add(paragraph, "Only packets were seen, no socket. The capture names");
	add_process(paragraph);
	paragraph_add(paragraph, ".");
}

static void add_network_namespace(struct paragraph *paragraph)
{
	const char *name = explain_get_word(paragraph->record, "netns_name");
	__u64 number;

	if (!explain_get_number(paragraph->record, "netns", &number))
		return;
	paragraph_add(paragraph, "Network namespace");
	if (name)
		paragraph_add_name(paragraph, name);
	paragraph_add(paragraph, name ? "(%llu)." : "%llu.", (unsigned long long)number);
}

static void add_interface_and_host(struct paragraph *paragraph)
{
	const char *interface = explain_get_word(paragraph->record, "ifname");
	const char *host = explain_get_word(paragraph->record, "host");
	__u64 number;

	if (interface) {
		paragraph_add(paragraph, "Its first packet was seen on interface");
		paragraph_add_name(paragraph, interface);
		if (explain_get_number(paragraph->record, "vlan", &number))
			paragraph_add(paragraph, ", VLAN %llu", (unsigned long long)number);
		paragraph_add(paragraph, ".");
	} else if (explain_get_number(paragraph->record, "vlan", &number))
		paragraph_add(paragraph, "VLAN %llu.", (unsigned long long)number);
	add_network_namespace(paragraph);
	if (host) {
		paragraph_add(paragraph, "Recorded on host");
		paragraph_add_name(paragraph, host);
		paragraph_add(paragraph, ".");
	}
}

/* Parses an address to the form of struct nt_record. Returns false if it is none. */
static bool parse_record_address(const char *text, __u8 address[16])
{
	memcpy(address, (const __u8[16]){ [10] = 0xff, [11] = 0xff }, 16);
	return inet_pton(AF_INET, text, address + 12) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* Adds an address, and its name in parentheses if that is known. */
static void add_address(struct paragraph *paragraph, const char *key)
{
	const char *text = explain_get_word(paragraph->record, key);
	struct text_buffer name = { 0 };
	__u8 address[16];

	paragraph_add_name(paragraph, text);
	if (!paragraph->names || !parse_record_address(text, address))
		return;
	resolver_await(paragraph->names, address);
	if (resolver_append_name(paragraph->names, address, &name))
		paragraph_add(paragraph, "(%.*s)", (int)name.used, name.bytes);
	text_free(&name);
}

void explain_write_endpoints(struct paragraph *paragraph)
{
	paragraph_add(paragraph, explain_list_has(paragraph->record, "gaps", "direction") ? "Probably" : "The client");
	if (explain_list_has(paragraph->record, "gaps", "direction"))
		paragraph_add(paragraph, "the client");
	add_address(paragraph, "src_ip");
	paragraph_add(paragraph, "opened it to the server");
	add_address(paragraph, "dst_ip");
	paragraph_add(paragraph, ".");
	if (has_role(paragraph, "client") || has_role(paragraph, "server"))
		add_owner(paragraph);
	else
		add_observed_process(paragraph);
	add_interface_and_host(paragraph);
	paragraph_finish(paragraph, "Who");
}

/* ---- steps ---- */

/* Returns the path that this part of the handshake measured, which depends on the place where the packets were seen. */
static const char *answer_path(const struct paragraph *paragraph, enum nt_side answerer)
{
	if (paragraph_is_local_side(paragraph, answerer))
		return "this machine's own delay";
	if (paragraph_is_local_side(paragraph, answerer == NT_SRC ? NT_DST : NT_SRC))
		return answerer == NT_SRC ? "the path to the client and back, and its kernel" :
					    "the path to the server and back, and its kernel";
	return answerer == NT_SRC ? "from the point of capture to the client and back" :
				    "from the point of capture to the server and back";
}

static void add_handshake_parts(struct paragraph *paragraph)
{
	__u64 answer, acknowledgement;

	if (explain_get_number(paragraph->record, "syn_synack_ns", &answer)) {
		paragraph_add(paragraph, "The server answered the SYN after");
		paragraph_add_duration(paragraph, answer);
		paragraph_add(paragraph, "(%s).", answer_path(paragraph, NT_DST));
		if (answer >= FIRST_RETRANSMISSION_NS)
			paragraph_add(paragraph,
				      "That is over a second: a SYN or SYN-ACK was probably lost and retransmitted.");
	}
	if (explain_get_number(paragraph->record, "synack_ack_ns", &acknowledgement)) {
		paragraph_add(paragraph, "The client's ACK came");
		paragraph_add_duration(paragraph, acknowledgement);
		paragraph_add(paragraph, "later (%s).", answer_path(paragraph, NT_SRC));
	}
}

/* Returns whether the record itself says that no handshake was completed. */
static bool is_known_attempt(const struct paragraph *paragraph)
{
	return explain_has_value(paragraph->record, "outcome", "refused") ||
	       explain_has_value(paragraph->record, "outcome", "unanswered") ||
	       explain_has_value(paragraph->record, "reason", "gave_up") ||
	       explain_has_value(paragraph->record, "state", "syn_sent");
}

static void add_handshake(struct paragraph *paragraph)
{
	bool by_socket = has_role(paragraph, "client") && !explain_list_has(paragraph->record, "seen", "wire");
	__u64 ns;

	add_handshake_parts(paragraph);
	if (explain_get_number(paragraph->record, "handshake_ns", &ns)) {
		paragraph_add(paragraph,
			      by_socket ? "From connect() to established it took" : "The whole handshake took");
		paragraph_add_duration(paragraph, ns);
		paragraph_add(paragraph, ".");
	} else if (is_known_attempt(paragraph))
		paragraph_add(paragraph, "There was no handshake.");
	else if (explain_list_has(paragraph->record, "gaps", "start"))
		paragraph_add(paragraph, "The handshake was not seen.");
	else if (explain_has_value(paragraph->record, "outcome", "closed") ||
		 !explain_list_has(paragraph->record, "seen", "wire"))
		paragraph_add(paragraph, "The duration of the handshake is unknown.");
	else if (!json_object_get(paragraph->record, "syn_synack_ns"))
		paragraph_add(paragraph, "No answer that completes a handshake was seen.");
	else
		paragraph_add(paragraph, "No ACK that completes the handshake was seen.");
	if (explain_get_number(paragraph->record, "accept_wait_ns", &ns)) {
		paragraph_add(paragraph, "It then waited");
		paragraph_add_duration(paragraph, ns);
		paragraph_add(paragraph, "to be accepted.");
	}
}

static void add_ending_steps(struct paragraph *paragraph)
{
	bool open = explain_has_value(paragraph->record, "outcome", "open");
	bool refused = explain_has_value(paragraph->record, "outcome", "refused");
	bool waits = explain_has_value(paragraph->record, "outcome", "unanswered");
	__u64 ns;

	if (explain_get_number(paragraph->record, "first_fin_ns", &ns)) {
		paragraph_add(paragraph, refused ? "The RST came" : "The first FIN or RST came");
		paragraph_add_duration(paragraph, ns);
		paragraph_add(paragraph, "after the start.");
	}
	if (explain_get_number(paragraph->record, "syn_finack_ns", &ns)) {
		paragraph_add(paragraph, "The server's first FIN came");
		paragraph_add_duration(paragraph, ns);
		paragraph_add(paragraph, "after the SYN.");
	}
	if (explain_get_number(paragraph->record, "duration_ns", &ns)) {
		paragraph_add(paragraph, open  ? "When this record was written, it had been open for" :
					 waits ? "When this record was written, it had waited for" :
						 "It lasted");
		paragraph_add_duration(paragraph, ns);
		paragraph_add(paragraph, ".");
	}
	if (!has_role(paragraph, "observer") && explain_get_number(paragraph->record, "wire_duration_ns", &ns)) {
		paragraph_add(paragraph, "From the first to the last packet that opened or closed it:");
		paragraph_add_duration(paragraph, ns);
		paragraph_add(paragraph, ".");
	}
}

static void add_round_trip(struct paragraph *paragraph)
{
	__u64 rtt, least;

	if (!explain_get_number(paragraph->record, "rtt_us", &rtt))
		return;
	paragraph_add(paragraph, "The socket here measured a round-trip time of");
	paragraph_add_duration(paragraph, rtt * NS_PER_US);
	if (explain_get_number(paragraph->record, "min_rtt_us", &least)) {
		paragraph_add(paragraph, ", with a minimum of");
		paragraph_add_duration(paragraph, least * NS_PER_US);
	}
	paragraph_add(paragraph, ".");
}

void explain_write_steps(struct paragraph *paragraph)
{
	const char *start = explain_get_word(paragraph->record, "start");

	if (start) {
		paragraph_add(paragraph, "It began at");
		paragraph_add_name(paragraph, start);
		paragraph_add(paragraph, ".");
	}
	add_handshake(paragraph);
	add_ending_steps(paragraph);
	add_round_trip(paragraph);
	paragraph_finish(paragraph, "Steps");
}

/* ---- data ---- */

static void add_size(struct paragraph *paragraph, __u64 bytes)
{
	paragraph_add(paragraph, bytes == 1 ? "%llu byte" : "%llu bytes", (unsigned long long)bytes);
	if (bytes < 1024)
		return;
	text_string(&paragraph->words, " (");
	readable_count(&paragraph->words, bytes);
	text_char(&paragraph->words, ')');
}

static void add_sent_bytes(struct paragraph *paragraph, enum nt_side side)
{
	static const char *const keys[2][3] = {
		[NT_SRC] = { "src_bytes", "src_packets", "src_retransmits" },
		[NT_DST] = { "dst_bytes", "dst_packets", "dst_retransmits" },
	};
	__u64 bytes, packets, retransmits;

	if (!explain_get_number(paragraph->record, keys[side][0], &bytes)) {
		paragraph_add(paragraph, "The amount of data that %s sent is unknown.", paragraph_side_name(side));
		return;
	}
	paragraph_add(paragraph, side == NT_SRC ? "The client sent" : "The server sent");
	add_size(paragraph, bytes);
	if (explain_get_number(paragraph->record, keys[side][1], &packets))
		paragraph_add(paragraph, packets == 1 ? "in %llu packet" : "in %llu packets",
			      (unsigned long long)packets);
	if (!explain_get_number(paragraph->record, keys[side][2], &retransmits))
		paragraph_add(paragraph, ".");
	else if (!retransmits)
		paragraph_add(paragraph, ", none of them retransmitted.");
	else
		paragraph_add(paragraph, "; %llu had to be retransmitted.", (unsigned long long)retransmits);
}

void explain_write_data(struct paragraph *paragraph)
{
	bool one_side = !json_object_get(paragraph->record, "src_retransmits") !=
			!json_object_get(paragraph->record, "dst_retransmits");

	add_sent_bytes(paragraph, NT_SRC);
	add_sent_bytes(paragraph, NT_DST);
	if (one_side)
		paragraph_add(paragraph, "A socket does not know what the other side retransmitted.");
	paragraph_finish(paragraph, "Data");
}

/* ---- limit ---- */

static const char *find_limit_meaning(const char *limit)
{
	static const struct {
		const char *word, *meaning;
	} known[] = {
		{ "receiver",
		  "the other side's receive window: the application there reads too slowly, or its buffer is "
		  "too small for this path" },
		{ "sndbuf",
		  "the socket's own send buffer, which is too small for this path (SO_SNDBUF, net.ipv4.tcp_wmem)" },
		{ "network", "the network: its rate, its delay and what it lost" },
		{ "idle", "the application here: most of the time it had nothing to send" },
		{ "app",
		  "the application here: most of the time it had nothing to send" }, /* version 1 of the record */
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(limit, known[i].word))
			return known[i].meaning;
	return NULL;
}

/* Returns why a socket's record has no limited_by. */
static const char *find_cause_without_limit(const struct paragraph *paragraph)
{
	bool unreachable = explain_has_value(paragraph->record, "outcome", "unreachable");

	if (is_known_attempt(paragraph) || (unreachable && !json_object_get(paragraph->record, "rtt_us")))
		return "Nothing: it was never established.";
	if (explain_list_has(paragraph->record, "gaps", "start"))
		return "Unknown: it was sending for less than a tick of the kernel's clock, or for less time than it was "
		       "idle, and its earlier idle times are unknown.";
	return "Not measured: it was sending for less than a tick of the kernel's clock.";
}

void explain_write_limit(struct paragraph *paragraph)
{
	const char *limit = explain_get_word(paragraph->record, "limited_by");
	const char *meaning = limit ? find_limit_meaning(limit) : NULL;

	if (meaning)
		paragraph_add(paragraph, "What limited its sending longest was %s.", meaning);
	else if (limit) {
		paragraph_add(paragraph, "What limited its sending longest was, in the record's word,");
		paragraph_add_name(paragraph, limit);
		paragraph_add(paragraph, ".");
	} else if (has_role(paragraph, "observer"))
		paragraph_add(paragraph, "Unknown: only a socket knows what limits its sending.");
	else
		paragraph_add(paragraph, "%s", find_cause_without_limit(paragraph));
	paragraph_finish(paragraph, "Limited by");
}
