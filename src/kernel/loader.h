/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads the kernel side, attaches it, reads its counters and detaches it. Programs and tables disappear with the
 * process, even after kill -9. */
#ifndef NETRACKER_LOADER_H
#define NETRACKER_LOADER_H

#include <linux/types.h>
#include <stdbool.h>

#include <bpf/libbpf.h>

#include "core/event.h"
#include "src/kernel/kernel_features.h"
#include "src/kernel/shares.h"
#include "src/kernel/slots.h"
#include "src/kernel/tracking_options.h"

struct netracker_bpf; /* libbpf's skeleton of bpf/netracker.bpf.c */

/* BPF iterators over sockets: see src/kernel/socket_scan.h. */
enum loader_iterator { ITERATOR_SOCKETS, ITERATOR_OWNERS, ITERATOR_OPEN_SOCKETS, ITERATOR_LISTENERS };

struct loader {
	struct netracker_bpf *skeleton;
	struct netracker_bpf *plain; /* programs for interfaces without an Ethernet header, on the same maps; or NULL */
	struct kernel_features features;
	__u32 socket_capacity; /* entries of the table of sockets */
	struct bpf_link *links[16];
	unsigned int link_count;
	int events_fd, counters_fd, sockets_fd, half_open_fd, overflow_fd, established_fd, streams_fd, waiting_fd;
	int translations_fd, translations_back_fd;
	int published_fd;
	volatile struct nt_shared *shared; /* the kernel side's .bss, mapped */
	struct slots slots;
	struct shares shares;
	int cpus;
	__u64 *cpu_values;            /* one per CPU, for loader_counters(), which must not fail */
	bool stand_by;                /* the stand-by program of socket_set_state is attached */
	__u64 missed_before_stand_by; /* calls of socket_set_state that were skipped before that */
};

/* Loads the kernel side for these options. Returns EXIT_STATUS_DONE, or another status after reporting the error. Call
 * loader_close() in either case. */
int loader_open(struct loader *loader, const struct loader_options *options);

/* Attaches the socket context. Returns as loader_open(). */
int loader_attach_sockets(struct loader *loader);

/* Attaches the stand-by program (bpf/socket_context.h) once the kernel has skipped a call of socket_set_state. Call it
 * often. */
void loader_watch_misses(struct loader *loader);

/* Ends tracking in both contexts and on all interfaces at once: later packets and socket events are ignored. */
void loader_end(struct loader *loader);

/* Detaches the socket context. Call it after loader_end(). The tables can still be read. */
void loader_detach(struct loader *loader);

void loader_close(struct loader *loader);

/* Fills in the sums of the per-CPU counters, by enum nt_counter. */
void loader_counters(const struct loader *loader, __u64 counters[NT_COUNTERS]);

/* Returns the sum of the counters of all causes (enum nt_failure). first: the first of them, an NT_COUNT_..._FAILED. */
__u64 loader_failures(const __u64 counters[NT_COUNTERS], enum nt_counter first);

/* Returns how many calls of our programs the kernel skipped because a program was already running on that CPU, less
 * those whose work the stand-by program did. caught: the counter NT_COUNT_RECURSION_CAUGHT. */
__u64 loader_recursion_misses(const struct loader *loader, __u64 caught);

/* The remedy in messages about missing privileges. */
#define LOADER_PRIVILEGES "run it as root (sudo), or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"

/* Returns whether this process has the capabilities to load and attach programs. */
bool loader_may_load_programs(void);

/* Returns the largest power of two that does not exceed per_gigabyte for each GiB of this machine's memory, within the
 * bounds, which are powers of two. */
__u32 sized_for_machine(unsigned long per_gigabyte, __u32 smallest, __u32 largest);

/* Returns the number of descriptors that the process may have open. */
unsigned long long loader_descriptor_limit(void);

/* Reports why programs could not be loaded and returns the exit status. error: -errno. with: the requirement to name
 * besides the kernel's version, as " with ...", or "". */
int loader_explain_failure(int error, const char *with);

/* Shows libbpf's messages with -v only. */
void loader_quieten_libbpf(void);

struct bpf_program *loader_iterator_program(const struct loader *loader, enum loader_iterator iterator);

/* Returns the wire context's program for an interface, NULL if it cannot be loaded. The programs for interfaces without
 * an Ethernet header are loaded at their first use: most machines have no such interface, and loading takes time. */
struct bpf_program *loader_wire_program(struct loader *loader, bool egress, bool has_ethernet_header);

#endif
