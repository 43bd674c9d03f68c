// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_ipfix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/ship/ipfix_message.h"
#include "src/ship/ipfix_socket.h"
#include "src/util/message.h"

#define NS_PER_SECOND 1000000000ULL
#define DEFAULT_PORT 4739
#define DATAGRAM_BYTES 1400 /* with headers of IPv6 and UDP it fits into a frame of Ethernet */

struct ipfix_exporter {
	struct server_url url;
	bool is_biflow;
	struct ipfix_socket socket;
	struct ipfix_session session;
	struct ipfix_message message;
};

static const char *check_ipfix_url(struct server_url *url)
{
	size_t digits = strspn(url->path, "0123456789");

	if (url->user[0])
		return "IPFIX has no users";
	if (url->path[digits] || digits > 10 || strtoull(url->path, NULL, 10) > 0xffffffff)
		return "after the host may stand an observation domain: a number from 0 to 4294967295";
	if (!url->port)
		url->port = DEFAULT_PORT;
	return NULL;
}

static void begin_session(struct ipfix_exporter *exporter)
{
	bool is_udp = exporter->socket.is_udp;

	exporter->session = (struct ipfix_session){
		.most_bytes = is_udp ? DATAGRAM_BYTES : IPFIX_MESSAGE_SIZE,
		.repeats_templates = is_udp,
		.domain = (__u32)strtoul(exporter->url.path, NULL, 10),
	};
}

static void *open_ipfix(const struct server_url *url, const struct ship_settings *settings)
{
	struct ipfix_exporter *exporter = calloc(1, sizeof(*exporter));

	if (!exporter) {
		message_error("ship: out of memory");
		return NULL;
	}
	exporter->url = *url;
	exporter->is_biflow = settings->is_biflow;
	exporter->socket = (struct ipfix_socket){ .host = exporter->url.host,
						  .port = url->port,
						  .is_udp = !strcmp(url->scheme, "ipfix+udp"),
						  .timeout_ms = (int)settings->http.timeout_ms,
						  .descriptor = -1 };
	begin_session(exporter);
	return exporter;
}

static void close_ipfix(void *state)
{
	struct ipfix_exporter *exporter = state;

	if (exporter)
		ipfix_socket_close(&exporter->socket);
	free(exporter);
}

static void encode_ipfix(void *state, struct text_buffer *bytes, const struct nt_record *record)
{
	const struct ipfix_exporter *exporter = state;
	struct ipfix_flow flows[2];
	unsigned int count = ipfix_fill_flows(flows, record, exporter->is_biflow);

	text_append(bytes, (const char *)flows, count * sizeof(*flows));
}

static __u64 wall_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * NS_PER_SECOND + (__u64)now.tv_nsec;
}

/* With a connection of TCP a session begins. UDP has no connections, and its sequence goes on; but after a refusal the
 * collector that answers may know no template. */
static const char *connect_exporter(struct ipfix_exporter *exporter)
{
	bool is_new;
	const char *reason = ipfix_socket_connect(&exporter->socket, &is_new);

	if (!reason && is_new && !exporter->socket.is_udp)
		begin_session(exporter);
	else if (!reason && is_new)
		ipfix_forget_templates(&exporter->session);
	return reason;
}

static const char *send_flows(struct ipfix_exporter *exporter, const struct ipfix_flow *flows, unsigned int count)
{
	const char *reason = connect_exporter(exporter);
	unsigned int sent = 0;

	while (!reason && sent < count) {
		sent += ipfix_make_message(&exporter->message, &exporter->session, flows + sent, count - sent,
					   wall_clock_ns());
		reason = ipfix_socket_write(&exporter->socket, exporter->message.bytes, exporter->message.size);
	}
	return reason ? reason : ipfix_socket_finish(&exporter->socket);
}

static void send_ipfix(void *state, const struct ship_batch *batch, unsigned int first, unsigned int count,
		       struct ship_answer *answer)
{
	const char *bytes, *reason = NULL;
	size_t flows = ship_batch_bytes(batch, first, count, &bytes) / sizeof(struct ipfix_flow);

	if (flows)
		reason = send_flows(state, (const void *)bytes, (unsigned int)flows);
	answer->verdict = reason ? SHIP_AGAIN : SHIP_TAKEN;
	if (reason)
		snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
}

const struct ship_destination ship_ipfix = {
	.name = "ipfix",
	.schemes = { "ipfix" },
	.form = "ipfix://HOST[:PORT][/DOMAIN]",
	.options = SHIP_BIFLOW,
	.check = check_ipfix_url,
	.open = open_ipfix,
	.close = close_ipfix,
	.encode = encode_ipfix,
	.send = send_ipfix,
};

/* Has a cursor of its own: the same collector may be reached both ways. */
const struct ship_destination ship_ipfix_udp = {
	.name = "ipfix-udp",
	.schemes = { "ipfix+udp" },
	.form = "ipfix+udp://HOST[:PORT][/DOMAIN]",
	.options = SHIP_BIFLOW,
	.check = check_ipfix_url,
	.open = open_ipfix,
	.close = close_ipfix,
	.encode = encode_ipfix,
	.send = send_ipfix,
};
