// SPDX-License-Identifier: GPL-2.0-or-later
/* Host names as columns show them: their owner may choose any bytes, and none may pass for an address. */
#include "src/util/host_name.h"
#include "tests/unit/check.h"

static const char *shown_name(const char *name, size_t size)
{
	static char shown[HOST_NAME_SIZE];
	bool is_name = host_name_escape(shown, name, size);

	CHECK_EQUAL(is_name, shown[0] != '\0');
	CHECK(strlen(shown) <= HOST_NAME_SHOWN);
	return shown;
}

#define NAME(string) shown_name(string, sizeof(string))

static void test_plain_names(void)
{
	CHECK_STRING(NAME("web.example"), "web.example");
	CHECK_STRING(NAME("Web-1.Example.COM"), "Web-1.Example.COM");
	CHECK_STRING(NAME("_srv.example"), "_srv.example");
	CHECK_STRING(NAME("localhost"), "localhost");
	CHECK_STRING(NAME("web.example."), "web.example");
	CHECK_STRING(NAME("1.0.18.198.in-addr.arpa"), "1.0.18.198.in-addr.arpa");
	CHECK_STRING(NAME("7e57.xn--p1ai"), "7e57.xn--p1ai");
}

static void test_addresses_are_refused(void)
{
	CHECK_STRING(NAME("198.18.0.1"), "");
	CHECK_STRING(NAME("198.18.0.1."), "");
	CHECK_STRING(NAME("198.18.0.1.."), "");
	CHECK_STRING(NAME("127.1"), "");
	CHECK_STRING(NAME("3325493249"), "");
	CHECK_STRING(NAME("0xc6120001"), "");
	CHECK_STRING(NAME("0xC6.0x12.0.0X1"), "");
	CHECK_STRING(NAME("0306.022.0.01"), "");
	CHECK_STRING(NAME("198.18.0.0x"), ""); /* inet_aton() of some systems takes it for 0 */
	CHECK_STRING(NAME("host.1"), "");
	CHECK_STRING(NAME("fd00::1"), "");
	CHECK_STRING(NAME("::ffff:198.18.0.1"), "");
	CHECK_STRING(NAME("[fd00::1]"), "");
	CHECK_STRING(NAME("web.example:80"), "");
}

static void test_odd_bytes(void)
{
	CHECK_STRING(NAME(""), "");
	CHECK_STRING(NAME("."), "");
	CHECK_STRING(NAME("..."), "");
	CHECK_STRING(NAME("-"), "\\x2d");
	CHECK_STRING(NAME("a b\tc\nd"), "a\\x20b\\x09c\\x0ad");
	CHECK_STRING(NAME("\033[31mred"), "\\x1b\\x5b31mred");
	CHECK_STRING(NAME("caf\xc3\xa9"), "caf\\xc3\\xa9");
	CHECK_STRING(NAME("a\\x20"), "a\\x5cx20");
	CHECK_STRING(NAME("a~b"), "a\\x7eb");
	CHECK_STRING(NAME("198.18.0.1 "), "198.18.0.1\\x20");
	CHECK_STRING(NAME("198.18.0.1\xef\xbc\x9a\x38\x30"), "198.18.0.1\\xef\\xbc\\x9a80"); /* a wide colon */
}

static void test_long_names(void)
{
	char longest[1024];
	const char unterminated[3] = { 'w', 'e', 'b' };

	CHECK_STRING(NAME("a123456789.b123456789.c123456789.d12345"), "a123456789.b123456789.c123456789.d12345");
	CHECK_STRING(NAME("a123456789.b123456789.c123456789.d123456"), "a123456789.b1234567~.c123456789.d123456");
	CHECK_STRING(NAME("\1\2\3\4\5\6\7\b\t\n"), "\\x01\\x02\\x03\\x04~\\x07\\x08\\x09\\x0a"); /* no cut escape */
	memset(longest, 'a', sizeof(longest));
	CHECK_STRING(shown_name(longest, sizeof(longest)), "aaaaaaaaaaaaaaaaaaa~aaaaaaaaaaaaaaaaaaa");
	memset(longest, '\xff', sizeof(longest));
	CHECK_STRING(shown_name(longest, sizeof(longest)), "\\xff\\xff\\xff\\xff~\\xff\\xff\\xff\\xff");
	memset(longest, '1', sizeof(longest));
	CHECK_STRING(shown_name(longest, sizeof(longest)), "");
	CHECK_STRING(shown_name(unterminated, sizeof(unterminated)), "web");
}

int main(void)
{
	test_plain_names();
	test_addresses_are_refused();
	test_odd_bytes();
	test_long_names();
	return check_finish();
}
