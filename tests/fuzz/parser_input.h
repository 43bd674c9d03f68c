/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input of fuzz_parser. */
#ifndef NETRACKER_TESTS_PARSER_INPUT_H
#define NETRACKER_TESTS_PARSER_INPUT_H

#include <linux/types.h>

struct parser_input {
	__u16 link_type; /* libpcap's DLT_ number */
	__u16 options;   /* enum nt_parse_option */
};

struct parser_frame {
	__u16 captured, not_captured; /* bytes */
};

#endif
