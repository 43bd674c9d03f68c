/* The tables of --summary, in 80 columns. */
#ifndef NETRACKER_TALLY_PRINT_H
#define NETRACKER_TALLY_PRINT_H

#include "src/summary/summary.h"
#include "src/util/text_buffer.h"

/* `from` and `to`: nanoseconds since the Unix epoch; 0: no heading says which time this is of. */
void tally_print(struct text_buffer *text, const struct tally *tally, __u64 from_ns, __u64 to_ns);

#endif
