/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills records from the kernel side's events: a socket's account, joined with the packets of its connection. Pure,
 * except that it looks up processes.
 */
#ifndef NETRACKER_SOCKET_RECORD_H
#define NETRACKER_SOCKET_RECORD_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"
#include "core/record.h"
#include "src/record/process_table.h"

/* A socket's event, and what the wire context reported about its connection. */
struct joined_socket {
	const struct nt_socket_event *event;
	const struct nt_wire *wire;       /* NULL if no packet was seen */
	const struct nt_streams *streams; /* NULL if not followed */
	bool wire_ended;                  /* false: more packets may follow */
};

/* The functions return NULL if unknown. */
struct record_lookups {
	struct process_table *processes;
	const char *(*interface_name)(void *context, __u32 ifindex);
	const char *(*reset_reason)(void *context, unsigned int reason);
	const char *(*netns_name)(void *context, __u32 netns); /* in /run/netns. NULL: none is looked up */
	/* The name of an interface in any network namespace. NULL: link-local addresses and listeners get none. */
	const char *(*scope_name)(__u32 netns, __u32 ifindex);
	void *context;
	__u64 boot_hash;      /* record_id_hash() of the boot id */
	__s64 boot_to_utc_ns; /* CLOCK_REALTIME less CLOCK_BOOTTIME */
	__u64 tick_ns;        /* of the kernel's clock, in which it counts when a socket sent and received */
	/* From when and until when packets in the namespace own_netns may have been hidden; 0: never */
	__u64 hidden_from_ns, hidden_until_ns;
	__u64 interface_joined_ns; /* when the last interface was added to the watched ones; 0: at the start */
	__u32 own_netns;
	bool every_packet; /* --packets */
	bool events_lost;  /* recently: sets the gap `events` */
};

/* `now` is the end of the duration for events other than close. Strings of the record belong to the process table. */
void record_fill_from_socket(struct nt_record *record, enum nt_event_kind event, const struct joined_socket *joined,
			     const struct record_lookups *lookups, __u64 now);

/* Fills the record of an open socket. `length`: bytes of the event, which may be NT_SOCKET_EVENT_SHORT. */
void record_fill_from_open_socket(struct nt_record *record, enum nt_event_kind kind,
				  const struct nt_socket_event *event, size_t length,
				  const struct record_lookups *lookups);

/* Fills an observer's record: of a connection without a local socket. */
void record_fill_from_wire(struct nt_record *record, const struct nt_wire_event *event,
			   const struct record_lookups *lookups);

/* Fills the record of a listener. */
void record_fill_from_listener(struct nt_record *record, const struct nt_listener_event *event,
			       const struct record_lookups *lookups);

/* Says that a listener of this machine completed the handshake, and no socket came of it. */
void record_set_no_socket(struct nt_record *record);

#endif
