/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a filter that a ClickHouse table can test (docs/fleet.md). It passes all records that the filter accepts, and
 * more. */
#ifndef NETRACKER_FILTER_IMPLIED_H
#define NETRACKER_FILTER_IMPLIED_H

#include "src/filter/filter.h"
#include "src/util/text_buffer.h"

/* Which conditions are tested. */
enum filter_part {
	FILTER_OF_ID,     /* those that hold for all records of one id: on its addresses and ports */
	FILTER_OF_RECORD, /* all */
};

/* Appends conditions, each behind " AND ". `is_reduced`: the table has text for addresses. Returns whether those of
 * FILTER_OF_RECORD pass no other records than the filter accepts. */
bool filter_append_implied(const struct filter *filter, enum filter_part part, bool is_reduced,
			   struct text_buffer *sql);

#endif
