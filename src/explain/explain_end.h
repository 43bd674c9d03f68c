/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paragraphs: how the connection ended, what was seen of it and what is not known. Each is left out where the record has
 * nothing for it.
 */
#ifndef NETRACKER_EXPLAIN_END_H
#define NETRACKER_EXPLAIN_END_H

#include "src/explain/explain_story.h"

void explain_end(struct story *story);
void explain_known(struct story *story);

#endif
