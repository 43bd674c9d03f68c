// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/cli/help.h"

#include <string.h>

#include "src/cli/option_table.h"

#define WIDTH 80
#define TEXT_COLUMN 28

struct help_text {
	unsigned int commands; /* bits of enum command_bit */
	const char *usage, *notes;
};

#define EXPLANATION_OF_COLUMNS \
"SRC opened the connection to DST. closed:src: SRC closed it first. LASTED is its\n" \
"duration, SHAKE its handshake, SRC-TX and DST-TX payload bytes sent, RETR\n" \
"segments that SRC/DST retransmitted, GAPS what is unknown (short: Start\n" \
"Direction Owner Packets Wire_end Bytes_mod_4g Evicted, L: events lost).\n"

static const struct help_text help_texts[] = {
	{ COMMAND_LIVE,
"usage: netracker [OPTIONS]              every TCP connection, when it ends\n"
"       netracker list [OPTIONS]         the connections that are open now\n"
"       netracker replay [OPTIONS] FILE  the connections in a capture\n"
"       netracker explain [FILE]         describe records in plain English\n"
"       netracker attach -i INTERFACE    print to the kernel's trace, without a\n"
"                                        process; see also: status, detach\n"
"each of these has a --help of its own\n",
"Columns: R is the local side's role: C client, S server, O observer.\n"
EXPLANATION_OF_COLUMNS
"\n"
"Exit status: 0 done, 1 input or output broke, 2 usage, 3 not permitted, 4 the\n"
"kernel lacks something, 5 no such interface\n"
"\n"
"Examples:\n"
"  netracker -D 443                         connections of this machine to port\n"
"                                           443\n"
"  netracker -x                             failures, and who ended them\n"
"  netracker --summary --interval 1         who is moving bytes right now\n"
"  netracker -L 80 --role server --min-duration 1s\n"
"                                           slow connections of the web server\n"
"  netracker -c nginx -f json -o nginx.json -t 60\n"
"                                           a minute of nginx, for jq\n" },
	{ COMMAND_LIST,
"usage: netracker list [OPTIONS]         every TCP connection that is open now,\n"
"                                        in every network namespace\n",
"Columns: R is the local side's role: C client, S server. SRC opened the\n"
"connection to DST. AGE is known where netracker runs meanwhile. SRC-TX and\n"
"DST-TX payload bytes sent, RTT smoothed round-trip time, RETR segments that\n"
"SRC/DST retransmitted, LIMITED what holds back its sending: receiver, sndbuf,\n"
"network, app. GAPS what is unknown (S start, D direction, O owner).\n"
"\n"
"Exit status: 0 done, 1 output broke, 2 usage, 3 not permitted, 4 the kernel\n"
"lacks something\n"
"\n"
"Examples:\n"
"  netracker list -L 443                    who is connected to this web server\n"
"  netracker list -p 1234 -f json | jq .    all that is known of a process's\n"
"                                           connections\n" },
	{ COMMAND_REPLAY,
"usage: netracker replay [OPTIONS] FILE...  every TCP connection in a capture\n"
"                                           (pcap, pcapng; -: standard input).\n"
"                                           Several files: pieces of one capture,\n"
"                                           in the order of their times\n",
"Columns:\n"
EXPLANATION_OF_COLUMNS
"\n"
"Exit status: 0 done, 1 input or output broke, 2 usage\n"
"\n"
"Examples:\n"
"  netracker replay capture.pcap\n"
"  netracker replay -x capture.pcap                   failures\n"
"  netracker replay ring.pcap0 ring.pcap1             pieces of one, in order\n"
"  netracker replay --like zeek -f zeek -o conn.log capture.pcap\n"
"                                                     Zeek's conn.log\n"
"  tcpdump -w - tcp | netracker replay -f json - | jq .\n"
"                                                     straight from tcpdump\n" },
	{ COMMAND_EXPLAIN,
"usage: netracker explain [OPTIONS] [FILE]  describe records (-f json, one a\n"
"                                           line) in plain English;\n"
"                                           no FILE, or -: standard input\n",
"It says who opened the connection and who owns it, how long each step took, what\n"
"was sent, what held it back, who ended it and the kernel's reason, what was seen\n"
"and what is unknown, and why. A line that is no record is named on stderr and\n"
"skipped.\n"
"\n"
"Exit status: 0 done, 1 no such file or id, or a line that is no record, 2 usage\n"
"\n"
"Examples:\n"
"  netracker explain --id 8357c8fabae31427 netracker.json\n"
"                                         one connection of a log\n"
"  netracker replay -f json capture.pcap | netracker explain\n"
"  netracker -f json --outcome reset,timeout | netracker explain\n"
"                                         while it happens\n" },
	{ COMMAND_ATTACH | COMMAND_STATUS | COMMAND_DETACH,
"usage: netracker attach -i INTERFACE    attach programs that stay on the\n"
"                                        interface without a process\n"
"       netracker status                 what is attached, by whom, its counters\n"
"       netracker detach [-i INTERFACE]  detach them; without -i: from all\n"
"                                        interfaces\n"
"\n"
"The programs print a line to the kernel's trace for each TCP connection that\n"
"passed the interface and was closed: the nanoseconds from its SYN to the FIN of\n"
"the side that answered.\n",
"Exit status: 0 done, 1 output broke, 2 usage, 3 not permitted, 4 the kernel\n"
"lacks something, 5 no such interface, or netracker is attached to it already\n"
"\n"
"Examples:\n"
"  netracker attach -i eth0\n"
"  bpftool prog tracelog          reads the lines; so does\n"
"                                 cat /sys/kernel/tracing/trace_pipe\n"
"  netracker status -f json | jq .dropped\n"
"  netracker detach\n" },
};

/* Breaks lines at spaces. `column`: characters that the first line has already. */
static void append_wrapped(struct text_buffer *text, const char *words, size_t column)
{
	for (;;) {
		size_t length = strcspn(words, " ");

		if (column > TEXT_COLUMN && column + 1 + length > WIDTH) {
			text_char(text, '\n');
			column = 0;
		}
		if (column < TEXT_COLUMN) {
			text_spaces(text, TEXT_COLUMN - column);
			column = TEXT_COLUMN;
		} else if (column > TEXT_COLUMN) {
			text_char(text, ' ');
			column++;
		}
		text_append(text, words, length);
		column += length;
		if (!words[length])
			break;
		words += length + 1;
	}
	text_char(text, '\n');
}

static void append_option(struct text_buffer *text, const struct option_rule *rule, const char *help)
{
	size_t begin = text->used;

	if (rule->letter)
		text_format(text, "  -%c, --%s", rule->letter, rule->name);
	else
		text_format(text, "      --%s", rule->name);
	if (rule->value)
		text_format(text, " %s", rule->value);
	append_wrapped(text, help, text->used - begin >= TEXT_COLUMN ? TEXT_COLUMN + 1 : text->used - begin);
}

static void append_section(struct text_buffer *text, enum option_section section, unsigned int commands)
{
	bool begun = false;
	unsigned int i;

	for (i = 0; i < option_rule_count; i++) {
		const struct option_rule *rule = &option_rules[i];

		if (rule->section != section || !(rule->commands & commands))
			continue;
		if (!begun)
			text_format(text, "\n%s:\n", option_section_names[section]);
		begun = true;
		append_option(text, rule, option_text_for(rule->help, rule->commands & commands));
	}
}

void help_append(struct text_buffer *text, enum command_bit command)
{
	const struct help_text *help = help_texts;
	unsigned int section;

	while (!(help->commands & command))
		help++;
	text_string(text, help->usage);
	for (section = 0; section < SECTIONS; section++)
		append_section(text, section, help->commands);
	text_char(text, '\n');
	text_string(text, help->notes);
}
