// SPDX-License-Identifier: GPL-2.0-or-later
/* Which entries of the table of sockets the sweep removes, in a table of the kernel. An entry that it removes wrongly is a
 * connection without a record.
 */
#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/kernel/sweep.h"

#include "tests/unit/check.h"

#define NOW (2 * SWEEP_CLOSED_NS)
#define ENTRIES 5000 /* several batches */

static int make_table(void)
{
	return bpf_map_create(BPF_MAP_TYPE_HASH, "nt_sockets", sizeof(__u64), sizeof(struct nt_socket), ENTRIES, NULL);
}

static void add(int fd, __u64 address, __u8 state, __u64 close_ns)
{
	struct nt_socket socket = { .role = NT_ROLE_CLIENT, .state = state, .close_ns = close_ns, .share = 7 };

	CHECK(!bpf_map_update_elem(fd, &address, &socket, BPF_NOEXIST));
}

static bool has(int fd, __u64 address)
{
	struct nt_socket socket;

	return !bpf_map_lookup_elem(fd, &address, &socket);
}

static void check_each_kind(int fd, const struct loader *loader)
{
	add(fd, 1, NT_TCP_ESTABLISHED, 0);
	add(fd, 2, NT_TCP_CLOSE, NOW - SWEEP_CLOSED_NS - 1);
	add(fd, 3, NT_TCP_CLOSE, NOW - SWEEP_CLOSED_NS + 1);
	add(fd, 4, NT_TCP_CLOSE, NOW + 1);
	/* read while the kernel side writes the end: the state is there, the time is not */
	add(fd, 5, NT_TCP_CLOSE, 0);
	/* the same, with the time of an earlier end: the address connects again */
	add(fd, 6, NT_TCP_SYN_SENT, NOW - SWEEP_CLOSED_NS - 1);
	loader->shares.table[NT_FAIR_SOCKETS].taken = 6;
	loader->shares.table[NT_FAIR_SOCKETS].of[7] = 6;
	sweep_closed_sockets(loader, NOW);
	CHECK(has(fd, 1));
	CHECK(!has(fd, 2));
	CHECK(has(fd, 3));
	CHECK(has(fd, 4));
	CHECK(has(fd, 5));
	CHECK(has(fd, 6));
	CHECK(loader->shares.table[NT_FAIR_SOCKETS].taken == 5);
	CHECK(loader->shares.table[NT_FAIR_SOCKETS].of[7] == 5);
}

static void check_batches(int fd, const struct loader *loader)
{
	__u64 address;
	unsigned int left = 0;

	for (address = 1000; address < 1000 + ENTRIES / 2; address++)
		add(fd, address, address % 2 ? NT_TCP_CLOSE : NT_TCP_ESTABLISHED, NOW - SWEEP_CLOSED_NS - 1);
	sweep_closed_sockets(loader, NOW);
	for (address = 1000; address < 1000 + ENTRIES / 2; address++)
		left += has(fd, address);
	CHECK(left == ENTRIES / 4);
}

int main(void)
{
	static struct nt_shares counts[NT_FAIR_TABLES];
	const struct loader loader = { .sockets_fd = make_table(), .socket_capacity = ENTRIES, .shares.table = counts };

	if (loader.sockets_fd < 0) {
		check_skip("sweep: the kernel does not let us make a table");
		return check_finish();
	}
	check_each_kind(loader.sockets_fd, &loader);
	check_batches(loader.sockets_fd, &loader);
	close(loader.sockets_fd);
	return check_finish();
}
