/* What `netracker` and `netracker COMMAND` run. Each returns the exit status. */
#ifndef NETRACKER_COMMANDS_H
#define NETRACKER_COMMANDS_H

#include "src/cli/options.h"

int live_run(const struct options *options);
int list_run(const struct options *options);
int replay_run(const struct options *options);
int explain_run(const struct options *options);
int attach_run(const struct options *options);
int status_run(const struct options *options);
int detach_run(const struct options *options);

#endif
