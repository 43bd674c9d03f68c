// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/running_tracker.h"

#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define TABLE_NAME "sockets"         /* in bpf/socket_context.h */
#define PUBLICATION_NAME "published" /* in bpf/maps.h */
#define READ_TRIES 10

/* The size distinguishes versions: a table whose values have the same size has the same contents. */
static bool is_table_of_sockets(int fd)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &length) && info.type == BPF_MAP_TYPE_HASH &&
	       info.key_size == sizeof(__u64) && info.value_size == sizeof(struct nt_socket) &&
	       !strcmp(info.name, TABLE_NAME);
}

void running_trackers_open(struct running_trackers *trackers)
{
	__u32 id = 0;

	trackers->count = 0;
	while (trackers->count < MAX_RUNNING_TRACKERS && !bpf_map_get_next_id(id, &id)) {
		int fd = bpf_map_get_fd_by_id(id);

		if (fd >= 0 && is_table_of_sockets(fd))
			trackers->tables[trackers->count++] = fd;
		else if (fd >= 0)
			close(fd);
	}
}

void running_trackers_close(struct running_trackers *trackers)
{
	while (trackers->count)
		close(trackers->tables[--trackers->count]);
}

static bool has_same_tuple(const struct nt_socket *one, const struct nt_socket *other)
{
	return one->local_port == other->local_port && one->remote_port == other->remote_port &&
	       !memcmp(one->local, other->local, sizeof(one->local)) &&
	       !memcmp(one->remote, other->remote, sizeof(one->remote));
}

/* Another socket may have the address by now. Before Linux 5.12 cookies are 0; then only the tuple is compared. An
 * attempt's entry has no tuple until it is established or read once. */
static bool is_same_connection(const struct nt_socket *known, const struct nt_socket *found)
{
	bool has_no_tuple = known->cookie && !known->remote_port;

	return known->cookie == found->cookie && known->netns == found->netns &&
	       (has_no_tuple || has_same_tuple(known, found));
}

static bool has_open_socket(int table, __u64 address, const struct nt_socket *as, struct nt_socket *socket)
{
	return !bpf_map_lookup_elem(table, &address, socket) && is_same_connection(socket, as) &&
	       socket->state != TCP_CLOSE;
}

bool running_trackers_find(const struct running_trackers *trackers, __u64 address, const struct nt_socket *as,
			   struct nt_socket *socket)
{
	struct nt_socket known;
	bool found = false;
	unsigned int i;

	for (i = 0; i < trackers->count; i++) {
		bool saw_it_begin;

		if (!has_open_socket(trackers->tables[i], address, as, &known))
			continue;
		saw_it_begin = !(known.flags & NT_SOCKET_PREEXISTING);
		if (!found || saw_it_begin)
			*socket = known;
		if (saw_it_begin)
			return true;
		found = true;
	}
	return found;
}

static bool is_publication(int fd)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &length) && info.type == BPF_MAP_TYPE_ARRAY &&
	       info.value_size == sizeof(struct nt_publication) && !strcmp(info.name, PUBLICATION_NAME);
}

/* The tracker may be writing: what is the same twice is whole. */
static bool read_publication(int fd, struct nt_publication *publication)
{
	struct nt_publication again;
	const __u32 zero = 0;
	int i;

	for (i = 0; i < READ_TRIES; i++)
		if (!bpf_map_lookup_elem(fd, &zero, publication) && !bpf_map_lookup_elem(fd, &zero, &again) &&
		    !memcmp(publication, &again, sizeof(again)))
			return publication->pid;
	return false;
}

void running_trackers_read(void (*found)(void *context, const struct nt_publication *publication), void *context)
{
	struct nt_publication publication;
	__u32 id = 0;

	while (!bpf_map_get_next_id(id, &id)) {
		int fd = bpf_map_get_fd_by_id(id);

		if (fd >= 0 && is_publication(fd) && read_publication(fd, &publication))
			found(context, &publication);
		if (fd >= 0)
			close(fd);
	}
}
