/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens a file as a stream of the bytes that it holds, decompressed if it is compressed (codec.h). Files and pipes are
 * read once, from the beginning to the end; nothing else is opened.
 */
#ifndef NETRACKER_CAPTURE_STREAM_H
#define NETRACKER_CAPTURE_STREAM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

#define CAPTURE_STREAM_MOST_PEEK 16384

struct capture_stream;

/* "-" is standard input. Returns NULL with errno set. */
struct capture_stream *capture_stream_open(const char *name);

/* Sets *head to the stream's first bytes, before anything is read; size: at most CAPTURE_STREAM_MOST_PEEK. Waits for a
 * pipe. The stream owns them. Returns their number, which is smaller than `size` if the file ends there, and after an error.
 */
size_t capture_stream_peek(struct capture_stream *stream, const __u8 **head, size_t size);

/* Returns the stream to read from, always the same one. fclose() of it frees the struct capture_stream too. */
FILE *capture_stream_file(struct capture_stream *stream);

/* Returns the reason after a read failed; NULL if none has. */
const char *capture_stream_error(const struct capture_stream *stream);

/* True after a signal interrupted a read from a pipe. */
bool capture_stream_is_interrupted(const struct capture_stream *stream);

/* Returns the number of the file's bytes, compressed ones, that were used. */
__u64 capture_stream_position(const struct capture_stream *stream);

#endif
