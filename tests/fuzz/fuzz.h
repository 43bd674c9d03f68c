/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the fuzz targets: reads the input as a stream of values, and checks records in all formats.
 *
 * Each tests/fuzz/fuzz_*.c is a target, linked with libFuzzer (docs/testing.md).
 */
#ifndef NETRACKER_TESTS_FUZZ_H
#define NETRACKER_TESTS_FUZZ_H

#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/output/format.h"
#include "src/zeek/conn_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer stores the input that leads to an abort(). */
#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

/* Bytes beyond the input's end are zero. */
static inline void fuzz_take(struct fuzz_input *input, void *to, size_t size)
{
	size_t available = size < input->size ? size : input->size;

	memset(to, 0, size);
	if (available)
		memcpy(to, input->data, available);
	input->data += available;
	input->size -= available;
}

static inline __u8 fuzz_byte(struct fuzz_input *input)
{
	__u8 byte;

	fuzz_take(input, &byte, sizeof(byte));
	return byte;
}

/* Checks that there are no control characters except those in `allowed`. */
static inline void fuzz_check_text(const char *bytes, size_t size, const char *allowed)
{
	size_t i;

	for (i = 0; i < size; i++)
		MUST(((unsigned char)bytes[i] >= 0x20 && bytes[i] != 0x7f) || (bytes[i] && strchr(allowed, bytes[i])));
}

/* Checks that the text is one line, and empties the buffer. */
static inline void fuzz_check_line(struct text_buffer *text, const char *allowed)
{
	MUST(!text->failed && text->used && text->bytes[text->used - 1] == '\n');
	fuzz_check_text(text->bytes, text->used - 1, allowed);
	text->used = 0;
}

/* Checks the record in every format. */
static inline void fuzz_check_record(const struct nt_record *record)
{
	static const struct format_view file = { .width = 132 }, terminal = { .width = 132, .wraps = true };
	struct text_buffer text = {};

	format_json.record(&text, record, &file);
	fuzz_check_line(&text, "");
	format_text.record(&text, record, &file);
	fuzz_check_line(&text, "");
	format_text.record(&text, record, &terminal);
	fuzz_check_line(&text, "\n");
	format_csv.record(&text, record, &file);
	fuzz_check_line(&text, "");
	format_tsv.record(&text, record, &file);
	fuzz_check_line(&text, "\t");
	conn_log_format.record(&text, record, &file);
	fuzz_check_line(&text, "\t");
	if (format_trace.accepts(record)) {
		format_trace.record(&text, record, &file);
		fuzz_check_line(&text, "");
	}
	text_free(&text);
}

#endif
