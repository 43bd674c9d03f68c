/* `netracker detach`: takes off what `netracker attach` left, and what is left of that. */
#include "src/cli/options.h"

#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/attach/attach_hooks.h"
#include "src/attach/attach_pins.h"
#include "src/util/message.h"
#include "src/kernel/net_namespace.h"

/* Filters are taken off in their namespace, if there is one. */
static void take_off(const struct classic_entry *entry)
{
	int before = net_namespace_enter(entry->attachment.netns), way;

	if (before < 0 && entry->attachment.hook != CLASSIC_TCX)
		return;
	for (way = 0; way < CLASSIC_WAYS; way++) {
		char path[512];
		int held;

		classic_pin_path(path, sizeof(path), entry->directory, classic_way_names[way]);
		held = bpf_obj_get(path);
		if (held < 0)
			continue;
		classic_hook_detach(&entry->attachment, way, held);
		close(held);
	}
	if (classic_is_on(entry))
		classic_qdisc_let_go(&entry->attachment);
	if (before >= 0)
		net_namespace_return(before);
}

static int detach_entry(const struct classic_entry *entry)
{
	int error;

	if (entry->state == CLASSIC_FOREIGN) {
		message_error(CLASSIC_PINS "/%s: another version of netracker attached this; detach it with that one",
			      entry->directory);
		return EXIT_STATUS_BROKEN;
	}
	if (entry->state != CLASSIC_UNFINISHED)
		take_off(entry);
	error = classic_unpin(entry->directory);
	if (error) {
		message_error("cannot remove " CLASSIC_PINS "/%s: %s; remove it with rm -r", entry->directory,
			      strerror(-error));
		return EXIT_STATUS_BROKEN;
	}
	if (classic_is_on(entry))
		message_note("detached from %s", entry->attachment.interface);
	else
		message_note("removed " CLASSIC_PINS "/%s: nothing was attached by it any more", entry->directory);
	return EXIT_STATUS_DONE;
}

/* What is on this interface, whatever it was called then; and what an interface that was called so left. */
static bool is_meant(const struct classic_entry *entry, const struct classic_entry *on_interface, const char *interface)
{
	char directory[128];

	if (entry == on_interface)
		return true;
	classic_pins_name(directory, sizeof(directory), interface, net_namespace_own());
	if (strcmp(entry->directory, directory))
		return false;
	return !classic_is_on(entry) || !if_nametoindex(interface);
}

static int detach_from(const struct classic_entries *entries, const char *interface)
{
	unsigned int ifindex = if_nametoindex(interface);
	const struct classic_entry *on_interface = ifindex ? classic_find(entries, ifindex) : NULL;
	int status = EXIT_STATUS_DONE;
	bool found = false;
	size_t i;

	for (i = 0; i < entries->count && status == EXIT_STATUS_DONE; i++) {
		if (!is_meant(&entries->list[i], on_interface, interface))
			continue;
		found = true;
		status = detach_entry(&entries->list[i]);
	}
	if (!found)
		message_note("nothing is attached to %s", interface);
	return status;
}

static int detach_all(const struct classic_entries *entries)
{
	int status = EXIT_STATUS_DONE;
	size_t i;

	for (i = 0; i < entries->count && status == EXIT_STATUS_DONE; i++)
		status = detach_entry(&entries->list[i]);
	if (!entries->count)
		message_note("nothing is attached");
	return status;
}

static int detach_asked(const struct options *options)
{
	struct classic_entries entries;
	int status = EXIT_STATUS_DONE;
	unsigned int i;

	if (!classic_entries_read(&entries)) {
		message_error("detach: out of memory");
		status = EXIT_STATUS_BROKEN;
	} else if (!options->interfaces.count) {
		status = detach_all(&entries);
	}
	for (i = 0; i < options->interfaces.count && status == EXIT_STATUS_DONE; i++)
		status = detach_from(&entries, options->interfaces.names[i]);
	classic_entries_free(&entries);
	rmdir(CLASSIC_PINS); /* where it is empty */
	return status;
}

int detach_run(const struct options *options)
{
	int status = classic_may("detach"), lock = -1;

	if (status == EXIT_STATUS_DONE && mounts_has_bpffs())
		status = classic_lock(&lock);
	if (status != EXIT_STATUS_DONE)
		return status;
	status = detach_asked(options);
	classic_unlock(lock);
	return status;
}
