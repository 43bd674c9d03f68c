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

/* The texts stand as they are printed. */
/* clang-format off */
#define COLUMNS_OF_ENDED_CONNECTIONS \
"  SRC, DST        endpoints: SRC opened the connection to DST\n" \
"  OUTCOME         how it ended; closed:src means that SRC closed it first\n" \
"  HANDSHAKE       its duration, up to the ACK that completes it\n" \
"  LASTED          duration of the connection\n" \
"  SENT, RECEIVED  payload bytes of the local side; without one, of SRC\n" \
"  RETRANS         segments retransmitted by the local/the other side\n" \
"  GAPS            what is unknown; if there is no room, letters: S start,\n" \
"                  D direction, O owner, o owner_partial, P packets,\n" \
"                  W wire_end, E doubtful_end, H hidden, Y bypass,\n" \
"                  B bytes_mod_4g, V value_range, X evicted, L lost events\n"

#define FILTER_LANGUAGE(words) \
"\n" \
"Filters:\n" \
"  " words "\n" \
"  FIELD [OPERATOR] VALUE,..; and or not ( )\n" \
"  fields      host net src dst local remote, port sport dport lport rport,\n" \
"              pid comm exe user cgroup container netns, role state outcome by\n" \
"              reason gap, duration age handshake rtt, sent recv bytes retrans\n" \
"              limited, and every key of the record\n" \
"  operators   = != < <= > >= ~ (a regular expression), or the words eq ne lt\n" \
"              le gt ge matches; none means =; quote < and > from the shell\n" \
"  values      10.0.0.0/8  https  8000-8080  80,443  10ms  64K  2%  'ngin*'\n"

static const struct help_text help_texts[] = {
	{ COMMAND_LIVE,
"usage: netracker [OPTIONS] [FILTER]     report each TCP connection when it ends\n"
"       netracker record [OPTIONS] [FILTER]\n"
"                                        write them into a history, for a service\n"
"       netracker list [OPTIONS] [FILTER]\n"
"                                        list the connections that are open now\n"
"       netracker replay [OPTIONS] FILE  report the connections in a capture\n"
"       netracker query [OPTIONS] [FILTER]\n"
"                                        answer questions from a history\n"
"       netracker ship --to URL          send a history to a server\n"
"       netracker explain [FILE...]      describe records in plain English\n"
"       netracker attach -i INTERFACE    leave BPF programs on an interface that\n"
"                                        write a line for each connection to the\n"
"                                        kernel's trace\n"
"       netracker status                 show these programs, and the accounting\n"
"                                        of running trackers\n"
"       netracker detach                 remove them\n"
"       netracker help [COMMAND]         the help of a command, as by --help\n"
"       netracker version                print the version, as by --version\n",
"Columns:\n"
"  ROLE            role of the local side: client, server; packets: only packets\n"
"                  were seen; if there is no room, C, S, P\n"
COLUMNS_OF_ENDED_CONNECTIONS
FILTER_LANGUAGE("The words after the options, or the value of --where:")
"\n"
"Exit status: 0 done, 1 input or output failed, 2 wrong usage, 3 not permitted,\n"
"4 the kernel lacks something, 5 no such interface, 6 a record matched and\n"
"--fail-if-any was given, 7 records were lost\n"
"\n"
"Examples:\n"
"  netracker -D 443                         connections to remote port 443\n"
"  netracker port 443 and not comm curl     but not those of curl\n"
"  netracker retrans gt 2% or rtt gt 100ms  slow networks\n"
"  netracker -x                             failed connections, and which side\n"
"                                           ended them\n"
"  netracker -x -t 60 --fail-if-any         status 6 if anything fails within a\n"
"                                           minute\n"
"  netracker --summary --interval 1         who moves most bytes, every second\n"
"  netracker -L 80 --role server --min-duration 1s\n"
"                                           long connections to the web server\n"
"                                           on this machine\n"
"  netracker -c nginx -f json -o nginx.json -t 60\n"
"                                           nginx for a minute, as JSON in a file\n" },
	{ COMMAND_RECORD,
"usage: netracker record [OPTIONS] [FILTER]\n"
"                                        write the records of TCP connections\n"
"                                        into a history: SQLite files in a\n"
"                                        folder, one or more a day\n",
"The view `record` of each file has the keys of the record:\n"
"  sqlite3 FILE 'select time, comm, dst_ip, dst_port, outcome from record'\n"
FILTER_LANGUAGE("The words after the options, or the value of --where:")
"\n"
"Exit status: 0 done, 1 the history cannot be written, or another process writes\n"
"it, 2 wrong usage, 3 not permitted, 4 the kernel lacks something, 5 no such\n"
"interface, 6 a record matched and --fail-if-any was given, 7 records were lost\n"
"\n"
"Examples:\n"
"  netracker record                         until Ctrl-C or SIGTERM\n"
"  netracker record --history=/srv/history --keep 90d,50G\n"
"                                           in another folder, for longer\n"
"  netracker record -x                      only failed connections\n"
"  netracker record --metrics 9777          and metrics for Prometheus, at\n"
"                                           http://127.0.0.1:9777/metrics\n" },
	{ COMMAND_LIST,
"usage: netracker list [OPTIONS] [FILTER]\n"
"                                        list the TCP connections that are open\n"
"                                        now, in all network namespaces; with -l:\n"
"                                        the sockets that listen\n",
"Columns:\n"
"  ROLE            role of the local side: client, server\n"
"  SRC, DST        endpoints: SRC opened the connection to DST\n"
"  STATE           TCP state of the local socket\n"
"  RECV-Q, SEND-Q  bytes received and not read; written and not acknowledged\n"
"  AGE             time since it was opened; known if netracker was tracking\n"
"                  then and still is\n"
"  SENT, RECEIVED  payload bytes of the local side\n"
"  RTT             smoothed round-trip time\n"
"  RETRANS         segments retransmitted by the local/the other side\n"
"  LIMITED         what limits the local side's sending: receiver, sndbuf,\n"
"                  network, idle\n"
"  GAPS            what is unknown: S start, D direction, O owner\n"
"With --listening:\n"
"  LOCAL           address and port; *: IPv4 and IPv6; %eth0: bound to a device\n"
"  BACKLOG, MAX    connections that wait to be accepted, and their limit: with\n"
"                  more the queue is full\n"
"  DROPS           SYNs and handshakes that it dropped\n"
FILTER_LANGUAGE("The words after the options, or the value of --where:")
"\n"
"Exit status: 0 done, 1 output failed, 2 wrong usage, 3 not permitted, 4 the\n"
"kernel lacks something, 6 a record matched and --fail-if-any was given, 7\n"
"records were lost\n"
"\n"
"Examples:\n"
"  netracker list -L 443                    connections to the local port 443\n"
"  netracker list state close-wait and age gt 1m\n"
"                                           connections that a program leaks\n"
"  netracker list --columns pid,src,state,rtt\n"
"                                           these columns alone\n"
"  netracker list --sort sent --top 10 --watch\n"
"                                           who sends most, every 2 seconds\n"
"  netracker list -l --sort backlog         listeners, the longest queue first\n"
"  netracker list -p 1234 -f json | jq .    all that is known about the\n"
"                                           connections of process 1234\n" },
	{ COMMAND_REPLAY,
"usage: netracker replay [OPTIONS] FILE...  report the TCP connections in a\n"
"                                           capture (pcap or pcapng), or in\n"
"                                           records that -f json wrote; -:\n"
"                                           standard input; compressed or not.\n"
"                                           Several files are parts of one:\n"
"                                           name the oldest first\n",
"Columns:\n"
COLUMNS_OF_ENDED_CONNECTIONS
FILTER_LANGUAGE("The value of --where:")
"\n"
"Exit status: 0 done, 1 input or output failed, 2 wrong usage, 6 a record matched\n"
"and --fail-if-any was given, 7 records were lost\n"
"\n"
"Examples:\n"
"  netracker replay capture.pcap\n"
"  netracker replay -x capture.pcap                   failed connections\n"
"  netracker replay --where retrans=3 capture.pcap    connections with 3\n"
"                                                     retransmissions\n"
"  netracker replay ring.pcap0 ring.pcap1             two parts of one capture\n"
"  netracker replay --summary records.json.1.gz       yesterday's records\n"
"  netracker replay --like zeek -f zeek -o conn.log capture.pcap\n"
"                                                     Zeek's conn.log\n"
"  tcpdump -w - tcp | netracker replay -f json - | jq .\n"
"                                                     packets from tcpdump\n" },
	{ COMMAND_QUERY,
"usage: netracker query [OPTIONS] [FILTER]\n"
"                                        write the records of a history, the\n"
"                                        newest one of each connection\n",
"After the answer stderr says which time it covers, when in it nobody tracked,\n"
"and how many records were lost.\n"
FILTER_LANGUAGE("The words after the options, or the value of --where:")
"\n"
"Exit status: 0 done, 1 the history or a file of it cannot be read, the server\n"
"does not answer, or output failed, 2 wrong usage, 6 a record matched and\n"
"--fail-if-any was given\n"
"\n"
"Examples:\n"
"  netracker query -S -7d --net 203.0.113.9  who talked to this address\n"
"  netracker query -S 14:05 -x               what has failed since then\n"
"  netracker query -S yesterday -U today -c nginx -f json\n"
"                                            a program's connections of a day\n"
"  netracker query -S -1h --by peer --sort sent --top 20\n"
"                                            who was sent most in this hour\n"
"  netracker query -S -1d -x --by comm,port,outcome\n"
"                                            what fails, for whom\n"
"  netracker query --at 03:14                what was open at that time\n"
"  netracker query -n 20                     the newest 20\n"
"  netracker query --from clickhouse://reader@ch.example/nt -S -7d \\\n"
"      --password-file ch.pw --net 203.0.113.9 --by host,exe\n"
"                                            on which machines, which programs\n"
"  netracker query --id 8357c8fabae31427 -f json | netracker explain\n"
"                                            what happened to one connection\n" },
	{ COMMAND_SHIP,
"usage: netracker ship [OPTIONS] --to URL    send a history to a server\n",
"What has been sent is kept in a file, so that the next start goes on there. URL:\n"
"  clickhouse://[USER@]HOST[:PORT]/DATABASE[/TABLE]\n"
"                the HTTP interface of ClickHouse, port 8123, and the table conn;\n"
"                clickhouses:// over TLS, port 8443. Each record is in the table\n"
"                once, by SELECT ... FINAL, whatever was sent twice\n"
"  otlp://[USER@]HOST[:PORT][/PATH], or http://HOST[:PORT]/v1/logs\n"
"                an OpenTelemetry collector, port 4318, path /v1/logs; otlps://\n"
"                or https:// over TLS\n"
"  kafka://[USER@]HOST[:PORT]/TOPIC\n"
"                a topic of Kafka, port 9092: the JSON objects, with the host as\n"
"                key; kafkas:// over TLS. It needs librdkafka\n"
"  ipfix://HOST[:PORT][/DOMAIN], ipfix+udp://HOST[:PORT][/DOMAIN]\n"
"                a collector of flows, port 4739, over TCP or UDP: two flows for\n"
"                each connection. DOMAIN is the observation domain, default 0\n"
"\n"
"Exit status: 0 done, 1 the server refuses the password, the table or the\n"
"protocol, the history or the state cannot be read, or with --once something is\n"
"unsent, 2 wrong usage, 7 records were rejected, or removed before they were sent\n"
"\n"
"Examples:\n"
"  netracker ship --setup --to clickhouses://ch.example/nt\n"
"                                            make the table, once\n"
"  netracker ship --to clickhouses://ch.example/nt\n"
"                                            send what there is and what comes\n"
"  netracker ship --to otlp://localhost      to a collector on this machine\n"
"  netracker ship --once -t 10m --password-file /etc/netracker/ch \\\n"
"      --to clickhouses://tracker@ch.example/nt\n"
"                                            from cron\n" },
	{ COMMAND_EXPLAIN,
"usage: netracker explain [OPTIONS] [FILE...]  describe records in plain English;\n"
"                                           FILE has the output of -f json,\n"
"                                           compressed or not;\n"
"                                           without FILE, or with -: standard\n"
"                                           input\n",
"The description says who opened the connection, which process owns it, how long\n"
"each step took, what was sent and what limited it, which side ended it and why,\n"
"and which values are unknown and why. A line that is not a record is reported on\n"
"stderr and skipped.\n"
FILTER_LANGUAGE("The value of --where:")
"\n"
"Exit status: 0 done, 1 no such file or id, or a line that is not a record,\n"
"2 wrong usage\n"
"\n"
"Examples:\n"
"  netracker explain --id 8357c8fabae31427 netracker.json\n"
"                                         one connection of a log\n"
"  netracker explain -c nginx -x netracker.json.1.gz netracker.json\n"
"                                         the failures of a program\n"
"  netracker replay -f json capture.pcap | netracker explain\n"
"  netracker -f json --outcome reset,timeout | netracker explain\n"
"                                         each failure when it happens\n" },
	{ COMMAND_ATTACH | COMMAND_STATUS | COMMAND_DETACH,
"usage: netracker attach -i INTERFACE    attach BPF programs that stay on the\n"
"                                        interface after netracker ends\n"
"       netracker status                 show where programs are attached, who\n"
"                                        attached them, and their counters; and\n"
"                                        the accounting of running trackers\n"
"       netracker detach [-i INTERFACE]  detach them; without -i: from all\n"
"                                        interfaces\n"
"\n"
"When a TCP connection through the interface has closed, the programs write a\n"
"line to the kernel's trace: the nanoseconds from its SYN to the FIN of the side\n"
"that answered.\n",
"Exit status: 0 done, 1 output failed, 2 wrong usage, 3 not permitted, 4 the\n"
"kernel lacks something, 5 no such interface, or it has programs attached already\n"
"\n"
"Examples:\n"
"  netracker attach -i eth0\n"
"  bpftool prog tracelog          shows the lines; so does\n"
"                                 cat /sys/kernel/tracing/trace_pipe\n"
"  netracker status -f json | jq .dropped\n"
"  netracker detach\n" },
};
/* clang-format on */

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
	if (rule->optional)
		text_format(text, "[=%s]", rule->optional);
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
