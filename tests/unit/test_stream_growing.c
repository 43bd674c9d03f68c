/* All of test_stream.c again, with holes in memory that the host gives one by one. */
#define NT_STREAM_GROWS
#include "tests/unit/test_stream.c"
