// SPDX-License-Identifier: GPL-2.0-or-later
/* The native kernel side. The programs of each context are at the end of its header. */
#include "startup_scan.h"
#include "socket_context.h"
#include "wire_context.h"

char LICENSE[] SEC("license") = "GPL";
