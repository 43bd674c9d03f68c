// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel side's part of a filter: bounds that everything the filter accepts is within. */
#include <stdlib.h>
#include <string.h>

#include "src/filter/filter_tree.h"

#define BOTH_FAMILIES 3U /* bit 0: IPv4, bit 1: IPv6 */
#define ALL_ROLES (1U << NT_ROLE_CLIENT | 1U << NT_ROLE_SERVER | 1U << NT_ROLE_OBSERVER)

/* A set that is not given bounds nothing. */
struct bounds {
	unsigned int families, roles;
	struct nt_port_set local, remote, either;
	struct nt_network_set networks; /* either address */
	__s64 pid, uid, netns;          /* -1: not bounded */
	char comm[NT_COMM_SIZE];        /* "": not bounded */
};

static struct bounds *new_bounds(void)
{
	struct bounds *bounds = calloc(1, sizeof(*bounds));

	if (!bounds)
		return NULL;
	bounds->families = BOTH_FAMILIES;
	bounds->roles = ALL_ROLES;
	bounds->pid = bounds->uid = bounds->netns = -1;
	return bounds;
}

/* ---- one condition ---- */

static void bound_ports(struct filter *filter, const struct filter_node *node, bool negated, struct nt_port_set *set)
{
	struct nt_record record = { .role = NT_ROLE_CLIENT };
	__u32 port;

	set->given = 1;
	for (port = 0; port < 65536; port++) {
		record.src_port = record.dst_port = (__u16)port;
		if ((filter_compare(filter, node, &record) == FILTER_TRUE) != negated)
			nt_port_set_add(set, (__u16)port);
	}
}

/* One of the two ports is in the set. That both are not in a set is no bound. */
static void bound_either_port(struct filter *filter, const struct filter_node *node, bool negated,
			      struct nt_port_set *set)
{
	if (negated != (node->relation == FILTER_UNEQUAL))
		return;
	bound_ports(filter, node, negated, set);
}

static void bound_networks(const struct filter_node *node, bool negated, struct nt_network_set *set)
{
	unsigned int i;

	if (negated != (node->relation == FILTER_UNEQUAL) || node->count > NT_FILTER_NETWORKS)
		return;
	for (i = 0; i < node->count; i++)
		set->network[set->count++] = node->values[i].network;
}

static unsigned int bound_names(const struct filter_node *node, bool negated, unsigned int all)
{
	unsigned int bits = 0, i;

	if (!filter_tests_equality(node))
		return all;
	for (i = 0; i < node->count; i++)
		bits |= (unsigned int)node->values[i].bits;
	return (negated != (node->relation == FILTER_UNEQUAL) ? ~bits : bits) & all;
}

/* Returns the only number that passes. -1 if there may be others. */
static __s64 bound_number(const struct filter_node *node, bool negated)
{
	const struct filter_value *value = node->values;

	if (negated != (node->relation == FILTER_UNEQUAL) || node->count != 1 || value->low != value->high ||
	    !filter_tests_equality(node))
		return -1;
	return value->low;
}

static void bound_comm(const struct filter_node *node, bool negated, char comm[NT_COMM_SIZE])
{
	const struct filter_value *value = node->values;

	if (negated != (node->relation == FILTER_UNEQUAL) || node->count != 1 || value->pattern ||
	    !filter_tests_equality(node) || value->size >= NT_COMM_SIZE)
		return;
	memcpy(comm, value->text, value->size);
}

/* The translated tuple of the wire is not what the kernel side tests. */
static bool is_of_wire(const char *name)
{
	return !strncmp(name, "wire_", 5);
}

static void bound_condition(struct filter *filter, const struct filter_node *node, bool negated, struct bounds *bounds)
{
	const char *name = node->field.name;

	if (is_of_wire(name))
		return;
	if (node->field.type == FILTER_ADDRESS)
		bound_networks(node, negated, &bounds->networks);
	else if (!strcmp(name, "lport"))
		bound_ports(filter, node, negated, &bounds->local);
	else if (!strcmp(name, "rport"))
		bound_ports(filter, node, negated, &bounds->remote);
	else if (node->field.type == FILTER_PORT)
		bound_either_port(filter, node, negated, &bounds->either);
	else if (!strcmp(name, "family"))
		bounds->families = bound_names(node, negated, BOTH_FAMILIES);
	else if (!strcmp(name, "role"))
		bounds->roles = bound_names(node, negated, ALL_ROLES);
	else if (!strcmp(name, "pid"))
		bounds->pid = bound_number(node, negated);
	else if (node->field.type == FILTER_USER)
		bounds->uid = bound_number(node, negated);
	else if (node->field.type == FILTER_NETNS)
		bounds->netns = bound_number(node, negated);
	else if (!strcmp(name, "comm"))
		bound_comm(node, negated, bounds->comm);
}

/* ---- several conditions ---- */

static unsigned int count_ports(const struct nt_port_set *set)
{
	unsigned int count = 0;
	size_t i;

	for (i = 0; i < sizeof(set->bits); i++)
		count += (unsigned int)__builtin_popcount(set->bits[i]);
	return count;
}

static void intersect_ports(struct nt_port_set *one, const struct nt_port_set *other)
{
	size_t i;

	if (!other->given)
		return;
	for (i = 0; i < sizeof(one->bits); i++)
		one->bits[i] = one->given ? one->bits[i] & other->bits[i] : other->bits[i];
	one->given = 1;
}

/* A port may be in one set and the other port in the other set, so both bounds hold, and the smaller one is kept. */
static void keep_smaller_ports(struct nt_port_set *one, const struct nt_port_set *other)
{
	if (other->given && (!one->given || count_ports(other) < count_ports(one)))
		*one = *other;
}

static void unite_ports(struct nt_port_set *one, const struct nt_port_set *other)
{
	size_t i;

	one->given = one->given && other->given;
	for (i = 0; i < sizeof(one->bits); i++)
		one->bits[i] = one->given ? one->bits[i] | other->bits[i] : 0;
}

static void unite_networks(struct nt_network_set *one, const struct nt_network_set *other)
{
	__u64 i;

	if (!one->count || !other->count || one->count + other->count > NT_FILTER_NETWORKS) {
		one->count = 0;
		return;
	}
	for (i = 0; i < other->count; i++)
		one->network[one->count++] = other->network[i];
}

static void intersect(struct bounds *one, const struct bounds *other)
{
	one->families &= other->families;
	one->roles &= other->roles;
	intersect_ports(&one->local, &other->local);
	intersect_ports(&one->remote, &other->remote);
	keep_smaller_ports(&one->either, &other->either);
	if (!one->networks.count)
		one->networks = other->networks;
	one->pid = one->pid < 0 ? other->pid : one->pid;
	one->uid = one->uid < 0 ? other->uid : one->uid;
	one->netns = one->netns < 0 ? other->netns : one->netns;
	if (!one->comm[0])
		memcpy(one->comm, other->comm, sizeof(one->comm));
}

static void unite(struct bounds *one, const struct bounds *other)
{
	one->families |= other->families;
	one->roles |= other->roles;
	unite_ports(&one->local, &other->local);
	unite_ports(&one->remote, &other->remote);
	unite_ports(&one->either, &other->either);
	unite_networks(&one->networks, &other->networks);
	one->pid = one->pid == other->pid ? one->pid : -1;
	one->uid = one->uid == other->uid ? one->uid : -1;
	one->netns = one->netns == other->netns ? one->netns : -1;
	if (memcmp(one->comm, other->comm, sizeof(one->comm)))
		memset(one->comm, 0, sizeof(one->comm));
}

/* negated: bounds what the node is false for, by De Morgan's laws. Returns NULL without memory. */
static struct bounds *bound_node(struct filter *filter, const struct filter_node *node, bool negated)
{
	struct bounds *one, *other;

	if (node->kind == FILTER_NOT)
		return bound_node(filter, node->left, !negated);
	if (node->kind != FILTER_AND && node->kind != FILTER_OR) {
		one = new_bounds();
		if (one && node->kind == FILTER_COMPARE)
			bound_condition(filter, node, negated, one);
		return one;
	}
	one = bound_node(filter, node->left, negated);
	other = one ? bound_node(filter, node->right, negated) : NULL;
	if (!other) {
		free(one);
		return NULL;
	}
	if ((node->kind == FILTER_AND) != negated)
		intersect(one, other);
	else
		unite(one, other);
	free(other);
	return one;
}

static struct bounds *bound_filter(struct filter *filter)
{
	struct bounds *all = filter->expression ? bound_node(filter, filter->expression, false) : new_bounds();
	unsigned int i;

	for (i = 0; all && i < filter->option_count; i++) {
		struct bounds *option = bound_node(filter, filter->options[i], false);

		if (option)
			intersect(all, option);
		free(option); /* without memory the bounds are only wider */
	}
	return all;
}

/* Packets carry neither owner nor namespace: with the wire context user space tests both (struct nt_filter). */
static bool fill_owner_and_namespace(struct nt_filter *kernel, const struct bounds *bounds)
{
	kernel->netns = bounds->netns > 0 ? (__u32)bounds->netns : 0;
	kernel->pid = bounds->pid > 0 ? (__u32)bounds->pid : 0;
	kernel->uid_given = bounds->uid >= 0;
	kernel->uid = bounds->uid >= 0 ? (__u32)bounds->uid : 0;
	memcpy(kernel->comm, bounds->comm, sizeof(kernel->comm));
	return kernel->netns || kernel->pid || kernel->uid_given || kernel->comm[0];
}

#define NO_ROLE (1U << 31)

/* 0 means any. If no family or no role is left, a role that no connection has excludes them all. */
static void fill_bits(struct nt_filter *kernel, const struct bounds *bounds)
{
	kernel->family = bounds->families == 1 ? 4 : bounds->families == 2 ? 6 : 0;
	kernel->roles = bounds->roles == ALL_ROLES ? 0 : bounds->roles;
	if (!bounds->families || !bounds->roles)
		kernel->roles = NO_ROLE;
}

bool filter_for_kernel(struct nt_filter *kernel, const struct filter *filter, bool packets_watched)
{
	struct bounds *bounds = filter ? bound_filter((struct filter *)filter) : NULL;
	bool owner_or_namespace;

	memset(kernel, 0, sizeof(*kernel));
	if (!bounds)
		return false;
	fill_bits(kernel, bounds);
	kernel->local_ports = bounds->local;
	kernel->remote_ports = bounds->remote;
	kernel->either_port = bounds->either;
	kernel->networks = bounds->networks;
	owner_or_namespace = !packets_watched && fill_owner_and_namespace(kernel, bounds);
	free(bounds);
	return owner_or_namespace || kernel->family || kernel->roles || kernel->local_ports.given ||
	       kernel->remote_ports.given || kernel->either_port.given || kernel->networks.count;
}
