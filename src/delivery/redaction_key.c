// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/delivery/redaction_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium/utils.h>

#include "src/util/message.h"

struct key {
	char bytes[REDACTION_MOST_KEY + 1]; /* one more, which shows that the file is longer */
	size_t size;
};

static bool read_key(int fd, struct key *key)
{
	ssize_t count;

	while (key->size < sizeof(key->bytes)) {
		count = read(fd, key->bytes + key->size, sizeof(key->bytes) - key->size);
		if (count < 0)
			return false;
		if (!count)
			break;
		key->size += (size_t)count;
	}
	return true;
}

static void remove_line_end(struct key *key)
{
	while (key->size && (key->bytes[key->size - 1] == '\n' || key->bytes[key->size - 1] == '\r'))
		key->size--;
}

static const char *find_fault_of_file(int fd)
{
	struct stat status;

	if (fstat(fd, &status))
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "is no regular file";
	if (status.st_mode & S_IRWXO)
		return "others may read it; chmod o= takes that away";
	return NULL;
}

static const char *find_fault(int fd, struct key *key)
{
	const char *fault = find_fault_of_file(fd);

	if (fault)
		return fault;
	if (!read_key(fd, key))
		return strerror(errno);
	if (key->size == sizeof(key->bytes))
		return "a key has at most 4096 bytes";
	remove_line_end(key);
	return key->size < REDACTION_LEAST_KEY ? "a key has at least 16 bytes; openssl rand -hex 32 makes one" : NULL;
}

int redaction_key_open(struct redaction **redaction, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = -errno;
	struct key key = { .size = 0 };
	const char *fault;

	if (fd < 0) {
		message_error("--redact: %s: %s", path, strerror(-error));
		return error;
	}
	fault = find_fault(fd, &key);
	close(fd);
	if (!fault) {
		*redaction = redaction_new(key.bytes, key.size);
		fault = *redaction ? NULL : "out of memory";
	}
	sodium_memzero(&key, sizeof(key));
	if (fault)
		message_error("--redact: %s: %s", path, fault);
	return fault ? -EINVAL : 0;
}
