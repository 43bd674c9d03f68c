// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/problems.h"

#include <string.h>

#include "src/record/record_fields.h"
#include "src/util/escape.h"

#define PLAIN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+=:,@%"

static const char *const problem_names[PROBLEM_KINDS] = {
	[PROBLEM_REFUSED] = "refused",
	[PROBLEM_TIMEOUT] = "timeout",
	[PROBLEM_CLOSE_WAIT] = "close_wait",
	[PROBLEM_LISTEN_OVERFLOW] = "listen_overflow",
	[PROBLEM_RETRANSMITTED] = "retransmissions",
	[PROBLEM_PORTS] = "ephemeral_ports",
	[PROBLEM_LOST] = "lost",
	[PROBLEM_EVICTED] = "evicted",
};

const char *problem_name(enum problem_kind kind)
{
	return problem_names[kind];
}

static void append_address(struct text_buffer *text, const __u8 *address)
{
	char address_text[ADDRESS_TEXT_SIZE];

	record_address_text(address_text, address);
	text_string(text, address_text);
}

static void append_service(struct text_buffer *text, const __u8 *address, __u16 port)
{
	bool is_ipv6 = nt_address_family(address) != 4;

	text_string(text, is_ipv6 ? "[" : "");
	append_address(text, address);
	text_format(text, is_ipv6 ? "]:%u" : ":%u", port);
}

static void describe_refusal(struct text_buffer *text, const struct problem *problem)
{
	const unsigned char *client = summary_refusal_client(problem->row);

	if (summary_refusal_has_name(problem->row))
		escape_word(text, (const char *)client, NT_COMM_SIZE);
	else
		append_address(text, client);
	text_format(text, " was refused %llu times by ", (unsigned long long)problem->count);
	append_service(text, summary_row_address(problem->row), summary_row_port(problem->row));
}

static void describe_timeouts(struct text_buffer *text, const struct problem *problem)
{
	text_format(text, "%llu connections with ", (unsigned long long)problem->count);
	append_address(text, summary_row_address(problem->row));
	text_string(text, " timed out or had no answer for 3 s");
}

static void describe_overflow(struct text_buffer *text, const struct problem *problem)
{
	const struct namespace_counts *counts = &problem->namespace->now;

	text_string(text, "listen queues of network namespace ");
	if (counts->name[0])
		escape_word(text, counts->name, sizeof(counts->name));
	else
		text_format(text, "%u", counts->netns);
	text_format(text, " were full %llu time%s: the application accepts too slowly",
		    (unsigned long long)problem->count, problem->count == 1 ? "" : "s");
}

static void describe_close_waits(struct text_buffer *text, const struct problem *problem)
{
	const struct summary_owner *owner = &problem->row->owner;

	escape_word(text, owner->comm, sizeof(owner->comm));
	text_format(text, " (%u) has %llu connections in close_wait for over 60 s: their peers closed them, it did not",
		    owner->pid, (unsigned long long)problem->count);
}

static void describe_retransmits(struct text_buffer *text, const struct problem *problem)
{
	const struct summary_sums *sums = &problem->row->sums;

	text_format(text, "%.1f%% of the packets with ", 100.0 * (double)sums->retransmits / (double)sums->packets);
	append_address(text, summary_row_address(problem->row));
	text_format(text, " were retransmissions: %llu of %llu", (unsigned long long)sums->retransmits,
		    (unsigned long long)sums->packets);
	if (problem->median >= 0)
		text_format(text, "; the median of the other peers is %.1f%%", problem->median);
}

static void describe_ports(struct text_buffer *text, const struct problem *problem)
{
	append_address(text, problem->ports->src_ip);
	text_format(text, " uses %llu of its %llu ephemeral ports for ", (unsigned long long)problem->count,
		    (unsigned long long)problem->total);
	append_service(text, problem->ports->dst_ip, problem->ports->dst_port);
}

static void describe_loss(struct text_buffer *text, const struct problem *problem)
{
	text_format(text, "netracker lost %llu record%s: %s", (unsigned long long)problem->count,
		    problem->count == 1 ? "" : "s", accounting_loss_name(problem->loss));
}

static void describe_eviction(struct text_buffer *text, const struct problem *problem)
{
	text_format(text, "netracker had no memory for %llu connection%s, whose record%s incomplete",
		    (unsigned long long)problem->count, problem->count == 1 ? "" : "s",
		    problem->count == 1 ? " is" : "s are");
}

void problem_describe(struct text_buffer *text, const struct problem *problem)
{
	static void (*const describe[PROBLEM_KINDS])(struct text_buffer * text, const struct problem *problem) = {
		[PROBLEM_REFUSED] = describe_refusal,
		[PROBLEM_TIMEOUT] = describe_timeouts,
		[PROBLEM_CLOSE_WAIT] = describe_close_waits,
		[PROBLEM_LISTEN_OVERFLOW] = describe_overflow,
		[PROBLEM_RETRANSMITTED] = describe_retransmits,
		[PROBLEM_PORTS] = describe_ports,
		[PROBLEM_LOST] = describe_loss,
		[PROBLEM_EVICTED] = describe_eviction,
	};

	describe[problem->kind](text, problem);
}

static void append_condition(struct text_buffer *text, const char *field, const __u8 *address)
{
	text_string(text, field);
	text_char(text, ' ');
	append_address(text, address);
}

/* Appends the filter that selects the connections (docs/filters.md). */
static void append_problem_filter(struct text_buffer *text, const struct problem *problem)
{
	switch (problem->kind) {
	case PROBLEM_REFUSED:
		append_condition(text, "outcome refused and dst", summary_row_address(problem->row));
		text_format(text, " and dport %u", summary_row_port(problem->row));
		break;
	case PROBLEM_TIMEOUT:
		append_condition(text, "outcome timeout,unanswered and host", summary_row_address(problem->row));
		break;
	case PROBLEM_LISTEN_OVERFLOW:
		text_format(text, "netns %u", problem->namespace->now.netns);
		break;
	case PROBLEM_CLOSE_WAIT:
		text_format(text, "state close_wait and pid %u", problem->row->owner.pid);
		break;
	case PROBLEM_RETRANSMITTED:
		append_condition(text, "retrans gt 0 and host", summary_row_address(problem->row));
		break;
	case PROBLEM_PORTS:
		append_condition(text, "src", problem->ports->src_ip);
		append_condition(text, " and dst", problem->ports->dst_ip);
		text_format(text, " and dport %u", problem->ports->dst_port);
		break;
	default:
		break;
	}
}

/* The list shows what is open. What has ended is reported when it happens again. */
static bool is_open_now(enum problem_kind kind)
{
	return kind == PROBLEM_LISTEN_OVERFLOW || kind == PROBLEM_CLOSE_WAIT || kind == PROBLEM_RETRANSMITTED ||
	       kind == PROBLEM_PORTS;
}

/* Quoted for the shell, if it has other characters than names of files mostly have. */
static void append_shell_word(struct text_buffer *text, const char *word)
{
	bool is_plain = *word && !word[strspn(word, PLAIN_CHARACTERS)];

	if (is_plain) {
		text_string(text, word);
		return;
	}
	text_char(text, '\'');
	for (; *word; word++)
		text_format(text, *word == '\'' ? "'\\%c'" : "%c", *word);
	text_char(text, '\'');
}

static void append_command(struct text_buffer *text, const struct problem *problem, const struct summary_origin *origin)
{
	if (origin->source == SUMMARY_OF_HISTORY)
		text_string(text, "netracker query ");
	else
		text_string(text, is_open_now(problem->kind) ? "netracker list " : "netracker ");
	if (!origin->history)
		return;
	text_string(text, "--from ");
	append_shell_word(text, origin->history);
	text_char(text, ' ');
}

void problem_command(struct text_buffer *text, const struct problem *problem, const struct summary_origin *origin)
{
	if (problem->kind == PROBLEM_LOST) {
		text_string(text, "netracker status");
	} else if (problem->kind == PROBLEM_EVICTED) {
		text_string(text, "netracker replay --memory SIZE FILE");
	} else if (origin->source == SUMMARY_OF_REPLAY) {
		text_string(text, "netracker replay --where '");
		append_problem_filter(text, problem);
		text_string(text, "' FILE");
	} else {
		append_command(text, problem, origin);
		if (problem->kind == PROBLEM_LISTEN_OVERFLOW && origin->source == SUMMARY_OF_LIVE)
			text_string(text, "--listening --sort drops ");
		append_problem_filter(text, problem);
	}
}
