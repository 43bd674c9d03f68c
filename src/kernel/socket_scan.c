// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/socket_scan.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/kernel/namespace_names.h"
#include "src/util/message.h"

#define MAX_NAMESPACES 65536
#define PROC_PATH_SIZE 128 /* far more than any path of a task */
#define LINKS_OF_ONE_THREAD 3
#define INITIAL_PID_NAMESPACE 0xeffffffcU /* PROC_PID_INIT_INO, include/linux/proc_ns.h */
#define READ_BYTES 56                     /* the smallest ring buffer holds twice as many events of the largest size */

struct namespaces {
	ino_t *seen;
	unsigned int count;
};

/* The iterator programs write one byte for each socket that they report, and a read returns at most READ_BYTES bytes.
 * So the ring buffer is drained, between two reads, before it can be full. */
struct iteration {
	struct bpf_link *link;
	void (*drain)(void *context);
	void (*visit)(void *context, __u32 netns); /* NULL: nothing */
	void *context;
};

static bool is_seen(const struct namespaces *namespaces, ino_t inode)
{
	unsigned int i;

	for (i = 0; i < namespaces->count; i++)
		if (namespaces->seen[i] == inode)
			return true;
	return false;
}

static bool add_namespace(struct namespaces *namespaces, ino_t inode)
{
	ino_t *seen;

	if (is_seen(namespaces, inode) || namespaces->count == MAX_NAMESPACES)
		return false;
	seen = realloc(namespaces->seen, (namespaces->count + 1) * sizeof(*seen));
	if (!seen)
		return false;
	namespaces->seen = seen;
	seen[namespaces->count++] = inode;
	return true;
}

/* Reading an iterator runs its program for each socket or file. */
static void run_iterator(const struct iteration *iteration)
{
	char buffer[READ_BYTES];
	int fd = bpf_iter_create(bpf_link__fd(iteration->link));

	if (fd < 0) {
		message_detail("cannot scan the open sockets: %s", strerror(errno));
		return;
	}
	while (read(fd, buffer, sizeof(buffer)) > 0)
		iteration->drain(iteration->context);
	iteration->drain(iteration->context);
	close(fd);
}

/* This thread is in the namespace. */
static void scan_namespace(const struct iteration *iteration, ino_t inode)
{
	run_iterator(iteration);
	if (iteration->visit)
		iteration->visit(iteration->context, (__u32)inode);
}

static void run_in_namespace(struct namespaces *namespaces, const char *path, const struct iteration *iteration)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!fstat(fd, &status) && add_namespace(namespaces, status.st_ino) && !setns(fd, CLONE_NEWNET))
		scan_namespace(iteration, status.st_ino);
	close(fd);
}

static void run_in_named_namespaces(struct namespaces *namespaces, const struct iteration *iteration)
{
	DIR *directory = opendir(NAMED_NAMESPACES);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char path[512];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), NAMED_NAMESPACES "/%s", entry->d_name);
		run_in_namespace(namespaces, path, iteration);
	}
	if (directory)
		closedir(directory);
}

/* Runs in the namespaces of the tasks that a directory of /proc lists. */
static void run_in_namespaces_of_tasks(struct namespaces *namespaces, const char *tasks,
				       const struct iteration *iteration,
				       void (*add_more)(struct namespaces *namespaces, const char *task,
							const struct iteration *iteration))
{
	DIR *directory = opendir(tasks);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char task[PROC_PATH_SIZE], path[PROC_PATH_SIZE + sizeof("/ns/net")];
		struct stat status;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(task, sizeof(task), "%s/%.20s", tasks, entry->d_name);
		snprintf(path, sizeof(path), "%s/ns/net", task);
		if (!stat(path, &status) && !is_seen(namespaces, status.st_ino))
			run_in_namespace(namespaces, path, iteration);
		if (add_more)
			add_more(namespaces, task, iteration);
	}
	if (directory)
		closedir(directory);
}

/* A thread can be in another namespace than its process. The number of links of a process's directory of threads is
 * theirs and two more, so most processes cost one stat(). */
static void run_in_namespaces_of_threads(struct namespaces *namespaces, const char *process,
					 const struct iteration *iteration)
{
	char path[PROC_PATH_SIZE];
	struct stat status;

	snprintf(path, sizeof(path), "%s/task", process);
	if (!stat(path, &status) && status.st_nlink > LINKS_OF_ONE_THREAD)
		run_in_namespaces_of_tasks(namespaces, path, iteration, NULL);
}

static void run_in_namespaces_of_processes(struct namespaces *namespaces, const struct iteration *iteration)
{
	run_in_namespaces_of_tasks(namespaces, "/proc", iteration, run_in_namespaces_of_threads);
}

static void run_in_own_namespace(struct namespaces *namespaces, int own, const struct iteration *iteration)
{
	struct stat status = {};

	if (!fstat(own, &status))
		add_namespace(namespaces, status.st_ino);
	scan_namespace(iteration, status.st_ino);
}

static void run_in_other_namespaces(struct namespaces *namespaces, int own, const struct iteration *iteration)
{
	if (setns(own, CLONE_NEWNET)) {
		message_note("open sockets in other network namespaces are not scanned: %s; run netracker as root",
			     strerror(errno));
		return;
	}
	run_in_named_namespaces(namespaces, iteration);
	run_in_namespaces_of_processes(namespaces, iteration);
	if (setns(own, CLONE_NEWNET))
		message_error("cannot return to netracker's own network namespace: %s; start it again",
			      strerror(errno));
}

/* A socket iterator goes through the network namespace that the process is in when it creates the iterator. */
static void run_in_all_namespaces(const struct iteration *iteration)
{
	struct namespaces namespaces = {};
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (own < 0) {
		message_detail("cannot scan the open sockets: %s", strerror(errno));
		return;
	}
	run_in_own_namespace(&namespaces, own, iteration);
	run_in_other_namespaces(&namespaces, own, iteration);
	close(own);
	free(namespaces.seen);
}

static void run_program(struct loader *loader, enum loader_iterator iterator,
			void (*run)(const struct iteration *iteration), struct iteration iteration)
{
	iteration.link = bpf_program__attach_iter(loader_iterator_program(loader, iterator), NULL);
	if (iteration.link)
		run(&iteration);
	else
		message_detail("cannot scan the open sockets: %s", strerror(errno));
	bpf_link__destroy(iteration.link);
}

/* The iterator shows the processes of its reader's PID namespace only. */
static void report_unseen_processes(void)
{
	struct stat status;

	if (!stat("/proc/self/ns/pid", &status) && status.st_ino != INITIAL_PID_NAMESPACE)
		message_note(
			"netracker runs in a PID namespace of its own: the owners of connections are unknown where "
			"they are outside it; run it in the host's PID namespace to see them");
}

void socket_scan_existing(struct loader *loader, void (*drain)(void *context), void *context)
{
	const struct iteration iteration = { .drain = drain, .context = context };

	run_program(loader, ITERATOR_SOCKETS, run_in_all_namespaces, iteration);
	report_unseen_processes();
	run_program(loader, ITERATOR_OWNERS, run_iterator, iteration);
}

void socket_scan_report_open(struct loader *loader, void (*drain)(void *context), void *context)
{
	socket_scan_visit_open(loader, drain, NULL, context);
}

void socket_scan_visit_open(struct loader *loader, void (*drain)(void *context),
			    void (*visit)(void *context, __u32 netns), void *context)
{
	const struct iteration iteration = { .drain = drain, .visit = visit, .context = context };

	run_program(loader, ITERATOR_OPEN_SOCKETS, run_in_all_namespaces, iteration);
}

void socket_scan_report_listeners(struct loader *loader, void (*drain)(void *context), void *context)
{
	const struct iteration iteration = { .drain = drain, .context = context };

	run_program(loader, ITERATOR_LISTENERS, run_in_all_namespaces, iteration);
}
