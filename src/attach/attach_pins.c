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

const char *const classic_way_names[CLASSIC_WAYS] = {"ingress", "egress"};

void classic_pins_name(char *directory, size_t size, const char *interface, __u32 netns)
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

void classic_pin_path(char *path, size_t size, const char *directory, const char *pin)
{
	snprintf(path, size, CLASSIC_PINS "/%s/%s", directory, pin);
}

int classic_may(const char *what)
{
	loader_quieten_libbpf();
	if (!loader_may_load_programs()) {
		message_error("cannot %s: not permitted; run it as root (sudo)", what);
		return EXIT_STATUS_PRIVILEGES;
	}
	return mounts_enter_lasting();
}

/* A lock on bpffs itself, which nobody removes. */
int classic_lock(int *lock)
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

void classic_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

static int open_pin(const char *directory, const char *pin)
{
	char path[512];

	classic_pin_path(path, sizeof(path), directory, pin);
	return bpf_obj_get(path);
}

/* -errno; -EPROTO: of another version's layout. */
static int read_attachment(const char *directory, struct classic_attachment *attachment)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info), zero = 0;
	int map = open_pin(directory, "attached_by"), error = 0;

	if (map < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(map, &info, &length) || info.value_size != sizeof(*attachment) ||
	    bpf_map_lookup_elem(map, &zero, attachment) || attachment->layout != CLASSIC_LAYOUT)
		error = -EPROTO;
	close(map);
	return error;
}

static void read_programs(struct classic_entry *entry)
{
	/* Links say by themselves where they are; filters are asked for in their namespace. */
	bool elsewhere = entry->attachment.hook != CLASSIC_TCX;
	int before = elsewhere ? net_namespace_enter(entry->attachment.netns) : -1, way;

	for (way = 0; way < CLASSIC_WAYS && (!elsewhere || before >= 0); way++) {
		int pin = open_pin(entry->directory, classic_way_names[way]);

		if (pin < 0)
			continue;
		entry->program_ids[way] = classic_hook_program(&entry->attachment, way, pin);
		close(pin);
	}
	if (before >= 0)
		net_namespace_return(before);
}

static enum classic_state state_of(const struct classic_entry *entry)
{
	if (!entry->program_ids[0] && !entry->program_ids[1])
		return CLASSIC_GONE;
	if (entry->program_ids[1] && (entry->program_ids[0] || entry->attachment.only_egress))
		return CLASSIC_ATTACHED;
	return CLASSIC_PARTLY;
}

static void read_entry(struct classic_entry *entry, const char *directory)
{
	int error;

	memset(entry, 0, sizeof(*entry));
	snprintf(entry->directory, sizeof(entry->directory), "%s", directory);
	error = read_attachment(directory, &entry->attachment);
	if (error) {
		entry->state = error == -EPROTO ? CLASSIC_FOREIGN : CLASSIC_UNFINISHED;
		return;
	}
	read_programs(entry);
	entry->state = state_of(entry);
}

static bool add_entry(struct classic_entries *entries, const char *directory)
{
	struct classic_entry *list = realloc(entries->list, (entries->count + 1) * sizeof(*list));

	if (!list)
		return false;
	entries->list = list;
	read_entry(&list[entries->count++], directory);
	return true;
}

static int by_directory(const void *a, const void *b)
{
	return strcmp(((const struct classic_entry *)a)->directory, ((const struct classic_entry *)b)->directory);
}

bool classic_entries_read(struct classic_entries *entries)
{
	DIR *directory = mounts_has_bpffs() ? opendir(CLASSIC_PINS) : NULL;
	struct dirent *entry;
	bool done = true;

	memset(entries, 0, sizeof(*entries));
	while (done && directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			done = add_entry(entries, entry->d_name);
	if (directory)
		closedir(directory);
	if (entries->count)
		qsort(entries->list, entries->count, sizeof(*entries->list), by_directory);
	return done;
}

void classic_entries_free(struct classic_entries *entries)
{
	free(entries->list);
	memset(entries, 0, sizeof(*entries));
}

bool classic_is_on(const struct classic_entry *entry)
{
	return entry->state == CLASSIC_ATTACHED || entry->state == CLASSIC_PARTLY;
}

const struct classic_entry *classic_find(const struct classic_entries *entries, unsigned int ifindex)
{
	__u32 netns = net_namespace_own();
	size_t i;

	for (i = 0; i < entries->count; i++) {
		const struct classic_entry *entry = &entries->list[i];

		if (classic_is_on(entry) && entry->attachment.ifindex == ifindex && entry->attachment.netns == netns)
			return entry;
	}
	return NULL;
}

int classic_unpin(const char *directory)
{
	char path[512];
	DIR *pins;
	struct dirent *entry;

	snprintf(path, sizeof(path), CLASSIC_PINS "/%s", directory);
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
