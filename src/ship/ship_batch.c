// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_batch.h"

#include <errno.h>
#include <stdlib.h>

#include "src/output/format.h"
#include "src/util/message.h"

#define MOST_BYTES (16U << 20)

bool ship_batch_init(struct ship_batch *batch)
{
	batch->ends = malloc(SHIP_MOST_RECORDS * sizeof(*batch->ends));
	if (!batch->ends)
		message_error("ship: out of memory");
	return batch->ends;
}

void ship_batch_free(struct ship_batch *batch)
{
	text_free(&batch->text);
	free(batch->ends);
	batch->ends = NULL;
}

static void add_record(struct ship_batch *batch, struct nt_record *record, const char *machine)
{
	static const struct format_view view;

	if (!nt_record_has(record, NT_HAS_HOST))
		record_name_host(record, machine);
	record_limit_integers(record);
	format_json.record(&batch->text, record, &view);
	batch->ends[batch->count++] = batch->text.used;
}

/* A batch that may have been sent before ends where it ended, whatever its size. */
static bool is_full(const struct ship_batch *batch, __u64 end, unsigned int most)
{
	if (batch->count == SHIP_MOST_RECORDS)
		return true;
	return end ? batch->last_seq >= end : batch->count >= most || batch->text.used >= MOST_BYTES;
}

int ship_batch_read(struct ship_batch *batch, struct history_reader *reader, __u64 seq, __u64 end, unsigned int most,
		    const char *machine)
{
	const struct history_selection selection = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL, .after_seq = seq };
	struct nt_record record;
	int result = history_reader_select(reader, &selection);

	batch->count = 0;
	batch->last_seq = seq;
	batch->text.used = 0;
	while (!result && !is_full(batch, end, most) && (result = history_reader_next(reader, &record)) == 1) {
		add_record(batch, &record, machine);
		batch->last_seq = history_reader_seq(reader);
		result = 0;
	}
	batch->is_full = is_full(batch, end, most);
	if (!batch->text.failed)
		return result;
	message_error("ship: out of memory");
	text_free(&batch->text);
	batch->text = (struct text_buffer){ 0 };
	batch->count = 0;
	return -ENOMEM;
}

size_t ship_batch_lines(const struct ship_batch *batch, unsigned int first, unsigned int count, const char **lines)
{
	size_t begin = first ? batch->ends[first - 1] : 0;

	*lines = batch->text.bytes + begin;
	return batch->ends[first + count - 1] - begin;
}
