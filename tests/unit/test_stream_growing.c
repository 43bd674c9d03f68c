// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs test_stream.c with src/replay/growing_stream.h, whose memory for holes grows. */
#define TEST_GROWING_STREAM
#include "tests/unit/test_stream.c"
