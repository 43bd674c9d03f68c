#include "src/clsact.h"

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

#include "src/message.h"

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

static unsigned long own_netns(void)
{
	struct stat status;

	return stat("/proc/self/ns/net", &status) ? 0 : status.st_ino;
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

static void note_path(char *path, size_t size, const struct note *note)
{
	snprintf(path, size, NOTES "/%u-%llu-%lu-%u-%u-%u-%d", note->pid, note->started, note->netns, note->ifindex,
		 note->programs[0], note->programs[1], note->created);
}

static bool note_read(struct note *note, const char *name)
{
	return sscanf(name, "%u-%llu-%lu-%u-%u-%u-%d", &note->pid, &note->started, &note->netns, &note->ifindex,
		      &note->programs[0], &note->programs[1], &note->created) == 7;
}

static void note_leave(const struct note *note)
{
	char path[256];
	FILE *file;

	mkdir(NOTES, 0700);
	note_path(path, sizeof(path), note);
	file = fopen(path, "we");
	if (file)
		fclose(file);
	else
		message_note("cannot note what is attached in %s: %s; filters would stay behind if this process is killed",
			     NOTES, strerror(errno));
}

/* Takes our filter off, where it is still the one that the note speaks of. */
static void take_off(const struct note *note, int way)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = note->ifindex, .attach_point = points[way]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = note->pid, .priority = PRIORITY);

	if (bpf_tc_query(&hook, &filter) || filter.prog_id != note->programs[way])
		return;
	filter.prog_fd = filter.prog_id = filter.flags = 0;
	bpf_tc_detach(&hook, &filter);
}

static void undo(const struct note *note)
{
	char path[256];
	int way;

	for (way = 0; way < 2; way++)
		take_off(note, way);
	if (note->created && !has_filters(note->ifindex)) {
		LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = note->ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

		bpf_tc_hook_destroy(&hook);
	}
	note_path(path, sizeof(path), note);
	unlink(path);
}

static int put_on(struct note *note, int way, struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = note->ifindex, .attach_point = points[way]);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = note->pid, .priority = PRIORITY,
		    .prog_fd = bpf_program__fd(program));
	int error = bpf_tc_attach(&hook, &filter);

	note->programs[way] = filter.prog_id;
	return error;
}

int clsact_attach(unsigned int ifindex, struct bpf_program *ingress, struct bpf_program *egress)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct note note = {.pid = getpid(), .ifindex = ifindex, .netns = own_netns()};
	int error = bpf_tc_hook_create(&hook);

	if (error && error != -EEXIST)
		return error;
	note.started = started_at(note.pid);
	note.created = !error;
	error = put_on(&note, 0, ingress);
	if (!error)
		error = put_on(&note, 1, egress);
	if (error)
		undo(&note);
	else
		note_leave(&note);
	return error;
}

/* Calls undo() for the notes of this namespace that `chosen` picks. */
static void undo_notes(bool (*chosen)(const struct note *note, unsigned int ifindex), unsigned int ifindex)
{
	DIR *directory = opendir(NOTES);
	unsigned long netns = own_netns();
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		struct note note;

		if (note_read(&note, entry->d_name) && note.netns == netns && chosen(&note, ifindex))
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
	undo_notes(is_own, ifindex);
}

void clsact_clean_up(void)
{
	undo_notes(is_dead, 0);
	rmdir(NOTES); /* where it is empty */
}
