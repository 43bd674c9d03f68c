// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/capture/codec.h"

#define RAW_BUFFER (128 * 1024)

/* No capture is compressed that well: a decoder of a few KiB that gives more than this much, at more than this ratio, has
 * a file that was made to keep its reader busy.
 */
#define BOMB_BYTES (256ULL << 20)
#define BOMB_RATIO 5000

struct capture_stream {
	FILE *file;
	int fd;
	bool recognized; /* whether it is compressed */
	bool ended, failed, interrupted;
	__u64 read_bytes, decoded_bytes;
	const struct codec *codec; /* NULL: not compressed */
	void *decoder;             /* NULL between two members */
	char error[160];
	__u8 peeked[CAPTURE_STREAM_MOST_PEEK]; /* decoded, and not read yet */
	size_t peeked_at, peeked_size;
	size_t raw_at, raw_size; /* bytes of raw[] that were not used yet */
	__u8 raw[RAW_BUFFER];
};

static ssize_t set_stream_error(struct capture_stream *stream, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Returns -1. */
static ssize_t set_stream_error(struct capture_stream *stream, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(stream->error, sizeof(stream->error), format, arguments);
	va_end(arguments);
	stream->failed = true;
	errno = EIO;
	return -1;
}

/* Returns the number of bytes; 0 at the end of the file; -1 after an error. */
static ssize_t read_file(struct capture_stream *stream, void *to, size_t size)
{
	ssize_t got = stream->ended ? 0 : read(stream->fd, to, size);

	if (got > 0)
		stream->read_bytes += (__u64)got;
	if (!got)
		stream->ended = true;
	stream->interrupted = got < 0 && errno == EINTR;
	return got < 0 && errno != EINTR ? set_stream_error(stream, "%s", strerror(errno)) : got;
}

/* Reads until raw[] holds `size` bytes, which are at most CODEC_MAGIC, or the file ends. Returns 0, or -1. */
static int fill_raw(struct capture_stream *stream, size_t size)
{
	ssize_t got = 1;

	if (stream->raw_size >= size)
		return 0;
	memmove(stream->raw, stream->raw + stream->raw_at, stream->raw_size);
	stream->raw_at = 0;
	while (stream->raw_size < size && got > 0) {
		got = read_file(stream, stream->raw + stream->raw_size, sizeof(stream->raw) - stream->raw_size);
		if (got > 0)
			stream->raw_size += (size_t)got;
	}
	return got < 0 ? -1 : 0;
}

static void use_raw(struct capture_stream *stream, size_t size)
{
	stream->raw_at += size;
	stream->raw_size -= size;
}

static ssize_t report_too_large(struct capture_stream *stream)
{
	return set_stream_error(
		stream,
		"its %s data needs more than 64 MiB of memory; decompress it first: %s FILE | netracker "
		"replay -",
		stream->codec->name, stream->codec->command);
}

static ssize_t report_bomb(struct capture_stream *stream)
{
	return set_stream_error(
		stream,
		"its %s data grows more than %d times, as no capture's does; if it is one: %s FILE | netracker "
		"replay -",
		stream->codec->name, BOMB_RATIO, stream->codec->command);
}

static bool is_bomb(const struct capture_stream *stream)
{
	return stream->decoded_bytes > BOMB_BYTES &&
	       stream->decoded_bytes / BOMB_RATIO > stream->read_bytes - stream->raw_size;
}

/* Skips the zeros that pad the file between two members, or after the last. Returns 0, or -1. */
static int skip_padding(struct capture_stream *stream)
{
	do {
		if (fill_raw(stream, 1))
			return -1;
		while (stream->raw_size && !stream->raw[stream->raw_at])
			use_raw(stream, 1);
	} while (!stream->raw_size && !stream->ended);
	return 0;
}

/* Members without data, such as skippable frames, may precede those of another format. Returns 1 if a member begins; 0 at
 * the end of the file; -1 after an error.
 */
static int begin_member(struct capture_stream *stream)
{
	const __u8 *head;

	if (skip_padding(stream) || fill_raw(stream, CODEC_MAGIC))
		return -1;
	if (!stream->raw_size)
		return 0;
	head = stream->raw + stream->raw_at;
	if (!stream->decoded_bytes && codec_find(head, stream->raw_size))
		stream->codec = codec_find(head, stream->raw_size);
	if (!stream->codec->matches(head, stream->raw_size))
		return (int)set_stream_error(stream, "other data follows its %s data", stream->codec->name);
	stream->decoder = stream->codec->open();
	return stream->decoder ? 1 : (int)set_stream_error(stream, "%s", strerror(ENOMEM));
}

static void end_member(struct capture_stream *stream)
{
	if (stream->decoder)
		stream->codec->close(stream->decoder);
	stream->decoder = NULL;
}

/* Returns 0, or -1 after reporting the decoder's error. */
static ssize_t check_result(struct capture_stream *stream, enum codec_result result)
{
	switch (result) {
	case CODEC_END:
		end_member(stream);
		return 0;
	case CODEC_MORE:
		return 0;
	case CODEC_TOO_LARGE:
		return report_too_large(stream);
	case CODEC_NO_MEMORY:
		return set_stream_error(stream, "%s", strerror(ENOMEM));
	case CODEC_CORRUPT:
		break;
	}
	return set_stream_error(stream, "its %s data is corrupt", stream->codec->name);
}

/* Returns the number of bytes that the decoder gave, which may be 0; -1 after an error without any. */
static ssize_t decode_some(struct capture_stream *stream, void *to, size_t size)
{
	struct codec_data data = { stream->raw + stream->raw_at, stream->raw_size, to, size };
	enum codec_result result = stream->codec->decode(stream->decoder, &data);
	size_t used = stream->raw_size - data.in_size, given = size - data.out_size;

	/* No decoder asks for more while it takes nothing of what it has; a broken one must not loop. */
	if (result == CODEC_MORE && !used && !given && stream->raw_size)
		result = CODEC_CORRUPT;
	use_raw(stream, used);
	stream->decoded_bytes += given;
	if (!check_result(stream, result) && is_bomb(stream))
		report_bomb(stream);
	return stream->failed && !given ? -1 : (ssize_t)given;
}

/* Returns at least one byte; 0 at the end; -1 after an error. A pipe's bytes are decoded as they come. */
static ssize_t read_compressed(struct capture_stream *stream, void *to, size_t size)
{
	ssize_t given = 0;

	while (!given) {
		int begun = stream->decoder ? 1 : begin_member(stream);

		if (begun != 1)
			return begun;
		given = decode_some(stream, to, size);
		if (given || !stream->decoder || stream->raw_size)
			continue;
		if (fill_raw(stream, 1))
			return -1;
		if (!stream->raw_size)
			return set_stream_error(stream, "its %s data is cut", stream->codec->name);
	}
	return given;
}

static ssize_t read_plain(struct capture_stream *stream, void *to, size_t size)
{
	size_t part = stream->raw_size < size ? stream->raw_size : size;

	if (!part)
		return read_file(stream, to, size);
	memcpy(to, stream->raw + stream->raw_at, part);
	use_raw(stream, part);
	return (ssize_t)part;
}

static int recognize(struct capture_stream *stream)
{
	if (fill_raw(stream, CODEC_MAGIC))
		return -1;
	stream->codec = codec_find(stream->raw + stream->raw_at, stream->raw_size);
	stream->recognized = true;
	return 0;
}

static ssize_t read_decoded(struct capture_stream *stream, void *to, size_t size)
{
	if (stream->failed) { /* an error that came with the last bytes */
		errno = EIO;
		return -1;
	}
	if (!stream->recognized && recognize(stream))
		return -1;
	return stream->codec ? read_compressed(stream, to, size) : read_plain(stream, to, size);
}

/* For stdio. */
static ssize_t read_stream(void *cookie, char *to, size_t size)
{
	struct capture_stream *stream = cookie;
	size_t rest = stream->peeked_size - stream->peeked_at;

	if (!rest)
		return read_decoded(stream, to, size);
	if (rest > size)
		rest = size;
	memcpy(to, stream->peeked + stream->peeked_at, rest);
	stream->peeked_at += rest;
	return (ssize_t)rest;
}

/* For stdio. */
static int close_stream(void *cookie)
{
	struct capture_stream *stream = cookie;

	end_member(stream);
	close(stream->fd);
	free(stream);
	return 0;
}

struct capture_stream *capture_stream_open(const char *name)
{
	const cookie_io_functions_t functions = { .read = read_stream, .close = close_stream };
	struct capture_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (stream->fd >= 0)
		stream->file = fopencookie(stream, "rb", functions);
	if (stream->file)
		return stream;
	if (stream->fd >= 0)
		close(stream->fd);
	free(stream);
	return NULL;
}

size_t capture_stream_peek(struct capture_stream *stream, const __u8 **head, size_t size)
{
	ssize_t got = 1;

	while (stream->peeked_size < size && got > 0) {
		got = read_decoded(stream, stream->peeked + stream->peeked_size, size - stream->peeked_size);
		if (got > 0)
			stream->peeked_size += (size_t)got;
	}
	*head = stream->peeked;
	return size < stream->peeked_size ? size : stream->peeked_size;
}

FILE *capture_stream_file(struct capture_stream *stream)
{
	return stream->file;
}

const char *capture_stream_error(const struct capture_stream *stream)
{
	return stream->failed ? stream->error : NULL;
}

bool capture_stream_is_interrupted(const struct capture_stream *stream)
{
	return stream->interrupted;
}

__u64 capture_stream_position(const struct capture_stream *stream)
{
	return stream->read_bytes - stream->raw_size;
}
