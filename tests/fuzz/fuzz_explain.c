// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs netracker explain on arbitrary lines.
 *
 * Input: a byte for the width, then the line.
 */
#include "tests/fuzz/fuzz.h"

#include "src/record/record_reader.h"
#include "src/explain/explain_describe.h"

#define WIDTH_LEAST 40
#define WIDTHS 61

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	unsigned int width = WIDTH_LEAST + fuzz_byte(&input) % WIDTHS;
	struct text_buffer error = {}, description = {};
	json_t *record = record_reader_parse((const char *)input.data, input.size, &error);

	MUST(record || error.used);
	if (record && record_reader_has_connection(record)) {
		explain_describe(&description, record, width, NULL);
		MUST(description.used && description.bytes[description.used - 1] == '\n');
		fuzz_check_text(description.bytes, description.used, "\n");
	}
	json_decref(record);
	text_free(&error);
	text_free(&description);
	return 0;
}
