// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/attach/kernel_trace.h"

#include <glob.h>
#include <stdio.h>

#include "src/attach/mounts.h"

/* The number after "overrun: " in a CPU's statistics (Documentation/trace/ftrace.rst). */
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

bool kernel_trace_overrun(unsigned long long *entries)
{
	const char *tracefs = mounts_tracefs();
	char pattern[64];
	bool known = false;
	glob_t found;
	size_t i;

	*entries = 0;
	snprintf(pattern, sizeof(pattern), "%s/per_cpu/cpu*/stats", tracefs ? tracefs : "");
	if (!tracefs || glob(pattern, 0, NULL, &found))
		return false;
	for (i = 0; i < found.gl_pathc; i++) {
		unsigned long long own;

		if (!read_overrun(found.gl_pathv[i], &own))
			continue;
		*entries += own;
		known = true;
	}
	globfree(&found);
	return known;
}

static bool is_off(const char *path)
{
	FILE *file = fopen(path, "re");
	bool off = file && fgetc(file) == '0';

	if (file)
		fclose(file);
	return off;
}

bool kernel_trace_is_off(char *path, size_t size)
{
	static const char *const switches[] = {"tracing_on", "events/bpf_trace/bpf_trace_printk/enable"};
	const char *tracefs = mounts_tracefs();
	size_t i;

	for (i = 0; tracefs && i < sizeof(switches) / sizeof(*switches); i++) {
		snprintf(path, size, "%s/%s", tracefs, switches[i]);
		if (is_off(path))
			return true;
	}
	return false;
}
