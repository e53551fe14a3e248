/* SPDX-License-Identifier: MIT */
/* failing_disk.h - a disk (and SQLite's memory) of which the nth use fails. */
#ifndef S3MEM_TESTS_FAILING_DISK_H
#define S3MEM_TESTS_FAILING_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum failing_call {
    FAIL_NOTHING,
    FAIL_WRITE,
    FAIL_SYNC,
    FAIL_TRUNCATE,
    FAIL_FULL, /* a write, too, that says that the disk is full */
    FAIL_MEMORY,
    FAIL_CALLS
};

/* SQLite uses it from now on. Before anything else of SQLite's is called. */
bool failing_disk_install(void);
/* From now on the nth call of this kind fails (1: the next); lasting: and all behind it. */
void failing_disk_set(enum failing_call call, uint64_t nth, bool lasting);
/* Has one failed since then? */
bool failing_disk_struck(void);

/* Watches a database's files, until path is NULL: `before` is called, on the thread that uses them,
 * before each write and sync. Opened by one connection, which one thread uses at a time. */
void power_watch(const char *path, void (*before)(void *arg), void *arg);
/* Copies the files as a power cut would leave them now: of what was not synced anything may be
 * missing, or half there. */
void power_cut(const char *to, uint64_t *random);

#endif
