/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel side: loaded, attached, read and taken off again. Everything goes with the process, also after kill -9. */
#ifndef NETRACKER_LOADER_H
#define NETRACKER_LOADER_H

#include <linux/types.h>
#include <stdbool.h>

#include <bpf/libbpf.h>

#include "core/event.h"
#include "src/kernel/kernel_features.h"
#include "src/kernel/slots.h"
#include "src/kernel/tracking_options.h"

struct netracker_bpf; /* libbpf's skeleton of bpf/netracker.bpf.c */

/* Programs that list sockets: see src/kernel/socket_scan.h. */
enum loader_iterator { ITERATOR_SOCKETS, ITERATOR_OWNERS, ITERATOR_OPEN_SOCKETS };

struct loader {
	struct netracker_bpf *skeleton;
	struct netracker_bpf *plain; /* the programs for devices without a link layer, over the same tables; NULL */
	struct kernel_features features;
	__u32 socket_capacity; /* entries of the table of sockets */
	struct bpf_link *links[16];
	unsigned int link_count;
	int events_fd, counters_fd, sockets_fd, half_open_fd, overflow_fd, established_fd, streams_fd, waiting_fd;
	volatile struct nt_shared *shared; /* the kernel side's, mapped */
	struct slots slots;
	int cpus;
	__u64 *cpu_values; /* one per CPU, for loader_counters(), which must not fail */
	bool stand_by; /* the second copy of the state program is attached */
	__u64 missed_before_stand_by; /* skipped calls of the state program by then */
};

/* Loads the kernel side for these options. Returns the exit status that tells what is missing, having said it, or
 * EXIT_STATUS_DONE. loader_close() either way. */
int loader_open(struct loader *loader, const struct loader_options *options);

/* Attaches the socket context. As loader_open(). */
int loader_attach_sockets(struct loader *loader);

/* To be called often: attaches the second copy of the state program (bpf/socket_context.h) once the kernel has skipped the first. */
void loader_watch_misses(struct loader *loader);

/* Ends tracking, in both contexts and on all interfaces at once: what happens from now on is not noted. */
void loader_end(struct loader *loader);

/* After loader_end(). The tables can still be read. */
void loader_detach(struct loader *loader);

void loader_close(struct loader *loader);

/* Sums of the per-CPU counters, by enum nt_counter. */
void loader_counters(const struct loader *loader, __u64 counters[NT_COUNTERS]);

/* The sum of the counters for each enum nt_failure, of which `first` (NT_COUNT_..._FAILED) is the first. */
__u64 loader_failures(const __u64 counters[NT_COUNTERS], enum nt_counter first);

/* Events that the kernel did not give to our programs since one was running on that CPU already. `caught`: changes of state
 * that the second copy of the state program made good. */
__u64 loader_recursion_misses(const struct loader *loader, __u64 caught);

/* Whether this process has the capabilities to load and attach programs, and who has. */
#define LOADER_WHO_MAY "run it as root (sudo), or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
bool loader_may_load_programs(void);

/* The largest power of two, between bounds, that so many for each GiB of this machine's memory allow. */
__u32 sized_for_machine(unsigned long per_gigabyte, __u32 smallest, __u32 largest);

/* Says why programs could not be loaded; with: what the kernel must have besides its version, "" or " with ...". Returns
 * the exit status. */
int loader_explain_failure(int error, const char *with);

/* What libbpf says is shown with -v. */
void loader_quieten_libbpf(void);

struct bpf_program *loader_iterator_program(const struct loader *loader, enum loader_iterator iterator);

/* The wire context's program for an interface: leaving or coming in, with an Ethernet header or with none. Those for
 * devices without one are loaded when the first is asked for: most machines have none, and loading takes time. NULL:
 * they cannot be loaded. */
struct bpf_program *loader_wire_program(struct loader *loader, bool leaving, bool has_ethernet_header);

#endif
