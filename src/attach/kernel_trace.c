// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/attach/kernel_trace.h"

#include <glob.h>
#include <stdio.h>

#include "src/attach/mounts.h"

/* Reads the number after "overrun: " in a CPU's statistics (Documentation/trace/ftrace.rst). */
static bool read_overrun(const char *path, unsigned long long *entries)
{
	FILE *file = fopen(path, "re");
	char line[128];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "overrun: %llu", entries) == 1;
	if (file)
		fclose(file);
	return found;
}

bool kernel_trace_read_overrun(unsigned long long *entries)
{
	const char *tracefs = mounts_find_tracefs();
	char pattern[64];
	bool is_known = false;
	glob_t found;
	size_t i;

	*entries = 0;
	snprintf(pattern, sizeof(pattern), "%s/per_cpu/cpu*/stats", tracefs ? tracefs : "");
	if (!tracefs || glob(pattern, 0, NULL, &found))
		return false;
	for (i = 0; i < found.gl_pathc; i++) {
		unsigned long long cpu_entries;

		if (!read_overrun(found.gl_pathv[i], &cpu_entries))
			continue;
		*entries += cpu_entries;
		is_known = true;
	}
	globfree(&found);
	return is_known;
}

static bool is_switched_off(const char *path)
{
	FILE *file = fopen(path, "re");
	bool off = file && fgetc(file) == '0';

	if (file)
		fclose(file);
	return off;
}

bool kernel_trace_is_off(char *path, size_t size)
{
	static const char *const switches[] = { "tracing_on", "events/bpf_trace/bpf_trace_printk/enable" };
	const char *tracefs = mounts_find_tracefs();
	size_t i;

	for (i = 0; tracefs && i < sizeof(switches) / sizeof(*switches); i++) {
		snprintf(path, size, "%s/%s", tracefs, switches[i]);
		if (is_switched_off(path))
			return true;
	}
	return false;
}
