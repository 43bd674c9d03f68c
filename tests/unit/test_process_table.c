// SPDX-License-Identifier: GPL-2.0-or-later
/* src/record/process_table.c: descriptions of processes, their containers, and eviction. */
#include <stdlib.h>
#include <unistd.h>

#include "src/record/process_table.h"

#include "tests/unit/check.h"

#define CAPACITY 8
/* No process has such a pid: PID_MAX_LIMIT is 2^22. */
#define DEAD(n) ((1u << 22) + 1 + (n))

static struct nt_process_event process_event(__u32 pid)
{
	struct nt_process_event event = {
		.process = { .start_ns = 5, .cgroup_id = 6, .pid = pid, .exec_id = 7 },
		.executable = { .count = 2, .known = 1, .component = { "curl", "bin" } },
		.cgroup = { .count = 0, .known = 1 },
	};

	return event;
}

static void add(struct process_table *table, __u32 pid)
{
	struct nt_process_event event = process_event(pid);

	process_table_add_long(table, &event);
}

static const struct process *find(struct process_table *table, __u32 pid)
{
	struct nt_process_event event = process_event(pid);

	return process_table_find(table, &event.process);
}

/* A pid alone does not identify a process. */
static void identity(void)
{
	struct process_table *table = process_table_new(CAPACITY);
	struct nt_process_event event = process_event(DEAD(0));
	struct nt_process_id other;

	CHECK(!find(table, DEAD(0)));
	add(table, DEAD(0));
	CHECK(find(table, DEAD(0)) != NULL);
	other = event.process;
	other.start_ns++; /* the pid was reused */
	CHECK(!process_table_find(table, &other));
	other = event.process;
	other.exec_id++; /* another program by execve() */
	CHECK(!process_table_find(table, &other));
	other = event.process;
	other.cgroup_id++; /* moved to another cgroup */
	CHECK(!process_table_find(table, &other));
	process_table_free(table);
	process_table_free(NULL);
}

static void check_paths(struct nt_path executable, const char *expected)
{
	struct process_table *table = process_table_new(1);
	struct nt_process_event event = process_event(DEAD(0));
	const struct process *process;

	event.executable = executable;
	event.cgroup = executable;
	process_table_add_long(table, &event);
	process = find(table, DEAD(0));
	CHECK_EQUAL(!process->executable, !expected);
	CHECK_EQUAL(!process->cgroup, !expected);
	if (expected && process->executable && process->cgroup) {
		CHECK_STRING(process->executable, expected);
		CHECK_STRING(process->cgroup, expected);
	}
	process_table_free(table);
}

/* Components come from the last to the first. */
static void paths(void)
{
	struct nt_path path = { .known = 1 };
	int i;

	check_paths(path, "/");
	path = (struct nt_path){ .count = 3, .known = 1, .component = { "nginx", "sbin", "usr" } };
	check_paths(path, "/usr/sbin/nginx");
	path.known = 0;
	check_paths(path, NULL);
	path = (struct nt_path){ .count = 1, .known = 1, .component = { "\x1b[2J\n\xff\"\\" } };
	check_paths(path, "/\x1b[2J\n\xff\"\\"); /* sinks escape */
	path = (struct nt_path){ .count = NT_PATH_COMPONENTS + 1, .known = 1 };
	check_paths(path, NULL);

	/* Cut by the kernel side, or without NUL: unknown, rather than wrong. */
	path = (struct nt_path){ .count = 2, .known = 1, .component = { "short" } };
	memset(path.component[1], 'x', NT_PATH_COMPONENT_SIZE);
	check_paths(path, NULL);
	path.component[1][NT_PATH_COMPONENT_SIZE - 1] = '\0';
	check_paths(path, NULL);

	path = (struct nt_path){ .count = NT_PATH_COMPONENTS, .known = 1 };
	for (i = 0; i < NT_PATH_COMPONENTS; i++)
		memset(path.component[i], 'a' + i, NT_PATH_COMPONENT_SIZE - 2);
	{
		char longest[NT_PATH_COMPONENTS * (NT_PATH_COMPONENT_SIZE - 1) + 1], *end = longest;

		for (i = NT_PATH_COMPONENTS - 1; i >= 0; i--) {
			*end++ = '/';
			memset(end, 'a' + i, NT_PATH_COMPONENT_SIZE - 2);
			end += NT_PATH_COMPONENT_SIZE - 2;
		}
		*end = '\0';
		check_paths(path, longest);
	}
}

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
#define OTHER64 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

/* Names by Docker, Podman, containerd, CRI-O and the kubelet, with the cgroup drivers systemd and cgroupfs. */
static const struct {
	const char *cgroup, *container;
} containers[] = {
	{ "/", "" },
	{ "/system.slice/nginx.service", "" },
	{ "/docker/" HEX64, HEX64 },
	{ "/system.slice/docker-" HEX64 ".scope", HEX64 },
	{ "/docker/" HEX64 "/system.slice/nginx.service", HEX64 }, /* systemd in a container */
	{ "/machine.slice/libpod-" HEX64 ".scope", HEX64 },
	{ "/machine.slice/libpod-" HEX64 ".scope/container", HEX64 },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" HEX64 ".scope/container", HEX64 },
	{ "/libpod_parent/libpod-" HEX64, HEX64 },
	{ "/machine.slice/libpod-conmon-" HEX64 ".scope", "" }, /* the monitor */
	{ "/machine.slice/crio-conmon-" HEX64 ".scope", "" },
	{ "/docker/" OTHER64 "/machine.slice/libpod-conmon-" HEX64 ".scope", OTHER64 },
	{ "/kubepods.slice/kubepods-burstable.slice/"
	  "kubepods-burstable-pod0b1ac1a5_2d2a_4f0b_9d3e_6d6bb5b0a5f1.slice/cri-containerd-" HEX64 ".scope",
	  HEX64 },
	{ "/kubepods.slice/kubepods-pod0b1ac1a5_2d2a_4f0b_9d3e_6d6bb5b0a5f1.slice/crio-" HEX64 ".scope", HEX64 },
	{ "/kubepods/burstable/pod0b1ac1a5-2d2a-4f0b-9d3e-6d6bb5b0a5f1/" HEX64, HEX64 },
	{ "/system.slice/containerd.service/kubepods-besteffort-pod0b1ac1a5.slice:cri-containerd:" HEX64, HEX64 },
	{ "/ecs/0123456789abcdef0123456789abcdef/" HEX64, HEX64 },
	{ "/docker/" OTHER64 "/docker/" HEX64, HEX64 }, /* nested: the inner one */
	{ "/lxc.payload.web", "" },
	{ "/machine.slice/systemd-nspawn@web.service/payload", "" },
	{ "/default/redis", "" }, /* `ctr run` */
	{ "/x/" HEX64 "0", "" },  /* 65 digits are no id */
	{ "/x/" HEX64 "g", "" },
	{ "/x/g" HEX64, "" },
	{ "/x/0123456789abcdef", "" },
	{ "/process_api/0123456789abcdef0123456789abcdef", "" },
};

/* Stores the last component first, as the kernel side does. */
static struct nt_path path_of(const char *text)
{
	struct nt_path path = { .known = 1 };
	const char *end = text + strlen(text);

	while (end > text + 1) {
		const char *slash = memrchr(text, '/', end - text);

		memcpy(path.component[path.count++], slash + 1, end - slash - 1);
		end = slash;
	}
	return path;
}

static void check_container(const struct nt_path *cgroup, const char *container)
{
	struct process_table *table = process_table_new(1);
	struct nt_process_event event = process_event(DEAD(0));

	event.cgroup = *cgroup;
	process_table_add_long(table, &event);
	CHECK_STRING(find(table, DEAD(0))->container, container);
	process_table_free(table);
}

static void container_ids(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
		struct nt_path path = path_of(containers[i].cgroup);

		check_container(&path, containers[i].container);
	}
}

/* A path that is known only in part may still name the container. */
static void containers_of_partial_paths(void)
{
	struct nt_path path = path_of("/x/docker/" HEX64);

	memset(path.component[2], 'x', NT_PATH_COMPONENT_SIZE - 1); /* cut by the kernel side */
	check_container(&path, HEX64);
	path = path_of("/docker/" HEX64);
	path.count = NT_PATH_COMPONENTS; /* and more components above */
	path.known = 0;
	check_container(&path, HEX64);

	path = path_of("/docker/x");
	memset(path.component[0], 'x', NT_PATH_COMPONENT_SIZE - 1);
	memcpy(path.component[0] + NT_PATH_COMPONENT_SIZE - 2 - 64, "-" HEX64, 65); /* may continue after the cut */
	check_container(&path, "");
	path.component[0][NT_PATH_COMPONENT_SIZE - 1] = 'x'; /* no NUL at all */
	check_container(&path, "");
	path.count = 100;
	check_container(&path, "");
}

static void least_recently_used_is_evicted(void)
{
	struct process_table *table = process_table_new(CAPACITY);
	unsigned int i;

	for (i = 0; i < CAPACITY; i++)
		add(table, DEAD(i));
	CHECK(find(table, DEAD(0)) != NULL); /* used just now */
	add(table, DEAD(1));                 /* a new description counts as use */
	add(table, DEAD(100));
	add(table, DEAD(101));
	CHECK(find(table, DEAD(0)) && find(table, DEAD(1)) && find(table, DEAD(100)) && find(table, DEAD(101)));
	CHECK(!find(table, DEAD(2)) && !find(table, DEAD(3)));
	CHECK(find(table, DEAD(4)) != NULL);
	process_table_free(table);
}

/* A living process stays: its connection may end much later. */
static void living_process_stays(void)
{
	struct process_table *table = process_table_new(CAPACITY);
	unsigned int i;

	add(table, getpid());
	for (i = 0; i < 20 * CAPACITY; i++)
		add(table, DEAD(i));
	CHECK(find(table, getpid()) != NULL);
	CHECK(find(table, DEAD(20 * CAPACITY - 1)) != NULL);
	process_table_free(table);
}

/* If all processes are alive, a new one still replaces another. */
static void all_processes_live(void)
{
	struct process_table *table = process_table_new(2);
	struct nt_process_event event = process_event(getpid());

	for (event.process.exec_id = 0; event.process.exec_id < 10; event.process.exec_id++) {
		process_table_add_long(table, &event);
		CHECK(process_table_find(table, &event.process) != NULL);
	}
	process_table_free(table);
}

/* Names of a compact path follow each other; the last one may reach the end of the text. */
static void compact_paths(void)
{
	struct process_table *table = process_table_new(CAPACITY);
	struct nt_compact_process_event event = {
		.process = { .pid = 7 },
		.executable = { .count = 3, .known = 1, .text = "nginx\0sbin\0usr" },
		.cgroup = { .count = 2, .known = 1, .text = "docker-" HEX64 ".scope\0system.slice" },
	};
	const struct process *process;

	process_table_add(table, &event);
	process = process_table_find(table, &event.process);
	CHECK_STRING(process->executable, "/usr/sbin/nginx");
	CHECK_STRING(process->cgroup, "/system.slice/docker-" HEX64 ".scope");
	CHECK_STRING(process->container, HEX64);

	event.process.pid = 8;
	event.executable.known = 0;
	event.cgroup.count = 0; /* the root */
	process_table_add(table, &event);
	process = process_table_find(table, &event.process);
	CHECK(!process->executable);
	CHECK_STRING(process->cgroup, "/");
	process_table_free(table);
}

/* A malformed event reads nothing beyond its text. */
static void compact_path_without_end(void)
{
	struct process_table *table = process_table_new(CAPACITY);
	struct nt_compact_process_event *event = calloc(1, sizeof(*event));

	memset(event->cgroup.text, 'x', sizeof(event->cgroup.text));
	event->cgroup.known = event->executable.known = 1;
	event->cgroup.count = 2;
	event->executable.count = 1000;
	process_table_add(table, event);
	CHECK(!process_table_find(table, &event->process)->cgroup);
	CHECK(!process_table_find(table, &event->process)->executable);
	free(event);
	process_table_free(table);
}

int main(void)
{
	compact_paths();
	compact_path_without_end();
	identity();
	paths();
	container_ids();
	containers_of_partial_paths();
	least_recently_used_is_evicted();
	living_process_stays();
	all_processes_live();
	return check_finish();
}
