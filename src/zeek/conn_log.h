/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zeek's conn.log: its header, its columns, its last line. */
#ifndef NETRACKER_CONN_LOG_H
#define NETRACKER_CONN_LOG_H

#include "src/output/format.h"

/* A log ends with a line that says so: what is appended to a file is another log, with its own header. */
extern const struct format conn_log_format;

#endif
