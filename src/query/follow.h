/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the records of a history as they come (--follow). */
#ifndef NETRACKER_FOLLOW_H
#define NETRACKER_FOLLOW_H

#include "src/delivery/delivery.h"
#include "src/query/query_scan.h"

struct follow {
	const char *folder;
	char name[HISTORY_NAME_SIZE]; /* of the file that is read; later files follow */
	__u64 seq;                    /* of the last record in it that was read */
	bool is_unreadable;           /* this file: reported */
	bool is_busy;                 /* this file: another process held it at the last attempt */
	bool is_incomplete;           /* some file could not be read */
};

/* Begins behind the records that the scan has read, or, if it has read none, behind the newest one that there is now. */
void follow_begin(struct follow *follow, struct query_scan *scan);

/* Writes every record that is written meanwhile and that the filter accepts, until a signal, or until the output is over. */
void follow_run(struct follow *follow, struct delivery *delivery);

#endif
