/* SPDX-License-Identifier: MIT */
/* follow.c - from the store's observer to the disk.
 *
 *   observer (any thread, under the store's locks) -> filling, a batch of entries
 *   writer's thread: takes the batch, writes it in one transaction or a few, says so to those
 *   who wait
 *
 * What cannot be written now stays in hand and is tried again: rows replace rows, so trying
 * twice does no harm. */
#include "disk/sqlite/database.h"

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
/* Garbage that goes at once. Deleting a chunk reads all of it: 4 MiB while others wait for it,
 * 128 MiB else; beside changes about as much goes as comes with them. */
#define COLLECT_ROWS          2000
#define COLLECT_ROWS_ALWAYS   200
#define COLLECT_CHUNKS        256
#define COLLECT_CHUNKS_ALWAYS 8
/* Under `always`: a change of a few bytes waits for no more than 4 MiB of others, written and
 * synced. A step of others is half of that, because what was written is copied from the journal
 * into the file afterwards: the journal is part of the step. Inside a body a step ends after
 * PIECE_BYTES when changes came meanwhile. */
#define STEP_BYTES  MiB(2)
#define PIECE_BYTES KiB(512)
#define SMALL_BYTES KiB(64)
#define HELD_MAX    64   /* so many changes are passed at most */
#define OWN_MAX     5000 /* a call with more changes waits for all */
/* Under `relaxed`: so much is one transaction. */
#define TRANSACTION_BYTES MiB(64)
/* Pages of the journal that are copied into the file at once. */
#define JOURNAL_PAGES_RELAXED 4000
#define JOURNAL_PAGES_ALWAYS  512

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
    if (text.len == 0) /* there may be no room at all */
        return;
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
        .owner = durable_now,
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

/* Is this change, by its number, on disk? */
static bool change_is_safe_locked(const struct database *db, uint64_t number)
{
    uint64_t at = number - db->safe - 1; /* in hand */

    return number <= db->safe + db->hand_safe ||
           (at < db->hand.count && db->hand.entries[at].done);
}

/* The entry of a change that is not safe; NULL: it is not in memory any more. */
static const struct queued *waiting_change_locked(const struct database *db, uint64_t number)
{
    uint64_t at = number - db->safe - 1;

    if (at < db->hand.count)
        return &db->hand.entries[at];
    at -= db->hand.count;
    return at < db->filling.count ? &db->filling.entries[at] : NULL;
}

/* A call with changes of its own waits for those, another one for all that were made before. */
static bool is_safe_locked(const struct database *db, const struct durable_wait *w)
{
    if (db->safe + db->hand_safe + 1 >= w->ticket)
        return true;
    if (w->first == 0 || w->ticket - w->first > OWN_MAX)
        return false;
    for (uint64_t number = w->first; number < w->ticket; number++) {
        const struct queued *e;

        if (change_is_safe_locked(db, number))
            continue;
        e = waiting_change_locked(db, number);
        if (!e || e->owner == w)
            return false;
    }
    return true;
}

/* Those whose changes are safe; all, when nothing can be written. */
static void wake_waiting_locked(struct database *db)
{
    struct durable_wait *w = db->waiting;

    while (w) {
        struct durable_wait *next = w->next;

        if (db->state != PERSIST_OK || is_safe_locked(db, w)) {
            *w->link = next;
            if (next)
                next->link = w->link;
            w->link = NULL;
            w->waker->wake(w->waker);
        }
        w = next;
    }
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
        if (durable_now) {
            if (durable_now->first == 0)
                durable_now->first = db->queued;
            durable_now->ticket = db->queued + 1;
        }
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
    db->overtaking = false;
    for (size_t i = 0; i < db->hand.count; i++)
        db->hand.entries[i].passing = false;
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

static bool is_always(const struct database *db)
{
    return db->options.durability == DURABILITY_ALWAYS;
}

/* What was committed of the entries in hand is safe: that is told to those who wait. */
static void note_safe(struct database *db)
{
    pthread_mutex_lock(&db->lock);
    if (db->hand_safe < db->committed)
        db->hand_safe = db->committed;
    while (db->hand_safe < db->hand.count && db->hand.entries[db->hand_safe].done)
        db->hand_safe++;
    db->commits++;
    wake_waiting_locked(db);
    pthread_mutex_unlock(&db->lock);
}

/* Copies the journal into the file when it is that long, and nobody waits for what was committed:
 * a commit that does it for all that was written takes as long as that. */
static void copy_journal(struct database *db, int pages)
{
    if (db->wal_pages < pages)
        return;
    db->wal_pages = 0;
    /* If it fails, a write will, too. */
    sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* The same when the writer has done its work. */
static void copy_long_journal(struct database *db)
{
    copy_journal(db, is_always(db) ? JOURNAL_PAGES_ALWAYS : JOURNAL_PAGES_RELAXED);
}

/* With the numbers that were given, and some bytes less that nothing refers to. */
static bool commit(struct database *db, size_t entries)
{
    int chunks =
        is_always(db) ? 1 + (int)(db->transaction_bytes / PIECE_BYTES) : COLLECT_CHUNKS;
    bool done;

    if (!write_sequence(db) || !collect_segments(db, chunks, &done) || !sql_exec(db, "COMMIT"))
        return false;
    db->has_garbage = db->has_garbage || !done;
    db->transaction_bytes = 0;
    db->committed = entries;
    if (!check_files(db))
        return false;
    note_safe(db);
    old_remove(db);
    return true;
}

/* ---- small changes pass large ones ------------------------------------------------- */

/* Where the group of changes ends that begins here, or this one change. */
static size_t unit_end(const struct batch *b, size_t at)
{
    unsigned depth = 0;

    do {
        if (b->entries[at].kind == CHANGE_GROUP_BEGIN)
            depth++;
        else if (b->entries[at].kind == CHANGE_GROUP_END)
            depth--;
        at++;
    } while (depth > 0 && at < b->count);
    return at;
}

/* Does it change one key, and nothing that others stand on? */
static bool is_of_one_key(const struct queued *e)
{
    return e->kind == CHANGE_OBJECT_PUT || e->kind == CHANGE_OBJECT_DELETED ||
           e->kind == CHANGE_DELETE_MARKER || e->kind == CHANGE_UPLOAD_CREATED ||
           e->kind == CHANGE_UPLOAD_MARKED || e->kind == CHANGE_UPLOAD_PART ||
           e->kind == CHANGE_UPLOAD_ENDED;
}

static struct str key_of(const struct queued *e)
{
    return e->record ? record_key(e->record) : upload_key(e->upload);
}

static bool are_of_one_key(const struct batch *b, const struct queued *x,
                           const struct queued *y)
{
    size_t place = (size_t)x->branch_len + x->bucket_len;

    return x->branch_len == y->branch_len && x->bucket_len == y->bucket_len &&
           memcmp(b->text + x->text, b->text + y->text, place) == 0 &&
           str_eq(key_of(x), key_of(y));
}

/* Changes that others may pass: numbers of entries. */
struct held {
    size_t entries[HELD_MAX];
    size_t count;
};

static bool is_held(const struct batch *b, const struct queued *e, const struct held *held)
{
    for (size_t i = 0; i < held->count; i++) {
        if (are_of_one_key(b, e, &b->entries[held->entries[i]]))
            return true;
    }
    return false;
}

/* May the changes pass those that are held? *stop: they are held, and nothing may pass them. */
static bool may_pass(struct database *db, size_t at, size_t end, struct held *held, bool *stop)
{
    const struct batch *b = &db->hand;
    bool pass = true;

    for (size_t i = at; i < end && !*stop; i++) {
        const struct queued *e = &b->entries[i];

        if (e->kind == CHANGE_GROUP_BEGIN || e->kind == CHANGE_GROUP_END)
            continue;
        if (!is_of_one_key(e))
            *stop = true;
        else if (is_held(b, e, held) || unwritten_bytes(db, e) > SMALL_BYTES)
            pass = false;
    }
    if (pass && !*stop)
        return !db->err;
    for (size_t i = at; i < end && !*stop; i++) {
        if (!is_of_one_key(&b->entries[i]))
            continue;
        *stop = held->count == HELD_MAX;
        if (!*stop)
            held->entries[held->count++] = i;
    }
    return false;
}

/* What came meanwhile, behind what is in hand. */
static void take_newcomers(struct database *db)
{
    struct batch *from = &db->filling, *to = &db->hand;

    pthread_mutex_lock(&db->lock);
    for (size_t i = 0; i < from->count && db->open_groups == 0; i++) {
        struct queued *e = &from->entries[i];
        size_t len = (size_t)e->branch_len + e->bucket_len + e->name_len;

        if (!batch_reserve(to, len)) {
            /* The rest comes with the next batch. */
            memmove(from->entries, e, (from->count - i) * sizeof(*e));
            from->count -= i;
            pthread_mutex_unlock(&db->lock);
            return;
        }
        to->entries[to->count] = *e;
        to->entries[to->count++].text = to->text_len;
        add_text(to, str_of(from->text + e->text, len));
    }
    if (db->open_groups == 0) {
        to->bytes += from->bytes;
        from->count = from->text_len = 0;
        from->bytes = 0;
    }
    pthread_mutex_unlock(&db->lock);
}

static bool pass_unit(struct database *db, size_t at, size_t end)
{
    for (; at < end; at++) {
        if (!apply(db, &db->hand, &db->hand.entries[at]))
            return false;
        db->hand.entries[at].passing = true;
    }
    return true;
}

/* Those that passed and were committed are safe. */
static void mark_done(struct database *db)
{
    pthread_mutex_lock(&db->lock);
    for (size_t at = db->committed; at < db->hand.count; at++)
        db->hand.entries[at].done = db->hand.entries[at].passed;
    pthread_mutex_unlock(&db->lock);
    note_safe(db);
}

/* What is safe at the front of the hand is forgotten when it is most of it: a stream of large
 * bodies does not keep all that came and went beside it. */
static void shrink_hand(struct database *db)
{
    struct batch *b = &db->hand;
    size_t gone = db->committed < db->hand_safe ? db->committed : db->hand_safe;

    if (gone == 0 || gone >= b->count || gone < b->count - gone)
        return;
    for (size_t i = 0; i < gone; i++)
        entry_release(&b->entries[i]);
    pthread_mutex_lock(&db->lock);
    size_t text = b->entries[gone].text;
    memmove(b->entries, b->entries + gone, (b->count - gone) * sizeof(*b->entries));
    memmove(b->text, b->text + text, b->text_len - text);
    b->count -= gone;
    b->text_len -= text;
    for (size_t i = 0; i < b->count; i++)
        b->entries[i].text -= text;
    db->safe += gone;
    db->hand_safe -= gone;
    pthread_mutex_unlock(&db->lock);
    db->committed -= gone;
    db->applying -= gone;
}

/* Writes small changes in a transaction of their own, though larger ones came before: from the
 * entry at work on (`held`: it is under way), those that touch no key of a change they pass. */
static bool let_others_pass(struct database *db, size_t from, struct held *held)
{
    bool ok, any = false, stop = false;

    take_newcomers(db);
    db->others_wait = false;
    if (from >= db->hand.count)
        return true;
    ok = sql_exec(db, "BEGIN IMMEDIATE");
    db->overtaking = true;
    for (size_t at = from, end; ok && !stop && at < db->hand.count; at = end) {
        end = unit_end(&db->hand, at);
        if (db->hand.entries[at].passed)
            continue;
        if (may_pass(db, at, end, held, &stop)) {
            ok = pass_unit(db, at, end);
            any = true;
            db->others_wait = stop = db->transaction_bytes >= STEP_BYTES / 2;
        } else {
            ok = !db->err;
        }
    }
    db->overtaking = false;
    db->transaction_bytes = 0;
    if (!ok || (any && !write_sequence(db)) || !sql_exec(db, "COMMIT"))
        return false;
    for (size_t at = from; any && at < db->hand.count; at++) {
        struct queued *e = &db->hand.entries[at];

        e->passed = e->passed || e->passing;
        e->passing = false;
    }
    if (any && !check_files(db))
        return false;
    if (any)
        mark_done(db);
    return true;
}

/* The entry at work is one that others may pass: its bytes are being written. */
static void hold_entry(struct database *db, struct held *held)
{
    const struct queued *e = &db->hand.entries[db->applying];

    held->count = 0;
    if (is_of_one_key(e))
        held->entries[held->count++] = db->applying;
}

/* Did changes come that could pass those in hand? */
static bool has_newcomers(struct database *db)
{
    pthread_mutex_lock(&db->lock);
    bool came = db->filling.count > 0 && db->open_groups == 0;
    pthread_mutex_unlock(&db->lock);
    return came || db->others_wait;
}

static bool is_transaction_long(struct database *db, bool midst)
{
    uint64_t journal = (uint64_t)db->wal_pages * JOURNAL_PAGE;

    if (!is_always(db))
        return db->transaction_bytes >= TRANSACTION_BYTES;
    return db->transaction_bytes >= PIECE_BYTES &&
           (db->transaction_bytes + journal >= STEP_BYTES || (midst && has_newcomers(db)));
}

/* Lets others pass, before the journal is copied and after that: each takes its time. */
static bool step_aside(struct database *db, bool midst)
{
    struct held held;
    const int pages = STEP_BYTES / JOURNAL_PAGE;
    bool copy = db->wal_pages >= pages;

    /* Of another entry at work the names are read later. */
    if (!midst || is_of_one_key(&db->hand.entries[db->applying]))
        shrink_hand(db);
    for (int round = 0; round < 1 + copy; round++) {
        held.count = 0;
        if (round > 0)
            copy_journal(db, pages);
        if (midst)
            hold_entry(db, &held);
        if (!let_others_pass(db, db->applying + 1, &held))
            return false;
    }
    return true;
}

bool commit_if_long(struct database *db, size_t entries)
{
    bool midst = entries == db->applying;

    if (db->groups > 0 || db->overtaking || !is_transaction_long(db, midst))
        return true;
    if (!commit(db, entries))
        return false;
    if (!is_always(db))
        copy_long_journal(db);
    else if (!step_aside(db, midst))
        return false;
    return sql_exec(db, "BEGIN IMMEDIATE");
}

/* ---- a batch ----------------------------------------------------------------------- */

/* Writes what of the entries in hand is not yet committed. */
static bool write_hand(struct database *db)
{
    db->err = SQLITE_OK;
    db->files_gone = false;
    if (!check_files(db))
        return false;
    mark_done(db); /* committed before, and not told */
    if (db->hand_safe == db->hand.count)
        return true;
    if (!db->heads && !heads_read(db))
        return false;
    db->transaction_bytes = 0;
    if (!sql_exec(db, "BEGIN IMMEDIATE"))
        return false;
    for (db->applying = db->hand_safe; db->applying < db->hand.count; db->applying++) {
        struct queued e = db->hand.entries[db->applying]; /* the array may move meanwhile */

        if (!e.passed && (!apply(db, &db->hand, &e) || !commit_if_long(db, db->applying + 1)))
            return false;
    }
    if (!commit(db, db->hand.count))
        return false;
    copy_long_journal(db);
    return true;
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

static void note_success(struct database *db)
{
    int64_t now_ns = clock_monotonic_ns(), late_ns = now_ns - db->hand.oldest_ns;

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
static void write_out(struct database *db)
{
    int retries = 0;

    /* With a change missing the file would be none of the states that were. */
    if (is_broken(db))
        return;
    while (!write_hand(db)) {
        if (!note_failure(db) || (stopping(db) && ++retries == LAST_RETRIES))
            return;
        pause_ns(db, db->options.retry_ns > 0 ? db->options.retry_ns : RETRY_NS);
    }
    note_success(db);
}

/* What was written of the entries in hand is safe, and they are forgotten. */
static void drop_hand(struct database *db)
{
    pthread_mutex_lock(&db->lock);
    struct batch done = db->hand;
    db->safe += db->hand_safe;
    db->hand_safe = 0;
    db->committed = 0;
    db->hand = (struct batch){.count = 0};
    pthread_mutex_unlock(&db->lock);
    batch_clear(&done); /* not under the lock: much may be freed */
    pthread_mutex_lock(&db->lock);
    db->hand = done;
    pthread_mutex_unlock(&db->lock);
}

/* Removes some garbage in a transaction of its own. */
static void tidy(struct database *db)
{
    bool done = false;

    db->err = SQLITE_OK;
    if (!sql_exec(db, "BEGIN IMMEDIATE") ||
        !collect(db, is_always(db) ? COLLECT_ROWS_ALWAYS : COLLECT_ROWS,
                 is_always(db) ? COLLECT_CHUNKS_ALWAYS : COLLECT_CHUNKS, &done) ||
        !sql_exec(db, "COMMIT"))
        roll_back(db);
    else
        copy_long_journal(db);
    /* If it failed, the next write will find out why. */
    db->has_garbage = !done && !db->err;
}

/* The next batch, when there is one and nothing in it is half said. False: the server stops and
 * all is taken. */
static bool take_batch(struct database *db)
{
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
    struct batch empty = db->hand;
    db->hand = db->filling;
    db->filling = empty;
    if (db->hand.count > 0)
        db->behind_since_ns = db->hand.oldest_ns;
    bool more = db->hand.count > 0 || !db->stopping;
    pthread_mutex_unlock(&db->lock);
    return more;
}

static void *write_changes(void *arg)
{
    struct database *db = arg;

    db->has_garbage = true;
    while (take_batch(db)) {
        if (db->hand.count > 0)
            write_out(db);
        else if (db->has_garbage)
            tidy(db);
        drop_hand(db);
    }
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
    } else if (is_safe_locked(db, w)) {
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
                                  .written = db->safe + db->hand_safe,
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
    batch_free(&db->hand);
    if (db->safe < db->queued)
        log_error("%s: the last %llu changes are not in it", db->path,
                  (unsigned long long)(db->queued - db->safe));
    return db->safe == db->queued;
}
