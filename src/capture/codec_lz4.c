// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames of lz4, by liblz4. The format that preceded them (lz4 -l) is not read. */
#include "src/capture/codec.h"

#include <lz4frame.h>
#include <string.h>

/* A frame, or a skippable one. */
static bool lz4_matches(const __u8 *head, size_t size)
{
	return size >= 4 && (head[0] == 0x04 ? head[1] == 0x22 : (head[0] & 0xf0) == 0x50 && head[1] == 0x2a) &&
	       !memcmp(head + 2, "\x4d\x18", 2);
}

static void *lz4_open(void)
{
	LZ4F_dctx *decoder = NULL;

	return LZ4F_isError(LZ4F_createDecompressionContext(&decoder, LZ4F_VERSION)) ? NULL : decoder;
}

static enum codec_result lz4_decode(void *decoder, struct codec_data *data)
{
	size_t in_size = data->in_size, out_size = data->out_size;
	size_t result = LZ4F_decompress(decoder, data->out, &out_size, data->in, &in_size, NULL);

	if (LZ4F_isError(result))
		return CODEC_CORRUPT;
	*data = (struct codec_data){ data->in + in_size, data->in_size - in_size, data->out + out_size,
				     data->out_size - out_size };
	return result ? CODEC_MORE : CODEC_END;
}

static void lz4_close(void *decoder)
{
	LZ4F_freeDecompressionContext(decoder);
}

const struct codec codec_lz4 = {
	.name = "lz4",
	.command = "lz4 -dc",
	.matches = lz4_matches,
	.open = lz4_open,
	.decode = lz4_decode,
	.close = lz4_close,
};
