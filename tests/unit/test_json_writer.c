// SPDX-License-Identifier: GPL-2.0-or-later
/* src/util/json_writer.h places commas in nested objects and lists. */
#include "src/util/json_writer.h"
#include "tests/unit/check.h"

static const char *finished(struct json_writer *json)
{
	static char result[256];

	snprintf(result, sizeof(result), "%.*s", (int)json->text->used, json->text->bytes);
	text_free(json->text);
	return result;
}

static void test_empty(void)
{
	struct text_buffer text = { 0 };
	struct json_writer json = { .text = &text };

	json_begin_object(&json);
	json_write_key(&json, "list");
	json_begin_list(&json);
	json_end_list(&json);
	json_write_key(&json, "object");
	json_begin_object(&json);
	json_end_object(&json);
	json_end_object(&json);
	CHECK_STRING(finished(&json), "{\"list\":[],\"object\":{}}");
}

static void test_values(void)
{
	struct text_buffer text = { 0 };
	struct json_writer json = { .text = &text };

	json_begin_object(&json);
	json_write_quoted_key(&json, "\"a\":...", 4, 7);
	json_write_integer(&json, ~0ULL);
	json_write_quoted_key(&json, "\"b\":...", 4, 7);
	json_write_signed(&json, -1);
	json_write_key(&json, "c");
	json_write_boolean(&json, true);
	json_write_key(&json, "d");
	json_write_boolean(&json, false);
	json_write_key(&json, "e");
	json_write_string(&json, "\"\n", 9);
	json_end_object(&json);
	CHECK_STRING(finished(&json),
		     "{\"a\":18446744073709551615,\"b\":-1,\"c\":true,\"d\":false,\"e\":\"\\\"\\u000a\"}");
}

static void test_nested(void)
{
	struct text_buffer text = { 0 };
	struct json_writer json = { .text = &text };

	json_begin_list(&json);
	json_write_integer(&json, 1);
	json_begin_object(&json);
	json_write_key(&json, "a");
	json_begin_list(&json);
	json_write_word(&json, "x", 1);
	json_write_string(&json, "y", 1);
	json_end_list(&json);
	json_write_key(&json, "b");
	json_write_integer(&json, 0);
	json_end_object(&json);
	json_begin_object(&json);
	json_end_object(&json);
	json_end_list(&json);
	CHECK_STRING(finished(&json), "[1,{\"a\":[\"x\",\"y\"],\"b\":0},{}]");
}

int main(void)
{
	test_empty();
	test_values();
	test_nested();
	return check_finish();
}
