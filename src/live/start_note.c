// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/live/start_note.h"

#include <unistd.h>

#include "src/util/message.h"
#include "src/util/readable.h"

#define MOST_OF_FILTER 200

static void append_contexts(struct text_buffer *text, const struct options *options, unsigned int interfaces)
{
	text_string(text, "tracking ");
	if (options->contexts & CONTEXT_SOCKET)
		text_string(text, "sockets");
	if (options->contexts == (CONTEXT_SOCKET | CONTEXT_WIRE))
		text_string(text, ", and ");
	if (options->contexts & CONTEXT_WIRE)
		text_format(text, "packets on %u interface%s of this network namespace", interfaces,
			    interfaces == 1 ? "" : "s");
}

static void append_filter(struct text_buffer *text, const struct text_buffer *filter)
{
	bool is_long = filter->used > MOST_OF_FILTER;

	if (!filter->used || filter->failed)
		return;
	text_string(text, "; filter: ");
	text_append(text, filter->bytes, is_long ? MOST_OF_FILTER : filter->used);
	if (is_long)
		text_string(text, "...");
}

static void append_metrics(struct text_buffer *text, const struct metrics_address *address)
{
	if (!address->size)
		return;
	text_string(text, "; metrics are at http://");
	text_string(text, address->text);
	text_string(text, "/metrics");
}

static void append_output(struct text_buffer *text, const struct delivery_options *delivery)
{
	if (delivery->output.sink.path) {
		text_string(text, "; records go to ");
		text_string(text, delivery->output.sink.path);
	}
	if (delivery->history.folder) {
		text_string(text, "; the history is ");
		text_string(text, delivery->history.folder);
	}
	if (delivery->output.nowhere)
		return;
	if (delivery->output.summary)
		text_string(text, delivery->output.interval_ns ? "; tables follow" : "; tables follow at the end");
	else if (delivery->events == 1U << NT_EVENT_CLOSE)
		text_string(text, "; each connection's record follows when it ends");
}

static void append_end(struct text_buffer *text, const struct options *options)
{
	__u64 most = options->delivery.max_records;

	if (!options->max_time_ns && !most) {
		text_string(text, "; Ctrl-C ends it");
		return;
	}
	text_string(text, "; ends ");
	if (options->max_time_ns) {
		text_string(text, "after ");
		readable_duration(text, options->max_time_ns);
		text_string(text, ", ");
	}
	if (most)
		text_format(text, "after %llu record%s, ", (unsigned long long)most, most == 1 ? "" : "s");
	text_string(text, "or with Ctrl-C");
}

void start_note_append(struct text_buffer *text, const struct options *options, unsigned int interfaces)
{
	append_contexts(text, options, interfaces);
	append_filter(text, &options->filter_text);
	append_metrics(text, &options->metrics);
	append_output(text, &options->delivery);
	append_end(text, options);
}

void start_note_print(const struct options *options, unsigned int interfaces)
{
	struct text_buffer text = { 0 };

	if (!isatty(STDERR_FILENO)) {
		message_detail("tracking");
		return;
	}
	start_note_append(&text, options, interfaces);
	if (!text.failed)
		message_note("%.*s", (int)text.used, text.bytes);
	text_free(&text);
}
