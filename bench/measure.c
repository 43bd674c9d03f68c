// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs a command and prints its times and memory as one JSON object. The command's own output is discarded.
 *
 * 	measure COMMAND [ARGUMENT...]
 *
 * This is a small program of its own because a process inherits its parent's peak memory (ru_maxrss) over fork and
 * exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void run(char **command)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(command[0], command);
	_exit(errno == ENOENT ? 127 : 126);
}

int main(int count, char **arguments)
{
	double start = now();
	struct rusage usage;
	pid_t child;
	int status;

	if (count < 2) {
		fprintf(stderr, "usage: measure COMMAND [ARGUMENT...]\n");
		return 2;
	}
	child = fork();
	if (!child)
		run(arguments + 1);
	if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
		fprintf(stderr, "measure: %s: %s\n", arguments[1], strerror(errno));
		return 1;
	}
	printf("{\"status\":%d,\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"peak_kib\":%ld}\n",
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), now() - start,
	       seconds(&usage.ru_utime) + seconds(&usage.ru_stime), usage.ru_maxrss);
	return 0;
}
