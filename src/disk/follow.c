/* SPDX-License-Identifier: MIT */
/* follow.c - from the store's observer to the disk.
 *
 *   observer (any thread, under the store's locks) -> filling, a batch of entries
 *   writer's thread: takes the batch, writes it in one transaction or a few, says so to those
 *   who wait
 *
 * What cannot be written now stays in hand and is tried again: rows replace rows, so trying
 * twice does no harm. */
#include "disk/database.h"

#include <errno.h>
#include <stdio.h>

/* Under `relaxed` changes are gathered so long: the promise is 100 ms, the disk's time
 * included. */
#define GATHER_NS    (30 * NS_PER_MS)
#define RETRY_NS     (500 * NS_PER_MS)
#define LAST_RETRIES 3
/* A disk that is slower than its clients, or gone, must not cost all memory. */
#define QUEUE_MAX GiB(1)
/* Under `relaxed`: when to say that the disk does not keep up, and how often. */
#define SLOW_NS          NS_PER_S
#define SLOW_REMINDER_NS (30 * NS_PER_S)
#define COLLECT_ROWS     2000

/* ---- batches ----------------------------------------------------------------------- */

static void entry_release(struct queued *e)
{
    record_unref(e->record);
    upload_unref(e->upload);
    root_unref(e->root);
    if (e->info)
        bucket_info_release(e->info);
    mem_free(e->info);
}

static void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        entry_release(&b->entries[i]);
    b->count = b->text_len = 0;
    b->bytes = 0;
    /* A burst's memory is not kept. */
    if (b->room > 65536) {
        mem_free(b->entries);
        mem_free(b->text);
        *b = (struct batch){.count = 0};
    }
}

static void batch_free(struct batch *b)
{
    batch_clear(b);
    mem_free(b->entries);
    mem_free(b->text);
}

/* False: memory is out. */
static bool batch_reserve(struct batch *b, size_t text)
{
    if (b->count == b->room) {
        size_t room = b->room > 0 ? b->room * 2 : 256;
        struct queued *more = try_realloc(b->entries, room * sizeof(*more));

        if (!more)
            return false;
        b->entries = more;
        b->room = room;
    }
    if (b->text_room - b->text_len < text) {
        size_t room = (b->text_room + text) * 2 + KiB(4);
        char *more = try_realloc(b->text, room);

        if (!more)
            return false;
        b->text = more;
        b->text_room = room;
    }
    return true;
}

static void add_text(struct batch *b, struct str text)
{
    str_put(b->text + b->text_len, text);
    b->text_len += text.len;
}

static struct bucket_info *copy_info(const struct bucket_info *info)
{
    struct bucket_info *copy = xmalloc(sizeof(*copy));

    *copy = *info;
    doc_ref(copy->owner);
    for (size_t i = 0; i < BUCKET_DOC_COUNT; i++)
        doc_ref(copy->docs[i]);
    return copy;
}

/* What the change adds to the bytes that wait for the disk. Those of a body that others share,
 * a copy or the parts of an upload, are written once. */
static uint64_t waiting_bytes(const struct change *c)
{
    const struct part *part =
        c->kind == CHANGE_UPLOAD_PART ? upload_part_from(c->upload, c->part_number) : NULL;

    return sizeof(struct queued) + c->branch.len + c->bucket.len + c->name.len +
           (c->kind == CHANGE_OBJECT_PUT ? record_new_bytes(c->record) : 0) +
           (part ? body_new_bytes(part->body) : 0);
}

static bool batch_add(struct batch *b, const struct change *c)
{
    if (!batch_reserve(b, c->branch.len + c->bucket.len + c->name.len))
        return false;
    if (b->count == 0)
        b->oldest_ns = clock_monotonic_ns();
    b->bytes += waiting_bytes(c);
    b->entries[b->count++] = (struct queued){
        .kind = c->kind,
        .from_snapshot = c->from_snapshot,
        .part_number = c->part_number,
        .text = b->text_len,
        .branch_len = (uint16_t)c->branch.len,
        .bucket_len = (uint16_t)c->bucket.len,
        .name_len = (uint16_t)c->name.len,
        .time_ns = c->time_ns,
        .record = c->record ? record_ref(c->record) : NULL,
        .upload = upload_ref(c->upload),
        .root = c->kind == CHANGE_SNAPSHOT_LOADED ? root_ref(c->root) : NULL,
        .info = c->info ? copy_info(c->info) : NULL,
    };
    add_text(b, c->branch);
    add_text(b, c->bucket);
    add_text(b, c->name);
    return true;
}

/* ---- states ------------------------------------------------------------------------ */

static void set_error_locked(struct database *db, enum persist_state state, const char *text)
{
    if (db->state == PERSIST_BROKEN)
        return;
    if (db->state != state)
        log_error("%s: %s; %s", db->path, text,
                  state == PERSIST_BROKEN
                      ? "changes are no longer written (restart to try again)"
                      : "changes are not on disk until it can be written again");
    db->state = state;
    snprintf(db->error, sizeof(db->error), "%s", text);
}

static void wake_waiting_locked(struct database *db)
{
    struct durable_wait *w = db->waiting;

    while (w) {
        struct durable_wait *next = w->next;

        w->link = NULL;
        w->waker->wake(w->waker);
        w = next;
    }
    db->waiting = NULL;
}

/* Queues the change. Under the store's locks: nothing here waits for the disk. */
static void observe(void *arg, const struct change *change)
{
    struct database *db = arg;

    pthread_mutex_lock(&db->lock);
    if (db->state == PERSIST_BROKEN) {
        /* Nobody will write it. */
    } else if (!batch_add(&db->filling, change)) {
        set_error_locked(db, PERSIST_BROKEN, "no memory to remember a change");
        wake_waiting_locked(db);
    } else {
        db->queued++;
        if (change->kind == CHANGE_GROUP_BEGIN)
            db->open_groups++;
        else if (change->kind == CHANGE_GROUP_END)
            db->open_groups--;
        if (db->filling.count == 1 ||
            (change->kind == CHANGE_GROUP_END && db->open_groups == 0))
            pthread_cond_signal(&db->changed);
    }
    pthread_mutex_unlock(&db->lock);
}

/* ---- the writer -------------------------------------------------------------------- */

/* A failed transaction leaves nothing behind, here either. */
static void roll_back(struct database *db)
{
    if (!sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_reset(db->statements[i]);
    db->groups = 0;
    db->transaction_bytes = 0;
}

/* At least every number in the batch. */
static bool write_sequence(struct database *db)
{
    sqlite3_stmt *s = sql_begin(db, SQL_SET_SEQUENCE);

    sqlite3_bind_int64(s, 1, (int64_t)store_sequence(db->options.store));
    return sql_run(db, s);
}

/* What was just committed is on disk as long as the names are there. */
static bool check_files(struct database *db)
{
    db->files_gone = !files_stay(db);
    if (db->files_gone)
        db->err = SQLITE_IOERR;
    return !db->files_gone;
}

/* Writes what of the batch is not yet committed. */
static bool write_batch(struct database *db, const struct batch *batch)
{
    db->err = SQLITE_OK;
    db->files_gone = false;
    if (db->committed == batch->count)
        return check_files(db);
    if (db->head_count == 0 && !heads_read(db))
        return false;
    db->transaction_bytes = 0;
    if (!sql_exec(db, "BEGIN IMMEDIATE"))
        return false;
    while (db->committed < batch->count) {
        for (db->applying = db->committed; db->applying < batch->count; db->applying++) {
            if (!apply(db, batch, &batch->entries[db->applying]) ||
                !commit_if_long(db, db->applying + 1))
                return false;
        }
        if (!write_sequence(db) || !collect_segments(db) || !sql_exec(db, "COMMIT"))
            return false;
        db->committed = batch->count;
    }
    return check_files(db);
}

static bool is_damage(int err)
{
    switch (err & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISUSE:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
        return true;
    default:
        return false;
    }
}

/* Waits a little, or until the server stops. */
static void pause_ns(struct database *db, int64_t ns)
{
    int64_t until = clock_monotonic_ns() + ns;
    struct timespec t = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};

    pthread_mutex_lock(&db->lock);
    while (!db->stopping && pthread_cond_timedwait(&db->changed, &db->lock, &t) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&db->lock);
}

/* Says why the batch could not be written. False: it never will. */
static bool note_failure(struct database *db)
{
    bool damage = is_damage(db->err);
    char text[256];

    snprintf(text, sizeof(text), "%s",
             db->files_gone ? "it was removed or replaced while it was in use"
             : sqlite3_errcode(db->sql) != SQLITE_OK ? sqlite3_errmsg(db->sql)
                                                     : sqlite3_errstr(db->err));
    roll_back(db);
    heads_free(db); /* to be read anew */
    pthread_mutex_lock(&db->lock);
    set_error_locked(db, damage ? PERSIST_BROKEN : PERSIST_BEHIND, text);
    wake_waiting_locked(db);
    pthread_mutex_unlock(&db->lock);
    return !damage;
}

static void note_success(struct database *db, const struct batch *batch)
{
    int64_t now_ns = clock_monotonic_ns(), late_ns = now_ns - batch->oldest_ns;

    if (late_ns > SLOW_NS && now_ns >= db->next_warning_ns) {
        log_warn("%s: the disk does not keep up: changes were written after %.1f s", db->path,
                 (double)late_ns / NS_PER_S);
        db->next_warning_ns = now_ns + SLOW_REMINDER_NS;
    }
    pthread_mutex_lock(&db->lock);
    if (db->state == PERSIST_BEHIND) {
        log_info("%s: changes are written again", db->path);
        db->state = PERSIST_OK;
        db->error[0] = '\0';
    }
    db->safe += batch->count;
    db->commits++;
    db->behind_since_ns = 0;
    wake_waiting_locked(db);
    pthread_mutex_unlock(&db->lock);
}

static bool stopping(struct database *db)
{
    pthread_mutex_lock(&db->lock);
    bool stop = db->stopping;
    pthread_mutex_unlock(&db->lock);
    return stop;
}

static bool is_broken(struct database *db)
{
    pthread_mutex_lock(&db->lock);
    bool broken = db->state == PERSIST_BROKEN;
    pthread_mutex_unlock(&db->lock);
    return broken;
}

/* Until it is written, or never will be. */
static void write_out(struct database *db, const struct batch *batch)
{
    int retries = 0;

    /* With a change missing the file would be none of the states that were. */
    if (is_broken(db))
        return;
    db->committed = 0;
    while (!write_batch(db, batch)) {
        if (!note_failure(db) || (stopping(db) && ++retries == LAST_RETRIES))
            return;
        pause_ns(db, db->options.retry_ns > 0 ? db->options.retry_ns : RETRY_NS);
    }
    note_success(db, batch);
}

/* Removes some garbage in a transaction of its own. */
static void tidy(struct database *db)
{
    bool done = false;

    db->err = SQLITE_OK;
    if (!sql_exec(db, "BEGIN IMMEDIATE") || !collect(db, COLLECT_ROWS, &done) ||
        !sql_exec(db, "COMMIT"))
        roll_back(db);
    /* If it failed, the next write will find out why. */
    db->has_garbage = !done && !db->err;
}

/* The next batch, when there is one and nothing in it is half said. False: the server stops and
 * all is taken. */
static bool take_batch(struct database *db, struct batch *out)
{
    struct batch empty = *out;
    bool relaxed = db->options.durability == DURABILITY_RELAXED;

    pthread_mutex_lock(&db->lock);
    while (db->filling.count == 0 && !db->stopping && !db->has_garbage)
        pthread_cond_wait(&db->changed, &db->lock);
    if (relaxed && db->filling.count > 0) {
        int64_t until = db->filling.oldest_ns + GATHER_NS;
        struct timespec t = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};

        while (!db->stopping &&
               pthread_cond_timedwait(&db->changed, &db->lock, &t) != ETIMEDOUT)
            continue;
    }
    while (db->open_groups > 0)
        pthread_cond_wait(&db->changed, &db->lock);
    *out = db->filling;
    db->filling = empty;
    if (out->count > 0)
        db->behind_since_ns = out->oldest_ns;
    bool more = out->count > 0 || !db->stopping;
    pthread_mutex_unlock(&db->lock);
    return more;
}

static void *write_changes(void *arg)
{
    struct database *db = arg;
    struct batch batch = {.count = 0};

    db->has_garbage = true;
    while (take_batch(db, &batch)) {
        if (batch.count > 0)
            write_out(db, &batch);
        else if (db->has_garbage)
            tidy(db);
        batch_clear(&batch);
    }
    batch_free(&batch);
    return NULL;
}

/* ---- who waits --------------------------------------------------------------------- */

/* Under `relaxed` memory goes on without the disk, as long as it can. */
static bool accepts(void *arg)
{
    struct database *db = arg;

    pthread_mutex_lock(&db->lock);
    bool ok = db->state == PERSIST_OK ||
              (db->options.durability == DURABILITY_RELAXED && db->filling.bytes < QUEUE_MAX);
    pthread_mutex_unlock(&db->lock);
    return ok;
}

/* Need calls not ask what has become of their changes? */
static bool goes_on_locked(const struct database *db)
{
    return db->options.durability == DURABILITY_RELAXED &&
           (db->state != PERSIST_OK || db->filling.bytes < QUEUE_MAX);
}

static enum durable_state state(void *arg, struct durable_wait *w, struct waker *waker)
{
    struct database *db = arg;
    enum durable_state result = DURABLE_SAFE;

    pthread_mutex_lock(&db->lock);
    if (w->ticket == 0)
        w->ticket = db->queued + 1; /* what was queued before */
    if (goes_on_locked(db)) {
        /* It may be lost. */
    } else if (db->state == PERSIST_BROKEN) {
        result = DURABLE_FAILED; /* it was not even queued */
    } else if (db->safe + 1 >= w->ticket) {
        /* It is. */
    } else if (db->state != PERSIST_OK) {
        result = DURABLE_FAILED;
    } else {
        result = DURABLE_NOT_YET;
        if (!w->link) {
            w->waker = waker;
            w->next = db->waiting;
            w->link = &db->waiting;
            if (w->next)
                w->next->link = &w->next;
            db->waiting = w;
        }
    }
    pthread_mutex_unlock(&db->lock);
    return result;
}

static void leave(void *arg, struct durable_wait *w)
{
    struct database *db = arg;

    if (w->ticket == 0)
        return;
    pthread_mutex_lock(&db->lock);
    if (w->link) {
        *w->link = w->next;
        if (w->next)
            w->next->link = w->link;
        w->link = NULL;
    }
    pthread_mutex_unlock(&db->lock);
}

const struct durable *database_durable(struct database *db)
{
    return db->follows ? &db->durable : NULL;
}

void database_stats(struct database *db, struct persist_stats *out)
{
    pthread_mutex_lock(&db->lock);
    *out = (struct persist_stats){.path = db->path,
                                  .follows = db->follows,
                                  .state = db->state,
                                  .durability = db->options.durability,
                                  .changes = db->queued,
                                  .written = db->safe,
                                  .commits = db->commits};
    int64_t since_ns = db->behind_since_ns     ? db->behind_since_ns
                       : db->filling.count > 0 ? db->filling.oldest_ns
                                               : 0;
    out->behind_ns = since_ns ? clock_monotonic_ns() - since_ns : 0;
    memcpy(out->error, db->error, sizeof(out->error));
    pthread_mutex_unlock(&db->lock);
}

/* ---- beginning and end ------------------------------------------------------------- */

bool database_is_new(const struct database *db)
{
    return db->is_new;
}

void database_filled(struct database *db)
{
    if (!db->unfilled)
        return;
    observe(db, &(struct change){.kind = CHANGE_GROUP_END});
    db->unfilled = false;
}

/* What was to be one change with what did not come is forgotten. */
static void forget_unfilled(struct database *db)
{
    pthread_mutex_lock(&db->lock);
    db->open_groups = 0;
    db->queued = db->safe;
    batch_clear(&db->filling);
    pthread_mutex_unlock(&db->lock);
}

bool follow_start(struct database *db)
{
    errno = pthread_create(&db->thread, NULL, write_changes, db);
    if (errno)
        return false;
    db->follows = true;
    db->durable = (struct durable){db, accepts, state, leave};
    store_observe(db->options.store, observe, db);
    if (db->is_new) {
        observe(db, &(struct change){.kind = CHANGE_GROUP_BEGIN});
        db->unfilled = true;
    }
    return true;
}

bool follow_stop(struct database *db)
{
    if (!db->follows)
        return true;
    if (db->unfilled)
        forget_unfilled(db);
    pthread_mutex_lock(&db->lock);
    db->stopping = true;
    pthread_cond_broadcast(&db->changed);
    pthread_mutex_unlock(&db->lock);
    pthread_join(db->thread, NULL);
    store_unobserve(db->options.store, observe, db);
    batch_free(&db->filling);
    if (db->safe < db->queued)
        log_error("%s: the last %llu changes are not in it", db->path,
                  (unsigned long long)(db->queued - db->safe));
    return db->safe == db->queued;
}
