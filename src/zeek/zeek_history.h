/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zeek's history: a letter for what each side did, upper case for the originator, in the order it was seen.
 *
 *   letter   what                                    repeated
 *   -------- --------------------------------------- --------------------------------------------------
 *   S H F R  SYN, SYN-ACK, FIN, RST, and only one    where its sequence number differs from the last's
 *   I Q      FIN with RST; SYN with FIN or RST       never
 *   A D      no SYN, FIN, RST: pure ACK; payload     never
 *   C T W G  bad checksum, payload sent again, zero  at the 10th, 100th, ...
 *            window, gap
 *   ^        the roles were changed                  every time
 */
#ifndef NETRACKER_ZEEK_HISTORY_H
#define NETRACKER_ZEEK_HISTORY_H

#include <stdlib.h>

#include "zeek_endpoint.h"

/* Who sends a FIN or RST of another sequence number each time gets a letter each time: somewhere is an end. */
#define NT_ZEEK_MOST_LETTERS 65536

/* Letters that a role gives freely only once; the responder's are 16 bits further left (HistoryMasks). */
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
	char *text; /* ends with a NUL; NULL while there is none */
	__u32 length, room;
	__u32 given; /* enum nt_zeek_letter, of both roles; stays as it is when these change */
};

/* Without memory, or where there are too many, the letter is lost. */
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

/* 1 where the role had given it before, and it was not added. */
static inline int nt_zeek_history_once(struct nt_zeek_history *history, enum nt_zeek_letter which, char letter,
				       int is_orig)
{
	__u32 bit = is_orig ? (__u32)which : (__u32)which << 16;

	if (history->given & bit)
		return 1;
	history->given |= bit;
	nt_zeek_history_add(history, nt_zeek_letter_of(letter, is_orig));
	return 0;
}

/* A letter of one of SYN, FIN and RST; *last is the sequence number of the last such. */
static inline void nt_zeek_history_anew(struct nt_zeek_history *history, enum nt_zeek_letter which, char letter,
					int is_orig, __u64 sequence, __u64 *last)
{
	if (nt_zeek_history_once(history, which, letter, is_orig) && sequence != *last)
		nt_zeek_history_add(history, nt_zeek_letter_of(letter, is_orig));
	*last = sequence;
}

static inline void nt_zeek_history_scaled(struct nt_zeek_history *history, struct nt_zeek_scale *scale, char letter,
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
