/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BCC multiplies the pages of a ring buffer by this. The largest page size of any machine fits the smaller ones,
 * too: the size must be a multiple of the page size.
 */
#define PAGE_SIZE 65536UL
