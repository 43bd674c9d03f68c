/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "/virtual/include/bcc/bpf.h" /* the version that BCC's other headers match */
