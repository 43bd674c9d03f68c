// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/clsact.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/kernel/net_namespace.h"

#define NOTES "/run/netracker"
#define PRIORITY 49161 /* any that others hardly choose */

/* One note is one file, named after everything in it: pid, its start time, namespace, interface, and for each way the
 * filter's handle (the pid again) and the program's id. */
struct note {
	unsigned int pid, ifindex, programs[2];
	unsigned long long started;
	unsigned long netns;
	int created; /* the qdisc was not there before */
};

static const enum bpf_tc_attach_point points[2] = {BPF_TC_INGRESS, BPF_TC_EGRESS};

/* Clock ticks since boot when the process started (proc(5), field 22); 0: there is none. */
static unsigned long long started_at(unsigned int pid)
{
	char path[64], line[1024] = "";
	unsigned long long started = 0;
	char *after_comm;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file)) {
		after_comm = strrchr(line, ')');
		if (after_comm)
			sscanf(after_comm + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
					       "%*s %llu", &started);
	}
	fclose(file);
	return started;
}

static int is_filter(const struct nlmsghdr *message, void *found)
{
	if (message->nlmsg_type == RTM_NEWTFILTER)
		*(bool *)found = true;
	return MNL_CB_OK;
}

static void dump_filters(struct mnl_socket *socket, unsigned int ifindex, unsigned int parent, bool *found)
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
		more = length > 0 ? mnl_cb_run(buffer, length, 0, 0, is_filter, found) : 0;
	}
}

/* Whether anyone's filter is on the interface's clsact qdisc; true where that cannot be asked. */
static bool has_filters(unsigned int ifindex)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	bool found = !socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0;

	if (!found) {
		dump_filters(socket, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), &found);
		dump_filters(socket, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), &found);
	}
	if (socket)
		mnl_socket_close(socket);
	return found;
}

static void state_file_path(char *path, size_t size, const struct note *note)
{
	snprintf(path, size, NOTES "/%u-%llu-%lu-%u-%u-%u-%d", note->pid, note->started, note->netns, note->ifindex,
		 note->programs[0], note->programs[1], note->created);
}

static bool state_file_read(struct note *note, const char *name)
{
	return sscanf(name, "%u-%llu-%lu-%u-%u-%u-%d", &note->pid, &note->started, &note->netns, &note->ifindex,
		      &note->programs[0], &note->programs[1], &note->created) == 7;
}

/* Before anything is attached: whatever happens then, the next start knows of it. */
static int state_file_write(const struct note *note)
{
	char path[256];
	FILE *file;

	mkdir(NOTES, 0700);
	state_file_path(path, sizeof(path), note);
	file = fopen(path, "we");
	if (!file)
		return -errno;
	fclose(file);
	return 0;
}

static void state_file_remove(const struct note *note)
{
	char path[256];

	state_file_path(path, sizeof(path), note);
	unlink(path);
	rmdir(NOTES); /* where it is empty */
}

/* The qdisc goes with the last tracker that uses it: whose note says then that it is to take it along. */
static void bequeath_qdisc(unsigned int ifindex)
{
	DIR *directory = opendir(NOTES);
	unsigned long netns = net_namespace_own();
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char before[256], after[256];
		struct note heir;

		if (!state_file_read(&heir, entry->d_name) || heir.netns != netns || heir.ifindex != ifindex || heir.created)
			continue;
		state_file_path(before, sizeof(before), &heir);
		heir.created = 1;
		state_file_path(after, sizeof(after), &heir);
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
		bequeath_qdisc(ifindex);
	else
		bpf_tc_hook_destroy(&hook);
}

/* Takes our filter off, where it is still the one that the note speaks of: whether it was. */
static bool take_off(const struct note *note, int way)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = note->ifindex, .attach_point = points[way]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = note->pid, .priority = PRIORITY);

	if (bpf_tc_query(&hook, &filter) || filter.prog_id != note->programs[way])
		return false;
	filter.prog_fd = filter.prog_id = filter.flags = 0;
	return !bpf_tc_detach(&hook, &filter);
}

/* Without a filter of ours the interface may be another by now, in another namespace of the same number. */
static void undo(const struct note *note)
{
	bool ours = take_off(note, 0);

	ours |= take_off(note, 1);
	if (ours && note->created)
		clsact_release_qdisc(note->ifindex);
	state_file_remove(note);
}

static int put_on(const struct note *note, int way, const struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = note->ifindex, .attach_point = points[way]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = note->pid, .priority = PRIORITY,
		    .prog_fd = bpf_program__fd(program));

	return bpf_tc_attach(&hook, &filter);
}

static unsigned int id_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length) ? 0 : info.id;
}

int clsact_attach(unsigned int ifindex, struct bpf_program *ingress, struct bpf_program *egress)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct note note = {
		.pid = getpid(),
		.ifindex = ifindex,
		.netns = net_namespace_own(),
		.started = started_at(getpid()),
		.programs = {id_of(ingress), id_of(egress)},
	};
	int error = bpf_tc_hook_create(&hook);

	if (error && error != -EEXIST)
		return error;
	note.created = !error;
	error = state_file_write(&note);
	if (!error)
		error = put_on(&note, 0, ingress);
	if (!error)
		error = put_on(&note, 1, egress);
	if (error) {
		take_off(&note, 0);
		if (note.created)
			clsact_release_qdisc(ifindex);
		state_file_remove(&note);
	}
	return error;
}

/* Calls undo() for the notes of this namespace that `chosen` picks. */
static void clean_up_state_files(bool (*chosen)(const struct note *note, unsigned int ifindex), unsigned int ifindex)
{
	DIR *directory = opendir(NOTES);
	unsigned long netns = net_namespace_own();
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		struct note note;

		if (state_file_read(&note, entry->d_name) && note.netns == netns && chosen(&note, ifindex))
			undo(&note);
	}
	closedir(directory);
}

static bool is_own(const struct note *note, unsigned int ifindex)
{
	return note->pid == (unsigned int)getpid() && note->ifindex == ifindex;
}

static bool is_dead(const struct note *note, unsigned int ifindex)
{
	(void)ifindex;
	return started_at(note->pid) != note->started;
}

void clsact_detach(unsigned int ifindex)
{
	clean_up_state_files(is_own, ifindex);
}

void clsact_clean_up(void)
{
	clean_up_state_files(is_dead, 0);
}
