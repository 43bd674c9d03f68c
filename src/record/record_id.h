/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identities of records (docs/record.md, `id`): 16 hexadecimal digits, the same in every record of one view of one
 * connection. All read the addresses and ports that the record has by then.
 */
#ifndef NETRACKER_RECORD_ID_H
#define NETRACKER_RECORD_ID_H

#include <linux/types.h>
#include <stddef.h>

#include "core/record.h"

/* A well spread number for the bytes, not a secret one. */
__u64 record_id_hash(const void *bytes, size_t size);

/* An observer's: from netns, tuple and start. */
void record_id_observer(struct nt_record *record);

/* A client's or server's: from the boot, the socket (its cookie, or its address where the kernel gives none), the
 * tuple, and how many connections of that socket came before.
 */
void record_id_socket(struct nt_record *record, __u64 boot_hash, __u64 socket, __u32 connections_before);

#endif
