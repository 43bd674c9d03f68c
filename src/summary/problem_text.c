// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/problems.h"

#include "src/record/record_fields.h"
#include "src/util/escape.h"

static const char *const problem_names[PROBLEM_KINDS] = {
	[PROBLEM_REFUSED] = "refused",
	[PROBLEM_TIMEOUT] = "timeout",
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
	text_string(text, " timed out: it did not answer");
}

static void describe_overflow(struct text_buffer *text, const struct problem *problem)
{
	text_format(text,
		    "listen queues of network namespace %u were full %llu time%s: the application accepts too slowly",
		    problem->namespace->now.netns, (unsigned long long)problem->count, problem->count == 1 ? "" : "s");
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
		[PROBLEM_LISTEN_OVERFLOW] = describe_overflow,
		[PROBLEM_RETRANSMITTED] = describe_retransmits,
		[PROBLEM_PORTS] = describe_ports,
		[PROBLEM_LOST] = describe_loss,
		[PROBLEM_EVICTED] = describe_eviction,
	};

	describe[problem->kind](text, problem);
}

static void append_net(struct text_buffer *text, const char *options, const __u8 *address)
{
	text_string(text, options);
	text_string(text, " --net ");
	append_address(text, address);
}

static void append_options(struct text_buffer *text, const struct problem *problem, bool is_replay)
{
	switch (problem->kind) {
	case PROBLEM_REFUSED:
		append_net(text, " --outcome refused", summary_row_address(problem->row));
		text_format(text, " -D %u", summary_row_port(problem->row));
		break;
	case PROBLEM_TIMEOUT:
		append_net(text, " --outcome timeout", summary_row_address(problem->row));
		break;
	case PROBLEM_RETRANSMITTED:
		append_net(text, is_replay ? "" : " list", summary_row_address(problem->row));
		break;
	case PROBLEM_PORTS:
		append_net(text, " list", problem->ports->dst_ip);
		text_format(text, " -D %u", problem->ports->dst_port);
		break;
	case PROBLEM_LISTEN_OVERFLOW:
		text_format(text, " list --role server --netns %u", problem->namespace->now.netns);
		break;
	case PROBLEM_EVICTED:
		text_string(text, " --memory SIZE");
		break;
	default:
		text_string(text, " status");
	}
}

void problem_command(struct text_buffer *text, const struct problem *problem, bool is_replay)
{
	text_string(text, is_replay ? "netracker replay" : "netracker");
	append_options(text, problem, is_replay);
	if (is_replay)
		text_string(text, " FILE");
}
