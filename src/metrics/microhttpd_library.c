// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/metrics/microhttpd_library.h"

#include <stddef.h>

#include "src/util/shared_library.h"

const struct microhttpd_library *microhttpd_library_load(void)
{
	static struct shared_library file = { "libmicrohttpd.so.12",
					      "--metrics needs libmicrohttpd: apt install libmicrohttpd12", NULL };
	static struct microhttpd_library library;
	bool is_complete = shared_library_load(&file);

#define MICROHTTPD_FUNCTION(name) is_complete = is_complete && shared_library_find(&file, "MHD_" #name, &library.name);
	MICROHTTPD_FUNCTIONS(MICROHTTPD_FUNCTION)
#undef MICROHTTPD_FUNCTION
	return is_complete ? &library : NULL;
}
