/* SPDX-License-Identifier: MIT */
/* backup_lines.c - records out of JSONL, encoded as s3db.js would: schema, objects, references
 * of partitions. Lines of older and stranger writers are recognised. */
#include "disk/backup/backup_import.h"

#include <stdio.h>

/* ---- which schema ------------------------------------------------------------------ */

static bool same_json(const json_t *a, const json_t *b)
{
    return (!a && !b) || (a && b && json_equal(a, b));
}

/* Are records that one of them describes read alike by the other? */
static bool entries_agree(const char *name, const json_t *a, const json_t *b)
{
    AUTO_BUF(why, KiB(1));
    char hash_a[S3DB_HASH_SIZE], hash_b[S3DB_HASH_SIZE];
    AUTO(s3db_schema) sa = s3db_schema_of_entry(str_c(name), a, STR(""), &why);
    AUTO(s3db_schema) sb = s3db_schema_of_entry(str_c(name), b, STR(""), &why);

    if (!sa || !sb)
        return same_json(a, b);
    s3db_schema_hash(sa, hash_a);
    s3db_schema_hash(sb, hash_b);
    return strcmp(hash_a, hash_b) == 0 && same_json(json_object_get(a, "schemaRegistry"),
                                                    json_object_get(b, "schemaRegistry"));
}

static void refuse(struct import *x, struct import_resource *r, const char *why)
{
    import_error(x, r, 0, "%s", why);
    r->way = IMPORT_REFUSED;
}

#define OTHER_DEFINITION                                                                       \
    "the bucket has another definition of this resource, by which the records that it keeps "  \
    "are read; clear replaces both"

/* Does s say what the definition of the manifest does? */
static bool says_the_same(const struct s3db_schema *s, const json_t *definition,
                          const struct s3db_schema *defined)
{
    char a[S3DB_HASH_SIZE], b[S3DB_HASH_SIZE];
    AUTO(json_t) own = NULL;

    if (defined) {
        s3db_schema_hash(s, a);
        s3db_schema_hash(defined, b);
        return strcmp(a, b) == 0;
    }
    own = s3db_schema_definition(s);
    return same_json(json_object_get(own, "attributes"),
                     json_object_get(definition, "attributes"));
}

/* By an entry that the bucket or the backup has, which knows the names of metadata. */
static bool use_entry(struct import_resource *r, const json_t *entry,
                      const struct s3db_schema *defined)
{
    AUTO_BUF(why, KiB(1));

    if (!entry)
        return false;
    r->schema = s3db_schema_of_entry(str_c(r->name), entry, STR(""), &why);
    if (r->schema && r->definition && !says_the_same(r->schema, r->definition, defined)) {
        s3db_schema_free(r->schema);
        r->schema = NULL;
    }
    return r->schema != NULL;
}

static void settle_lines(struct import *x, struct import_resource *r)
{
    json_t *here = x->before ? s3db_descriptor_resource(x->before, str_c(r->name)) : NULL;
    json_t *there =
        x->descriptor ? s3db_descriptor_resource(x->descriptor, str_c(r->name)) : NULL;
    AUTO_BUF(why, KiB(2));
    AUTO(s3db_schema) defined = NULL;

    if (x->options->clear)
        here = NULL;
    if (r->definition)
        defined = s3db_schema_of_definition(str_c(r->name), r->definition, &why);
    if (use_entry(r, here, defined))
        return;
    if (here) {
        refuse(x, r, OTHER_DEFINITION);
    } else if (use_entry(r, there, defined)) {
        r->entry = json_incref(there);
    } else if (defined) {
        r->entry = s3db_schema_entry(defined, clock_now_ns());
        r->schema = TAKE(defined);
    } else if (r->definition) {
        buf_add_char(&why, '\0');
        refuse(x, r, why.ptr);
    } else {
        refuse(x, r,
               "there is no schema: neither does the backup have one (s3db.json, "
               "resources.NAME.schema) nor the bucket's descriptor; raw takes the lines as "
               "they are");
    }
}

static void settle_objects(struct import *x, struct import_resource *r)
{
    json_t *here = x->before ? s3db_descriptor_resource(x->before, str_c(r->name)) : NULL;
    json_t *there =
        x->descriptor ? s3db_descriptor_resource(x->descriptor, str_c(r->name)) : NULL;

    if (!there)
        return;
    if (here && !x->options->clear && !entries_agree(r->name, here, there))
        refuse(x, r, OTHER_DEFINITION);
    else
        r->entry = json_incref(there);
}

bool import_settle(struct import *x)
{
    bool whole = x->descriptor && !x->before && !x->options->choice.resources;

    for (size_t i = 0; i < x->resource_count && import_go_on(x); i++) {
        struct import_resource *r = &x->resources[i];

        if (r->way == IMPORT_LINES)
            settle_lines(x, r);
        else if (r->way == IMPORT_OBJECTS)
            settle_objects(x, r);
        whole = whole && r->way != IMPORT_LINES && r->way != IMPORT_REFUSED;
    }
    x->descriptor_whole = whole && !x->options->raw;
    return import_go_on(x);
}

/* ---- lines seen -------------------------------------------------------------------- */

struct seen_line {
    uint8_t id[16]; /* XXH3 of it */
    uint64_t text;  /* likewise of the line */
    uint64_t number;
};

struct seen {
    struct seen_line *slots; /* number 0: free */
    size_t size, count;
};

static struct seen_line *seen_slot(const struct seen *s, const uint8_t id[16])
{
    uint64_t at;

    memcpy(&at, id, sizeof(at));
    for (at &= s->size - 1; s->slots[at].number; at = (at + 1) & (s->size - 1))
        if (memcmp(s->slots[at].id, id, 16) == 0)
            break;
    return &s->slots[at];
}

static void seen_grow(struct seen *s)
{
    struct seen old = *s;

    s->size = old.size ? old.size * 2 : 1024;
    s->slots = xcalloc(s->size, sizeof(*s->slots));
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].number)
            *seen_slot(s, old.slots[i].id) = old.slots[i];
    mem_free(old.slots);
}

/* 0: the id is new; else the line that had it, *same: word for word. */
static uint64_t seen_before(struct seen *s, struct str id, struct str text, uint64_t number,
                            bool *same)
{
    struct seen_line line = {.number = number}, *slot;
    uint8_t hash[8];

    if (s->count * 4 >= s->size * 3)
        seen_grow(s);
    digest_once(CHECKSUM_XXHASH128, id, line.id);
    digest_once(CHECKSUM_XXHASH64, text, hash);
    memcpy(&line.text, hash, sizeof(line.text));
    slot = seen_slot(s, line.id);
    *same = slot->text == line.text;
    if (slot->number)
        return slot->number;
    *slot = line;
    s->count++;
    return 0;
}

/* ---- records ----------------------------------------------------------------------- */

struct reader {
    struct import *x;
    struct import_resource *r;
    struct seen seen;
    struct buf key, attrs, why;
    struct str id;
    bool failed;
    /* references that the record had, ended by LF each */
    struct buf stale;
};

/* Few enough to be compared with each other. */
#define PAIRS_FEW 32

static bool is_repeated(const struct s3db_object *object, size_t index, const json_t *before)
{
    struct str name = object->pairs[index].name;

    if (before)
        return names_find(before, name) != SIZE_MAX;
    for (size_t i = 0; i < index; i++)
        if (str_eq(object->pairs[i].name, name))
            return true;
    return false;
}

/* Members that the schema does not know may come to one name ("a.b" and "a_b"): HTTP would join
 * their values, which is neither. The first one counts. */
static void add_pairs(struct buf *attrs, const struct s3db_object *object)
{
    AUTO(json_t) before = object->pair_count > PAIRS_FEW ? json_object() : NULL;

    for (size_t i = 0; i < object->pair_count && buf_ok(attrs); i++) {
        if (is_repeated(object, i, before))
            continue;
        attrs_add_meta(attrs, object->pairs[i].name, object->pairs[i].value);
        if (before)
            names_add(before, object->pairs[i].name, i);
    }
}

static bool put_encoded(struct reader *in, const struct s3db_object *object)
{
    struct record_spec spec = {.key = buf_str(&in->key), .mtime_ns = clock_now_ns()};
    struct body *body;

    buf_reset(&in->attrs);
    add_pairs(&in->attrs, object);
    attrs_add(&in->attrs, ATTR_CONTENT_TYPE, object->content_type);
    if (!buf_ok(&in->attrs)) {
        buf_add(&in->why, STR("its metadata has more than 4 MiB"));
        return false;
    }
    body = body_new(in->x->store, object->body.len);
    if (!body ||
        (object->body.len > 0 && !body_append(body, object->body.ptr, object->body.len))) {
        body_unref(body);
        return import_stop(in->x, BACKUP_NO_MEMORY, "memory is out (see --max-memory)");
    }
    md5_once(object->body, spec.md5);
    spec.attrs = buf_str(&in->attrs);
    return import_put(in->x, &spec, body, &in->why);
}

static void put_reference(void *arg, struct str key)
{
    struct reader *in = arg;
    struct s3db_pair version = {STR("_v"), s3db_schema_version(in->r->schema)};
    struct s3db_object object = {.pairs = &version,
                                 .pair_count = 1,
                                 .body = STR(""),
                                 .content_type = STR("application/octet-stream")};

    buf_reset(&in->key);
    buf_add(&in->key, key);
    in->failed = in->failed || !put_encoded(in, &object);
}

static void note_stale(void *arg, struct str key)
{
    struct reader *in = arg;

    buf_add(&in->stale, key);
    buf_add_char(&in->stale, '\n');
}

/* The references that the record of this key has now: those that it does not get again go. */
static void find_stale(struct reader *in)
{
    struct import *x = in->x;
    struct s3db_notes notes = {.secrets = NULL};
    struct object_view v;
    AUTO(record) old = NULL;

    buf_reset(&in->stale);
    if (x->options->clear ||
        object_get(&old, x->branch, &(struct target){buf_str(&x->bucket), buf_str(&in->key)},
                   STR_NONE))
        return;
    object_view_init(&v);
    if (object_view_set(&v, old)) {
        AUTO(json_t)
        record = s3db_record_decode(in->r->schema, in->id, &v.object, STR_NONE, &notes);

        if (record)
            s3db_partition_keys(in->r->schema, buf_str(&x->prefix), in->id, record, note_stale,
                                in);
    }
    s3db_notes_release(&notes);
    object_view_release(&v);
}

static bool drop_stale(struct reader *in)
{
    struct str rest = buf_str(&in->stale), key;

    while (str_split(&rest, '\n', &key)) {
        enum s3_err err;

        if (key.len == 0)
            continue;
        err = object_delete(in->x->branch, &(struct target){buf_str(&in->x->bucket), key},
                            STR_NONE, NULL, NULL);
        if (err == S3_SLOW_DOWN)
            return import_stop(in->x, BACKUP_NO_MEMORY, "memory is out (see --max-memory)");
    }
    return true;
}

/* False: in->why, or the import was stopped. */
static bool put_record(struct reader *in, const json_t *record)
{
    struct import *x = in->x;
    struct s3db_encoded e;
    bool good;

    if (!s3db_record_encode(&e, in->r->schema, in->id, record, x->options->choice.passphrase,
                            &in->why))
        return false;
    buf_reset(&in->key);
    s3db_key_record(&in->key, buf_str(&x->prefix), str_c(in->r->name), in->id);
    find_stale(in);
    good = drop_stale(in) && put_encoded(in, &e.object);
    s3db_encoded_release(&e);
    in->failed = false;
    if (good)
        s3db_partition_keys(in->r->schema, buf_str(&x->prefix), in->id, record, put_reference,
                            in);
    return good && !in->failed;
}

static bool put_raw(struct reader *in, const json_t *record)
{
    struct s3db_encoded e;
    bool good;

    if (!s3db_raw_encode(&e, record, &in->why))
        return false;
    buf_reset(&in->key);
    s3db_key_raw(&in->key, buf_str(&in->x->prefix), str_c(in->r->name), in->id);
    good = put_encoded(in, &e.object);
    s3db_encoded_release(&e);
    return good;
}

/* ---- lines ------------------------------------------------------------------------- */

/* A line of s3db.js 12.3.0: `_v`, but nothing of what a decoded record has. */
static bool is_mapped(const json_t *line)
{
    static const char *const decoded[] = {"_contentLength", "_lastModified", "_etag",
                                          "_mimeType",      "_hasContent",   "_definitionHash"};

    if (!json_is_string(json_object_get(line, "_v")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(decoded); i++)
        if (json_object_get(line, decoded[i]))
            return false;
    return true;
}

/* *record stays NULL: the line says nothing. */
static bool read_record(struct reader *in, struct str text, json_t **record)
{
    AUTO(json_t) line = js_parse(text, &in->why);
    struct s3db_notes notes = {.secrets = NULL};

    if (!line)
        return false;
    if (!json_is_object(line)) {
        buf_add(&in->why, STR("it is no JSON object"));
        return false;
    }
    if (in->r->way == IMPORT_LINES && is_mapped(line)) {
        *record =
            s3db_mapped_decode(in->r->schema, line, in->x->options->choice.passphrase, &notes);
        s3db_notes_release(&notes);
        return true;
    }
    *record = TAKE(line);
    return true;
}

/* importBackup makes ids up. */
static bool find_id(struct reader *in, const json_t *record, struct buf *id)
{
    if (s3db_record_id(id, record, &in->why))
        return s3db_id_ok(buf_str(id), &in->why);
    if (in->r->way != IMPORT_RAW)
        return false;
    buf_reset(&in->why);
    buf_reset(id);
    buf_addf(id, "imported_%lld_%08llx", (long long)(clock_now_ns() / NS_PER_MS),
             (unsigned long long)random_u64() & 0xFFFFFFFFU);
    return true;
}

static bool take_line(struct reader *in, struct str text, uint64_t number)
{
    AUTO(json_t) record = NULL;
    AUTO_BUF(id, KEY_MAX * 2);
    uint64_t before;
    bool same;

    if (!read_record(in, text, &record))
        return false;
    if (!record)
        return true;
    if (!find_id(in, record, &id))
        return false;
    in->id = buf_str(&id);
    before = seen_before(&in->seen, in->id, text, number, &same);
    if (before && same)
        return true; /* older exports repeat a record for each of its partitions */
    if (before) {
        buf_addf(&in->why, "id '%.*s' was on line %llu already", (int)id.len, id.ptr,
                 (unsigned long long)before);
        return false;
    }
    if (!(in->r->way == IMPORT_RAW ? put_raw(in, record) : put_record(in, record)))
        return false;
    in->r->records++;
    return true;
}

static bool is_blank(struct str text)
{
    return str_trim(text).len == 0;
}

static bool read_lines(struct reader *in, struct lines *l)
{
    enum lines_next next = LINES_END;
    struct str text;

    while (import_go_on(in->x) && (next = lines_next(l, &text)) != LINES_END) {
        uint64_t number = lines_number(l);

        if (next == LINES_FAILED) {
            if (in->x->workspace.refused)
                return import_no_memory(in->x);
            import_error(in->x, in->r, number + 1, "%.*s", (int)lines_why(l).len,
                         lines_why(l).ptr);
            break;
        }
        if (next == LINES_LONG) {
            import_error(in->x, in->r, number, "the line is longer than %zu MiB",
                         LINE_MAX_BYTES / MiB(1));
            continue;
        }
        buf_reset(&in->why);
        if (!import_may_parse_line(in->x, text))
            return false;
        if (!is_blank(text) && !take_line(in, text, number) && import_go_on(in->x))
            import_error(in->x, in->r, number, "%.*s", (int)in->why.len,
                         in->why.ptr ? in->why.ptr : "");
    }
    return import_go_on(in->x);
}

/* The manifest may say how many there are. */
static void check_count(struct import *x, const struct import_resource *r)
{
    const json_t *listed = json_object_get(json_object_get(x->manifest, "resources"), r->name);
    const json_t *count = json_object_get(json_object_get(listed, "stats"), "recordCount");

    if (json_is_number(count) && json_number_value(count) != (double)r->records)
        import_warn(x, "s3db.json says that %s has %.0f records; %llu were imported", r->name,
                    json_number_value(count), (unsigned long long)r->records);
}

bool import_lines(struct import *x, struct import_resource *r)
{
    struct reader in = {.x = x, .r = r};
    AUTO(lines) l = import_open(x, r);
    bool good;

    if (!l)
        return import_go_on(x);
    buf_init(&in.key, KEY_MAX * 4);
    buf_init(&in.attrs, MiB(4));
    buf_init(&in.why, KiB(4));
    buf_init(&in.stale, MiB(4));
    seen_grow(&in.seen);
    good = read_lines(&in, l);
    if (good)
        check_count(x, r);
    mem_free(in.seen.slots);
    buf_release(&in.key);
    buf_release(&in.attrs);
    buf_release(&in.why);
    buf_release(&in.stale);
    return good;
}

/* ---- the rest of the descriptor ---------------------------------------------------- */

bool import_agrees(struct import *x, struct str name)
{
    json_t *here = x->before ? s3db_descriptor_resource(x->before, name) : NULL;
    json_t *there = x->descriptor ? s3db_descriptor_resource(x->descriptor, name) : NULL;
    AUTO_BUF(text, KiB(2));
    size_t said;

    if (x->options->clear || !here || !there)
        return true;
    /* It takes both schemas apart, and is asked for each of a resource's objects. */
    said = names_find(x->agreed, name);
    if (said == SIZE_MAX) {
        buf_add(&text, name);
        buf_add_char(&text, '\0');
        said = entries_agree(text.ptr, here, there);
        names_add(x->agreed, name, said);
    }
    return said;
}
