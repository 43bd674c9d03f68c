// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/record_filter.h"

#include <string.h>
#include <strings.h>

static bool accepts_family(const struct record_filter *filter, const struct nt_record *record)
{
	int family = nt_address_family(record->src_ip);

	return !(filter->ipv4_only && family != 4) && !(filter->ipv6_only && family != 6);
}

static bool accepts_owner(const struct record_filter *filter, const struct nt_record *record)
{
	if (filter->pid && !(nt_record_has(record, NT_HAS_PID) && record->pid == filter->pid))
		return false;
	if (filter->comm &&
	    !(nt_record_has(record, NT_HAS_COMM) && !strncmp(record->comm, filter->comm, sizeof(record->comm))))
		return false;
	if (filter->uid_given && !(nt_record_has(record, NT_HAS_UID) && record->uid == filter->uid))
		return false;
	return true;
}

/* Accepts the cgroup itself and any below it. */
static bool accepts_cgroup(const struct record_filter *filter, const struct nt_record *record)
{
	size_t length = filter->cgroup_length;

	if (!filter->cgroup)
		return true;
	if (!nt_record_has(record, NT_HAS_CGROUP) || strncmp(record->cgroup, filter->cgroup, length))
		return false;
	return !record->cgroup[length] || record->cgroup[length] == '/';
}

static bool accepts_place(const struct record_filter *filter, const struct nt_record *record)
{
	const char *container = filter->container;

	if (filter->netns && !(nt_record_has(record, NT_HAS_NETNS) && record->netns == filter->netns))
		return false;
	if (container &&
	    !(nt_record_has(record, NT_HAS_CONTAINER) && !strncasecmp(record->container, container, strlen(container))))
		return false;
	return accepts_cgroup(filter, record);
}

static bool accepts_networks(const struct record_filter *filter, const struct nt_record *record)
{
	__u64 src[2], dst[2];

	memcpy(src, record->src_ip, sizeof(src));
	memcpy(dst, record->dst_ip, sizeof(dst));
	return nt_networks_pass(&filter->networks, src, dst);
}

static bool accepts_ports(const struct record_filter *filter, const struct nt_record *record)
{
	bool src_is_local = record->role != NT_ROLE_SERVER;
	__u16 local = src_is_local ? record->src_port : record->dst_port;
	__u16 remote = src_is_local ? record->dst_port : record->src_port;

	return nt_port_passes(&filter->local_ports, local) && nt_port_passes(&filter->remote_ports, remote);
}

static bool accepts_duration(const struct record_filter *filter, const struct nt_record *record)
{
	if (!filter->min_duration_ns)
		return true;
	return nt_record_has(record, NT_HAS_DURATION) && record->duration_ns >= filter->min_duration_ns;
}

bool record_filter_accepts(const struct record_filter *filter, const struct nt_record *record)
{
	if (filter->roles && !(filter->roles & 1U << record->role))
		return false;
	if (filter->outcomes && !(filter->outcomes & 1U << record->outcome))
		return false;
	return accepts_family(filter, record) && accepts_networks(filter, record) && accepts_owner(filter, record) &&
	       accepts_place(filter, record) && accepts_ports(filter, record) && accepts_duration(filter, record);
}

/* Packets carry neither owner nor namespace: with the wire context user space tests both (struct nt_filter). */
static bool fill_owner_and_namespace(struct nt_filter *kernel, const struct record_filter *filter)
{
	kernel->netns = filter->netns;
	kernel->pid = filter->pid;
	kernel->uid_given = filter->uid_given;
	kernel->uid = filter->uid;
	if (filter->comm)
		strncpy(kernel->comm, filter->comm, sizeof(kernel->comm) - 1);
	return kernel->netns || kernel->pid || kernel->uid_given || kernel->comm[0];
}

bool record_filter_for_kernel(struct nt_filter *kernel, const struct record_filter *filter, bool packets_watched)
{
	bool owner_or_namespace;

	memset(kernel, 0, sizeof(*kernel));
	kernel->family = filter->ipv4_only ? 4 : filter->ipv6_only ? 6 : 0;
	kernel->roles = filter->roles;
	kernel->local_ports = filter->local_ports;
	kernel->remote_ports = filter->remote_ports;
	kernel->networks = filter->networks;
	owner_or_namespace = !packets_watched && fill_owner_and_namespace(kernel, filter);
	return owner_or_namespace || kernel->family || kernel->roles || kernel->local_ports.given ||
	       kernel->remote_ports.given || kernel->networks.count;
}
