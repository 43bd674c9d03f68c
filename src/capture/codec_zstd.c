// SPDX-License-Identifier: GPL-2.0-or-later
/* zstd (RFC 8878), by libzstd. */
#include "src/capture/codec.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

/* A frame, or a skippable one, which pzstd writes before each frame. lz4 has the same skippable frames. */
static bool zstd_matches(const __u8 *head, size_t size)
{
	return size >= 4 && (!memcmp(head, "\x28\xb5\x2f\xfd", 4) ||
			     ((head[0] & 0xf0) == 0x50 && !memcmp(head + 1, "\x2a\x4d\x18", 3)));
}

static void *zstd_open(void)
{
	ZSTD_DCtx *decoder = ZSTD_createDCtx();

	if (decoder)
		ZSTD_DCtx_setParameter(decoder, ZSTD_d_windowLogMax, CODEC_MOST_WINDOW_BITS);
	return decoder;
}

static enum codec_result zstd_decode(void *decoder, struct codec_data *data)
{
	ZSTD_inBuffer in = { data->in, data->in_size, 0 };
	ZSTD_outBuffer out = { data->out, data->out_size, 0 };
	size_t result = ZSTD_decompressStream(decoder, &out, &in);

	*data = (struct codec_data){ data->in + in.pos, in.size - in.pos, data->out + out.pos, out.size - out.pos };
	if (!ZSTD_isError(result))
		return result ? CODEC_MORE : CODEC_END;
	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_frameParameter_windowTooLarge:
		return CODEC_TOO_LARGE;
	case ZSTD_error_memory_allocation:
		return CODEC_NO_MEMORY;
	default:
		return CODEC_CORRUPT;
	}
}

static void zstd_close(void *decoder)
{
	ZSTD_freeDCtx(decoder);
}

const struct codec codec_zstd = {
	.name = "zstd",
	.command = "zstd -dc --long=31",
	.matches = zstd_matches,
	.open = zstd_open,
	.decode = zstd_decode,
	.close = zstd_close,
};
