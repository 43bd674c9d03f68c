/* Where the records of a replay go: past the filters, into the output and the books. */
#ifndef NETRACKER_REPLAY_OUTPUT_H
#define NETRACKER_REPLAY_OUTPUT_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/record/accounting.h"
#include "src/capture/capture_reader.h"
#include "src/cli/options.h"
#include "src/output/output.h"

struct replay_output {
	const struct options *options;
	struct output output;
	struct books books;
	__u64 now;     /* the captures' clock, where it stood highest */
	__u64 records; /* that were wanted */
	bool is_open;
	int error; /* of the sink; whoever else has to stop sets it too */
};

/* Opened only once there is something to read, so that a wrong name leaves no file behind. Again is nothing. False after
 * it was said why.
 */
bool replay_output_open(struct replay_output *output);

/* What the trackers of both rules call; context: struct replay_output. */
void replay_output_began(void *context);
void replay_output_established(void *context, struct nt_record *record);
void replay_output_ended(void *context, struct nt_record *record);

static inline bool replay_output_is_full(const struct replay_output *output)
{
	return output->options->max_records && output->records >= output->options->max_records;
}

/* No more is wanted, or can be written. */
static inline bool replay_output_is_over(const struct replay_output *output)
{
	return output->error || replay_output_is_full(output);
}

/* The time of a packet, nanoseconds since the Unix epoch. After what it ends was written. */
static inline void replay_output_clock(struct replay_output *output, __u64 ns)
{
	if (ns > output->now)
		output->now = ns;
	output_tick(&output->output, output->now, 0);
}

/* Before a wait for the next packet. */
void replay_output_flush(struct replay_output *output);

/* After all connections were ended: writes what waits, then the books. */
void replay_output_finish(struct replay_output *output, const struct capture_odd *odd);

void replay_output_close(struct replay_output *output);

#endif
