// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/shared_library.h"

#include <dlfcn.h>

#include "src/util/message.h"

bool shared_library_load(struct shared_library *library)
{
	library->handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);
	if (!library->handle)
		message_error("%s (%s)", library->needed, dlerror());
	return library->handle;
}

bool shared_library_find(const struct shared_library *library, const char *name, void *function)
{
	void *address = dlsym(library->handle, name);

	*(void **)function = address;
	if (!address)
		message_error("%s (%s has no function %s)", library->needed, library->file, name);
	return address;
}
