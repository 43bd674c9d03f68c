/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of options. */
#ifndef NETRACKER_OPTION_VALUES_H
#define NETRACKER_OPTION_VALUES_H

#include <stdbool.h>

#include "src/cli/option_table.h"

/* Parses the whole value, by the rule's type, into the options. Flags ignore the value. Returns false where it is not a
 * valid value: the options are not to be used then. */
bool option_value_set(struct options *options, const struct option_rule *rule, const char *value);

#endif
