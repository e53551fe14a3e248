/* SPDX-License-Identifier: MIT */
/* database_fixture.h - what tests of the database share: a store with its file, both as bytes,
 * and the file as others see it. */
#ifndef S3MEM_TESTS_DATABASE_FIXTURE_H
#define S3MEM_TESTS_DATABASE_FIXTURE_H

#include "disk/sqlite/database.h"
#include "failing_disk.h"
#include "store_util.h"

#define DOCUMENT_MAX MiB(80)

extern char folder[]; /* where the files are; see make_folder */

struct fixture {
    struct store *store;
    struct database *db;
    char path[128];
    enum durability durability;
    bool follow;
    uint64_t fail_nth; /* allocation while it is opened; 0: none */
};

/* False: it was refused; why says why. */
bool try_open(struct fixture *f, struct buf *why);
void open_fixture(struct fixture *f);
void close_fixture(struct fixture *f);
void remove_file(const char *path);
/* A new file of that name. */
void begin_fixture(struct fixture *f, const char *name, enum durability durability);
void add_document(struct buf *out, struct root *root);
/* All branches and snapshots as bytes: equal states are equal bytes. */
void describe(struct store *store, struct buf *out);
void assert_described(struct store *store, struct str before);
int64_t ask_sql(const char *path, const char *sql);
/* Waits until the query answers the value; fails after ten seconds. */
void wait_sql(const struct fixture *f, const char *sql, int64_t value);
/* Until the writer has nothing left to collect. */
void wait_tidy(const struct fixture *f);
/* Closed and opened again it is as it was; both ways of opening agree. */
void reopen(struct fixture *f);
/* What a call is told of the changes made so far, waited for. */
enum durable_state settle(struct fixture *f);
void copy_file(const char *from, const char *to, const char *suffix);
/* What the next start would find if the process ended now. */
void copy_database(const struct fixture *f, struct fixture *copy);
void refuse(struct fixture *f, const char *words);
void run_sql(const char *path, const char *sql);
int make_folder(void **state);
int remove_folder(void **state);

#endif
