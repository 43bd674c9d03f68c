// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/kafka_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/util/message.h"

#define LIBRARY_FILE "librdkafka.so.1"

static bool load_function(void *file, const char *name, void *function)
{
	void *address = dlsym(file, name);

	*(void **)function = address;
	if (!address)
		message_error("ship: %s has no function %s; NeTracker needs librdkafka 2.0 or later", LIBRARY_FILE,
			      name);
	return address;
}

const struct kafka_library *kafka_library_load(void)
{
	static struct kafka_library library;
	void *file = dlopen(LIBRARY_FILE, RTLD_NOW | RTLD_LOCAL);
	bool is_complete = file;

	if (!file)
		message_error("ship: Kafka needs librdkafka: apt install librdkafka1 (%s)", dlerror());
#define KAFKA_FUNCTION(name) is_complete = is_complete && load_function(file, "rd_kafka_" #name, &library.name);
	KAFKA_FUNCTIONS(KAFKA_FUNCTION)
#undef KAFKA_FUNCTION
	return is_complete ? &library : NULL;
}
