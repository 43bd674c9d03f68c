// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/cli/option_values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/zeek/conn_log.h"

#define DURATION_MAX_NS 3.15576e18 /* 100 years */
#define NAMED_NAMESPACES "/run/netns/"
#define CGROUP_MOUNT "/sys/fs/cgroup"
#define NO_UID ((__u32)-1) /* no user id: setresuid(2) takes it for "unchanged" */

/* Accepts decimal digits only. Returns false unless least <= number <= most. */
static bool parse_number(const char *text, __u64 least, __u64 most, __u64 *number)
{
	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	*number = strtoull(text, NULL, 10);
	return !errno && *number >= least && *number <= most;
}

/* Returns the nanoseconds of a unit. 0 if there is no such unit. */
static double unit_ns(const char *unit)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{ "", 1e9 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 6e10 }, { "h", 3.6e12 },
	};
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].ns;
	return 0;
}

/* Accepts a number, possibly with a fraction, and a unit: ns, us, ms, s, m or h; s by default. At most 100 years. */
static bool parse_duration(const char *text, __u64 *ns)
{
	size_t digits = strspn(text, "0123456789.");
	char number[32], *end;
	double value;

	if (!digits || digits >= sizeof(number))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	value = strtod(number, &end) * unit_ns(text + digits);
	if (*end || !unit_ns(text + digits) || value > DURATION_MAX_NS)
		return false;
	*ns = (__u64)(value + 0.5);
	return true;
}

/* Accepts a number of bytes, possibly with K, M or G, and a fraction before these. */
static bool parse_size(const char *text, __u64 least, __u64 most, __u64 *bytes)
{
	static const char units[] = "KMG";
	size_t digits = strspn(text, "0123456789.");
	const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
	char number[32], *end;
	double value;

	if (!digits || digits >= sizeof(number) || (text[digits] && (!unit || text[digits + 1])))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	value = strtod(number, &end) * (double)(unit ? 1024ULL << 10 * (unit - units) : 1);
	if (*end || value < (double)least || value > (double)most)
		return false;
	*bytes = (__u64)value;
	return true;
}

/* Calls `add` with each item of a list. Returns false at the first item that is empty or that `add` refuses. */
static bool for_each_item (const char *text, bool (*add)(const char *item, void *context, const void *valid),
			   void *context, const void *valid)
{
	char item[64];

	for (;;) {
		size_t length = strcspn(text, ",");

		if (!length || length >= sizeof(item))
			return false;
		memcpy(item, text, length);
		item[length] = '\0';
		if (!add(item, context, valid))
			return false;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

static bool add_port(const char *item, void *context, const void *valid)
{
	struct nt_port_set *set = context;
	__u64 port;

	(void)valid;
	if (!parse_number(item, 1, 65535, &port))
		return false;
	nt_port_set_add(set, port);
	return true;
}

/* Adds ports 1 to 65535, separated by commas, to the set. */
static bool parse_ports(const char *text, struct nt_port_set *set)
{
	return for_each_item (text, add_port, set, NULL);
}

/* Returns the family, 4 or 6; 0 if the text is no address. */
static int parse_address(const char *text, __u8 address[16])
{
	memset(address, 0, 10);
	memset(address + 10, 0xff, 2);
	if (inet_pton(AF_INET, text, address + 12) == 1)
		return 4;
	return inet_pton(AF_INET6, text, address) == 1 ? 6 : 0;
}

static void fill_network(struct nt_network *network, const __u8 address[16], unsigned int bits)
{
	__u8 mask[16] = {}, masked[16];
	unsigned int i;

	for (i = 0; i < bits; i++)
		mask[i / 8] |= 0x80 >> i % 8;
	for (i = 0; i < 16; i++)
		masked[i] = address[i] & mask[i];
	memcpy(network->mask, mask, sizeof(mask));
	memcpy(network->address, masked, sizeof(masked));
	network->family = nt_address_family(masked);
}

static bool add_network(const char *item, void *context, const void *valid)
{
	struct nt_network_set *set = context;
	char *slash = strchr(item, '/');
	char text[INET6_ADDRSTRLEN];
	size_t length = slash ? (size_t)(slash - item) : strlen(item);
	__u8 address[16];
	__u64 most, bits;
	int family;

	(void)valid;
	if (set->count == NT_FILTER_NETWORKS || length >= sizeof(text))
		return false;
	memcpy(text, item, length);
	text[length] = '\0';
	family = parse_address(text, address);
	bits = most = family == 4 ? 32 : 128;
	if (!family || (slash && !parse_number(slash + 1, 0, most, &bits)))
		return false;
	fill_network(&set->network[set->count++], address, bits + (family == 4 ? 96 : 0));
	return true;
}

/* Adds networks in CIDR notation and addresses, separated by commas, to the set. Clears bits beyond the prefix. */
static bool parse_networks(const char *text, struct nt_network_set *set)
{
	return for_each_item (text, add_network, set, NULL);
}

/* Looks up a name before it tries a number, as POSIX requires for chown(1): a name may consist of digits. */
static bool parse_user(const char *text, __u32 *uid)
{
	const struct passwd *user = getpwnam(text);
	__u64 number;

	if (!user && !parse_number(text, 0, NO_UID - 1, &number))
		return false;
	*uid = user ? user->pw_uid : (__u32)number;
	return true;
}

/* Returns the inode number of the network namespace at the path. 0 if there is none. */
static __u32 netns_at(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	__u32 inode = 0;

	if (fd < 0)
		return 0;
	if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET && !fstat(fd, &status))
		inode = status.st_ino;
	close(fd);
	return inode;
}

/* Accepts a name of `ip netns`, a path with a slash, or an inode number. */
static bool parse_netns(const char *text, __u32 *inode)
{
	char path[512];
	__u64 number;

	snprintf(path, sizeof(path), "%s%s", strchr(text, '/') ? "" : NAMED_NAMESPACES, text);
	*inode = netns_at(path);
	if (!*inode && parse_number(text, 1, 0xffffffff, &number))
		*inode = number;
	return *inode != 0;
}

static bool add_word(const char *item, void *context, const void *valid)
{
	const struct field_names *names = valid;
	unsigned int *bits = context, i;

	for (i = 0; i < names->count; i++) {
		if (!strcmp(item, names->names[i])) {
			*bits |= 1U << i;
			return true;
		}
	}
	return false;
}

/* Sets bit 1 << index for each of the words, which are separated by commas. */
static bool parse_words(const char *text, const struct field_names *names, unsigned int *bits)
{
	return for_each_item (text, add_word, bits, names);
}

static void *member_of(struct options *options, const struct option_rule *rule)
{
	return (char *)options + rule->offset;
}

static bool set_number32(__u32 *member, const struct option_rule *rule, const char *value)
{
	__u64 number;

	if (!parse_number(value, rule->least, rule->most, &number))
		return false;
	*member = (__u32)number;
	return true;
}

static bool set_string_option(const char **member, const struct option_rule *rule, const char *value)
{
	*member = value;
	return *value && strlen(value) <= rule->most;
}

static bool set_words(unsigned int *member, const struct option_rule *rule, const char *value)
{
	if (rule->replaces)
		*member = 0;
	return parse_words(value, rule->words, member);
}

static bool set_interface(struct options *options, const char *value)
{
	struct interface_names *interfaces = &options->interfaces;

	if (!strcmp(value, "none"))
		options->no_interfaces = true;
	else
		interfaces->names[interfaces->count++] = value;
	return *value && !(options->no_interfaces && interfaces->count);
}

/* Refuses a path with the mount point, which would match nothing: records have the path from the hierarchy's root. */
static bool set_cgroup(struct record_filter *filter, const char *value)
{
	size_t length = strlen(value);

	while (length && value[length - 1] == '/')
		length--;
	filter->cgroup = value;
	filter->cgroup_length = length;
	return *value == '/' && strncmp(value, CGROUP_MOUNT, strlen(CGROUP_MOUNT));
}

static bool has_only(const char *value, const char *characters)
{
	return strspn(value, characters) == strlen(value);
}

static bool set_user(struct record_filter *filter, const char *value)
{
	filter->uid_given = true;
	return parse_user(value, &filter->uid);
}

static bool set_format(struct options *options, const char *value)
{
	static const struct format *const formats[] = {
		&format_text, &format_json, &format_csv, &format_tsv, &format_trace, &conn_log_format,
	};
	size_t i;

	options->format_given = true;
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (!strcmp(value, formats[i]->name)) {
			options->delivery.output.sink.format = formats[i];
			return true;
		}
	}
	return false;
}

static bool set_rules(struct options *options, const char *value)
{
	options->rules = RULES_ZEEK;
	options->tunnels = true;
	return !strcmp(value, "zeek");
}

bool option_value_set(struct options *options, const struct option_rule *rule, const char *value)
{
	void *member = member_of(options, rule);

	switch (rule->type) {
	case OPTION_FLAG:
		return *(bool *)member = true;
	case OPTION_STRING:
		return set_string_option(member, rule, value);
	case OPTION_NUMBER32:
		return set_number32(member, rule, value);
	case OPTION_NUMBER64:
		return parse_number(value, rule->least, rule->most, member);
	case OPTION_DURATION:
		return parse_duration(value, member) && *(__u64 *)member >= rule->least;
	case OPTION_SIZE:
		return parse_size(value, rule->least, rule->most, member);
	case OPTION_PORTS:
		return parse_ports(value, member);
	case OPTION_NETWORKS:
		return parse_networks(value, member);
	case OPTION_WORDS:
		return set_words(member, rule, value);
	case OPTION_USER:
		return set_user(&options->delivery.filter, value);
	case OPTION_NETNS:
		return parse_netns(value, member);
	case OPTION_CGROUP:
		return set_cgroup(&options->delivery.filter, value);
	case OPTION_CONTAINER:
		return set_string_option(member, rule, value) && has_only(value, "0123456789abcdefABCDEF");
	case OPTION_INTERFACE:
		return set_interface(options, value);
	case OPTION_FORMAT:
		return set_format(options, value);
	case OPTION_LIKE:
		return set_rules(options, value);
	case OPTION_ID:
		return set_string_option(member, rule, value) && strlen(value) == NT_ID_SIZE - 1 &&
		       has_only(value, "0123456789abcdef");
	case OPTION_HELP:
	case OPTION_VERSION:
		break;
	}
	return false;
}
