/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SHIP_SECRET_H
#define NETRACKER_SHIP_SECRET_H

#include <stdbool.h>

#define SHIP_SECRET_SIZE 1024

/* Reads the first line of a file, a password or a token. Returns false after reporting the error. The caller overwrites
 * the secret after its use. */
bool ship_secret_read(char secret[SHIP_SECRET_SIZE], const char *path);

#endif
