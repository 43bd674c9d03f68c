// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_judge.h"

#include <stdio.h>
#include <string.h>

/* ClickHouse's word, and that of OpenTelemetry's collector. */
static bool is_about_packing(const struct http_answer *http)
{
	return http->status >= 400 &&
	       (strstr(http->text, "Unknown Content-Encoding") || strstr(http->text, "unsupported Content-Encoding"));
}

static enum ship_verdict verdict_of(const struct http_answer *http)
{
	if (http->refusal || is_about_packing(http))
		return SHIP_REFUSED;
	if (!http->status || http->status == 408 || http->status == 429 || http->status >= 500)
		return SHIP_AGAIN;
	if (http->status / 100 == 2)
		return SHIP_TAKEN;
	return http->status == 400 || http->status == 413 || http->status == 415 ? SHIP_BAD : SHIP_REFUSED;
}

void ship_judge_explain(const struct http_answer *http, const char *reason, struct ship_answer *answer)
{
	char status[32] = "";

	if (http->status)
		snprintf(status, sizeof(status), " (status %ld)", http->status);
	snprintf(answer->reason, sizeof(answer->reason), "%s%s: %.*s", reason, status, (int)strcspn(http->text, "\r\n"),
		 http->text);
}

static const char *reason_of(const struct http_answer *http, enum ship_verdict verdict)
{
	if (http->refusal)
		return http->refusal;
	if (!http->status)
		return "no answer";
	if (is_about_packing(http))
		return "the server does not take this compression; see --compress";
	if (verdict == SHIP_AGAIN)
		return "the server does not take records now";
	if (verdict == SHIP_BAD)
		return "the server does not take them";
	if (http->status == 401 || http->status == 403)
		return "the server refuses this user or password; see --password-file and --token-file";
	return "the server does not know this request, so it is another one";
}

void ship_judge_http(const struct http_answer *http, struct ship_answer *answer)
{
	answer->verdict = verdict_of(http);
	answer->retry_after_s = http->retry_after_s;
	answer->is_too_large = http->status == 413;
	if (answer->verdict != SHIP_TAKEN)
		ship_judge_explain(http, reason_of(http, answer->verdict), answer);
}
