// SPDX-License-Identifier: GPL-2.0-or-later
/* gzip (RFC 1952), by zlib. */
#include "src/capture/codec.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP_HEADER 16 /* added to the window's bits: zlib reads gzip's header and trailer too */

static bool gzip_matches(const __u8 *head, size_t size)
{
	return size >= 3 && !memcmp(head, "\x1f\x8b\x08", 3);
}

static void *gzip_open(void)
{
	z_stream *stream = calloc(1, sizeof(*stream));

	if (stream && inflateInit2(stream, MAX_WBITS + GZIP_HEADER) == Z_OK)
		return stream;
	free(stream);
	return NULL;
}

static enum codec_result gzip_decode(void *decoder, struct codec_data *data)
{
	z_stream *stream = decoder;
	int result;

	stream->next_in = (__u8 *)data->in;
	stream->avail_in = data->in_size;
	stream->next_out = data->out;
	stream->avail_out = data->out_size;
	result = inflate(stream, Z_SYNC_FLUSH);
	*data = (struct codec_data){ stream->next_in, stream->avail_in, stream->next_out, stream->avail_out };
	switch (result) {
	case Z_OK:
	case Z_BUF_ERROR: /* no progress was possible */
		return CODEC_MORE;
	case Z_STREAM_END:
		return CODEC_END;
	case Z_MEM_ERROR:
		return CODEC_NO_MEMORY;
	default:
		return CODEC_CORRUPT;
	}
}

static void gzip_close(void *decoder)
{
	inflateEnd(decoder);
	free(decoder);
}

const struct codec codec_gzip = {
	.name = "gzip",
	.command = "gzip -dc",
	.matches = gzip_matches,
	.open = gzip_open,
	.decode = gzip_decode,
	.close = gzip_close,
};
