/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ids of records (docs/record.md, `id`): 16 hexadecimal digits, the same in all records of one endpoint's account of
 * one connection. The record's addresses and ports must be set before.
 */
#ifndef NETRACKER_RECORD_ID_H
#define NETRACKER_RECORD_ID_H

#include <linux/types.h>
#include <stddef.h>

#include "core/record.h"

/* Returns a hash without a secret: whoever chooses the bytes can make it collide. */
__u64 record_id_hash(const void *bytes, size_t size);

/* Sets an observer's id: from network namespace, tuple and start. */
void record_id_observer(struct nt_record *record);

/* Sets a client's or server's id: from the boot id's hash, the socket (its cookie, or a hash of its address and start
 * if the kernel gives none), the tuple, and the number of the socket's earlier connections.
 */
void record_id_socket(struct nt_record *record, __u64 boot_hash, __u64 socket, __u32 connections_before);

#endif
