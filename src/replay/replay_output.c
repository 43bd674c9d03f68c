#include "src/replay/replay_output.h"

#include <errno.h>
#include <stdio.h>

#include "src/record/record_filter.h"
#include "src/util/message.h"
#include "src/record/record_fields.h"

bool replay_output_open(struct replay_output *output)
{
	if (!output->is_open)
		output->error = output_open(&output->output, output->options);
	output->is_open = !output->error;
	return output->is_open;
}

/* True where the record was wanted. */
static bool write_record(struct replay_output *output, struct nt_record *record)
{
	record_name_host(record, output->options->host);
	if (replay_output_is_full(output) || !options_want_event(output->options, record->event) ||
	    !filter_accepts(output->options, record))
		return false;
	output->records++;
	message_clear();
	if (output_write(&output->output, record) == -EPIPE)
		output->error = -EPIPE;
	return true;
}

void replay_output_began(void *context)
{
	((struct replay_output *)context)->books.opened++;
}

void replay_output_established(void *context, struct nt_record *record)
{
	write_record(context, record);
}

void replay_output_ended(void *context, struct nt_record *record)
{
	struct replay_output *output = context;
	bool wanted = write_record(output, record);

	if (record->event == NT_EVENT_EXIT)
		output->books.open++;
	else if (wanted)
		output->books.written++;
	else
		output->books.filtered[BOOKS_FILTERED_OPTION]++;
}

void replay_output_flush(struct replay_output *output)
{
	if (output_flush(&output->output) == -EPIPE)
		output->error = -EPIPE;
}

static void tell_books(struct replay_output *output, const struct capture_odd *odd)
{
	__u64 lost = output_lost(&output->output, NT_EVENT_CLOSE);

	output->books.written -= lost;
	output->books.lost[BOOKS_LOST_SINK_FAILED] += lost;
	if (!output->options->quiet)
		books_print(&output->books, stderr);
	message_detail("packets that were malformed %llu, captured too short %llu; fragmented packets with parts "
		       "missing %llu",
		       (unsigned long long)odd->malformed, (unsigned long long)odd->truncated,
		       (unsigned long long)odd->incomplete);
}

void replay_output_finish(struct replay_output *output, const struct capture_odd *odd)
{
	int error = output_finish(&output->output, output->now, 0);

	output->error = output->error ? output->error : error;
	tell_books(output, odd);
}

void replay_output_close(struct replay_output *output)
{
	output_close(&output->output);
	output->is_open = false;
}
