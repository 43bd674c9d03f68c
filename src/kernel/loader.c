#include "src/kernel/loader.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cap-ng.h>

#include "core/fast_path.h"
#include "src/kernel/bpf_object.h"
#include "src/util/message.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define WITH_BTF " with BTF"

#define STATE_PROGRAM "socket_set_state"
/* Its second copy: what that misses, the first one did. */
#define STAND_BY "socket_set_state_again"
#define ERROR_PROGRAM "socket_error"
#define MOVES_PROGRAM "process_moves"

#define RING_BYTES_SMALLEST (1U << 20)
#define RING_BYTES_LARGEST (16U << 20)

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char line[1024];
	char *end;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, arguments);
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	message_detail("%s", line);
	return 0;
}

void loader_quieten_libbpf(void)
{
	libbpf_set_print(print_libbpf);
}

static unsigned long memory_megabytes(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 1024 : (unsigned long)((unsigned long long)info.totalram * info.mem_unit >> 20);
}

/* Larger than need be is slower too: each look-up then misses the CPU's cache. */
__u32 sized_for_machine(unsigned long per_gigabyte, __u32 smallest, __u32 largest)
{
	unsigned long wanted = memory_megabytes() * per_gigabyte / 1024;
	__u32 size = smallest;

	while (size < largest && size * 2UL <= wanted)
		size *= 2;
	return size;
}

/* From 6.1 on a table may grow as it fills: before, programs of this type deadlock in the allocator (ee53cbfb1ebf). */
static bool kernel_is_at_least(int major, int minor)
{
	struct utsname name;
	int is_major = 0, is_minor = 0;

	if (uname(&name) || sscanf(name.release, "%d.%d", &is_major, &is_minor) != 2)
		return false;
	return is_major > major || (is_major == major && is_minor >= minor);
}

/* The tracepoint inet_sk_error_report, from which a missed end is made good (e6a3e4434000). */
static bool errors_are_reported(void)
{
	return kernel_is_at_least(5, 14);
}

/* From 7.0 on every kernel is preemptible inside, and skips programs much more often. */
static bool stand_by_from_the_start(void)
{
	return !errors_are_reported() || kernel_is_at_least(7, 0);
}

static struct bpf_map *map_named(const struct loader *loader, const char *name)
{
	return bpf_object__find_map_by_name(loader->object, name);
}

static void size_table(const struct loader *loader, const char *name, __u32 entries, bool grows)
{
	struct bpf_map *map = map_named(loader, name);

	if (!map)
		return;
	bpf_map__set_max_entries(map, entries);
	if (grows && kernel_is_at_least(6, 1))
		bpf_map__set_map_flags(map, bpf_map__map_flags(map) | BPF_F_NO_PREALLOC);
}

/* cgroups(7): the unified hierarchy's line begins with "0::", and is the only one where version 1 is not in use. */
static bool cgroup_v1_is_used(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096];
	bool used = false;

	while (file && fgets(line, sizeof(line), file))
		used |= strncmp(line, "0::", 3);
	if (file)
		fclose(file);
	return used;
}

static void configure(const struct loader *loader, const struct loader_options *options)
{
	struct bpf_map *map = map_named(loader, ".rodata.config");
	__u32 ring_bytes = sized_for_machine(256UL << 10, RING_BYTES_SMALLEST, RING_BYTES_LARGEST);
	__u32 slots = sized_for_machine(256, 2048, NT_WAITING_SLOTS);
	struct nt_config config = {
		.own_netns = options->own_netns,
		.wire_enabled = !!(options->contexts & CONTEXT_WIRE),
		.follow_packets = options->every_packet,
		.open_events = options->reports_open,
		.wakeup_bytes = ring_bytes / 4,
		.slot_mask = slots - 1,
		.sockets_enabled = !!(options->contexts & CONTEXT_SOCKET),
		.cgroup_v1 = cgroup_v1_is_used(),
	};
	struct nt_filter filter;

	config.filters = record_filter_for_kernel(&filter, options->filter, options->contexts & CONTEXT_WIRE);
	bpf_map__set_initial_value(map_named(loader, ".rodata.filter"), &filter, sizeof(filter));
	bpf_map__set_initial_value(map, &config, sizeof(config));
	bpf_map__set_max_entries(map_named(loader, "events"), ring_bytes);
	size_table(loader, "slots", slots, false);
	size_table(loader, "sockets", sized_for_machine(8192, 32768, 1U << 20), true);
	size_table(loader, "established", sized_for_machine(8192, 32768, 1U << 20), true);
	size_table(loader, "half_open", sized_for_machine(1024, 8192, 1U << 17), true);
	size_table(loader, "half_open_overflow", sized_for_machine(512, 4096, 65536), false);
	if (options->every_packet)
		size_table(loader, "streams", sized_for_machine(8192, 32768, 1U << 18), false);
}

int loader_explain_failure(int error, const char *with)
{
	if (error == -EPERM || error == -EACCES) {
		message_error("cannot load programs into the kernel: not permitted; " LOADER_WHO_MAY);
		return EXIT_STATUS_PRIVILEGES;
	}
	message_error("cannot load programs into the kernel: %s; it must be Linux 5.10 or newer%s (-v says more)",
		      strerror(-error), with);
	return EXIT_STATUS_KERNEL;
}

static bool is_capable(unsigned int capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability);
}

/* To the kernel CAP_SYS_ADMIN is CAP_BPF and CAP_PERFMON too: capabilities(7). */
bool loader_may_load_programs(void)
{
	bool may_trace = is_capable(CAP_SYS_ADMIN) || (is_capable(CAP_BPF) && is_capable(CAP_PERFMON));

	return may_trace && is_capable(CAP_NET_ADMIN);
}

static int check_kernel(void)
{
	if (!loader_may_load_programs()) {
		message_error("cannot track connections: not permitted; " LOADER_WHO_MAY);
		return EXIT_STATUS_PRIVILEGES;
	}
	if (access(KERNEL_BTF, R_OK)) {
		message_error("cannot track connections: this kernel has no BTF (%s: %s); boot one built with "
			      "CONFIG_DEBUG_INFO_BTF", KERNEL_BTF, strerror(errno));
		return EXIT_STATUS_KERNEL;
	}
	return EXIT_STATUS_DONE;
}

static int fd_of_map(const struct loader *loader, const char *name)
{
	struct bpf_map *map = map_named(loader, name);

	return map ? bpf_map__fd(map) : -1;
}

static struct bpf_object *open_object(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "netracker");

	return bpf_object__open_mem(netracker_bpf_object, netracker_bpf_object_end - netracker_bpf_object, &options);
}

static bool is_plain(const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	return !strcmp(name, "wire_ingress_plain") || !strcmp(name, "wire_egress_plain");
}

static bool is_iterator(const struct bpf_program *program)
{
	return bpf_program__expected_attach_type(program) == BPF_TRACE_ITER;
}

static bool is_for_ethernet(const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	if (!errors_are_reported() && !strcmp(name, ERROR_PROGRAM))
		return false;
	if (!cgroup_v1_is_used() && !strcmp(name, MOVES_PROGRAM))
		return false;
	return !is_plain(program);
}

static void choose_programs(struct bpf_object *object, bool (*is_chosen)(const struct bpf_program *program))
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, is_chosen(program));
}

static int map_memory(struct loader *loader)
{
	void *shared = mmap(NULL, sizeof(*loader->shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd_of_map(loader, ".bss"), 0);

	if (shared == MAP_FAILED)
		return -errno;
	loader->shared = shared;
	return slots_map(&loader->slots, fd_of_map(loader, "slots"), bpf_map__max_entries(map_named(loader, "slots")));
}

int loader_open(struct loader *loader, const struct loader_options *options)
{
	int status, error;

	memset(loader, 0, sizeof(*loader));
	loader_quieten_libbpf();
	status = check_kernel();
	if (status != EXIT_STATUS_DONE)
		return status;
	loader->object = open_object();
	if (!loader->object)
		return loader_explain_failure(-errno, WITH_BTF);
	configure(loader, options);
	choose_programs(loader->object, options->scans_only ? is_iterator : is_for_ethernet);
	error = bpf_object__load(loader->object);
	if (error)
		return loader_explain_failure(error, WITH_BTF);
	malloc_trim(0); /* the kernel's BTF took megabytes */
	loader->cpus = libbpf_num_possible_cpus();
	loader->events_fd = fd_of_map(loader, "events");
	loader->counters_fd = fd_of_map(loader, "counters");
	loader->sockets_fd = fd_of_map(loader, "sockets");
	loader->half_open_fd = fd_of_map(loader, "half_open");
	loader->overflow_fd = fd_of_map(loader, "half_open_overflow");
	loader->established_fd = fd_of_map(loader, "established");
	loader->streams_fd = fd_of_map(loader, "streams");
	loader->waiting_fd = fd_of_map(loader, "waiting");
	error = map_memory(loader);
	return error ? loader_explain_failure(error, WITH_BTF) : EXIT_STATUS_DONE;
}

struct bpf_program *loader_program(const struct loader *loader, const char *name)
{
	return bpf_object__find_program_by_name(loader->object, name);
}

static int share_tables(struct bpf_object *object, const struct bpf_object *of)
{
	struct bpf_map *map;
	int error = 0;

	bpf_object__for_each_map(map, object) {
		const struct bpf_map *shared = bpf_object__find_map_by_name(of, bpf_map__name(map));

		if (!error && shared)
			error = bpf_map__reuse_fd(map, bpf_map__fd(shared));
	}
	return error;
}

static void load_plain(struct loader *loader)
{
	struct bpf_object *object = open_object();

	if (!object)
		return;
	choose_programs(object, is_plain);
	if (share_tables(object, loader->object) || bpf_object__load(object))
		bpf_object__close(object);
	else
		loader->plain_object = object;
}

struct bpf_program *loader_wire_program(struct loader *loader, bool leaving, bool has_ethernet_header)
{
	if (has_ethernet_header)
		return loader_program(loader, leaving ? "wire_egress" : "wire_ingress");
	if (!loader->plain_object)
		load_plain(loader);
	if (!loader->plain_object)
		return NULL;
	return bpf_object__find_program_by_name(loader->plain_object, leaving ? "wire_egress_plain" : "wire_ingress_plain");
}

static int attach_program(struct loader *loader, const char *name)
{
	struct bpf_link *link = bpf_program__attach(loader_program(loader, name));

	if (!link) {
		message_error("cannot attach %s: %s; the kernel lacks what it needs (-v says more)", name, strerror(errno));
		return EXIT_STATUS_KERNEL;
	}
	loader->links[loader->link_count++] = link;
	return EXIT_STATUS_DONE;
}

int loader_attach_sockets(struct loader *loader)
{
	static const char *const names[] = {"socket_destroy", "socket_receive", "socket_receive_reset",
					     "socket_send_reset"};
	int status = EXIT_STATUS_DONE;
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(*names) && status == EXIT_STATUS_DONE; i++)
		status = attach_program(loader, names[i]);
	if (status == EXIT_STATUS_DONE && errors_are_reported())
		status = attach_program(loader, ERROR_PROGRAM);
	if (status == EXIT_STATUS_DONE && bpf_program__autoload(loader_program(loader, MOVES_PROGRAM)))
		status = attach_program(loader, MOVES_PROGRAM);
	/* begins the entries that the others complete: what it sees the start of they see too */
	if (status == EXIT_STATUS_DONE)
		status = attach_program(loader, STATE_PROGRAM);
	loader->stand_by = stand_by_from_the_start();
	if (status == EXIT_STATUS_DONE && loader->stand_by)
		status = attach_program(loader, STAND_BY);
	return status;
}

static __u64 misses_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length))
		return 0;
	return info.recursion_misses;
}

void loader_watch_misses(struct loader *loader)
{
	if (loader->stand_by || !misses_of(loader_program(loader, STATE_PROGRAM)))
		return;
	loader->stand_by = true;
	message_detail("the kernel skipped our program on a CPU where it ran already: its stand-by is attached");
	attach_program(loader, STAND_BY);
}

void loader_end(struct loader *loader)
{
	loader->shared->ended = 1;
}

void loader_detach(struct loader *loader)
{
	while (loader->link_count)
		bpf_link__destroy(loader->links[--loader->link_count]);
}

void loader_close(struct loader *loader)
{
	loader_detach(loader);
	if (loader->shared)
		munmap((void *)loader->shared, sizeof(*loader->shared));
	loader->shared = NULL;
	slots_unmap(&loader->slots);
	bpf_object__close(loader->plain_object);
	bpf_object__close(loader->object);
	loader->plain_object = loader->object = NULL;
}

void loader_counters(const struct loader *loader, __u64 counters[NT_COUNTERS])
{
	__u64 *values = calloc(loader->cpus, sizeof(*values));
	__u32 counter;
	int cpu;

	memset(counters, 0, NT_COUNTERS * sizeof(*counters));
	for (counter = 0; values && counter < NT_COUNTERS; counter++) {
		if (bpf_map_lookup_elem(loader->counters_fd, &counter, values))
			continue;
		for (cpu = 0; cpu < loader->cpus; cpu++)
			counters[counter] += values[cpu];
	}
	free(values);
}

/* The second copy may also have done what the first had done: that makes good nothing of what others missed. */
__u64 loader_recursion_misses(const struct loader *loader, __u64 caught)
{
	__u64 of_state = misses_of(loader_program(loader, STATE_PROGRAM)), misses = 0;
	struct bpf_program *program;

	bpf_object__for_each_program(program, loader->object)
		if (strcmp(bpf_program__name(program), STAND_BY))
			misses += misses_of(program);
	return misses - (caught < of_state ? caught : of_state);
}
