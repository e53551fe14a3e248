/* SPDX-License-Identifier: MIT */
/* failing_disk.c - SQLite's own file system and memory with calls that fail when they are told
 * to. Files are the real ones, each behind a struct of ours. */
#include "failing_disk.h"

#include <sqlite3.h>
#include <stdatomic.h>
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
    return real(f)->pMethods ? real(f)->pMethods->xClose(real(f)) : SQLITE_OK;
}

static int write_file(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
    if (fails(FAIL_WRITE))
        return SQLITE_IOERR_WRITE;
    if (fails(FAIL_FULL))
        return SQLITE_FULL;
    return real(f)->pMethods->xWrite(real(f), from, len, at);
}

/* Only a power cut would tell whether it was done, and it takes most of the time. */
static int sync_file(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return fails(FAIL_SYNC) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int truncate_file(sqlite3_file *f, sqlite3_int64 size)
{
    return fails(FAIL_TRUNCATE) ? SQLITE_IOERR_TRUNCATE
                                : real(f)->pMethods->xTruncate(real(f), size);
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
