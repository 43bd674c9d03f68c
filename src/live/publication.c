// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/live/publication.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

_Static_assert(sizeof(struct accounting) <= sizeof(((struct nt_publication *)0)->count), "the counts fit");

static __u64 read_utc_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void read_command(char command[NT_PUBLISHED_COMMAND])
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, command, NT_PUBLISHED_COMMAND - 1) < 0)
		command[0] = '\0';
	close(fd);
}

void publication_begin(struct publication *publication)
{
	struct nt_publication *published = &publication->published;

	memset(published, 0, sizeof(*published));
	published->pid = getpid();
	published->begun_ns = read_utc_ns();
	published->counts = sizeof(struct accounting) / sizeof(__u64);
	snprintf(published->version, sizeof(published->version), "%s", NETRACKER_VERSION);
	read_command(published->command);
}

void publication_update(struct publication *publication, const struct loader *loader,
			const struct accounting *accounting)
{
	const __u32 zero = 0;

	publication->published.updated_ns = read_utc_ns();
	memcpy(publication->published.count, accounting, sizeof(*accounting));
	bpf_map_update_elem(loader->published_fd, &zero, &publication->published, BPF_ANY);
}
