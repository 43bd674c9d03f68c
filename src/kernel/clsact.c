// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/clsact.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <libmnl/libmnl.h>

#include "src/kernel/net_namespace.h"

#define STATE_DIRECTORY "/run/netracker"
#define PRIORITY 49161 /* arbitrary; other programs are unlikely to use it */

/* The state of one attachment. It is stored as an empty file whose name has all members. The pid is also the handle of
 * both filters. */
struct clsact_state {
	unsigned int pid, ifindex, programs[2]; /* programs: BPF ids, ingress and egress */
	unsigned long long start_ticks;         /* of the process: clock ticks since boot */
	unsigned long netns;                    /* inode number */
	int created;                            /* this tracker must remove the qdisc: it created it or took it over */
};

static const enum bpf_tc_attach_point attach_points[2] = { BPF_TC_INGRESS, BPF_TC_EGRESS };

/* Returns the clock ticks since boot when the process started (proc(5), field 22), or 0 if there is no such process. */
static unsigned long long process_start_ticks(unsigned int pid)
{
	char path[64], line[1024] = "";
	unsigned long long start_ticks = 0;
	char *after_comm;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file)) {
		after_comm = strrchr(line, ')');
		if (after_comm)
			sscanf(after_comm + 1,
			       " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			       "%*s %llu",
			       &start_ticks);
	}
	fclose(file);
	return start_ticks;
}

static int detect_filter(const struct nlmsghdr *message, void *has_filter)
{
	if (message->nlmsg_type == RTM_NEWTFILTER)
		*(bool *)has_filter = true;
	return MNL_CB_OK;
}

static void dump_filters(struct mnl_socket *socket, unsigned int ifindex, unsigned int parent, bool *has_filter)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct tcmsg *filter;
	ssize_t length;
	int more = 1;

	message->nlmsg_type = RTM_GETTFILTER;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	filter = mnl_nlmsg_put_extra_header(message, sizeof(*filter));
	filter->tcm_family = AF_UNSPEC;
	filter->tcm_ifindex = ifindex;
	filter->tcm_parent = parent;
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		more = 0;
	while (more > 0) {
		length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		more = length > 0 ? mnl_cb_run(buffer, length, 0, 0, detect_filter, has_filter) : 0;
	}
}

/* Returns whether the interface's clsact qdisc has a filter of any program; true if that is unknown. */
static bool has_filters(unsigned int ifindex)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	bool has_filter = !socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0;

	if (!has_filter) {
		dump_filters(socket, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), &has_filter);
		dump_filters(socket, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), &has_filter);
	}
	if (socket)
		mnl_socket_close(socket);
	return has_filter;
}

static void state_file_path(char *path, size_t size, const struct clsact_state *state)
{
	snprintf(path, size, STATE_DIRECTORY "/%u-%llu-%lu-%u-%u-%u-%d", state->pid, state->start_ticks, state->netns,
		 state->ifindex, state->programs[0], state->programs[1], state->created);
}

static bool state_file_read(struct clsact_state *state, const char *name)
{
	return sscanf(name, "%u-%llu-%lu-%u-%u-%u-%d", &state->pid, &state->start_ticks, &state->netns, &state->ifindex,
		      &state->programs[0], &state->programs[1], &state->created) == 7;
}

/* Written before a filter is added, so that the next start knows of it whatever happens. */
static int state_file_write(const struct clsact_state *state)
{
	char path[256];
	FILE *file;

	mkdir(STATE_DIRECTORY, 0700);
	state_file_path(path, sizeof(path), state);
	file = fopen(path, "we");
	if (!file)
		return -errno;
	fclose(file);
	return 0;
}

static void state_file_remove(const struct clsact_state *state)
{
	char path[256];

	state_file_path(path, sizeof(path), state);
	unlink(path);
	rmdir(STATE_DIRECTORY); /* fails if it is not empty */
}

/* Marks another tracker's state file as that of the qdisc's creator: the last tracker that uses the qdisc removes
 * it. */
static void hand_over_qdisc(unsigned int ifindex)
{
	DIR *directory = opendir(STATE_DIRECTORY);
	unsigned long netns = net_namespace_own();
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char before[256], after[256];
		struct clsact_state next;

		if (!state_file_read(&next, entry->d_name) || next.netns != netns || next.ifindex != ifindex ||
		    next.created)
			continue;
		state_file_path(before, sizeof(before), &next);
		next.created = 1;
		state_file_path(after, sizeof(after), &next);
		rename(before, after);
		break;
	}
	if (directory)
		closedir(directory);
}

void clsact_release_qdisc(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	if (has_filters(ifindex))
		hand_over_qdisc(ifindex);
	else
		bpf_tc_hook_destroy(&hook);
}

/* Removes the filter if it is still the one that the state describes. Returns whether it was. */
static bool remove_filter(const struct clsact_state *state, int direction)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = state->ifindex, .attach_point = attach_points[direction]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = state->pid, .priority = PRIORITY);

	if (bpf_tc_query(&hook, &filter) || filter.prog_id != state->programs[direction])
		return false;
	filter.prog_fd = filter.prog_id = filter.flags = 0;
	return !bpf_tc_detach(&hook, &filter);
}

/* If our filter is gone, this may be another interface in another namespace with the same numbers: the qdisc stays. */
static void undo_attachment(const struct clsact_state *state)
{
	bool ours = remove_filter(state, 0);

	ours |= remove_filter(state, 1);
	if (ours && state->created)
		clsact_release_qdisc(state->ifindex);
	state_file_remove(state);
}

static int add_filter(const struct clsact_state *state, int direction, const struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = state->ifindex, .attach_point = attach_points[direction]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = state->pid, .priority = PRIORITY,
		    .prog_fd = bpf_program__fd(program));

	return bpf_tc_attach(&hook, &filter);
}

static unsigned int get_program_id(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length) ? 0 : info.id;
}

int clsact_attach(unsigned int ifindex, struct bpf_program *ingress, struct bpf_program *egress)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct clsact_state state = {
		.pid = getpid(),
		.ifindex = ifindex,
		.netns = net_namespace_own(),
		.start_ticks = process_start_ticks(getpid()),
		.programs = { get_program_id(ingress), get_program_id(egress) },
	};
	int error = bpf_tc_hook_create(&hook);

	if (error && error != -EEXIST)
		return error;
	state.created = !error;
	error = state_file_write(&state);
	if (!error)
		error = add_filter(&state, 0, ingress);
	if (!error)
		error = add_filter(&state, 1, egress);
	if (error) {
		remove_filter(&state, 0);
		if (state.created)
			clsact_release_qdisc(ifindex);
		state_file_remove(&state);
	}
	return error;
}

/* Undoes the attachments in this namespace for which selected() returns true. */
static void undo_selected(bool (*selected)(const struct clsact_state *state, unsigned int ifindex),
			  unsigned int ifindex)
{
	DIR *directory = opendir(STATE_DIRECTORY);
	unsigned long netns = net_namespace_own();
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		struct clsact_state state;

		if (state_file_read(&state, entry->d_name) && state.netns == netns && selected(&state, ifindex))
			undo_attachment(&state);
	}
	closedir(directory);
}

static bool is_own_state(const struct clsact_state *state, unsigned int ifindex)
{
	return state->pid == (unsigned int)getpid() && state->ifindex == ifindex;
}

static bool is_stale_state(const struct clsact_state *state, unsigned int ifindex)
{
	(void)ifindex;
	return process_start_ticks(state->pid) != state->start_ticks;
}

void clsact_detach(unsigned int ifindex)
{
	undo_selected(is_own_state, ifindex);
}

void clsact_clean_up(void)
{
	undo_selected(is_stale_state, 0);
}
