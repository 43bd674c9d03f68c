/* What --help prints, one text a command. */
#ifndef NETRACKER_HELP_H
#define NETRACKER_HELP_H

extern const char help_live[], help_list[], help_replay[], help_explain[], help_classic[];

#endif
