// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs netracker replay on arbitrary capture files and records.
 *
 * Input: a byte that selects options, then the capture, which is read from a file in memory.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "src/replay/replay.h"
#include "src/util/message.h"
#include "src/cli/options.h"
#include "tests/fuzz/fuzz.h"

/* Returns 0, or -1. */
static int write_file(int fd, const struct fuzz_input *input)
{
	return ftruncate(fd, 0) || pwrite(fd, input->data, input->size, 0) != (ssize_t)input->size ? -1 : 0;
}

/* The last, conn.log, needs Zeek's rules. */
static const struct format *const formats[] = {
	&format_text, &format_json, &format_csv, &format_tsv, &format_trace, &conn_log_format,
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	__u8 choice = fuzz_byte(&input);
	struct options options = {
		.command = COMMAND_REPLAY,
		.contexts = CONTEXT_WIRE,
		.delivery.output.sink.format = formats[(choice & 7) % FORMATS],
		.tunnels = choice & 8,
		.rules = choice & 16 || (choice & 7) == FORMATS - 1 ? RULES_ZEEK : RULES_OWN,
		.ignore_checksums = choice & 32,
		.file_count = choice & 64 ? 2 : 1,
		.delivery.events = choice & 128 ? ~0U : ~(1U << NT_EVENT_UPDATE),
		.delivery.output.sink.path = "/dev/null",
		.delivery.quiet = true,
	};
	static int fd = -1;
	char name[32], *files[2] = { name, name };
	int status;

	if (fd < 0)
		fd = memfd_create("capture", MFD_CLOEXEC);
	MUST(fd >= 0 && !write_file(fd, &input));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	options.files = files;
	status = replay_run(&options);
	/* Captures refuse --events update, and records refuse Zeek's rules. */
	MUST(status == EXIT_STATUS_DONE || status == EXIT_STATUS_BROKEN ||
	     (status == EXIT_STATUS_USAGE && (choice & 128 || options.rules == RULES_ZEEK)));
	return 0;
}
