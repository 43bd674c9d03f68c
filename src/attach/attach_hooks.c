// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/attach/attach_hooks.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "src/kernel/clsact.h"
#include "src/kernel/interfaces.h"

#define PRIORITY 49163 /* any that others hardly choose; not that of src/kernel/clsact.c */
#define HANDLE 1

static const enum bpf_attach_type tcx_types[ATTACH_WAYS] = {ATTACH_TCX_INGRESS, ATTACH_TCX_EGRESS};
static const enum bpf_tc_attach_point points[ATTACH_WAYS] = {BPF_TC_INGRESS, BPF_TC_EGRESS};

int attach_hook_tcx(const struct attachment_info *attachment, const int programs[ATTACH_WAYS],
		       int links[ATTACH_WAYS])
{
	int way, error;

	links[0] = links[1] = -1;
	for (way = attachment->only_egress; way < ATTACH_WAYS; way++) {
		links[way] = bpf_link_create(programs[way], attachment->ifindex, tcx_types[way], NULL);
		if (links[way] >= 0)
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

int attach_hook_clsact(const struct attachment_info *attachment, const int programs[ATTACH_WAYS])
{
	int way, error = 0;

	for (way = attachment->only_egress; way < ATTACH_WAYS && !error; way++) {
		LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = attachment->ifindex, .attach_point = points[way]);
		LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY, .prog_fd = programs[way]);

		error = bpf_tc_attach(&hook, &filter);
	}
	return error;
}

/* The id of the link's program, 0 once the link is detached: its interface is gone, or somebody detached it. */
static __u32 link_program(int link)
{
	struct bpf_link_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &length))
		return 0;
	/* Headers before Linux 6.6 have no member tcx; its interface's index is first there, as in xdp. */
	return info.xdp.ifindex ? info.prog_id : 0;
}

static __u32 filter_program(const struct attachment_info *attachment, int way, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = attachment->ifindex, .attach_point = points[way]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY);
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &length) || bpf_tc_query(&hook, &filter))
		return 0;
	return filter.prog_id == info.id ? info.id : 0;
}

__u32 attach_hook_program(const struct attachment_info *attachment, int way, int pin)
{
	return attachment->hook == ATTACH_HOOK_TCX ? link_program(pin) : filter_program(attachment, way, pin);
}

void attach_hook_detach(const struct attachment_info *attachment, int way, int pin)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = attachment->ifindex, .attach_point = points[way]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = HANDLE, .priority = PRIORITY);

	if (attachment->hook == ATTACH_HOOK_TCX)
		bpf_link_detach(pin); /* at once: what unpinning sets free goes a little later */
	else if (filter_program(attachment, way, pin))
		bpf_tc_detach(&hook, &filter);
}

void attach_release_qdisc(const struct attachment_info *attachment)
{
	if (attachment->hook == ATTACH_HOOK_CLSACT && attachment->made_qdisc)
		clsact_release_qdisc(attachment->ifindex);
}
