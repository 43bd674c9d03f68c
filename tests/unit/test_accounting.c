// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/accounting.h"

#include <stdlib.h>

#include "tests/unit/check.h"

static const char *printed(const struct accounting *accounting)
{
	static char result[1024];
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	accounting_print(accounting, stream);
	fclose(stream);
	snprintf(result, sizeof(result), "%s", text);
	free(text);
	return result;
}

int main(void)
{
	struct accounting accounting = { .opened = 100, .preexisting = 5, .written = 80, .open = 9 };

	accounting.filtered[ACCOUNTING_FILTERED_OPTION] = 4;
	accounting.filtered[ACCOUNTING_FILTERED_FORWARDED] = 3;
	accounting.lost[ACCOUNTING_LOST_RING_FULL] = 7;
	accounting.lost[ACCOUNTING_LOST_SINK_FAILED] = 2;
	CHECK_EQUAL(accounting_difference(&accounting), 0);
	CHECK_STRING(printed(&accounting),
		     "netracker: 105 records: 80 written, 7 filtered (4 by options, 3 forwarded), 9 open, "
		     "9 lost (7 ring buffer full, 2 output failed); 5 pre-existing\n");

	accounting.lost[ACCOUNTING_LOST_SOCKETS_NO_MEMORY] = 1;
	accounting.lost[ACCOUNTING_LOST_HALF_OPEN_LOCK] = 2;
	accounting.lost[ACCOUNTING_LOST_ESTABLISHED_OTHER] = 3;
	accounting.lost[ACCOUNTING_LOST_RING_LOCK] = 4;
	accounting.opened += 10;
	CHECK_EQUAL(accounting_difference(&accounting), 0);
	CHECK(strstr(printed(&accounting),
		     ", 19 lost (2 half-open table lock contended, 3 established table failed, "
		     "1 socket table out of memory, 7 ring buffer full, 4 ring buffer lock contended, "
		     "2 output failed); 5 pre-existing\n") != NULL);

	accounting.recursion_misses = 3;
	accounting.written = 79;
	CHECK_EQUAL(accounting_difference(&accounting), -1);
	CHECK(strstr(printed(&accounting), "the accounting is wrong: 1 record unaccounted for; please report it\n") !=
	      NULL);
	CHECK(strstr(printed(&accounting), "; the kernel skipped 3 events\n") != NULL);

	accounting.written = 82;
	CHECK_EQUAL(accounting_difference(&accounting), 2);
	CHECK(strstr(printed(&accounting), "the accounting is wrong: 2 records too many; please report it\n") != NULL);

	CHECK_STRING(printed(&(struct accounting){ 0 }),
		     "netracker: 0 records: 0 written, 0 filtered, 0 open, 0 lost\n");
	CHECK_STRING(printed(&(struct accounting){ .opened = 1, .written = 1 }),
		     "netracker: 1 record: 1 written, 0 filtered, 0 open, 0 lost\n");
	return check_finish();
}
