/* SPDX-License-Identifier: MIT */
/* failing_disk.c - SQLite's own file system and memory with calls that fail when they are told
 * to. Files are the real ones, each behind a struct of ours. */
#include "failing_disk.h"

#include "base/base.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static _Atomic enum failing_call failing;
static _Atomic uint64_t left; /* calls until it fails */
static atomic_bool lasts, struck;

static bool fails(enum failing_call call)
{
    if (atomic_load(&failing) != call)
        return false;
    uint64_t before = atomic_load(&left);

    while (before > 0 && !atomic_compare_exchange_weak(&left, &before, before - 1))
        continue;
    bool now = before == 1 || (before == 0 && atomic_load(&lasts));

    if (now)
        atomic_store(&struck, true);
    return now;
}

void failing_disk_set(enum failing_call call, uint64_t nth, bool lasting)
{
    atomic_store(&failing, FAIL_NOTHING);
    atomic_store(&left, nth);
    atomic_store(&lasts, lasting);
    atomic_store(&struck, false);
    atomic_store(&failing, call);
}

bool failing_disk_struck(void)
{
    return atomic_load(&struck);
}

/* ---- what a power cut would leave --------------------------------------------------- */

/* A write that was not synced: a cut may undo it, or a part of it. */
struct unsynced {
    sqlite3_int64 at, old_size; /* of the file */
    int len;                    /* -1: the file was cut to `at` */
    char *old, *new;            /* old: what the file had there, old_len bytes */
    int old_len;
};

/* The database and its journal. */
#define WATCHED 2
static const char *const suffixes[WATCHED] = {"", "-wal"};
static struct watched {
    char path[160];
    sqlite3_file *real; /* NULL: it is not open */
    struct unsynced *log;
    size_t count, room;
} watched[WATCHED];
static void (*before_use)(void *arg);
static void *before_use_arg;

static void forget_log(struct watched *w)
{
    for (size_t i = 0; i < w->count; i++) {
        mem_free(w->log[i].old);
        mem_free(w->log[i].new);
    }
    w->count = 0;
}

void power_watch(const char *path, void (*before)(void *arg), void *arg)
{
    for (size_t i = 0; i < WATCHED; i++) {
        forget_log(&watched[i]);
        mem_free(watched[i].log);
        watched[i] = (struct watched){.real = NULL};
        if (path)
            snprintf(watched[i].path, sizeof(watched[i].path), "%s%s", path, suffixes[i]);
    }
    before_use = before;
    before_use_arg = arg;
}

static struct watched *watched_of(sqlite3_file *real_file)
{
    for (size_t i = 0; i < WATCHED; i++) {
        if (watched[i].real == real_file)
            return &watched[i];
    }
    return NULL;
}

static void note_unsynced(struct watched *w, const void *from, int len, sqlite3_int64 at)
{
    struct unsynced u = {.at = at, .len = len};

    w->real->pMethods->xFileSize(w->real, &u.old_size);
    if (u.old_size > at)
        u.old_len = len < 0 || u.old_size - at < len ? (int)(u.old_size - at) : len;
    u.old = xmalloc((size_t)u.old_len + 1);
    if (u.old_len > 0)
        w->real->pMethods->xRead(w->real, u.old, u.old_len, at);
    if (len > 0) {
        u.new = xmalloc((size_t)len);
        memcpy(u.new, from, (size_t)len);
    }
    if (w->count == w->room) {
        w->room = w->room > 0 ? w->room * 2 : 64;
        w->log = xrealloc(w->log, w->room * sizeof(*w->log));
    }
    w->log[w->count++] = u;
}

/* Bytes of a file as they are on disk at worst: what was synced, some of the later writes, and of
 * some of those a part. */
static void image(struct watched *w, uint64_t *random, struct buf *out)
{
    sqlite3_int64 size = 0;

    if (!w->real)
        return;
    w->real->pMethods->xFileSize(w->real, &size);
    char *bytes = xcalloc(1, (size_t)size + MiB(1));

    if (size > 0)
        w->real->pMethods->xRead(w->real, bytes, (int)size, 0);
    for (size_t i = w->count; i-- > 0;) {
        memcpy(bytes + w->log[i].at, w->log[i].old, (size_t)w->log[i].old_len);
        size = w->log[i].old_size;
    }
    for (size_t i = 0; i < w->count; i++) {
        const struct unsynced *u = &w->log[i];
        int len = u->len;

        *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if ((*random >> 40) % 3 == 0)
            continue; /* it never came there */
        if (len < 0) {
            size = u->at < size ? u->at : size;
            continue;
        }
        if ((*random >> 50) % 3 == 0)
            len = (int)((*random >> 33) % (uint64_t)(len / 512 + 1)) * 512;
        if (len == 0)
            continue;
        if (u->at > size)
            memset(bytes + size, 0, (size_t)(u->at - size));
        memcpy(bytes + u->at, u->new, (size_t)len);
        size = u->at + len > size ? u->at + len : size;
    }
    buf_add(out, str_of(bytes, (size_t)size));
    mem_free(bytes);
}

void power_cut(const char *to, uint64_t *random)
{
    for (size_t i = 0; i < WATCHED; i++) {
        AUTO_BUF(bytes, MiB(256));
        char name[160];

        snprintf(name, sizeof(name), "%s%s", to, suffixes[i]);
        FILE *out = fopen(name, "w");

        image(&watched[i], random, &bytes);
        if (bytes.len > 0)
            fwrite(bytes.ptr, 1, bytes.len, out);
        fclose(out);
    }
}

static void use_watched(sqlite3_file *real_file, const void *from, int len, sqlite3_int64 at)
{
    struct watched *w = watched_of(real_file);

    if (!w)
        return;
    if (before_use)
        before_use(before_use_arg);
    if (len != 0)
        note_unsynced(w, from, len, at);
}

/* ---- files ------------------------------------------------------------------------- */

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs ours, *theirs;

static sqlite3_file *real(sqlite3_file *f)
{
    return ((struct file *)f)->real;
}

#define PASS(name, params, args)                                                               \
    static int pass_##name params                                                              \
    {                                                                                          \
        return real(f)->pMethods->name args;                                                   \
    }
PASS(xRead, (sqlite3_file * f, void *to, int len, sqlite3_int64 at), (real(f), to, len, at))
PASS(xFileSize, (sqlite3_file * f, sqlite3_int64 *size), (real(f), size))
PASS(xLock, (sqlite3_file * f, int level), (real(f), level))
PASS(xUnlock, (sqlite3_file * f, int level), (real(f), level))
PASS(xCheckReservedLock, (sqlite3_file * f, int *out), (real(f), out))
PASS(xFileControl, (sqlite3_file * f, int op, void *arg), (real(f), op, arg))
PASS(xSectorSize, (sqlite3_file * f), (real(f)))
PASS(xDeviceCharacteristics, (sqlite3_file * f), (real(f)))
PASS(xShmMap, (sqlite3_file * f, int page, int size, int extend, void volatile **out),
     (real(f), page, size, extend, out))
PASS(xShmLock, (sqlite3_file * f, int offset, int n, int flags), (real(f), offset, n, flags))
PASS(xShmUnmap, (sqlite3_file * f, int delete_it), (real(f), delete_it))
PASS(xFetch, (sqlite3_file * f, sqlite3_int64 at, int len, void **out), (real(f), at, len, out))
PASS(xUnfetch, (sqlite3_file * f, sqlite3_int64 at, void *p), (real(f), at, p))

static void pass_xShmBarrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int close_file(sqlite3_file *f)
{
    struct watched *w = watched_of(real(f));

    if (w)
        w->real = NULL;
    return real(f)->pMethods ? real(f)->pMethods->xClose(real(f)) : SQLITE_OK;
}

static int write_file(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
    if (fails(FAIL_WRITE))
        return SQLITE_IOERR_WRITE;
    if (fails(FAIL_FULL))
        return SQLITE_FULL;
    use_watched(real(f), from, len, at);
    return real(f)->pMethods->xWrite(real(f), from, len, at);
}

/* Only a power cut would tell whether it was done, and it takes most of the time. */
static int sync_file(sqlite3_file *f, int flags)
{
    struct watched *w = watched_of(real(f));

    (void)flags;
    if (fails(FAIL_SYNC))
        return SQLITE_IOERR_FSYNC;
    use_watched(real(f), NULL, 0, 0);
    if (w)
        forget_log(w);
    return SQLITE_OK;
}

static int truncate_file(sqlite3_file *f, sqlite3_int64 size)
{
    if (fails(FAIL_TRUNCATE))
        return SQLITE_IOERR_TRUNCATE;
    use_watched(real(f), NULL, -1, size);
    return real(f)->pMethods->xTruncate(real(f), size);
}

static const sqlite3_io_methods methods = {
    .iVersion = 3,
    .xClose = close_file,
    .xRead = pass_xRead,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = pass_xFileSize,
    .xLock = pass_xLock,
    .xUnlock = pass_xUnlock,
    .xCheckReservedLock = pass_xCheckReservedLock,
    .xFileControl = pass_xFileControl,
    .xSectorSize = pass_xSectorSize,
    .xDeviceCharacteristics = pass_xDeviceCharacteristics,
    .xShmMap = pass_xShmMap,
    .xShmLock = pass_xShmLock,
    .xShmBarrier = pass_xShmBarrier,
    .xShmUnmap = pass_xShmUnmap,
    .xFetch = pass_xFetch,
    .xUnfetch = pass_xUnfetch,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct file *file = (struct file *)f;
    int err;

    (void)vfs;
    file->real = (sqlite3_file *)(file + 1);
    memset(file->real, 0, (size_t)theirs->szOsFile);
    err = theirs->xOpen(theirs, name, file->real, flags, out);
    f->pMethods = file->real->pMethods ? &methods : NULL;
    for (size_t i = 0; name && !err && i < WATCHED; i++) {
        if (strcmp(name, watched[i].path) == 0)
            watched[i].real = file->real;
    }
    return err;
}

/* ---- memory ------------------------------------------------------------------------ */

static sqlite3_mem_methods memory;

static void *get_memory(int size)
{
    return fails(FAIL_MEMORY) ? NULL : memory.xMalloc(size);
}

static void *resize_memory(void *p, int size)
{
    return fails(FAIL_MEMORY) ? NULL : memory.xRealloc(p, size);
}

bool failing_disk_install(void)
{
    sqlite3_mem_methods failing_memory;

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory))
        return false;
    failing_memory = memory;
    failing_memory.xMalloc = get_memory;
    failing_memory.xRealloc = resize_memory;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing_memory) || sqlite3_initialize())
        return false;
    theirs = sqlite3_vfs_find(NULL);
    ours = *theirs;
    ours.zName = "failing";
    ours.szOsFile = (int)sizeof(struct file) + theirs->szOsFile;
    ours.pNext = NULL;
    ours.xOpen = open_file;
    return sqlite3_vfs_register(&ours, 1) == SQLITE_OK;
}
