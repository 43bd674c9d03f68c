// SPDX-License-Identifier: GPL-2.0-or-later
/* Preloaded into a tracker (LD_PRELOAD), makes the machine look as if it had 1 GiB of memory: then the tables have their
 * smallest sizes, and a test can fill them. */
#include <string.h>
#include <sys/sysinfo.h>

int sysinfo(struct sysinfo *info)
{
	memset(info, 0, sizeof(*info));
	info->mem_unit = 1;
	info->totalram = 1UL << 30;
	return 0;
}
