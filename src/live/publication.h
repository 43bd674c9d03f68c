/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Publishes the accounting of a running tracker for `netracker status`. */
#ifndef NETRACKER_PUBLICATION_H
#define NETRACKER_PUBLICATION_H

#include "src/kernel/loader.h"
#include "src/record/accounting.h"

struct publication {
	struct nt_publication published;
};

/* Names this process and its command. */
void publication_begin(struct publication *publication);

/* Replaces what `status` shows. */
void publication_update(struct publication *publication, const struct loader *loader,
			const struct accounting *accounting);

#endif
