// SPDX-License-Identifier: GPL-2.0-or-later
/* Live tracking: reads the kernel side's events, joins them and writes records. */
#include "src/live/live.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/ownership.h"
#include "src/cli/options.h"
#include "src/delivery/delivery.h"
#include "src/kernel/clock.h"
#include "src/kernel/interfaces.h"
#include "src/kernel/loader.h"
#include "src/kernel/namespace_counters.h"
#include "src/kernel/namespace_names.h"
#include "src/kernel/net_namespace.h"
#include "src/kernel/reset_reasons.h"
#include "src/kernel/socket_scan.h"
#include "src/kernel/socket_table.h"
#include "src/kernel/sweep.h"
#include "src/live/join.h"
#include "src/live/live_accounting.h"
#include "src/live/start_note.h"
#include "src/metrics/metrics_server.h"
#include "src/record/packet_record.h"
#include "src/record/process_table.h"
#include "src/record/record_fields.h"
#include "src/record/socket_record.h"
#include "src/util/hangup.h"
#include "src/util/message.h"

/* The interval between reads of the ring buffer adapts so that each read finds about EVENTS_PER_POLL events. Short
 * bursts of work cost the traced programs less than the same work in one go, because the CPU is free again sooner
 * (bench/connection-rate). */
#define POLL_MAX_NS 50000000ULL
#define POLL_MIN_NS 4000000ULL
#define EVENTS_PER_POLL 32
#define HOUSEKEEP_EVERY_NS 20000000ULL
/* Bounds one read, so that signals and timers are handled even if events arrive faster than they are written. */
#define MAX_EVENTS_PER_POLL 16384
#define SWEEP_EVERY_NS 1000000000ULL
#define LOSS_NS SWEEP_EVERY_NS
#define UNREAD_NS 250000000ULL
#define SWEEP_SOCKETS_EVERY_NS 60000000000ULL
#define JOIN_CAPACITY 65536
#define PROCESS_CAPACITY 16384

struct live {
	const struct options *options;
	struct loader loader;
	struct interfaces interfaces;
	struct ring_buffer *ring;
	struct join *join;
	struct process_table *processes;
	struct reset_reasons *reset_reasons;
	struct sweep *sweep;
	struct delivery delivery;
	struct metrics *metrics;
	struct metrics_server *metrics_server;
	struct hangup hangup;
	struct namespace_names namespace_names;
	struct record_lookups names;
	struct nt_filter kernel_filter;
	__u32 own_netns;
	struct live_accounting accounting;
	__u64 ring_lost_seen; /* ring buffer losses that `gaps` of records have reported */
	__u64 ring_lost_until_ns, read_ns;
	__u64 housekept_ns, swept_ns, sockets_swept_ns, updated_ns, ends_ns;
	enum nt_event_kind status_kind;   /* the kind of record made from a status event */
	bool is_started;                  /* before, status events only set byte baselines */
	__u64 poll_ns;                    /* until the next read of the ring buffer */
	unsigned int events, event_limit; /* read this time, and the limit */
	int epoll_fd, signal_fd, timer_fd, clock_fd;
	int status;
	bool is_stopping;
};

static void stop_tracking(struct live *live, int status)
{
	if (!live->is_stopping) /* stops the current read; the final reads have their own limit */
		live->event_limit = 0;
	live->is_stopping = true;
	if (!live->status)
		live->status = status;
}

/* ---- output ---- */

static void deliver_record(struct live *live, struct nt_record *record)
{
	if (delivery_write(&live->delivery, record) && delivery_is_over(&live->delivery))
		stop_tracking(live, EXIT_STATUS_DONE);
}

static void check_program_order(struct live *live, __u64 now, __u64 since)
{
	interfaces_check_order(&live->interfaces, now, since);
	live->names.hidden_from_ns = live->interfaces.hidden_from_ns;
	live->names.hidden_until_ns = live->interfaces.hidden_until_ns;
}

/* Packets that are missing may have been hidden since the order of programs was last read. */
static void check_unseen_packets(struct live *live, const struct joined_socket *joined)
{
	if (live->sweep && !joined->wire && joined->event->socket.netns == live->own_netns)
		check_program_order(live, clock_boot_ns(), joined->event->header.now);
}

static void write_socket_record(void *context, const struct joined_socket *joined)
{
	struct live *live = context;
	struct nt_record record;
	bool open = joined->event->socket.repair == NT_REPAIR_DUMPED;

	live->delivery.accounting.open += open;
	live->accounting.socket_records += !open;
	check_unseen_packets(live, joined);
	record_fill_from_socket(&record, open ? NT_EVENT_EXIT : NT_EVENT_CLOSE, joined, &live->names,
				joined->event->header.now);
	deliver_record(live, &record);
}

static void write_observer_record(void *context, const struct nt_wire_event *event, enum join_route route)
{
	struct live *live = context;
	struct nt_record record;
	bool open = event->cause == NT_WIRE_EXIT;

	live->delivery.accounting.open += open;
	if (route == JOIN_FORWARDED && !live->options->forwarded) {
		live->delivery.accounting.filtered[ACCOUNTING_FILTERED_FORWARDED] += !open;
		return;
	}
	record_fill_from_wire(&record, event, &live->names);
	if (route == JOIN_NO_SOCKET)
		record_set_no_socket(&record);
	deliver_record(live, &record);
}

static void count_claimed_wire(void *context)
{
	((struct live *)context)->accounting.wire_claimed++;
}

static void count_event_without_memory(void *context)
{
	((struct live *)context)->delivery.accounting.lost[ACCOUNTING_LOST_NO_MEMORY]++;
}

/* Searches the slot of the key, then the table of established connections, for one that the socket may own. If it is in
 * the slot and the cookie proves that the socket owns it, also marks this side as closed: the sweep then expires it
 * sooner. */
static bool find_wire_of_key(struct live *live, const struct nt_key *key, const struct nt_socket *socket,
			     struct nt_wire *wire)
{
	struct nt_slot *slot = slots_of_key(&live->loader.slots, key);
	bool is_in_slot = slots_has(slot, key);
	enum nt_claim claim;
	int side;

	if (is_in_slot)
		*wire = slot->wire;
	else if (!slot->elsewhere || bpf_map_lookup_elem(live->loader.established_fd, key, wire))
		return false;
	if (is_in_slot && !slots_has(slot, key)) /* the kernel side replaced the entry meanwhile */
		return false;
	side = nt_side_of_socket(wire, socket);
	claim = side < 0 ? NT_CLAIM_NONE : nt_claim_of_socket(wire, side, socket, live->own_netns);
	if (is_in_slot && claim == NT_CLAIM_COOKIE)
		slot->wire.socket_closed[side] = 1;
	return claim != NT_CLAIM_NONE;
}

static bool find_open_wire(void *context, const struct nt_socket *socket, struct nt_wire *wire)
{
	struct live *live = context;
	struct nt_translation translation;
	struct nt_key key;

	nt_key_of_socket(&key, socket, live->own_netns);
	if (find_wire_of_key(live, &key, socket, wire))
		return true;
	if (!live->loader.shared->has_translations ||
	    bpf_map_lookup_elem(live->loader.translations_fd, &socket->cookie, &translation))
		return false;
	return find_wire_of_key(live, &translation.key, socket, wire);
}

static bool is_side_reported(void *context, const struct nt_wire *wire, int side)
{
	return nt_filter_has_side(&((struct live *)context)->kernel_filter, wire, side);
}

/* ---- events ---- */

/* Writes a record of an open socket at once: it does not go through the join. */
static void report_open_socket(struct live *live, enum nt_event_kind kind, const struct nt_socket_event *event,
			       size_t size)
{
	struct nt_record record;

	record_fill_from_open_socket(&record, kind, event, size, &live->names);
	deliver_record(live, &record);
}

static void report_socket_status(struct live *live, const struct nt_socket_event *event, size_t size)
{
	struct nt_record record;

	if (live->is_started)
		return report_open_socket(live, live->status_kind, event, size);
	record_fill_from_open_socket(&record, NT_EVENT_UPDATE, event, size, &live->names);
	if (record.gaps & NT_GAP_START)
		output_set_baseline(&live->delivery.output, &record);
}

static void handle_wire_event(struct live *live, const struct nt_wire_event *event, size_t size)
{
	struct nt_wire_event whole = {};

	memcpy(&whole, event, size < sizeof(whole) ? size : sizeof(whole));
	join_add_wire(live->join, &whole);
}

static int live_handle_event(void *context, void *data, size_t size)
{
	struct live *live = context;
	const struct nt_event_header *header = data;

	switch (header->type) {
	case NT_EVENT_TYPE_PROCESS:
		process_table_add(live->processes, data);
		break;
	case NT_EVENT_TYPE_LONG_PROCESS:
		process_table_add_long(live->processes, data);
		break;
	case NT_EVENT_TYPE_SOCKET_OPEN:
		report_open_socket(live, NT_EVENT_OPEN, data, size);
		break;
	case NT_EVENT_TYPE_SOCKET_STATUS:
		report_socket_status(live, data, size);
		break;
	case NT_EVENT_TYPE_SOCKET_CLOSE:
		join_add_socket(live->join, data, size);
		break;
	case NT_EVENT_TYPE_SOCKET_MORE:
		join_add_socket_more(live->join, data);
		break;
	case NT_EVENT_TYPE_WIRE_END:
		handle_wire_event(live, data, size);
		break;
	}
	return ++live->events < live->event_limit ? 0 : -EAGAIN;
}

static void read_events(struct live *live, unsigned int limit)
{
	live->events = 0;
	live->event_limit = limit;
	ring_buffer__consume(live->ring);
}

static void read_all_events(void *context)
{
	read_events(context, ~0U);
}

/* Records that are written in the LOSS_NS after a loss in the ring buffer was found have the gap `events`. */
static void update_ring_losses(struct live *live, __u64 now)
{
	__u64 counters[NT_COUNTERS], lost;

	loader_counters(&live->loader, counters);
	live_accounting_begin_sweep(&live->accounting, counters);
	lost = loader_failures(counters, NT_COUNT_SOCKET_RING_FAILED) +
	       loader_failures(counters, NT_COUNT_WIRE_RING_FAILED) + counters[NT_COUNT_MORE_RING_FAILED] +
	       counters[NT_COUNT_OPEN_RING_FAILED];
	if (lost != live->ring_lost_seen)
		live->ring_lost_until_ns = now + LOSS_NS;
	live->ring_lost_seen = lost;
	live->names.events_lost = now < live->ring_lost_until_ns;
}

/* If the buffer was not read for long, the events in it may be those around a loss. */
static void find_losses_before_reading(struct live *live)
{
	__u64 now = clock_boot_ns();

	if (now - live->read_ns > UNREAD_NS)
		update_ring_losses(live, now);
	live->read_ns = now;
}

static void live_flush(struct live *live)
{
	delivery_flush(&live->delivery);
	if (live->delivery.error == -EPIPE)
		stop_tracking(live, EXIT_STATUS_DONE);
}

static void sweep_if_due(struct live *live, __u64 now)
{
	if (now - live->swept_ns < SWEEP_EVERY_NS)
		return;
	live->swept_ns = now;
	update_ring_losses(live, now);
	if (live->sweep)
		sweep_idle(live->sweep, now, live_handle_event, live);
	live_accounting_update(&live->accounting, now);
	if (now - live->sockets_swept_ns < SWEEP_SOCKETS_EVERY_NS)
		return;
	live->sockets_swept_ns = now;
	sweep_closed_sockets(&live->loader, now);
}

/* Returns whether the connection has been open without a socket for longer than a socket takes to come. */
static bool is_left_unaccepted(const struct nt_wire_event *event)
{
	return nt_is_unaccepted(&event->wire) && event->header.now > event->wire.connection.ack_ns + JOIN_UNCLAIMED_NS;
}

/* Local sockets are reported by the scan of sockets, if the socket context is on. The other established connections are
 * forwarded, unless a listener made no socket of them. */
static bool is_reported_without_socket(const struct live *live, const struct nt_wire_event *event)
{
	if (nt_wire_has_socket(&event->wire))
		return false;
	return nt_is_unaccepted(&event->wire) ? is_left_unaccepted(event) : live->options->forwarded;
}

static int report_open_wire(void *context, void *data, size_t size)
{
	const struct nt_wire_event *event = data;
	struct live *live = context;
	struct nt_record record;

	(void)size;
	if (live->options->contexts & CONTEXT_SOCKET && !is_reported_without_socket(live, event))
		return 0;
	record_fill_from_wire(&record, event, &live->names);
	record.event = NT_EVENT_UPDATE;
	if (nt_is_unaccepted(&event->wire))
		record_set_no_socket(&record);
	deliver_record(live, &record);
	return 0;
}

/* Returns whether the filter selects no connection of the namespace: it was not false before the namespace was known. */
static bool is_unwanted_namespace(const struct filter *filter, __u32 netns)
{
	struct nt_record record = { .netns = netns };

	if (filter_judge(filter, &record) == FILTER_FALSE)
		return false;
	nt_record_set(&record, NT_HAS_NETNS);
	return filter_judge(filter, &record) == FILTER_FALSE;
}

/* The summary reports the overflows of listen queues, which the kernel counts for a namespace as a whole. */
static void read_namespace(void *context, __u32 netns)
{
	struct namespace_counts counts = { .netns = netns };
	struct live *live = context;
	const char *name;

	if (is_unwanted_namespace(live->options->delivery.filter, netns) ||
	    !namespace_counters_read_listen(&counts.overflows, &counts.drops))
		return;
	namespace_counters_read_ports(&counts.first_port, &counts.last_port);
	name = namespace_names_find(&live->namespace_names, netns, clock_boot_ns());
	if (name)
		snprintf(counts.name, sizeof(counts.name), "%s", name);
	output_set_namespace(&live->delivery.output, &counts, !live->is_started);
}

static void scan_open_sockets(struct live *live)
{
	socket_scan_visit_open(&live->loader, read_all_events,
			       output_has_tables(&live->delivery.output) ? read_namespace : NULL, live);
}

/* The summary's tables are written right after an update, so that they show the state of that moment. */
static bool is_update_due(const struct live *live, __u64 now)
{
	if (output_has_tables(&live->delivery.output))
		return output_interval_is_over(&live->delivery.output, now);
	return delivery_wants_event(&live->options->delivery, NT_EVENT_UPDATE) &&
	       now - live->updated_ns >= live->options->delivery.output.interval_ns;
}

static void update_if_due(struct live *live, __u64 now)
{
	if (!is_update_due(live, now))
		return;
	live->updated_ns = now;
	live->status_kind = NT_EVENT_UPDATE;
	output_begin_scan(&live->delivery.output);
	if (live->options->contexts & CONTEXT_SOCKET)
		scan_open_sockets(live);
	if (live->sweep)
		sweep_report_open(live->sweep, now, report_open_wire, live);
	output_end_scan(&live->delivery.output, now, live->names.boot_to_utc_ns);
}

/* Housekeeping; runs at most every HOUSEKEEP_EVERY_NS. */
static void housekeep(struct live *live, __u64 now)
{
	if (now - live->housekept_ns < HOUSEKEEP_EVERY_NS)
		return;
	live->housekept_ns = now;
	if (live->options->contexts & CONTEXT_SOCKET)
		loader_watch_misses(&live->loader);
	if (live->sweep)
		sweep_expire_payload_waits(live->sweep, now);
	sweep_if_due(live, now);
	check_program_order(live, now, 0);
	if (live->events < live->event_limit) /* else what the join waits for may be in the ring buffer */
		join_expire(live->join, now);
	if (interfaces_are_gone(&live->interfaces, now))
		stop_tracking(live, EXIT_STATUS_INTERFACE);
}

/* Sets the timer to the next read of the ring buffer, or to the end of the summary's interval if that is earlier. */
static void set_timer(const struct live *live)
{
	__u64 now = clock_boot_ns(), interval_end = live->delivery.output.next_ns;
	bool ends_before = output_has_tables(&live->delivery.output) && interval_end > now &&
			   interval_end - now < live->poll_ns;
	struct itimerspec once = { .it_value.tv_nsec = (long)(ends_before ? interval_end - now : live->poll_ns) };

	timerfd_settime(live->timer_fd, 0, &once, NULL);
}

static void adapt_poll_interval(struct live *live)
{
	__u64 wanted = live->poll_ns * EVENTS_PER_POLL / (live->events ? live->events : 1);

	live->poll_ns = wanted < POLL_MIN_NS ? POLL_MIN_NS : wanted > POLL_MAX_NS ? POLL_MAX_NS : wanted;
	set_timer(live);
}

static void tick(struct live *live)
{
	__u64 now;

	find_losses_before_reading(live);
	read_events(live, MAX_EVENTS_PER_POLL);
	now = clock_boot_ns();
	housekeep(live, now);
	update_if_due(live, now);
	live_flush(live);
	if (live->ends_ns && now >= live->ends_ns)
		stop_tracking(live, EXIT_STATUS_DONE);
	adapt_poll_interval(live);
}

/* ---- set-up ---- */

static const char *get_interface_name(void *context, __u32 ifindex)
{
	return interfaces_name(&((struct live *)context)->interfaces, ifindex);
}

static const char *get_netns_name(void *context, __u32 netns)
{
	return namespace_names_find(&((struct live *)context)->namespace_names, netns, clock_boot_ns());
}

static const char *get_reset_reason_name(void *context, unsigned int reason)
{
	return reset_reasons_name(((struct live *)context)->reset_reasons, reason);
}

static bool add_to_epoll(const struct live *live, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return fd < 0 || !epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int report_start_out_of_memory(void)
{
	message_error("cannot start: out of memory; free some memory and try again");
	return EXIT_STATUS_BROKEN;
}

/* Somebody who may not write the folder of the history may not load the programs either. */
static int open_delivery(struct live *live)
{
	if (delivery_open(&live->delivery, &live->options->delivery))
		return EXIT_STATUS_DONE;
	return live->options->delivery.output.nowhere && live->delivery.error == -EACCES ? EXIT_STATUS_PRIVILEGES :
											   EXIT_STATUS_BROKEN;
}

static int open_metrics(struct live *live)
{
	const struct options *options = live->options;
	unsigned int programs = options->metrics_programs ? options->metrics_programs : METRICS_DEFAULT_PROGRAMS;
	int error;

	if (!options->metrics.size)
		return EXIT_STATUS_DONE;
	live->metrics = metrics_new(programs);
	if (!live->metrics)
		return report_start_out_of_memory();
	live->delivery.metrics = live->metrics;
	error = metrics_server_open(&live->metrics_server, &options->metrics, live->metrics);
	if (error)
		return error == -EACCES ? EXIT_STATUS_PRIVILEGES : EXIT_STATUS_BROKEN;
	return EXIT_STATUS_DONE;
}

static bool count_socket_states(void *context, __u64 counts[NT_TCP_STATES])
{
	const struct live *live = context;

	return !socket_table_count_states(&live->loader, counts);
}

/* The start-up scan has filled the table of sockets. */
static void show_socket_states(struct live *live)
{
	if (live->metrics_server && live->options->contexts & CONTEXT_SOCKET)
		metrics_server_set_states(live->metrics_server, count_socket_states, live);
}

/* When tracking has ended, the table is not kept up to date. The ring buffer must not wait until a count of it is done. */
static void hide_socket_states(struct live *live)
{
	if (live->metrics_server)
		metrics_server_hide_states(live->metrics_server);
}

static int set_up_user_space(struct live *live)
{
	bool kernel_filters = filter_for_kernel(&live->kernel_filter, live->options->delivery.filter,
						live->options->contexts & CONTEXT_WIRE);
	const struct join_output output = { live,
					    write_socket_record,
					    write_observer_record,
					    count_claimed_wire,
					    count_event_without_memory,
					    find_open_wire,
					    kernel_filters ? is_side_reported : NULL };
	int status;

	delivery_check_filter(&live->options->delivery);
	live->accounting.loader = &live->loader;
	live->accounting.delivery = &live->delivery;
	live->accounting.has_sockets = live->options->contexts & CONTEXT_SOCKET;
	live->names = (struct record_lookups){
		.interface_name = get_interface_name,
		.reset_reason = get_reset_reason_name,
		.netns_name = get_netns_name,
		.scope_name = net_namespace_interface_name,
		.context = live,
		.boot_hash = clock_boot_hash(),
		.boot_to_utc_ns = clock_boot_to_utc(),
		.tick_ns = clock_tick_ns(),
		.every_packet = live->options->every_packet,
	};
	live->own_netns = net_namespace_own();
	live->names.own_netns = live->own_netns;
	live->processes = process_table_new(PROCESS_CAPACITY);
	live->join = join_new(JOIN_CAPACITY, live->own_netns, !!(live->options->contexts & CONTEXT_SOCKET), &output);
	live->names.processes = live->processes;
	if (!live->processes || !live->join)
		return report_start_out_of_memory();
	status = open_metrics(live);
	return status == EXIT_STATUS_DONE ? open_delivery(live) : status;
}

static int set_up_polling(struct live *live)
{
	live->ring = ring_buffer__new(live->loader.events_fd, live_handle_event, live, NULL);
	live->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	live->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	live->clock_fd = clock_open_steps();
	if (!live->ring || live->epoll_fd < 0 || live->timer_fd < 0)
		return report_start_out_of_memory();
	/* Edge-triggered: a level-triggered ring buffer is ready whenever it holds an event, which would defeat the
	 * timer. */
	if (!add_to_epoll(live, live->signal_fd, EPOLLIN) || !add_to_epoll(live, live->timer_fd, EPOLLIN) ||
	    !add_to_epoll(live, live->clock_fd, EPOLLIN) ||
	    !add_to_epoll(live, live->interfaces.notifications_fd, EPOLLIN) ||
	    !add_to_epoll(live, ring_buffer__epoll_fd(live->ring), EPOLLIN | EPOLLET))
		return report_start_out_of_memory();
	live->poll_ns = POLL_MAX_NS;
	set_timer(live);
	return EXIT_STATUS_DONE;
}

static int start_wire_context(struct live *live)
{
	live->sweep = sweep_new(&live->loader, live->options->every_packet, live->options->contexts & CONTEXT_SOCKET);
	if (!live->sweep)
		return report_start_out_of_memory();
	live->accounting.sweep = live->sweep;
	return interfaces_open(&live->interfaces, &live->loader, &live->options->interfaces);
}

/* Attaches the socket context before the wire context, so that the socket of each tracked connection is known. */
static int start_tracking(struct live *live)
{
	const struct options *options = live->options;
	const struct loader_options loader_options = {
		.contexts = options->contexts,
		.every_packet = options->every_packet,
		.reports_open = delivery_wants_event(&options->delivery, NT_EVENT_OPEN),
		.filter = options->delivery.filter,
		.own_netns = live->own_netns,
	};
	int status = loader_open(&live->loader, &loader_options);

	if (status == EXIT_STATUS_DONE && !(live->reset_reasons = reset_reasons_new()))
		status = report_start_out_of_memory();
	if (status == EXIT_STATUS_DONE && live->options->contexts & CONTEXT_SOCKET)
		status = loader_attach_sockets(&live->loader);
	if (status == EXIT_STATUS_DONE && live->options->contexts & CONTEXT_WIRE)
		status = start_wire_context(live);
	if (status == EXIT_STATUS_DONE)
		status = set_up_polling(live);
	if (status == EXIT_STATUS_DONE && live->options->contexts & CONTEXT_SOCKET)
		socket_scan_existing(&live->loader, read_all_events, live);
	return status;
}

/* ---- the loop ---- */

static void drain_fd(int fd)
{
	char buffer[256];

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
}

static void handle_signals(struct live *live)
{
	struct signalfd_siginfo signal;

	while (read(live->signal_fd, &signal, sizeof(signal)) == sizeof(signal)) {
		enum hangup_meaning meaning = signal.ssi_signo == SIGHUP ? hangup_meaning(&live->hangup) : HANGUP_END;

		if (meaning == HANGUP_REOPEN && live->delivery.output.records)
			sink_reopen(live->delivery.output.records);
		else if (meaning == HANGUP_END)
			stop_tracking(live, EXIT_STATUS_DONE);
	}
}

static void handle_ready(struct live *live, int fd)
{
	if (fd == live->signal_fd) {
		handle_signals(live);
	} else if (fd == live->timer_fd) {
		drain_fd(fd);
	} else if (fd == live->clock_fd) {
		live->names.boot_to_utc_ns = clock_boot_to_utc();
		clock_await_step(fd);
	} else if (fd == live->interfaces.notifications_fd) {
		interfaces_update(&live->interfaces, clock_boot_ns());
		live->names.interface_joined_ns = live->interfaces.joined_ns;
	}
}

static void run_loop(struct live *live)
{
	struct epoll_event ready[8];

	if (live->options->max_time_ns)
		live->ends_ns = clock_boot_ns() + live->options->max_time_ns;
	delivery_begin(&live->delivery, clock_boot_ns() + (__u64)live->names.boot_to_utc_ns);
	output_tick(&live->delivery.output, clock_boot_ns(), live->names.boot_to_utc_ns);
	if (output_has_tables(&live->delivery.output) && live->options->contexts & CONTEXT_SOCKET)
		scan_open_sockets(live);
	publication_begin(&live->accounting.publication);
	live_accounting_update(&live->accounting, clock_boot_ns());
	show_socket_states(live);
	live->is_started = true;
	live->updated_ns = clock_boot_ns();
	start_note_print(live->options, interfaces_count(&live->interfaces));
	while (!live->is_stopping) {
		int i, count = epoll_wait(live->epoll_fd, ready, 8, -1);

		for (i = 0; i < count; i++)
			handle_ready(live, ready[i].data.fd);
		tick(live);
	}
}

/* ---- exit ---- */

/* Drains the ring buffer, reports open sockets where `exit` records or the summary need them, detaches, and releases
 * what the sweep and the join hold. */
static void finish_tracking(struct live *live)
{
	__u64 ended_ns;
	int status;

	check_program_order(live, clock_boot_ns(), clock_boot_ns());
	hide_socket_states(live);
	loader_end(&live->loader);
	ended_ns = clock_boot_ns(); /* to detach from many interfaces takes seconds */
	update_ring_losses(live, clock_boot_ns());
	read_events(live, ~0U);
	live->status_kind = NT_EVENT_EXIT;
	if ((delivery_wants_event(&live->options->delivery, NT_EVENT_EXIT) ||
	     output_has_tables(&live->delivery.output)) &&
	    live->options->contexts & CONTEXT_SOCKET)
		scan_open_sockets(live);
	interfaces_detach(&live->interfaces);
	loader_detach(&live->loader);
	read_events(live, ~0U);
	if (live->sweep)
		sweep_finish(live->sweep, ended_ns, live_handle_event, live);
	join_finish(live->join);
	live_accounting_finish_losses(&live->accounting, clock_boot_ns());
	delivery_finish(&live->delivery, clock_boot_ns(), live->names.boot_to_utc_ns);
	live_accounting_finish(&live->accounting);
	status = delivery_status(&live->delivery);
	if (!live->status)
		live->status = status;
}

static void live_clean_up(struct live *live)
{
	metrics_server_close(live->metrics_server);
	interfaces_close(&live->interfaces);
	ring_buffer__free(live->ring);
	sweep_free(live->sweep);
	loader_close(&live->loader);
	delivery_close(&live->delivery);
	metrics_free(live->metrics);
	join_free(live->join);
	process_table_free(live->processes);
	namespace_names_free(&live->namespace_names);
	reset_reasons_free(live->reset_reasons);
}

int live_run(const struct options *options)
{
	struct live live = { .options = options,
			     .namespace_names.directory = NAMED_NAMESPACES,
			     .epoll_fd = -1,
			     .timer_fd = -1,
			     .clock_fd = -1 };
	int status;

	live.interfaces.notifications_fd = -1;
	hangup_init(&live.hangup, options->delivery.output.sink.path || options->delivery.output.nowhere);
	live.signal_fd = block_signals();
	status = set_up_user_space(&live);
	if (status == EXIT_STATUS_DONE)
		status = start_tracking(&live);
	if (status == EXIT_STATUS_DONE) {
		run_loop(&live);
		finish_tracking(&live);
		status = live.status;
		delivery_print_accounting(&live.delivery);
	}
	live_clean_up(&live);
	return status;
}
