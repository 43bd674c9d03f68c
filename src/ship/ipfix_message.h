/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows as messages of IPFIX (RFC 7011), with the templates that they need. Pure: time is a parameter. */
#ifndef NETRACKER_IPFIX_MESSAGE_H
#define NETRACKER_IPFIX_MESSAGE_H

#include "src/ship/ipfix_flow.h"

#define IPFIX_MESSAGE_SIZE 16384

struct ipfix_message {
	__u8 bytes[IPFIX_MESSAGE_SIZE];
	unsigned int size;
};

/* The templates and flows that a collector got from one exporter. It begins with zeros, but for the settings: with each
 * connection of TCP, and with UDP once. */
struct ipfix_session {
	unsigned int most_bytes; /* of a message; at least 512, at most IPFIX_MESSAGE_SIZE */
	bool repeats_templates;  /* UDP: they may be lost, and a collector may begin later */
	__u32 domain;            /* observation domain */
	__u32 sequence;          /* flows in the messages before, modulo 2^32 */
	__u64 templates_ns;      /* when templates were begun to be sent anew */
	unsigned int messages;   /* since then */
	__u8 has_template[IPFIX_TEMPLATE_COUNT / 8];
};

/* Makes a message of the first flows, and returns how many are in it: at least one. `now_ns` is since the Unix epoch. */
unsigned int ipfix_make_message(struct ipfix_message *message, struct ipfix_session *session,
				const struct ipfix_flow *flows, unsigned int count, __u64 now_ns);

/* From now on each template is sent once more before it is used: the collector may have begun anew. */
void ipfix_forget_templates(struct ipfix_session *session);

#endif
