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
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/kernel/clock.h"
#include "src/kernel/clsact.h"
#include "src/util/message.h"

#define MAX_GONE_INTERFACES 256
#define ORDER_CHECK_EVERY_NS 500000000ULL
/* Reading the order takes the kernel's lock of all interfaces, which others may hold for long. So it uses at most a
 * hundredth of a processor's time, and waits for at most a fifth of the time. */
#define ORDER_PAUSE_PER_USE 100
#define ORDER_PAUSE_PER_WAIT 4
/* For output files, scans of namespaces, the connections to the metrics (src/metrics/metrics_server.c), and other things
 * that are opened later. */
#define SPARE_DESCRIPTORS 32

static int open_notifications(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* The contents are ignored and the interfaces are listed anew: the socket may have dropped notifications. */
static void drain_notifications(int fd)
{
	char buffer[8192];

	while (recv(fd, buffer, sizeof(buffer), 0) > 0 || errno == ENOBUFS || errno == EINTR)
		errno = 0;
}

static bool query_interface(const char *name, unsigned long request_code, struct ifreq *answer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool done;

	memset(answer, 0, sizeof(*answer));
	snprintf(answer->ifr_name, sizeof(answer->ifr_name), "%s", name);
	done = fd >= 0 && !ioctl(fd, request_code, answer);
	if (fd >= 0)
		close(fd);
	return done;
}

static bool is_up(const char *name)
{
	struct ifreq answer;

	return query_interface(name, SIOCGIFFLAGS, &answer) && answer.ifr_flags & IFF_UP;
}

/* Returns whether its packets begin with an Ethernet header. */
static bool has_ethernet_header(const char *name)
{
	struct ifreq answer;

	return query_interface(name, SIOCGIFHWADDR, &answer) &&
	       (answer.ifr_hwaddr.sa_family == ARPHRD_ETHER || answer.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK);
}

static bool is_requested(const struct interface_names *requested, const char *name)
{
	unsigned int i;

	for (i = 0; i < requested->count; i++)
		if (!strcmp(requested->names[i], name))
			return true;
	return !requested->count;
}

static struct interface *find_attached(const struct interfaces *interfaces, unsigned int index)
{
	struct interface *interface;

	for (interface = interfaces->list; interface; interface = interface->next)
		if (interface->attached && interface->index == index)
			return interface;
	return NULL;
}

unsigned int interfaces_count(const struct interfaces *interfaces)
{
	const struct interface *interface;
	unsigned int count = 0;

	for (interface = interfaces->list; interface; interface = interface->next)
		count += interface->attached;
	return count;
}

static const enum bpf_attach_type tcx_directions[2] = { ATTACH_TCX_INGRESS, ATTACH_TCX_EGRESS };

bool interface_is_loopback(const char *name)
{
	struct ifreq answer;

	return query_interface(name, SIOCGIFFLAGS, &answer) && answer.ifr_flags & IFF_LOOPBACK;
}

/* A program that ends with TCX_PASS or TCX_DROP hides the packet from those after it, so ours comes first. Ours ends with
 * TCX_NEXT, and hides nothing. */
static int attach_tcx(struct interface *interface, struct bpf_program *const programs[2])
{
	LIBBPF_OPTS(bpf_link_create_opts, first, .flags = TCX_BEFORE_ALL);
	long long limit = loader_descriptor_limit();
	int direction;

	for (direction = interface_is_loopback(interface->name); direction < 2; direction++) {
		int fd = bpf_link_create(bpf_program__fd(programs[direction]), interface->index,
					 tcx_directions[direction], &first);

		if (fd < 0)
			return -errno;
		interface->link_fds[direction] = fd;
		if (fd + SPARE_DESCRIPTORS >= limit)
			return -EMFILE;
	}
	return 0;
}

static void interface_detach(struct interfaces *interfaces, struct interface *interface)
{
	int direction;

	for (direction = 0; direction < 2; direction++) {
		if (interface->link_fds[direction] >= 0)
			close(interface->link_fds[direction]);
		interface->link_fds[direction] = -1;
	}
	if (interface->attached && interfaces->without_tcx)
		clsact_detach(interface->index);
	interface->attached = false;
}

static int interface_attach(struct interfaces *interfaces, struct interface *interface)
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
			interface_detach(interfaces, interface);
	}
	if (error == -EINVAL) { /* before 6.6 */
		interfaces->without_tcx = true;
		error = clsact_attach(interface->index, programs[0], programs[1]);
	}
	interfaces->loader->shared->attaching_ifindex = 0;
	interface->attached = !error;
	if (!error && interfaces->is_open)
		interfaces->joined_ns = clock_boot_ns();
	return error;
}

static bool was_watched(const struct interfaces *interfaces, const char *name)
{
	const struct interface *interface = interfaces->list;

	while (interface && strcmp(interface->name, name))
		interface = interface->next;
	return interface;
}

static int watch_interface(struct interfaces *interfaces, unsigned int index, const char *name)
{
	bool is_back = interfaces->requested.count && was_watched(interfaces, name);
	struct interface *interface = calloc(1, sizeof(*interface));
	int error;

	if (!interface)
		return -ENOMEM;
	interface->index = index;
	interface->link_fds[0] = interface->link_fds[1] = -1;
	snprintf(interface->name, sizeof(interface->name), "%s", name);
	error = interface_attach(interfaces, interface);
	if (error) {
		free(interface);
		return error;
	}
	interface->next = interfaces->list;
	interfaces->list = interface;
	if (is_back)
		message_error("interface %s is back: its packets are tracked again", name);
	message_detail("watching interface %s", name);
	return 0;
}

static void report_unwatched(struct interfaces *interfaces, const char *name, int error)
{
	if (error != -EMFILE)
		message_error("cannot watch interface %s: %s; choose others with -i, or none with -i none", name,
			      strerror(-error));
	else if (!interfaces->out_of_descriptors)
		message_error("cannot watch interface %s and those after it: too many open files: the limit is %llu; "
			      "raise it with ulimit -n, or choose interfaces with -i",
			      name, loader_descriptor_limit());
	interfaces->out_of_descriptors |= error == -EMFILE;
}

static int status_of_unwatched(int error)
{
	if (error == -EPERM)
		return EXIT_STATUS_PRIVILEGES;
	return error == -EMFILE ? EXIT_STATUS_BROKEN : EXIT_STATUS_KERNEL;
}

/* Attaches to every requested interface that exists and is not watched yet. */
static int watch_new_interfaces(struct interfaces *interfaces)
{
	struct if_nameindex *all = if_nameindex(), *each;
	int status = EXIT_STATUS_DONE;

	for (each = all; each && each->if_index; each++) {
		int error;

		if (!is_requested(&interfaces->requested, each->if_name) || find_attached(interfaces, each->if_index))
			continue;
		if (!interfaces->requested.count && !is_up(each->if_name))
			continue;
		error = watch_interface(interfaces, each->if_index, each->if_name);
		if (!error || error == -ENODEV) /* removed meanwhile */
			continue;
		report_unwatched(interfaces, each->if_name, error);
		if (interfaces->requested.count || error == -EMFILE)
			status = status_of_unwatched(error);
		if (error == -EMFILE) /* the others would fail alike */
			break;
	}
	if (!all) {
		message_error("cannot list the interfaces: %s", strerror(errno));
		return EXIT_STATUS_BROKEN;
	}
	if_freenameindex(all);
	return status;
}

/* A tcx link outlives its interface and then has the interface index 0, in the same place as an XDP link. The index
 * alone proves nothing: another interface may have it by now. */
static bool has_dead_link(const struct interface *interface)
{
	int direction;

	for (direction = 0; direction < 2; direction++) {
		struct bpf_link_info info = { 0 };
		__u32 length = sizeof(info);

		if (interface->link_fds[direction] >= 0 &&
		    !bpf_obj_get_info_by_fd(interface->link_fds[direction], &info, &length) && !info.xdp.ifindex)
			return true;
	}
	return false;
}

/* Takes over a new name of the interface. One that was given a name which is not requested counts as gone. */
static bool is_present(const struct interfaces *interfaces, struct interface *interface)
{
	char name[IF_NAMESIZE];

	if (!if_indextoname(interface->index, name) || has_dead_link(interface) ||
	    !is_requested(&interfaces->requested, name))
		return false;
	memcpy(interface->name, name, sizeof(name));
	return true;
}

/* Records may need the names of interfaces that vanished recently. Keeping all of them would take ever more memory on a
 * machine that starts many containers. */
static void free_long_gone(struct interfaces *interfaces)
{
	struct interface **place = &interfaces->list;
	unsigned int gone = 0;

	while (*place) {
		struct interface *interface = *place;

		gone += !interface->attached;
		if (interface->attached || gone <= MAX_GONE_INTERFACES) {
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
	if (!interfaces->requested.count)
		message_detail("interface %s vanished", name);
	else if (any_attached(interfaces))
		message_error("interface %s vanished: tracking goes on without its packets until it is back", name);
	else
		message_error("interface %s vanished: no watched interface is left; tracking ends unless one is back "
			      "within %d s",
			      name, INTERFACES_GRACE_SECONDS);
}

static void detach_vanished(struct interfaces *interfaces)
{
	struct interface *interface;

	for (interface = interfaces->list; interface; interface = interface->next) {
		if (!interface->attached || is_present(interfaces, interface))
			continue;
		interface_detach(interfaces, interface);
		report_vanished(interfaces, interface->name);
	}
	free_long_gone(interfaces);
}

int interfaces_open(struct interfaces *interfaces, struct loader *loader, const struct interface_names *requested)
{
	unsigned int i;
	int status;

	memset(interfaces, 0, sizeof(*interfaces));
	interfaces->loader = loader;
	interfaces->requested = *requested;
	interfaces->notifications_fd = -1;
	for (i = 0; i < requested->count; i++) {
		if (if_nametoindex(requested->names[i]))
			continue;
		message_error("no such interface: %s; ip link lists the interfaces", requested->names[i]);
		return EXIT_STATUS_INTERFACE;
	}
	interfaces->notifications_fd = open_notifications();
	interfaces->order_checked_ns = clock_boot_ns();
	clsact_clean_up();
	status = watch_new_interfaces(interfaces);
	interfaces->is_open = true;
	return status;
}

void interfaces_update(struct interfaces *interfaces, __u64 now)
{
	drain_notifications(interfaces->notifications_fd);
	detach_vanished(interfaces);
	watch_new_interfaces(interfaces);
	if (!interfaces->requested.count || any_attached(interfaces))
		interfaces->none_left_ns = 0;
	else if (!interfaces->none_left_ns)
		interfaces->none_left_ns = now;
}

static bool is_hook_hidden(struct interfaces *interfaces, const struct interface *interface, int direction,
			   char name[BPF_OBJ_NAME_LEN])
{
	return interface->link_fds[direction] >= 0 &&
	       tcx_order_find_hiding(&interfaces->order, interface->index, tcx_directions[direction],
				     interface->link_fds[direction], name);
}

static const struct interface *find_hidden(struct interfaces *interfaces, char name[BPF_OBJ_NAME_LEN])
{
	const struct interface *interface;

	for (interface = interfaces->list; interface; interface = interface->next)
		if (is_hook_hidden(interfaces, interface, 0, name) || is_hook_hidden(interfaces, interface, 1, name))
			return interface;
	return NULL;
}

static void note_order(struct interfaces *interfaces, bool is_hidden, __u64 now)
{
	bool was_hidden = interfaces->hidden_until_ns == ~0ULL;

	if (is_hidden && !was_hidden) {
		interfaces->hidden_from_ns = interfaces->order_checked_ns;
		interfaces->hidden_until_ns = ~0ULL;
	} else if (!is_hidden && was_hidden) {
		interfaces->hidden_until_ns = now;
	}
}

static __u64 own_processor_ns(void)
{
	struct timespec used = { 0 };

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return used.tv_sec * 1000000000ULL + used.tv_nsec;
}

static __u64 pause_after_reading(__u64 used_ns, __u64 took_ns)
{
	__u64 for_use = used_ns * ORDER_PAUSE_PER_USE, for_wait = took_ns * ORDER_PAUSE_PER_WAIT;

	return for_use > for_wait ? for_use : for_wait;
}

static void read_order(struct interfaces *interfaces, __u64 now)
{
	__u64 used_before = own_processor_ns();
	char name[BPF_OBJ_NAME_LEN];
	const struct interface *hidden = find_hidden(interfaces, name);

	if (hidden && !interfaces->hidden_from_ns)
		message_error("another tcx program, %s, runs before netracker's on interface %s and may hide packets: "
			      "records have the gap hidden meanwhile; start netracker again after it",
			      name, hidden->name);
	note_order(interfaces, hidden, now);
	interfaces->order_checked_ns = now;
	interfaces->order_pause_ns = pause_after_reading(own_processor_ns() - used_before, clock_boot_ns() - now);
}

void interfaces_check_order(struct interfaces *interfaces, __u64 now, __u64 since)
{
	__u64 age = now - interfaces->order_checked_ns;
	bool is_due = age >= ORDER_CHECK_EVERY_NS || since > interfaces->order_checked_ns;

	if (!interfaces->without_tcx && is_due && age >= interfaces->order_pause_ns)
		read_order(interfaces, now);
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
		interface_detach(interfaces, interface);
}

void interfaces_close(struct interfaces *interfaces)
{
	interfaces_detach(interfaces);
	while (interfaces->list) {
		struct interface *interface = interfaces->list;

		interfaces->list = interface->next;
		free(interface);
	}
	if (interfaces->notifications_fd >= 0)
		close(interfaces->notifications_fd);
	interfaces->notifications_fd = -1;
}
