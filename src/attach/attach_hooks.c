// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/attach/attach_hooks.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "src/kernel/clsact.h"
#include "src/kernel/tcx_order.h"

#define PRIORITY 49163 /* unlikely to be in use; differs from the one in src/kernel/clsact.c */
#define HANDLE 1

static const enum bpf_attach_type tcx_types[ATTACH_DIRECTIONS] = { ATTACH_TCX_INGRESS, ATTACH_TCX_EGRESS };
static const enum bpf_tc_attach_point points[ATTACH_DIRECTIONS] = { BPF_TC_INGRESS, BPF_TC_EGRESS };

int attach_hook_tcx(const struct attachment_info *attachment, const int programs[ATTACH_DIRECTIONS],
		    int links[ATTACH_DIRECTIONS])
{
	LIBBPF_OPTS(bpf_link_create_opts, first, .flags = TCX_BEFORE_ALL);
	int direction, error;

	links[0] = links[1] = -1;
	for (direction = attachment->only_egress; direction < ATTACH_DIRECTIONS; direction++) {
		links[direction] = bpf_link_create(programs[direction], attachment->ifindex, tcx_types[direction],
						   &first);
		if (links[direction] >= 0)
			continue;
		error = -errno;
		if (links[0] >= 0)
			close(links[0]);
		links[0] = -1;
		return error;
	}
	return 0;
}

int attach_prepare_clsact(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int error = bpf_tc_hook_create(&hook);

	if (error == -EEXIST)
		return 0;
	return error ? error : 1;
}

int attach_hook_clsact(const struct attachment_info *attachment, const int programs[ATTACH_DIRECTIONS])
{
	int direction, error = 0;

	for (direction = attachment->only_egress; direction < ATTACH_DIRECTIONS && !error; direction++) {
		LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = attachment->ifindex, .attach_point = points[direction]);
		LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY,
			    .prog_fd = programs[direction]);

		error = bpf_tc_attach(&hook, &filter);
	}
	return error;
}

/* Returns the id of the link's program. 0 if the link is detached: its interface is gone, or another program
 * detached it.
 */
static __u32 find_link_program(int link)
{
	struct bpf_link_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &length))
		return 0;
	/* Headers before Linux 6.6 have no member `tcx`. The interface's index comes first in it, as in `xdp`. */
	return info.xdp.ifindex ? info.prog_id : 0;
}

/* Returns the program's id if our filter on this interface runs it, else 0. */
static __u32 find_filter_program(const struct attachment_info *attachment, int direction, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = attachment->ifindex, .attach_point = points[direction]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY);
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &length) || bpf_tc_query(&hook, &filter))
		return 0;
	return filter.prog_id == info.id ? info.id : 0;
}

__u32 attach_hook_program(const struct attachment_info *attachment, int direction, int pin)
{
	return attachment->hook == ATTACH_HOOK_TCX ? find_link_program(pin) :
						     find_filter_program(attachment, direction, pin);
}

void attach_hook_detach(const struct attachment_info *attachment, int direction, int pin)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = attachment->ifindex, .attach_point = points[direction]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY);

	if (attachment->hook == ATTACH_HOOK_TCX)
		bpf_link_detach(pin); /* at once; after unpinning alone the kernel detaches a little later */
	else if (find_filter_program(attachment, direction, pin))
		bpf_tc_detach(&hook, &filter);
}

void attach_release_qdisc(const struct attachment_info *attachment)
{
	if (attachment->hook == ATTACH_HOOK_CLSACT && attachment->made_qdisc)
		clsact_release_qdisc(attachment->ifindex);
}
