/* SPDX-License-Identifier: MIT */
/* persist_json.c - --persist FILE.json: the one bucket of branch main in MemoryClient's format,
 * loaded at the start and, with --auto-persist, written as a whole a moment after changes.
 *
 *   clean -> a change -> SETTLE_NS later a state is written -> clean, or the next one at once
 *
 * A thread of its own writes; observers only count. Two buckets do not fit: then nothing is
 * written, what the file had stays, and the log and the statistics say so. */
#include "server/persist_json.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_NS NS_PER_S       /* so that many changes are one file */
#define RETRY_NS  (5 * NS_PER_S) /* after a failure */
#define PIECE     KiB(256)

struct json_file {
    struct store *store;
    char *path, *folder, *name;
    bool follows;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    uint64_t changes, written, commits;
    int64_t dirty_ns; /* monotonic: since when something is to be written; 0: nothing */
    bool stopping;
    char error[256]; /* of the last try; empty: it went well */
    bool told_lost;  /* the thread's own */
};

/* ---- writing ----------------------------------------------------------------------- */

/* The one bucket's name. False with why: there is none, or there are several. */
static bool choose_bucket(struct root *root, char out[64], char *why, size_t size)
{
    struct bucket_info info;
    size_t count = 0;

    out[0] = '\0';
    for (char after[64] = ""; root_bucket_next(root, str_c(after), false, &info); count++) {
        memcpy(after, info.name, sizeof(after));
        memcpy(out, info.name, sizeof(info.name));
        bucket_info_release(&info);
    }
    if (count > 1)
        snprintf(why, size,
                 "there are %zu buckets, and a JSON file holds one: nothing is written. Use "
                 "--persist=FILE.db",
                 count);
    return count == 1;
}

static int write_all(struct memory_json_writer *w, struct new_file *file)
{
    char *piece = xmalloc(PIECE);
    enum document_state state = DOCUMENT_MORE;
    size_t len;
    int err = 0;

    while (!err && state == DOCUMENT_MORE) {
        state = memory_json_write(w, piece, PIECE, &len);
        err = new_file_write(file, piece, len);
    }
    mem_free(piece);
    return err ? err : state == DOCUMENT_FAILED ? ENOMEM : 0;
}

static int write_file(const struct json_file *f, struct memory_json_writer *w)
{
    int dir = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct new_file file;
    int err;

    if (dir < 0)
        return errno;
    err = new_file_begin(&file, dir, f->name);
    if (!err)
        err = write_all(w, &file);
    if (!err)
        err = new_file_commit(&file);
    new_file_drop(&file);
    close(dir);
    return err;
}

/* Once: the next states will have such things, too. */
static void tell_lost(struct json_file *f, struct memory_json_writer *w)
{
    while (memory_json_look(w, SIZE_MAX))
        continue;
    if (f->told_lost || !memory_json_loses(memory_json_lost(w)))
        return;
    f->told_lost = true;
    log_warn("%s: a JSON file holds current objects only; versions, uploads, tags and other "
             "headers stay in memory. --persist=FILE.db keeps everything",
             f->path);
}

/* The state as it is now. False with why. */
static bool write_state(struct json_file *f, char *why, size_t size)
{
    AUTO(branch) b = store_branch(f->store, STR("main"));
    AUTO(root) root = branch_root(b);
    AUTO(memory_json_writer) w = NULL;
    char bucket[64];
    int err;

    why[0] = '\0';
    if (!choose_bucket(root, bucket, why, size))
        return why[0] == '\0'; /* no bucket: nothing to be kept */
    w = memory_json_writer_new(root, str_c(bucket), NULL);
    if (!w)
        return true;
    tell_lost(f, w);
    err = write_file(f, w);
    if (err)
        snprintf(why, size, "%s", strerror(err));
    return !err;
}

/* Lock held before and after, not meanwhile. */
static bool write_now_locked(struct json_file *f)
{
    uint64_t changes = f->changes;
    char why[sizeof(f->error)];
    bool ok, news;

    f->dirty_ns = 0;
    pthread_mutex_unlock(&f->lock);
    ok = write_state(f, why, sizeof(why));
    pthread_mutex_lock(&f->lock);
    news = strcmp(why, f->error) != 0;
    memcpy(f->error, why, sizeof(why));
    if (ok) {
        f->written = changes;
        f->commits++;
        if (news)
            log_info("%s is written again", f->path);
        return true;
    }
    if (f->dirty_ns == 0)
        f->dirty_ns = clock_monotonic_ns();
    if (news)
        log_error("%s: %s", f->path, why);
    return false;
}

/* ---- following --------------------------------------------------------------------- */

static void observe(void *arg, const struct change *change)
{
    struct json_file *f = arg;

    (void)change;
    pthread_mutex_lock(&f->lock);
    f->changes++;
    if (f->dirty_ns == 0) {
        f->dirty_ns = clock_monotonic_ns();
        pthread_cond_signal(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
}

static void wait_locked(struct json_file *f, int64_t ns)
{
    int64_t until_ns = clock_monotonic_ns() + ns;
    const struct timespec until = {.tv_sec = until_ns / NS_PER_S,
                                   .tv_nsec = until_ns % NS_PER_S};

    while (!f->stopping && clock_monotonic_ns() < until_ns)
        pthread_cond_timedwait(&f->changed, &f->lock, &until);
}

static void *thread_main(void *arg)
{
    struct json_file *f = arg;
    bool ok = true;

    pthread_mutex_lock(&f->lock);
    while (!f->stopping) {
        if (f->dirty_ns == 0) {
            pthread_cond_wait(&f->changed, &f->lock);
            continue;
        }
        wait_locked(f, ok ? SETTLE_NS : RETRY_NS);
        if (!f->stopping)
            ok = write_now_locked(f);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* ---- loading ----------------------------------------------------------------------- */

static bool read_all(struct memory_json_reader *r, int fd, struct buf *why)
{
    char *piece = xmalloc(PIECE);
    enum s3_err err = S3_OK;
    ssize_t n;

    while (!err && (n = read(fd, piece, PIECE)) != 0) {
        if (n < 0) {
            buf_add_c(why, strerror(errno));
            break;
        }
        err = memory_json_feed(r, piece, (size_t)n);
    }
    mem_free(piece);
    if (why->len == 0 && !err)
        err = memory_json_finish(r);
    if (err)
        buf_add_c(why, memory_json_error(r));
    return why->len == 0;
}

static bool load(struct json_file *f, const struct memory_json_target *target, int fd,
                 struct buf *why)
{
    AUTO(memory_json_reader) r = memory_json_reader_new(target);
    AUTO(branch) b = store_branch(f->store, STR("main"));
    struct memory_json_loaded loaded;

    if (!read_all(r, fd, why))
        return false;
    if (memory_json_replace(r, &b)) {
        buf_add_c(why, memory_json_error(r));
        return false;
    }
    memory_json_loaded(r, &loaded);
    log_info("%s: %llu objects loaded into bucket %s", f->path,
             (unsigned long long)loaded.objects, loaded.bucket);
    return true;
}

/* ---- the door ---------------------------------------------------------------------- */

struct json_file *json_file_open(const char *path, const struct memory_json_target *target,
                                 bool follows, bool *found, struct buf *why)
{
    const char *slash = strrchr(path, '/');
    struct json_file *f = xcalloc(1, sizeof(*f));
    pthread_condattr_t monotonic;
    int fd;
    bool ok = true;

    f->store = target->store;
    f->path = xstrdup(path);
    f->folder = !slash          ? xstrdup(".")
                : slash == path ? xstrdup("/")
                                : xstrndup(str_of(path, (size_t)(slash - path)));
    f->name = xstrdup(slash ? slash + 1 : path);
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    *found = fd >= 0;
    if (fd >= 0) {
        ok = load(f, target, fd, why);
        close(fd);
    } else if (errno != ENOENT || !follows) {
        buf_add_c(why, strerror(errno));
        ok = false;
    }
    if (ok && follows) {
        f->follows = ok = pthread_create(&f->thread, NULL, thread_main, f) == 0;
        if (ok)
            store_observe(f->store, observe, f);
        else
            buf_add_c(why, "no thread for it can be had");
    }
    if (ok)
        return f;
    json_file_close(f);
    return NULL;
}

bool json_file_close(struct json_file *f)
{
    bool ok = true;

    if (!f)
        return true;
    if (f->follows) {
        pthread_mutex_lock(&f->lock);
        f->stopping = true;
        pthread_cond_signal(&f->changed);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
        store_unobserve(f->store, observe, f);
        pthread_mutex_lock(&f->lock);
        if (f->dirty_ns)
            ok = write_now_locked(f);
        pthread_mutex_unlock(&f->lock);
    }
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    mem_free(f->path);
    mem_free(f->folder);
    mem_free(f->name);
    mem_free(f);
    return ok;
}

void json_file_stats(struct json_file *f, struct persist_stats *out)
{
    pthread_mutex_lock(&f->lock);
    *out = (struct persist_stats){.path = f->path,
                                  .follows = f->follows,
                                  .durability = DURABILITY_RELAXED,
                                  .state = f->error[0] ? PERSIST_BEHIND : PERSIST_OK,
                                  .changes = f->changes,
                                  .written = f->written,
                                  .commits = f->commits,
                                  .behind_ns =
                                      f->error[0] ? clock_monotonic_ns() - f->dirty_ns : 0};
    memcpy(out->error, f->error, sizeof(out->error));
    pthread_mutex_unlock(&f->lock);
}
