// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/metrics/metrics_accept.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define MOST_QUALITY 1000U /* q=1.000 */

struct span {
	const char *bytes;
	size_t size;
};

struct media_range {
	struct span type, version;
	unsigned int quality;
};

static bool equals(struct span span, const char *word)
{
	return span.size == strlen(word) && !strncasecmp(span.bytes, word, span.size);
}

static struct span trim(struct span span)
{
	while (span.size && isspace((unsigned char)span.bytes[0])) {
		span.bytes++;
		span.size--;
	}
	while (span.size && isspace((unsigned char)span.bytes[span.size - 1]))
		span.size--;
	return span;
}

static struct span unquote(struct span span)
{
	if (span.size >= 2 && span.bytes[0] == '"' && span.bytes[span.size - 1] == '"') {
		span.bytes++;
		span.size -= 2;
	}
	return span;
}

/* Takes what is before the next separator that is in no quoted string off `rest`. */
static struct span take_element(struct span *rest, char separator)
{
	struct span part = { rest->bytes, 0 };
	bool is_quoted = false;

	while (part.size < rest->size && (is_quoted || part.bytes[part.size] != separator))
		is_quoted ^= part.bytes[part.size++] == '"';
	rest->bytes += part.size;
	rest->size -= part.size;
	if (rest->size) {
		rest->bytes++;
		rest->size--;
	}
	return trim(part);
}

/* A weight has at most three digits after the point. One that is malformed accepts nothing. */
static unsigned int parse_quality(struct span text)
{
	unsigned int quality = 0, digit = MOST_QUALITY;
	size_t i;

	for (i = 0; i < text.size; i++) {
		if (i == 1 && text.bytes[i] == '.')
			continue;
		if (!isdigit((unsigned char)text.bytes[i]) || !digit || (i == 1))
			return 0;
		quality += (unsigned int)(text.bytes[i] - '0') * digit;
		digit /= 10;
	}
	return quality <= MOST_QUALITY ? quality : 0;
}

static struct media_range parse_media_range(struct span text)
{
	struct media_range range = { .type = take_element(&text, ';'), .quality = MOST_QUALITY };

	while (text.size) {
		struct span value = take_element(&text, ';');
		struct span name = take_element(&value, '=');

		value = unquote(trim(value));
		if (equals(name, "version"))
			range.version = value;
		else if (equals(name, "q"))
			range.quality = parse_quality(value);
	}
	return range;
}

static bool is_version(const struct media_range *range, const char *version)
{
	return !range->version.size || equals(range->version, version);
}

static bool is_openmetrics_range(const struct media_range *range)
{
	return equals(range->type, METRICS_OPENMETRICS_TYPE) && is_version(range, METRICS_OPENMETRICS_VERSION);
}

static bool is_text_range(const struct media_range *range)
{
	return equals(range->type, "*/*") || equals(range->type, "text/*") ||
	       (equals(range->type, METRICS_TEXT_TYPE) && is_version(range, METRICS_TEXT_VERSION));
}

static void keep_larger(unsigned int *largest, unsigned int quality)
{
	if (quality > *largest)
		*largest = quality;
}

enum metrics_format metrics_accept_format(const char *accept)
{
	struct span rest = { accept, accept ? strlen(accept) : 0 };
	unsigned int openmetrics = 0, text = 0;

	while (rest.size) {
		struct media_range range = parse_media_range(take_element(&rest, ','));

		if (is_openmetrics_range(&range))
			keep_larger(&openmetrics, range.quality);
		else if (is_text_range(&range))
			keep_larger(&text, range.quality);
	}
	return openmetrics && openmetrics >= text ? METRICS_OPENMETRICS : METRICS_TEXT;
}
