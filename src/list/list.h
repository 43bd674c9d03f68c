#ifndef NETRACKER_LIST_H
#define NETRACKER_LIST_H

struct options;

/* Runs `netracker list`. Returns the exit status. */
int list_run(const struct options *options);

#endif
