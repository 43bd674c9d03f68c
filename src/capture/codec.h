/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats of compressed files. Each src/capture/codec_*.c decodes one by its library. */
#ifndef NETRACKER_CODEC_H
#define NETRACKER_CODEC_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* A decoder's window may have 64 MiB, the most that a preset of xz asks for; its own state comes on top. */
#define CODEC_MOST_WINDOW_BITS 26
#define CODEC_MOST_WINDOW (1U << CODEC_MOST_WINDOW_BITS)
#define CODEC_MOST_STATE (1U << 20)

/* codec_find() needs this many bytes, unless there are no more. */
#define CODEC_MAGIC 6

/* Both buffers begin at the first byte that was not used yet. */
struct codec_data {
	const __u8 *in;
	size_t in_size;
	__u8 *out;
	size_t out_size;
};

enum codec_result {
	CODEC_MORE, /* needs more input, or room for output */
	CODEC_END,  /* of a member (gzip), stream (xz, bzip2) or frame (zstd, lz4) */
	CODEC_CORRUPT,
	CODEC_TOO_LARGE, /* the window exceeds CODEC_MOST_WINDOW */
	CODEC_NO_MEMORY,
};

struct codec {
	const char *name;
	const char *command; /* decompresses a file to standard output, whatever memory it needs */
	bool (*matches)(const __u8 *head, size_t size);
	/* Decodes one member. Returns NULL without memory. */
	void *(*open)(void);
	enum codec_result (*decode)(void *decoder, struct codec_data *data);
	void (*close)(void *decoder);
};

extern const struct codec codec_gzip, codec_zstd, codec_xz, codec_bzip2, codec_lz4;

/* head: the first bytes of a file. Returns NULL if they are of none of the formats. */
const struct codec *codec_find(const __u8 *head, size_t size);

#endif
