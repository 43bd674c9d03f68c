/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsers of options' values. */
#ifndef NETRACKER_OPTION_VALUES_H
#define NETRACKER_OPTION_VALUES_H

#include <stdbool.h>

#include "src/cli/option_table.h"

/* Parses the whole value by the rule's type into the options. Flags ignore the value. Returns false if it is not valid;
 * the options must not be used then.
 */
bool option_value_set(struct options *options, const struct option_rule *rule, const char *value);

#endif
