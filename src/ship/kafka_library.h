/* SPDX-License-Identifier: GPL-2.0-or-later */
/* librdkafka, which is loaded when a destination needs it: it brings a dozen libraries, and its OpenSSL would put the
 * whole program under GPL-3. */
#ifndef NETRACKER_KAFKA_LIBRARY_H
#define NETRACKER_KAFKA_LIBRARY_H

#include <librdkafka/rdkafka.h>

/* clang-format off */
#define KAFKA_FUNCTIONS(X) \
	X(conf_new) X(conf_set) X(conf_destroy) X(conf_set_opaque) X(conf_set_dr_msg_cb) X(conf_set_error_cb) \
	X(conf_set_log_cb) X(new) X(producev) X(poll) X(err2str) X(topic_new) X(topic_destroy) X(metadata) \
	X(metadata_destroy) X(destroy)
/* clang-format on */

/* Its functions, without the prefix rd_kafka_. */
struct kafka_library {
#define KAFKA_FUNCTION(name) __typeof__(rd_kafka_##name) *name; /* NOLINT(bugprone-macro-parentheses) */
	KAFKA_FUNCTIONS(KAFKA_FUNCTION)
#undef KAFKA_FUNCTION
};

/* Returns the library, or NULL after reporting that it is missing. It stays loaded. */
const struct kafka_library *kafka_library_load(void);

#endif
