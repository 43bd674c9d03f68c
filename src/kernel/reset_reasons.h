/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the running kernel's reasons for the RSTs it sends (enum sk_rst_reason, 6.10 and newer). They are read from
 * its BTF, because the numbers differ from kernel to kernel.
 */
#ifndef NETRACKER_RESET_REASONS_H
#define NETRACKER_RESET_REASONS_H

struct reset_reasons;

/* NULL without memory. reset_reasons_free() frees it. */
struct reset_reasons *reset_reasons_new(void);
void reset_reasons_free(struct reset_reasons *reasons);

/* Returns the name in lower case without SK_RST_REASON_, or NULL if the kernel has no such reason or gives none
 * (not_specified). It belongs to *reasons. */
const char *reset_reasons_name(const struct reset_reasons *reasons, unsigned int reason);

#endif
