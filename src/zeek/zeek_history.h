/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zeek's history: a letter for each side's actions in their order; upper case for the originator.
 *
 *   letter   meaning                                 repeated
 *   -------- --------------------------------------- --------------------------------------------------
 *   S H F R  SYN, SYN-ACK, FIN, RST, no two of them  if its sequence number differs from the last's
 *   I Q      FIN with RST; SYN with FIN or RST       never
 *   A D      no SYN, FIN, RST: pure ACK; payload     never
 *   C T W G  bad checksum, retransmission, zero      at the 10th, 100th, ...
 *            window, gap
 *   ^        the roles were exchanged                every time
 */
#ifndef NETRACKER_ZEEK_HISTORY_H
#define NETRACKER_ZEEK_HISTORY_H

#include <stdlib.h>

#include "zeek_endpoint.h"

/* A hostile sender gets a letter for each FIN or RST with a new sequence number; this bounds the memory. */
#define NT_ZEEK_MOST_LETTERS 65536

/* Letters that each role adds once, or again under a condition. The responder's bits are shifted left by 16
 * (HistoryMasks).
 */
enum nt_zeek_letter {
	NT_ZEEK_LETTER_SYN = 1,
	NT_ZEEK_LETTER_FIN = 2,
	NT_ZEEK_LETTER_RST = 4,
	NT_ZEEK_LETTER_FIN_RST = 8,
	NT_ZEEK_LETTER_DATA = 16,
	NT_ZEEK_LETTER_ACK = 32,
	NT_ZEEK_LETTER_ODD_SYN = 64,
};

struct nt_zeek_history {
	char *text; /* NUL-terminated; NULL if empty */
	__u32 length, room;
	__u32 given; /* enum nt_zeek_letter bits of both roles; not exchanged with the roles */
};

/* Drops the letter without memory, or after NT_ZEEK_MOST_LETTERS. */
static inline void nt_zeek_history_add(struct nt_zeek_history *history, char letter)
{
	__u32 room = history->room ? history->room * 2 : 16;

	if (history->length >= NT_ZEEK_MOST_LETTERS)
		return;
	if (history->length + 1 >= history->room) {
		char *text = realloc(history->text, room);

		if (!text)
			return;
		history->text = text;
		history->room = room;
	}
	history->text[history->length++] = letter;
	history->text[history->length] = '\0';
}

static inline char nt_zeek_letter_of(char letter, int is_orig)
{
	return is_orig ? letter : letter + ('a' - 'A');
}

/* Adds the letter unless the role has it already. Returns 1 if it was not added. */
static inline int nt_zeek_history_add_once(struct nt_zeek_history *history, enum nt_zeek_letter which, char letter,
					   int is_orig)
{
	__u32 bit = is_orig ? (__u32)which : (__u32)which << 16;

	if (history->given & bit)
		return 1;
	history->given |= bit;
	nt_zeek_history_add(history, nt_zeek_letter_of(letter, is_orig));
	return 0;
}

/* Adds the letter of a SYN, FIN or RST if its sequence number differs from *last, that of the previous one. */
static inline void nt_zeek_history_add_if_changed(struct nt_zeek_history *history, enum nt_zeek_letter which,
						  char letter, int is_orig, __u64 sequence, __u64 *last)
{
	if (nt_zeek_history_add_once(history, which, letter, is_orig) && sequence != *last)
		nt_zeek_history_add(history, nt_zeek_letter_of(letter, is_orig));
	*last = sequence;
}

static inline void nt_zeek_history_add_scaled(struct nt_zeek_history *history, struct nt_zeek_scale *scale, char letter,
					      int is_orig)
{
	if (!scale->next)
		scale->next = 1;
	if (++scale->count != scale->next)
		return;
	nt_zeek_history_add(history, nt_zeek_letter_of(letter, is_orig));
	if (scale->next * 10 > scale->next)
		scale->next *= 10;
	else
		scale->count = 0;
}

#endif
