// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/json_writer.h"

void json_write_key(struct json_writer *json, const char *key)
{
	json_write_word(json, key, strlen(key));
	text_char(json->text, ':');
	json->needs_comma = false;
}
