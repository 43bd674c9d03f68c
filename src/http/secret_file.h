/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SECRET_FILE_H
#define NETRACKER_SECRET_FILE_H

#include <stdbool.h>

#define SECRET_SIZE 1024

/* Reads the first line of a file, a password or a token. Returns false after reporting the error, in the name of a
 * command. The caller overwrites the secret after its use. */
bool secret_file_read(char secret[SECRET_SIZE], const char *path, const char *command);

#endif
