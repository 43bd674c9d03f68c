// SPDX-License-Identifier: GPL-2.0-or-later
/* Parses arbitrary expressions of the filter language, and evaluates them.
 *
 * An error's place is within the text. What the kernel side's part excludes, the filter does not accept.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "src/filter/filter.h"
#include "tests/unit/sample_record.h"

static void check_kernel_part(const struct filter *filter, const struct nt_record *record)
{
	static struct nt_filter kernel;
	bool is_server = record->role == NT_ROLE_SERVER, passes;
	__u16 local = is_server ? record->dst_port : record->src_port;
	__u16 remote = is_server ? record->src_port : record->dst_port;
	__u64 src[2], dst[2];

	memcpy(src, record->src_ip, sizeof(src));
	memcpy(dst, record->dst_ip, sizeof(dst));
	filter_for_kernel(&kernel, filter, false);
	passes = nt_filter_has_addresses(&kernel, src, dst) && nt_filter_has_ports(&kernel, local, remote) &&
		 (!kernel.roles || kernel.roles & 1U << record->role);
	MUST(passes || !filter_accepts(filter, record));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nt_record record = sample_record();
	struct filter *filter = filter_new();
	char *text = malloc(size + 1);
	struct filter_error error;

	MUST(filter && text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (filter_add_text(filter, text, &error)) {
		check_kernel_part(filter, &record);
		record.role = NT_ROLE_CLIENT;
		record.dst_port = 443;
		check_kernel_part(filter, &record);
		record.present = 0;
		filter_judge(filter, &record);
	} else {
		MUST(error.message[0] && error.begin <= strlen(text) && error.end > error.begin);
	}
	filter_free(filter);
	free(text);
	return 0;
}
