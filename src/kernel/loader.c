// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/loader.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cap-ng.h>

#include "core/fast_path.h"
#include "src/kernel/net_namespace.h"
#include "src/util/message.h"

/* bpftool generates it. A test builds this file with the skeleton of another object that has the same maps and
 * programs. */
#ifndef NETRACKER_SKELETON
#define NETRACKER_SKELETON "netracker.skel.h"
#endif
#include NETRACKER_SKELETON

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define WITH_BTF " with BTF"

#define LEAST_DESCRIPTORS 128 /* the programs, tables and links take up to 100 */
#define LIBBPF_LINES 5        /* printed of one message of libbpf */
#define RING_BYTES_SMALLEST (1U << 20)
#define RING_BYTES_LARGEST (16U << 20)

/* Returns the beginning of the last lines of a text: the verifier's log ends with the reason, after thousands of lines.
 */
static char *find_last_lines(char *text, unsigned int lines)
{
	char *at = text + strlen(text);

	for (; at > text; at--)
		if (at[-1] == '\n' && *at && !--lines)
			break;
	return at;
}

static int print_libbpf_message(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *text, *line, *rest;

	if (level == LIBBPF_DEBUG || vasprintf(&text, format, arguments) < 0)
		return 0;
	for (line = strtok_r(find_last_lines(text, LIBBPF_LINES), "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		message_detail("%s", line);
	free(text);
	return 0;
}

void loader_quieten_libbpf(void)
{
	libbpf_set_print(print_libbpf_message);
}

static unsigned long memory_megabytes(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 1024 : (unsigned long)((unsigned long long)info.totalram * info.mem_unit >> 20);
}

/* A table that is larger than needed is slower, too: each look-up then misses the CPU's cache. */
__u32 sized_for_machine(unsigned long per_gigabyte, __u32 smallest, __u32 largest)
{
	unsigned long wanted = memory_megabytes() * per_gigabyte / 1024;
	__u32 size = smallest;

	while (size < largest && size * 2UL <= wanted)
		size *= 2;
	return size;
}

static void size_table(struct bpf_map *map, __u32 entries, bool grows)
{
	bpf_map__set_max_entries(map, entries);
	if (grows)
		bpf_map__set_map_flags(map, bpf_map__map_flags(map) | BPF_F_NO_PREALLOC);
}

static void size_fair_table(struct netracker_bpf *skeleton, struct bpf_map *map, enum nt_fair_table table,
			    __u32 entries, bool grows)
{
	size_table(map, entries, grows);
	skeleton->rodata_config->config.table_size[table] = entries;
}

static void size_tables(struct loader *loader, const struct loader_options *options, __u32 ring_bytes, __u32 slots)
{
	struct netracker_bpf *skeleton = loader->skeleton;
	bool grows = loader->features.tables_may_grow;

	loader->socket_capacity = sized_for_machine(8192, 32768, 1U << 20);
	bpf_map__set_max_entries(skeleton->maps.events, ring_bytes);
	size_table(skeleton->maps.slots, slots, false);
	size_fair_table(skeleton, skeleton->maps.sockets, NT_FAIR_SOCKETS, loader->socket_capacity, grows);
	size_fair_table(skeleton, skeleton->maps.established, NT_FAIR_ESTABLISHED,
			sized_for_machine(8192, 32768, 1U << 20), grows);
	size_fair_table(skeleton, skeleton->maps.half_open, NT_FAIR_HALF_OPEN, sized_for_machine(1024, 8192, 1U << 17),
			grows);
	size_table(skeleton->maps.half_open_overflow, sized_for_machine(512, 4096, 65536), false);
	size_table(skeleton->maps.translations, sized_for_machine(4096, 16384, 1U << 19), grows);
	size_table(skeleton->maps.translations_back, sized_for_machine(4096, 16384, 1U << 19), grows);
	if (options->every_packet)
		size_table(skeleton->maps.streams, sized_for_machine(8192, 32768, 1U << 18), false);
}

static void configure(struct loader *loader, const struct loader_options *options)
{
	__u32 ring_bytes = sized_for_machine(256UL << 10, RING_BYTES_SMALLEST, RING_BYTES_LARGEST);
	__u32 slots = sized_for_machine(256, 2048, NT_FAST_PATH_SLOTS);
	struct netracker_bpf *skeleton = loader->skeleton;

	skeleton->rodata_config->config = (struct nt_config){
		.own_netns = options->own_netns,
		.wire_enabled = !!(options->contexts & CONTEXT_WIRE),
		.follow_packets = options->every_packet,
		.open_events = options->reports_open,
		.wakeup_bytes = ring_bytes / 4,
		.slot_mask = slots - 1,
		.sockets_enabled = !!(options->contexts & CONTEXT_SOCKET),
		.cgroup_v1 = loader->features.has_cgroup_v1,
		.listeners_only = options->listeners_only,
		.share_multiplier = shares_choose_multiplier(),
	};
	skeleton->rodata_config->config.filters = filter_for_kernel(&skeleton->rodata_filter->wanted, options->filter,
								    options->contexts & CONTEXT_WIRE);
	size_tables(loader, options, ring_bytes, slots);
}

/* Each watched interface takes two descriptors, and the usual soft limit is 1,024. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		message_detail("cannot raise the limit of open files: %s", strerror(errno));
}

unsigned long long loader_descriptor_limit(void)
{
	struct rlimit limit = { 0 };

	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

int loader_explain_failure(int error, const char *with)
{
	if (error == -EMFILE) {
		message_error("cannot load the BPF programs: too many open files: the limit is %llu; raise it to %d or "
			      "more with ulimit -n",
			      loader_descriptor_limit(), LEAST_DESCRIPTORS);
		return EXIT_STATUS_BROKEN;
	}
	if (error == -EPERM) {
		message_error("cannot load the BPF programs: not permitted; " LOADER_PRIVILEGES);
		return EXIT_STATUS_PRIVILEGES;
	}
	/* This is not for lack of privileges: loader_may_load_programs() was called before. */
	if (error == -EACCES) {
		message_error("cannot load the BPF programs: the kernel's verifier or a security module refuses them; "
			      "-v shows why: please report it");
		return EXIT_STATUS_KERNEL;
	}
	if (error == -ENOMEM) {
		message_error("cannot load the BPF programs: out of memory; free some memory and try again");
		return EXIT_STATUS_BROKEN;
	}
	message_error("cannot load the BPF programs: %s; they need Linux 5.10 or newer%s (-v shows details)",
		      strerror(-error), with);
	return EXIT_STATUS_KERNEL;
}

static bool is_capable(unsigned int capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability);
}

/* CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON: capabilities(7). */
bool loader_may_load_programs(void)
{
	bool may_trace = is_capable(CAP_SYS_ADMIN) || (is_capable(CAP_BPF) && is_capable(CAP_PERFMON));

	return may_trace && is_capable(CAP_NET_ADMIN);
}

static int check_kernel(void)
{
	if (!loader_may_load_programs()) {
		message_error("cannot track connections: not permitted; " LOADER_PRIVILEGES);
		return EXIT_STATUS_PRIVILEGES;
	}
	if (access(KERNEL_BTF, R_OK)) {
		message_error("cannot track connections: this kernel has no BTF (%s: %s); boot one built with "
			      "CONFIG_DEBUG_INFO_BTF",
			      KERNEL_BTF, strerror(errno));
		return EXIT_STATUS_KERNEL;
	}
	return net_namespace_check_proc("track connections");
}

static struct netracker_bpf *open_skeleton(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "netracker");

	return netracker_bpf__open_opts(&options);
}

static bool is_plain(const struct netracker_bpf *skeleton, const struct bpf_program *program)
{
	return program == skeleton->progs.wire_ingress_plain || program == skeleton->progs.wire_egress_plain;
}

/* Those of packets are of the wire context, those that trace of the socket context; iterators are of both. The kernel's check
 * of programs that are not attached would take most of the time of a start. */
static bool is_of_context(const struct bpf_program *program, unsigned int contexts)
{
	if (bpf_program__type(program) == BPF_PROG_TYPE_SCHED_CLS)
		return contexts & CONTEXT_WIRE;
	return bpf_program__expected_attach_type(program) == BPF_TRACE_ITER || contexts & CONTEXT_SOCKET;
}

static bool is_program_needed(const struct loader *loader, const struct bpf_program *program, unsigned int contexts)
{
	const struct netracker_bpf *skeleton = loader->skeleton;

	if (!is_of_context(program, contexts))
		return false;
	if (program == skeleton->progs.socket_error)
		return loader->features.reports_socket_errors;
	if (program == skeleton->progs.process_moves)
		return loader->features.has_cgroup_v1;
	if (program == skeleton->progs.report_listeners)
		return false;
	return !is_plain(skeleton, program);
}

static void choose_programs(const struct loader *loader, const struct loader_options *options)
{
	struct bpf_program *program;

	bpf_object__for_each_program (program, loader->skeleton->obj) {
		bool iterates = bpf_program__expected_attach_type(program) == BPF_TRACE_ITER;

		bpf_program__set_autoload(program, options->scans_only ?
							   iterates :
							   is_program_needed(loader, program, options->contexts));
	}
}

static int fill_handles(struct loader *loader)
{
	const struct netracker_bpf *skeleton = loader->skeleton;
	int error;

	loader->cpus = libbpf_num_possible_cpus();
	loader->cpu_values = calloc(loader->cpus, sizeof(*loader->cpu_values));
	loader->shared = &skeleton->bss->shared;
	loader->events_fd = bpf_map__fd(skeleton->maps.events);
	loader->counters_fd = bpf_map__fd(skeleton->maps.counters);
	loader->sockets_fd = bpf_map__fd(skeleton->maps.sockets);
	loader->half_open_fd = bpf_map__fd(skeleton->maps.half_open);
	loader->overflow_fd = bpf_map__fd(skeleton->maps.half_open_overflow);
	loader->established_fd = bpf_map__fd(skeleton->maps.established);
	loader->streams_fd = bpf_map__fd(skeleton->maps.streams);
	loader->translations_fd = bpf_map__fd(skeleton->maps.translations);
	loader->translations_back_fd = bpf_map__fd(skeleton->maps.translations_back);
	loader->waiting_fd = bpf_map__fd(skeleton->maps.waiting);
	loader->published_fd = bpf_map__fd(skeleton->maps.published);
	error = shares_map(&loader->shares, bpf_map__fd(skeleton->maps.shares));
	if (error)
		return error;
	return slots_map(&loader->slots, bpf_map__fd(skeleton->maps.slots), bpf_map__max_entries(skeleton->maps.slots));
}

int loader_open(struct loader *loader, const struct loader_options *options)
{
	int status, error;

	memset(loader, 0, sizeof(*loader));
	loader_quieten_libbpf();
	raise_descriptor_limit();
	status = check_kernel();
	if (status != EXIT_STATUS_DONE)
		return status;
	if (loader_descriptor_limit() < LEAST_DESCRIPTORS)
		return loader_explain_failure(-EMFILE, WITH_BTF);
	kernel_features_probe(&loader->features);
	loader->skeleton = open_skeleton();
	if (!loader->skeleton)
		return loader_explain_failure(-errno, WITH_BTF);
	configure(loader, options);
	choose_programs(loader, options);
	error = netracker_bpf__load(loader->skeleton);
	if (!error)
		error = fill_handles(loader);
	malloc_trim(0); /* gives back the megabytes that the kernel's BTF took */
	if (!error && !loader->cpu_values) {
		message_error("cannot start: out of memory; free some memory and try again");
		return EXIT_STATUS_BROKEN;
	}
	return error ? loader_explain_failure(error, WITH_BTF) : EXIT_STATUS_DONE;
}

struct bpf_program *loader_iterator_program(const struct loader *loader, enum loader_iterator iterator)
{
	switch (iterator) {
	case ITERATOR_SOCKETS:
		return loader->skeleton->progs.scan_sockets;
	case ITERATOR_OWNERS:
		return loader->skeleton->progs.scan_owners;
	case ITERATOR_OPEN_SOCKETS:
		return loader->skeleton->progs.report_open_sockets;
	case ITERATOR_LISTENERS:
		return loader->skeleton->progs.report_listeners;
	}
	return NULL;
}

/* Both skeletons are of the same object, so their maps are in the same order. */
static int share_tables(struct netracker_bpf *skeleton, const struct netracker_bpf *with)
{
	struct bpf_map *map, *shared = NULL;
	int error = 0;

	bpf_object__for_each_map (map, skeleton->obj) {
		shared = bpf_object__next_map(with->obj, shared);
		if (!error)
			error = bpf_map__reuse_fd(map, bpf_map__fd(shared));
	}
	return error;
}

static void load_plain(struct loader *loader)
{
	struct netracker_bpf *plain = open_skeleton();
	struct bpf_program *program;

	if (!plain)
		return;
	bpf_object__for_each_program (program, plain->obj)
		bpf_program__set_autoload(program, is_plain(plain, program));
	if (share_tables(plain, loader->skeleton) || netracker_bpf__load(plain))
		netracker_bpf__destroy(plain);
	else
		loader->plain = plain;
}

struct bpf_program *loader_wire_program(struct loader *loader, bool egress, bool has_ethernet_header)
{
	if (has_ethernet_header)
		return egress ? loader->skeleton->progs.wire_egress : loader->skeleton->progs.wire_ingress;
	if (!loader->plain)
		load_plain(loader);
	if (!loader->plain)
		return NULL;
	return egress ? loader->plain->progs.wire_egress_plain : loader->plain->progs.wire_ingress_plain;
}

static int attach_program(struct loader *loader, struct bpf_program *program)
{
	struct bpf_link *link = bpf_program__attach(program);

	if (!link && errno == EMFILE)
		return loader_explain_failure(-EMFILE, WITH_BTF);
	if (!link) {
		message_error(
			"cannot attach the BPF program %s: %s; it needs Linux 5.10 or newer with BTF (-v shows details)",
			bpf_program__name(program), strerror(errno));
		return EXIT_STATUS_KERNEL;
	}
	loader->links[loader->link_count++] = link;
	return EXIT_STATUS_DONE;
}

/* socket_set_state is attached last: it creates the entries that the other programs complete, so they miss no event of
 * an entry. Its stand-by program does the work of skipped calls. It is attached at once if the kernel is preemptible,
 * since skips are frequent then, and if the kernel does not report socket errors, because a missed close cannot always
 * be reported later without them. */
int loader_attach_sockets(struct loader *loader)
{
	const struct kernel_features *features = &loader->features;
	struct bpf_program *const programs[] = {
		loader->skeleton->progs.socket_destroy,
		loader->skeleton->progs.socket_receive,
		loader->skeleton->progs.socket_receive_reset,
		loader->skeleton->progs.socket_send_reset,
		loader->skeleton->progs.process_exits,
		features->reports_socket_errors ? loader->skeleton->progs.socket_error : NULL,
		features->has_cgroup_v1 ? loader->skeleton->progs.process_moves : NULL,
		loader->skeleton->progs.socket_set_state,
	};
	int status = EXIT_STATUS_DONE;
	unsigned int i;

	for (i = 0; i < sizeof(programs) / sizeof(*programs) && status == EXIT_STATUS_DONE; i++)
		if (programs[i])
			status = attach_program(loader, programs[i]);
	loader->stand_by = !features->reports_socket_errors || features->is_preemptible;
	if (status == EXIT_STATUS_DONE && loader->stand_by)
		status = attach_program(loader, loader->skeleton->progs.socket_set_state_standby);
	return status;
}

static __u64 read_recursion_misses(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length))
		return 0;
	return info.recursion_misses;
}

void loader_watch_misses(struct loader *loader)
{
	if (loader->stand_by || !read_recursion_misses(loader->skeleton->progs.socket_set_state))
		return;
	loader->stand_by = true;
	message_detail(
		"the kernel skipped a call of socket_set_state, which was running on that CPU already: its stand-by "
		"program is attached");
	attach_program(loader, loader->skeleton->progs.socket_set_state_standby);
	/* Read after the attachment: a skip between the two then counts as lost, since the stand-by program may have
	 * missed it. */
	loader->missed_before_stand_by = read_recursion_misses(loader->skeleton->progs.socket_set_state);
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
	free(loader->cpu_values);
	loader->cpu_values = NULL;
	slots_unmap(&loader->slots);
	shares_unmap(&loader->shares);
	netracker_bpf__destroy(loader->plain);
	netracker_bpf__destroy(loader->skeleton);
	loader->plain = loader->skeleton = NULL;
}

void loader_counters(const struct loader *loader, __u64 counters[NT_COUNTERS])
{
	__u64 *values = loader->cpu_values;
	__u32 counter;
	int cpu;

	memset(counters, 0, NT_COUNTERS * sizeof(*counters));
	for (counter = 0; counter < NT_COUNTERS; counter++) {
		if (bpf_map_lookup_elem(loader->counters_fd, &counter, values))
			continue;
		for (cpu = 0; cpu < loader->cpus; cpu++)
			counters[counter] += values[cpu];
	}
}

__u64 loader_failures(const __u64 counters[NT_COUNTERS], enum nt_counter first)
{
	__u64 failures = 0;
	int i;

	for (i = 0; i < NT_FAILURES; i++)
		failures += counters[first + i];
	return failures;
}

/* `caught` may exceed the skipped calls of socket_set_state, because the stand-by program may repeat a call that was
 * not skipped. The excess must not hide calls that other programs missed, or that were missed before the stand-by
 * program was attached. */
__u64 loader_recursion_misses(const struct loader *loader, __u64 caught)
{
	__u64 state_misses = read_recursion_misses(loader->skeleton->progs.socket_set_state) -
			     loader->missed_before_stand_by,
	      misses = 0;
	struct bpf_program *program;

	bpf_object__for_each_program (program, loader->skeleton->obj)
		if (program != loader->skeleton->progs.socket_set_state_standby)
			misses += read_recursion_misses(program);
	return misses - (caught < state_misses ? caught : state_misses);
}
