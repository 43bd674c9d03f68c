// SPDX-License-Identifier: GPL-2.0-or-later
/* bzip2, by libbz2. */
#include "src/capture/codec.h"

#include <bzlib.h>
#include <stdlib.h>
#include <string.h>

/* The magic number, the size of its blocks (1 to 9), and the beginning of a block or of the stream's end. */
static bool bzip2_matches(const __u8 *head, size_t size)
{
	return size >= 5 && !memcmp(head, "BZh", 3) && head[3] >= '1' && head[3] <= '9' &&
	       (head[4] == 0x31 || head[4] == 0x17);
}

static void *bzip2_open(void)
{
	bz_stream *stream = calloc(1, sizeof(*stream));

	if (stream && BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK)
		return stream;
	free(stream);
	return NULL;
}

static enum codec_result bzip2_decode(void *decoder, struct codec_data *data)
{
	bz_stream *stream = decoder;
	int result;

	stream->next_in = (char *)data->in;
	stream->avail_in = data->in_size;
	stream->next_out = (char *)data->out;
	stream->avail_out = data->out_size;
	result = BZ2_bzDecompress(stream);
	*data = (struct codec_data){ (__u8 *)stream->next_in, stream->avail_in, (__u8 *)stream->next_out,
				     stream->avail_out };
	switch (result) {
	case BZ_OK:
		return CODEC_MORE;
	case BZ_STREAM_END:
		return CODEC_END;
	case BZ_MEM_ERROR:
		return CODEC_NO_MEMORY;
	default:
		return CODEC_CORRUPT;
	}
}

static void bzip2_close(void *decoder)
{
	BZ2_bzDecompressEnd(decoder);
	free(decoder);
}

const struct codec codec_bzip2 = {
	.name = "bzip2",
	.command = "bzip2 -dc",
	.matches = bzip2_matches,
	.open = bzip2_open,
	.decode = bzip2_decode,
	.close = bzip2_close,
};
