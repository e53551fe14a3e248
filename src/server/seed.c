/* SPDX-License-Identifier: MIT */
/* seed.c - DIR/BUCKET/KEY files become objects.
 *
 * The walk never leaves DIR: every step is openat() with O_NOFOLLOW, so a symbolic link,
 * wherever it points, is passed over with a warning, and what is neither a file nor a folder
 * too. KEY.s3meta.json is no object but says what headers, metadata and tags KEY has. */
#include "server/seed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIDE_FILE     ".s3meta.json"
#define SIDE_FILE_MAX KiB(256)
#define OPEN_INSIDE   (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

struct seeding {
    struct server *server;
    struct branch *branch;
    struct str bucket;
    struct buf key; /* of the folder being read: "a/b/", limit KEY_MAX */
    size_t objects;
    uint64_t bytes;
};

/* ---- one file ---------------------------------------------------------------------- */

/* What the AWS tools guess for the files that fixtures are made of. */
struct str seed_content_type(struct str key)
{
    static const struct {
        struct str suffix, type;
    } types[] = {
        {STR(".txt"), STR("text/plain")},
        {STR(".html"), STR("text/html")},
        {STR(".htm"), STR("text/html")},
        {STR(".css"), STR("text/css")},
        {STR(".csv"), STR("text/csv")},
        {STR(".md"), STR("text/markdown")},
        {STR(".js"), STR("text/javascript")},
        {STR(".mjs"), STR("text/javascript")},
        {STR(".xml"), STR("application/xml")},
        {STR(".json"), STR("application/json")},
        {STR(".pdf"), STR("application/pdf")},
        {STR(".zip"), STR("application/zip")},
        {STR(".gz"), STR("application/gzip")},
        {STR(".tar"), STR("application/x-tar")},
        {STR(".wasm"), STR("application/wasm")},
        {STR(".yaml"), STR("application/yaml")},
        {STR(".yml"), STR("application/yaml")},
        {STR(".parquet"), STR("application/vnd.apache.parquet")},
        {STR(".png"), STR("image/png")},
        {STR(".jpg"), STR("image/jpeg")},
        {STR(".jpeg"), STR("image/jpeg")},
        {STR(".gif"), STR("image/gif")},
        {STR(".svg"), STR("image/svg+xml")},
        {STR(".webp"), STR("image/webp")},
        {STR(".ico"), STR("image/x-icon")},
        {STR(".mp4"), STR("video/mp4")},
        {STR(".mp3"), STR("audio/mpeg")},
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_has_suffix(key, types[i].suffix))
            return types[i].type;
    }
    return STR("binary/octet-stream");
}

/* Fills body, which expects size bytes, and takes the digests. 0 or errno. */
static int read_into(struct body *body, int fd, uint64_t size, struct digest *md5,
                     struct digest *crc)
{
    char probe;
    ssize_t n;

    while (body_len(body) < size) {
        size_t room = MiB(1);
        void *to = body_space(body, &room);

        if (!to)
            return ENOMEM;
        n = read(fd, to, room);
        if (n < 0)
            return errno;
        if (n == 0)
            return ESTALE; /* it shrank */
        digest_update(md5, to, (size_t)n);
        digest_update(crc, to, (size_t)n);
        body_commit(body, (size_t)n);
    }
    n = read(fd, &probe, 1);
    if (n < 0)
        return errno;
    return n == 0 ? 0 : ESTALE; /* it grew */
}

/* A whole file as *out, its digests in spec. 0 or errno. */
static int read_body(struct body **out, struct store *store, int fd, uint64_t size,
                     struct record_spec *spec)
{
    AUTO(body) body = body_new(store, size);
    struct digest md5, crc;
    int err;

    if (!body)
        return ENOMEM;
    digest_init(&md5, CHECKSUM_MD5);
    digest_init(&crc, CHECKSUM_CRC64NVME);
    err = read_into(body, fd, size, &md5, &crc);
    digest_final(&md5, spec->md5);
    digest_final(&crc, spec->checksum.bytes);
    if (!err)
        *out = TAKE(body);
    return err;
}

static enum s3_err put_object(struct seeding *s, struct body *body, struct record_spec *spec,
                              const struct buf *attrs)
{
    struct record *record;

    spec->attrs = buf_str(attrs);
    record = record_new(s->server->store, spec, body);
    if (!record)
        return S3_SLOW_DOWN;
    return object_put(s->branch, s->bucket, record, NULL, NULL);
}

/* The file beside it, if there is one. 0, or errno. */
static int read_side_file(int dir_fd, const char *name, struct buf *content)
{
    AUTO_BUF(path, KiB(4));
    char piece[KiB(4)];
    ssize_t n = -1;
    int fd, err;

    buf_addf(&path, "%s" SIDE_FILE, name);
    buf_add_char(&path, '\0');
    fd = openat(dir_fd, path.ptr, OPEN_INSIDE);
    if (fd < 0)
        return errno;
    while (buf_ok(content) && (n = read(fd, piece, sizeof(piece))) > 0)
        buf_add(content, str_of(piece, (size_t)n));
    err = n < 0 ? errno : 0;
    close(fd);
    return err ? err : buf_ok(content) ? 0 : EFBIG;
}

/* Into attrs. False with why. */
static bool describe(struct seeding *s, int dir_fd, const char *name, struct buf *attrs,
                     struct buf *why)
{
    AUTO_BUF(content, SIDE_FILE_MAX);
    AUTO_BUF(place, KiB(8));
    struct seed_json j = {.path = &place, .why = why};
    int err = read_side_file(dir_fd, name, &content);
    json_t *document = NULL;
    bool ok;

    buf_add_char(&place, '$');
    /* A name that is as long as names may be has no room for another's ending. */
    if (err && err != ENOENT && err != ENAMETOOLONG)
        buf_add_c(why, strerror(err));
    else if (!err)
        document = seed_json_read(&content, why);
    ok = why->len == 0 &&
         (!document || seed_json_knows(&j, document, (const char *const[]){NULL}, true)) &&
         seed_attrs(&j, document, seed_content_type(buf_str(&s->key)),
                    s3_service_default_owner(s->server->s3), attrs);
    json_decref(document);
    return ok;
}

/* Is it such a file? Then there must be one that it is about. */
static bool is_side_file(struct seeding *s, int dir_fd, const char *name,
                         enum exit_status *status)
{
    struct str about = str_c(name);
    AUTO_BUF(path, KiB(4));
    struct stat st;

    if (!str_has_suffix(about, STR(SIDE_FILE)))
        return false;
    about.len -= strlen(SIDE_FILE);
    buf_add(&path, about);
    buf_add_char(&path, '\0');
    *status = EXIT_DONE;
    if (fstatat(dir_fd, path.ptr, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        return true;
    server_complain(s->server,
                    "--seed: %.*s/%.*s: there is no file '%s' that it could be about",
                    (int)s->bucket.len, s->bucket.ptr, (int)s->key.len, s->key.ptr, path.ptr);
    *status = EXIT_FAILED;
    return true;
}

/* fd is read and stays open; s->key is the whole key. */
static enum exit_status load_file(struct seeding *s, int dir_fd, const char *name, int fd,
                                  const struct stat *st)
{
    AUTO_BUF(attrs, KiB(64));
    AUTO_BUF(wrong, KiB(8));
    struct record_spec spec = {
        .key = buf_str(&s->key),
        .mtime_ns = clock_now_ns(),
        .checksum = {.alg = CHECKSUM_CRC64NVME, .type = CHECKSUM_FULL_OBJECT},
    };
    struct body *body;
    const char *why = NULL;
    enum s3_err s3_err;
    int err;

    if (!str_is_utf8(spec.key)) {
        why = "the name is not UTF-8";
    } else if (!describe(s, dir_fd, name, &attrs, &wrong)) {
        server_complain(s->server, "--seed: %.*s/%.*s" SIDE_FILE ": %.*s", (int)s->bucket.len,
                        s->bucket.ptr, (int)spec.key.len, spec.key.ptr, (int)wrong.len,
                        wrong.ptr);
        return EXIT_USAGE;
    } else if ((err = read_body(&body, s->server->store, fd, (uint64_t)st->st_size, &spec))) {
        why = err == ESTALE   ? "changed while it was read"
              : err == ENOMEM ? "does not fit into memory (see --max-memory)"
                              : strerror(err);
    } else if ((s3_err = put_object(s, body, &spec, &attrs))) {
        why = s3_err_message(s3_err);
    }
    if (why) {
        server_complain(s->server, "--seed: %.*s/%.*s: %s", (int)s->bucket.len, s->bucket.ptr,
                        (int)spec.key.len, spec.key.ptr, why);
        return EXIT_FAILED;
    }
    s->objects++;
    s->bytes += (uint64_t)st->st_size;
    return EXIT_DONE;
}

/* ---- the walk ---------------------------------------------------------------------- */

static enum exit_status load_folder(struct seeding *s, int fd);

/* One entry of a folder below a bucket. */
static enum exit_status load_entry(struct seeding *s, int dir_fd, const char *name)
{
    size_t folder_len = s->key.len;
    enum exit_status status = EXIT_DONE;
    struct stat st;
    int fd = openat(dir_fd, name, OPEN_INSIDE);

    if (fd < 0 || fstat(fd, &st) < 0) {
        log_warn("seed: %.*s%s passed over: %s", (int)s->key.len, s->key.ptr, name,
                 errno == ELOOP ? "a symbolic link" : strerror(errno));
        if (fd >= 0)
            close(fd);
        return EXIT_DONE;
    }
    buf_add_c(&s->key, name);
    if (S_ISDIR(st.st_mode))
        buf_add_char(&s->key, '/');
    if (!buf_ok(&s->key)) {
        server_complain(s->server, "--seed: %.*s%s: the key is longer than %d bytes",
                        (int)folder_len, s->key.ptr, name, KEY_MAX);
        status = EXIT_FAILED;
    } else if (S_ISDIR(st.st_mode)) {
        status = load_folder(s, fd);
    } else if (S_ISREG(st.st_mode)) {
        if (!is_side_file(s, dir_fd, name, &status))
            status = load_file(s, dir_fd, name, fd, &st);
    } else {
        log_warn("seed: %.*s passed over: not a file", (int)s->key.len, s->key.ptr);
    }
    s->key.len = folder_len;
    close(fd);
    return status;
}

/* Calls one for each entry; a signal ends the walk early. */
static enum exit_status for_each_entry(struct seeding *s, int fd,
                                       enum exit_status (*one)(struct seeding *, int,
                                                               const char *))
{
    enum exit_status status = EXIT_DONE;
    const struct dirent *entry;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);

    if (!dir) {
        server_complain(s->server, "--seed: %s", strerror(errno));
        if (copy >= 0)
            close(copy);
        return EXIT_FAILED;
    }
    while (status == EXIT_DONE && !server_interrupted(s->server) && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = one(s, fd, entry->d_name);
    }
    closedir(dir);
    return status;
}

static enum exit_status load_folder(struct seeding *s, int fd)
{
    return for_each_entry(s, fd, load_entry);
}

/* One entry of DIR itself: a folder is a bucket. */
static enum exit_status load_bucket(struct seeding *s, int dir_fd, const char *name)
{
    enum exit_status status;
    enum s3_err err;
    int fd = openat(dir_fd, name, OPEN_INSIDE | O_DIRECTORY);

    if (fd < 0) {
        log_warn("seed: %s passed over: not a folder", name);
        return EXIT_DONE;
    }
    s->bucket = str_c(name);
    err = s3_service_create_bucket(s->server->s3, s->bucket);
    if (err && err != S3_BUCKET_ALREADY_OWNED_BY_YOU) {
        server_complain(s->server, "--seed: '%s': %s", name, s3_err_message(err));
        status = EXIT_USAGE;
    } else {
        status = load_folder(s, fd);
    }
    close(fd);
    return status;
}

enum exit_status seed_load(struct server *server, const char *dir)
{
    struct seeding s = {.server = server};
    enum exit_status status;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        server_complain(server, "--seed: %s: %s", dir, strerror(errno));
        return EXIT_FAILED;
    }
    s.branch = store_branch(server->store, STR("main"));
    buf_init(&s.key, KEY_MAX);
    status = for_each_entry(&s, fd, load_bucket);
    buf_release(&s.key);
    branch_unref(s.branch);
    close(fd);
    if (status == EXIT_DONE)
        log_info("seed: %zu objects, %llu bytes", s.objects, (unsigned long long)s.bytes);
    return status;
}
