/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compression of a request's body. */
#ifndef NETRACKER_HTTP_PACKING_H
#define NETRACKER_HTTP_PACKING_H

#include <stdbool.h>
#include <stddef.h>

#include "src/util/text_buffer.h"

enum http_packing { HTTP_GZIP, HTTP_ZSTD, HTTP_PLAIN };

struct http_packer {
	enum http_packing packing;
	struct text_buffer packed;
	struct ZSTD_CCtx_s *zstd; /* NULL until it is used */
};

/* Compresses into `packed`. Returns false without memory. */
bool http_packer_pack(struct http_packer *packer, const char *body, size_t size);
void http_packer_free(struct http_packer *packer);

/* Returns the header that names the compression. */
const char *http_packer_header(const struct http_packer *packer);

#endif
