/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, parsed and checked. */
#ifndef NETRACKER_OPTIONS_H
#define NETRACKER_OPTIONS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/delivery/delivery.h"
#include "src/filter/filter_field.h"
#include "src/kernel/tracking_options.h"
#include "src/metrics/metrics_address.h"
#include "src/util/text_buffer.h"
#include "src/util/time_point.h"

enum command_bit {
	COMMAND_LIVE = 1,
	COMMAND_REPLAY = 2,
	COMMAND_LIST = 4,
	COMMAND_EXPLAIN = 8,
	COMMAND_ATTACH = 16,
	COMMAND_STATUS = 32,
	COMMAND_DETACH = 64,
	COMMAND_RECORD = 128,
	COMMAND_QUERY = 256,
	COMMAND_SHIP = 512,
};
#define COMMANDS_THAT_TRACK (COMMAND_LIVE | COMMAND_RECORD)
#define MOST_COLUMN_LISTS 16

enum tracking_rules { RULES_OWN, RULES_ZEEK };

/* Strings point into argv. */
struct options {
	enum command_bit command;
	struct delivery_options delivery; /* filters, events, where and how to write */

	/* sources of connections */
	struct interface_names interfaces; /* not empty; not checked for existence */
	bool no_interfaces;                /* -i none */
	unsigned int contexts;             /* bits of enum context_bit, not 0; no CONTEXT_WIRE if no_interfaces */
	bool every_packet;                 /* --packets */
	bool forwarded;
	bool tunnels;              /* replay */
	enum tracking_rules rules; /* replay: --like */
	bool ignore_checksums;     /* replay, RULES_ZEEK */
	__u64 most_memory;         /* replay: of connections, bytes */
	char **files;              /* replay: captures; explain: records; "-" is standard input */
	unsigned int file_count;   /* replay: never 0; explain: 0 is standard input */
	const char *id;            /* explain, query: --id; NULL: any; of query the filter has it too */

	__u64 max_time_ns;              /* 0: unlimited */
	struct metrics_address metrics; /* size 0: none */
	__u32 metrics_programs;         /* 0: not given */
	bool verbose;

	const char
		*column_lists[MOST_COLUMN_LISTS]; /* --columns, as given; `columns` has them once the format is known */
	unsigned int column_list_count;
	struct column_choice columns;

	bool listening;   /* list: listeners and not connections */
	const char *sort; /* list, query: --sort; NULL: list in the order of the scan */
	bool sorts;       /* list: by sort_key; also for --top */
	struct filter_field sort_key;
	bool reverse;   /* list, query: the other way round; of query's records the newest first */
	__u64 watch_ns; /* list: time between two lists; 0: one list */

	const char *from;                  /* query, ship: the folder of the history; query: or a URL */
	struct time_span since, until, at; /* query; all zero: not given */
	const char *group_by;              /* query; NULL: records */
	bool follows;                      /* query: goes on with the records that come */
	bool only_new;                     /* query: groups that were not there before */
	unsigned int threads;              /* query: at most so many; 0: one for each CPU */
	bool prints_sql;                   /* query: the question as SQL, and nothing else */

	const char *to;            /* ship: the destination; never NULL */
	const char *cursors;       /* ship: the folder of its cursors */
	const char *password_file; /* ship, query; NULL: no password */
	const char *token_file;    /* ship, query; NULL: no bearer token */
	const char *ca_file;       /* ship, query; NULL: what the system trusts */
	const char *cert_file;     /* ship, query: the client's certificate; NULL: none */
	const char *key_file;      /* ship, query: its key; NULL: in the same file */
	const char *kafka_config;  /* ship to Kafka; NULL: none */
	bool is_biflow;            /* ship to IPFIX */
	unsigned int packing;      /* ship: enum http_packing + 1; 0: not given */
	unsigned int batch;        /* ship: most records of a request */
	__u64 timeout_ns;          /* ship, query: of a request; query: 0: not given */
	bool setup, once;          /* ship */

	/* for the checks of options that must not be combined */
	bool keep_given;
	bool format_given;
	bool ipv4_only, ipv6_only; /* never both; the filter has it */
	unsigned int outcomes;     /* bits 1 << NT_OUTCOME_*; 0: any; the filter has them */
	bool failed;               /* --failed; the filter has it */

	struct text_buffer filter_text; /* the filter as it was typed, for messages */
};

struct command {
	const char *name; /* "": live tracking */
	enum command_bit bit;
	int (*run)(const struct options *options); /* returns the exit status */
	const char *refusal; /* why it does not have an option; NULL: the option's own `refusal` */
};

/* Parses the arguments of one command; skips argv[0]. Returns -1 if the command is to run, else the exit status: --help
 * or --version was printed, or an error was reported. Call options_free() either way.
 */
int options_parse(struct options *options, const struct command *command, int argc, char **argv);
void options_free(struct options *options);

/* Print what --help of the command and --version print. Return the exit status. */
int options_print_help(const struct command *command);
int options_print_version(void);

#endif
