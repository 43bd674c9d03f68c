// SPDX-License-Identifier: GPL-2.0-or-later
/* `netracker status`: prints the programs that are attached without a process, who attached them, and their
 * counters.
 */
#include "src/cli/options.h"

#include <errno.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "src/attach/attach_pins.h"
#include "src/util/escape.h"
#include "src/attach/kernel_trace.h"
#include "src/util/json_writer.h"
#include "src/util/message.h"
#include "src/kernel/net_namespace.h"
#include "src/kernel/running_tracker.h"
#include "src/record/accounting.h"

struct attach_counts {
	bool is_known;
	__u64 counts[ATTACH_COUNTERS];
	__u64 open, capacity; /* entries of the table: in use, and in all */
	__u64 dropped;        /* entries that the table evicted */
};

static const char *const state_names[] = { "attached", "partly", "gone", "unfinished", "foreign" };
static const char *const hook_names[] = { "unknown", "tcx", "clsact" };

static const char *hook_name(const struct attachment_info *attachment)
{
	return hook_names[attachment->hook <= ATTACH_HOOK_CLSACT ? attachment->hook : 0];
}

static bool is_described(const struct attach_entry *entry)
{
	return entry->state != ATTACH_STATE_UNFINISHED && entry->state != ATTACH_STATE_FOREIGN;
}

static int status_open_pin(const struct attach_entry *entry, const char *pin)
{
	char path[512];

	attach_format_pin_path(path, sizeof(path), entry->directory, pin);
	return bpf_obj_get(path);
}

static __u64 read_counter(int map, __u32 counter)
{
	int cpus = libbpf_num_possible_cpus(), cpu;
	__u64 *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL, sum = 0;

	if (values && !bpf_map_lookup_elem(map, &counter, values))
		for (cpu = 0; cpu < cpus; cpu++)
			sum += values[cpu];
	free(values);
	return sum;
}

/* Counts the entries of a table. The walk restarts at the first entry if the current one was deleted meanwhile, so
 * it ends after `capacity` entries.
 */
static __u64 count_entries(int map, __u64 capacity, __u32 key_size)
{
	char *keys = calloc(2, key_size), *previous = NULL;
	__u64 entries = 0;

	if (!keys)
		return 0;
	while (entries < capacity && !bpf_map_get_next_key(map, previous, keys + key_size)) {
		memcpy(keys, keys + key_size, key_size);
		previous = keys;
		entries++;
	}
	free(keys);
	return entries;
}

/* Reads the count of opened connections first, so that one that opens meanwhile is never mistaken for a dropped one. */
static void read_counters(const struct attach_entry *entry, struct attach_counts *counters)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info), counter;
	int counts = status_open_pin(entry, "counters"), connections = status_open_pin(entry, "connections");
	__u64 accounted;

	memset(counters, 0, sizeof(*counters));
	counters->is_known = counts >= 0 && connections >= 0 && !bpf_obj_get_info_by_fd(connections, &info, &length);
	if (counters->is_known) {
		counters->capacity = info.max_entries;
		counters->counts[ATTACH_COUNT_OPENED] = read_counter(counts, ATTACH_COUNT_OPENED);
		counters->open = count_entries(connections, info.max_entries, info.key_size);
		for (counter = ATTACH_COUNT_OPENED + 1; counter < ATTACH_COUNTERS; counter++)
			counters->counts[counter] = read_counter(counts, counter);
		accounted = counters->counts[ATTACH_COUNT_ENDED] + counters->open +
			    counters->counts[ATTACH_COUNT_NOT_BEGUN];
		if (counters->counts[ATTACH_COUNT_OPENED] < accounted)
			counters->counts[ATTACH_COUNT_OPENED] = accounted;
		counters->dropped = counters->counts[ATTACH_COUNT_OPENED] - accounted;
	}
	if (counts >= 0)
		close(counts);
	if (connections >= 0)
		close(connections);
}

/* Counts the connections that ended without a line, since the server sent no FIN: refused, reset or replaced. */
static __u64 count_without_line(const struct attach_counts *counters)
{
	__u64 lines = counters->counts[ATTACH_COUNT_PRINTED] + counters->counts[ATTACH_COUNT_NOT_PRINTED];

	return counters->counts[ATTACH_COUNT_ENDED] > lines ? counters->counts[ATTACH_COUNT_ENDED] - lines : 0;
}

static void format_time(char text[32], __u64 when_ns)
{
	time_t seconds = when_ns / 1000000000;
	struct tm utc;

	text[0] = '\0';
	if (gmtime_r(&seconds, &utc))
		strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static const char *user_name(__u32 uid)
{
	const struct passwd *user = uid == ~0U ? NULL : getpwuid(uid);

	return user ? user->pw_name : NULL;
}

static void print_user(struct text_buffer *text, __u32 uid)
{
	const char *name = user_name(uid);

	if (name)
		escape_word(text, name, strlen(name));
	else
		text_format(text, "uid %u", uid);
}

/* Prints the interface's name, and its current name if it was renamed in this network namespace. */
static void print_interface(struct text_buffer *text, const struct attach_entry *entry)
{
	const struct attachment_info *attachment = &entry->attachment;
	char current_name[IF_NAMESIZE];

	if (!is_described(entry)) {
		escape_word(text, entry->directory, sizeof(entry->directory));
		return;
	}
	escape_word(text, attachment->interface, sizeof(attachment->interface));
	if (attachment->netns != net_namespace_own()) {
		text_format(text, " in network namespace %u", attachment->netns);
	} else if (attach_entry_is_attached(entry) && if_indextoname(attachment->ifindex, current_name) &&
		   strncmp(current_name, attachment->interface, sizeof(attachment->interface))) {
		text_string(text, ", now called ");
		escape_word(text, current_name, sizeof(current_name));
	}
}

static void print_programs(struct text_buffer *text, const struct attach_entry *entry)
{
	static const char *const directions[ATTACH_DIRECTIONS] = { "incoming", "outgoing" };
	int direction;

	for (direction = 0; direction < ATTACH_DIRECTIONS; direction++)
		if (entry->program_ids[direction])
			text_format(text, ", %s by program %u", directions[direction], entry->program_ids[direction]);
		else if (direction || !entry->attachment.only_egress)
			text_format(text, ", %s detached", directions[direction]);
}

static void print_attach_state(struct text_buffer *text, const struct attach_entry *entry)
{
	switch (entry->state) {
	case ATTACH_STATE_ATTACHED:
	case ATTACH_STATE_PARTLY:
		text_format(text, ": attached (%s, interface %u)", hook_name(&entry->attachment),
			    entry->attachment.ifindex);
		print_programs(text, entry);
		break;
	case ATTACH_STATE_GONE:
		text_string(text, ": left over: the interface is gone, or its programs were detached; "
				  "netracker detach removes the pins");
		break;
	case ATTACH_STATE_UNFINISHED:
		text_string(text, ": left over: attaching was interrupted; netracker detach removes the pins");
		break;
	case ATTACH_STATE_FOREIGN:
		text_string(text, ": attached by another version of netracker; use that version for details");
		break;
	}
	text_char(text, '\n');
}

static void print_attacher(struct text_buffer *text, const struct attachment_info *attachment)
{
	char when[32];

	format_time(when, attachment->when_ns);
	text_string(text, "  by       ");
	print_user(text, attachment->uid);
	if (attachment->login_uid != ~0U && attachment->login_uid != attachment->uid) {
		text_string(text, ", logged in as ");
		print_user(text, attachment->login_uid);
	}
	text_format(text, ", pid %u ", attachment->pid);
	escape_word(text, attachment->comm, sizeof(attachment->comm));
	text_format(text, " started by pid %u ", attachment->parent_pid);
	escape_word(text, attachment->parent_comm, sizeof(attachment->parent_comm));
	text_format(text, ", %s, version ", when);
	escape_word(text, attachment->version, sizeof(attachment->version));
	text_char(text, '\n');
}

static void print_counters(struct text_buffer *text, const struct attach_counts *counters)
{
	const __u64 *counts = counters->counts;

	if (!counters->is_known)
		return;
	text_format(
		text,
		"  counters %llu opened = %llu ended + %llu open (%llu at most) + %llu evicted + %llu without room\n",
		counts[ATTACH_COUNT_OPENED], counts[ATTACH_COUNT_ENDED], counters->open, counters->capacity,
		counters->dropped, counts[ATTACH_COUNT_NOT_BEGUN]);
	text_format(text, "  lines    %llu ended = %llu printed + %llu refused by the trace + %llu without FIN-ACK\n",
		    counts[ATTACH_COUNT_ENDED], counts[ATTACH_COUNT_PRINTED], counts[ATTACH_COUNT_NOT_PRINTED],
		    count_without_line(counters));
	text_format(text, "  packets  %llu malformed\n", counts[ATTACH_COUNT_MALFORMED]);
}

static void print_entry(struct text_buffer *text, const struct attach_entry *entry)
{
	struct attach_counts counters;

	print_interface(text, entry);
	print_attach_state(text, entry);
	if (!is_described(entry))
		return;
	print_attacher(text, &entry->attachment);
	read_counters(entry, &counters);
	print_counters(text, &counters);
}

static void print_trace(struct text_buffer *text)
{
	unsigned long long overrun;
	char path[128];

	if (kernel_trace_is_off(path, sizeof(path)))
		text_format(text, "trace: switched off, all lines are lost; switch it on: echo 1 > %s\n", path);
	if (kernel_trace_read_overrun(&overrun))
		text_format(text, "trace: %llu entries, from all programs, were overwritten before anybody read them\n",
			    overrun);
	else
		text_string(text, "trace: tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing\n");
}

static void print_text(struct text_buffer *text, const struct attach_entries *entries)
{
	size_t i;

	for (i = 0; i < entries->count; i++)
		print_entry(text, &entries->list[i]);
	if (!entries->count)
		text_string(text, "nothing is attached; attach with netracker attach -i INTERFACE\n");
	else
		print_trace(text);
}

static void add_string(struct json_writer *json, const char *key, const char *value, size_t size)
{
	json_write_key(json, key);
	json_write_string(json, value, size);
}

static void add_number(struct json_writer *json, const char *key, unsigned long long value)
{
	json_write_key(json, key);
	json_write_integer(json, value);
}

static void add_attacher(struct json_writer *json, const struct attachment_info *attachment)
{
	char when[32];
	const char *user = user_name(attachment->uid);

	format_time(when, attachment->when_ns);
	add_number(json, "uid", attachment->uid);
	if (user)
		add_string(json, "user", user, strlen(user));
	if (attachment->login_uid != ~0U)
		add_number(json, "login_uid", attachment->login_uid);
	add_number(json, "pid", attachment->pid);
	add_string(json, "comm", attachment->comm, sizeof(attachment->comm));
	add_number(json, "parent_pid", attachment->parent_pid);
	add_string(json, "parent_comm", attachment->parent_comm, sizeof(attachment->parent_comm));
	add_string(json, "time", when, sizeof(when));
	add_string(json, "version", attachment->version, sizeof(attachment->version));
}

static void add_place(struct json_writer *json, const struct attach_entry *entry)
{
	const struct attachment_info *attachment = &entry->attachment;
	int direction;

	add_string(json, "interface", attachment->interface, sizeof(attachment->interface));
	add_number(json, "ifindex", attachment->ifindex);
	add_number(json, "netns", attachment->netns);
	add_string(json, "hook", hook_name(attachment), 16);
	for (direction = 0; direction < ATTACH_DIRECTIONS; direction++)
		if (entry->program_ids[direction])
			add_number(json, direction ? "egress_program" : "ingress_program",
				   entry->program_ids[direction]);
}

static void add_counters(struct json_writer *json, const struct attach_counts *counters)
{
	if (!counters->is_known)
		return;
	add_number(json, "opened", counters->counts[ATTACH_COUNT_OPENED]);
	add_number(json, "ended", counters->counts[ATTACH_COUNT_ENDED]);
	add_number(json, "open", counters->open);
	add_number(json, "open_at_most", counters->capacity);
	add_number(json, "dropped", counters->dropped);
	add_number(json, "without_room", counters->counts[ATTACH_COUNT_NOT_BEGUN]);
	add_number(json, "lines_printed", counters->counts[ATTACH_COUNT_PRINTED]);
	add_number(json, "lines_not_taken", counters->counts[ATTACH_COUNT_NOT_PRINTED]);
	add_number(json, "packets_malformed", counters->counts[ATTACH_COUNT_MALFORMED]);
}

static void add_trace(struct json_writer *json)
{
	unsigned long long overrun;
	char path[128];

	if (!kernel_trace_read_overrun(&overrun))
		return;
	json_write_key(json, "trace_on");
	json_write_boolean(json, !kernel_trace_is_off(path, sizeof(path)));
	add_number(json, "trace_overrun", overrun);
}

static void json_entry(struct text_buffer *text, const struct attach_entry *entry)
{
	struct json_writer json = { .text = text };
	struct attach_counts counters;

	json_begin_object(&json);
	add_string(&json, "state", state_names[entry->state], strlen(state_names[entry->state]));
	add_string(&json, "directory", entry->directory, sizeof(entry->directory));
	if (is_described(entry)) {
		add_place(&json, entry);
		add_attacher(&json, &entry->attachment);
		read_counters(entry, &counters);
		add_counters(&json, &counters);
	}
	add_trace(&json);
	json_end_object(&json);
	text_char(text, '\n');
}

/* The words of the command, separated by spaces. */
static void print_command(struct text_buffer *text, const struct nt_publication *published)
{
	size_t length = sizeof(published->command), at;
	char words[NT_PUBLISHED_COMMAND];

	while (length && !published->command[length - 1])
		length--;
	for (at = 0; at < length; at++)
		words[at] = published->command[at] ? published->command[at] : ' ';
	escape_message(text, words, length);
}

static void print_tracker(void *context, const struct nt_publication *published)
{
	struct text_buffer *text = context;
	struct accounting accounting;
	char begun[32], updated[32];

	format_time(begun, published->begun_ns);
	format_time(updated, published->updated_ns);
	text_format(text, "tracker pid %u, since %s: ", published->pid, begun);
	print_command(text, published);
	text_format(text, "\n  at %s ", updated);
	memcpy(&accounting, published->count, sizeof(accounting));
	accounting_format(text, &accounting);
	text_char(text, '\n');
}

static void add_causes(struct json_writer *json, const struct accounting *accounting)
{
	unsigned int cause;

	json_write_key(json, "filtered_by_cause");
	json_begin_object(json);
	for (cause = 0; cause < ACCOUNTING_FILTERS; cause++)
		if (accounting->filtered[cause])
			add_number(json, accounting_filter_name(cause), accounting->filtered[cause]);
	json_end_object(json);
	json_write_key(json, "lost_by_cause");
	json_begin_object(json);
	for (cause = 0; cause < ACCOUNTING_LOSSES; cause++)
		if (accounting->lost[cause])
			add_number(json, accounting_loss_name(cause), accounting->lost[cause]);
	json_end_object(json);
}

static void add_accounting(struct json_writer *json, const struct accounting *accounting)
{
	add_number(json, "opened", accounting->opened);
	add_number(json, "preexisting", accounting->preexisting);
	add_number(json, "written", accounting->written);
	add_number(json, "filtered", accounting_filtered(accounting));
	add_number(json, "open", accounting->open);
	add_number(json, "lost", accounting_lost(accounting));
	add_causes(json, accounting);
	add_number(json, "recursion_misses", accounting->recursion_misses);
}

static void json_tracker(void *context, const struct nt_publication *published)
{
	struct json_writer json = { .text = context };
	struct text_buffer command = { 0 };
	struct accounting accounting;
	char begun[32], updated[32];

	format_time(begun, published->begun_ns);
	format_time(updated, published->updated_ns);
	print_command(&command, published);
	memcpy(&accounting, published->count, sizeof(accounting));
	json_begin_object(&json);
	add_string(&json, "state", "tracking", strlen("tracking"));
	add_number(&json, "pid", published->pid);
	add_string(&json, "command", command.used ? command.bytes : "", command.used);
	add_string(&json, "time", begun, sizeof(begun));
	add_string(&json, "updated", updated, sizeof(updated));
	add_string(&json, "version", published->version, sizeof(published->version));
	add_accounting(&json, &accounting);
	json_end_object(&json);
	text_char(json.text, '\n');
	text_free(&command);
}

static int write_output(const struct text_buffer *text)
{
	if (!text->failed && fwrite(text->bytes, 1, text->used, stdout) == text->used && !fflush(stdout))
		return EXIT_STATUS_DONE;
	message_error("status: cannot write to standard output: %s; free some room there",
		      text->failed ? "out of memory" : strerror(errno));
	return EXIT_STATUS_BROKEN;
}

int status_run(const struct options *options)
{
	struct text_buffer text = { 0 };
	struct attach_entries entries;
	int status = attach_check_privileges("show what is attached"), lock = -1;
	size_t i;

	if (status == EXIT_STATUS_DONE && mounts_has_bpffs())
		status = attach_lock(&lock);
	if (status != EXIT_STATUS_DONE)
		return status;
	text.failed = !attach_entries_read(&entries);
	if (options->delivery.output.sink.format == &format_text)
		print_text(&text, &entries);
	for (i = 0; i < entries.count && options->delivery.output.sink.format == &format_json; i++)
		json_entry(&text, &entries.list[i]);
	attach_unlock(lock);
	running_trackers_read(options->delivery.output.sink.format == &format_text ? print_tracker : json_tracker,
			      &text);
	status = write_output(&text);
	text_free(&text);
	attach_entries_free(&entries);
	return status;
}
