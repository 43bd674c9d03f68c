#include "src/record/accounting.h"

#include <stdlib.h>

#include "tests/unit/check.h"

static const char *printed(const struct books *books)
{
	static char result[1024];
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	books_print(books, stream);
	fclose(stream);
	snprintf(result, sizeof(result), "%s", text);
	free(text);
	return result;
}

int main(void)
{
	struct books books = { .opened = 100, .found = 5, .written = 80, .open = 9 };

	books.filtered[BOOKS_FILTERED_OPTION] = 4;
	books.filtered[BOOKS_FILTERED_FORWARDED] = 3;
	books.lost[BOOKS_LOST_RING_FULL] = 7;
	books.lost[BOOKS_LOST_SINK_FAILED] = 2;
	CHECK_EQUAL(books_difference(&books), 0);
	CHECK_STRING(printed(&books),
		     "netracker: 100 opened + 5 found at start = 80 written + 7 filtered (4 by options, 3 forwarded) + "
		     "9 still open + 9 lost (7 ring buffer full, 2 output failed)\n"
		     "netracker: the books balance\n");

	books.lost[BOOKS_LOST_SOCKETS_NO_MEMORY] = 1;
	books.lost[BOOKS_LOST_HALF_OPEN_LOCK] = 2;
	books.lost[BOOKS_LOST_ESTABLISHED_OTHER] = 3;
	books.lost[BOOKS_LOST_RING_LOCK] = 4;
	books.opened += 10;
	CHECK_EQUAL(books_difference(&books), 0);
	CHECK(strstr(printed(&books), " + 19 lost (2 half-open table lock contended, 3 established table failed, "
				      "1 socket table out of memory, 7 ring buffer full, 4 ring buffer lock contended, "
				      "2 output failed)\n") != NULL);

	books.recursion_misses = 3;
	books.written = 79;
	CHECK_EQUAL(books_difference(&books), -1);
	CHECK(strstr(printed(&books), "the books do NOT balance: 1 unaccounted for; ") != NULL);
	CHECK(strstr(printed(&books), "; the kernel skipped 3 events\n") != NULL);

	books.written = 82;
	CHECK_EQUAL(books_difference(&books), 2);
	CHECK(strstr(printed(&books), "the books do NOT balance: 2 more than began") != NULL);

	CHECK_STRING(printed(&(struct books){ 0 }),
		     "netracker: 0 opened + 0 found at start = 0 written + 0 filtered + 0 still open + 0 lost\n"
		     "netracker: the books balance\n");
	return check_finish();
}
