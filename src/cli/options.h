/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, parsed and checked. */
#ifndef NETRACKER_OPTIONS_H
#define NETRACKER_OPTIONS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/delivery/delivery.h"
#include "src/kernel/tracking_options.h"

enum command_bit {
	COMMAND_LIVE = 1,
	COMMAND_REPLAY = 2,
	COMMAND_LIST = 4,
	COMMAND_EXPLAIN = 8,
	COMMAND_ATTACH = 16,
	COMMAND_STATUS = 32,
	COMMAND_DETACH = 64,
};
enum tracking_rules { RULES_OWN, RULES_ZEEK };

/* Strings point into argv. */
struct options {
	enum command_bit command;
	struct delivery_options delivery; /* filters, events, where and how to write */

	/* where connections come from */
	struct interface_names interfaces; /* as given, checked for nothing but emptiness */
	bool no_interfaces;                /* -i none */
	unsigned int contexts;             /* bits of enum context_bit; never 0; without CONTEXT_WIRE where no_interfaces */
	bool every_packet;                 /* --packets */
	bool forwarded;
	bool tunnels;              /* replay */
	enum tracking_rules rules; /* replay: --like */
	bool ignore_checksums;     /* replay, RULES_ZEEK */
	char **files;              /* replay: captures, explain: records; "-" is standard input */
	unsigned int file_count;   /* replay: never 0; explain: 1 at most, and without one it is standard input */
	const char *id;            /* explain; NULL: any */

	__u64 max_time_ns; /* 0: without end */
	bool verbose;

	/* for the checks of options that exclude each other */
	bool format_given;
	bool failed; /* --failed; the filter's outcomes say it too */
};

struct command {
	const char *name; /* "" is what runs when no command is named */
	enum command_bit bit;
	int (*run)(const struct options *options); /* returns the exit status */
	const char *refusal; /* the answer to an option that it does not have; NULL: the option's own */
};

/* Parses the arguments of one command; argv[0] is skipped. Returns -1 when there is something to run, else the exit
 * status to leave with (--help or --version was printed, or a line that says what is wrong). options_free() either way.
 */
int options_parse(struct options *options, const struct command *command, int argc, char **argv);
void options_free(struct options *options);

#endif
