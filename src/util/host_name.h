/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_HOST_NAME_H
#define NETRACKER_HOST_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define HOST_NAME_SHOWN 39 /* characters: as long as an IPv6 address */
#define HOST_NAME_SIZE (HOST_NAME_SHOWN + 1)

/* Writes a host name for a column. Its owner may choose any bytes: none but letters, digits, "-", "_" and "." stay, the
 * others become \xNN. Of more than HOST_NAME_SHOWN characters the middle becomes "~". Returns false, and writes the empty
 * string, if the name is empty or could be taken for an address: it has a colon, or its last label is a number, as in
 * each notation of inet_aton(3). The name ends at its first NUL or after `size` bytes.
 */
bool host_name_escape(char shown[HOST_NAME_SIZE], const char *name, size_t size);

#endif
