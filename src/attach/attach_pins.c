// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/attach/attach_pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/attach/attach_hooks.h"
#include "src/kernel/loader.h"
#include "src/util/message.h"
#include "src/kernel/net_namespace.h"

const char *const attach_direction_names[ATTACH_DIRECTIONS] = { "ingress", "egress" };

void attach_format_directory(char *directory, size_t size, const char *interface, __u32 netns)
{
	char suffix[16] = "";
	size_t used = 0;

	if (netns != net_namespace_of_process_1())
		snprintf(suffix, sizeof(suffix), ":%u", netns);
	for (; *interface && used + 4 + sizeof(suffix) < size; interface++) {
		if (*interface == '.' || *interface == '%')
			used += snprintf(directory + used, size - used, "%%%02x", *interface);
		else
			directory[used++] = *interface;
	}
	snprintf(directory + used, size - used, "%s", suffix);
}

void attach_format_pin_path(char *path, size_t size, const char *directory, const char *pin)
{
	snprintf(path, size, ATTACH_PINS "/%s/%s", directory, pin);
}

int attach_check_privileges(const char *action)
{
	loader_quieten_libbpf();
	if (!loader_may_load_programs()) {
		message_error("cannot %s: not permitted; run it as root (sudo)", action);
		return EXIT_STATUS_PRIVILEGES;
	}
	return mounts_enter_init_namespace();
}

/* Locks bpffs's own directory: unlike a file in it, nothing removes that. */
int attach_lock(int *lock)
{
	int error;

	*lock = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = *lock < 0 ? errno : 0;
	while (!error && flock(*lock, LOCK_EX))
		error = errno == EINTR ? 0 : errno;
	if (!error)
		return EXIT_STATUS_DONE;
	message_error("cannot lock " BPFFS ": %s; run this as root", strerror(error));
	return EXIT_STATUS_BROKEN;
}

void attach_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

static int pins_open(const char *directory, const char *pin)
{
	char path[512];

	attach_format_pin_path(path, sizeof(path), directory, pin);
	return bpf_obj_get(path);
}

/* Returns 0, or -errno; -EPROTO if another version of netracker wrote it in another layout. */
static int read_attachment(const char *directory, struct attachment_info *attachment)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info), zero = 0;
	int map = pins_open(directory, "attached_by"), error = 0;

	if (map < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(map, &info, &length) || info.value_size != sizeof(*attachment) ||
	    bpf_map_lookup_elem(map, &zero, attachment) || attachment->layout != ATTACH_LAYOUT)
		error = -EPROTO;
	close(map);
	return error;
}

static void read_programs(struct attach_entry *entry)
{
	/* A link knows its interface; filters must be looked up in their network namespace. */
	bool needs_netns = entry->attachment.hook != ATTACH_HOOK_TCX;
	int previous_netns = needs_netns ? net_namespace_enter(entry->attachment.netns) : -1, direction;

	for (direction = 0; direction < ATTACH_DIRECTIONS && (!needs_netns || previous_netns >= 0); direction++) {
		int pin = pins_open(entry->directory, attach_direction_names[direction]);

		if (pin < 0)
			continue;
		entry->program_ids[direction] = attach_hook_program(&entry->attachment, direction, pin);
		close(pin);
	}
	if (previous_netns >= 0)
		net_namespace_return(previous_netns);
}

static enum attach_state derive_state(const struct attach_entry *entry)
{
	if (!entry->program_ids[0] && !entry->program_ids[1])
		return ATTACH_STATE_GONE;
	if (entry->program_ids[1] && (entry->program_ids[0] || entry->attachment.only_egress))
		return ATTACH_STATE_ATTACHED;
	return ATTACH_STATE_PARTLY;
}

static void read_entry(struct attach_entry *entry, const char *directory)
{
	int error;

	memset(entry, 0, sizeof(*entry));
	snprintf(entry->directory, sizeof(entry->directory), "%s", directory);
	error = read_attachment(directory, &entry->attachment);
	if (error) {
		entry->state = error == -EPROTO ? ATTACH_STATE_FOREIGN : ATTACH_STATE_UNFINISHED;
		return;
	}
	read_programs(entry);
	entry->state = derive_state(entry);
}

static bool add_entry(struct attach_entries *entries, const char *directory)
{
	struct attach_entry *list = realloc(entries->list, (entries->count + 1) * sizeof(*list));

	if (!list)
		return false;
	entries->list = list;
	read_entry(&list[entries->count++], directory);
	return true;
}

static int compare_directories(const void *a, const void *b)
{
	return strcmp(((const struct attach_entry *)a)->directory, ((const struct attach_entry *)b)->directory);
}

bool attach_entries_read(struct attach_entries *entries)
{
	DIR *directory = mounts_has_bpffs() ? opendir(ATTACH_PINS) : NULL;
	struct dirent *entry;
	bool is_complete = true;

	memset(entries, 0, sizeof(*entries));
	while (is_complete && directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			is_complete = add_entry(entries, entry->d_name);
	if (directory)
		closedir(directory);
	if (entries->count)
		qsort(entries->list, entries->count, sizeof(*entries->list), compare_directories);
	return is_complete;
}

void attach_entries_free(struct attach_entries *entries)
{
	free(entries->list);
	memset(entries, 0, sizeof(*entries));
}

bool attach_entry_is_attached(const struct attach_entry *entry)
{
	return entry->state == ATTACH_STATE_ATTACHED || entry->state == ATTACH_STATE_PARTLY;
}

const struct attach_entry *attach_entries_find(const struct attach_entries *entries, unsigned int ifindex)
{
	__u32 netns = net_namespace_own();
	size_t i;

	for (i = 0; i < entries->count; i++) {
		const struct attach_entry *entry = &entries->list[i];

		if (attach_entry_is_attached(entry) && entry->attachment.ifindex == ifindex &&
		    entry->attachment.netns == netns)
			return entry;
	}
	return NULL;
}

int attach_remove_pins(const char *directory)
{
	char path[512];
	DIR *pins;
	struct dirent *entry;

	snprintf(path, sizeof(path), ATTACH_PINS "/%s", directory);
	pins = opendir(path);
	while (pins && (entry = readdir(pins))) {
		char pin[1024];

		snprintf(pin, sizeof(pin), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(pin);
	}
	if (pins)
		closedir(pins);
	return rmdir(path) ? -errno : 0;
}
