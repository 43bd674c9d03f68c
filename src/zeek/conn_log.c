// SPDX-License-Identifier: GPL-2.0-or-later
/* Zeek's conn.log, readable by zeek-cut and RITA. The columns are those of Zeek's
 * scripts/base/protocols/conn/main.zeek, and community_id of scripts/policy/protocols/conn/community-id-logging.zeek.
 */
#include <sha1.h>
#include <string.h>
#include <time.h>

#include "src/record/community_id.h"
#include "src/zeek/conn_log.h"
#include "src/zeek/zeek_local.h"

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_US 1000
#define UNSET "-"
#define UID_DIGITS 17

struct column {
	const char *name, *type;
	int present; /* enum nt_present, or FIELD_ALWAYS */
	void (*write)(struct text_buffer *text, const struct nt_record *record);
};

static void write_seconds(struct text_buffer *text, __u64 ns)
{
	text_format(text, "%llu.%06llu", ns / NS_PER_SECOND, ns % NS_PER_SECOND / NS_PER_US);
}

static void write_start(struct text_buffer *text, const struct nt_record *record)
{
	write_seconds(text, record->start_ns);
}

static void write_duration(struct text_buffer *text, const struct nt_record *record)
{
	write_seconds(text, record->duration_ns);
}

/* The uid has the form of Zeek's, which is random. This one is derived from the id: it is the same in each run. */
static void write_uid(struct text_buffer *text, const struct nt_record *record)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	__u8 digest[SHA1_DIGEST_LENGTH];
	unsigned __int128 number;
	SHA1_CTX hash;
	int i;

	SHA1Init(&hash);
	SHA1Update(&hash, (const __u8 *)record->id, strlen(record->id));
	SHA1Final(digest, &hash);
	memcpy(&number, digest, sizeof(number));
	text_char(text, 'C');
	for (i = 0; i < UID_DIGITS; i++, number /= 62)
		text_char(text, digits[number % 62]);
}

static void write_zeek_address(struct text_buffer *text, const __u8 address[16])
{
	char out[ADDRESS_TEXT_SIZE];

	record_address_text(out, address);
	text_string(text, out);
}

static void write_src_ip(struct text_buffer *text, const struct nt_record *record)
{
	write_zeek_address(text, record->src_ip);
}

static void write_dst_ip(struct text_buffer *text, const struct nt_record *record)
{
	write_zeek_address(text, record->dst_ip);
}

static void write_src_port(struct text_buffer *text, const struct nt_record *record)
{
	text_integer(text, record->src_port);
}

static void write_dst_port(struct text_buffer *text, const struct nt_record *record)
{
	text_integer(text, record->dst_port);
}

static void write_protocol(struct text_buffer *text, const struct nt_record *record)
{
	(void)record;
	text_string(text, "tcp");
}

static void write_unset(struct text_buffer *text, const struct nt_record *record)
{
	(void)record;
	text_string(text, UNSET);
}

static void write_src_bytes(struct text_buffer *text, const struct nt_record *record)
{
	text_integer(text, record->bytes[NT_SRC]);
}

static void write_dst_bytes(struct text_buffer *text, const struct nt_record *record)
{
	text_integer(text, record->bytes[NT_DST]);
}

static void write_conn_state(struct text_buffer *text, const struct nt_record *record)
{
	text_string(text, record->conn_state);
}

static void write_src_is_local(struct text_buffer *text, const struct nt_record *record)
{
	text_char(text, zeek_address_is_local(record->src_ip) ? 'T' : 'F');
}

static void write_dst_is_local(struct text_buffer *text, const struct nt_record *record)
{
	text_char(text, zeek_address_is_local(record->dst_ip) ? 'T' : 'F');
}

static void write_missed_bytes(struct text_buffer *text, const struct nt_record *record)
{
	text_integer(text, record->missed_bytes);
}

static void write_history(struct text_buffer *text, const struct nt_record *record)
{
	const char *history = record->long_history ? record->long_history : record->history;

	text_string(text, *history ? history : UNSET);
}

static void write_src_packets(struct text_buffer *text, const struct nt_record *record)
{
	text_integer(text, record->packets[NT_SRC]);
}

static void write_dst_packets(struct text_buffer *text, const struct nt_record *record)
{
	text_integer(text, record->packets[NT_DST]);
}

static void write_src_ip_bytes(struct text_buffer *text, const struct nt_record *record)
{
	text_integer(text, record->ip_bytes[NT_SRC]);
}

static void write_dst_ip_bytes(struct text_buffer *text, const struct nt_record *record)
{
	text_integer(text, record->ip_bytes[NT_DST]);
}

static void write_community_id(struct text_buffer *text, const struct nt_record *record)
{
	char out[COMMUNITY_ID_SIZE];

	community_id(out, record->src_ip, record->src_port, record->dst_ip, record->dst_port);
	text_string(text, out);
}

static const struct column columns[] = {
	{ "ts", "time", NT_HAS_START, write_start },
	{ "uid", "string", FIELD_ALWAYS, write_uid },
	{ "id.orig_h", "addr", FIELD_ALWAYS, write_src_ip },
	{ "id.orig_p", "port", FIELD_ALWAYS, write_src_port },
	{ "id.resp_h", "addr", FIELD_ALWAYS, write_dst_ip },
	{ "id.resp_p", "port", FIELD_ALWAYS, write_dst_port },
	{ "proto", "enum", FIELD_ALWAYS, write_protocol },
	{ "service", "string", FIELD_ALWAYS, write_unset },
	{ "duration", "interval", NT_HAS_DURATION, write_duration },
	{ "orig_bytes", "count", NT_HAS_SRC_BYTES, write_src_bytes },
	{ "resp_bytes", "count", NT_HAS_DST_BYTES, write_dst_bytes },
	{ "conn_state", "string", NT_HAS_CONN_STATE, write_conn_state },
	{ "local_orig", "bool", FIELD_ALWAYS, write_src_is_local },
	{ "local_resp", "bool", FIELD_ALWAYS, write_dst_is_local },
	{ "missed_bytes", "count", NT_HAS_MISSED_BYTES, write_missed_bytes },
	{ "history", "string", NT_HAS_HISTORY, write_history },
	{ "orig_pkts", "count", NT_HAS_SRC_PACKETS, write_src_packets },
	{ "orig_ip_bytes", "count", NT_HAS_SRC_IP_BYTES, write_src_ip_bytes },
	{ "resp_pkts", "count", NT_HAS_DST_PACKETS, write_dst_packets },
	{ "resp_ip_bytes", "count", NT_HAS_DST_IP_BYTES, write_dst_ip_bytes },
	{ "tunnel_parents", "set[string]", FIELD_ALWAYS, write_unset },
	{ "community_id", "string", FIELD_ALWAYS, write_community_id },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* Zeek's time stamp of a log is the local time of writing, not the packets' time. */
static void write_now(struct text_buffer *text, const char *name)
{
	time_t now = time(NULL);
	struct tm local;
	char out[32];

	localtime_r(&now, &local);
	strftime(out, sizeof(out), "%Y-%m-%d-%H-%M-%S", &local);
	text_format(text, "%s\t%s\n", name, out);
}

static void conn_log_header(struct text_buffer *text, const struct format_view *view)
{
	size_t i;

	(void)view;
	text_string(text, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t" UNSET
			  "\n#path\tconn\n");
	write_now(text, "#open");
	text_string(text, "#fields");
	for (i = 0; i < COLUMNS; i++)
		text_format(text, "\t%s", columns[i].name);
	text_string(text, "\n#types");
	for (i = 0; i < COLUMNS; i++)
		text_format(text, "\t%s", columns[i].type);
	text_char(text, '\n');
}

static void conn_log_record(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	size_t i;

	(void)view;
	for (i = 0; i < COLUMNS; i++) {
		if (i)
			text_char(text, '\t');
		if (columns[i].present != FIELD_ALWAYS && !nt_record_has(record, columns[i].present))
			text_string(text, UNSET);
		else
			columns[i].write(text, record);
	}
	text_char(text, '\n');
}

static void conn_log_footer(struct text_buffer *text)
{
	write_now(text, "#close");
}

const struct format conn_log_format = {
	.name = "zeek",
	.always_header = true,
	.header = conn_log_header,
	.record = conn_log_record,
	.footer = conn_log_footer,
};
