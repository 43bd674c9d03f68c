/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paragraphs: who opened the connection, what each step took, what was sent, what held it back. Each is left out where
 * the record has nothing for it.
 */
#ifndef NETRACKER_EXPLAIN_COURSE_H
#define NETRACKER_EXPLAIN_COURSE_H

#include "src/explain/explain_story.h"

void explain_who(struct story *story);
void explain_steps(struct story *story);
void explain_data(struct story *story);
void explain_held_back(struct story *story);

#endif
