// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/codec.h"

/* zstd precedes lz4: a file that begins with a skippable frame is more often zstd's. */
const struct codec *codec_find(const __u8 *head, size_t size)
{
	static const struct codec *const codecs[] = { &codec_gzip, &codec_zstd, &codec_xz, &codec_bzip2, &codec_lz4 };
	size_t i;

	for (i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
		if (codecs[i]->matches(head, size))
			return codecs[i];
	return NULL;
}
