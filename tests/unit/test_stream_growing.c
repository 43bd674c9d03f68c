// SPDX-License-Identifier: GPL-2.0-or-later
/* All of test_stream.c again, with holes in memory that grows. */
#define TEST_GROWING_STREAM
#include "tests/unit/test_stream.c"
