/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "/virtual/include/bcc/bpf.h" /* the one that BCC's other headers fit */
