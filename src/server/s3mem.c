/* SPDX-License-Identifier: MIT */
/* s3mem.c - the public API (s3mem.h) over a server object. */
#include "s3mem.h"
#include "disk/disk.h"
#include "server/server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PUBLIC    __attribute__((visibility("default")))
#define STATS_MAX GiB(1)

struct s3mem {
    struct server server;
    char url[256];
    int port;
};

PUBLIC const char *s3mem_strerror(s3mem_result result)
{
    switch (result) {
    case S3MEM_OK:
        return "done";
    case S3MEM_EXISTS:
        return "the name is taken";
    case S3MEM_MISSING:
        return "there is nothing of that name";
    case S3MEM_INVALID:
        return "the name or the document is not valid";
    case S3MEM_NO_MEMORY:
        return "memory is out (see --max-memory)";
    case S3MEM_IO:
        return "the file cannot be read or written";
    case S3MEM_TOO_MANY:
        return "there are as many branches as --branch-limit allows";
    }
    return "unknown";
}

PUBLIC const char *s3mem_version(void)
{
    return S3MEM_VERSION;
}

/* ---- starting and stopping --------------------------------------------------------- */

static size_t count_options(const char *const *options)
{
    size_t count = 0;

    while (options && options[count])
        count++;
    return count;
}

/* The default comes first: a --listen of the caller's replaces it. */
static bool load_settings(struct settings *out, const char *const *options, struct buf *text)
{
    static const char *const no_environment[] = {NULL};
    size_t count = count_options(options);
    const char **argv = xcalloc(count + 3, sizeof(*argv));
    enum settings_result result;
    bool listens = false;
    size_t n = 1;

    argv[0] = "s3mem";
    for (size_t i = 0; i < count; i++)
        listens = listens || str_has_prefix(str_c(options[i]), STR("--listen"));
    if (!listens)
        argv[n++] = "--listen=127.0.0.1:0";
    for (size_t i = 0; i < count; i++)
        argv[n++] = options[i];
    result = settings_load(out, (int)n, argv, no_environment, text);
    mem_free(argv);
    if (result == SETTINGS_SHOWN || result == SETTINGS_CHECK) {
        buf_reset(text);
        buf_add(text, STR("--help, --version and --check are s3memd's"));
    }
    return result == SETTINGS_OK;
}

static void setup_log(const struct settings *s)
{
    enum log_level level = s->verbose ? LOG_LEVEL_DEBUG : (enum log_level)s->log_level;

    /* A library is quiet: informs only who asked. */
    if (!s->verbose && level == LOG_LEVEL_INFO)
        level = LOG_LEVEL_ERROR;
    log_setup(level, (enum log_format)s->log_format, s->access_log || s->verbose);
}

/* The host's signals are for the host's threads. */
static enum exit_status open_without_signals(struct server *server)
{
    sigset_t all, before;
    enum exit_status status;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    status = server_open(server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static void note_address(s3mem *s)
{
    AUTO_BUF(url, sizeof(s->url));
    const char *colon;

    network_local_url(&s->server, &url);
    if (url.len == 0)
        network_url(&s->server, 0, &url);
    snprintf(s->url, sizeof(s->url), "%.*s", (int)url.len, url.ptr);
    colon = strrchr(s->url, ':');
    s->port = str_has_prefix(str_c(s->url), STR("http+unix")) || !colon
                  ? 0
                  : (int)strtol(colon + 1, NULL, 10);
}

static void give_error(char *error, size_t size, struct str text)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (str_has_prefix(text, STR("s3memd: ")))
        text = str_from(text, strlen("s3memd: "));
    if (size > 0)
        snprintf(error, size, "%.*s", (int)text.len, text.ptr);
}

PUBLIC s3mem *s3mem_start(const char *const *options, char *error, size_t size)
{
    struct settings settings;
    AUTO_BUF(text, KiB(64));
    s3mem *s;

    if (!load_settings(&settings, options, &text)) {
        give_error(error, size, buf_str(&text));
        return NULL;
    }
    if (settings.init_dir[0]) {
        give_error(error, size, STR("--init-dir: scripts are run by s3memd only"));
        settings_release(&settings);
        return NULL;
    }
    s = xcalloc(1, sizeof(*s));
    server_init(&s->server, &settings);
    setup_log(&s->server.settings);
    if (open_without_signals(&s->server) || server_fill(&s->server)) {
        give_error(error, size, buf_str(&s->server.why));
        s3mem_stop(s);
        return NULL;
    }
    note_address(s);
    admin_set_ready(s->server.admin);
    return s;
}

PUBLIC void s3mem_stop(s3mem *s)
{
    if (!s)
        return;
    server_close(&s->server);
    mem_free(s);
}

PUBLIC const char *s3mem_url(const s3mem *s)
{
    return s->url;
}

PUBLIC int s3mem_port(const s3mem *s)
{
    return s->port;
}

/* ---- state ------------------------------------------------------------------------- */

static s3mem_result result_of(enum named named)
{
    switch (named) {
    case NAMED_OK:
        return S3MEM_OK;
    case NAMED_EXISTS:
        return S3MEM_EXISTS;
    case NAMED_MISSING:
        return S3MEM_MISSING;
    case NAMED_TOO_MANY:
        return S3MEM_TOO_MANY;
    case NAMED_NO_MEMORY:
        break;
    }
    return S3MEM_NO_MEMORY;
}

static s3mem_result result_of_err(enum s3_err err)
{
    switch (err) {
    case S3_OK:
        return S3MEM_OK;
    case S3_BUCKET_ALREADY_EXISTS:
    case S3_BUCKET_ALREADY_OWNED_BY_YOU:
        return S3MEM_EXISTS;
    case S3_NO_SUCH_BUCKET:
        return S3MEM_MISSING;
    case S3_SLOW_DOWN:
        return S3MEM_NO_MEMORY;
    default:
        return S3MEM_INVALID;
    }
}

/* As a client would be answered: after the disk, under --durability=always. */
static s3mem_result settle(const s3mem *s, s3mem_result result)
{
    if (result || persist_wait(&s->server))
        return result;
    errno = EIO;
    return S3MEM_IO;
}

static bool is_name(const char *name)
{
    return name && store_name_ok(str_c(name));
}

static struct branch *find_branch(s3mem *s, const char *name)
{
    return store_branch(s->server.store, name ? str_c(name) : STR("main"));
}

PUBLIC s3mem_result s3mem_create_bucket(s3mem *s, const char *branch, const char *bucket)
{
    AUTO(branch) b = find_branch(s, branch);
    struct bucket_spec spec = {.name = str_c(bucket),
                               .region = str_c(s->server.settings.region),
                               .owner = s3_service_default_owner(s->server.s3)};

    if (!b)
        return S3MEM_MISSING;
    if (!bucket || !s3_bucket_name_ok(spec.name))
        return S3MEM_INVALID;
    return settle(s, result_of_err(bucket_create(b, &spec)));
}

PUBLIC s3mem_result s3mem_snapshot(s3mem *s, const char *branch, const char *name)
{
    AUTO(branch) b = find_branch(s, branch);

    if (!is_name(name))
        return S3MEM_INVALID;
    return b ? settle(s, result_of(store_snapshot_take(s->server.store, b, str_c(name))))
             : S3MEM_MISSING;
}

static bool root_has(struct root *root, struct str bucket)
{
    struct bucket_info info;
    bool found = root && root_bucket_next(root, bucket, true, &info);

    if (!found)
        return false;
    found = str_eq(str_c(info.name), bucket);
    bucket_info_release(&info);
    return found;
}

/* Neither in the snapshot nor in the branch: a mistyped name rather than a bucket to be
 * removed.
 */
static bool bucket_is_known(s3mem *s, struct branch *b, const char *snapshot,
                            const char *bucket)
{
    AUTO(root) then = store_snapshot_root(s->server.store, str_c(snapshot));
    AUTO(root) now = branch_root(b);

    return root_has(then, str_c(bucket)) || root_has(now, str_c(bucket));
}

PUBLIC s3mem_result s3mem_restore(s3mem *s, const char *branch, const char *name,
                                  const char *bucket)
{
    AUTO(branch) b = find_branch(s, branch);
    struct store *store = s->server.store;

    if (!b || !is_name(name) || (bucket && !bucket_is_known(s, b, name, bucket)))
        return S3MEM_MISSING;
    return settle(s, result_of(bucket ? store_snapshot_restore_bucket(store, &b, str_c(name),
                                                                      str_c(bucket))
                                      : store_snapshot_restore(store, &b, str_c(name))));
}

PUBLIC s3mem_result s3mem_drop(s3mem *s, const char *name)
{
    return is_name(name)
               ? settle(s, result_of(store_snapshot_drop(s->server.store, str_c(name))))
               : S3MEM_MISSING;
}

PUBLIC s3mem_result s3mem_fork(s3mem *s, const char *name, const char *source)
{
    struct str from = source ? str_c(source) : STR("main");
    enum named named;

    if (!is_name(name))
        return S3MEM_INVALID;
    if (!store_name_ok(from))
        return S3MEM_MISSING;
    named = store_fork(s->server.store, str_c(name), STR_NONE, from);
    if (named == NAMED_MISSING)
        named = store_fork(s->server.store, str_c(name), from, STR_NONE);
    return settle(s, result_of(named));
}

PUBLIC s3mem_result s3mem_branch_delete(s3mem *s, const char *name)
{
    return is_name(name)
               ? settle(s, result_of(store_branch_delete(s->server.store, str_c(name))))
               : S3MEM_MISSING;
}

PUBLIC s3mem_result s3mem_clear(s3mem *s, const char *branch, const char *bucket)
{
    AUTO(branch) b = find_branch(s, branch);

    if (!b)
        return S3MEM_MISSING;
    if (bucket)
        return settle(s, result_of_err(bucket_clear(b, str_c(bucket), NULL)));
    return settle(s, result_of(branch_clear(&b)));
}

/* ---- documents and numbers --------------------------------------------------------- */

#define PIECE KiB(128)

static s3mem_result write_document(struct root *root, bool gzip, FILE *file)
{
    AUTO(document_writer) w = document_writer_new(root, gzip);
    enum document_state state;
    char *piece = xmalloc(PIECE);
    size_t len;
    bool written;

    do {
        state = document_write(w, piece, PIECE, &len);
        written = fwrite(piece, 1, len, file) == len;
    } while (state == DOCUMENT_MORE && written);
    mem_free(piece);
    if (state == DOCUMENT_FAILED)
        return S3MEM_NO_MEMORY;
    return written && fflush(file) == 0 && fsync(fileno(file)) == 0 ? S3MEM_OK : S3MEM_IO;
}

PUBLIC s3mem_result s3mem_save(s3mem *s, const char *snapshot, const char *path)
{
    AUTO(root)
    root = is_name(snapshot) ? store_snapshot_root(s->server.store, str_c(snapshot)) : NULL;
    AUTO_BUF(temporary, KiB(8));
    s3mem_result result;
    FILE *file;
    int fd;

    if (!root)
        return S3MEM_MISSING;
    buf_addf(&temporary, "%s.XXXXXX", path);
    buf_add_char(&temporary, '\0');
    if (!buf_ok(&temporary))
        return S3MEM_NO_MEMORY;
    fd = mkstemp(temporary.ptr);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file)
        return S3MEM_IO;
    result = write_document(root, str_has_suffix(str_c(path), STR(".gz")), file);
    if (!result && rename(temporary.ptr, path) != 0)
        result = S3MEM_IO;
    fclose(file);
    if (result)
        unlink(temporary.ptr);
    return result;
}

static s3mem_result read_document(s3mem *s, struct str name, FILE *file)
{
    AUTO(document_reader) r = document_reader_new(s->server.store);
    char *piece = xmalloc(PIECE);
    enum named named = NAMED_OK;
    enum s3_err err = S3_OK;
    size_t len;

    while (!err && (len = fread(piece, 1, PIECE, file)) > 0)
        err = document_feed(r, piece, len);
    mem_free(piece);
    if (ferror(file))
        return S3MEM_IO;
    if (!err)
        err = document_finish(r, name, false, &named);
    return err ? result_of_err(err) : settle(s, result_of(named));
}

PUBLIC s3mem_result s3mem_load(s3mem *s, const char *snapshot, const char *path)
{
    s3mem_result result;
    FILE *file;

    if (!is_name(snapshot))
        return S3MEM_INVALID;
    file = fopen(path, "r");
    if (!file)
        return S3MEM_IO;
    result = read_document(s, str_c(snapshot), file);
    fclose(file);
    return result;
}

PUBLIC char *s3mem_stats(s3mem *s)
{
    AUTO_BUF(text, STATS_MAX);

    admin_stats(s->server.admin, false, &text);
    buf_add_char(&text, '\0');
    return buf_ok(&text) ? TAKE(text.ptr) : NULL;
}

PUBLIC void s3mem_free(char *text)
{
    mem_free(text);
}
