#include "src/filter.h"

#include <string.h>

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
	return true;
}

static bool ports_accepted(const struct options *options, const struct nt_record *record)
{
	bool src_is_local = record->role != NT_ROLE_SERVER;
	__u16 local = src_is_local ? record->src_port : record->dst_port;
	__u16 remote = src_is_local ? record->dst_port : record->src_port;

	if (options->local_ports.given && !port_set_has(&options->local_ports, local))
		return false;
	return !options->remote_ports.given || port_set_has(&options->remote_ports, remote);
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
	return family_accepted(options, record) && owner_accepted(options, record) &&
	       ports_accepted(options, record) && duration_accepted(options, record);
}
