/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recognises records of -f json, one a line, by the first bytes of a stream. */
#ifndef NETRACKER_CAPTURE_LINES_H
#define NETRACKER_CAPTURE_LINES_H

#include <stdbool.h>

#include "src/capture/capture_stream.h"

/* Returns whether the stream is a text in which one of the first lines is an object of JSON. A file that was rotated or cut
 * may begin within a line, and messages may come before. Nothing of the stream is read; waits for a pipe. */
bool capture_lines_begin(struct capture_stream *stream);

#endif
