/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of a connection that was followed by Zeek's rules. */
#ifndef NETRACKER_ZEEK_RECORD_H
#define NETRACKER_ZEEK_RECORD_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/zeek/zeek_table.h"

/* Fills the whole record. at_end: the capture ended before the connection was forgotten. What the record points to
 * belongs to the entry.
 */
void zeek_record(struct nt_record *record, const struct zeek_entry *entry, bool at_end);

#endif
