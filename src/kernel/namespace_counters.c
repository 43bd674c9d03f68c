// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/namespace_counters.h"

#include <stdlib.h>
#include <string.h>

#define NETSTAT "/proc/thread-self/net/netstat"
#define PORT_RANGE "/proc/sys/net/ipv4/ip_local_port_range"

/* Returns the position of the word in the line, or -1. */
static int find_word(char *line, const char *word)
{
	char *rest, *next = strtok_r(line, " \n", &rest);
	int at;

	for (at = 0; next; at++, next = strtok_r(NULL, " \n", &rest))
		if (!strcmp(next, word))
			return at;
	return -1;
}

static bool read_word(char *line, int at, __u64 *value)
{
	char *rest, *next = strtok_r(line, " \n", &rest);

	while (next && at--)
		next = strtok_r(NULL, " \n", &rest);
	if (!next)
		return false;
	*value = strtoull(next, NULL, 10);
	return true;
}

bool namespace_counter_find(FILE *netstat, const char *group, const char *name, __u64 *value)
{
	char *line = NULL;
	bool found = false;
	size_t size = 0;
	int at = -1;

	rewind(netstat);
	while (!found && getline(&line, &size, netstat) > 0) {
		if (strncmp(line, group, strlen(group)))
			continue;
		if (at >= 0)
			found = read_word(line, at, value);
		else
			at = find_word(line, name);
	}
	free(line);
	return found;
}

bool namespace_counters_read_listen(__u64 *overflows, __u64 *drops)
{
	FILE *netstat = fopen(NETSTAT, "re");
	bool found = netstat && namespace_counter_find(netstat, "TcpExt:", "ListenOverflows", overflows) &&
		     namespace_counter_find(netstat, "TcpExt:", "ListenDrops", drops);

	if (netstat)
		fclose(netstat);
	return found;
}

bool namespace_counters_read_ports(__u16 *first, __u16 *last)
{
	FILE *file = fopen(PORT_RANGE, "re");
	bool found = file && fscanf(file, "%hu %hu", first, last) == 2 && *first <= *last;

	if (file)
		fclose(file);
	return found;
}
