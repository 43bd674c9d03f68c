// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/interfaces.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/kernel/clsact.h"
#include "src/util/message.h"

#define GONE_KEPT 256

static int open_notices(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* What the notices say is looked up afresh: they may have been too many for the socket. */
static void drain_notices(int fd)
{
	char buffer[8192];

	while (recv(fd, buffer, sizeof(buffer), 0) > 0 || errno == ENOBUFS || errno == EINTR)
		errno = 0;
}

static bool request(const char *name, unsigned long what, struct ifreq *answer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool done;

	memset(answer, 0, sizeof(*answer));
	snprintf(answer->ifr_name, sizeof(answer->ifr_name), "%s", name);
	done = fd >= 0 && !ioctl(fd, what, answer);
	if (fd >= 0)
		close(fd);
	return done;
}

static bool is_up(const char *name)
{
	struct ifreq answer;

	return request(name, SIOCGIFFLAGS, &answer) && answer.ifr_flags & IFF_UP;
}

/* Whether its packets begin with an Ethernet header. */
static bool has_ethernet_header(const char *name)
{
	struct ifreq answer;

	return request(name, SIOCGIFHWADDR, &answer) &&
	       (answer.ifr_hwaddr.sa_family == ARPHRD_ETHER || answer.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK);
}

static bool is_asked_for(const struct interface_names *asked_for, const char *name)
{
	unsigned int i;

	for (i = 0; i < asked_for->count; i++)
		if (!strcmp(asked_for->names[i], name))
			return true;
	return !asked_for->count;
}

static struct interface *find_attached(const struct interfaces *interfaces, unsigned int index)
{
	struct interface *interface;

	for (interface = interfaces->list; interface; interface = interface->next)
		if (interface->attached && interface->index == index)
			return interface;
	return NULL;
}

bool interface_is_loopback(const char *name)
{
	struct ifreq answer;

	return request(name, SIOCGIFFLAGS, &answer) && answer.ifr_flags & IFF_LOOPBACK;
}

static int attach_tcx(struct interface *interface, struct bpf_program *const programs[2])
{
	static const enum bpf_attach_type types[2] = {ATTACH_TCX_INGRESS, ATTACH_TCX_EGRESS};
	int way;

	for (way = interface_is_loopback(interface->name); way < 2; way++) {
		int fd = bpf_link_create(bpf_program__fd(programs[way]), interface->index, types[way], NULL);

		if (fd < 0)
			return -errno;
		interface->link_fds[way] = fd;
	}
	return 0;
}

static void detach(struct interfaces *interfaces, struct interface *interface)
{
	int way;

	for (way = 0; way < 2; way++) {
		if (interface->link_fds[way] >= 0)
			close(interface->link_fds[way]);
		interface->link_fds[way] = -1;
	}
	if (interface->attached && interfaces->without_tcx)
		clsact_detach(interface->index);
	interface->attached = false;
}

static int attach(struct interfaces *interfaces, struct interface *interface)
{
	bool ethernet = has_ethernet_header(interface->name);
	struct bpf_program *const programs[2] = {
		loader_wire_program(interfaces->loader, false, ethernet),
		loader_wire_program(interfaces->loader, true, ethernet),
	};
	int error = -EINVAL;

	if (!programs[0] || !programs[1])
		return -ENOTSUP;
	interfaces->loader->shared->attaching_ifindex = interface->index;
	if (!interfaces->without_tcx) {
		error = attach_tcx(interface, programs);
		if (error)
			detach(interfaces, interface);
	}
	if (error == -EINVAL) { /* before 6.6 */
		interfaces->without_tcx = true;
		error = clsact_attach(interface->index, programs[0], programs[1]);
	}
	interfaces->loader->shared->attaching_ifindex = 0;
	interface->attached = !error;
	return error;
}

static bool was_here(const struct interfaces *interfaces, const char *name)
{
	const struct interface *interface = interfaces->list;

	while (interface && strcmp(interface->name, name))
		interface = interface->next;
	return interface;
}

static int watch(struct interfaces *interfaces, unsigned int index, const char *name)
{
	bool is_back = interfaces->asked_for.count && was_here(interfaces, name);
	struct interface *interface = calloc(1, sizeof(*interface));
	int error;

	if (!interface)
		return -ENOMEM;
	interface->index = index;
	interface->link_fds[0] = interface->link_fds[1] = -1;
	snprintf(interface->name, sizeof(interface->name), "%s", name);
	error = attach(interfaces, interface);
	if (error) {
		free(interface);
		return error;
	}
	interface->next = interfaces->list;
	interfaces->list = interface;
	if (is_back)
		message_error("interface %s is back", name);
	message_detail("watching interface %s", name);
	return 0;
}

/* Attaches to every interface asked for that is there and not watched yet. */
static int watch_new(struct interfaces *interfaces)
{
	struct if_nameindex *all = if_nameindex(), *each;
	int status = EXIT_STATUS_DONE;

	for (each = all; each && each->if_index; each++) {
		int error;

		if (!is_asked_for(&interfaces->asked_for, each->if_name) || find_attached(interfaces, each->if_index))
			continue;
		if (!interfaces->asked_for.count && !is_up(each->if_name))
			continue;
		error = watch(interfaces, each->if_index, each->if_name);
		if (!error || error == -ENODEV) /* gone again */
			continue;
		message_error("cannot watch interface %s: %s; choose others with -i, or none with -i none", each->if_name,
			      strerror(-error));
		if (interfaces->asked_for.count)
			status = error == -EPERM ? EXIT_STATUS_PRIVILEGES : EXIT_STATUS_KERNEL;
	}
	if_freenameindex(all);
	return status;
}

/* A link outlives its device, and says so: tcx has the index where XDP's links have it. Another device may have its index
 * by now. */
static bool has_dead_link(const struct interface *interface)
{
	int way;

	for (way = 0; way < 2; way++) {
		struct bpf_link_info info = {0};
		__u32 length = sizeof(info);

		if (interface->link_fds[way] >= 0 && !bpf_obj_get_info_by_fd(interface->link_fds[way], &info, &length) &&
		    !info.xdp.ifindex)
			return true;
	}
	return false;
}

/* Under its name of now; one that was given a name that nobody asked for is gone. */
static bool is_there(const struct interfaces *interfaces, struct interface *interface)
{
	char name[IF_NAMESIZE];

	if (!if_indextoname(interface->index, name) || has_dead_link(interface) ||
	    !is_asked_for(&interfaces->asked_for, name))
		return false;
	memcpy(interface->name, name, sizeof(name));
	return true;
}

/* The names of the last that went are still needed: not those of all that a machine full of containers ever had. */
static void drop_long_gone(struct interfaces *interfaces)
{
	struct interface **place = &interfaces->list;
	unsigned int gone = 0;

	while (*place) {
		struct interface *interface = *place;

		gone += !interface->attached;
		if (interface->attached || gone <= GONE_KEPT) {
			place = &interface->next;
			continue;
		}
		*place = interface->next;
		free(interface);
	}
}

static bool any_attached(const struct interfaces *interfaces)
{
	const struct interface *interface = interfaces->list;

	while (interface && !interface->attached)
		interface = interface->next;
	return interface;
}

static void report_vanished(const struct interfaces *interfaces, const char *name)
{
	if (!interfaces->asked_for.count)
		message_detail("interface %s vanished", name);
	else if (any_attached(interfaces))
		message_error("interface %s vanished: tracking goes on, its packets are missing until it is back", name);
	else
		message_error("interface %s vanished: none of those to watch is left; tracking ends unless one is back "
			      "within %d s", name, INTERFACES_GRACE_SECONDS);
}

static void detach_vanished(struct interfaces *interfaces)
{
	struct interface *interface;

	for (interface = interfaces->list; interface; interface = interface->next) {
		if (!interface->attached || is_there(interfaces, interface))
			continue;
		detach(interfaces, interface);
		report_vanished(interfaces, interface->name);
	}
	drop_long_gone(interfaces);
}

int interfaces_open(struct interfaces *interfaces, struct loader *loader, const struct interface_names *asked_for)
{
	unsigned int i;

	memset(interfaces, 0, sizeof(*interfaces));
	interfaces->loader = loader;
	interfaces->asked_for = *asked_for;
	interfaces->notices_fd = -1;
	for (i = 0; i < asked_for->count; i++) {
		if (if_nametoindex(asked_for->names[i]))
			continue;
		message_error("interface %s: there is none of this name; ip link shows those there are",
			      asked_for->names[i]);
		return EXIT_STATUS_INTERFACE;
	}
	interfaces->notices_fd = open_notices();
	clsact_clean_up();
	return watch_new(interfaces);
}

void interfaces_update(struct interfaces *interfaces, __u64 now)
{
	drain_notices(interfaces->notices_fd);
	detach_vanished(interfaces);
	watch_new(interfaces);
	if (!interfaces->asked_for.count || any_attached(interfaces))
		interfaces->none_left_ns = 0;
	else if (!interfaces->none_left_ns)
		interfaces->none_left_ns = now;
}

bool interfaces_are_gone(const struct interfaces *interfaces, __u64 now)
{
	return interfaces->none_left_ns && now - interfaces->none_left_ns >= INTERFACES_GRACE_SECONDS * 1000000000ULL;
}

const char *interfaces_name(const struct interfaces *interfaces, unsigned int index)
{
	const struct interface *interface;

	for (interface = interfaces->list; interface; interface = interface->next)
		if (interface->index == index)
			return interface->name;
	return NULL;
}

void interfaces_detach(struct interfaces *interfaces)
{
	struct interface *interface;

	for (interface = interfaces->list; interface; interface = interface->next)
		detach(interfaces, interface);
}

void interfaces_close(struct interfaces *interfaces)
{
	interfaces_detach(interfaces);
	while (interfaces->list) {
		struct interface *interface = interfaces->list;

		interfaces->list = interface->next;
		free(interface);
	}
	if (interfaces->notices_fd >= 0)
		close(interfaces->notices_fd);
	interfaces->notices_fd = -1;
}
