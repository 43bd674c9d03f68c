// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/otlp_record.h"

#include <stdio.h>
#include <string.h>

#include "src/record/record_fields.h"
#include "src/util/json_writer.h"

#define SEVERITY_INFO 9 /* of the enumeration SeverityNumber */
#define SEVERITY_WARN 13
#define EVENT_NAME_SIZE 64
#define BODY_SIZE 256
#define EVENT_PREFIX "netracker.connection."

/* The attributes of OpenTelemetry's conventions. All other keys are attributes netracker.KEY. "": the key is no attribute,
 * but a member of the log record or of its resource. */
static const struct convention {
	const char *key, *name;
} conventions[] = {
	{ "time", "" },
	{ "event", "" },
	{ "host", "" },
	{ "family", "network.type" },
	{ "src_ip", "client.address" },
	{ "src_port", "client.port" },
	{ "dst_ip", "server.address" },
	{ "dst_port", "server.port" },
	{ "ifname", "network.interface.name" },
	{ "pid", "process.pid" },
	{ "exe", "process.executable.path" },
	{ "uid", "process.user.id" },
	{ "cgroup", "process.linux.cgroup" },
	{ "container", "container.id" },
};

static const char *find_convention(const char *key)
{
	unsigned int i;

	for (i = 0; i < sizeof(conventions) / sizeof(*conventions); i++)
		if (!strcmp(conventions[i].key, key))
			return conventions[i].name;
	return NULL;
}

void otlp_names_fill(struct otlp_names *names)
{
	char key[FIELD_KEY_SIZE];
	const char *name;
	unsigned int i;

	for (i = 0; i < record_field_count && i < OTLP_MOST_FIELDS; i++) {
		record_field_name(i, key);
		name = find_convention(key);
		snprintf(names->of_field[i], OTLP_NAME_SIZE, "%s%s", name ? "" : "netracker.", name ? name : key);
	}
}

/* ---- attributes ---- */

static void begin_attribute(struct json_writer *json, const char *name)
{
	json_begin_object(json);
	json_write_key(json, "key");
	json_write_word(json, name, strlen(name));
	json_write_key(json, "value");
	json_begin_object(json);
}

static void end_attribute(struct json_writer *json)
{
	json_end_object(json);
	json_end_object(json);
}

static void write_text_attribute(struct json_writer *json, const char *name, const char *text, size_t size)
{
	begin_attribute(json, name);
	json_write_key(json, "stringValue");
	json_write_string(json, text, size);
	end_attribute(json);
}

static void write_list(struct json_writer *json, const struct field_value *value)
{
	unsigned int i;

	json_write_key(json, "arrayValue");
	json_begin_object(json);
	json_write_key(json, "values");
	json_begin_list(json);
	for (i = 0; i < value->list_count; i++) {
		json_begin_object(json);
		json_write_key(json, "stringValue");
		json_write_word(json, value->list[i], strlen(value->list[i]));
		json_end_object(json);
	}
	json_end_list(json);
	json_end_object(json);
}

static void write_int64(struct json_writer *json, const char *key, long long integer)
{
	char digits[24];

	json_write_key(json, key);
	snprintf(digits, sizeof(digits), "%lld", integer);
	json_write_word(json, digits, strlen(digits));
}

static void write_value(struct json_writer *json, enum field_type type, const struct field_value *value)
{
	switch (type) {
	case FIELD_INTEGER:
	case FIELD_SIGNED:
		write_int64(json, "intValue", (long long)value->integer);
		break;
	case FIELD_STRING:
	case FIELD_WORD:
		json_write_key(json, "stringValue");
		json_write_string(json, value->string, value->string_size);
		break;
	case FIELD_BOOLEAN:
		json_write_key(json, "boolValue");
		json_write_boolean(json, value->integer);
		break;
	case FIELD_LIST:
		write_list(json, value);
		break;
	}
}

static void write_field(struct json_writer *json, const char *name, unsigned int index, const struct nt_record *record)
{
	struct field_value value;

	if (!*name || !record_field_get(&record_fields[index], record, &value))
		return;
	begin_attribute(json, name);
	write_value(json, record_fields[index].type, &value);
	end_attribute(json);
}

static bool is_failure(const struct nt_record *record)
{
	return record->event == NT_EVENT_CLOSE && record->outcome != NT_OUTCOME_CLOSED &&
	       record->outcome != NT_OUTCOME_OPEN;
}

/* The conventions have two names of a program: of its file, and of its process only if the file is unknown. */
static void write_executable_name(struct json_writer *json, const struct nt_record *record)
{
	const char *slash = nt_record_has(record, NT_HAS_EXE) ? strrchr(record->exe, '/') : NULL;

	if (slash && slash[1])
		write_text_attribute(json, "process.executable.name", slash + 1, strlen(slash + 1));
	else if (nt_record_has(record, NT_HAS_COMM))
		write_text_attribute(json, "process.executable.name", record->comm, sizeof(record->comm));
}

static void write_attributes(struct json_writer *json, const struct otlp_names *names, const struct nt_record *record)
{
	const char *outcome = field_name(&record_outcome_names, record->outcome);
	unsigned int i;

	json_begin_list(json);
	write_text_attribute(json, "network.transport", "tcp", 3);
	write_executable_name(json, record);
	if (is_failure(record) && outcome)
		write_text_attribute(json, "error.type", outcome, strlen(outcome));
	for (i = 0; i < record_field_count && i < OTLP_MOST_FIELDS; i++)
		write_field(json, names->of_field[i], i, record);
	json_end_list(json);
}

/* ---- the log record ---- */

static void append_otlp_endpoint(struct text_buffer *text, const __u8 address[16], unsigned int port)
{
	char digits[ADDRESS_TEXT_SIZE];

	record_address_text(digits, address);
	text_format(text, strchr(digits, ':') ? "[%s]:%u" : "%s:%u", digits, port);
}

/* One line for people: 10.0.0.1:40000 > 10.0.0.2:443 refused, curl. */
static void write_body(struct json_writer *json, const struct nt_record *record)
{
	const char *outcome = field_name(&record_outcome_names, record->outcome);
	char bytes[BODY_SIZE];
	struct text_buffer body = { .bytes = bytes, .capacity = sizeof(bytes) };

	append_otlp_endpoint(&body, record->src_ip, record->src_port);
	text_string(&body, " > ");
	append_otlp_endpoint(&body, record->dst_ip, record->dst_port);
	text_format(&body, " %s", outcome ? outcome : "");
	if (nt_record_has(record, NT_HAS_COMM))
		text_format(&body, ", %.*s", (int)sizeof(record->comm), record->comm);
	json_write_key(json, "body");
	json_begin_object(json);
	json_write_key(json, "stringValue");
	json_write_string(json, body.bytes, body.used);
	json_end_object(json);
}

static void write_event_name(struct json_writer *json, const struct nt_record *record)
{
	const char *event = field_name(&record_event_names, record->event);
	char name[EVENT_NAME_SIZE];

	if (!event)
		return;
	snprintf(name, sizeof(name), EVENT_PREFIX "%s", event);
	json_write_key(json, "eventName");
	json_write_word(json, name, strlen(name));
}

void otlp_record_append(struct text_buffer *text, const struct otlp_names *names, const struct nt_record *record)
{
	struct json_writer json = { .text = text };
	bool is_warning = is_failure(record);

	json_begin_object(&json);
	write_int64(&json, "timeUnixNano", (long long)record->end_ns);
	write_int64(&json, "observedTimeUnixNano", (long long)record->end_ns);
	json_write_key(&json, "severityNumber");
	json_write_integer(&json, is_warning ? SEVERITY_WARN : SEVERITY_INFO);
	json_write_key(&json, "severityText");
	json_write_word(&json, is_warning ? "WARN" : "INFO", 4);
	write_event_name(&json, record);
	write_body(&json, record);
	json_write_key(&json, "attributes");
	write_attributes(&json, names, record);
	json_end_object(&json);
}

/* ---- the resource ---- */

void otlp_resource_begin(struct text_buffer *text, const char *host)
{
	struct json_writer json = { .text = text };

	text_string(text, "{\"resource\":{\"attributes\":");
	json_begin_list(&json);
	write_text_attribute(&json, "service.name", OTLP_SCOPE, strlen(OTLP_SCOPE));
	write_text_attribute(&json, "host.name", host, strlen(host));
	write_text_attribute(&json, "os.type", "linux", strlen("linux"));
	json_end_list(&json);
	text_string(text, "},\"scopeLogs\":[{\"scope\":{\"name\":\"" OTLP_SCOPE "\",\"version\":\"" NETRACKER_VERSION
			  "\"},\"logRecords\":[");
}

void otlp_resource_end(struct text_buffer *text)
{
	text_string(text, "]}]}");
}
