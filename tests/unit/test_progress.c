// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/progress.h"

#include "tests/unit/check.h"

#define SECOND 1000000000ULL

static void check_text(struct progress_view view, const char *expected)
{
	char text[PROGRESS_TEXT_SIZE];

	progress_text(text, &view);
	CHECK_STRING(text, expected);
}

int main(void)
{
	/* A quarter in 3 s: 9 s are left. */
	check_text((struct progress_view){ 12345678, 250, 1000, 3 * SECOND, "packets" },
		   "25 %, 12.3 million packets, 9 s left");
	/* The file grew while it was read. */
	check_text((struct progress_view){ 2000000, 1100, 1000, 3 * SECOND, "packets" },
		   "100 %, 2.0 million packets, 0 s left");
	check_text((struct progress_view){ 2000000, 0, 0, 3 * SECOND, "packets" }, "2.0 million packets");
	check_text((struct progress_view){ 0, 0, 1000, 3 * SECOND, "packets" }, "0.0 million packets");
	return check_finish();
}
