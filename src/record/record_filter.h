/* Which records the user asked for: -4 -6 -p -c -u --cgroup --container --netns --net -L -D --role --outcome -x
 * --min-duration.
 *
 * -L and -D are the local and the remote port of a client or server, the source's and destination's of an observer.
 * What a record does not know matches no filter that asks for it. What has no line in the format asked for is left out
 * too.
 */
#ifndef NETRACKER_FILTER_H
#define NETRACKER_FILTER_H

#include "src/cli/options.h"
#include "core/record.h"

/* What of it the kernel side can see to. False: nothing. */
bool filter_for_kernel(struct nt_filter *filter, const struct options *options);

bool filter_accepts(const struct options *options, const struct nt_record *record);

#endif
