// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker list: the connections that are open now, in every network namespace. */
#include "src/list/list.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "src/kernel/clock.h"
#include "src/cli/options.h"
#include "src/delivery/delivery.h"
#include "src/record/socket_record.h"
#include "src/kernel/loader.h"
#include "src/util/message.h"
#include "src/record/process_table.h"
#include "src/kernel/running_tracker.h"
#include "src/kernel/socket_scan.h"

#define PROCESS_CAPACITY 65536

struct list {
	const struct options *options;
	struct loader loader;
	struct ring_buffer *ring;
	struct process_table *processes;
	struct delivery delivery;
	struct record_lookups names;
	struct running_trackers running;
};

static void tell(struct list *list, const struct nt_socket_event *event, size_t size)
{
	struct nt_record record;

	record_fill_from_open_socket(&record, NT_EVENT_OPEN, event, size, &list->names);
	if (!list->delivery.error)
		delivery_write(&list->delivery, &record);
}

static int handle_event(void *context, void *data, size_t size)
{
	const struct nt_event_header *header = data;
	struct list *list = context;

	if (header->type == NT_EVENT_TYPE_PROCESS)
		process_table_add(list->processes, data);
	else if (header->type == NT_EVENT_TYPE_SOCKET_STATUS)
		tell(list, data, size);
	return 0;
}

static void drain(void *context)
{
	ring_buffer__consume(((struct list *)context)->ring);
}

static void take_over(const struct list *list, __u64 address)
{
	int own_fd = list->loader.sockets_fd;
	struct nt_socket socket, known;

	if (!bpf_map_lookup_elem(own_fd, &address, &socket) &&
	    running_trackers_find(&list->running, address, &socket, &known))
		bpf_map_update_elem(own_fd, &address, &known, BPF_EXIST);
}

/* What the trackers that run beside us have seen of them: when they began, who opened them, whose they are. All keys are read
 * before the first entry is changed: a changed entry comes again to who asks for the next key. */
static void ask_running_trackers(const struct list *list)
{
	__u32 capacity = list->loader.socket_capacity;
	__u64 *addresses = list->running.count ? calloc(capacity, sizeof(*addresses)) : NULL;
	__u32 count = 0, i;

	while (addresses && count < capacity &&
	       !bpf_map_get_next_key(list->loader.sockets_fd, count ? &addresses[count - 1] : NULL, &addresses[count]))
		count++;
	for (i = 0; i < count; i++)
		take_over(list, addresses[i]);
	free(addresses);
}

static int no_memory(void)
{
	message_error("cannot list: not enough memory");
	return EXIT_STATUS_BROKEN;
}

static int set_up(struct list *list)
{
	const struct loader_options loader_options = {
		.contexts = list->options->contexts,
		.scans_only = true,
		.filter = &list->options->delivery.filter,
	};
	int status;

	running_trackers_open(&list->running);
	status = loader_open(&list->loader, &loader_options);
	if (status != EXIT_STATUS_DONE)
		return status;
	list->names = (struct record_lookups){
		.boot_hash = clock_boot_hash(),
		.boot_to_utc_ns = clock_boot_to_utc(),
	};
	list->names.processes = list->processes = process_table_new(PROCESS_CAPACITY);
	list->ring = ring_buffer__new(list->loader.events_fd, handle_event, list, NULL);
	if (!list->processes || !list->ring)
		return no_memory();
	return delivery_open(&list->delivery, &list->options->delivery) ? EXIT_STATUS_DONE : EXIT_STATUS_BROKEN;
}

/* EXIT_STATUS_BROKEN where some are missing. */
static int report_losses(const struct list *list)
{
	__u64 counters[NT_COUNTERS], missing;

	loader_counters(&list->loader, counters);
	missing = loader_failures(counters, NT_COUNT_SOCKETS_FAILED) +
		  loader_failures(counters, NT_COUNT_SOCKET_RING_FAILED);
	if (!missing)
		return EXIT_STATUS_DONE;
	message_error("%llu connections are missing: more are open than there is room for", (unsigned long long)missing);
	return EXIT_STATUS_BROKEN;
}

static void report_absence(const struct list *list)
{
	__u64 counters[NT_COUNTERS], found;

	loader_counters(&list->loader, counters);
	found = counters[NT_COUNT_SOCKETS_PREEXISTING];
	if (list->delivery.records || list->delivery.error)
		return;
	if (found)
		message_note("%llu connections are open, none of them matches", (unsigned long long)found);
	else
		message_note("no connection is open");
}

static int list_all(struct list *list)
{
	int status, error;

	socket_scan_existing(&list->loader, drain, list);
	ask_running_trackers(list);
	socket_scan_report_open(&list->loader, drain, list);
	error = list->delivery.error ? 0 : delivery_finish(&list->delivery, 0, 0);
	status = report_losses(list);
	if (status == EXIT_STATUS_DONE)
		report_absence(list);
	if (!list->delivery.error && (error ? error != -EPIPE : output_lost_any(&list->delivery.output)))
		return EXIT_STATUS_BROKEN;
	return status;
}

static void clean_up(struct list *list)
{
	delivery_close(&list->delivery);
	ring_buffer__free(list->ring);
	process_table_free(list->processes);
	loader_close(&list->loader);
	running_trackers_close(&list->running);
}

int list_run(const struct options *options)
{
	struct list list = {.options = options};
	int status = set_up(&list);

	if (status == EXIT_STATUS_DONE)
		status = list_all(&list);
	clean_up(&list);
	return status;
}
