/* The sockets that are there already when tracking starts, and those that still are when it ends, in every network
 * namespace that can be found (those of processes, and those named in /run/netns).
 */
#ifndef NETRACKER_SEED_H
#define NETRACKER_SEED_H

#include <linux/types.h>

#include "src/kernel/loader.h"

/* drain(context) empties the ring buffer: it is called before that can be full. */
void seed_existing(struct loader *loader, void (*drain)(void *context), void *context);

/* Has the kernel side tell of every socket that is open. */
void seed_tell_open(struct loader *loader, void (*drain)(void *context), void *context);

/* How many there are in the kernel side's table. */
__u64 seed_open_sockets(const struct loader *loader);

#endif
