// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/kafka_library.h"

#include <stddef.h>

#include "src/util/shared_library.h"

const struct kafka_library *kafka_library_load(void)
{
	static struct shared_library file = { "librdkafka.so.1",
					      "ship: Kafka needs librdkafka 2.0 or later: apt install librdkafka1",
					      NULL };
	static struct kafka_library library;
	bool is_complete = shared_library_load(&file);

#define KAFKA_FUNCTION(name) is_complete = is_complete && shared_library_find(&file, "rd_kafka_" #name, &library.name);
	KAFKA_FUNCTIONS(KAFKA_FUNCTION)
#undef KAFKA_FUNCTION
	return is_complete ? &library : NULL;
}
