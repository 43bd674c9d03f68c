// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/metrics/metrics_server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/metrics/metrics_accept.h"
#include "src/metrics/metrics_clients.h"
#include "src/metrics/microhttpd_library.h"
#include "src/util/message.h"

#define NS_PER_SECOND 1000000000ULL
#define BACKLOG 16
#define MOST_REQUEST_BYTES ((size_t)16384)
#define TIMEOUT_SECONDS 10U
#define PAGE_TYPE "text/plain; charset=utf-8"

static const struct microhttpd_library *microhttpd; /* set by metrics_server_open() */

struct metrics_server {
	struct metrics *metrics;
	struct metrics_states states;
	struct metrics_clients clients; /* of the daemon's thread */
	struct MHD_Daemon *daemon;
};

/* ---- pages ---- */

static __u64 read_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (__u64)used.tv_sec * NS_PER_SECOND + (__u64)used.tv_nsec;
}

static __u64 read_resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (__u64)sysconf(_SC_PAGESIZE);
}

static __u64 read_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * NS_PER_SECOND + (__u64)now.tv_nsec;
}

static enum metrics_format choose_format(struct MHD_Connection *connection)
{
	return metrics_accept_format(
		microhttpd->lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
}

/* Returns NULL without memory. */
static struct MHD_Response *make_metrics_page(struct metrics_server *server, enum metrics_format format)
{
	const struct metrics_process process = { read_cpu_ns(), read_resident_bytes() };
	struct metrics_snapshot snapshot;
	struct MHD_Response *response;
	struct text_buffer text = { 0 };

	if (!metrics_take_snapshot(server->metrics, &snapshot))
		return NULL;
	snapshot.has_states = metrics_states_read(&server->states, read_monotonic_ns(), snapshot.states);
	metrics_text_append(&text, format, &snapshot, &process);
	metrics_snapshot_free(&snapshot);
	response = text.failed ? NULL :
				 microhttpd->create_response_from_buffer(text.used, text.bytes, MHD_RESPMEM_MUST_FREE);
	if (!response)
		text_free(&text);
	else
		microhttpd->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, metrics_content_type(format));
	return response;
}

static struct MHD_Response *make_line(const char *line)
{
	struct MHD_Response *response = microhttpd->create_response_from_buffer(strlen(line), (void *)line,
										MHD_RESPMEM_PERSISTENT);

	if (response)
		microhttpd->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, PAGE_TYPE);
	return response;
}

static struct MHD_Response *refuse_method(void)
{
	struct MHD_Response *response = make_line("only GET and HEAD\n");

	if (response)
		microhttpd->add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	return response;
}

static bool is_readable(const char *method)
{
	return !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
}

static struct MHD_Response *choose_page(struct metrics_server *server, struct MHD_Connection *connection,
					const char *path, const char *method, unsigned int *status)
{
	*status = MHD_HTTP_OK;
	if (!is_readable(method)) {
		*status = MHD_HTTP_METHOD_NOT_ALLOWED;
		return refuse_method();
	}
	if (!strcmp(path, "/metrics"))
		return make_metrics_page(server, choose_format(connection));
	if (!strcmp(path, "/"))
		return make_line("NeTracker " NETRACKER_VERSION ": the metrics are at /metrics\n");
	*status = MHD_HTTP_NOT_FOUND;
	return make_line("not found; the metrics are at /metrics\n");
}

/* The library calls it when it has the headers, for each part of a body, and at the end. An answer to the first call closes
 * the connection, so that the body of a request that is refused need not be read. */
static enum MHD_Result answer_request(void *context, struct MHD_Connection *connection, const char *path,
				      const char *method, const char *version, const char *body, size_t *body_size,
				      void **request)
{
	static int begun;
	struct MHD_Response *response;
	unsigned int status;
	enum MHD_Result result;

	(void)version;
	(void)body;
	if (!*request && is_readable(method)) {
		*request = &begun;
		return MHD_YES;
	}
	if (*body_size) {
		*body_size = 0;
		return MHD_YES;
	}
	metrics_clients_note_answer(&((struct metrics_server *)context)->clients, connection);
	response = choose_page(context, connection, path, method, &status);
	if (!response)
		return MHD_NO;
	result = microhttpd->queue_response(connection, status, response);
	microhttpd->destroy_response(response);
	return result;
}

/* ---- clients ---- */

static void note_new_client(struct metrics_server *server, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *fd = microhttpd->get_connection_info(connection,
									     MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *address = microhttpd->get_connection_info(connection,
										  MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	if (fd && address)
		metrics_clients_add(&server->clients, connection, fd->connect_fd, address->client_addr);
}

/* A client that is to be ended is shut down, which the library takes for the client's end: it closes the connection. */
static void note_client(void *context, struct MHD_Connection *connection, void **socket_context,
			enum MHD_ConnectionNotificationCode code)
{
	struct metrics_server *server = context;
	int fd;

	(void)socket_context;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		metrics_clients_remove(&server->clients, connection);
		return;
	}
	note_new_client(server, connection);
	fd = metrics_clients_choose(&server->clients);
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

/* ---- the socket and the thread ---- */

static int listen_at(int fd, const struct metrics_address *address)
{
	const int yes = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, (const struct sockaddr *)&address->socket, address->size) || listen(fd, BACKLOG))
		return -errno;
	return 0;
}

static const char *describe_listen_error(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "another process listens there; choose another port";
	case -EADDRNOTAVAIL:
		return "this machine does not have this address";
	case -EACCES:
		return "not permitted; choose a port above 1023";
	default:
		return strerror(-error);
	}
}

/* Returns a file descriptor, or -errno. */
static int open_socket(const struct metrics_address *address)
{
	int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -errno;
	error = listen_at(fd, address);
	if (!error)
		return fd;
	close(fd);
	return error;
}

/* poll() and not epoll, which the library edge-triggers: it misses the end of a request that came with its first part,
 * and keeps the connections of clients that have gone until they time out. The tracker's thread takes all signals. The
 * daemon closes the socket, unless it does not start. */
static bool start_daemon(struct metrics_server *server, int fd)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	server->daemon = microhttpd->start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, answer_request, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)METRICS_CLIENT_SLOTS,
		MHD_OPTION_NOTIFY_CONNECTION, note_client, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		MOST_REQUEST_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_SECONDS, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!server->daemon)
		close(fd);
	return server->daemon;
}

int metrics_server_open(struct metrics_server **opened, const struct metrics_address *address, struct metrics *metrics)
{
	struct metrics_server *server = calloc(1, sizeof(*server));
	int fd;

	*opened = server;
	if (!server) {
		message_error("metrics: out of memory");
		return -ENOMEM;
	}
	server->metrics = metrics;
	metrics_states_init(&server->states);
	microhttpd = microhttpd_library_load();
	if (!microhttpd)
		return -ENOENT;
	fd = open_socket(address);
	if (fd < 0) {
		message_error("metrics: cannot listen at %s: %s", address->text, describe_listen_error(fd));
		return fd;
	}
	if (start_daemon(server, fd))
		return 0;
	message_error("metrics: cannot start the server: out of memory, or out of threads");
	return -ENOMEM;
}

void metrics_server_set_states(struct metrics_server *server, metrics_states_counter count, void *context)
{
	metrics_states_set_counter(&server->states, count, context);
}

void metrics_server_hide_states(struct metrics_server *server)
{
	metrics_states_hide(&server->states);
}

void metrics_server_close(struct metrics_server *server)
{
	if (!server)
		return;
	if (server->daemon)
		microhttpd->stop_daemon(server->daemon);
	metrics_states_destroy(&server->states);
	free(server);
}
