#include "/virtual/include/bcc/bpf.h" /* the one that BCC's other headers fit */
