// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_wait.h"

#include "src/record/record_reader.h"
#include "src/record/record_wait.h"

static void add_part(struct paragraph *paragraph, const char *words, __u64 ns, const char *more)
{
	paragraph_add(paragraph, "%s", words);
	paragraph_add_duration(paragraph, ns);
	paragraph_add(paragraph, "%s", more);
}

static void add_rest(struct paragraph *paragraph, const struct record_wait *wait)
{
	static const char *const meanings[] = {
		[RECORD_WAIT_IDLE] = "were idle or the transfer itself (idle).",
		[RECORD_WAIT_READER] = "were spent mostly waiting for the other side's application to read (reader).",
		[RECORD_WAIT_WRITER] = "were spent mostly waiting for room in the socket's send buffer (writer).",
		[RECORD_WAIT_NETWORK] = "were spent mostly sending through the network (network).",
	};

	add_part(paragraph, "The other", wait->rest.ns, meanings[wait->rest_is]);
}

/* Records of other programs may have the answer first. */
static bool is_answer_first(const struct nt_record *record)
{
	return nt_record_has(record, NT_HAS_LAST_RESPONSE) && record->last_response_ns < record->last_request_ns;
}

/* A connection with one exchange has nothing to add. */
static void add_last_exchange(struct paragraph *paragraph, const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_LAST_REQUEST) || !nt_record_has(record, NT_HAS_REQUEST) ||
	    record->last_request_ns == record->request_ns || is_answer_first(record))
		return;
	paragraph_add(paragraph, "The last request came");
	paragraph_add_duration(paragraph, record->last_request_ns);
	if (!nt_record_has(record, NT_HAS_LAST_RESPONSE)) {
		paragraph_add(paragraph, "after the start and had no answer.");
		return;
	}
	paragraph_add(paragraph, "after the start, and its answer");
	paragraph_add_duration(paragraph, record->last_response_ns - record->last_request_ns);
	paragraph_add(paragraph, "later.");
}

void explain_write_wait(struct paragraph *paragraph)
{
	struct text_buffer reason = { 0 };
	struct nt_record record;
	struct record_wait wait;
	bool filled = record_reader_fill(&record, paragraph->record, &reason);

	text_free(&reason);
	if (!filled)
		return;
	wait = record_wait_compute(&record);
	if (wait.network.known)
		add_part(paragraph, "The network took", wait.network.ns,
			 "for the handshake and for the way to the server and back (network).");
	if (wait.server.known)
		add_part(paragraph, "The server took", wait.server.ns,
			 record.role == NT_ROLE_SERVER ? "before its first payload (local)." :
							 "before its first payload (peer).");
	if (wait.rest.known)
		add_rest(paragraph, &wait);
	add_last_exchange(paragraph, &record);
	paragraph_finish(paragraph, "Whose time");
}
