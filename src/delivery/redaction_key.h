/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key of --redact, from a file: an argument would be there for all to see. */
#ifndef NETRACKER_REDACTION_KEY_H
#define NETRACKER_REDACTION_KEY_H

#include "src/record/redaction.h"

/* The key is all bytes of the file, without line feeds and carriage returns at its end. Returns 0, or -errno after
 * reporting the error. Call redaction_free() in the end. */
int redaction_key_open(struct redaction **redaction, const char *path);

#endif
