/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BCC multiplies a ring buffer's pages with it; a machine with larger pages takes a multiple of theirs too. */
#define PAGE_SIZE 65536UL
