// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker ship: sends the records of a history to a server. */
#include "src/ship/ship.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/cli/options.h"
#include "src/delivery/redaction_key.h"
#include "src/ship/ship_backlog.h"
#include "src/ship/ship_batch.h"
#include "src/ship/ship_clickhouse.h"
#include "src/ship/ship_cursor.h"
#include "src/ship/ship_destination.h"
#include "src/ship/ship_ipfix.h"
#include "src/ship/ship_kafka.h"
#include "src/ship/ship_otlp.h"
#include "src/ship/ship_send.h"
#include "src/util/message.h"
#include "src/util/stop.h"

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_MS 1000000ULL
#define LONGEST_PAUSE_NS (60 * NS_PER_SECOND) /* while the history cannot be read */
#define CURSOR_NAME_SIZE (2 * SERVER_NAME_SIZE + SERVER_HOST_SIZE + SERVER_PATH_SIZE)

static const struct ship_destination *const destinations[] = { &ship_clickhouse, &ship_otlp, &ship_kafka, &ship_ipfix,
							       &ship_ipfix_udp };

struct ship {
	const struct options *options;
	const struct ship_destination *destination;
	struct server_url url;
	void *connection;
	struct ship_cursor cursor;
	struct ship_backlog backlog;
	struct ship_batch batch;
	struct ship_sender sender;
	char machine[SHIP_MACHINE_SIZE];
	__u64 pause_ns;  /* after an error of the history */
	bool is_broken;  /* ended by an error that was reported */
	bool is_missing; /* the cursor's file was listed, and not there */
};

/* ---- set up ---- */

static void name_machine(struct ship *ship)
{
	const char *host = ship->options->delivery.host;

	if (host)
		snprintf(ship->machine, sizeof(ship->machine), "%s", host);
	else if (gethostname(ship->machine, sizeof(ship->machine) - 1))
		snprintf(ship->machine, sizeof(ship->machine), "localhost");
	ship->machine[strcspn(ship->machine, "\n")] = '\0'; /* a line of the cursor's file */
}

static bool open_redaction_of_batch(struct ship *ship)
{
	const char *path = ship->options->delivery.redaction;

	return !path || !redaction_key_open(&ship->batch.redaction, path);
}

static bool open_destination(struct ship *ship)
{
	const struct options *options = ship->options;
	const struct ship_settings settings = { .http = { .command = "ship",
							  .password_file = options->password_file,
							  .token_file = options->token_file,
							  .ca_file = options->ca_file,
							  .cert_file = options->cert_file,
							  .key_file = options->key_file,
							  .timeout_ms = (long)(options->timeout_ns / NS_PER_MS),
							  .packing = options->packing ? options->packing - 1 :
											HTTP_GZIP },
						.kafka_config = options->kafka_config,
						.is_biflow = options->is_biflow };

	ship->connection = ship->destination->open(&ship->url, &settings);
	return ship->connection;
}

static void replace_slashes(char *name, char by)
{
	while (*(name += strcspn(name, "/")))
		*name = by;
}

/* No part of a URL has a comma, so two destinations never have one name. */
static void name_cursor(const struct ship *ship, char name[CURSOR_NAME_SIZE])
{
	const struct server_url *url = &ship->url;

	snprintf(name, CURSOR_NAME_SIZE, "%s,%s%s%s,%u%s%s", ship->destination->name, url->user, *url->user ? "@" : "",
		 url->host, url->port, *url->path ? "," : "", url->path);
	replace_slashes(name, ',');
}

/* The name that earlier versions gave it: two destinations could share one. */
static void name_former_cursor(const struct ship *ship, char name[CURSOR_NAME_SIZE])
{
	const struct server_url *url = &ship->url;

	snprintf(name, CURSOR_NAME_SIZE, "%s-%s-%u%s%s", ship->destination->name, url->host, url->port,
		 *url->path ? "-" : "", url->path);
	replace_slashes(name, '-');
}

static bool ship_set_up(struct ship *ship)
{
	const struct options *options = ship->options;
	char name[CURSOR_NAME_SIZE], former[CURSOR_NAME_SIZE];

	name_machine(ship);
	name_cursor(ship, name);
	name_former_cursor(ship, former);
	ship->backlog.cursor = &ship->cursor;
	ship->sender.backlog = &ship->backlog;
	ship->sender.is_once = options->once;
	return ship_cursor_open(&ship->cursor, options->cursors, options->from, name, former) &&
	       ship_batch_init(&ship->batch, ship->destination, ship->connection) && open_redaction_of_batch(ship) &&
	       ship_sender_init(&ship->sender);
}

static void ship_clean_up(struct ship *ship)
{
	ship_sender_free(&ship->sender);
	ship_batch_free(&ship->batch);
	ship_cursor_close(&ship->cursor);
}

/* ---- a batch ---- */

/* Returns 0, also if there are no records, or -errno after reporting it. Closes the file at once: an open transaction
 * would keep the writer's log from being used again. */
static int read_batch(struct ship *ship)
{
	struct ship_cursor *cursor = &ship->cursor;
	struct history_reader *reader;
	int result;

	ship->batch.count = 0;
	ship->batch.is_full = false;
	if (!ship_backlog_can_read(&ship->backlog))
		return 0;
	if (!cursor->pending_end)
		memcpy(cursor->machine, ship->machine, sizeof(cursor->machine));
	result = history_reader_open(&reader, cursor->folder, cursor->segment);
	if (!result)
		result = ship_backlog_check_file(&ship->backlog, reader);
	if (!result)
		result = ship_batch_read(&ship->batch, reader, cursor->seq, cursor->pending_end, ship->options->batch,
					 cursor->machine);
	history_reader_close(reader);
	return result;
}

/* ---- the loop ---- */

enum ship_step { STEP_MORE, STEP_IDLE, STEP_ERROR, STEP_END };

/* A disk that is full now has room later: the tracker goes on too. */
static enum ship_step save_cursor(struct ship *ship)
{
	int error = ship_cursor_save(&ship->cursor);

	if (!error)
		return STEP_MORE;
	if (ship_cursor_may_heal(error))
		return STEP_ERROR;
	ship->is_broken = true;
	return STEP_END;
}

/* The cursor names the batch before anything is sent. */
static enum ship_step send_batch(struct ship *ship)
{
	struct ship_cursor *cursor = &ship->cursor;
	__u64 pending_end = cursor->pending_end;
	enum ship_result result;
	enum ship_step step;

	cursor->pending_end = ship->batch.last_seq;
	step = save_cursor(ship);
	if (step != STEP_MORE) {
		cursor->pending_end = pending_end;
		return step;
	}
	result = ship_sender_send(&ship->sender, &ship->batch);
	if (result == SHIP_RECEIVED) {
		cursor->seq = cursor->pending_end;
		memcpy(cursor->id, ship->batch.last_id, sizeof(cursor->id));
		cursor->pending_end = 0;
	}
	step = save_cursor(ship);
	if (result == SHIP_FAILED)
		ship->is_broken = true;
	return result == SHIP_RECEIVED ? step : STEP_END;
}

/* The rest of a damaged file is passed over; other errors may pass. A file that retention has removed since the look is not
 * there at the next one. */
static enum ship_step handle_read_error(struct ship *ship, int error)
{
	if (error == -ENOENT && !ship->is_missing) {
		ship->is_missing = true;
		return STEP_MORE;
	}
	if (error == -ENOENT)
		message_error("ship: %s: it is in the folder, but cannot be opened", ship->cursor.segment);
	if (error != -EUCLEAN && error != -EINVAL)
		return STEP_ERROR;
	ship_backlog_pass_over(&ship->backlog);
	return ship_backlog_has_next(&ship->backlog) ? STEP_MORE : STEP_IDLE;
}

/* All of the cursor's file is sent. What retention removed was counted, and is to be said only once. */
static enum ship_step pass_file(struct ship *ship)
{
	ship_backlog_advance(&ship->backlog);
	return save_cursor(ship);
}

static enum ship_step ship_step(struct ship *ship)
{
	enum ship_step step;
	bool has_next;
	int error;

	if (!ship_backlog_look(&ship->backlog))
		return STEP_ERROR;
	has_next = ship_backlog_has_next(&ship->backlog);
	error = read_batch(ship);
	if (error != -ENOENT)
		ship->is_missing = false;
	if (!ship->batch.count && error)
		return handle_read_error(ship, error);
	if (ship->batch.count)
		step = send_batch(ship);
	else
		step = pass_file(ship);
	return step == STEP_MORE && !has_next && !ship->batch.is_full ? STEP_IDLE : step;
}

static __u64 next_pause_ns(struct ship *ship, enum ship_step step)
{
	if (step == STEP_IDLE) {
		ship->pause_ns = 0;
		return ship->options->delivery.output.interval_ns;
	}
	ship->pause_ns = ship->pause_ns ? 2 * ship->pause_ns : NS_PER_SECOND;
	if (ship->pause_ns > LONGEST_PAUSE_NS)
		ship->pause_ns = LONGEST_PAUSE_NS;
	return ship->pause_ns;
}

static void ship_all(struct ship *ship)
{
	enum ship_step step = STEP_MORE;
	__u64 pause_ns = 0;

	while (step != STEP_END && ship_wait(pause_ns)) {
		step = ship_step(ship);
		if (ship->options->once && step == STEP_ERROR)
			ship->is_broken = true;
		if (ship->options->once && step == STEP_IDLE && ship->batch.count && ship_backlog_count(&ship->backlog))
			step = STEP_MORE; /* a look between two attempts found more */
		if (ship->options->once && step != STEP_MORE)
			break;
		pause_ns = step == STEP_MORE ? 0 : next_pause_ns(ship, step);
	}
}

/* ---- the end ---- */

static int ship_finish(struct ship *ship)
{
	__u64 unsent;

	/* With --once, what a tracker has written since the last look is for the next time. */
	if (!ship->is_broken && !ship->options->once && ship_backlog_look(&ship->backlog))
		ship_cursor_save(&ship->cursor);
	unsent = ship_backlog_count(&ship->backlog);
	message_note("ship: %llu sent, %llu rejected, %llu unsent, %llu removed unsent",
		     (unsigned long long)ship->sender.received, (unsigned long long)ship->sender.rejected,
		     (unsigned long long)unsent, (unsigned long long)ship->backlog.removed);
	if (ship->is_broken || ship->backlog.has_damage || ship->backlog.has_unreadable ||
	    (ship->options->once && unsent))
		return EXIT_STATUS_BROKEN;
	return ship->sender.rejected || ship->backlog.removed ? EXIT_STATUS_LOST : EXIT_STATUS_DONE;
}

static int ship_records(struct ship *ship)
{
	int status = EXIT_STATUS_BROKEN;

	if (ship_set_up(ship)) {
		ship_all(ship);
		status = ship_finish(ship);
	}
	ship_clean_up(ship);
	return status;
}

static int set_up_destination(struct ship *ship)
{
	if (ship->destination->set_up)
		return ship->destination->set_up(ship->connection);
	message_note("ship: --setup: this destination needs nothing");
	return EXIT_STATUS_DONE;
}

/* ---- the destination ---- */

static const struct ship_destination *find_destination(const char *scheme)
{
	const char *const *known;
	unsigned int i;

	for (i = 0; i < sizeof(destinations) / sizeof(*destinations); i++)
		for (known = destinations[i]->schemes; *known; known++)
			if (!strcmp(*known, scheme))
				return destinations[i];
	return NULL;
}

/* Returns NULL, or why the text is no destination. */
static const char *parse_destination(struct ship *ship, const char *text)
{
	const char *reason = server_url_parse(&ship->url, text);

	if (reason)
		return reason;
	ship->destination = find_destination(ship->url.scheme);
	return ship->destination ? ship->destination->check(&ship->url) : "it names no protocol that ship speaks";
}

static void report_url(const struct ship *ship, const char *reason)
{
	struct text_buffer forms = { 0 };
	unsigned int i;

	for (i = 0; i < sizeof(destinations) / sizeof(*destinations); i++) {
		if (ship->destination && ship->destination != destinations[i])
			continue;
		text_string(&forms, forms.used ? ", " : "");
		text_string(&forms, destinations[i]->form);
	}
	message_error("--to %.200s: %s; valid: %.*s", server_url_without_user(ship->options->to), reason,
		      (int)forms.used, forms.bytes);
	text_free(&forms);
}

/* Returns the name of an option that was given, and that the destination has no use for; NULL: none. */
static const char *find_useless_option(const struct ship *ship)
{
	const struct options *options = ship->options;
	const struct {
		const char *name;
		enum ship_option bit;
		bool is_given;
	} some[] = {
		{ "--password-file", SHIP_PASSWORD, options->password_file },
		{ "--token-file", SHIP_TOKEN, options->token_file },
		{ "--ca-file", SHIP_CERTIFICATES, options->ca_file },
		{ "--cert-file", SHIP_CERTIFICATES, options->cert_file },
		{ "--key-file", SHIP_CERTIFICATES, options->key_file },
		{ "--biflow", SHIP_BIFLOW, options->is_biflow },
		{ "--compress", SHIP_COMPRESSION, options->packing },
		{ "--kafka-config", SHIP_KAFKA_CONFIG, options->kafka_config },
	};
	unsigned int i;

	for (i = 0; i < sizeof(some) / sizeof(*some); i++)
		if (some[i].is_given && !(ship->destination->options & some[i].bit))
			return some[i].name;
	return NULL;
}

static bool is_this_machine(const char *host)
{
	return !strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "[::1]");
}

/* Returns the scheme of the same destination over TLS, or NULL if it has none or the URL has it. */
static const char *find_tls_scheme(const struct ship *ship)
{
	const char *const *known;
	size_t length = strlen(ship->url.scheme);

	for (known = ship->destination->schemes; *known; known++)
		if (!strncmp(*known, ship->url.scheme, length) && !strcmp(*known + length, "s"))
			return *known;
	return NULL;
}

static void note_clear_text(const struct ship *ship)
{
	const char *scheme = find_tls_scheme(ship);

	if (scheme && !is_this_machine(ship->url.host))
		message_note("ship: what %s gets can be read on the way; %s:// encrypts it", ship->url.host, scheme);
}

int ship_run(const struct options *options)
{
	struct ship ship = { .options = options };
	const char *reason = parse_destination(&ship, options->to);
	int status = EXIT_STATUS_BROKEN;

	if (reason) {
		report_url(&ship, reason);
		return EXIT_STATUS_USAGE;
	}
	reason = find_useless_option(&ship);
	if (reason) {
		message_error("%s: a destination %s:// has no use for it", reason, ship.url.scheme);
		return EXIT_STATUS_USAGE;
	}
	stop_on_signals();
	if (options->max_time_ns)
		stop_after(options->max_time_ns);
	signal(SIGPIPE, SIG_IGN); /* a connection that ends is an error of the request */
	if (open_destination(&ship)) {
		note_clear_text(&ship);
		status = options->setup ? set_up_destination(&ship) : ship_records(&ship);
	}
	ship.destination->close(ship.connection);
	return status;
}
