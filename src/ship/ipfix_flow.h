/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as flows of IPFIX (RFC 7011): the values of each, encoded, and the template that describes them. Pure. */
#ifndef NETRACKER_IPFIX_FLOW_H
#define NETRACKER_IPFIX_FLOW_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"

#define IPFIX_FLOW_SIZE 160
#define IPFIX_TEMPLATE_SIZE 128
#define IPFIX_FIRST_TEMPLATE 256 /* lower numbers are other kinds of sets */
#define IPFIX_TEMPLATE_COUNT 4096

struct ipfix_flow {
	__u16 template_id; /* names the set of elements: the same one in every run */
	__u16 size;
	__u8 bytes[IPFIX_FLOW_SIZE];
};

/* Fills the flows of a record and returns their number: one for each direction that had packets, or with `is_biflow` one
 * for both (RFC 5103). 0 if a later record repeats its bytes. */
unsigned int ipfix_fill_flows(struct ipfix_flow flows[2], const struct nt_record *record, bool is_biflow);

/* Writes the template record (RFC 7011 section 3.4.1) and returns its size. */
unsigned int ipfix_write_template(__u8 bytes[IPFIX_TEMPLATE_SIZE], __u16 template_id);

/* Write a number, the highest byte first, and return the end. */
__u8 *ipfix_put(__u8 *bytes, __u64 number, unsigned int size);

#endif
