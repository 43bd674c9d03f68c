// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/hangup.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* Reliable when a SIGHUP arrives: the kernel removes a session's terminal before it sends the signal
 * (drivers/tty/tty_jobctrl.c), and a shell forwards it only afterwards.
 */
static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void hangup_init(struct hangup *hangup, bool to_file)
{
	struct sigaction action;

	hangup->to_file = to_file;
	hangup->ignored = !sigaction(SIGHUP, NULL, &action) && action.sa_handler == SIG_IGN;
	hangup->had_terminal = has_terminal();
}

enum hangup_meaning hangup_meaning(const struct hangup *hangup)
{
	bool terminal_gone = hangup->had_terminal && !has_terminal();

	if (!hangup->ignored && (terminal_gone || !hangup->to_file))
		return HANGUP_END;
	return hangup->to_file ? HANGUP_REOPEN : HANGUP_NOTHING;
}
