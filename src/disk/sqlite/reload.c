/* SPDX-License-Identifier: MIT */
/* reload.c - what the file holds becomes the store: node by node, each made of its parent, so
 * that snapshots and branches share what they shared. */
#include "disk/sqlite/database.h"

#include <inttypes.h>
#include <search.h>

#define PROGRESS_NS (2 * NS_PER_S)

struct node {
    int64_t id, parent;
    unsigned users;   /* children, buckets and names that still need its state */
    uint64_t objects; /* its own, and what it says is not there */
    bool begun, read; /* begun: what it is made of is read before it */
    struct root *root;
};

/* A segment that is in memory already. */
struct loaded_segment {
    int64_t id;
    struct body *body;
};

struct reloading {
    struct database *db;
    struct buf *why;
    struct node *nodes; /* by id */
    size_t node_count;
    struct node **stack; /* nodes to be read; see read_nodes_for */
    size_t stack_count, stack_room;
    void *segments; /* tree of loaded_segment, see tsearch(3) */
    uint64_t rows, objects, total;
    int64_t next_progress_ns;
};

static bool complain(struct reloading *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool complain(struct reloading *l, const char *fmt, ...)
{
    va_list args;

    if (l->why->len > 0 || l->db->err)
        return false;
    buf_addf(l->why, "%s: ", l->db->path);
    va_start(args, fmt);
    buf_vaddf(l->why, fmt, args);
    va_end(args);
    return false;
}

static bool no_memory(struct reloading *l)
{
    return complain(l, "it does not fit into memory (see --max-memory)");
}

static bool refused(struct reloading *l, enum s3_err err, const char *table, int64_t row)
{
    if (!err)
        return true;
    return err == S3_SLOW_DOWN
               ? no_memory(l)
               : complain(l, "table %s, row %" PRId64 ": it makes no sense (%s)", table, row,
                          s3_err_code(err));
}

/* Columns are good one by one (columns.sql); this one is not beside the others. */
static bool refused_column(struct reloading *l, const char *table, int64_t row,
                           const char *column)
{
    return complain(l, "table %s, row %" PRId64 ": what stands in column %s makes no sense",
                    table, row, column);
}

/* After each row: tells how far it is; false: interrupted. */
static bool progress(struct reloading *l)
{
    const struct database_options *options = &l->db->options;
    int64_t now_ns;

    if (++l->rows % 1024 > 0)
        return true;
    if (options->interrupted && options->interrupted(options->interrupted_arg))
        return complain(l, "interrupted");
    now_ns = clock_monotonic_ns();
    if (now_ns >= l->next_progress_ns) {
        log_info("loading %s: %" PRIu64 " of %" PRIu64 " objects", l->db->path, l->objects,
                 l->total);
        l->next_progress_ns = now_ns + PROGRESS_NS;
    }
    return true;
}

/* ---- columns ----------------------------------------------------------------------- */

/* False: there is no such algorithm, or the checksum is not one of its. */
static bool read_checksum(sqlite3_stmt *s, int at, struct checksum *out)
{
    struct str name = sql_column(s, at), bytes = sql_column(s, at + 2);
    enum checksum_alg alg = checksum_by_name(name);

    *out = (struct checksum){.alg = CHECKSUM_NONE};
    if (sqlite3_column_type(s, at) == SQLITE_NULL)
        return true;
    if (alg == CHECKSUM_NONE || bytes.len != checksum_size(alg))
        return false;
    out->alg = (uint8_t)alg;
    out->type = (uint8_t)sqlite3_column_int(s, at + 1);
    str_put(out->bytes, bytes);
    return true;
}

static void read_md5(sqlite3_stmt *s, int at, uint8_t out[MD5_SIZE])
{
    struct str bytes = sql_column(s, at);

    memset(out, 0, MD5_SIZE);
    if (bytes.len == MD5_SIZE)
        memcpy(out, bytes.ptr, MD5_SIZE);
}

static bool attrs_are_whole(struct str attrs)
{
    struct str name, value;
    enum attr a;
    size_t at = 0;

    while (at < attrs.len) {
        if (!attrs_next(attrs, &at, &a, &name, &value))
            return false;
    }
    return true;
}

/* See pack_parts. */
static bool unpack_part(struct str line, struct part_info *out)
{
    struct str field[5];
    uint64_t number, size, type;

    for (size_t i = 0; i < ARRAY_LEN(field); i++) {
        if (!str_split(&line, ' ', &field[i]))
            return false;
    }
    *out = (struct part_info){.number = 0};
    if (!str_to_u64(field[0], &number) || !str_to_u64(field[1], &size) ||
        !str_to_u64(field[2], &type) || number < 1 || number > PART_NUMBER_MAX ||
        type > CHECKSUM_FULL_OBJECT)
        return false;
    out->number = (uint32_t)number;
    out->size = size;
    out->checksum.alg = (uint8_t)checksum_by_name(field[3]);
    out->checksum.type = (uint8_t)type;
    return (field[3].len == 0) == (out->checksum.alg == CHECKSUM_NONE) && !line.ptr &&
           hex_decode_exact(field[4], out->checksum.bytes,
                            checksum_size((enum checksum_alg)out->checksum.alg));
}

/* The rows of an object's parts, which are in order and as long as it is. *out is owned; NULL
 * when there are none. No more memory is taken than the text has lines for. */
static bool unpack_parts(struct str text, uint32_t count, uint64_t size, struct part_info **out)
{
    struct str line;
    uint32_t n = 0;

    *out = NULL;
    if (text.len == 0)
        return true;
    if (count > PART_NUMBER_MAX || count > text.len)
        return false;
    *out = xcalloc(count + 1, sizeof(**out));
    for (; n < count; n++) {
        struct part_info *part = &(*out)[n];

        if (!str_split(&text, '\n', &line) || !unpack_part(line, part) || part->size > size ||
            (n > 0 && part->number <= part[-1].number))
            return false;
        size -= part->size;
    }
    return size == 0 && text.len == 0;
}

/* ---- bodies ------------------------------------------------------------------------ */

static int compare_segments(const void *a, const void *b)
{
    int64_t x = ((const struct loaded_segment *)a)->id,
            y = ((const struct loaded_segment *)b)->id;

    return (x > y) - (x < y);
}

static void free_segment(void *segment)
{
    body_unref(((struct loaded_segment *)segment)->body);
    mem_free(segment);
}

static bool read_chunks(struct reloading *l, struct body *body, int64_t id)
{
    sqlite3_stmt *s = sql_begin(l->db, SQL_CHUNKS);
    bool ok = true;

    sqlite3_bind_int64(s, 1, id);
    while (ok && sql_row(l->db, s)) {
        struct str bytes = sql_column(s, 0);

        ok = body_append(body, bytes.ptr, bytes.len);
    }
    sqlite3_reset(s);
    return ok && !l->db->err;
}

/* Borrowed. NULL: complained. */
static struct body *segment(struct reloading *l, int64_t id)
{
    struct loaded_segment *wanted = xmalloc(sizeof(*wanted)), **found;
    sqlite3_stmt *s = sql_begin(l->db, SQL_SEGMENT);
    uint64_t size;

    *wanted = (struct loaded_segment){.id = id};
    found = tsearch(wanted, &l->segments, compare_segments);
    if (!found || *found != wanted) {
        mem_free(wanted);
        return found ? (*found)->body : NULL;
    }
    sqlite3_bind_int64(s, 1, id);
    size = sql_row(l->db, s) ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    if (size == 0)
        complain(l, "segment %" PRId64 " is missing", id);
    else if (!(wanted->body = body_new(l->db->options.store, size)))
        no_memory(l);
    else if (!read_chunks(l, wanted->body, id) || body_len(wanted->body) != size)
        refused_column(l, "segment", id, "size");
    else
        body_is_segment(wanted->body, (uint64_t)id);
    return l->why->len > 0 || l->db->err ? NULL : wanted->body;
}

/* The stretches of segments that `owner` consists of. */
static struct body *read_extents(struct reloading *l, int64_t owner)
{
    struct store *store = l->db->options.store;
    sqlite3_stmt *s = sql_begin(l->db, SQL_EXTENTS);
    struct body *joined = NULL, **parts = NULL;
    size_t count = 0;

    sqlite3_bind_int64(s, 1, owner);
    while (sql_row(l->db, s)) {
        uint64_t first = (uint64_t)sqlite3_column_int64(s, 1);
        uint64_t len = (uint64_t)sqlite3_column_int64(s, 2);
        struct body *whole = segment(l, sqlite3_column_int64(s, 0));

        if (!whole)
            break;
        parts = xrealloc(parts, (count + 1) * sizeof(struct body *));
        parts[count] = first == 0 && len == body_len(whole) ? body_ref(whole)
                                                            : body_range(whole, first, len);
        if (!parts[count++])
            break;
    }
    sqlite3_reset(s);
    if (!l->db->err && l->why->len == 0 && count > 0 && parts[count - 1])
        joined = count == 1 ? body_ref(parts[0]) : body_join(store, parts, count);
    for (size_t i = 0; i < count; i++)
        body_unref(parts[i]);
    mem_free(parts);
    if (!joined && count == 0)
        complain(l, "table %s, row %" PRId64 ": its bytes are missing from table extent",
                 owner % 2 ? "part" : "object", owner / 2);
    else if (!joined)
        no_memory(l);
    return joined;
}

/* Of a body column that may be NULL. */
static struct body *read_body(struct reloading *l, sqlite3_stmt *s, int at, int64_t owner)
{
    struct str bytes = sql_column(s, at);
    struct body *body;

    if (sqlite3_column_type(s, at) == SQLITE_NULL)
        return read_extents(l, owner);
    body = body_new(l->db->options.store, bytes.len);
    if (body && body_append(body, bytes.ptr, bytes.len))
        return body;
    body_unref(body);
    no_memory(l);
    return NULL;
}

/* ---- nodes ------------------------------------------------------------------------- */

static struct node *find_node(struct reloading *l, int64_t id)
{
    size_t low = 0, high = l->node_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (l->nodes[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < l->node_count && l->nodes[low].id == id ? &l->nodes[low] : NULL;
}

/* The node's state for one of its users, a reference; the last one gets the node's own. NULL:
 * complained. */
static struct root *use_node(struct reloading *l, int64_t id)
{
    struct node *node = find_node(l, id);

    if (!node || !node->root || node->users == 0) {
        complain(l, "node %" PRId64 " is missing", id);
        return NULL;
    }
    return --node->users == 0 ? TAKE(node->root) : root_ref(node->root);
}

/* Counts one that will use the node named in a column of each row. */
static void count_users(struct reloading *l, const char *sql)
{
    sqlite3_stmt *s = NULL;
    int err = sqlite3_prepare_v2(l->db->sql, sql, -1, &s, NULL);

    if (err != SQLITE_OK && !l->db->err)
        l->db->err = err;
    while (!l->db->err && sql_row(l->db, s)) {
        struct node *node = find_node(l, sqlite3_column_int64(s, 0));

        if (node)
            node->users++;
    }
    sqlite3_finalize(s);
}

static void count_objects(struct reloading *l)
{
    sqlite3_stmt *s = sql_begin(l->db, SQL_COUNT_OBJECTS);

    while (sql_row(l->db, s)) {
        struct node *node = find_node(l, sqlite3_column_int64(s, 0));
        uint64_t objects = (uint64_t)sqlite3_column_int64(s, 1);

        l->total += objects;
        if (node)
            node->objects = objects;
    }
}

static bool read_nodes(struct reloading *l)
{
    sqlite3_stmt *s = sql_begin(l->db, SQL_NODES);
    size_t room = 0;

    while (sql_row(l->db, s)) {
        if (l->node_count == room) {
            room = room > 0 ? room * 2 : 16;
            l->nodes = xrealloc(l->nodes, room * sizeof(*l->nodes));
        }
        l->nodes[l->node_count++] = (struct node){.id = sqlite3_column_int64(s, 0),
                                                  .parent = sqlite3_column_int64(s, 1)};
    }
    count_users(l, "SELECT parent FROM node WHERE parent IS NOT NULL");
    count_users(l, "SELECT node FROM branch");
    count_users(l, "SELECT node FROM snapshot");
    count_users(l, "SELECT base FROM bucket WHERE base > 0");
    count_objects(l);
    return !l->db->err;
}

/* ---- what a node has --------------------------------------------------------------- */

static bool copy_name(char *out, size_t size, struct str text)
{
    if (text.len >= size)
        return false;
    if (text.len > 0) /* of NULL there is no pointer */
        str_put(out, text);
    return true;
}

static enum s3_err take_base(struct reloading *l, struct replay *replay, struct str name,
                             int64_t base)
{
    AUTO(root) root = base > 0 ? use_node(l, base) : NULL;

    if (base > 0 && !root)
        return S3_INVALID_ARGUMENT;
    return base > 0 ? replay_take_bucket(replay, root, name) : replay_no_bucket(replay, name);
}

static bool refused_bucket(struct reloading *l, enum s3_err err, sqlite3_stmt *s)
{
    struct str name = sql_column(s, 0);

    if (!err || err == S3_SLOW_DOWN)
        return !err || no_memory(l);
    return complain(l, "table bucket, row %" PRId64 ", %.*s: it makes no sense (%s)",
                    (int64_t)sqlite3_column_int64(s, 8), (int)name.len, name.ptr,
                    s3_err_code(err));
}

static bool read_bucket(struct reloading *l, sqlite3_stmt *s, struct replay *replay)
{
    struct bucket_info info = {.created_ns = sqlite3_column_int64(s, 5),
                               .versioning = (enum versioning)sqlite3_column_int(s, 6)};
    struct str name = sql_column(s, 0);
    enum s3_err err = S3_OK;

    if (!copy_name(info.name, sizeof(info.name), name) ||
        !copy_name(info.region, sizeof(info.region), sql_column(s, 3)))
        return refused_bucket(l, S3_INVALID_ARGUMENT, s);
    if (sqlite3_column_type(s, 1) == SQLITE_NULL)
        return refused_bucket(l, replay_no_bucket(replay, name), s);
    if (sqlite3_column_type(s, 2) != SQLITE_NULL)
        err = take_base(l, replay, str_c(info.name), sqlite3_column_int64(s, 2));
    info.owner = doc_new(l->db->options.store, sql_column(s, 4));
    if (!err && !info.owner)
        err = S3_SLOW_DOWN;
    if (!err && sqlite3_column_type(s, 7) != SQLITE_NULL) {
        info.docs[BUCKET_DOC_TAGGING] = doc_new(l->db->options.store, sql_column(s, 7));
        err = info.docs[BUCKET_DOC_TAGGING] ? S3_OK : S3_SLOW_DOWN;
    }
    if (!err)
        err = replay_bucket(replay, &info);
    bucket_info_release(&info);
    return refused_bucket(l, err, s);
}

static bool read_object(struct reloading *l, sqlite3_stmt *s, struct replay *replay)
{
    struct target at = {sql_column(s, 0), sql_column(s, 1)};
    int kind = sqlite3_column_int(s, 3);
    struct record_place place = {.number = (uint64_t)sqlite3_column_int64(s, 4),
                                 .is_null = sqlite3_column_int64(s, 2) == 0,
                                 .delete_marker = kind == KIND_MARKER};
    struct record_spec spec = {.key = at.key,
                               .mtime_ns = sqlite3_column_int64(s, 5),
                               .part_count = (uint32_t)sqlite3_column_int64(s, 8),
                               .attrs = sql_column(s, 12),
                               .upload_id = sql_column(s, 14)};
    int64_t row = sqlite3_column_int64(s, 16);
    uint64_t size = (uint64_t)sqlite3_column_int64(s, 6);
    struct part_info *parts = NULL;
    AUTO(body) body = NULL;
    bool ok = false;

    if (kind == KIND_GONE)
        return refused(l, replay_no_record(replay, &at, &place), "object", row);
    if (kind == KIND_OBJECT && !(body = read_body(l, s, 15, 2 * row)))
        return false;
    read_md5(s, 7, spec.md5);
    if (!read_checksum(s, 9, &spec.checksum))
        refused_column(l, "object", row, "checksum");
    else if (!attrs_are_whole(spec.attrs))
        refused_column(l, "object", row, "attributes");
    else if (body && body_len(body) != size)
        refused_column(l, "object", row, "size");
    else if (!unpack_parts(sql_column(s, 13), spec.part_count, size, &parts))
        refused_column(l, "object", row, "parts");
    else
        ok = true;
    spec.parts = parts;
    if (ok)
        ok = refused(l, replay_record(replay, at.bucket, &spec, TAKE(body), &place), "object",
                     row);
    mem_free(parts);
    l->objects++;
    return ok;
}

static bool read_upload(struct reloading *l, sqlite3_stmt *s, struct replay *replay)
{
    struct target at = {sql_column(s, 0), sql_column(s, 3)};
    struct upload_spec spec = {.key = at.key,
                               .initiated_ns = sqlite3_column_int64(s, 4),
                               .checksum_alg = checksum_by_name(sql_column(s, 5)),
                               .checksum_type = (enum checksum_type)sqlite3_column_int(s, 6),
                               .owner = sql_column(s, 7),
                               .attrs = sql_column(s, 8)};
    struct str id = sql_column(s, 1);
    int64_t row = sqlite3_column_int64(s, 10);
    bool gone = sqlite3_column_int(s, 2) != 0;

    if (sqlite3_column_type(s, 5) != SQLITE_NULL && spec.checksum_alg == CHECKSUM_NONE)
        return refused_column(l, "upload", row, "checksum_algorithm");
    if (!attrs_are_whole(spec.attrs))
        return refused_column(l, "upload", row, "attributes");
    return refused(l,
                   gone ? replay_no_upload(replay, &at, id)
                        : replay_upload(replay, at.bucket, &spec, id, sqlite3_column_int(s, 9)),
                   "upload", row);
}

static bool read_part(struct reloading *l, sqlite3_stmt *s, struct replay *replay)
{
    struct target at = {sql_column(s, 0), sql_column(s, 2)};
    struct part part = {.number = (uint32_t)sqlite3_column_int64(s, 3),
                        .size = (uint64_t)sqlite3_column_int64(s, 4),
                        .mtime_ns = sqlite3_column_int64(s, 5)};
    int64_t row = sqlite3_column_int64(s, 10);

    read_md5(s, 6, part.md5);
    if (!read_checksum(s, 7, &part.checksum))
        return refused_column(l, "part", row, "checksum");
    part.body =
        part.size > 0 ? read_extents(l, 2 * row + 1) : body_new(l->db->options.store, 0);
    if (!part.body)
        return no_memory(l);
    return refused(l, replay_part(replay, &at, sql_column(s, 1), &part), "part", row);
}

/* Rows of one table that the node has. */
static bool read_rows(struct reloading *l, enum statement which, int64_t node,
                      bool (*read)(struct reloading *, sqlite3_stmt *, struct replay *),
                      struct replay *replay)
{
    sqlite3_stmt *s = sql_begin(l->db, which);
    bool ok = true;

    sqlite3_bind_int64(s, 1, node);
    while (ok && sql_row(l->db, s))
        ok = read(l, s, replay) && progress(l);
    sqlite3_reset(s);
    return ok && !l->db->err;
}

/* What nothing stands on any more is not read: it waits to be collected. */
static void skip_dead_nodes(struct reloading *l)
{
    for (size_t i = l->node_count; i-- > 0;) {
        struct node *node = &l->nodes[i];
        struct node *parent = node->users == 0 ? find_node(l, node->parent) : NULL;

        if (parent && parent->users > 0)
            parent->users--;
    }
}

/* Most of the table is the node's. */
static bool is_large(const struct reloading *l, const struct node *node)
{
    return node->objects > l->total / 2;
}

static bool read_node(struct reloading *l, struct node *node)
{
    enum statement objects = is_large(l, node) ? SQL_LARGE_NODE_OBJECTS : SQL_NODE_OBJECTS;
    struct root *below = node->parent > 0 ? use_node(l, node->parent) : NULL;
    struct replay *replay;
    bool ok;

    if (node->parent > 0 && !below)
        return false;
    replay = replay_new(l->db->options.store, below);
    ok = replay && read_rows(l, SQL_NODE_BUCKETS, node->id, read_bucket, replay) &&
         read_rows(l, objects, node->id, read_object, replay) &&
         read_rows(l, SQL_NODE_UPLOADS, node->id, read_upload, replay) &&
         read_rows(l, SQL_NODE_PARTS, node->id, read_part, replay);
    if (ok && node->users > 0)
        node->root = replay_root(replay);
    replay_free(replay);
    node->read = true;
    return ok;
}

/* To be read before the node that begins. False: complained. */
static bool push_unread(struct reloading *l, struct node *node)
{
    if (!node || node->read)
        return true;
    /* What has begun and is not read waits for this one. */
    if (node->begun)
        return complain(l, "table node, row %" PRId64 ": it is made of itself", node->id);
    if (l->stack_count == l->stack_room) {
        l->stack_room = l->stack_room > 0 ? l->stack_room * 2 : 16;
        l->stack = xrealloc(l->stack, l->stack_room * sizeof(struct node *));
    }
    l->stack[l->stack_count++] = node;
    return true;
}

/* The parent, and the nodes of which buckets of this one were taken. */
static bool push_needed(struct reloading *l, struct node *node)
{
    sqlite3_stmt *s = sql_begin(l->db, SQL_NODE_BASES);
    bool ok = push_unread(l, find_node(l, node->parent));

    sqlite3_bind_int64(s, 1, node->id);
    while (ok && sql_row(l->db, s))
        ok = push_unread(l, find_node(l, sqlite3_column_int64(s, 0)));
    sqlite3_reset(s);
    return ok && !l->db->err;
}

/* The node, and before it whatever it is made of. */
static bool read_nodes_for(struct reloading *l, struct node *node)
{
    bool ok = push_unread(l, node);

    while (ok && l->stack_count > 0) {
        struct node *top = l->stack[l->stack_count - 1];

        if (top->begun) {
            l->stack_count--;
            ok = top->read || read_node(l, top);
        } else {
            top->begun = true;
            ok = push_needed(l, top);
        }
    }
    return ok;
}

/* ---- names ------------------------------------------------------------------------- */

typedef enum named add_name(struct store *store, struct str name, struct str from,
                            int64_t created_ns, struct root *root);

static bool name_states(struct reloading *l, enum statement which, add_name *add)
{
    sqlite3_stmt *s = sql_begin(l->db, which);
    bool ok = true;

    while (ok && sql_row(l->db, s)) {
        struct str name = sql_column(s, 0), from = sql_column(s, 1);
        struct root *root = use_node(l, sqlite3_column_int64(s, 3));
        enum named result = NAMED_MISSING;

        if (root && store_name_ok(name) && from.len <= NAME_MAX_LEN)
            result =
                add(l->db->options.store, name, from, sqlite3_column_int64(s, 2), TAKE(root));
        root_unref(root);
        ok =
            result == NAMED_OK ||
            (result == NAMED_NO_MEMORY ? no_memory(l)
                                       : complain(l, "table %s, row %.*s: its name is not good",
                                                  which == SQL_BRANCHES ? "branch" : "snapshot",
                                                  (int)name.len, name.ptr));
    }
    sqlite3_reset(s);
    return ok && !l->db->err;
}

bool reload(struct database *db, struct buf *why)
{
    struct reloading l = {.db = db, .why = why};
    int64_t started_ns = clock_monotonic_ns();
    /* All of it as it is at one instant: somebody else may be writing. */
    bool ok = sql_exec(db, "BEGIN") && check_columns(db, why) && read_nodes(&l);

    /* Segments that nothing refers to are there, too, until they are collected. */
    if (ok && !store_continue_after(db->options.store, (uint64_t)sql_number(db, SQL_SEQUENCE),
                                    (uint64_t)sql_number(db, SQL_LAST_SEGMENT)))
        ok = complain(&l, "its last sequence or segment number is none that was ever given");
    l.next_progress_ns = started_ns + PROGRESS_NS;
    skip_dead_nodes(&l);
    for (size_t i = 0; ok && i < l.node_count; i++)
        ok = l.nodes[i].users == 0 || l.nodes[i].read || read_nodes_for(&l, &l.nodes[i]);
    ok = ok && name_states(&l, SQL_BRANCHES, store_add_branch) &&
         name_states(&l, SQL_SNAPSHOTS, store_add_snapshot) && sql_exec(db, "COMMIT");
    for (size_t i = 0; i < l.node_count; i++)
        root_unref(l.nodes[i].root);
    mem_free(l.nodes);
    mem_free(l.stack);
    tdestroy(l.segments, free_segment);
    if (ok)
        log_info("%s: %" PRIu64 " objects loaded in %.2f s", db->path, l.objects,
                 (double)(clock_monotonic_ns() - started_ns) / NS_PER_S);
    return ok && !db->err;
}
