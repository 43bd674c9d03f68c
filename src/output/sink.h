/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where records go: lines of one format into one descriptor, through a buffer.
 *
 * A line either gets out whole or is counted as lost. When the output refuses (a full disk), or a pipe's or terminal's
 * reader does not read, lines wait in the buffer, half a line that got into a regular file is taken out of it again,
 * and the next flush tries again; a line that finds the buffer full is lost. The sink itself says, once, that the
 * output refuses or that records are lost, and once more when it recovers.
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
	const char *path;            /* appended to; created if need be. NULL: standard output */
	bool waits;                  /* for a slow reader, however long: tracking does not */
	bool lists;                  /* struct format_view */
};

/* Ignores SIGPIPE for the process. Strings are not copied. 0, or -errno after having said why. */
int sink_open(struct sink **sink, const struct sink_options *options);

/* Adds one line. 0, or the -errno of a flush that became necessary. */
int sink_write(struct sink *sink, const struct nt_record *record);

/* Adds lines that are no records'. 0, or -errno where there is no room for them: none was added. */
int sink_write_lines(struct sink *sink, const struct text_buffer *lines);

/* 0 when nothing waits any more; -EPIPE when the reader went away; -EINTR when a signal came first; else -errno. Live
 * tracking, which must go on, waits at most 0.2 s for a reader (-EAGAIN); replay waits for ever.
 */
int sink_flush(struct sink *sink);

/* The last flush, after the lines that end the format: as sink_flush(), but live tracking waits up to 5 s for a reader
 * that takes nothing.
 */
int sink_finish(struct sink *sink);

/* Opens the path again, which may be another file by now: what can be written goes into the file that was open,
 * the rest into the new one, and no line into both. Where that fails it says so and goes on with what was open.
 */
void sink_reopen(struct sink *sink);

/* Records of one event kind that have not got out: lost, or waiting in the buffer. Exact after sink_finish(). */
__u64 sink_lost(const struct sink *sink, enum nt_event_kind event);

/* Those among them for which there was no memory. */
__u64 sink_lost_for_memory(const struct sink *sink, enum nt_event_kind event);

/* The same of any kind. */
bool sink_lost_any(const struct sink *sink);

/* Does not flush. NULL is allowed. */
void sink_close(struct sink *sink);

#endif
