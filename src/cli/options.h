/* The command line, parsed and checked. */
#ifndef NETRACKER_OPTIONS_H
#define NETRACKER_OPTIONS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/filter.h"

enum command_bit {
	COMMAND_LIVE = 1,
	COMMAND_REPLAY = 2,
	COMMAND_LIST = 4,
	COMMAND_EXPLAIN = 8,
	COMMAND_ATTACH = 16,
	COMMAND_STATUS = 32,
	COMMAND_DETACH = 64,
};
enum output_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV, FORMAT_TSV, FORMAT_TRACE, FORMAT_ZEEK };
enum tracking_rules { RULES_OWN, RULES_ZEEK };
enum context_bit { CONTEXT_SOCKET = 1, CONTEXT_WIRE = 2 };

/* Strings point into argv. */
struct options {
	enum command_bit command;

	/* which records are written; see filter.h */
	bool ipv4_only, ipv6_only; /* never both */
	__u32 pid;                 /* 0: any */
	const char *comm;          /* NULL: any */
	bool uid_given;
	__u32 uid;
	__u32 netns;            /* inode number; 0: any */
	const char *cgroup;     /* a path from its hierarchy's root on; NULL: any */
	size_t cgroup_length;   /* of that path without slashes at its end */
	const char *container;  /* how its id begins; NULL: any */
	struct nt_port_set local_ports, remote_ports;
	struct nt_network_set networks;
	unsigned int roles;    /* bits 1 << NT_ROLE_*; 0: any */
	unsigned int outcomes; /* bits 1 << NT_OUTCOME_*; 0: any */
	bool failed;           /* --failed; `outcomes` says it too */
	__u64 min_duration_ns; /* 0: any */
	const char *id;        /* explain; NULL: any */
	unsigned int events;   /* bits 1 << NT_EVENT_*; never 0 */
	bool forwarded;

	/* where they come from */
	const char **interfaces; /* as given, checked for nothing but emptiness */
	unsigned int interface_count; /* 0 without no_interfaces: every one that is up, and those to come */
	bool no_interfaces;           /* -i none */
	unsigned int contexts;        /* bits of enum context_bit; never 0; without CONTEXT_WIRE where no_interfaces */
	bool every_packet;            /* --packets */
	bool tunnels;                 /* replay */
	enum tracking_rules rules;    /* replay: --like */
	bool ignore_checksums;        /* replay, RULES_ZEEK */
	char **files;                 /* replay: captures, explain: records; "-" is standard input */
	unsigned int file_count;      /* replay: never 0; explain: 1 at most, and without one it is standard input */

	/* when to end; 0: never */
	__u64 max_records;
	__u64 max_time_ns;

	__u64 interval_ns; /* between update records, and between tables; 0: no updates, tables at the end alone */

	/* where they go */
	enum output_format format;
	const char *output; /* NULL: standard output */
	const char *host;   /* written into each record; NULL: none */
	bool format_given;
	bool summary;      /* tables on standard output; records only into `output` */
	bool quiet, verbose;
};

struct command {
	const char *name; /* "" is what runs when no command is named */
	enum command_bit bit;
	const char *help;
	int (*run)(const struct options *options); /* returns the exit status */
	const char *refusal; /* said of an option that it has not; NULL: the option says why */
};

/* Parses the arguments of one command; argv[0] is skipped. Returns -1 when there is something to run, else the exit
 * status to leave with (--help or --version was printed, or a line that says what is wrong). options_free() either way.
 */
int options_parse(struct options *options, const struct command *command, int argc, char **argv);
void options_free(struct options *options);

static inline bool options_want_event(const struct options *options, int event)
{
	return options->events & (1U << event);
}

#endif
