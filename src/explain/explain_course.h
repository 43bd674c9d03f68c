/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each function writes a paragraph: the endpoints and their owner, the duration of each step, the amount of data,
 * and what limited sending. A paragraph is left out if the record has nothing for it.
 */
#ifndef NETRACKER_EXPLAIN_COURSE_H
#define NETRACKER_EXPLAIN_COURSE_H

#include "src/explain/explain_paragraph.h"

void explain_write_endpoints(struct paragraph *paragraph);
void explain_write_steps(struct paragraph *paragraph);
void explain_write_data(struct paragraph *paragraph);
void explain_write_limit(struct paragraph *paragraph);

#endif
