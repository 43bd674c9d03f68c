/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records from what the kernel side told: a socket's, with what the wire saw of it. Pure but for the process table. */
#ifndef NETRACKER_SOCKET_RECORD_H
#define NETRACKER_SOCKET_RECORD_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"
#include "core/record.h"
#include "src/record/process_table.h"

/* A socket's end with all that is known of it. */
struct joined_socket {
	const struct nt_socket_event *event;
	const struct nt_wire *wire;      /* NULL: the wire saw nothing of it */
	const struct nt_stream *streams; /* two, by index of the key's end; NULL: not followed */
	bool wire_ended;                 /* false: its packets go on */
};

struct record_lookups {
	struct process_table *processes;
	const char *(*interface_name)(void *context, __u32 ifindex);  /* NULL: not known */
	const char *(*reset_reason)(void *context, unsigned int reason); /* NULL: not known */
	void *context;
	__u64 boot_hash;         /* of the boot id */
	__s64 boot_to_utc_ns;    /* CLOCK_REALTIME less CLOCK_BOOTTIME */
	bool every_packet;       /* was asked for */
	bool events_lost;        /* a moment ago: gap `events` */
};

/* now: for events other than close. Strings of the record belong to the process table. */
void record_fill_from_socket(struct nt_record *record, enum nt_event_kind event, const struct joined_socket *joined,
			const struct record_lookups *names, __u64 now);

/* Of a socket that is open, as the event tells it. length: of the event as it came, which may be without its wire part. */
void record_fill_from_open_socket(struct nt_record *record, enum nt_event_kind kind, const struct nt_socket_event *event,
			     size_t length, const struct record_lookups *names);

/* Of a connection that no socket of this machine took part in. */
void record_fill_from_wire(struct nt_record *record, const struct nt_wire_event *event, const struct record_lookups *names);

#endif
