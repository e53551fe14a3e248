/* SPDX-License-Identifier: MIT */
/* object_cmds.c - objects: ls by the admin endpoint, which needs no XML; cat, put and rm by S3
 * requests, signed as all others are. */
#include "ctl/ctl.h"
#include "ctl/xml.h"

#include <errno.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* "BUCKET/KEY", "s3://BUCKET/KEY" */
struct place {
    struct str bucket, key; /* key may be empty */
};

static enum ctl_exit read_place(const char *text, bool key_needed, struct place *out)
{
    struct str rest = str_c(text);

    if (str_has_prefix(rest, STR("s3://")))
        rest = str_from(rest, STR("s3://").len);
    str_split(&rest, '/', &out->bucket);
    out->key = rest.ptr ? rest : STR("");
    if (out->bucket.len == 0)
        return ctl_complain(CTL_USAGE, "'%s' names no bucket: BUCKET/KEY", text);
    if (key_needed && out->key.len == 0)
        return ctl_complain(CTL_USAGE, "'%s' names no key: BUCKET/KEY", text);
    return CTL_DONE;
}

static void add_param(struct ctl_target *t, const char *name, struct str value)
{
    AUTO_BUF(text, KiB(16));

    buf_add(&text, value);
    buf_add_char(&text, '\0');
    ctl_target_param(t, name, text.ptr);
}

/* ---- ls ---------------------------------------------------------------------------- */

static enum ctl_exit list_buckets(struct ctl *c)
{
    AUTO_TARGET(t, "stats");
    json_t *answer, *buckets;
    enum ctl_exit status;

    ctl_target_param(&t, "branch", ctl_branch_name(c));
    status = ctl_call(c, "GET", &t, NULL, &answer);
    if (status)
        return status;
    buckets =
        json_object_get(json_array_get(json_object_get(answer, "branches"), 0), "buckets");
    if (c->json)
        ctl_print_json(c, json_incref(buckets));
    else
        ctl_print_table(buckets, ctl_bucket_columns);
    json_decref(answer);
    return CTL_DONE;
}

/* "2026-11-29 21:25:21" of this machine's time zone, as `aws s3 ls` has it. */
static void format_time(const char *iso, char out[32])
{
    int64_t ns;
    time_t seconds;
    struct tm tm;

    snprintf(out, 32, "-");
    if (!iso || !clock_parse_iso(str_c(iso), &ns))
        return;
    seconds = (time_t)(ns / NS_PER_S);
    if (localtime_r(&seconds, &tm))
        (void)strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

/* A name from there on: as it is for a program, NUL and all; for eyes, as a terminal may have it.
 */
static void print_name(const struct ctl *c, const json_t *name, size_t from)
{
    struct str text = str_of(json_string_value(name), json_string_length(name));
    AUTO_BUF(shown, MiB(1));

    text = str_from(text, from);
    if (c->terminal) {
        ctl_add_printable(&shown, text);
        text = buf_str(&shown);
    }
    if (text.len > 0)
        fwrite(text.ptr, 1, text.len, stdout);
    putchar('\n');
}

static void print_entry(const struct ctl *c, const json_t *entry, size_t folder_len)
{
    const json_t *prefix = json_object_get(entry, "prefix");
    json_t *version = json_object_get(entry, "versionId");
    uint64_t size = (uint64_t)json_integer_value(json_object_get(entry, "size"));
    char time[32], amount[32];

    if (prefix) {
        printf("%30s ", "PRE");
        print_name(c, prefix, folder_len);
        return;
    }
    format_time(json_string_value(json_object_get(entry, "modified")), time);
    if (json_is_true(json_object_get(entry, "deleteMarker")))
        snprintf(amount, sizeof(amount), "deleted");
    else if (ctl_option(c, "human"))
        ctl_format_bytes(size, amount);
    else
        snprintf(amount, sizeof(amount), "%llu", (unsigned long long)size);
    printf("%s %10s ", time, amount);
    if (c->terminal)
        ctl_make_printable(version);
    if (ctl_option(c, "versions"))
        printf("%-32s ", json_is_string(version) ? json_string_value(version) : "-");
    print_name(c, json_object_get(entry, "key"), folder_len);
}

/* Folders first. */
static void print_entries(const struct ctl *c, const json_t *entries, size_t folder_len)
{
    json_t *list = (json_t *)(uintptr_t)entries, *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        if (json_object_get(entry, "prefix"))
            print_entry(c, entry, folder_len);
    }
    json_array_foreach(list, i, entry)
    {
        if (!json_object_get(entry, "prefix"))
            print_entry(c, entry, folder_len);
    }
}

static enum ctl_exit ask_for_objects(struct ctl *c, struct str bucket, struct str prefix,
                                     bool recursive, json_t **answer)
{
    AUTO_TARGET(t, "objects");

    ctl_target_param(&t, "branch", c->branch);
    add_param(&t, "bucket", bucket);
    if (prefix.len > 0)
        add_param(&t, "prefix", prefix);
    ctl_target_param(&t, "delimiter", recursive ? NULL : "/");
    ctl_target_param(&t, "versions", ctl_option(c, "versions") ? "true" : NULL);
    return ctl_call(c, "GET", &t, NULL, answer);
}

enum ctl_exit cmd_ls(struct ctl *c)
{
    bool recursive = ctl_option(c, "recursive");
    json_t *answer, *entries;
    struct place at;
    enum ctl_exit status;
    size_t folder_len = 0, i;

    if (c->arg_count == 0)
        return list_buckets(c);
    status = read_place(c->args[0], false, &at);
    if (status)
        return status;
    c->as_is = true;
    status = ask_for_objects(c, at.bucket, at.key, recursive, &answer);
    if (status)
        return status;
    entries = json_object_get(answer, "entries");
    /* What stands behind the last slash, unless folders are mixed. */
    for (i = 0; !recursive && i < at.key.len; i++)
        folder_len = at.key.ptr[i] == '/' ? i + 1 : folder_len;
    if (c->json)
        ctl_print_json(c, json_incref(entries));
    else
        print_entries(c, entries, folder_len);
    json_decref(answer);
    return CTL_DONE;
}

/* ---- cat, put ---------------------------------------------------------------------- */

enum ctl_exit cmd_cat(struct ctl *c)
{
    __attribute__((cleanup(ctl_target_release))) struct ctl_target t = {.has_query = false};
    struct place at;
    enum ctl_exit status = read_place(c->args[0], true, &at);

    if (status)
        return status;
    ctl_target_init_s3(&t, at.bucket, at.key);
    ctl_target_param(&t, "versionId", ctl_option(c, "version-id"));
    /* No bar between the lines of the object. */
    c->quiet |= c->terminal;
    return ctl_download(c, &t, stdout, NULL);
}

/* What the ends of names say; others are left to the server (binary/octet-stream). */
static const char *guess_type(struct str name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".txt", "text/plain"},
        {".html", "text/html"},
        {".htm", "text/html"},
        {".css", "text/css"},
        {".csv", "text/csv"},
        {".md", "text/markdown"},
        {".xml", "application/xml"},
        {".json", "application/json"},
        {".js", "text/javascript"},
        {".mjs", "text/javascript"},
        {".wasm", "application/wasm"},
        {".pdf", "application/pdf"},
        {".zip", "application/zip"},
        {".gz", "application/gzip"},
        {".tar", "application/x-tar"},
        {".yaml", "application/yaml"},
        {".yml", "application/yaml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".svg", "image/svg+xml"},
        {".ico", "image/vnd.microsoft.icon"},
        {".mp3", "audio/mpeg"},
        {".wav", "audio/x-wav"},
        {".mp4", "video/mp4"},
        {".webm", "video/webm"},
        {".woff", "font/woff"},
        {".woff2", "font/woff2"},
        {".jsonl", "application/jsonl"},
        {".parquet", "application/vnd.apache.parquet"},
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        size_t len = strlen(types[i].end);

        if (name.len > len && strncasecmp(name.ptr + name.len - len, types[i].end, len) == 0)
            return types[i].type;
    }
    return NULL;
}

/* S3 wants to know how long it is: all of a pipe, in a temporary file. NULL: a word was said. */
static FILE *read_pipe(FILE *from)
{
    FILE *file = tmpfile();
    char block[KiB(16)];
    size_t n;

    while (file && (n = fread(block, 1, sizeof(block), from)) > 0) {
        if (fwrite(block, 1, n, file) != n)
            break;
    }
    if (file && !ferror(from) && !ferror(file) && fflush(file) == 0)
        return file;
    ctl_complain(CTL_REFUSED, "cannot keep what comes in a temporary file: %s",
                 strerror(errno));
    if (file)
        fclose(file);
    return NULL;
}

static FILE *open_source(const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re"), *whole;

    if (!file) {
        ctl_complain(CTL_REFUSED, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (!standard && lseek(fileno(file), 0, SEEK_END) >= 0)
        return file;
    whole = read_pipe(file);
    if (!standard)
        fclose(file);
    return whole;
}

/* The key; behind a slash, or nothing, that of the file. */
static enum ctl_exit add_key(struct buf *out, struct str key, const char *path)
{
    const char *slash = strrchr(path, '/');

    buf_add(out, key);
    if (key.len > 0 && key.ptr[key.len - 1] != '/')
        return CTL_DONE;
    if (strcmp(path, "-") == 0)
        return ctl_complain(CTL_USAGE, "an object from standard input needs a key: BUCKET/KEY");
    buf_add_c(out, slash ? slash + 1 : path);
    return CTL_DONE;
}

enum ctl_exit cmd_put(struct ctl *c)
{
    __attribute__((cleanup(ctl_target_release))) struct ctl_target t = {.has_query = false};
    AUTO_BUF(key, KiB(16));
    const char *type = ctl_option(c, "content-type");
    struct place at;
    FILE *file;
    enum ctl_exit status = read_place(c->args[1], false, &at);

    if (!status)
        status = add_key(&key, at.key, c->args[0]);
    if (status)
        return status;
    file = open_source(c->args[0]);
    if (!file)
        return CTL_REFUSED;
    ctl_target_init_s3(&t, at.bucket, buf_str(&key));
    t.content_type = type ? type : guess_type(buf_str(&key));
    status = ctl_upload(c, &t, file, NULL);
    fclose(file);
    if (status || c->quiet)
        return status;
    printf("put %.*s/%.*s in branch %s%s%s\n", (int)at.bucket.len, at.bucket.ptr, (int)key.len,
           key.ptr, ctl_branch_name(c), t.content_type ? " as " : "",
           t.content_type ? t.content_type : "");
    return CTL_DONE;
}

/* ---- rm ---------------------------------------------------------------------------- */

static enum ctl_exit remove_key(struct ctl *c, struct str bucket, struct str key)
{
    __attribute__((cleanup(ctl_target_release))) struct ctl_target t = {.has_query = false};

    ctl_target_init_s3(&t, bucket, key);
    ctl_target_param(&t, "versionId", ctl_option(c, "version-id"));
    return ctl_call(c, "DELETE", &t, NULL, NULL);
}

#define BATCH_KEYS 1000 /* of one DeleteObjects */
#define BATCH_MAX  MiB(8)

/* Removal of many keys: DeleteObjects by the thousand. */
struct removal {
    struct ctl *c;
    struct str bucket;
    struct buf xml; /* of the keys that wait */
    size_t waiting, removed, failed;
};

/* Which of a batch's keys are still there, and why. */
static void tell_left(struct removal *r, struct str answer)
{
    struct str error;

    while (xml_next(&answer, STR("Error"), &error)) {
        AUTO_BUF(key, KiB(16));
        AUTO_BUF(message, KiB(16));
        AUTO_BUF(code, KiB(4));

        (void)xml_text(error, STR("Key"), &key);
        (void)xml_text(error, STR("Message"), &message);
        (void)xml_text(error, STR("Code"), &code);
        ctl_complain(CTL_REFUSED, "%.*s/%.*s: %.*s (%.*s)", (int)r->bucket.len, r->bucket.ptr,
                     (int)key.len, key.ptr, (int)message.len, message.ptr, (int)code.len,
                     code.ptr);
        r->failed++;
        /* A server may name more than it was asked to remove. */
        r->removed -= r->removed > 0;
    }
}

static enum ctl_exit remove_batch(struct removal *r)
{
    __attribute__((cleanup(ctl_target_release))) struct ctl_target t = {.has_query = false};
    AUTO_BUF(answer, MiB(64));
    enum ctl_exit status;

    if (r->waiting == 0)
        return CTL_DONE;
    buf_add(&r->xml, STR("</Delete>"));
    if (!buf_ok(&r->xml))
        return ctl_complain(CTL_REFUSED, "no memory for the keys to remove");
    ctl_target_init_s3(&t, r->bucket, STR(""));
    ctl_target_param(&t, "delete", "");
    status = ctl_post_xml(r->c, &t, buf_str(&r->xml), &answer);
    if (!status) {
        r->removed += r->waiting;
        tell_left(r, buf_str(&answer));
    }
    r->waiting = 0;
    buf_reset(&r->xml);
    return status;
}

/* XML has no way to write these characters. */
static bool has_no_xml(struct str key)
{
    for (size_t i = 0; i < key.len; i++) {
        /* strchr would find a NUL, too. */
        if ((unsigned char)key.ptr[i] < 0x20 && !memchr("\t\n\r", key.ptr[i], 3))
            return true;
    }
    return str_find(key, STR("\xEF\xBF\xBE")) != SIZE_MAX ||
           str_find(key, STR("\xEF\xBF\xBF")) != SIZE_MAX;
}

static enum ctl_exit remove_one_of(struct removal *r, struct str key)
{
    enum ctl_exit status;

    if (has_no_xml(key)) {
        status = remove_key(r->c, r->bucket, key);
        r->removed += status == CTL_DONE;
        return status;
    }
    if (r->waiting == 0)
        buf_add(&r->xml, STR("<Delete><Quiet>true</Quiet>"));
    buf_add(&r->xml, STR("<Object><Key>"));
    buf_add_xml(&r->xml, key);
    buf_add(&r->xml, STR("</Key></Object>"));
    return ++r->waiting == BATCH_KEYS ? remove_batch(r) : CTL_DONE;
}

static enum ctl_exit remove_all(struct ctl *c, struct str bucket, struct str prefix)
{
    struct removal r = {.c = c, .bucket = bucket};
    json_t *answer, *entries, *entry;
    enum ctl_exit status;
    size_t i;

    c->as_is = true;
    status = ask_for_objects(c, bucket, prefix, true, &answer);
    if (status)
        return status;
    buf_init(&r.xml, BATCH_MAX);
    entries = json_object_get(answer, "entries");
    json_array_foreach(entries, i, entry)
    {
        const json_t *key = json_object_get(entry, "key");

        if (key)
            status = remove_one_of(&r, str_of(json_string_value(key), json_string_length(key)));
        if (status)
            break;
    }
    if (!status)
        status = remove_batch(&r);
    if (!c->quiet)
        printf("branch %s: %zu objects removed from %.*s\n", ctl_branch_name(c), r.removed,
               (int)bucket.len, bucket.ptr);
    buf_release(&r.xml);
    json_decref(answer);
    return !status && r.failed ? CTL_REFUSED : status;
}

enum ctl_exit cmd_rm(struct ctl *c)
{
    const char *prefix = ctl_option(c, "prefix");
    bool recursive = ctl_option(c, "recursive");
    AUTO_BUF(folder, KiB(16));
    struct place at;
    enum ctl_exit status = read_place(c->args[0], !prefix && !recursive, &at);

    if (status)
        return status;
    if (ctl_option(c, "version-id") && (prefix || recursive))
        return ctl_complain(CTL_USAGE, "--version-id is of one key");
    if (prefix && (at.key.len > 0 || recursive))
        return ctl_complain(CTL_USAGE,
                            "--prefix goes with a bucket alone: rm BUCKET --prefix P");
    if (prefix)
        return remove_all(c, at.bucket, str_c(prefix));
    if (recursive) {
        buf_add(&folder, at.key);
        if (at.key.len > 0 && at.key.ptr[at.key.len - 1] != '/')
            buf_add_char(&folder, '/');
        return remove_all(c, at.bucket, buf_str(&folder));
    }
    status = remove_key(c, at.bucket, at.key);
    if (!status && !c->quiet)
        printf("branch %s: %.*s/%.*s removed\n", ctl_branch_name(c), (int)at.bucket.len,
               at.bucket.ptr, (int)at.key.len, at.key.ptr);
    return status;
}
