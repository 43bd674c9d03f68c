/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_EXPLAIN_WAIT_H
#define NETRACKER_EXPLAIN_WAIT_H

#include "src/explain/explain_paragraph.h"

/* Writes the paragraph "Whose time": the parts of the connection's time that are known. */
void explain_write_wait(struct paragraph *paragraph);

#endif
