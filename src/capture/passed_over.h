/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts the packets that may hold TCP which replay does not find, by kind. Ordinary traffic other than TCP is not among
 * them.
 *
 * To add a kind, add it to enum nt_passed_over and its text to passed_over.c.
 */
#ifndef NETRACKER_PASSED_OVER_H
#define NETRACKER_PASSED_OVER_H

#include <stddef.h>

#include "src/capture/layer_load.h"

#define PASSED_OVER_KINDS 16 /* the packets of further kinds are counted together */

struct passed_over {
	struct {
		enum nt_passed_over kind;
		__u32 number;
		__u64 count;
	} kinds[PASSED_OVER_KINDS];
	unsigned int used;
	__u64 others;
};

/* number: what distinguishes packets of one kind, such as the EtherType; 0 if nothing does. */
void passed_over_add(struct passed_over *passed_over, enum nt_passed_over kind, __u32 number, __u64 count);

/* Adds a packet of the layer, at which the parser stopped with `result`. is_whole: the frame was captured whole. */
void passed_over_add_layer(struct passed_over *passed_over, const struct nt_layer *layer, enum nt_parse result,
			   bool is_whole);

/* Returns the number of all packets. */
__u64 passed_over_total(const struct passed_over *passed_over);

/* Writes the kinds with their counts, for a message: "2 malformed, 1 of EtherType 0x88b5". */
void passed_over_describe(const struct passed_over *passed_over, char *text, size_t size);

#endif
