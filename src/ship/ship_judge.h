/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts on the answers of HTTP servers. */
#ifndef NETRACKER_SHIP_JUDGE_H
#define NETRACKER_SHIP_JUDGE_H

#include "src/http/http_client.h"
#include "src/ship/ship_destination.h"

/* Sets a reason: this one, the status, and the first line of the answer. */
void ship_judge_explain(const struct http_answer *http, const char *reason, struct ship_answer *answer);

/* Judges the answer by its status as HTTP means it, with a reason. */
void ship_judge_http(const struct http_answer *http, struct ship_answer *answer);

#endif
