// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/util/message.h"

bool ship_secret_read(char secret[SHIP_SECRET_SIZE], const char *path)
{
	FILE *file = fopen(path, "re");
	bool is_read = file && fgets(secret, SHIP_SECRET_SIZE, file);
	bool is_cut = is_read && strlen(secret) == SHIP_SECRET_SIZE - 1;

	if (is_read)
		secret[strcspn(secret, "\r\n")] = '\0';
	else
		message_error("ship: %s: cannot read the secret: %s", path,
			      file && !ferror(file) ? "the file is empty" : strerror(errno));
	if (is_cut)
		message_error("ship: %s: the first line is too long", path);
	if (file)
		fclose(file);
	return is_read && !is_cut;
}
