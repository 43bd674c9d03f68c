// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_batch.h"

#include <errno.h>
#include <stdlib.h>

#include "src/record/record_fields.h"
#include "src/ship/ship_destination.h"
#include "src/util/message.h"

#define MOST_BYTES (16U << 20)

bool ship_batch_init(struct ship_batch *batch, const struct ship_destination *destination, void *connection)
{
	*batch = (struct ship_batch){ .destination = destination, .connection = connection };
	batch->ends = malloc(SHIP_MOST_RECORDS * sizeof(*batch->ends));
	batch->seqs = malloc(SHIP_MOST_RECORDS * sizeof(*batch->seqs));
	if (!batch->ends || !batch->seqs)
		message_error("ship: out of memory");
	return batch->ends && batch->seqs;
}

void ship_batch_free(struct ship_batch *batch)
{
	redaction_free(batch->redaction);
	batch->redaction = NULL;
	text_free(&batch->bytes);
	free(batch->ends);
	free(batch->seqs);
	batch->ends = NULL;
	batch->seqs = NULL;
}

void ship_batch_complete(const struct ship_batch *batch, struct nt_record *record, const char *machine)
{
	if (!nt_record_has(record, NT_HAS_HOST))
		record_name_host(record, machine);
	if (batch->redaction)
		redaction_apply(batch->redaction, record);
	record_limit_integers(record);
}

static void add_record(struct ship_batch *batch, struct nt_record *record, __u64 seq, const char *machine)
{
	batch->seqs[batch->count] = batch->last_seq = seq;
	ship_batch_complete(batch, record, machine);
	batch->destination->encode(batch->connection, &batch->bytes, record);
	batch->ends[batch->count++] = batch->bytes.used;
}

/* A batch that may have been sent before ends where it ended, whatever its size. */
static bool is_full(const struct ship_batch *batch, __u64 end, unsigned int most)
{
	if (batch->count == SHIP_MOST_RECORDS)
		return true;
	return end ? batch->last_seq >= end : batch->count >= most || batch->bytes.used >= MOST_BYTES;
}

int ship_batch_read(struct ship_batch *batch, struct history_reader *reader, __u64 seq, __u64 end, unsigned int most,
		    const char *machine)
{
	const struct history_selection selection = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL, .after_seq = seq };
	struct nt_record record;
	int result = history_reader_select(reader, &selection);

	batch->count = 0;
	batch->last_seq = seq;
	batch->bytes.used = 0;
	while (!result && !is_full(batch, end, most) && (result = history_reader_next(reader, &record)) == 1) {
		add_record(batch, &record, history_reader_seq(reader), machine);
		memcpy(batch->last_id, record.id, sizeof(batch->last_id));
		result = 0;
	}
	batch->is_full = is_full(batch, end, most);
	if (!batch->bytes.failed)
		return result;
	message_error("ship: out of memory");
	text_free(&batch->bytes);
	batch->count = 0;
	return -ENOMEM;
}

size_t ship_batch_bytes(const struct ship_batch *batch, unsigned int first, unsigned int count, const char **bytes)
{
	size_t begin = first ? batch->ends[first - 1] : 0;

	*bytes = begin ? batch->bytes.bytes + begin : batch->bytes.bytes; /* NULL if no record has bytes */
	return batch->ends[first + count - 1] - begin;
}
