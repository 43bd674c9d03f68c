/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sink: buffers formatted lines and writes them to a descriptor.
 *
 * A line is either written whole or counted as lost. If a write fails (a full disk), or the reader of a pipe or
 * terminal does not read, lines wait in the buffer until the next flush, and a line that was written to a regular file
 * in part is truncated. A line is lost if the buffer is full. The sink reports a failure or loss once, and once the
 * recovery.
 */
#ifndef NETRACKER_SINK_H
#define NETRACKER_SINK_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/output/format.h"
#include "src/util/text_buffer.h"

struct sink;

struct sink_options {
	const struct format *format; /* NULL: only sink_write_lines() is used */
	const char *path;            /* appended to, created with mode 0640 if absent; NULL: standard output */
	bool waits;                  /* for a slow reader, until a stop (src/util/stop.h); false for live tracking */
	enum format_rows rows;       /* as in struct format_view */
	bool no_header;              /* neither a heading nor lines between records */
	bool pages;                  /* text: headings only by sink_begin_page() */
	__u32 width;                 /* of a line of text; 0: the terminal's, or 132 characters */
	const struct column_choice *chosen; /* as in struct format_view */
	struct resolver *names;             /* as in struct format_view; with `waits` each record waits for its names */
};

/* Ignores SIGPIPE for the process. Does not wait for the reader of a FIFO: lines wait for it. Strings are not copied.
 * Returns 0, or -errno after reporting the error. */
int sink_open(struct sink **sink, const struct sink_options *options);

/* Adds one record's lines, and flushes if the buffer is long. Returns 0, -ENOMEM (reported; the record is lost), or as
 * sink_flush().
 */
int sink_write(struct sink *sink, const struct nt_record *record);

/* Text: begins another list of the same things: its time and the headings; a terminal is cleared first. The other
 * formats go on. */
void sink_begin_page(struct sink *sink);

/* Returns whether another record would not fit on the terminal, below the ones since sink_begin_page(). */
bool sink_page_is_full(const struct sink *sink);

/* Adds lines that are not records. Returns 0, or -errno if there is no room: none is added. */
int sink_write_lines(struct sink *sink, const struct text_buffer *lines);

/* Returns 0 if all lines are written; -EPIPE if the reader has gone; -EINTR after a signal; else -errno. Live tracking
 * must go on and waits at most 0.2 s for a reader (-EAGAIN); with `waits` there is no limit before a stop.
 */
int sink_flush(struct sink *sink);

/* Adds the format's footer and flushes. Returns as sink_flush(), but live tracking, and any command after a stop, waits
 * up to 1.5 s for a reader that takes nothing; then reports the loss.
 */
int sink_finish(struct sink *sink);

/* Opens the path again, after log rotation: lines that can be written go into the file that was open, the rest into the
 * new one, and no line into both. If it fails, reports the error and keeps the file that was open.
 */
void sink_reopen(struct sink *sink);

/* Returns the records of one event kind that were not written: lost, or waiting. Exact after sink_finish(). Leaves out
 * those that waited when the reader of a pipe closed it: sink_unwanted(). */
__u64 sink_lost(const struct sink *sink, enum nt_event_kind event);
__u64 sink_unwanted(const struct sink *sink, enum nt_event_kind event);

/* Returns the records of one event kind that wait in the buffer. */
__u64 sink_waiting(const struct sink *sink, enum nt_event_kind event);

/* Returns how many records of one event kind were lost for lack of memory. */
__u64 sink_lost_for_memory(const struct sink *sink, enum nt_event_kind event);

/* Returns whether any record of any kind was lost, as by sink_lost(). */
bool sink_lost_any(const struct sink *sink);

/* Returns whether any was lost for another reason than lack of memory. */
bool sink_has_failed(const struct sink *sink);

/* Does not flush. NULL is allowed. */
void sink_close(struct sink *sink);

#endif
