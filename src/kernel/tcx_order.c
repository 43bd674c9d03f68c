// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/tcx_order.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define MAX_PROGRAMS 64 /* of one hook: the kernel's BPF_MPROG_MAX */
#define MAX_TABLES 64   /* of one program: the kernel's MAX_USED_MAPS */

/* A program of NeTracker has such a name and uses such a table. Its name alone proves nothing. */
static const struct {
	const char *name_begins, *table;
} own_programs[] = {
	{ "wire_", "slots" },         /* live tracking: bpf/wire_tables.h */
	{ "attach_", "connections" }, /* netracker attach: bpf/single_table_host.h */
};

static bool is_table_named(__u32 id, const char *name)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);
	bool is_named = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length) && !strcmp(info.name, name);

	if (fd >= 0)
		close(fd);
	return is_named;
}

static bool uses_table(int program_fd, const char *name)
{
	__u32 ids[MAX_TABLES], length, i;
	struct bpf_prog_info info = { .nr_map_ids = MAX_TABLES, .map_ids = (unsigned long)ids };

	length = sizeof(info);
	if (bpf_obj_get_info_by_fd(program_fd, &info, &length))
		return false;
	for (i = 0; i < info.nr_map_ids && i < MAX_TABLES; i++)
		if (is_table_named(ids[i], name))
			return true;
	return false;
}

static bool is_tracker(int program_fd, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(own_programs) / sizeof(*own_programs); i++)
		if (!strncmp(name, own_programs[i].name_begins, strlen(own_programs[i].name_begins)))
			return uses_table(program_fd, own_programs[i].table);
	return false;
}

static bool is_known_tracker(const struct tcx_order *order, __u32 id)
{
	int i;

	for (i = 0; i < MAX_KNOWN_TRACKERS; i++)
		if (order->trackers[i] == id)
			return true;
	return false;
}

/* Returns whether the program may hide packets, and copies its name. One that was removed meanwhile may not. */
static bool may_hide(struct tcx_order *order, __u32 id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	__u32 length = sizeof(info);
	bool hides;
	int fd;

	if (is_known_tracker(order, id))
		return false;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return false;
	hides = bpf_obj_get_info_by_fd(fd, &info, &length) || !is_tracker(fd, info.name);
	close(fd);
	if (!hides)
		order->trackers[order->known++ % MAX_KNOWN_TRACKERS] = id;
	snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name[0] ? info.name : "without a name");
	return hides;
}

bool tcx_order_find_hiding(struct tcx_order *order, unsigned int ifindex, int type, int link_fd,
			   char name[BPF_OBJ_NAME_LEN])
{
	__u32 ids[MAX_PROGRAMS], count = MAX_PROGRAMS, i;
	struct bpf_link_info own = { 0 };
	__u32 length = sizeof(own);

	if (bpf_prog_query((int)ifindex, type, 0, NULL, ids, &count) || count < 2 ||
	    bpf_obj_get_info_by_fd(link_fd, &own, &length))
		return false;
	for (i = 0; i < count && ids[i] != own.prog_id; i++)
		if (may_hide(order, ids[i], name))
			return true;
	return false;
}
