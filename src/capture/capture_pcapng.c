// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_pcapng.h"

#include <errno.h>
#include <pcap/dlt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECTION 0x0a0d0d0a
#define INTERFACE 1
#define PACKET 2 /* obsolete; written by early versions of the format */
#define SIMPLE_PACKET 3
#define ENHANCED_PACKET 6
#define PROCESS 0x80000001 /* of Apple: a process, to which packets refer by its index in the section */

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define BLOCK_HEADER 8
#define BLOCK_LEAST 12 /* with the length, which is repeated at the end */
#define BLOCK_MOST (16 << 20)
#define PACKET_HEADER 20 /* interface, time, captured and original length */
#define MOST_INTERFACES 65536
#define MOST_PROCESSES 65536

/* Options of all blocks, of interfaces and processes, of interfaces, of packets. The last two are Apple's. */
#define OPTION_END 0
#define OPTION_COMMENT 1
#define OPTION_NAME 2
#define OPTION_RESOLUTION 9
#define OPTION_OFFSET 14
#define OPTION_FLAGS 2
#define OPTION_PROCESS_AND_THREAD 8
#define OPTION_PROCESS_INDEX 0x8001
#define OPTION_EFFECTIVE_PROCESS_INDEX 0x8003

#define FLAGS_DIRECTION 3 /* of the flags of a packet */
#define FLAGS_OUTBOUND 2

#define NS_PER_SECOND 1000000000ULL
#define MOST_NS (~0ULL >> 1)

struct interface {
	struct capture_interface id;
	int link_type;     /* libpcap's DLT_ number */
	__u32 snap_length; /* 0: none */
	__u8 resolution;   /* encoded as in the option if_tsresol; 6: microseconds */
	__s64 offset;      /* seconds, added to each time */
};

struct capture_pcapng {
	FILE *stream;
	struct interface_names *names; /* NULL: not kept */
	bool swapped;
	struct interface *interfaces; /* those of the current section */
	__u32 interface_count;
	struct capture_process *processes; /* those of the current section */
	__u32 process_count;
	struct capture_process process;          /* of the current packet */
	const struct capture_process *effective; /* the one that it works for; NULL: none */
	__u8 *block;                             /* body of the block that was read last */
	__u32 length, capacity;                  /* bytes of block */
	const char *error;                       /* NULL: none */
};

static int fail(struct capture_pcapng *pcapng, const char *reason)
{
	pcapng->error = reason;
	return -1;
}

#pragma GCC diagnostic push
#ifndef __clang__
/* gcc's analyzer does not know that fread() fills memory from realloc(). */
#pragma GCC diagnostic ignored "-Wanalyzer-use-of-uninitialized-value"
#endif

static __u16 load16(const struct capture_pcapng *pcapng, const __u8 *at)
{
	__u16 value;

	memcpy(&value, at, sizeof(value));
	return pcapng->swapped ? __builtin_bswap16(value) : value;
}

static __u32 load32(const struct capture_pcapng *pcapng, const __u8 *at)
{
	__u32 value;

	memcpy(&value, at, sizeof(value));
	return pcapng->swapped ? __builtin_bswap32(value) : value;
}

static __u64 load64(const struct capture_pcapng *pcapng, const __u8 *at)
{
	__u64 value;

	memcpy(&value, at, sizeof(value));
	return pcapng->swapped ? __builtin_bswap64(value) : value;
}

static int read_bytes(struct capture_pcapng *pcapng, void *to, __u32 size)
{
	if (fread(to, 1, size, pcapng->stream) == size)
		return 0;
	return fail(pcapng, ferror(pcapng->stream) ? strerror(errno) : "the file ends inside a block");
}

static int grow_block(struct capture_pcapng *pcapng, __u32 size)
{
	__u8 *block;

	if (size <= pcapng->capacity)
		return 0;
	block = realloc(pcapng->block, size);
	if (!block)
		return fail(pcapng, strerror(ENOMEM));
	pcapng->block = block;
	pcapng->capacity = size;
	return 0;
}

/* Reads the rest of a block, the body and the repeated length. `done` bytes of it are in pcapng->block. */
static int read_body(struct capture_pcapng *pcapng, __u32 total, __u32 done)
{
	__u32 rest = total - BLOCK_HEADER;

	if (total > BLOCK_MOST)
		return fail(pcapng, "a block of more than 16 MiB");
	if (grow_block(pcapng, rest) || read_bytes(pcapng, pcapng->block + done, rest - done))
		return -1;
	pcapng->length = rest - 4;
	if (load32(pcapng, pcapng->block + pcapng->length) != total)
		return fail(pcapng, "a block whose two lengths differ");
	return 0;
}

static int skip_bytes(struct capture_pcapng *pcapng, __u32 size)
{
	__u8 bytes[4096];

	while (size) {
		__u32 part = size < sizeof(bytes) ? size : sizeof(bytes);

		if (read_bytes(pcapng, bytes, part))
			return -1;
		size -= part;
	}
	return 0;
}

static int check_length(struct capture_pcapng *pcapng, __u32 total)
{
	return total < BLOCK_LEAST || total % 4 ? fail(pcapng, "a block of invalid length") : 0;
}

/* `length` is the length field, whose byte order is known only after reading the magic number that follows it. */
static int read_section(struct capture_pcapng *pcapng, const __u8 *length)
{
	__u32 total;

	if (grow_block(pcapng, 4) || read_bytes(pcapng, pcapng->block, 4))
		return -1;
	pcapng->swapped = false;
	pcapng->swapped = load32(pcapng, pcapng->block) != BYTE_ORDER_MAGIC;
	if (load32(pcapng, pcapng->block) != BYTE_ORDER_MAGIC)
		return fail(pcapng, "a section header without byte-order magic");
	pcapng->interface_count = 0;
	pcapng->process_count = 0;
	total = load32(pcapng, length);
	if (check_length(pcapng, total) || read_body(pcapng, total, 4))
		return -1;
	if (pcapng->length < 16)
		return fail(pcapng, "a section header block that is too short");
	return load16(pcapng, pcapng->block + 4) == 1 ? 0 : fail(pcapng, "an unsupported version of pcapng");
}

#pragma GCC diagnostic pop

/* A LINKTYPE_ number in a file equals the DLT_ number, except for a few whose DLT_ numbers differ between systems. */
static int dlt_of(__u16 link_type)
{
	switch (link_type) {
	case 100:
		return DLT_ATM_RFC1483;
	case 101:
		return DLT_RAW;
	case 102:
		return DLT_SLIP_BSDOS;
	case 103:
		return DLT_PPP_BSDOS;
	case 106:
		return DLT_ATM_CLIP;
	default:
		return link_type;
	}
}

struct block_option {
	__u16 code, length;
	const __u8 *value;
};

/* Reads the option at *at, and moves *at to the next one. Returns false after the last one. */
static bool next_option(const struct capture_pcapng *pcapng, __u32 *at, struct block_option *option)
{
	__u32 rest = *at < pcapng->length ? pcapng->length - *at : 0, size;

	if (rest < 4)
		return false;
	option->code = load16(pcapng, pcapng->block + *at);
	option->length = load16(pcapng, pcapng->block + *at + 2);
	option->value = pcapng->block + *at + 4;
	size = (option->length + 3U) & ~3U;
	*at += 4 + size;
	return option->code != OPTION_END && size <= rest - 4;
}

/* The interface "any" of Linux stands for all; each packet's header has the index of its own. */
static bool is_any(const struct block_option *name)
{
	return name->length == 3 && !memcmp(name->value, "any", 3);
}

/* Sets all members that depend on options. */
static void apply_interface_options(const struct capture_pcapng *pcapng, struct interface *interface)
{
	struct block_option option, name = { 0 };
	__u32 at = 8;

	while (next_option(pcapng, &at, &option)) {
		if (option.code == OPTION_NAME && !is_any(&option))
			name = option;
		if (option.code == OPTION_RESOLUTION && option.length == 1)
			interface->resolution = *option.value;
		if (option.code == OPTION_OFFSET && option.length == 8)
			interface->offset = (__s64)load64(pcapng, option.value);
	}
	interface->id = interface_names_find(pcapng->names, pcapng->interface_count, name.value, name.length);
}

static int add_interface(struct capture_pcapng *pcapng)
{
	struct interface *interfaces, interface = { .resolution = 6 };

	if (pcapng->length < 8)
		return fail(pcapng, "an interface description block that is too short");
	if (pcapng->interface_count >= MOST_INTERFACES)
		return fail(pcapng, "more than 65536 interfaces");
	interface.link_type = dlt_of(load16(pcapng, pcapng->block));
	interface.snap_length = load32(pcapng, pcapng->block + 4);
	apply_interface_options(pcapng, &interface);
	interfaces = realloc(pcapng->interfaces, (pcapng->interface_count + 1) * sizeof(*interfaces));
	if (!interfaces)
		return fail(pcapng, strerror(ENOMEM));
	interfaces[pcapng->interface_count++] = interface;
	pcapng->interfaces = interfaces;
	return 0;
}

/* Returns 0, or -1 without memory. Beyond MOST_PROCESSES the packets' processes are unknown. */
static int add_process_block(struct capture_pcapng *pcapng)
{
	struct capture_process *processes, process = { 0 };
	struct block_option option, name = { 0 };
	__u32 at = 4;

	if (pcapng->length < 4 || pcapng->process_count >= MOST_PROCESSES)
		return 0;
	while (next_option(pcapng, &at, &option))
		if (option.code == OPTION_NAME)
			name = option;
	capture_process_set(&process, load32(pcapng, pcapng->block), name.value, name.length);
	processes = realloc(pcapng->processes, (pcapng->process_count + 1) * sizeof(*processes));
	if (!processes)
		return fail(pcapng, strerror(ENOMEM));
	processes[pcapng->process_count++] = process;
	pcapng->processes = processes;
	return 0;
}

/* The resolution is the negated exponent of a power of 10, or of 2 if its highest bit is set. */
static __u64 ticks_to_ns(const struct interface *interface, __u64 ticks)
{
	__u8 exponent = interface->resolution & 0x7f;
	unsigned __int128 ns = (unsigned __int128)ticks * NS_PER_SECOND;
	__int128 whole;
	int i;

	if (interface->resolution & 0x80)
		ns >>= exponent;
	else
		for (i = 0; i < exponent && ns; i++)
			ns /= 10;
	whole = (__int128)ns + (__int128)interface->offset * (__s64)NS_PER_SECOND;
	return whole < 0 ? 0 : whole > (__int128)MOST_NS ? MOST_NS : (__u64)whole;
}

/* captured: bytes of the packet in the block, beginning at `at`, according to the block. Returns 1, or -1. */
static int set_packet(struct capture_pcapng *pcapng, __u32 index, __u64 ticks, __u32 at, __u32 captured, __u32 original,
		      struct capture_packet *packet)
{
	const struct interface *interface;

	if (index >= pcapng->interface_count)
		return fail(pcapng, "a packet of an interface without a description block");
	interface = &pcapng->interfaces[index];
	if (captured > pcapng->length - at)
		return fail(pcapng, "a packet that is longer than its block");
	packet->data = pcapng->block + at;
	packet->captured = captured;
	packet->length = original;
	packet->link_type = interface->link_type;
	packet->ns = ticks_to_ns(interface, ticks);
	packet->interface = interface->id;
	packet->direction = 0;
	packet->process = NULL;
	return 1;
}

/* Returns NULL if the packet does not refer to a process, or refers to an unknown one. */
static const struct capture_process *find_process(const struct capture_pcapng *pcapng,
						  const struct block_option *option)
{
	__u32 index = option->length == 4 ? load32(pcapng, option->value) : pcapng->process_count;

	return index < pcapng->process_count ? &pcapng->processes[index] : NULL;
}

/* Apple also names the effective process, for which the other one opened the socket. */
static void apply_process_option(struct capture_pcapng *pcapng, const struct block_option *option)
{
	const struct capture_process *process = NULL;

	if (option->code == OPTION_COMMENT)
		capture_process_from_comment(&pcapng->process, (const char *)option->value, option->length);
	if (option->code == OPTION_PROCESS_AND_THREAD && option->length == 8)
		capture_process_set(&pcapng->process, load32(pcapng, option->value), NULL, 0);
	if (option->code == OPTION_PROCESS_INDEX)
		process = find_process(pcapng, option);
	if (option->code == OPTION_EFFECTIVE_PROCESS_INDEX)
		pcapng->effective = find_process(pcapng, option);
	if (process)
		capture_process_set(&pcapng->process, process->pid, process->comm, sizeof(process->comm));
}

/* The options follow the packet. */
static void apply_packet_options(struct capture_pcapng *pcapng, struct capture_packet *packet)
{
	__u32 at = PACKET_HEADER + ((packet->captured + 3) & ~3U);
	struct block_option option;

	pcapng->process = (struct capture_process){ 0 };
	pcapng->effective = NULL;
	while (next_option(pcapng, &at, &option)) {
		if (option.code == OPTION_FLAGS && option.length == 4)
			packet->direction = (load32(pcapng, option.value) & FLAGS_DIRECTION) == FLAGS_OUTBOUND;
		apply_process_option(pcapng, &option);
	}
	if (!pcapng->process.pid && pcapng->effective)
		pcapng->process = *pcapng->effective;
	if (pcapng->process.pid)
		packet->process = &pcapng->process;
}

static int parse_enhanced(struct capture_pcapng *pcapng, bool obsolete, struct capture_packet *packet)
{
	const __u8 *block = pcapng->block;
	__u32 index;

	if (pcapng->length < PACKET_HEADER)
		return fail(pcapng, "a packet block that is too short");
	index = obsolete ? load16(pcapng, block) : load32(pcapng, block);
	if (set_packet(pcapng, index, (__u64)load32(pcapng, block + 4) << 32 | load32(pcapng, block + 8), PACKET_HEADER,
		       load32(pcapng, block + 12), load32(pcapng, block + 16), packet) < 0)
		return -1;
	apply_packet_options(pcapng, packet);
	return 1;
}

/* A simple packet block belongs to the first interface and has no time. The rest is the packet and its padding. */
static int parse_simple(struct capture_pcapng *pcapng, struct capture_packet *packet)
{
	__u32 original, captured, snap_length;

	if (pcapng->length < 4 || !pcapng->interface_count)
		return fail(pcapng, "a simple packet block that is too short, or without an interface");
	original = load32(pcapng, pcapng->block);
	snap_length = pcapng->interfaces[0].snap_length;
	captured = snap_length && original > snap_length ? snap_length : original;
	return set_packet(pcapng, 0, 0, 4, captured, original, packet);
}

/* Returns 1 if the block is a packet, 0 if it is another block, -1 if it is broken. */
static int read_block(struct capture_pcapng *pcapng, __u32 type, const __u8 *length, struct capture_packet *packet)
{
	__u32 total = load32(pcapng, length);

	if (type == SECTION) /* the same number in both byte orders */
		return read_section(pcapng, length);
	if (check_length(pcapng, total))
		return -1;
	switch (type) {
	case INTERFACE:
		return read_body(pcapng, total, 0) ? -1 : add_interface(pcapng);
	case PROCESS:
		return read_body(pcapng, total, 0) ? -1 : add_process_block(pcapng);
	case ENHANCED_PACKET:
	case PACKET:
		return read_body(pcapng, total, 0) ? -1 : parse_enhanced(pcapng, type == PACKET, packet);
	case SIMPLE_PACKET:
		return read_body(pcapng, total, 0) ? -1 : parse_simple(pcapng, packet);
	default:
		return skip_bytes(pcapng, total - BLOCK_HEADER);
	}
}

/* Returns 1, 0 at the end of the file, or -1. */
static int read_header(struct capture_pcapng *pcapng, __u8 header[BLOCK_HEADER])
{
	size_t size = fread(header, 1, BLOCK_HEADER, pcapng->stream);

	if (size == BLOCK_HEADER)
		return 1;
	if (ferror(pcapng->stream))
		return fail(pcapng, strerror(errno));
	return size ? fail(pcapng, "the file ends inside a block") : 0;
}

int capture_pcapng_next(struct capture_pcapng *pcapng, struct capture_packet *packet)
{
	__u8 header[BLOCK_HEADER];
	int result;

	do {
		result = read_header(pcapng, header);
		if (result != 1)
			return result;
		result = read_block(pcapng, load32(pcapng, header), header + 4, packet);
	} while (!result);
	return result;
}

bool capture_pcapng_begins(const __u8 *head, size_t size)
{
	return size >= 4 && !memcmp(head, "\n\r\r\n", 4);
}

int capture_pcapng_open(struct capture_pcapng **pcapng, FILE *stream, struct interface_names *interfaces,
			const char **reason)
{
	struct capture_pcapng *opened = calloc(1, sizeof(*opened));
	__u8 header[BLOCK_HEADER];

	*pcapng = NULL;
	*reason = strerror(ENOMEM);
	if (!opened)
		return -1;
	opened->stream = stream;
	opened->names = interfaces;
	if (read_header(opened, header) == 1 && load32(opened, header) == SECTION &&
	    !read_section(opened, header + 4)) {
		*pcapng = opened;
		return 0;
	}
	*reason = opened->error ? opened->error : "unknown file format";
	capture_pcapng_close(opened);
	return -1;
}

const char *capture_pcapng_error(const struct capture_pcapng *pcapng)
{
	return pcapng->error;
}

void capture_pcapng_close(struct capture_pcapng *pcapng)
{
	if (!pcapng)
		return;
	free(pcapng->interfaces);
	free(pcapng->processes);
	free(pcapng->block);
	free(pcapng);
}
