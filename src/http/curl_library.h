/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libcurl, which is loaded when a destination needs it. */
#ifndef NETRACKER_CURL_LIBRARY_H
#define NETRACKER_CURL_LIBRARY_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

/* clang-format off */
#define CURL_FUNCTIONS(X) \
	X(global_init) X(easy_init) X(easy_setopt) X(easy_perform) X(easy_getinfo) X(easy_strerror) X(easy_escape) \
	X(easy_cleanup) X(slist_append) X(slist_free_all) X(free)
/* clang-format on */

/* Its functions, without the prefix curl_. */
struct curl_library {
#define CURL_FUNCTION(name) __typeof__(curl_##name) *name; /* NOLINT(bugprone-macro-parentheses) */
	CURL_FUNCTIONS(CURL_FUNCTION)
#undef CURL_FUNCTION
};

/* Returns the library, which is ready and stays loaded, or NULL after reporting that it is missing. */
const struct curl_library *curl_library_load(void);

#endif
