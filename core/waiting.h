/* The slots that tell, before any look-up, whether a packet may complete a handshake: shared by the kernel side, which
 * counts the connections that wait, and by user space, which takes stale ones out.
 */
#ifndef NETRACKER_CORE_WAITING_H
#define NETRACKER_CORE_WAITING_H

#include "key.h"

#define NT_WAITING_SLOT_BITS 16
#define NT_WAITING_SLOTS (1 << NT_WAITING_SLOT_BITS)

NT_INLINE __u32 nt_waiting_slot(const struct nt_key *key)
{
	__u64 mixed = key->words[0][0] ^ key->words[0][1] ^ key->words[1][0] ^ key->words[1][1] ^
		      ((__u64)key->port[0] << 16 | key->port[1]);

	return mixed * 0x9e3779b97f4a7c15ULL >> (64 - NT_WAITING_SLOT_BITS);
}

#endif
