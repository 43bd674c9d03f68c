// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/group_answer.h"

#include <errno.h>
#include <stdlib.h>

#include "src/delivery/delivery.h"
#include "src/query/group_table.h"
#include "src/query/server_groups.h"
#include "src/util/message.h"
#include "src/util/stop.h"

static bool refuse_grouping(const char *option, const char *reason)
{
	message_error("%s: %s; see: netracker query --help", option, reason);
	return false;
}

bool group_answer_begin(struct groups *groups, const struct options *options, struct history_columns *wanted)
{
	char reason[256];

	if (!group_keys_parse(&groups->keys, options->group_by, reason, sizeof(reason)))
		return refuse_grouping("--by", reason);
	if (!group_order_parse(&groups->order, &groups->keys, options->sort, reason, sizeof(reason)))
		return refuse_grouping("--sort", reason);
	groups->order.reversed = options->reverse;
	groups->whole_budget.most = GROUP_VALUES_BUDGET;
	groups->budget = &groups->whole_budget;
	groups_add_columns(groups, wanted);
	return true;
}

static bool visit_to_add(void *state, struct nt_record *record, __u64 position)
{
	(void)position;
	group_part_add(state, record);
	return true;
}

static void read_groups(struct groups *groups, struct query_scan *scan)
{
	struct group_parts parts;

	if (group_parts_init(&parts, groups, scan->threads)) {
		if (scan->server)
			server_groups_read(scan, &parts.parts[0]);
		else
			query_scan_run(scan, visit_to_add, parts.parts, sizeof(*parts.parts));
		group_parts_merge(&parts);
	} else {
		groups->failed = true;
	}
	group_parts_free(&parts);
}

/* The state of a thread that reads the records before the span. */
struct before_state {
	const struct groups *groups;
	struct text_buffer key;
};

static bool visit_to_note_before(void *context, struct nt_record *record, __u64 position)
{
	struct before_state *state = context;

	(void)position;
	groups_note_before(state->groups, &state->key, record);
	return !state->key.failed;
}

static void note_groups_before(struct groups *groups, struct query_scan *scan)
{
	struct before_state *states = query_scan_measure_before(scan) ? calloc(scan->threads, sizeof(*states)) : NULL;
	unsigned int i;

	if (!states) {
		groups->failed = true;
		return;
	}
	for (i = 0; i < scan->threads; i++)
		states[i].groups = groups;
	query_scan_run_before(scan, visit_to_note_before, states, sizeof(*states));
	for (i = 0; i < scan->threads; i++) {
		groups->failed = groups->failed || states[i].key.failed;
		text_free(&states[i].key);
	}
	free(states);
}

static void remove_groups_before(struct groups *groups, struct query_scan *scan)
{
	if (!scan->server)
		note_groups_before(groups, scan);
	else if (!server_groups_note_before(scan, groups))
		groups->failed = true;
	groups_remove_before(groups);
}

static size_t count_shown(const struct groups *groups, const struct options *options)
{
	size_t top = options->delivery.output.top;

	return top && top < groups->count ? top : groups->count;
}

/* Returns 0, or -errno after the sink reported it; -EPIPE is not reported. */
static int write_groups(const struct groups *groups, const struct options *options)
{
	struct sink_options of_table = { .waits = true, .path = options->delivery.output.sink.path };
	struct text_buffer table = { 0 };
	struct sink *sink = NULL;
	int error = sink_open(&sink, &of_table);

	group_table_append(&table, groups, count_shown(groups, options), options->delivery.output.sink.format,
			   options->delivery.output.sink.no_header);
	if (!error && table.failed) {
		error = -ENOMEM;
		message_error("query: out of memory; leave groups out with --top");
	}
	if (!error)
		error = sink_write_lines(sink, &table);
	if (!error)
		error = sink_finish(sink);
	sink_close(sink);
	text_free(&table);
	return error;
}

/* Says what the table does not show. Returns whether it is complete. */
static bool report_groups(const struct groups *groups, const struct options *options)
{
	size_t hidden = groups->count - count_shown(groups, options), approximate = groups_count_approximate(groups);
	size_t cut = groups_count_cut(groups);

	delivery_report_limits(options->delivery.filter);
	if (hidden)
		message_note("%zu more groups; --top shows the first %u", hidden, options->delivery.output.top);
	if (approximate)
		message_note("%s is approximate, within 0.8 %%, for %zu %s of many values", groups->order.name,
			     approximate, approximate == 1 ? "group" : "groups");
	if (cut)
		message_error("query: there is no memory for all values: %s of %zu %s is unknown: narrow the question",
			      groups->order.name, cut, cut == 1 ? "group" : "groups");
	if (groups->failed)
		message_error("query: out of memory; the groups are not complete: narrow the question");
	if (groups->left_out)
		message_error(
			"query: there are more than %d groups; %llu records are in none of them: narrow the question",
			MOST_GROUPS, (unsigned long long)groups->left_out);
	return !groups->failed && !groups->left_out && !cut;
}

int group_answer_write(struct groups *groups, const struct options *options, struct query_scan *scan)
{
	int error;

	if (!groups_init(groups) || !query_scan_measure(scan)) {
		message_error("query: out of memory");
		return EXIT_STATUS_BROKEN;
	}
	read_groups(groups, scan);
	if (options->only_new)
		remove_groups_before(groups, scan);
	message_clear();
	if (stop_is_requested() || scan->no_memory || scan->too_many_ids || (scan->server && scan->files.is_incomplete))
		return EXIT_STATUS_BROKEN; /* numbers of a part would look like those of the whole */
	groups_sort(groups);
	error = write_groups(groups, options);
	if (!report_groups(groups, options) || (error && error != -EPIPE))
		return EXIT_STATUS_BROKEN;
	return options->delivery.fails_if_any && groups->count ? EXIT_STATUS_MATCHED : EXIT_STATUS_DONE;
}
