/* What is known of processes, and for how long. */
#include <stdlib.h>
#include <unistd.h>

#include "src/process_table.h"

#include "tests/unit/check.h"

#define CAPACITY 8
/* No process has such a number: PID_MAX_LIMIT is 2^22. */
#define DEAD(n) ((1u << 22) + 1 + (n))

static struct nt_process_event process_event(__u32 pid)
{
	struct nt_process_event event = {
		.process = {.start_ns = 5, .cgroup_id = 6, .pid = pid, .exec_id = 7},
		.executable = {.count = 2, .known = 1, .component = {"curl", "bin"}},
		.cgroup = {.count = 0, .known = 1},
	};

	return event;
}

static void add(struct process_table *table, __u32 pid)
{
	struct nt_process_event event = process_event(pid);

	process_table_add(table, &event);
}

static const struct process *find(struct process_table *table, __u32 pid)
{
	struct nt_process_event event = process_event(pid);

	return process_table_find(table, &event.process);
}

/* A pid alone does not tell a process. */
static void identity(void)
{
	struct process_table *table = process_table_new(CAPACITY);
	struct nt_process_event event = process_event(DEAD(0));
	struct nt_process_id other;

	CHECK(!find(table, DEAD(0)));
	add(table, DEAD(0));
	CHECK(find(table, DEAD(0)) != NULL);
	other = event.process;
	other.start_ns++; /* the number was given again */
	CHECK(!process_table_find(table, &other));
	other = event.process;
	other.exec_id++; /* another program by execve() */
	CHECK(!process_table_find(table, &other));
	other = event.process;
	other.cgroup_id++; /* moved */
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
	process_table_add(table, &event);
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
	struct nt_path path = {.known = 1};
	int i;

	check_paths(path, "/");
	path = (struct nt_path){.count = 3, .known = 1, .component = {"nginx", "sbin", "usr"}};
	check_paths(path, "/usr/sbin/nginx");
	path.known = 0;
	check_paths(path, NULL);
	path = (struct nt_path){.count = 1, .known = 1, .component = {"\x1b[2J\n\xff\"\\"}};
	check_paths(path, "/\x1b[2J\n\xff\"\\"); /* sinks escape */
	path = (struct nt_path){.count = NT_PATH_COMPONENTS + 1, .known = 1};
	check_paths(path, NULL);

	/* cut by the kernel side, or not ended at all: not known, rather than wrong */
	path = (struct nt_path){.count = 2, .known = 1, .component = {"short"}};
	memset(path.component[1], 'x', NT_PATH_COMPONENT_SIZE);
	check_paths(path, NULL);
	path.component[1][NT_PATH_COMPONENT_SIZE - 1] = '\0';
	check_paths(path, NULL);

	path = (struct nt_path){.count = NT_PATH_COMPONENTS, .known = 1};
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

/* As Docker, Podman, containerd and CRI-O name them, with cgroup drivers systemd and cgroupfs. */
static const struct {
	const char *cgroup, *container;
} containers[] = {
	{"/", ""},
	{"", ""},
	{"/system.slice/nginx.service", ""},
	{"/docker/" HEX64, HEX64},
	{"/system.slice/docker-" HEX64 ".scope", HEX64},
	{"/machine.slice/libpod-" HEX64 ".scope/container", HEX64},
	{"/kubepods.slice/kubepods-burstable.slice/cri-containerd-" HEX64 ".scope", HEX64},
	{"/kubepods/burstable/pod0b1ac1a5-2d2a-4f0b-9d3e-6d6bb5b0a5f1/" HEX64, HEX64},
	{"/docker/" OTHER64 "/docker/" HEX64, HEX64}, /* one in another: the inner */
	{"/x/" HEX64 "0", ""},                        /* 65 digits are no id */
	{"/x/0123456789abcdef", ""},
};

static void container_ids(void)
{
	char container[NT_CONTAINER_SIZE];
	unsigned int i;

	for (i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
		memset(container, 'x', sizeof(container));
		container_of_cgroup(container, containers[i].cgroup);
		CHECK_STRING(container, containers[i].container);
	}
}

static void the_longest_unused_gives_way(void)
{
	struct process_table *table = process_table_new(CAPACITY);
	unsigned int i;

	for (i = 0; i < CAPACITY; i++)
		add(table, DEAD(i));
	CHECK(find(table, DEAD(0)) != NULL); /* used just now */
	add(table, DEAD(1));                 /* described again: also in use */
	add(table, DEAD(100));
	add(table, DEAD(101));
	CHECK(find(table, DEAD(0)) && find(table, DEAD(1)) && find(table, DEAD(100)) && find(table, DEAD(101)));
	CHECK(!find(table, DEAD(2)) && !find(table, DEAD(3)));
	CHECK(find(table, DEAD(4)) != NULL);
	process_table_free(table);
}

/* Its connection may end long after. */
static void a_living_process_stays(void)
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

/* Even where all live on, a new one finds room. */
static void all_live(void)
{
	struct process_table *table = process_table_new(2);
	struct nt_process_event event = process_event(getpid());

	for (event.process.exec_id = 0; event.process.exec_id < 10; event.process.exec_id++) {
		process_table_add(table, &event);
		CHECK(process_table_find(table, &event.process) != NULL);
	}
	process_table_free(table);
}

int main(void)
{
	identity();
	paths();
	container_ids();
	the_longest_unused_gives_way();
	a_living_process_stays();
	all_live();
	return check_finish();
}
