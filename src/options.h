/* The command line, parsed and checked. */
#ifndef NETRACKER_OPTIONS_H
#define NETRACKER_OPTIONS_H

#include <linux/types.h>
#include <stdbool.h>

enum command_bit { COMMAND_LIVE = 1, COMMAND_REPLAY = 2, COMMAND_LIST = 4 };
enum output_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_ZEEK };
enum tracking_rules { RULES_OWN, RULES_ZEEK };
enum context_bit { CONTEXT_SOCKET = 1, CONTEXT_WIRE = 2 };

struct port_set {
	bool given;
	__u8 bits[65536 / 8]; /* bit (port & 7) of byte (port >> 3) */
};

/* Strings point into argv. */
struct options {
	enum command_bit command;

	/* which records are written; see filter.h */
	bool ipv4_only, ipv6_only; /* never both */
	__u32 pid;                 /* 0: any */
	const char *comm;          /* NULL: any */
	struct port_set local_ports, remote_ports;
	unsigned int roles;    /* bits 1 << NT_ROLE_*; 0: any */
	unsigned int outcomes; /* bits 1 << NT_OUTCOME_*; 0: any */
	__u64 min_duration_ns; /* 0: any */
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
	const char *file;             /* replay: the capture, "-" for standard input */

	/* when to end; 0: never */
	__u64 max_records;
	__u64 max_time_ns;

	__u64 interval_ns; /* between update records; 0: none are written */

	/* where they go */
	enum output_format format;
	const char *output; /* NULL: standard output */
	bool quiet, verbose;
};

struct command {
	const char *name; /* "" is what runs when no command is named */
	enum command_bit bit;
	const char *help;
	int (*run)(const struct options *options); /* returns the exit status */
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

static inline bool port_set_has(const struct port_set *set, __u16 port)
{
	return set->bits[port >> 3] & (1U << (port & 7));
}

#endif
