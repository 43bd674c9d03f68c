#include "src/record/record_filter.h"

#include <string.h>
#include <strings.h>

#include "src/output/format.h"

static bool family_accepted(const struct options *options, const struct nt_record *record)
{
	int family = nt_address_family(record->src_ip);

	return !(options->ipv4_only && family != 4) && !(options->ipv6_only && family != 6);
}

static bool owner_accepted(const struct options *options, const struct nt_record *record)
{
	if (options->pid && !(nt_record_has(record, NT_HAS_PID) && record->pid == options->pid))
		return false;
	if (options->comm && !(nt_record_has(record, NT_HAS_COMM) &&
			       !strncmp(record->comm, options->comm, sizeof(record->comm))))
		return false;
	if (options->uid_given && !(nt_record_has(record, NT_HAS_UID) && record->uid == options->uid))
		return false;
	return true;
}

/* The cgroup itself or one below it. */
static bool cgroup_accepted(const struct options *options, const struct nt_record *record)
{
	size_t length = options->cgroup_length;

	if (!options->cgroup)
		return true;
	if (!nt_record_has(record, NT_HAS_CGROUP) || strncmp(record->cgroup, options->cgroup, length))
		return false;
	return !record->cgroup[length] || record->cgroup[length] == '/';
}

static bool place_accepted(const struct options *options, const struct nt_record *record)
{
	const char *container = options->container;

	if (options->netns && !(nt_record_has(record, NT_HAS_NETNS) && record->netns == options->netns))
		return false;
	if (container && !(nt_record_has(record, NT_HAS_CONTAINER) &&
			   !strncasecmp(record->container, container, strlen(container))))
		return false;
	return cgroup_accepted(options, record);
}

static bool networks_accepted(const struct options *options, const struct nt_record *record)
{
	__u64 src[2], dst[2];

	memcpy(src, record->src_ip, sizeof(src));
	memcpy(dst, record->dst_ip, sizeof(dst));
	return nt_networks_pass(&options->networks, src, dst);
}

static bool ports_accepted(const struct options *options, const struct nt_record *record)
{
	bool src_is_local = record->role != NT_ROLE_SERVER;
	__u16 local = src_is_local ? record->src_port : record->dst_port;
	__u16 remote = src_is_local ? record->dst_port : record->src_port;

	return nt_port_passes(&options->local_ports, local) && nt_port_passes(&options->remote_ports, remote);
}

static bool duration_accepted(const struct options *options, const struct nt_record *record)
{
	if (!options->min_duration_ns)
		return true;
	return nt_record_has(record, NT_HAS_DURATION) && record->duration_ns >= options->min_duration_ns;
}

bool filter_accepts(const struct options *options, const struct nt_record *record)
{
	if (options->roles && !(options->roles & 1U << record->role))
		return false;
	if (options->outcomes && !(options->outcomes & 1U << record->outcome))
		return false;
	if (options->format == FORMAT_TRACE && !sink_trace_tells(record))
		return false;
	return family_accepted(options, record) && networks_accepted(options, record) &&
	       owner_accepted(options, record) && place_accepted(options, record) &&
	       ports_accepted(options, record) && duration_accepted(options, record);
}

/* Where packets are watched too, what a socket's packets cannot tell is left to user space: see struct nt_filter. */
static bool fill_owner_and_namespace(struct nt_filter *filter, const struct options *options)
{
	if (options->contexts & CONTEXT_WIRE)
		return false;
	filter->netns = options->netns;
	filter->pid = options->pid;
	filter->uid_given = options->uid_given;
	filter->uid = options->uid;
	if (options->comm)
		strncpy(filter->comm, options->comm, sizeof(filter->comm) - 1);
	return filter->netns || filter->pid || filter->uid_given || filter->comm[0];
}

bool filter_for_kernel(struct nt_filter *filter, const struct options *options)
{
	bool owner_or_namespace;

	memset(filter, 0, sizeof(*filter));
	filter->family = options->ipv4_only ? 4 : options->ipv6_only ? 6 : 0;
	filter->roles = options->roles;
	filter->local_ports = options->local_ports;
	filter->remote_ports = options->remote_ports;
	filter->networks = options->networks;
	owner_or_namespace = fill_owner_and_namespace(filter, options);
	return owner_or_namespace || filter->family || filter->roles || filter->local_ports.given ||
	       filter->remote_ports.given || filter->networks.count;
}
