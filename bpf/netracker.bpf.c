/* The native kernel side. Each context's entry points stand at the end of its header. */
#include "seed.h"
#include "socket.h"
#include "wire.h"

char LICENSE[] SEC("license") = "GPL";
