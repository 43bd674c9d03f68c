// SPDX-License-Identifier: GPL-2.0-or-later
/* Prints the records of a history as -f json writes them, in the order in which they were written: history_lines FOLDER.
 * Status 1 if a file cannot be read to its end.
 */
#include <stdio.h>

#include "src/history/history_reader.h"
#include "src/output/format.h"

static int print_record(struct nt_record *record)
{
	const struct format_view view = { 0 };
	struct text_buffer line = { 0 };
	size_t written;

	record_limit_integers(record);
	format_json.record(&line, record, &view);
	written = line.failed ? 0 : fwrite(line.bytes, 1, line.used, stdout);
	text_free(&line);
	return written ? 0 : -1;
}

static int print_file(const char *folder, const char *name)
{
	const struct history_selection all = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL };
	struct history_reader *reader;
	struct nt_record record;
	int result = history_reader_open(&reader, folder, name);

	if (!result)
		result = history_reader_select(reader, &all);
	if (!result)
		while ((result = history_reader_next(reader, &record)) == 1 && !print_record(&record))
			;
	history_reader_close(reader);
	return result;
}

int main(int argc, char **argv)
{
	struct history_files files;
	unsigned int i;
	int status = 0;

	if (argc != 2 || history_folder_list(&files, argv[1]))
		return 2;
	for (i = 0; i < files.count; i++)
		if (print_file(argv[1], files.entries[i].name))
			status = 1;
	history_folder_free(&files);
	return fflush(stdout) ? 1 : status;
}
