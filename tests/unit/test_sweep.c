// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks what the sweep changes in tables of the kernel. A socket that it removes wrongly is a connection without a record, and a
 * count below 0 hides the ACK of a handshake.
 */
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/kernel/sweep.h"

#include "tests/unit/check.h"

#define NOW (2 * SWEEP_CLOSED_NS)
#define ENTRIES 5000 /* several batches */

static int make_sockets(void)
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

static int make_waiting(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "nt_waiting", sizeof(__u32), sizeof(struct nt_fast_path_line),
			      NT_FAST_PATH_SLOTS / NT_FAST_PATH_IN_LINE, &options);
}

static void check_counts_below_zero(struct loader *loader)
{
	size_t size = NT_FAST_PATH_SLOTS / NT_FAST_PATH_IN_LINE * sizeof(struct nt_fast_path_line);
	struct nt_fast_path_line *lines;
	struct sweep *sweep;

	loader->waiting_fd = make_waiting();
	lines = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, loader->waiting_fd, 0);
	sweep = sweep_new(loader, false, true);
	if (!CHECK(lines != MAP_FAILED && sweep))
		return;
	lines[0].slot[0].handshakes = -1;
	lines[0].slot[1].handshakes = 2;
	lines[1].slot[0].handshakes = -3;
	sweep_expire_payload_waits(sweep, NOW);
	CHECK_EQUAL(lines[0].slot[0].handshakes, 0);
	CHECK_EQUAL(lines[0].slot[1].handshakes, 2);
	CHECK_EQUAL(lines[1].slot[0].handshakes, 0);
	sweep_free(sweep);
	munmap(lines, size);
	close(loader->waiting_fd);
}

int main(void)
{
	static struct nt_shares counts[NT_FAIR_TABLES];
	struct loader loader = { .sockets_fd = make_sockets(), .socket_capacity = ENTRIES, .shares.table = counts };

	if (loader.sockets_fd < 0) {
		check_skip("sweep: the kernel does not let us make a table");
		return check_finish();
	}
	check_each_kind(loader.sockets_fd, &loader);
	check_batches(loader.sockets_fd, &loader);
	check_counts_below_zero(&loader);
	close(loader.sockets_fd);
	return check_finish();
}
