// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker list: lists the connections that are open now, or the listeners, in every network namespace. */
#include "src/list/list.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "src/cli/options.h"
#include "src/delivery/delivery.h"
#include "src/kernel/clock.h"
#include "src/kernel/loader.h"
#include "src/kernel/namespace_names.h"
#include "src/kernel/net_namespace.h"
#include "src/kernel/running_tracker.h"
#include "src/kernel/socket_scan.h"
#include "src/list/list_rows.h"
#include "src/record/process_table.h"
#include "src/record/socket_record.h"
#include "src/util/message.h"
#include "src/util/stop.h"

#define PROCESS_CAPACITY 65536
#define NS_PER_SECOND 1000000000ULL

struct list {
	const struct options *options;
	struct loader loader;
	struct ring_buffer *ring;
	struct process_table *processes;
	struct delivery delivery;
	struct namespace_names namespace_names;
	struct record_lookups names;
	struct running_trackers running;
	struct list_rows rows; /* until they are written, if they are kept */
	__u64 listeners;       /* found, whatever the filter is */
	__u64 hidden;          /* rows that a terminal has no room for */
	__u64 lost;            /* rows without memory */
};

/* With names, all are asked for at once before the first row waits for its own. */
static bool keeps_rows(const struct list *list)
{
	return list->options->sorts || list->options->delivery.output.resolves;
}

static bool list_watches(const struct list *list)
{
	return list->options->watch_ns;
}

static void write_row(struct list *list, struct nt_record *record)
{
	if (delivery_is_over(&list->delivery))
		return;
	if (list_watches(list) && sink_page_is_full(list->delivery.output.records))
		list->hidden++;
	else
		delivery_write(&list->delivery, record);
}

static void take_row(struct list *list, struct nt_record *record)
{
	record_name_host(record, list->options->delivery.host);
	if (!filter_accepts(list->options->delivery.filter, record))
		return;
	if (!keeps_rows(list))
		write_row(list, record);
	else if (!list_rows_add(&list->rows, record))
		list->lost++;
}

static void list_connection(struct list *list, const struct nt_socket_event *event, size_t size)
{
	struct nt_record record;

	record_fill_from_open_socket(&record, NT_EVENT_LISTED, event, size, &list->names);
	take_row(list, &record);
}

static void list_listener(struct list *list, const struct nt_listener_event *event)
{
	struct nt_record record;

	list->listeners++;
	record_fill_from_listener(&record, event, &list->names);
	take_row(list, &record);
}

static size_t count_shown_rows(const struct list *list)
{
	const struct delivery_options *options = &list->options->delivery;
	size_t count = list->rows.count;

	if (options->output.top && options->output.top < count)
		count = options->output.top;
	if (options->max_records && options->max_records < count)
		count = (size_t)options->max_records;
	return count;
}

/* Writes the rows that were kept. */
static void write_kept_rows(struct list *list)
{
	const struct options *options = list->options;
	size_t count = count_shown_rows(list), i;

	if (options->sorts)
		list_rows_sort(&list->rows, &options->sort_key, options->reverse);
	for (i = 0; i < count; i++)
		output_ask_names(&list->delivery.output, list_rows_get(&list->rows, i));
	for (i = 0; i < count; i++)
		write_row(list, list_rows_get(&list->rows, i));
	list_rows_clear(&list->rows);
}

static int list_handle_event(void *context, void *data, size_t size)
{
	const struct nt_event_header *header = data;
	struct list *list = context;

	if (header->type == NT_EVENT_TYPE_PROCESS)
		process_table_add(list->processes, data);
	else if (header->type == NT_EVENT_TYPE_LONG_PROCESS)
		process_table_add_long(list->processes, data);
	else if (header->type == NT_EVENT_TYPE_SOCKET_STATUS)
		list_connection(list, data, size);
	else if (header->type == NT_EVENT_TYPE_LISTENER)
		list_listener(list, data);
	return 0;
}

static void list_drain(void *context)
{
	ring_buffer__consume(((struct list *)context)->ring);
}

static void adopt_known_socket(const struct list *list, __u64 address)
{
	int own_fd = list->loader.sockets_fd;
	struct nt_socket socket, known;

	if (!bpf_map_lookup_elem(own_fd, &address, &socket) &&
	    running_trackers_find(&list->running, address, &socket, &known))
		bpf_map_update_elem(own_fd, &address, &known, BPF_EXIST);
}

/* Other running trackers may have seen the sockets begin: their entries have the start time, the role and the owner.
 * All keys are read before the first entry is changed, because bpf_map_get_next_key() returns a changed entry again. */
static void adopt_known_sockets(const struct list *list)
{
	__u32 capacity = list->loader.socket_capacity;
	__u64 *addresses = list->running.count ? calloc(capacity, sizeof(*addresses)) : NULL;
	__u32 count = 0, i;

	while (addresses && count < capacity &&
	       !bpf_map_get_next_key(list->loader.sockets_fd, count ? &addresses[count - 1] : NULL, &addresses[count]))
		count++;
	for (i = 0; i < count; i++)
		adopt_known_socket(list, addresses[i]);
	free(addresses);
}

static int report_list_out_of_memory(void)
{
	message_error("cannot list: out of memory; free some memory and try again");
	return EXIT_STATUS_BROKEN;
}

static const char *find_netns_name(void *context, __u32 netns)
{
	return namespace_names_find(&((struct list *)context)->namespace_names, netns, clock_boot_ns());
}

/* Loads the kernel side, which forgets everything at list_close_kernel(). */
static int list_open_kernel(struct list *list)
{
	const struct loader_options loader_options = {
		.contexts = list->options->contexts,
		.scans_only = true,
		.listeners_only = list->options->listening,
		.filter = list->options->delivery.filter,
	};
	int status;

	list->names.boot_to_utc_ns = clock_boot_to_utc();
	running_trackers_open(&list->running);
	status = loader_open(&list->loader, &loader_options);
	if (status != EXIT_STATUS_DONE)
		return status;
	list->ring = ring_buffer__new(list->loader.events_fd, list_handle_event, list, NULL);
	return list->ring ? EXIT_STATUS_DONE : report_list_out_of_memory();
}

static void list_close_kernel(struct list *list)
{
	ring_buffer__free(list->ring);
	list->ring = NULL;
	loader_close(&list->loader);
	running_trackers_close(&list->running);
}

/* The output is opened only after the kernel side was loaded: without privileges no file is created. */
static int list_set_up(struct list *list)
{
	list->names = (struct record_lookups){
		.boot_hash = clock_boot_hash(),
		.tick_ns = clock_tick_ns(),
		.scope_name = net_namespace_interface_name,
		.netns_name = find_netns_name,
		.context = list,
	};
	delivery_check_filter(&list->options->delivery);
	list->names.processes = list->processes = process_table_new(PROCESS_CAPACITY);
	return list->processes ? EXIT_STATUS_DONE : report_list_out_of_memory();
}

static const char *listed_objects(const struct list *list)
{
	return list->options->listening ? "listeners" : "open connections";
}

/* Returns EXIT_STATUS_LOST after reporting what is missing, or EXIT_STATUS_DONE. */
static int report_missing(const struct list *list)
{
	__u64 counters[NT_COUNTERS], missing;

	loader_counters(&list->loader, counters);
	missing = loader_failures(counters, NT_COUNT_SOCKETS_FAILED) + counters[NT_COUNT_OPEN_RING_FAILED];
	if (list->lost)
		message_error("%llu %s are missing: out of memory; leave out --sort, --top and --resolve",
			      (unsigned long long)list->lost, listed_objects(list));
	if (list->lost && !missing)
		return EXIT_STATUS_LOST;
	if (!missing)
		return EXIT_STATUS_DONE;
	message_error("%llu %s are missing: the kernel side had no room for them; list again when fewer are open",
		      (unsigned long long)missing, listed_objects(list));
	return EXIT_STATUS_LOST;
}

static void report_no_listener(const struct list *list)
{
	if (list->listeners)
		message_note("%llu sockets are listening, and none matches the filters",
			     (unsigned long long)list->listeners);
	else
		message_note("no socket is listening");
}

static void report_no_match(const struct list *list)
{
	__u64 counters[NT_COUNTERS], preexisting;

	loader_counters(&list->loader, counters);
	preexisting = counters[NT_COUNT_SOCKETS_PREEXISTING];
	if (list->delivery.records || list->delivery.error)
		return;
	if (list->options->listening)
		report_no_listener(list);
	else if (preexisting)
		message_note("%llu connections are open, and none matches the filters",
			     (unsigned long long)preexisting);
	else
		message_note("no connection is open");
}

/* On a terminal only: the rows that found no room. */
static void write_hidden(struct list *list)
{
	struct text_buffer line = { 0 };

	if (!list->hidden)
		return;
	text_format(&line, "... %llu more\n", (unsigned long long)list->hidden);
	sink_write_lines(list->delivery.output.records, &line);
	text_free(&line);
}

static void scan_and_write(struct list *list)
{
	list->delivery.records = list->hidden = list->lost = list->listeners = 0;
	if (list_watches(list))
		sink_begin_page(list->delivery.output.records);
	socket_scan_existing(&list->loader, list_drain, list);
	if (list->options->listening) {
		socket_scan_report_listeners(&list->loader, list_drain, list);
	} else {
		adopt_known_sockets(list);
		socket_scan_report_open(&list->loader, list_drain, list);
	}
	write_kept_rows(list);
	write_hidden(list);
}

/* Lists once. Returns the exit status. */
static int list_once(struct list *list)
{
	int status = list_open_kernel(list);

	if (status == EXIT_STATUS_DONE && !delivery_open(&list->delivery, &list->options->delivery))
		status = EXIT_STATUS_BROKEN;
	if (status == EXIT_STATUS_DONE) {
		scan_and_write(list);
		delivery_flush(&list->delivery);
		status = report_missing(list);
	}
	if (status == EXIT_STATUS_DONE && !list_watches(list))
		report_no_match(list);
	list_close_kernel(list);
	return status;
}

static void ignore_resize(int signal_number)
{
	(void)signal_number;
}

/* Waits until the next list is due, or the terminal has another size. Returns false after a request to end. */
static bool await_next_list(const struct list *list)
{
	const struct timespec pause = { .tv_sec = (time_t)(list->options->watch_ns / NS_PER_SECOND),
					.tv_nsec = (long)(list->options->watch_ns % NS_PER_SECOND) };

	if (!list_watches(list) || stop_is_requested() || list->delivery.error)
		return false;
	nanosleep(&pause, NULL);
	return !stop_is_requested();
}

static int list_all(struct list *list)
{
	const struct sigaction resize = { .sa_handler = ignore_resize, .sa_flags = SA_RESTART };
	int status, of_output;

	stop_on_signals();
	if (list_watches(list))
		sigaction(SIGWINCH, &resize, NULL);
	do
		status = list_once(list);
	while ((status == EXIT_STATUS_DONE || status == EXIT_STATUS_LOST) && await_next_list(list));
	if (!list->delivery.is_open)
		return status;
	delivery_finish(&list->delivery, 0, 0);
	of_output = delivery_status(&list->delivery);
	return status == EXIT_STATUS_DONE || of_output == EXIT_STATUS_BROKEN ? of_output : status;
}

static void list_clean_up(struct list *list)
{
	delivery_close(&list->delivery);
	list_rows_clear(&list->rows);
	process_table_free(list->processes);
	namespace_names_free(&list->namespace_names);
}

int list_run(const struct options *options)
{
	struct list list = { .options = options, .namespace_names.directory = NAMED_NAMESPACES };
	int status = list_set_up(&list);

	if (status == EXIT_STATUS_DONE)
		status = list_all(&list);
	list_clean_up(&list);
	return status;
}
