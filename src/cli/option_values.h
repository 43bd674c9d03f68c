/* Values of options. Each parser takes the whole text and returns false where it is not a valid value. */
#ifndef NETRACKER_OPTION_VALUES_H
#define NETRACKER_OPTION_VALUES_H

#include "src/cli/options.h"
#include "src/record/record_fields.h"

/* Decimal digits only, least <= number <= most. */
bool parse_number(const char *text, __u64 least, __u64 most, __u64 *number);

/* A number, with a fraction if need be, and ns, us, ms, s, m or h; s where there is no unit. At most 100 years. */
bool parse_duration(const char *text, __u64 *ns);

/* Ports 1 to 65535 separated by commas, added to the set. */
bool parse_ports(const char *text, struct nt_port_set *set);

/* Networks in CIDR notation and bare addresses, IPv4 and IPv6, separated by commas, added to the set. Bits beyond the
 * prefix's length are left out. */
bool parse_networks(const char *text, struct nt_network_set *set);

/* A user's name as the system knows it, else a number. */
bool parse_user(const char *text, __u32 *uid);

/* A network namespace: its name as `ip netns` knows it, a path with a slash in it, else its inode number. */
bool parse_netns(const char *text, __u32 *inode);

/* Words separated by commas, to bits 1 << index. */
bool parse_words(const char *text, const struct field_names *names, unsigned int *bits);

#endif
