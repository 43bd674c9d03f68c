// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/http/secret_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/util/message.h"

bool secret_file_read(char secret[SECRET_SIZE], const char *path, const char *command)
{
	FILE *file = fopen(path, "re");
	bool is_read = file && fgets(secret, SECRET_SIZE, file);
	struct stat status;
	bool is_cut = is_read && strlen(secret) == SECRET_SIZE - 1;

	if (is_read)
		secret[strcspn(secret, "\r\n")] = '\0';
	else
		message_error("%s: %s: cannot read the secret: %s", command, path,
			      file && !ferror(file) ? "the file is empty" : strerror(errno));
	if (is_read && !*secret)
		message_error("%s: %s: the first line is empty", command, path);
	if (is_cut)
		message_error("%s: %s: the first line is too long", command, path);
	if (file && !fstat(fileno(file), &status) && (status.st_mode & S_IROTH))
		message_note("%s: %s: every user of this machine may read it; chmod o-r", command, path);
	if (file)
		fclose(file);
	return is_read && !is_cut && *secret;
}
