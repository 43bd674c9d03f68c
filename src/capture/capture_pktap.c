// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_pktap.h"

#include <endian.h>
#include <stdbool.h>

#define TYPE_PACKET 1
#define FLAGS_OFFSET 36 /* the same in both versions */
#define FLAG_OUT 0x2
#define FLAG_VERSION_2 0x80000
#define IFNAME_SIZE 24
#define COMM_SIZE 17

struct pktap_v1 {
	__u32 length, type, link_type;
	char ifname[IFNAME_SIZE];
	__u32 flags, family, before, after, pid;
	char comm[COMM_SIZE + 3]; /* padded */
	__u32 service;
	__u16 interface_type, unit;
	__u32 effective_pid;
	char effective_comm[COMM_SIZE + 3];
};

/* Offsets count from the header's beginning; 0: the string is missing. */
struct pktap_v2 {
	__u8 length, uuid, effective_uuid, ifname, comm, effective_comm;
	__u16 link_type, before, after, interface_type, protocol;
	__u32 family, service, flow, pid, effective_pid, flags;
};

_Static_assert(sizeof(struct pktap_v1) == 108 && sizeof(struct pktap_v2) == 40, "the layouts of the file");

static enum nt_parse check_pktap_length(const struct nt_buffer *frame, __u32 length, __u32 least)
{
	if (length < least)
		return NT_PACKET_MALFORMED;
	return length > frame->length ? NT_PACKET_TRUNCATED : NT_PACKET_TCP;
}

static enum nt_parse read_version_1(const struct nt_buffer *frame, int *link_type, __u32 *length,
				    struct capture_place *place)
{
	struct pktap_v1 header;

	if (NT_LOAD(frame, 0, &header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	if (le32toh(header.type) != TYPE_PACKET)
		return NT_PACKET_NOT_IP;
	*link_type = (int)le32toh(header.link_type);
	*length = le32toh(header.length);
	place->direction = !!(le32toh(header.flags) & FLAG_OUT);
	place->ifname = (const char *)frame->data + offsetof(struct pktap_v1, ifname);
	place->ifname_size = sizeof(header.ifname);
	capture_process_set(&place->process, le32toh(header.pid), header.comm, COMM_SIZE);
	if (!place->process.pid)
		capture_process_set(&place->process, le32toh(header.effective_pid), header.effective_comm, COMM_SIZE);
	return check_pktap_length(frame, *length, sizeof(header));
}

struct pktap_string {
	const char *at;
	__u32 size;
};

/* The header was captured whole. */
static struct pktap_string string_of_version_2(const struct nt_buffer *frame, __u8 offset, __u8 header, __u32 most)
{
	__u32 size = offset && offset < header ? header - offset : 0;

	return (struct pktap_string){ (const char *)frame->data + offset, size < most ? size : most };
}

static enum nt_parse read_version_2(const struct nt_buffer *frame, int *link_type, __u32 *length,
				    struct capture_place *place)
{
	struct pktap_string ifname, comm, effective_comm;
	struct pktap_v2 header;
	enum nt_parse result;

	if (NT_LOAD(frame, 0, &header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	*link_type = le16toh(header.link_type);
	*length = header.length;
	result = check_pktap_length(frame, *length, sizeof(header));
	if (result != NT_PACKET_TCP)
		return result;
	ifname = string_of_version_2(frame, header.ifname, header.length, IFNAME_SIZE);
	comm = string_of_version_2(frame, header.comm, header.length, COMM_SIZE);
	effective_comm = string_of_version_2(frame, header.effective_comm, header.length, COMM_SIZE);
	place->direction = !!(le32toh(header.flags) & FLAG_OUT);
	place->ifname = ifname.at;
	place->ifname_size = ifname.size;
	capture_process_set(&place->process, le32toh(header.pid), comm.at, comm.size);
	if (!place->process.pid)
		capture_process_set(&place->process, le32toh(header.effective_pid), effective_comm.at,
				    effective_comm.size);
	return NT_PACKET_TCP;
}

enum nt_parse capture_pktap_header(const struct nt_buffer *frame, int *link_type, __u32 *length,
				   struct capture_place *place)
{
	__u32 flags;

	if (NT_LOAD(frame, FLAGS_OFFSET, &flags, sizeof(flags)) < 0)
		return NT_PACKET_TRUNCATED;
	return le32toh(flags) & FLAG_VERSION_2 ? read_version_2(frame, link_type, length, place) :
						 read_version_1(frame, link_type, length, place);
}
