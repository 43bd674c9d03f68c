/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The format of Zeek's conn.log. */
#ifndef NETRACKER_CONN_LOG_H
#define NETRACKER_CONN_LOG_H

#include "src/output/format.h"

/* Each log has a first line #open and a last line #close. Therefore a log that is appended to a file has its own
 * header.
 */
extern const struct format conn_log_format;

#endif
