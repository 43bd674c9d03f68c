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

#define DURATION_MAX_NS 3.15576e18 /* 100 years */
#define NAMED_NAMESPACES "/run/netns/"
#define NO_UID ((__u32)-1) /* to the kernel it is nobody: setresuid(2) */

bool parse_number(const char *text, __u64 least, __u64 most, __u64 *number)
{
	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	*number = strtoull(text, NULL, 10);
	return !errno && *number >= least && *number <= most;
}

/* Nanoseconds in a unit; 0: there is no such unit. */
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

bool parse_duration(const char *text, __u64 *ns)
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

/* Calls `add` with each item of a list; false at the first that it refuses, or that is empty. */
static bool for_each_item(const char *text, bool (*add)(const char *item, void *context, const void *valid),
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

bool parse_ports(const char *text, struct nt_port_set *set)
{
	return for_each_item(text, add_port, set, NULL);
}

/* Its family, 4 or 6; 0: no address. */
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

bool parse_networks(const char *text, struct nt_network_set *set)
{
	return for_each_item(text, add_network, set, NULL);
}

/* The name first, as POSIX has it for chown(1): a name may look like a number. */
bool parse_user(const char *text, __u32 *uid)
{
	const struct passwd *user = getpwnam(text);
	__u64 number;

	if (!user && !parse_number(text, 0, NO_UID - 1, &number))
		return false;
	*uid = user ? user->pw_uid : (__u32)number;
	return true;
}

/* 0: there is no network namespace. */
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

bool parse_netns(const char *text, __u32 *inode)
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

bool parse_words(const char *text, const struct field_names *names, unsigned int *bits)
{
	return for_each_item(text, add_word, bits, names);
}
