// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker explain: a line that may be a record, told in sentences.
 *
 * Input: a byte for the width, then the line.
 */
#include "tests/fuzz/fuzz.h"

#include "src/explain/explain_record.h"
#include "src/explain/explain_describe.h"

#define WIDTH_LEAST 40
#define WIDTHS 61

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	unsigned int width = WIDTH_LEAST + fuzz_byte(&input) % WIDTHS;
	struct text_buffer why = {}, story = {};
	json_t *record = explain_record_read((const char *)input.data, input.size, &why);

	MUST(record || why.used);
	if (record && explain_record_is_known(record)) {
		explain_describe(&story, record, width);
		MUST(story.used && story.bytes[story.used - 1] == '\n');
		fuzz_check_text(story.bytes, story.used, "\n");
	}
	json_decref(record);
	text_free(&why);
	text_free(&story);
	return 0;
}
