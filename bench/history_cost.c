// SPDX-License-Identifier: GPL-2.0-or-later
/* Measures what a record costs in a history: CPU time of the process, bytes in the files, and the reading of all.
 *
 *	history_cost FOLDER [RECORDS [PER_SECOND]]
 *
 * The records are those of a busy machine: 240 programs, 20,000 peers of which few are frequent, 12 of 100 connections
 * not closed in order. Without PER_SECOND they come as fast as the queue takes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "src/history/history_reader.h"
#include "src/history/history_writer.h"

#define PROGRAMS 240
#define PEERS 20000
#define BATCHES_PER_SECOND 100
#define NS_PER_SECOND 1000000000ULL

static const char *const histories[] = { "ShAaFf", "ShAaDdFf", "ShAaFfR", "Sr" };
static const char *const conn_states[] = { "SF", "SF", "RSTO", "REJ" };

static __u32 random_state = 1;

static __u32 random_below(__u32 limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (__u32)(((__u64)random_state * limit) >> 32);
}

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static __u64 random_time(__u32 scale)
{
	return (__u64)scale * (1 + random_below(1000)) / 7 + random_below(scale);
}

static void set_owner(struct nt_record *record)
{
	static char exe[PROGRAMS][64], cgroup[PROGRAMS][64];
	__u32 program = random_below(1 + random_below(PROGRAMS));

	if (!exe[program][0]) {
		snprintf(exe[program], sizeof(exe[program]), "/usr/lib/programs/program-%u", program);
		snprintf(cgroup[program], sizeof(cgroup[program]), "/system.slice/program-%u.service", program);
	}
	snprintf(record->comm, sizeof(record->comm), "program-%u", program);
	record->exe = exe[program];
	record->cgroup = cgroup[program];
	record->uid = 100 + program % 30;
	record->pid = 1000 + random_below(30000);
	record->owner_by = record->role == NT_ROLE_CLIENT ? NT_OWNER_CONNECT : NT_OWNER_IO;
}

static void set_times(struct nt_record *record, __u64 end_ns)
{
	record->duration_ns = random_time(10000000);
	record->end_ns = end_ns;
	record->start_ns = end_ns - record->duration_ns;
	record->syn_synack_ns = (long long)random_time(1000);
	record->synack_ack_ns = (long long)random_time(300);
	record->handshake_ns = record->syn_synack_ns + record->synack_ack_ns;
	record->request_ns = random_time(1000);
	record->response_ns = random_time(100000);
	record->first_fin_ns = record->duration_ns - random_time(100);
	record->wire_duration_ns = record->duration_ns + random_time(100);
	record->syn_finack_ns = (long long)(record->first_fin_ns + random_time(100));
	record->rtt_us = 20 + random_below(40000);
	record->min_rtt_us = record->rtt_us / 2;
}

static void set_end(struct nt_record *record)
{
	static const enum nt_outcome others[] = { NT_OUTCOME_RESET, NT_OUTCOME_REFUSED, NT_OUTCOME_TIMEOUT };
	__u32 kind = random_below(100) < 12 ? 2 + random_below(2) : random_below(2);

	record->outcome = kind < 2 ? NT_OUTCOME_CLOSED : others[random_below(3)];
	record->ended_by = (__u8)random_below(2);
	strcpy(record->history, histories[kind]);
	strcpy(record->conn_state, conn_states[kind]);
	record->bytes[NT_SRC] = random_below(20000);
	record->bytes[NT_DST] = random_below(200000);
	record->packets[NT_SRC] = 5 + random_below(30);
	record->packets[NT_DST] = 4 + random_below(200);
	record->retransmits[NT_SRC] = !random_below(20);
}

static void set_peer(struct nt_record *record)
{
	__u32 peer = random_below(1 + random_below(1 + random_below(PEERS)));

	memset(record->src_ip + 10, 0xff, 2);
	memset(record->dst_ip + 10, 0xff, 2);
	memcpy(record->src_ip + 12, (const __u8[]){ 10, 1, 0, 9 }, 4);
	memcpy(record->dst_ip + 12, (const __u8[]){ 203, (__u8)(peer >> 16), (__u8)(peer >> 8), (__u8)peer }, 4);
	record->src_port = (__u16)(32768 + random_below(28000));
	record->dst_port = peer % 3 ? 443 : 5432;
}

/* The times and the owner of all, so every record has some 40 values. */
#define PRESENT \
	(NT_PRESENT(NT_HAS_NETNS) | NT_PRESENT(NT_HAS_IFNAME) | NT_PRESENT(NT_HAS_PID) | NT_PRESENT(NT_HAS_COMM) | \
	 NT_PRESENT(NT_HAS_EXE) | NT_PRESENT(NT_HAS_UID) | NT_PRESENT(NT_HAS_OWNER_BY) | NT_PRESENT(NT_HAS_CGROUP) | \
	 NT_PRESENT(NT_HAS_START) | NT_PRESENT(NT_HAS_DURATION) | NT_PRESENT(NT_HAS_FIRST_FIN) | \
	 NT_PRESENT(NT_HAS_WIRE_DURATION) | NT_PRESENT(NT_HAS_SYN_SYNACK) | NT_PRESENT(NT_HAS_SYNACK_ACK) | \
	 NT_PRESENT(NT_HAS_HANDSHAKE) | NT_PRESENT(NT_HAS_SYN_FINACK) | NT_PRESENT(NT_HAS_REQUEST) | \
	 NT_PRESENT(NT_HAS_RESPONSE) | NT_PRESENT(NT_HAS_ENDED_BY) | NT_PRESENT(NT_HAS_CONN_STATE) | \
	 NT_PRESENT(NT_HAS_HISTORY) | NT_PRESENT(NT_HAS_SRC_BYTES) | NT_PRESENT(NT_HAS_DST_BYTES) | \
	 NT_PRESENT(NT_HAS_SRC_PACKETS) | NT_PRESENT(NT_HAS_DST_PACKETS) | NT_PRESENT(NT_HAS_SRC_RETRANSMITS) | \
	 NT_PRESENT(NT_HAS_DST_RETRANSMITS) | NT_PRESENT(NT_HAS_RTT) | NT_PRESENT(NT_HAS_MIN_RTT))

static void fill_record(struct nt_record *record, __u64 end_ns)
{
	memset(record, 0, sizeof(*record));
	record->present = PRESENT;
	record->role = random_below(3) ? NT_ROLE_CLIENT : NT_ROLE_SERVER;
	record->seen = NT_SEEN_WIRE | NT_SEEN_SOCKET;
	record->netns = 4026531840;
	strcpy(record->ifname, "eth0");
	snprintf(record->id, sizeof(record->id), "%08x%08x", random_below(~0U), random_below(~0U));
	set_peer(record);
	set_owner(record);
	set_times(record, end_ns);
	set_end(record);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The CPU time of making the records is measured without a history and subtracted. */
static double seconds_to_make(unsigned long records)
{
	double begin = cpu_seconds();
	struct nt_record record;
	unsigned long i;

	for (i = 0; i < records; i++) {
		fill_record(&record, i);
		__asm__ volatile("" : : "r"(&record) : "memory");
	}
	return cpu_seconds() - begin;
}

static void pause_until(double due)
{
	const struct timespec until = { (time_t)due, (long)((due - (double)(time_t)due) * 1e9) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void write_all(struct history_writer *writer, unsigned long records, unsigned long per_second)
{
	double begin = now(CLOCK_MONOTONIC);
	__u64 first_ns = (__u64)(now(CLOCK_REALTIME) * 1e9) - 24 * 3600 * NS_PER_SECOND;
	struct nt_record record;
	unsigned long i;

	for (i = 0; i < records; i++) {
		if (per_second && i % (per_second / BATCHES_PER_SECOND) == 0)
			pause_until(begin + (double)i / (double)per_second);
		fill_record(&record, first_ns + i * (24 * 3600 * NS_PER_SECOND / records));
		history_writer_add(writer, &record);
	}
}

static __u64 count_lost(struct history_writer *writer)
{
	return history_writer_lost_of_all(writer, ACCOUNTING_LOST_HISTORY_SLOW) +
	       history_writer_lost_of_all(writer, ACCOUNTING_LOST_HISTORY_DISK_FULL) +
	       history_writer_lost_of_all(writer, ACCOUNTING_LOST_HISTORY_FAILED) +
	       history_writer_lost_of_all(writer, ACCOUNTING_LOST_NO_MEMORY);
}

static int measure_writing(const char *folder, unsigned long records, unsigned long per_second)
{
	const struct history_options options = { .folder = folder, .command = "bench", .is_replay = !per_second };
	double made = seconds_to_make(records), cpu = cpu_seconds(), begin = now(CLOCK_MONOTONIC), cost;
	struct history_writer *writer;

	if (history_writer_open(&writer, &options))
		return 1;
	write_all(writer, records, per_second);
	history_writer_finish(writer);
	cost = cpu_seconds() - cpu - made;
	printf("written: %lu records in %.1f s, %.2f us of CPU each, %llu lost\n", records,
	       now(CLOCK_MONOTONIC) - begin, cost / (double)records * 1e6, (unsigned long long)count_lost(writer));
	history_writer_close(writer);
	return 0;
}

static __u64 read_file(const char *folder, const char *name, const struct history_selection *selection)
{
	struct history_reader *reader;
	struct nt_record record;
	__u64 count = 0;

	if (!history_reader_open(&reader, folder, name) && !history_reader_select(reader, selection))
		while (history_reader_next(reader, &record) == 1)
			count++;
	history_reader_close(reader);
	return count;
}

static void measure_reading(const char *folder, const char *what, const struct history_selection *selection)
{
	double cpu = cpu_seconds();
	struct history_files files;
	__u64 count = 0, bytes = 0;
	unsigned int i;

	if (history_folder_list(&files, folder))
		return;
	for (i = 0; i < files.count; i++) {
		count += read_file(folder, files.entries[i].name, selection);
		bytes += files.entries[i].bytes;
	}
	cpu = cpu_seconds() - cpu;
	printf("read, %s: %llu records, %.2f s of CPU, %.2f us each; %u files, %.1f bytes a record\n", what,
	       (unsigned long long)count, cpu, cpu / (double)count * 1e6, files.count, (double)bytes / (double)count);
	history_folder_free(&files);
}

int main(int argc, char **argv)
{
	unsigned long records = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
	unsigned long per_second = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	struct history_columns wanted = { { 0 } };
	const struct history_selection all = { .to_ns = ~0ULL }, few = { .to_ns = ~0ULL, .wanted = &wanted };

	if (argc < 2 || !records || (per_second && per_second < BATCHES_PER_SECOND)) {
		fprintf(stderr, "usage: history_cost FOLDER [RECORDS [PER_SECOND]]\n");
		return 2;
	}
	if (measure_writing(argv[1], records, per_second))
		return 1;
	measure_reading(argv[1], "all columns", &all);
	history_columns_add(&wanted, "dst_ip");
	history_columns_add(&wanted, "outcome");
	history_columns_add(&wanted, "src_bytes");
	measure_reading(argv[1], "peer, outcome and bytes", &few);
	return 0;
}
