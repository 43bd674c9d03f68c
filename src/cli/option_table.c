// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/cli/option_table.h"

#define RECORDS (COMMAND_LIVE | COMMAND_REPLAY | COMMAND_LIST)
#define ANSWERS (RECORDS | COMMAND_QUERY)
#define FILTERED (ANSWERS | COMMAND_RECORD | COMMAND_EXPLAIN)
#define KERNEL_TRACE (COMMAND_ATTACH | COMMAND_STATUS | COMMAND_DETACH)
#define ALL (FILTERED | COMMAND_SHIP | KERNEL_TRACE)
#define TRACKING COMMANDS_THAT_TRACK
#define ENDED (COMMAND_LIVE | COMMAND_REPLAY)

#define MOST_OF_FOLDER (HISTORY_PATH_SIZE - 128) /* names of files follow */
#define HOST_NAME_LIMIT 253                      /* RFC 1035 section 2.3.4: 255 octets, as text two less */
#define LEAST_MEMORY (1ULL << 20)
#define MOST_MEMORY (1ULL << 50)
#define LEAST_WIDTH 40 /* SRC and OUTCOME side by side */
#define MOST_WIDTH 10000
#define LONGEST_TIMEOUT_NS 3600000000000ULL
#define MOST_BATCH 100000 /* ship reserves memory for as many */
#define SHIP_ALONE "only ship sends records to a server"
#define OF_SERVERS "only ship and query speak to a server"
#define SHORTEST_INTERVAL_NS 100000000ULL /* live tracking reads its clock every 50 ms */

#define MEMBER(member) offsetof(struct options, member)
/* clang-format off */
#define HELP(...) { __VA_ARGS__ }
/* clang-format on */

#define PORTS "ports from 0 to 65535, services or ranges, separated by commas: 443, https, 8000-8080"

#define TIMES "-1h, now, today, yesterday, 14:05, 2026-11-30, '2026-11-30 14:05:09', with Z or +01:00"
#define QUERY_ALONE "only query looks into the past; narrow it by a filter: start gt -10m"

static const char *const context_words[] = { "socket", "wire" }; /* in the order of enum context_bit */
static const struct field_names context_names = { context_words, 2 };
static const char *const packing_words[] = { "gzip", "zstd", "none" }; /* in the order of enum http_packing */
static const struct field_names packing_names = { packing_words, 3 };

const char *const option_section_names[SECTIONS] = {
	[SECTION_FILTERS] = "Filters (all must match; an unknown value matches none)",
	[SECTION_SOURCES] = "Sources",
	[SECTION_RULES] = "Rules",
	[SECTION_OUTPUT] = "Output",
};

/* One option a block, members that belong together on one line: the formatter would write each on its own. */
/* clang-format off */
const struct option_rule option_rules[] = {
	{
		.name = "pid", .letter = 'p', .commands = FILTERED,
		.type = OPTION_CONDITION, .field = "pid",
		.value = "PID,..", .valid = "process ids from 1 to 4194304, separated by commas",
		.completion = COMPLETE_PROCESSES,
		.help = HELP({ ALL, "owner is one of these processes" }),
	},
	{
		.name = "comm", .letter = 'c', .commands = FILTERED,
		.type = OPTION_CONDITION, .field = "comm",
		.value = "NAME,..", .valid = "names of processes, separated by commas: nginx, 'ngin*'",
		.completion = COMPLETE_PROCESS_NAMES,
		.help = HELP({ ALL, "owner has one of these process names: nginx,curl, 'ngin*'" }),
	},
	{
		.name = "user", .letter = 'u', .commands = FILTERED,
		.type = OPTION_CONDITION, .field = "user",
		.value = "USER,..", .valid = "users' names, or numbers from 0 to 4294967294", .kind = "user",
		.completion = COMPLETE_USERS,
		.help = HELP({ ALL, "owner runs as one of these users: names or numbers" }),
	},
	{
		.name = "cgroup", .commands = FILTERED,
		.type = OPTION_CONDITION, .field = "cgroup", .completion = COMPLETE_CGROUPS,
		.value = "PATH,..",
		.valid = "paths without /sys/fs/cgroup, as in /proc/PID/cgroup: /system.slice",
		.help = HELP({ ALL, "owner is in one of these control groups or below it: /system.slice; a name without "
				    "a slash before it is a part of the path: nginx.service" }),
	},
	{
		.name = "container", .commands = FILTERED,
		.type = OPTION_CONDITION, .field = "container",
		.value = "ID,..", .valid = "the first 1 to 64 hexadecimal digits of its id",
		.help = HELP({ ALL, "owner is in a container whose id begins with ID" }),
	},
	{
		.name = "netns", .commands = FILTERED,
		.type = OPTION_CONDITION, .field = "netns", .completion = COMPLETE_NAMESPACES,
		.value = "NAMESPACE,..", .kind = "network namespace",
		.valid = "a name that ip netns lists, an inode number, or a path: /proc/PID/ns/net",
		.help = HELP({ ALL, "in one of these network namespaces: name (ip netns), inode number or path" }),
	},
	{
		.name = "net", .commands = FILTERED, .type = OPTION_CONDITION, .field = "net",
		.value = "NETWORK,..",
		.valid = "addresses or networks, separated by commas: 10.0.0.0/8,fd00::1",
		.help = HELP({ ALL, "source or destination is in one of these networks: 10.0.0.0/8, fd00::/8, 192.0.2.1" }),
	},
	{
		.name = "local-port", .letter = 'L', .commands = FILTERED, .type = OPTION_CONDITION,
		.field = "lport", .value = "PORT,..", .valid = PORTS,
		.help = HELP({ TRACKING, "local port; for forwarded connections the source port" },
			     { COMMAND_REPLAY, "source port (of the side that opened the connection); of a socket's record "
					       "its local port" },
			     { ALL, "local port" }),
	},
	{
		.name = "remote-port", .letter = 'D', .commands = FILTERED, .type = OPTION_CONDITION,
		.field = "rport", .value = "PORT,..", .valid = PORTS,
		.help = HELP({ TRACKING, "remote port; for forwarded connections the destination port" },
			     { COMMAND_REPLAY, "destination port (of the side that answered); of a socket's record its "
					       "remote port" },
			     { ALL, "remote port" }),
	},
	{
		.name = "ipv4", .letter = '4', .commands = FILTERED, .type = OPTION_FLAG, .offset = MEMBER(ipv4_only),
		.help = HELP({ ALL, "IPv4 only" }),
	},
	{
		.name = "ipv6", .letter = '6', .commands = FILTERED, .type = OPTION_FLAG, .offset = MEMBER(ipv6_only),
		.help = HELP({ ALL, "IPv6 only" }),
	},
	{
		.name = "role", .commands = FILTERED,
		.type = OPTION_CONDITION, .field = "role",
		.value = "ROLE,..", .valid = "client, server, observer",
		.help = HELP({ COMMAND_LIST, "role of the local side: client, server" },
			     { ALL, "role of the local side: client, server, or observer (only packets were seen)" }),
		.completion = COMPLETE_WORD_LIST,
		.offered = { { COMMAND_LIST, "client server" }, { ALL, "client server observer" } },
	},
	{
		.name = "outcome", .commands = ENDED | COMMAND_RECORD | COMMAND_EXPLAIN | COMMAND_QUERY, .type = OPTION_WORDS, .offset = MEMBER(outcomes),
		.words = &record_outcome_names, .value = "OUTCOME,..",
		.valid = "closed, reset, refused, timeout, unreachable, expired, open",
		.help = HELP({ ALL, "how it ended: closed, reset, refused, timeout, unreachable, expired, open" }),
		.completion = COMPLETE_WORD_LIST,
		.offered = { { ALL, "closed reset refused timeout unreachable expired open" } },
	},
	{
		.name = "failed", .letter = 'x', .commands = ENDED | COMMAND_RECORD | COMMAND_EXPLAIN | COMMAND_QUERY, .type = OPTION_FLAG, .offset = MEMBER(failed),
		.help = HELP({ ALL, "every outcome but closed and open" }),
	},
	{
		.name = "min-duration", .commands = FILTERED, .type = OPTION_CONDITION, .field = "duration",
		.relation = FILTER_AT_LEAST,
		.value = "TIME", .valid = "a number with ns, us, ms, s, m or h: 500us, 10ms, 1.5m",
		.help = HELP({ COMMAND_LIST, "known to be open for at least TIME: 500us, 10ms, 2s, 1m" },
			     { ALL, "lasted at least TIME: 500us, 10ms, 2s, 1m" }),
	},
	{
		.name = "state", .commands = COMMAND_LIST, .refusal = "only list looks at the states of open sockets",
		.type = OPTION_CONDITION, .field = "state", .value = "STATE,..",
		.valid = "established, syn_sent, syn_recv, fin_wait1, fin_wait2, close_wait, last_ack, closing",
		.help = HELP({ ALL, "TCP state of the local socket: established, syn_sent, syn_recv, fin_wait1, fin_wait2, "
				    "close_wait, last_ack, closing; also as ss writes it: estab, close-wait" }),
		.completion = COMPLETE_WORD_LIST,
		.offered = { { ALL, "established syn_sent syn_recv fin_wait1 fin_wait2 close_wait last_ack closing" } },
	},
	{
		.name = "listening", .letter = 'l', .commands = COMMAND_LIST,
		.refusal = "only list looks at listening sockets", .section = SECTION_SOURCES,
		.type = OPTION_FLAG, .offset = MEMBER(listening),
		.help = HELP({ ALL, "listening sockets and not connections: address, connections that wait to be accepted "
				    "and their limit, owner" }),
	},
	{
		.name = "where", .commands = FILTERED, .type = OPTION_WHERE,
		.value = "EXPR", .valid = "an expression: 'port 443 and not comm curl'",
		.help = HELP({ COMMAND_REPLAY, "what an expression says: 'port 443 and retrans > 2%'; all conditions "
					       "must hold" },
			     { ALL, "what an expression says: 'port 443 and not comm curl'; the words after the options are "
				    "one too" }),
	},
	{
		.name = "id", .commands = COMMAND_EXPLAIN | COMMAND_QUERY, .refusal = "a record's id is known only when it is written; filter the output with netracker explain --id",
		.type = OPTION_ID, .offset = MEMBER(id), .most = NT_ID_SIZE - 1, .value = "ID", .valid = "16 hexadecimal digits",
		.help = HELP({ COMMAND_QUERY, "only the record with this id" }, { ALL, "only the records with this id" }),
	},
	{
		.name = "since", .letter = 'S', .commands = COMMAND_QUERY, .refusal = QUERY_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_TIME, .offset = MEMBER(since), .value = "TIME", .valid = TIMES,
		.help = HELP({ ALL, "records since TIME: -1h, 09:00, yesterday, '2026-11-29 03:14'; local time, or with Z "
				    "UTC; default: all" }),
	},
	{
		.name = "until", .letter = 'U', .commands = COMMAND_QUERY, .refusal = QUERY_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_TIME, .offset = MEMBER(until), .value = "TIME", .valid = TIMES,
		.help = HELP({ ALL, "records until TIME; default: now" }),
	},
	{
		.name = "at", .commands = COMMAND_QUERY, .refusal = QUERY_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_TIME, .offset = MEMBER(at), .value = "TIME", .valid = TIMES,
		.help = HELP({ ALL, "connections that were open at TIME; 03:14 is the whole minute" }),
	},
	{
		.name = "from", .commands = COMMAND_QUERY | COMMAND_SHIP, .refusal = QUERY_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_STRING, .offset = MEMBER(from), .most = MOST_OF_FOLDER,
		.value = "FOLDER", .valid = "a folder's name", .completion = COMPLETE_FILES,
		.help = HELP({ COMMAND_QUERY, "the folder of the history, or a server that ship sends to: "
					      "clickhouse://[USER@]HOST[:PORT]/DATABASE[/TABLE], over TLS clickhouses://; "
					      "default: /var/lib/netracker/history" },
			     { ALL, "the folder of the history; default: /var/lib/netracker/history" }),
	},
	{
		.name = "to", .commands = COMMAND_SHIP, .refusal = SHIP_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_STRING, .offset = MEMBER(to), .most = 1024,
		.value = "URL", .valid = "clickhouse://HOST/DATABASE, otlp://HOST, kafka://HOST/TOPIC, ipfix://HOST",
		.help = HELP({ ALL, "the server: clickhouse://[USER@]HOST[:PORT]/DATABASE[/TABLE], "
				    "otlp://[USER@]HOST[:PORT][/PATH], kafka://[USER@]HOST[:PORT]/TOPIC, all with an s "
				    "before the : over TLS; "
				    "ipfix://HOST[:PORT][/DOMAIN], ipfix+udp://" }),
	},
	{
		.name = "setup", .commands = COMMAND_SHIP, .refusal = SHIP_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_FLAG, .offset = MEMBER(setup),
		.help = HELP({ ALL, "make the database and the table unless they are there, and send nothing" }),
	},
	{
		.name = "once", .commands = COMMAND_SHIP, .refusal = SHIP_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_FLAG, .offset = MEMBER(once),
		.help = HELP({ ALL, "end when all records that are there have been sent" }),
	},
	{
		.name = "password-file", .commands = COMMAND_SHIP | COMMAND_QUERY, .refusal = OF_SERVERS,
		.section = SECTION_SOURCES, .type = OPTION_STRING, .offset = MEMBER(password_file), .most = MOST_OF_FOLDER,
		.value = "FILE", .valid = "a file's name", .completion = COMPLETE_FILES,
		.help = HELP({ ALL, "the first line of FILE is the user's password" }),
	},
	{
		.name = "token-file", .commands = COMMAND_SHIP | COMMAND_QUERY, .refusal = OF_SERVERS,
		.section = SECTION_SOURCES, .type = OPTION_STRING, .offset = MEMBER(token_file), .most = MOST_OF_FOLDER,
		.value = "FILE", .valid = "a file's name", .completion = COMPLETE_FILES,
		.help = HELP({ ALL, "the first line of FILE is a bearer token, which takes the place of a password" }),
	},
	{
		.name = "ca-file", .commands = COMMAND_SHIP | COMMAND_QUERY, .refusal = OF_SERVERS,
		.section = SECTION_SOURCES, .type = OPTION_STRING, .offset = MEMBER(ca_file), .most = MOST_OF_FOLDER,
		.value = "FILE", .valid = "a file's name", .completion = COMPLETE_FILES,
		.help = HELP({ ALL, "certificates (PEM) that the server's one must come from; default: those that the "
				    "system trusts" }),
	},
	{
		.name = "cert-file", .commands = COMMAND_SHIP | COMMAND_QUERY, .refusal = OF_SERVERS,
		.section = SECTION_SOURCES, .type = OPTION_STRING, .offset = MEMBER(cert_file), .most = MOST_OF_FOLDER,
		.value = "FILE", .valid = "a file's name", .completion = COMPLETE_FILES,
		.help = HELP({ ALL, "this client's certificate (PEM), for servers that want one" }),
	},
	{
		.name = "key-file", .commands = COMMAND_SHIP | COMMAND_QUERY, .refusal = OF_SERVERS,
		.section = SECTION_SOURCES, .type = OPTION_STRING, .offset = MEMBER(key_file), .most = MOST_OF_FOLDER,
		.value = "FILE", .valid = "a file's name", .completion = COMPLETE_FILES,
		.help = HELP({ ALL, "its private key (PEM); default: in --cert-file too" }),
	},
	{
		.name = "biflow", .commands = COMMAND_SHIP, .refusal = SHIP_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_FLAG, .offset = MEMBER(is_biflow),
		.help = HELP({ ALL, "IPFIX: one flow for both directions (RFC 5103) instead of one for each" }),
	},
	{
		.name = "kafka-config", .commands = COMMAND_SHIP, .refusal = SHIP_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_STRING, .offset = MEMBER(kafka_config), .most = MOST_OF_FOLDER,
		.value = "FILE", .valid = "a file's name", .completion = COMPLETE_FILES,
		.help = HELP({ ALL, "Kafka: properties of librdkafka, a NAME=VALUE a line" }),
	},
	{
		.name = "cursors", .commands = COMMAND_SHIP, .refusal = SHIP_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_STRING, .offset = MEMBER(cursors), .most = MOST_OF_FOLDER,
		.value = "FOLDER", .valid = "a folder's name", .completion = COMPLETE_FILES,
		.help = HELP({ ALL, "where to keep what has been sent, and records that the server rejects; default: "
				    "/var/lib/netracker/ship" }),
	},
	{
		.name = "compress", .commands = COMMAND_SHIP, .refusal = SHIP_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_WORD, .offset = MEMBER(packing), .words = &packing_names,
		.value = "WORD", .valid = "gzip, zstd, none",
		.help = HELP({ ALL, "ClickHouse and OTLP: gzip (default), zstd, none; zstd takes a third of gzip's CPU, "
				    "and ClickHouse knows it from 20.10 on" }),
		.completion = COMPLETE_WORD, .offered = { { ALL, "gzip zstd none" } },
	},
	{
		.name = "batch", .commands = COMMAND_SHIP, .refusal = SHIP_ALONE,
		.section = SECTION_SOURCES, .type = OPTION_NUMBER32, .offset = MEMBER(batch), .least = 1, .most = MOST_BATCH,
		.value = "COUNT", .valid = "a number from 1 to 100000",
		.help = HELP({ ALL, "most records of a request; default: 10000" }),
	},
	{
		.name = "timeout", .commands = COMMAND_SHIP | COMMAND_QUERY, .refusal = OF_SERVERS,
		.section = SECTION_SOURCES, .type = OPTION_DURATION, .offset = MEMBER(timeout_ns), .least = SHORTEST_INTERVAL_NS,
		.most = LONGEST_TIMEOUT_NS,
		.value = "TIME", .valid = "a time from 0.1s to 1h: 5, 500ms, 1m",
		.help = HELP({ COMMAND_QUERY, "end if the server sends nothing for TIME; default: 60" },
			     { ALL, "repeat a request that is not answered after TIME; default: 60" }),
	},
	{
		.name = "threads", .commands = COMMAND_QUERY, .refusal = "only query reads with several threads",
		.section = SECTION_SOURCES, .type = OPTION_NUMBER32, .offset = MEMBER(threads), .least = 1, .most = 256,
		.value = "COUNT", .valid = "a number from 1 to 256",
		.help = HELP({ ALL, "read the history with at most COUNT threads; default: one for each CPU" }),
	},
	{
		.name = "interface", .letter = 'i', .commands = TRACKING | COMMAND_ATTACH | COMMAND_DETACH,
		.refusal = "it reads packets from files", .section = SECTION_SOURCES,
		.type = OPTION_INTERFACE, .value = "NAME", .valid = "an interface's name, or none without any other",
		.help = HELP({ TRACKING, "watch packets on this interface; repeatable; none: no packets; "
					     "default: every interface that is up or comes up" },
			     { ALL, "interface to attach to or to detach from; repeatable" }),
		.completion = COMPLETE_INTERFACES,
	},
	{
		.name = "context", .commands = TRACKING, .refusal = "a capture has only the wire context",
		.section = SECTION_SOURCES, .type = OPTION_WORDS, .offset = MEMBER(contexts), .words = &context_names,
		.replaces = true,
		.value = "CONTEXT,..", .valid = "socket, wire",
		.help = HELP({ ALL, "what to follow: socket (sockets), wire (packets); default: both" }),
		.completion = COMPLETE_WORD_LIST, .offered = { { ALL, "socket wire" } },
	},
	{
		.name = "packets", .commands = TRACKING, .refusal = "it always follows every packet",
		.section = SECTION_SOURCES, .type = OPTION_FLAG, .offset = MEMBER(every_packet),
		.help = HELP({ ALL, "follow every packet, not only those that open and close connections" }),
	},
	{
		.name = "forwarded", .commands = TRACKING, .refusal = "it always reports every connection",
		.section = SECTION_SOURCES, .type = OPTION_FLAG, .offset = MEMBER(forwarded),
		.help = HELP({ ALL, "also report connections that this machine forwards" }),
	},
	{
		.name = "tunnels", .commands = COMMAND_REPLAY, .refusal = "only replay reads the inside of tunnels",
		.section = SECTION_SOURCES, .type = OPTION_FLAG, .offset = MEMBER(tunnels),
		.help = HELP({ ALL, "read the inside of tunnels: IP in IP, GRE, VXLAN, Geneve, Teredo, GTP-U and "
				    "others" }),
	},
	{
		.name = "memory", .commands = COMMAND_REPLAY, .refusal = "only replay has tables that grow",
		.section = SECTION_SOURCES, .type = OPTION_SIZE, .offset = MEMBER(most_memory),
		.least = LEAST_MEMORY, .most = MOST_MEMORY,
		.value = "SIZE", .valid = "a size of at least 1M: 64M, 1.5G",
		.help = HELP({ ALL, "at most SIZE of memory for connections, with K, M or G; default: 1G; those that "
				    "find no room evict others, whose records have the gap evicted" }),
	},
	{
		.name = "like", .commands = COMMAND_REPLAY, .refusal = "only replay can apply Zeek's rules",
		.section = SECTION_RULES, .type = OPTION_LIKE, .value = "zeek", .valid = "zeek",
		.help = HELP({ ALL, "apply Zeek's rules for when a connection begins and ends, who opened it and what "
				    "was sent; also reads tunnels and validates checksums" }),
		.completion = COMPLETE_WORD, .offered = { { ALL, "zeek" } },
	},
	{
		.name = "no-checksums", .letter = 'C', .commands = COMMAND_REPLAY,
		.refusal = "the kernel validates checksums", .section = SECTION_RULES,
		.type = OPTION_FLAG, .offset = MEMBER(ignore_checksums),
		.help = HELP({ ALL, "with --like zeek: do not validate checksums" }),
	},
	{
		.name = "format", .letter = 'f', .commands = ANSWERS | COMMAND_STATUS, .section = SECTION_OUTPUT,
		.type = OPTION_FORMAT, .value = "FORMAT", .valid = "text, json, csv, tsv, trace, zeek",
		.help = HELP({ ENDED, "text (default), json (one object a line), csv, tsv, trace (the [TC] line), zeek "
				      "(a conn.log)" },
			     { COMMAND_LIST | COMMAND_QUERY, "text (default), json (one object a line), csv, tsv" },
			     { KERNEL_TRACE, "text (default), json (one object for each interface); status only" }),
		.completion = COMPLETE_WORD,
		.offered = { { COMMAND_STATUS, "text json" },
			     { COMMAND_LIST | COMMAND_QUERY, "text json csv tsv" },
			     { ALL, "text json csv tsv trace zeek" } },
	},
	{
		.name = "json", .commands = ANSWERS | COMMAND_STATUS, .section = SECTION_OUTPUT,
		.type = OPTION_JSON,
		.help = HELP({ ALL, "the same as -f json" }),
	},
	{
		.name = "output", .letter = 'o', .commands = ANSWERS, .section = SECTION_OUTPUT,
		.type = OPTION_STRING, .offset = MEMBER(delivery.output.sink.path), .most = ~0ULL,
		.value = "FILE", .valid = "a file's name", .completion = COMPLETE_FILES,
		.help = HELP({ ENDED, "append records to FILE; SIGHUP reopens it (log rotation)" },
			     { ALL, "append records to FILE" }),
	},
	{
		.name = "history", .commands = ENDED | COMMAND_RECORD, .section = SECTION_OUTPUT,
		.refusal = "it lists what is open now; netracker record keeps a history",
		.type = OPTION_STRING, .offset = MEMBER(delivery.history.folder), .most = MOST_OF_FOLDER,
		.optional = "FOLDER", .implied = HISTORY_DEFAULT_FOLDER, .completion = COMPLETE_FILES,
		.valid = "a folder's name: --history=/srv/history",
		.help = HELP({ COMMAND_RECORD, "keep the history in FOLDER; default: /var/lib/netracker/history" },
			     { ALL, "also write the records into a history, SQLite files in FOLDER; default: "
				    "/var/lib/netracker/history" }),
	},
	{
		.name = "keep", .commands = ENDED | COMMAND_RECORD, .section = SECTION_OUTPUT,
		.refusal = "only a history keeps records", .type = OPTION_KEEP,
		.value = "AGE,SIZE", .valid = "an age of at least 1d, a size of at least 16M, both, or all: 30d,10G",
		.help = HELP({ COMMAND_REPLAY, "remove whole files from the history that are older than AGE, and the oldest "
					       "ones if all are larger than SIZE; one of both is enough; default: all" },
			     { ALL, "remove whole files from the history that are older than AGE, and the oldest ones if "
				    "all are larger than SIZE; one of both is enough; all keeps all; default: 30d,10G" }),
	},
	{
		.name = "metrics", .commands = TRACKING, .section = SECTION_OUTPUT,
		.refusal = "only live tracking and record serve metrics",
		.type = OPTION_METRICS, .offset = MEMBER(metrics), .value = "[ADDRESS:]PORT",
		.valid = "a port from 1 to 65535, with a numeric address before it or without: 9777, 192.0.2.1:9777, "
			 "[::1]:9777",
		.help = HELP({ ALL, "serve metrics for Prometheus at http://ADDRESS:PORT/metrics, without authentication; "
				    "default ADDRESS: 127.0.0.1; IPv6 in brackets: [::1]:9777" }),
	},
	{
		.name = "metrics-programs", .commands = TRACKING, .section = SECTION_OUTPUT,
		.refusal = "only live tracking and record serve metrics",
		.type = OPTION_NUMBER32, .offset = MEMBER(metrics_programs), .least = 1, .most = METRICS_MOST_PROGRAMS,
		.value = "COUNT", .valid = "a number from 1 to 200",
		.help = HELP({ ALL, "metrics name the first COUNT programs that had a connection; all others together are "
				    "other; default: 20" }),
	},
	{
		.name = "host", .commands = RECORDS | COMMAND_RECORD | COMMAND_SHIP, .section = SECTION_OUTPUT,
		.type = OPTION_STRING, .offset = MEMBER(delivery.host), .most = HOST_NAME_LIMIT,
		.value = "NAME", .valid = "a name of 1 to 253 bytes",
		.help = HELP({ COMMAND_SHIP, "the machine's name in records that have none; default: this machine's" },
			     { ALL, "write NAME as the machine's name in JSON, CSV and TSV records, and in a history" }),
	},
	{
		.name = "redact", .commands = ANSWERS | COMMAND_RECORD | COMMAND_SHIP, .section = SECTION_OUTPUT,
		.type = OPTION_STRING, .offset = MEMBER(delivery.redaction), .most = ~0ULL,
		.value = "FILE", .valid = "a file's name", .completion = COMPLETE_FILES,
		.help = HELP({ ALL, "replace addresses and names in records by values that depend on the key in FILE, of at "
				    "least 16 bytes: the same for the same original (docs/redaction.md)" }),
	},
	{
		.name = "columns", .commands = ANSWERS, .section = SECTION_OUTPUT,
		.type = OPTION_COLUMNS, .value = "COLUMN,..",
		.valid = "names of columns, separated by commas: pid,comm,src_ip,dst_port",
		.completion = COMPLETE_COLUMNS,
		.help = HELP({ ALL, "these columns of text, csv or tsv, in this order: keys of the record "
				    "(docs/record.md), and for text also its headings, in lower case; adds up" }),
	},
	{
		.name = "no-header", .commands = ANSWERS, .section = SECTION_OUTPUT,
		.type = OPTION_FLAG, .offset = MEMBER(delivery.output.sink.no_header),
		.help = HELP({ ALL, "text, csv, tsv: no headings, and in text no lines with a date" }),
	},
	{
		.name = "width", .commands = ANSWERS, .section = SECTION_OUTPUT,
		.type = OPTION_NUMBER32, .offset = MEMBER(delivery.output.sink.width),
		.least = LEAST_WIDTH, .most = MOST_WIDTH,
		.value = "CHARACTERS", .valid = "a number from 40 to 10000",
		.help = HELP({ ALL, "text: the width of a line; default: the terminal's, and 132 into a file or pipe" }),
	},
	{
		.name = "resolve", .commands = FILTERED, .section = SECTION_OUTPUT,
		.type = OPTION_FLAG, .offset = MEMBER(delivery.output.resolves),
		.help = HELP({ COMMAND_LIVE, "text: show names of addresses, from the system's resolver (/etc/hosts, DNS); a "
					     "record never waits for a name: it shows the address until one is known" },
			     { COMMAND_EXPLAIN, "add names of addresses, from the system's resolver (/etc/hosts, DNS); waits "
						"for them 2 seconds at most in all" },
			     { ALL, "text: show names of addresses, from the system's resolver (/etc/hosts, DNS); waits for "
				    "them 2 seconds at most in all, and shows addresses without a name" }),
	},
	{
		.name = "follow", .commands = COMMAND_QUERY, .section = SECTION_SOURCES,
		.refusal = "live tracking writes records when they come; list has --watch",
		.type = OPTION_FLAG, .offset = MEMBER(follows),
		.help = HELP({ ALL, "go on with each record that comes, until a signal; with -S after those since then" }),
	},
	{
		.name = "by", .commands = COMMAND_QUERY, .refusal = "--summary has tables by process, service and peer",
		.section = SECTION_OUTPUT, .type = OPTION_STRING, .offset = MEMBER(group_by), .most = ~0ULL,
		.value = "KEY,..", .valid = "keys of the record, peer, net/24, service, port, user, 10m, 1h",
		.help = HELP({ ALL, "group the records and add up: by keys of the record (comm, exe, cgroup, outcome, reason), "
				    "peer, net/24 (of the peer), service (address and port), port (that of the service), user, "
				    "or in time: 10m, 1h" }),
	},
	{
		.name = "print-sql", .commands = COMMAND_QUERY, .refusal = "only query asks a history",
		.section = SECTION_OUTPUT, .type = OPTION_FLAG, .offset = MEMBER(prints_sql),
		.help = HELP({ ALL, "print the question as SQL for the program sqlite3 and a file of the history, or as what "
				    "the server is sent, and do not ask it" }),
	},
	{
		.name = "new", .commands = COMMAND_QUERY, .refusal = "only query knows what was before",
		.section = SECTION_OUTPUT, .type = OPTION_FLAG, .offset = MEMBER(only_new),
		.help = HELP({ ALL, "with --by and -S: only the groups that the history does not have before" }),
	},
	{
		.name = "sort", .commands = COMMAND_LIST | COMMAND_QUERY, .section = SECTION_OUTPUT,
		.refusal = "records are written when they come; pipe -f tsv into sort",
		.type = OPTION_STRING, .offset = MEMBER(sort), .most = ~0ULL,
		.value = "FIELD", .valid = "a field of filters, or a key of the record; for query conns, failed, sent, received, "
					   "retrans, p95:handshake_ns",
		.completion = COMPLETE_FIELDS,
		.help = HELP({ COMMAND_QUERY, "with --by: the most conns, failed, sent, received or retrans first, or the highest "
					     "percentile of a number: p95:handshake_ns; default: conns, and of times the "
					     "order of time" },
			     { ALL, "sort by a field of filters or a key of the record: numbers and times largest first, "
				    "words and addresses in ascending order, unknown values last" }),
	},
	{
		.name = "reverse", .letter = 'r', .commands = COMMAND_LIST | COMMAND_QUERY, .section = SECTION_OUTPUT,
		.refusal = "only list and query sort", .type = OPTION_FLAG, .offset = MEMBER(reverse),
		.help = HELP({ COMMAND_QUERY, "the newest record first; of --by the other way round" },
			     { ALL, "sort the other way round; unknown values stay last" }),
	},
	{
		.name = "watch", .commands = COMMAND_LIST, .section = SECTION_OUTPUT,
		.refusal = "only list looks again and again", .type = OPTION_DURATION, .offset = MEMBER(watch_ns),
		.least = SHORTEST_INTERVAL_NS, .optional = "TIME", .implied = "2",
		.valid = "a time of at least 0.1s: --watch=5, --watch=500ms",
		.help = HELP({ ALL, "list again every 2 seconds, or with --watch=TIME every TIME, until a signal; on a "
				    "terminal as many rows as fit" }),
	},
	{
		.name = "events", .commands = ENDED | COMMAND_RECORD, .section = SECTION_OUTPUT,
		.type = OPTION_WORDS, .offset = MEMBER(delivery.events), .words = &record_event_names,
		.replaces = true,
		.value = "EVENT,..", .valid = "open, update, close, exit",
		.help = HELP({ COMMAND_RECORD, "which records: open (established), update (totals so far), close (ended), "
					       "exit (still open when tracking ends); default: close,update,exit" },
			     { COMMAND_LIVE, "which records: open (established), update (totals so far), close (ended), "
					     "exit (still open when tracking ends); default: close" },
			     { COMMAND_REPLAY, "which records: open (established), close (ended), exit (still open at "
					       "the end of the file); of records of -f json also update and listed; "
					       "default: close,exit,listed" }),
		.completion = COMPLETE_WORD_LIST,
		.offered = { { COMMAND_REPLAY, "open close exit update listed" }, { ALL, "open close exit update" } },
	},
	{
		.name = "summary", .commands = ENDED | COMMAND_QUERY, .section = SECTION_OUTPUT,
		.type = OPTION_FLAG, .offset = MEMBER(delivery.output.summary),
		.help = HELP({ ALL, "print problems, and tables by process, service and peer, instead of records; with -f "
				    "json, csv or tsv for programs; with -o, records go to FILE" }),
	},
	{
		.name = "top", .commands = ANSWERS, .section = SECTION_OUTPUT,
		.type = OPTION_NUMBER32, .offset = MEMBER(delivery.output.top), .least = 1, .most = SUMMARY_MOST_TOP,
		.value = "COUNT", .valid = "a number from 1 to 1000",
		.help = HELP({ COMMAND_LIST, "the first COUNT of --sort; without it those with the most bytes, of listeners "
				     "those with the longest queues" },
			     { COMMAND_QUERY, "the first COUNT groups of --by, or COUNT rows in each table of --summary" },
			     { ALL, "at most COUNT rows in each table of --summary; default: 6 each by bytes, by "
				    "connections and by failures" }),
	},
	{
		.name = "interval", .commands = ENDED | COMMAND_RECORD | COMMAND_SHIP, .section = SECTION_OUTPUT,
		.type = OPTION_DURATION, .offset = MEMBER(delivery.output.interval_ns), .least = SHORTEST_INTERVAL_NS,
		.value = "TIME", .valid = "a time of at least 0.1s: 5, 500ms, 1m",
		.help = HELP({ COMMAND_RECORD, "time between update records; default: 10m" },
			     { COMMAND_SHIP, "time between requests unless a whole batch waits; default: 5s" },
			     { COMMAND_LIVE, "time between update records (default: 10s), and between the tables of "
					     "--summary (default: one at the end)" },
			     { ALL, "time between the tables of --summary; default: one at the end" }),
	},
	{
		.name = "count", .letter = 'n', .commands = ANSWERS | COMMAND_RECORD, .section = SECTION_OUTPUT,
		.type = OPTION_NUMBER64, .offset = MEMBER(delivery.max_records), .least = 1, .most = ~0ULL,
		.value = "COUNT", .valid = "a number of at least 1",
		.help = HELP({ COMMAND_LIST, "at most COUNT records" }, { COMMAND_QUERY, "the newest COUNT records" }, { ALL, "end after COUNT records" }),
	},
	{
		.name = "time", .letter = 't', .commands = TRACKING | COMMAND_SHIP, .refusal = "it ends with the last file",
		.section = SECTION_OUTPUT, .type = OPTION_DURATION, .offset = MEMBER(max_time_ns), .least = 1,
		.value = "SECONDS", .valid = "seconds above 0: 10, 0.5; or 10m, 1h",
		.help = HELP({ ALL, "end after SECONDS; a unit is possible: 10m, 1h" }),
	},
	{
		.name = "fail-if-any", .commands = ANSWERS | COMMAND_RECORD, .section = SECTION_OUTPUT,
		.type = OPTION_FLAG, .offset = MEMBER(delivery.fails_if_any),
		.help = HELP({ ALL, "exit status 6 if a record matched" }),
	},
	{
		.name = "quiet", .letter = 'q', .commands = ALL, .section = SECTION_OUTPUT,
		.type = OPTION_FLAG, .offset = MEMBER(delivery.quiet),
		.help = HELP({ ENDED | COMMAND_RECORD, "only errors on stderr: no notes, no accounting" }, { ALL, "only errors on stderr" }),
	},
	{
		.name = "verbose", .letter = 'v', .commands = RECORDS | COMMAND_SHIP | COMMAND_RECORD | KERNEL_TRACE, .section = SECTION_OUTPUT,
		.type = OPTION_FLAG, .offset = MEMBER(verbose),
		.help = HELP({ ALL, "more notes on stderr" }),
	},
	{
		.name = "help", .letter = 'h', .commands = ALL, .section = SECTION_OUTPUT, .type = OPTION_HELP,
		.help = HELP({ ALL, "print the help of the command" }),
	},
	{
		.name = "version", .letter = 'V', .commands = ALL, .section = SECTION_OUTPUT, .type = OPTION_VERSION,
		.help = HELP({ ALL, "print the version" }),
	},
};
/* clang-format on */

const unsigned int option_rule_count = sizeof(option_rules) / sizeof(option_rules[0]);

const char *option_text_for(const struct option_text texts[OPTION_TEXTS], unsigned int command)
{
	unsigned int i;

	for (i = 0; i < OPTION_TEXTS; i++)
		if (texts[i].commands & command)
			return texts[i].text;
	return NULL;
}
