// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ipfix_message.h"

#include <string.h>

#define NS_PER_SECOND 1000000000ULL
#define IPFIX_VERSION 10
#define MESSAGE_HEADER_SIZE 16
#define SET_HEADER_SIZE 4
#define TEMPLATE_SET 2
/* RFC 7011 section 8.1 asks for repetition over UDP. After a lost message, or for a collector that begins later, flows
 * cannot be read until then. */
#define TEMPLATE_SECONDS 60
#define TEMPLATE_MESSAGES 100

_Static_assert(MESSAGE_HEADER_SIZE + 2 * SET_HEADER_SIZE + IPFIX_TEMPLATE_SIZE + IPFIX_FLOW_SIZE <= 512,
	       "a flow and its template fit into the smallest message");

/* ---- templates ---- */

static bool knows_template(const struct ipfix_session *session, __u16 template_id)
{
	unsigned int bit = template_id - IPFIX_FIRST_TEMPLATE;

	return session->has_template[bit / 8] >> (bit % 8) & 1;
}

void ipfix_forget_templates(struct ipfix_session *session)
{
	memset(session->has_template, 0, sizeof(session->has_template));
}

static void renew_templates(struct ipfix_session *session, __u64 now_ns)
{
	__u64 age_ns = now_ns - session->templates_ns; /* large if the clock was set back */

	if (!session->repeats_templates ||
	    (age_ns < TEMPLATE_SECONDS * NS_PER_SECOND && session->messages < TEMPLATE_MESSAGES))
		return;
	ipfix_forget_templates(session);
	session->templates_ns = now_ns;
	session->messages = 0;
}

/* ---- sets ---- */

struct open_set {
	unsigned int begin;
	__u16 id; /* 0: none */
};

static void begin_set(struct ipfix_message *message, struct open_set *set, __u16 id)
{
	*set = (struct open_set){ .begin = message->size, .id = id };
	ipfix_put(message->bytes + message->size, id, 2);
	message->size += SET_HEADER_SIZE;
}

static void end_set(struct ipfix_message *message, const struct open_set *set)
{
	if (set->id)
		ipfix_put(message->bytes + set->begin + 2, message->size - set->begin, 2);
}

static void add_template(struct ipfix_message *message, struct ipfix_session *session, __u16 template_id)
{
	unsigned int bit = template_id - IPFIX_FIRST_TEMPLATE;
	struct open_set set;

	begin_set(message, &set, TEMPLATE_SET);
	message->size += ipfix_write_template(message->bytes + message->size, template_id);
	end_set(message, &set);
	session->has_template[bit / 8] |= (__u8)(1U << (bit % 8));
}

/* Flows of one template that follow each other share a set. Returns false if the message is full. */
static bool add_flow(struct ipfix_message *message, struct ipfix_session *session, struct open_set *set,
		     const struct ipfix_flow *flow)
{
	__u8 template[IPFIX_TEMPLATE_SIZE];
	bool is_known = knows_template(session, flow->template_id);
	unsigned int size = flow->size;

	if (set->id != flow->template_id)
		size += SET_HEADER_SIZE;
	if (!is_known)
		size += SET_HEADER_SIZE + ipfix_write_template(template, flow->template_id);
	if (message->size + size > session->most_bytes)
		return false;
	if (set->id != flow->template_id) {
		end_set(message, set);
		if (!is_known)
			add_template(message, session, flow->template_id);
		begin_set(message, set, flow->template_id);
	}
	memcpy(message->bytes + message->size, flow->bytes, flow->size);
	message->size += flow->size;
	return true;
}

/* ---- the message ---- */

static void write_message_header(struct ipfix_message *message, const struct ipfix_session *session, __u64 now_ns)
{
	__u8 *end = ipfix_put(message->bytes, IPFIX_VERSION, 2);

	end = ipfix_put(end, message->size, 2);
	end = ipfix_put(end, now_ns / NS_PER_SECOND, 4);
	end = ipfix_put(end, session->sequence, 4);
	ipfix_put(end, session->domain, 4);
}

unsigned int ipfix_make_message(struct ipfix_message *message, struct ipfix_session *session,
				const struct ipfix_flow *flows, unsigned int count, __u64 now_ns)
{
	struct open_set set = { 0 };
	unsigned int added = 0;

	renew_templates(session, now_ns);
	message->size = MESSAGE_HEADER_SIZE;
	while (added < count && add_flow(message, session, &set, &flows[added]))
		added++;
	end_set(message, &set);
	write_message_header(message, session, now_ns);
	session->sequence += added;
	session->messages++;
	return added;
}
