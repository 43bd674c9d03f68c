// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/reset_reasons.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "core/port.h"

#define PREFIX "SK_RST_REASON_"
#define MAX_REASONS 64
#define NAME_SIZE 40

struct reset_reasons {
	char name[MAX_REASONS][NAME_SIZE];
};

static void store_name(struct reset_reasons *reasons, unsigned int value, const char *enumerator)
{
	size_t i;

	if (value >= MAX_REASONS || strncmp(enumerator, PREFIX, strlen(PREFIX)))
		return;
	enumerator += strlen(PREFIX);
	for (i = 0; enumerator[i] && i < NAME_SIZE - 1; i++)
		reasons->name[value][i] = tolower((unsigned char)enumerator[i]);
}

struct reset_reasons *reset_reasons_new(void)
{
	struct reset_reasons *reasons = calloc(1, sizeof(*reasons));
	struct btf *btf = reasons ? btf__load_vmlinux_btf() : NULL;
	int id = btf ? btf__find_by_name_kind(btf, "sk_rst_reason", BTF_KIND_ENUM) : -1;

	if (id > 0) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const struct btf_enum *each = btf_enum(type);
		int i;

		for (i = 0; i < btf_vlen(type); i++)
			store_name(reasons, each[i].val, btf__name_by_offset(btf, each[i].name_off));
	}
	btf__free(btf);
	return reasons;
}

void reset_reasons_free(struct reset_reasons *reasons)
{
	free(reasons);
}

const char *reset_reasons_name(const struct reset_reasons *reasons, unsigned int reason)
{
	return reason && reason < MAX_REASONS && reasons->name[reason][0] ? reasons->name[reason] : NULL;
}
