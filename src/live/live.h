#ifndef NETRACKER_LIVE_H
#define NETRACKER_LIVE_H

struct options;

/* Runs `netracker`. Returns the exit status. */
int live_run(const struct options *options);

#endif
