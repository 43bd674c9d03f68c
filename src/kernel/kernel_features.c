// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/kernel_features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

#include <bpf/btf.h>

#define CONFIGURATION_LIMIT (1U << 20)
#define COMMAND_LINE_LIMIT 4096 /* the largest COMMAND_LINE_SIZE */

/* In BTF, a tracepoint is the typedef of its programs' prototype. */
#define SOCKET_ERRORS_TYPEDEF "btf_trace_inet_sk_error_report"
#define TABLE_STRUCT "bpf_htab"
#define ALLOCATOR_STRUCT "bpf_mem_alloc"

/* Loads the kernel's BTF anew, although libbpf loads it too: libbpf does not give access to its own copy. */
static void probe_types(struct kernel_features *features)
{
	struct btf *types = btf__load_vmlinux_btf();
	const struct btf_type *table;
	int id, allocator;
	__u16 i;

	if (!types)
		return;
	features->reports_socket_errors = btf__find_by_name_kind(types, SOCKET_ERRORS_TYPEDEF, BTF_KIND_TYPEDEF) > 0;
	id = btf__find_by_name_kind(types, TABLE_STRUCT, BTF_KIND_STRUCT);
	allocator = btf__find_by_name_kind(types, ALLOCATOR_STRUCT, BTF_KIND_STRUCT);
	table = id > 0 ? btf__type_by_id(types, id) : NULL;
	for (i = 0; table && allocator > 0 && i < btf_vlen(table); i++)
		features->tables_may_grow |= btf_members(table)[i].type == (__u32)allocator;
	btf__free(types);
}

/* Reads a plain or gzip file, up to limit bytes. Caller frees. NULL if it cannot be read, or without memory. */
static char *read_text_file(const char *path, unsigned int limit)
{
	gzFile file = gzopen(path, "re");
	char *text = file ? malloc(limit + 1) : NULL;
	int size = text ? gzread(file, text, limit) : -1;

	if (file)
		gzclose(file);
	if (size > 0) {
		text[size] = '\0';
		return text;
	}
	free(text);
	return NULL;
}

static char *read_configuration(void)
{
	char path[sizeof("/boot/config-") + sizeof(((struct utsname *)NULL)->release)];
	char *text = read_text_file("/proc/config.gz", CONFIGURATION_LIMIT);
	struct utsname name;

	if (text || uname(&name))
		return text;
	snprintf(path, sizeof(path), "/boot/config-%s", name.release);
	return read_text_file(path, CONFIGURATION_LIMIT);
}

static bool has_line(const char *text, const char *line)
{
	const char *found;

	for (found = text; (found = strstr(found, line)); found++)
		if ((found == text || found[-1] == '\n') && (!found[strlen(line)] || found[strlen(line)] == '\n'))
			return true;
	return false;
}

/* The last parameter of that name counts: Documentation/admin-guide/kernel-parameters.txt. */
static const char *find_parameter(const char *command_line, const char *name)
{
	const char *found = command_line, *last = NULL;

	for (; (found = strstr(found, name)); found++)
		if (found == command_line || found[-1] == ' ')
			last = found + strlen(name);
	return last;
}

static bool has_text_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

bool kernel_features_preempts(const char *configuration, const char *command_line)
{
	const char *model = find_parameter(command_line, "preempt=");

	if (model && has_line(configuration, "CONFIG_PREEMPT_DYNAMIC=y"))
		return has_text_prefix(model, "full") || has_text_prefix(model, "lazy");
	return has_line(configuration, "CONFIG_PREEMPT=y") || has_line(configuration, "CONFIG_PREEMPT_LAZY=y") ||
	       has_line(configuration, "CONFIG_PREEMPT_RT=y");
}

static bool is_preemptible(void)
{
	char *configuration = read_configuration(), *command_line = read_text_file("/proc/cmdline", COMMAND_LINE_LIMIT);
	bool preemptible = !configuration || kernel_features_preempts(configuration, command_line ? command_line : "");

	free(configuration);
	free(command_line);
	return preemptible;
}

/* The line of the unified hierarchy begins with "0::". Any other line is of a hierarchy of version 1. */
static bool has_cgroup_v1(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096];
	bool used = false;

	while (file && fgets(line, sizeof(line), file))
		used |= strncmp(line, "0::", 3) != 0;
	if (file)
		fclose(file);
	return used;
}

void kernel_features_probe(struct kernel_features *features)
{
	*features = (struct kernel_features){ 0 };
	probe_types(features);
	features->is_preemptible = is_preemptible();
	features->has_cgroup_v1 = has_cgroup_v1();
}
