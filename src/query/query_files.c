// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_files.h"

#include <errno.h>
#include <stdlib.h>

#include "src/util/message.h"
#include "src/util/stop.h"

/* Without a history: says how to begin one. */
static bool report_no_history(const char *folder)
{
	message_error("history: %s: there is no history; netracker record begins one, or name its folder with --from",
		      folder);
	return false;
}

bool query_files_list(struct query_files *files, const char *folder)
{
	int error = history_folder_read(&files->names, folder);

	files->folder = folder;
	pthread_mutex_init(&files->lock, NULL);
	if (error == -ENOENT)
		return report_no_history(folder);
	if (error) {
		history_folder_free(&files->names);
		if (history_folder_list(&files->names, folder)) /* it reports the error */
			return false;
	}
	if (!files->names.count)
		return report_no_history(folder);
	files->files = calloc(files->names.count, sizeof(*files->files));
	if (!files->files)
		message_error("query: out of memory");
	return files->files;
}

void query_files_free(struct query_files *files)
{
	if (files->folder)
		pthread_mutex_destroy(&files->lock);
	free(files->files);
	history_folder_free(&files->names);
	*files = (struct query_files){ 0 };
}

void query_reader_close(struct query_reader *reader)
{
	history_reader_close(reader->open);
	reader->open = NULL;
}

/* Returns whether the file is to be tried. */
static bool may_open(struct query_files *files, unsigned int index)
{
	bool may;

	pthread_mutex_lock(&files->lock);
	may = !files->files[index].is_unreadable && !files->files[index].is_removed;
	pthread_mutex_unlock(&files->lock);
	return may;
}

static void note_removed(struct query_files *files, unsigned int index)
{
	pthread_mutex_lock(&files->lock);
	files->removed += !files->files[index].is_removed;
	files->files[index].is_removed = true;
	pthread_mutex_unlock(&files->lock);
}

void query_files_give_up(struct query_files *files, unsigned int file)
{
	pthread_mutex_lock(&files->lock);
	files->files[file].is_unreadable = files->is_incomplete = true;
	pthread_mutex_unlock(&files->lock);
}

struct history_reader *query_files_open(struct query_files *files, unsigned int index, struct query_reader *reader)
{
	int error;

	if (reader->open && reader->file == index)
		return reader->open;
	query_reader_close(reader);
	reader->file = index;
	if (!may_open(files, index))
		return NULL;
	error = history_reader_open(&reader->open, files->folder, files->names.entries[index].name);
	if (!error)
		return reader->open;
	query_reader_close(reader);
	if (error == -ENOENT)
		note_removed(files, index);
	else
		query_files_give_up(files, index);
	return NULL;
}

void query_files_measure_one(struct query_files *files, unsigned int file, const struct history_selection *selection,
			     struct query_reader *reader)
{
	int error = 0;

	if (query_files_open(files, file, reader))
		error = history_reader_measure(reader->open, selection, &files->files[file].extent);
	if (error)
		query_files_report_damage(files, reader, error);
}

void query_files_measure(struct query_files *files, const struct history_selection *selection)
{
	struct query_reader reader = { 0 };
	unsigned int i;

	for (i = 0; i < files->names.count && !stop_is_requested(); i++)
		query_files_measure_one(files, i, selection, &reader);
	query_reader_close(&reader);
}

void query_files_report_damage(struct query_files *files, const struct query_reader *reader, int error)
{
	struct query_file *file = &files->files[reader->file];
	bool is_new;

	pthread_mutex_lock(&files->lock);
	is_new = !file->is_damaged;
	file->is_damaged = files->is_incomplete = true;
	pthread_mutex_unlock(&files->lock);
	if (is_new)
		history_reader_report(reader->open, error);
}
