// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/http/http_packing.h"

#include <zlib.h>
#include <zstd.h>

/* JSON of records shrinks to a fifth at the lowest levels; higher ones take several times the CPU for a tenth less. */
#define ZSTD_LEVEL 1
#define GZIP_WINDOW (15 + 16) /* zlib's notation of the gzip format */
#define GZIP_MEMORY 8

static bool pack_gzip(struct text_buffer *packed, const char *body, size_t size)
{
	z_stream stream = { 0 };
	bool is_packed;

	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	is_packed = text_reserve(packed, deflateBound(&stream, size));
	if (is_packed) {
		stream.next_in = (Bytef *)(size_t)body;
		stream.avail_in = (uInt)size;
		stream.next_out = (Bytef *)packed->bytes;
		stream.avail_out = (uInt)packed->capacity;
		is_packed = deflate(&stream, Z_FINISH) == Z_STREAM_END;
		packed->used = stream.total_out;
	}
	deflateEnd(&stream);
	return is_packed;
}

static bool pack_zstd(struct http_packer *packer, const char *body, size_t size)
{
	struct text_buffer *packed = &packer->packed;
	size_t used;

	if (!packer->zstd)
		packer->zstd = ZSTD_createCCtx();
	if (!packer->zstd || !text_reserve(packed, ZSTD_compressBound(size)))
		return false;
	used = ZSTD_compressCCtx(packer->zstd, packed->bytes, packed->capacity, body, size, ZSTD_LEVEL);
	packed->used = ZSTD_isError(used) ? 0 : used;
	return packed->used;
}

bool http_packer_pack(struct http_packer *packer, const char *body, size_t size)
{
	packer->packed.used = 0;
	packer->packed.failed = false;
	return packer->packing == HTTP_ZSTD ? pack_zstd(packer, body, size) : pack_gzip(&packer->packed, body, size);
}

void http_packer_free(struct http_packer *packer)
{
	ZSTD_freeCCtx(packer->zstd);
	text_free(&packer->packed);
}

const char *http_packer_header(const struct http_packer *packer)
{
	return packer->packing == HTTP_ZSTD ? "Content-Encoding: zstd" : "Content-Encoding: gzip";
}
