/* How fuzz_connection reads its input: packets between two ends. */
#ifndef NETRACKER_TESTS_CONNECTION_INPUT_H
#define NETRACKER_TESTS_CONNECTION_INPUT_H

#include <linux/types.h>

enum connection_input_bit {
	CONNECTION_SECOND_END = 1,      /* sends it */
	CONNECTION_SECOND_INTERFACE = 2,
	CONNECTION_LEAVING = 4,
	CONNECTION_FRAGMENT = 8,
	CONNECTION_SELF = 16, /* of the first packet: both ends are one */
	CONNECTION_FAR = 32,  /* sequence numbers beyond all windows */
	CONNECTION_BACK = 64, /* the clock ran backwards */
};

struct connection_input {
	__u8 flags; /* enum nt_tcp_flag */
	__u8 bits;  /* enum connection_input_bit */
	__u8 milliseconds, segments;
	__u16 sequence, acknowledgement; /* from the ends' initial ones */
	__u16 payload_length;
};

#endif
