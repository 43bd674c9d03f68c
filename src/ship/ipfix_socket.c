// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ipfix_socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/util/stop.h"

/* A collector's socket holds some 90 messages unless its administrator gave it more, so not more than these are sent at
 * once: 1,000 messages a second. */
#define BURST_MESSAGES 10
#define BURST_PAUSE_MS 10
#define ICMP_WAIT_MS 20
#define ACKNOWLEDGED_CHECK_MS 5
#define STOP_MS 3000
#define MOST_UNREAD 4096 /* bytes that a collector may have sent */

static const char no_answer[] = "no answer in time (see --timeout)";

static const char *close_for(struct ipfix_socket *to, const char *reason)
{
	ipfix_socket_close(to);
	return reason;
}

void ipfix_socket_close(struct ipfix_socket *to)
{
	if (to->descriptor >= 0)
		close(to->descriptor);
	to->descriptor = -1;
}

static bool must_stop(void)
{
	return stop_is_requested() && stop_elapsed_ms() >= STOP_MS;
}

/* Returns whether something happened in time. */
static bool wait_for(int descriptor, short events, int timeout_ms)
{
	struct pollfd waited = { .fd = descriptor, .events = events };
	int result;

	do
		result = poll(&waited, 1, timeout_ms);
	while (result < 0 && errno == EINTR && !must_stop());
	return result > 0;
}

/* Returns the error that the kernel holds for the socket, as errno has it; 0: none. */
static int take_error(int descriptor)
{
	socklen_t size = sizeof(int);
	int error = 0;

	return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) ? errno : error;
}

/* ---- connecting ---- */

/* A message may have to be fragmented where a path takes less than Ethernet: it would else not be sent at all. */
static void allow_fragments(int descriptor, int family)
{
	const int never = IP_PMTUDISC_DONT, never6 = IPV6_PMTUDISC_DONT;

	if (family == AF_INET6)
		setsockopt(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &never6, sizeof(never6));
	else
		setsockopt(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof(never));
}

static const char *connect_to(struct ipfix_socket *to, const struct addrinfo *address)
{
	const int on = 1;
	int error;

	to->descriptor = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (to->descriptor < 0)
		return strerror(errno);
	if (to->is_udp)
		allow_fragments(to->descriptor, address->ai_family);
	else
		setsockopt(to->descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (!connect(to->descriptor, address->ai_addr, address->ai_addrlen))
		return NULL;
	if (errno != EINPROGRESS)
		return close_for(to, strerror(errno));
	if (!wait_for(to->descriptor, POLLOUT, to->timeout_ms))
		return close_for(to, no_answer);
	error = take_error(to->descriptor);
	return error ? close_for(to, strerror(error)) : NULL;
}

static const char *resolve(const struct ipfix_socket *to, struct addrinfo **addresses)
{
	const struct addrinfo wanted = { .ai_socktype = to->is_udp ? SOCK_DGRAM : SOCK_STREAM };
	size_t brackets = to->host[0] == '[';
	char host[256], port[8];
	int error;

	snprintf(host, sizeof(host), "%.*s", (int)(strlen(to->host) - 2 * brackets), to->host + brackets);
	snprintf(port, sizeof(port), "%u", to->port);
	error = getaddrinfo(host, port, &wanted, addresses);
	return error ? gai_strerror(error) : NULL;
}

static const char *connect_first(struct ipfix_socket *to)
{
	const struct addrinfo *address;
	struct addrinfo *addresses;
	const char *reason = resolve(to, &addresses);

	if (reason)
		return reason;
	for (address = addresses; address; address = address->ai_next) {
		reason = connect_to(to, address);
		if (!reason || must_stop())
			break;
	}
	freeaddrinfo(addresses);
	return reason;
}

/* A collector sends nothing; of TCP the end of the connection can be read. One that does send is not listened to for long. */
static bool is_connected(const struct ipfix_socket *to)
{
	char bytes[MOST_UNREAD];
	ssize_t size, all = 0;

	if (to->descriptor < 0 || to->is_udp)
		return to->descriptor >= 0;
	do {
		size = recv(to->descriptor, bytes, sizeof(bytes), MSG_DONTWAIT);
		all += size > 0 ? size : 0;
	} while ((size > 0 && all < MOST_UNREAD) || (size < 0 && errno == EINTR));
	return size > 0 || (size < 0 && errno == EAGAIN);
}

const char *ipfix_socket_connect(struct ipfix_socket *to, bool *is_new)
{
	*is_new = !is_connected(to);
	if (!*is_new)
		return NULL;
	ipfix_socket_close(to);
	return connect_first(to);
}

/* ---- writing ---- */

static void pause_after_burst(struct ipfix_socket *to)
{
	if (!to->is_udp || ++to->burst < BURST_MESSAGES)
		return;
	wait_for(to->descriptor, 0, BURST_PAUSE_MS);
	to->burst = 0;
}

const char *ipfix_socket_write(struct ipfix_socket *to, const void *bytes, size_t size)
{
	size_t written = 0;
	ssize_t part;

	while (written < size) {
		part = send(to->descriptor, (const char *)bytes + written, size - written, MSG_NOSIGNAL);
		if (part >= 0)
			written += (size_t)part;
		else if (errno != EAGAIN && errno != EINTR)
			return close_for(to, strerror(errno));
		else if (!wait_for(to->descriptor, POLLOUT, to->timeout_ms) || must_stop())
			return close_for(to, no_answer);
	}
	pause_after_burst(to);
	return NULL;
}

static const char *wait_until_acknowledged(struct ipfix_socket *to)
{
	int left = 0, before, idle_ms = 0, error;

	for (;;) {
		before = left;
		error = ioctl(to->descriptor, SIOCOUTQ, &left) ? errno : take_error(to->descriptor);
		if (error)
			return close_for(to, strerror(error));
		if (!left)
			return NULL;
		idle_ms = left == before ? idle_ms + ACKNOWLEDGED_CHECK_MS : 0;
		if (idle_ms > to->timeout_ms || must_stop())
			return close_for(to, no_answer);
		wait_for(to->descriptor, 0, ACKNOWLEDGED_CHECK_MS);
	}
}

const char *ipfix_socket_finish(struct ipfix_socket *to)
{
	int error;

	if (!to->is_udp)
		return wait_until_acknowledged(to);
	if (!wait_for(to->descriptor, 0, ICMP_WAIT_MS))
		return NULL;
	error = take_error(to->descriptor);
	return error ? close_for(to, strerror(error)) : NULL;
}
