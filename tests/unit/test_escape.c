// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/escape.h"
#include "tests/unit/check.h"

typedef void escape_function(struct text_buffer *text, const char *string, size_t size);

static const char *escaped(escape_function *escape, const char *string, size_t size)
{
	static char result[256];
	struct text_buffer text = { 0 };

	escape(&text, string, size);
	snprintf(result, sizeof(result), "%.*s", (int)text.used, text.bytes);
	text_free(&text);
	return result;
}

#define WORD(string) escaped(escape_word, string, sizeof(string) - 1)
#define JSON(string) escaped(escape_json, string, sizeof(string) - 1)
#define MESSAGE(string) escaped(escape_message, string, sizeof(string) - 1)

static void test_word(void)
{
	CHECK_STRING(WORD("nginx"), "nginx");
	CHECK_STRING(WORD("a b\tc\n"), "a\\x20b\\x09c\\x0a");
	CHECK_STRING(WORD("\033[31m"), "\\x1b[31m");
	CHECK_STRING(WORD("caf\xc3\xa9"), "caf\\xc3\\xa9");
	CHECK_STRING(WORD("\x7f\x80\x9b\xff"), "\\x7f\\x80\\x9b\\xff");
	CHECK_STRING(WORD("a\\x20"), "a\\x5cx20");
	CHECK_STRING(WORD(""), "\"\"");
	CHECK_STRING(WORD("-"), "\\x2d");
	CHECK_STRING(WORD("-bash"), "-bash");
}

static void test_bounds(void)
{
	const char unterminated[4] = { 'a', 'b', 'c', 'd' };

	CHECK_STRING(escaped(escape_word, unterminated, sizeof(unterminated)), "abcd");
	CHECK_STRING(escaped(escape_json, unterminated, sizeof(unterminated)), "\"abcd\"");
	CHECK_STRING(WORD("ab\0cd"), "ab");
	CHECK_STRING(JSON("ab\0cd"), "\"ab\"");
	/* The string ends within a character. */
	CHECK_STRING(escaped(escape_json, "\xe2\x82\xac", 2), "\"\\\\xe2\\\\x82\"");
}

/* RFC 8259 section 7; code points from the Unicode tables. */
static void test_json(void)
{
	CHECK_STRING(JSON("nginx: \"worker\" \\"), "\"nginx: \\\"worker\\\" \\\\\"");
	CHECK_STRING(JSON("\n\033\x7f"), "\"\\u000a\\u001b\\u007f\"");
	CHECK_STRING(JSON("\xc2\x85\xc2\x9b"), "\"\\u0085\\u009b\"");
	CHECK_STRING(JSON("\xe2\x82\xac"), "\"\\u20ac\"");
	CHECK_STRING(JSON("\xf0\x9d\x84\x9e"), "\"\\ud834\\udd1e\"");
	CHECK_STRING(JSON("\xe2\x80\xa8\xe2\x80\xae"), "\"\\u2028\\u202e\"");
}

/* Bytes that are not UTF-8 (RFC 3629 sections 3 and 10). */
static void test_json_not_utf8(void)
{
	CHECK_STRING(JSON("\xff"), "\"\\\\xff\"");
	CHECK_STRING(JSON("\x80"), "\"\\\\x80\"");
	CHECK_STRING(JSON("\xc0\xaf"), "\"\\\\xc0\\\\xaf\"");                       /* overlong */
	CHECK_STRING(JSON("\xe0\x80\xaf"), "\"\\\\xe0\\\\x80\\\\xaf\"");            /* overlong */
	CHECK_STRING(JSON("\xed\xa0\x80"), "\"\\\\xed\\\\xa0\\\\x80\"");            /* a surrogate */
	CHECK_STRING(JSON("\xf4\x90\x80\x80"), "\"\\\\xf4\\\\x90\\\\x80\\\\x80\""); /* past U+10FFFF */
	CHECK_STRING(JSON("\xc3("), "\"\\\\xc3(\"");
}

static void test_message(void)
{
	CHECK_STRING(MESSAGE("a file: \\ \033]0;"), "a file: \\ \\x1b]0;");
}

/* The output is printable ASCII for every byte, and a word has no space. */
static void test_every_byte(void)
{
	unsigned int byte, i;

	for (byte = 1; byte < 256; byte++) {
		const char string[2] = { 'x', (char)byte };
		struct text_buffer word = { 0 }, json = { 0 };
		int clean = 1;

		escape_word(&word, string, sizeof(string));
		escape_json(&json, string, sizeof(string));
		for (i = 0; i < word.used; i++)
			clean &= word.bytes[i] > 0x20 && word.bytes[i] < 0x7f;
		for (i = 0; i < json.used; i++)
			clean &= json.bytes[i] >= 0x20 && json.bytes[i] < 0x7f;
		if (!CHECK(clean))
			printf("  byte %#x\n", byte);
		text_free(&word);
		text_free(&json);
	}
}

int main(void)
{
	test_word();
	test_bounds();
	test_json();
	test_json_not_utf8();
	test_message();
	test_every_byte();
	return check_finish();
}
