// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/summary.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_TOP 5
#define DEFAULT_EACH 6 /* rows by bytes, by connections and by failures */

unsigned int summary_choose_shown(const struct summary *summary, const struct summary_table *table,
				  const struct summary_row **chosen, struct summary_sums *rest)
{
	if (summary->top)
		return summary_choose_rows(table, summary->top, summary->top, chosen, rest);
	return summary_choose_rows(table, DEFAULT_EACH, SUMMARY_ROWS, chosen, rest);
}

unsigned int summary_failed_rows(const struct summary *summary)
{
	return summary->top ? summary->top : DEFAULT_EACH;
}

unsigned int summary_top_rows(const struct summary *summary)
{
	return summary->top ? summary->top : DEFAULT_TOP;
}

static void clear_interval(struct summary_interval *interval)
{
	summary_table_clear(&interval->processes);
	summary_table_clear(&interval->peers);
	summary_table_clear(&interval->services);
	summary_table_clear(&interval->refusals);
	summary_table_clear(&interval->leaks);
	memset(&interval->all, 0, sizeof(interval->all));
	memset(&interval->handshakes, 0, sizeof(interval->handshakes));
	interval->close_records = interval->evicted = 0;
	interval->has_moved_bytes = interval->has_unanswered = false;
	interval->busiest.count = interval->slowest.count = 0;
}

static void free_interval(struct summary_interval *interval)
{
	summary_table_free(&interval->processes);
	summary_table_free(&interval->peers);
	summary_table_free(&interval->services);
	summary_table_free(&interval->refusals);
	summary_table_free(&interval->leaks);
	free(interval->busiest.rows);
	free(interval->slowest.rows);
}

/* `interval` is all zero. Returns false without memory; call free_interval() either way. */
static bool allocate_interval(struct summary_interval *interval, unsigned int top)
{
	interval->busiest.rows = calloc(top, sizeof(struct summary_connection));
	interval->slowest.rows = calloc(top, sizeof(struct summary_connection));
	return interval->busiest.rows && interval->slowest.rows && summary_table_allocate(&interval->processes) &&
	       summary_table_allocate(&interval->peers) && summary_table_allocate(&interval->services) &&
	       summary_table_allocate(&interval->refusals) && summary_table_allocate(&interval->leaks);
}

struct summary *summary_new(unsigned int top)
{
	struct summary *summary = calloc(1, sizeof(*summary));
	bool has_pairs;

	if (!summary)
		return NULL;
	summary->top = top;
	has_pairs = connection_pairs_init(&summary->pairs);
	if (allocate_interval(&summary->current, summary_top_rows(summary)) && has_pairs)
		return summary;
	summary_free(summary);
	return NULL;
}

void summary_begin_next(struct summary *summary)
{
	struct summary_interval cleared;

	clear_interval(&summary->current);
	summary_namespaces_begin_next(&summary->namespaces);
	port_use_begin_next(&summary->ports);
	memcpy(summary->lost_before, summary->lost, sizeof(summary->lost_before));
	if (!summary->later)
		return;
	cleared = summary->current;
	summary->current = *summary->later;
	*summary->later = cleared;
}

void summary_free(struct summary *summary)
{
	if (!summary)
		return;
	if (summary->later)
		free_interval(summary->later);
	free(summary->later);
	free_interval(&summary->current);
	byte_marks_clear(&summary->marks);
	connection_pairs_free(&summary->pairs);
	port_use_clear(&summary->ports);
	summary_namespaces_free(&summary->namespaces);
	free(summary);
}

void summary_set_losses(struct summary *summary, const __u64 lost[ACCOUNTING_LOSSES])
{
	memcpy(summary->lost, lost, sizeof(summary->lost));
}

/* ---- single connections ---- */

static void fill_connection(struct summary_connection *row, const struct summary_item *item)
{
	int direction;

	row->src_port = item->src_port;
	row->dst_port = item->dst_port;
	row->has_comm = item->has_comm;
	row->has_pid = item->has_pid;
	row->pid = item->pid;
	memcpy(row->src_ip, item->src_ip, sizeof(row->src_ip));
	memcpy(row->dst_ip, item->dst_ip, sizeof(row->dst_ip));
	memcpy(row->comm, item->comm, sizeof(row->comm));
	for (direction = SUMMARY_SENT; direction <= SUMMARY_RECEIVED; direction++) {
		row->bytes[direction] = item->moved.bytes[summary_item_sender(item, direction)];
		row->bytes_known[direction] = item->moved.known[summary_item_sender(item, direction)];
	}
}

static void add_to_top(struct summary_top *top, unsigned int most, __u64 rank, const struct summary_item *item)
{
	unsigned int at = top->count;

	while (at && top->rows[at - 1].rank < rank)
		at--;
	if (at == most)
		return;
	if (top->count < most)
		top->count++;
	memmove(&top->rows[at + 1], &top->rows[at], (top->count - at - 1) * sizeof(*top->rows));
	top->rows[at].rank = rank;
	fill_connection(&top->rows[at], item);
}

/* ---- the tables ---- */

static void add_to_processes(struct summary_interval *interval, const struct summary_item *item)
{
	unsigned char key[SUMMARY_KEY_SIZE] = { item->has_comm };
	struct summary_row *row;

	memcpy(&key[1], item->comm, sizeof(item->comm));
	row = summary_table_add(&interval->processes, key, item);
	if (row)
		summary_owner_add(&row->owner, item);
}

static void fill_peer_key(unsigned char key[SUMMARY_KEY_SIZE], const struct summary_item *item)
{
	memset(key, 0, SUMMARY_KEY_SIZE);
	memcpy(key, summary_item_peer(item), sizeof(item->src_ip));
}

static void fill_service_key(unsigned char key[SUMMARY_KEY_SIZE], const struct summary_item *item)
{
	memset(key, 0, SUMMARY_KEY_SIZE);
	memcpy(key, item->dst_ip, sizeof(item->dst_ip));
	key[16] = (unsigned char)(item->dst_port >> 8);
	key[17] = (unsigned char)item->dst_port;
}

static void add_to_services(struct summary_interval *interval, const struct summary_item *item)
{
	unsigned char key[SUMMARY_KEY_SIZE];
	struct summary_row *row;

	fill_service_key(key, item);
	row = summary_table_add(&interval->services, key, item);
	if (row && item->role == NT_ROLE_SERVER)
		summary_owner_add(&row->owner, item);
}

static void add_to_refusals(struct summary_interval *interval, const struct summary_item *item)
{
	unsigned char key[SUMMARY_KEY_SIZE];

	if (item->outcome != NT_OUTCOME_REFUSED)
		return;
	fill_service_key(key, item);
	key[18] = item->has_comm;
	if (item->has_comm)
		memcpy(&key[19], item->comm, sizeof(item->comm));
	else
		memcpy(&key[19], item->src_ip, sizeof(item->src_ip));
	summary_table_add(&interval->refusals, key, item);
}

static void add_to_leaks(struct summary_interval *interval, const struct summary_item *item)
{
	unsigned char key[SUMMARY_KEY_SIZE] = { 0 };
	struct summary_row *row;

	if (!item->is_leaked || !item->has_pid)
		return;
	memcpy(key, &item->pid, sizeof(item->pid));
	row = summary_table_add(&interval->leaks, key, item);
	if (row)
		summary_owner_add(&row->owner, item);
}

/* Counts a connection in all that counts it once. */
static void count_connection(const struct summary *summary, struct summary_interval *interval,
			     const struct summary_item *item)
{
	unsigned int top = summary_top_rows(summary);
	__u64 bytes = item->moved.bytes[NT_SRC] + item->moved.bytes[NT_DST];
	unsigned char key[SUMMARY_KEY_SIZE];

	summary_sums_add(&interval->all, item);
	fill_peer_key(key, item);
	summary_table_add(&interval->peers, key, item);
	add_to_services(interval, item);
	add_to_refusals(interval, item);
	if (item->moved.is_new && item->has_handshake) {
		percentiles_add(&interval->handshakes, item->handshake_ns);
		add_to_top(&interval->slowest, top, item->handshake_ns, item);
	}
	if (bytes)
		add_to_top(&interval->busiest, top, bytes, item);
}

/* The client's record of a local connection counts. Adds what only the server's has: who listens, and the
 * retransmissions of its own side.
 */
static void add_server_side(struct summary_interval *interval, const struct summary_item *client,
			    const struct summary_item *server)
{
	unsigned char key[SUMMARY_KEY_SIZE];
	struct summary_row *peer, *service;

	fill_peer_key(key, client);
	peer = summary_table_find(&interval->peers, key);
	fill_service_key(key, client);
	service = summary_table_find(&interval->services, key);
	if (service && server->role == NT_ROLE_SERVER)
		summary_owner_add(&service->owner, server);
	if (client->moved.packets_known[NT_DST])
		return;
	summary_sums_add_retransmits(&interval->all, server, NT_DST);
	summary_sums_add_retransmits(peer ? &peer->sums : &interval->peers.others, server, NT_DST);
	summary_sums_add_retransmits(service ? &service->sums : &interval->services.others, server, NT_DST);
}

/* ---- connections between two sockets of this machine ---- */

static void count_waiting(struct summary *summary, struct connection_pair *pair)
{
	if (!pair->waits)
		return;
	pair->waits = false;
	count_connection(summary, &summary->current, &pair->item);
	pair->server_counted = pair->item.has_ended;
}

static void add_client(struct summary *summary, struct summary_interval *interval, struct connection_pair *pair,
		       const struct summary_item *item)
{
	struct summary_item server = pair->item;
	bool has_waited = pair->waits;

	pair->item = *item;
	pair->waits = false;
	pair->has_client = true;
	if (pair->server_counted)
		return;
	count_connection(summary, interval, item);
	if (has_waited)
		add_server_side(&summary->current, item, &server);
}

/* Few records of the next interval come early, so they do not wait. */
static void add_server(struct summary *summary, struct summary_interval *interval, struct connection_pair *pair,
		       const struct summary_item *item)
{
	if (pair->has_client) {
		add_server_side(interval, &pair->item, item);
		return;
	}
	count_waiting(summary, pair);
	pair->item = *item;
	pair->waits = interval == &summary->current;
	if (pair->waits)
		return;
	count_connection(summary, interval, item);
	pair->server_counted = item->has_ended;
}

static struct connection_pair *find_pair(struct summary *summary, const struct summary_item *item)
{
	struct connection_pair *pair = connection_pairs_find(&summary->pairs, item), *oldest;

	if (pair && connection_pair_is_over(pair, item)) {
		count_waiting(summary, pair);
		connection_pairs_remove(&summary->pairs, pair);
		pair = NULL;
	}
	if (pair)
		return pair;
	oldest = connection_pairs_oldest_if_full(&summary->pairs);
	if (oldest) {
		count_waiting(summary, oldest);
		connection_pairs_remove(&summary->pairs, oldest);
	}
	return connection_pairs_add(&summary->pairs, item);
}

static void add_to_pair(struct summary *summary, struct summary_interval *interval, const struct summary_item *item)
{
	struct connection_pair *pair = item->can_be_local ? find_pair(summary, item) : NULL;
	bool is_client = item->role == NT_ROLE_CLIENT;

	if (!pair) {
		count_connection(summary, interval, item);
		return;
	}
	if (is_client)
		add_client(summary, interval, pair, item);
	else
		add_server(summary, interval, pair, item);
	if (item->has_ended)
		pair->ended_ns[is_client] = item->end_ns;
	if (pair->ended_ns[0] && pair->ended_ns[1])
		connection_pairs_remove(&summary->pairs, pair);
}

void summary_settle(struct summary *summary)
{
	struct connection_pair *pair;

	TAILQ_FOREACH (pair, &summary->pairs.order, order)
		count_waiting(summary, pair);
}

/* ---- records ---- */

static void add_to_interval(struct summary *summary, struct summary_interval *interval, const struct nt_record *record)
{
	struct bytes_moved moved;
	struct summary_item item;

	if (record->event != NT_EVENT_CLOSE && record->event != NT_EVENT_EXIT && record->event != NT_EVENT_UPDATE)
		return;
	moved = byte_marks_advance(&summary->marks, record);
	summary_item_fill(&item, record, &moved, summary->begins_ns);
	interval->close_records += item.has_ended;
	interval->evicted += item.is_evicted;
	interval->has_moved_bytes = interval->has_moved_bytes || moved.bytes[NT_SRC] + moved.bytes[NT_DST];
	interval->has_unanswered = interval->has_unanswered || item.outcome == NT_OUTCOME_UNANSWERED;
	if (item.role == NT_ROLE_CLIENT)
		port_use_add(&summary->ports, &item);
	add_to_processes(interval, &item);
	add_to_leaks(interval, &item);
	add_to_pair(summary, interval, &item);
}

void summary_add(struct summary *summary, const struct nt_record *record)
{
	add_to_interval(summary, &summary->current, record);
}

static struct summary_interval *new_interval(unsigned int top)
{
	struct summary_interval *interval = calloc(1, sizeof(*interval));

	if (!interval || allocate_interval(interval, top))
		return interval;
	free_interval(interval);
	free(interval);
	return NULL;
}

void summary_add_to_next(struct summary *summary, const struct nt_record *record)
{
	if (!summary->later)
		summary->later = new_interval(summary_top_rows(summary));
	add_to_interval(summary, summary->later ? summary->later : &summary->current, record);
}

__u64 summary_count_ended(const struct summary *summary)
{
	return summary->current.close_records + (summary->later ? summary->later->close_records : 0);
}
