/* SPDX-License-Identifier: MIT */
/* stats.h - what GET stats and GET metrics have in common. */
#ifndef S3MEM_ADMIN_STATS_H
#define S3MEM_ADMIN_STATS_H

#include "admin/call.h"
#include "admin/traffic/journal.h"
#include "admin/traffic/statistics.h"
#include "disk/disk.h"

struct memory_facts {
    uint64_t total, trees, records, bodies, requests;
    uint64_t data, overhead; /* their sum is total */
    uint64_t shared;         /* what all states together would hold beyond data if they shared
                              * nothing */
    uint64_t limit, reaping, resident;
};
/* stored: bytes of all branches and snapshots as if they shared nothing. */
void stats_memory(struct admin *admin, uint64_t stored, struct memory_facts *out);
/* Zeroes when there is no journal. */
void stats_journal(struct admin *admin, struct journal_facts *out);
/* False: there is no state on disk. */
bool stats_persistence(const struct admin *admin, struct persist_stats *out);
/* Zeroes when nobody records them. */
void stats_turns(const struct admin *admin, struct turn_record *out);
/* Counts of requests and long turns start again from 0. */
void stats_reset(struct admin *admin);
/* Of requests that run now. */
uint64_t stats_active(struct admin *admin);

/* Branches in name order, each with an unchanging view of it: pass "" first. False at the end;
 * else root is a reference. */
bool stats_next_branch(struct admin *admin, struct str after, bool inclusive,
                       struct named_info *info, struct root **root);

/* "0 Bytes", "1.5 KB", "2.89 MB": as MemoryClient's getStats formats sizes. */
void size_add_formatted(struct buf *out, uint64_t bytes);

#endif
