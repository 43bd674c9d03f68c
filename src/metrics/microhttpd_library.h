/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libmicrohttpd, which is loaded for --metrics alone. */
#ifndef NETRACKER_MICROHTTPD_LIBRARY_H
#define NETRACKER_MICROHTTPD_LIBRARY_H

#include <microhttpd.h>

/* clang-format off */
#define MICROHTTPD_FUNCTIONS(X) \
	X(start_daemon) X(stop_daemon) X(lookup_connection_value) X(create_response_from_buffer) \
	X(add_response_header) X(queue_response) X(destroy_response) X(get_connection_info)
/* clang-format on */

/* Its functions, without the prefix MHD_. */
struct microhttpd_library {
#define MICROHTTPD_FUNCTION(name) __typeof__(MHD_##name) *name; /* NOLINT(bugprone-macro-parentheses) */
	MICROHTTPD_FUNCTIONS(MICROHTTPD_FUNCTION)
#undef MICROHTTPD_FUNCTION
};

/* Returns the library, which stays loaded, or NULL after reporting that it is missing. */
const struct microhttpd_library *microhttpd_library_load(void);

#endif
