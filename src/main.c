// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "src/attach/attach.h"
#include "src/cli/options.h"
#include "src/explain/explain.h"
#include "src/filter/filter.h"
#include "src/list/list.h"
#include "src/live/live.h"
#include "src/query/query.h"
#include "src/replay/replay.h"
#include "src/ship/ship.h"
#include "src/util/message.h"

static const struct command commands[] = {
	{ "", COMMAND_LIVE, live_run, NULL },
	{ "record", COMMAND_RECORD, live_run, "its only output is the history" },
	{ "list", COMMAND_LIST, list_run, "it lists the sockets that are open now" },
	{ "replay", COMMAND_REPLAY, replay_run, NULL },
	{ "query", COMMAND_QUERY, query_run, "it reads the records of a history" },
	{ "ship", COMMAND_SHIP, ship_run, "it sends all records of a history" },
	{ "explain", COMMAND_EXPLAIN, explain_run, "it takes --id, filters and -q" },
	{ "attach", COMMAND_ATTACH, attach_run, "it takes -i, -q and -v" },
	{ "status", COMMAND_STATUS, status_run, "it takes -f, -q and -v" },
	{ "detach", COMMAND_DETACH, detach_run, "it takes -i, -q and -v" },
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int refuse_command(const char *name)
{
	message_error(
		"%s: no such command, and no field of a filter; commands: record, list, replay, query, ship, "
		"explain, attach, status, detach, help, version, or none for live tracking; see: netracker --help",
		name);
	return EXIT_STATUS_USAGE;
}

/* `netracker help [COMMAND]`, `netracker version`: words for --help and --version. Returns -1 if it is none of them. */
static int run_word(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "", *name = argc > 2 ? argv[2] : "";
	bool asks_help = !strcmp(word, "help");
	const struct command *command;

	if (!asks_help && strcmp(word, "version"))
		return -1;
	if (argc > 2 + asks_help) {
		message_error("%s: unexpected argument; see: netracker --help", argv[2 + asks_help]);
		return EXIT_STATUS_USAGE;
	}
	command = find_command(name);
	if (!command)
		return refuse_command(name);
	return asks_help ? options_print_help(command) : options_print_version();
}

/* If descriptor 0, 1 or 2 is closed, the next opened file would get its number, and output would be written into it. */
static void occupy_standard_descriptors(void)
{
	int fd = 0;

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = open("/dev/null", O_RDONLY);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	bool is_named = argc > 1 && argv[1][0] != '-' && argv[1][0] && !filter_can_begin(argv[1]);
	const struct command *command = find_command(is_named ? argv[1] : "");
	struct options options;
	int status;

	occupy_standard_descriptors();
	status = run_word(argc, argv);
	if (status >= 0)
		return status;
	if (!command)
		return refuse_command(argv[1]);
	status = options_parse(&options, command, argc - is_named, argv + is_named);
	if (status < 0) {
		message_set_levels(options.delivery.quiet, options.verbose);
		status = command->run(&options);
	}
	options_free(&options);
	return status;
}
