/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record as a log record of OTLP, in protobuf's JSON: integers of 64 bits are strings, enumerations are numbers. */
#ifndef NETRACKER_OTLP_RECORD_H
#define NETRACKER_OTLP_RECORD_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/util/text_buffer.h"

#define OTLP_SCOPE "netracker"

#define OTLP_NAME_SIZE 48
#define OTLP_MOST_FIELDS 128

/* The attributes' names, by the number of the field; "": the field is none. */
struct otlp_names {
	char of_field[OTLP_MOST_FIELDS][OTLP_NAME_SIZE];
};

void otlp_names_fill(struct otlp_names *names);

/* Appends one object. */
void otlp_record_append(struct text_buffer *text, const struct otlp_names *names, const struct nt_record *record);

/* Append what encloses the records of one host, before and after them. */
void otlp_resource_begin(struct text_buffer *text, const char *host);
void otlp_resource_end(struct text_buffer *text);

#endif
