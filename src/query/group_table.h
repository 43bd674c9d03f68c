/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups as text, JSON, CSV and TSV: a row for each. */
#ifndef NETRACKER_GROUP_TABLE_H
#define NETRACKER_GROUP_TABLE_H

#include "src/output/format.h"
#include "src/query/groups.h"
#include "src/util/text_buffer.h"

/* Appends the first `count` groups, after the heading unless `no_header`. Text is as wide as its values. */
void group_table_append(struct text_buffer *text, const struct groups *groups, size_t count,
			const struct format *format, bool no_header);

#endif
