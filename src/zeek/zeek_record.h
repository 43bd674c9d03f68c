/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills the record of a connection that was followed by Zeek's rules. */
#ifndef NETRACKER_ZEEK_RECORD_H
#define NETRACKER_ZEEK_RECORD_H

#include <linux/types.h>

#include "core/event.h"
#include "core/record.h"
#include "src/zeek/zeek_table.h"

/* Fills the whole record. cause: NT_WIRE_ENDED, NT_WIRE_EXIT (the capture ended before the connection was removed) or
 * NT_WIRE_EVICTED. record->long_history belongs to the entry.
 */
void record_fill_from_zeek(struct nt_record *record, const struct zeek_entry *entry, enum nt_wire_cause cause);

#endif
