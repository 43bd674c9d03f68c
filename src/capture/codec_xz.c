// SPDX-License-Identifier: GPL-2.0-or-later
/* xz, by liblzma. */
#include "src/capture/codec.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>

static bool xz_matches(const __u8 *head, size_t size)
{
	return size >= 6 && !memcmp(head,
				    "\xfd"
				    "7zXZ\0",
				    6);
}

static void *xz_open(void)
{
	lzma_stream *stream = calloc(1, sizeof(*stream));

	if (stream && lzma_stream_decoder(stream, CODEC_MOST_WINDOW + CODEC_MOST_STATE, 0) == LZMA_OK)
		return stream;
	free(stream);
	return NULL;
}

static enum codec_result xz_decode(void *decoder, struct codec_data *data)
{
	lzma_stream *stream = decoder;
	lzma_ret result;

	stream->next_in = data->in;
	stream->avail_in = data->in_size;
	stream->next_out = data->out;
	stream->avail_out = data->out_size;
	result = lzma_code(stream, LZMA_RUN);
	*data = (struct codec_data){ stream->next_in, stream->avail_in, stream->next_out, stream->avail_out };
	switch (result) {
	case LZMA_OK:
	case LZMA_BUF_ERROR: /* no progress was possible */
		return CODEC_MORE;
	case LZMA_STREAM_END:
		return CODEC_END;
	case LZMA_MEMLIMIT_ERROR:
		return CODEC_TOO_LARGE;
	case LZMA_MEM_ERROR:
		return CODEC_NO_MEMORY;
	default:
		return CODEC_CORRUPT;
	}
}

static void xz_close(void *decoder)
{
	lzma_end(decoder);
	free(decoder);
}

const struct codec codec_xz = {
	.name = "xz",
	.command = "xz -dc",
	.matches = xz_matches,
	.open = xz_open,
	.decode = xz_decode,
	.close = xz_close,
};
