// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/http/curl_library.h"

#include <stddef.h>

#include "src/util/shared_library.h"

const struct curl_library *curl_library_load(void)
{
	static struct shared_library file = {
		"libcurl-gnutls.so.4", "a request to a server needs libcurl 7.87 or later: apt install libcurl3-gnutls",
		NULL
	};
	static struct curl_library library;
	bool is_complete;

	if (file.handle)
		return &library;
	is_complete = shared_library_load(&file);
#define CURL_FUNCTION(name) is_complete = is_complete && shared_library_find(&file, "curl_" #name, &library.name);
	CURL_FUNCTIONS(CURL_FUNCTION)
#undef CURL_FUNCTION
	if (!is_complete || library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	return &library;
}
