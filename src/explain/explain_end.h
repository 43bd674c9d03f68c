/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Write the last paragraphs: how the connection ended; what was seen of it; what is unknown. A paragraph is left out
 * if the record has nothing for it.
 */
#ifndef NETRACKER_EXPLAIN_END_H
#define NETRACKER_EXPLAIN_END_H

#include "src/explain/explain_paragraph.h"

void explain_write_end(struct paragraph *paragraph);
void explain_write_gaps(struct paragraph *paragraph);

#endif
