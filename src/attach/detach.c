// SPDX-License-Identifier: GPL-2.0-or-later
/* `netracker detach`: detaches the programs of `netracker attach` and removes their pins, also those without
 * programs.
 */
#include "src/cli/options.h"

#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/attach/attach_hooks.h"
#include "src/attach/attach_pins.h"
#include "src/util/message.h"
#include "src/kernel/net_namespace.h"

/* Filters are removed in their network namespace. If it is gone, so are they. */
static void detach_programs(const struct attach_entry *entry)
{
	int previous_netns = net_namespace_enter(entry->attachment.netns), direction;

	if (previous_netns < 0 && entry->attachment.hook != ATTACH_HOOK_TCX)
		return;
	for (direction = 0; direction < ATTACH_DIRECTIONS; direction++) {
		char path[512];
		int fd;

		attach_format_pin_path(path, sizeof(path), entry->directory, attach_direction_names[direction]);
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		attach_hook_detach(&entry->attachment, direction, fd);
		close(fd);
	}
	if (attach_entry_is_attached(entry))
		attach_release_qdisc(&entry->attachment);
	if (previous_netns >= 0)
		net_namespace_return(previous_netns);
}

static int detach_entry(const struct attach_entry *entry)
{
	int error;

	if (entry->state == ATTACH_STATE_FOREIGN) {
		message_error(ATTACH_PINS "/%s: attached by another version of netracker; detach it with that version",
			      entry->directory);
		return EXIT_STATUS_BROKEN;
	}
	if (entry->state != ATTACH_STATE_UNFINISHED)
		detach_programs(entry);
	error = attach_remove_pins(entry->directory);
	if (error) {
		message_error("cannot remove " ATTACH_PINS "/%s: %s; remove it with rm -r", entry->directory,
			      strerror(-error));
		return EXIT_STATUS_BROKEN;
	}
	if (attach_entry_is_attached(entry))
		message_note("detached from %s", entry->attachment.interface);
	else
		message_note("removed " ATTACH_PINS "/%s: its programs were no longer attached", entry->directory);
	return EXIT_STATUS_DONE;
}

/* Returns whether `-i interface` selects the entry: it is attached to the interface, even if that had another name
 * then; or it was left by an interface of this name that is gone.
 */
static bool is_selected(const struct attach_entry *entry, const struct attach_entry *on_interface,
			const char *interface)
{
	char directory[128];

	if (entry == on_interface)
		return true;
	attach_format_directory(directory, sizeof(directory), interface, net_namespace_own());
	if (strcmp(entry->directory, directory))
		return false;
	return !attach_entry_is_attached(entry) || !if_nametoindex(interface);
}

static int detach_interface(const struct attach_entries *entries, const char *interface)
{
	unsigned int ifindex = if_nametoindex(interface);
	const struct attach_entry *on_interface = ifindex ? attach_entries_find(entries, ifindex) : NULL;
	int status = EXIT_STATUS_DONE;
	bool found = false;
	size_t i;

	for (i = 0; i < entries->count && status == EXIT_STATUS_DONE; i++) {
		if (!is_selected(&entries->list[i], on_interface, interface))
			continue;
		found = true;
		status = detach_entry(&entries->list[i]);
	}
	if (!found)
		message_note("nothing is attached to %s", interface);
	return status;
}

static int detach_all(const struct attach_entries *entries)
{
	int status = EXIT_STATUS_DONE;
	size_t i;

	for (i = 0; i < entries->count && status == EXIT_STATUS_DONE; i++)
		status = detach_entry(&entries->list[i]);
	if (!entries->count)
		message_note("nothing is attached");
	return status;
}

static int detach_selected(const struct options *options)
{
	struct attach_entries entries;
	int status = EXIT_STATUS_DONE;
	unsigned int i;

	if (!attach_entries_read(&entries)) {
		message_error("detach: out of memory");
		status = EXIT_STATUS_BROKEN;
	} else if (!options->interfaces.count) {
		status = detach_all(&entries);
	}
	for (i = 0; i < options->interfaces.count && status == EXIT_STATUS_DONE; i++)
		status = detach_interface(&entries, options->interfaces.names[i]);
	attach_entries_free(&entries);
	rmdir(ATTACH_PINS); /* fails unless it is empty */
	return status;
}

int detach_run(const struct options *options)
{
	int status = attach_check_privileges("detach"), lock = -1;

	if (status == EXIT_STATUS_DONE && mounts_has_bpffs())
		status = attach_lock(&lock);
	if (status != EXIT_STATUS_DONE)
		return status;
	status = detach_selected(options);
	attach_unlock(lock);
	return status;
}
