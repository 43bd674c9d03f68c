// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/cli/listening_check.h"

#include "src/util/message.h"

static const char *find_wrong_field(const struct options *options, bool (*has)(const struct filter_field *field))
{
	const char *name = filter_find_condition_without(options->delivery.filter, has);

	if (!name && options->sorts && !has(&options->sort_key))
		name = options->sort_key.name;
	return name;
}

bool listening_check_fields(const struct options *options)
{
	bool (*has)(const struct filter_field *field) = options->listening ? filter_field_is_of_listeners :
									     filter_field_is_of_connections;
	const char *name = find_wrong_field(options, has);

	if (!name)
		return true;
	if (options->listening)
		message_error("%s is known of connections, not of listeners, which have: local lport pid comm exe user "
			      "cgroup container netns interface family backlog backlog_max drops dual_stack; see: "
			      "netracker list --help",
			      name);
	else
		message_error("%s is known of listeners only: netracker list --listening; see: netracker list --help",
			      name);
	return false;
}
