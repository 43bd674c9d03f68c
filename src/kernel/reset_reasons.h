/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running kernel's reasons for the RSTs it sends (enum sk_rst_reason, 6.10 and newer), by its own BTF: the numbers
 * differ from kernel to kernel.
 */
#ifndef NETRACKER_RESET_REASONS_H
#define NETRACKER_RESET_REASONS_H

struct reset_reasons;

/* NULL: no memory. */
struct reset_reasons *reset_reasons_new(void);
void reset_reasons_free(struct reset_reasons *reasons);

/* Lower case, without SK_RST_REASON_; NULL where the kernel has none, or gives none (not_specified). */
const char *reset_reasons_name(const struct reset_reasons *reasons, unsigned int reason);

#endif
