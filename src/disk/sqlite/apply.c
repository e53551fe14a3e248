/* SPDX-License-Identifier: MIT */
/* apply.c - one change of the store as rows. On the writer's thread, in a transaction; what is
 * kept in memory beside it (heads.c) is read anew when that is rolled back. */
#include "disk/sqlite/database.h"

#define CHUNK_SIZE KiB(512)
#define ROW_BYTES  512 /* what a row takes beside bodies, about */
#define EXTENTS    16

/* ---- names of an entry ------------------------------------------------------------- */

static struct str branch_of(const struct batch *batch, const struct queued *e)
{
    return str_of(batch->text + e->text, e->branch_len);
}

static struct str bucket_of(const struct batch *batch, const struct queued *e)
{
    return str_of(batch->text + e->text + e->branch_len, e->bucket_len);
}

static struct str name_of(const struct batch *batch, const struct queued *e)
{
    return str_of(batch->text + e->text + e->branch_len + e->bucket_len, e->name_len);
}

/* ---- nodes ------------------------------------------------------------------------- */

/* 0: db->err is set. */
static int64_t new_node(struct database *db, int64_t parent)
{
    sqlite3_stmt *s = sql_begin(db, SQL_NEW_NODE);

    if (parent > 0)
        sqlite3_bind_int64(s, 1, parent);
    return sql_run(db, s) ? sqlite3_last_insert_rowid(db->sql) : 0;
}

/* The branch goes on with an empty node on top of parent (0: of nothing). */
static bool move_head(struct database *db, struct head *head, int64_t parent)
{
    int64_t node = new_node(db, parent);
    sqlite3_stmt *s = sql_begin(db, SQL_MOVE_BRANCH);

    sql_text(s, 1, str_c(head->name));
    sqlite3_bind_int64(s, 2, node);
    if (node == 0 || !sql_run(db, s))
        return false;
    head->node = node;
    head->parent = parent;
    head->written = false;
    return true;
}

/* The state of the branch as a node that is not written to any more. 0: db->err is set. Its
 * buckets have the contents that they had. */
static int64_t freeze(struct database *db, struct head *head)
{
    int64_t frozen = head->node;

    if (!head->written && head->parent > 0)
        return head->parent; /* it is the same */
    return move_head(db, head, frozen) ? frozen : 0;
}

/* ---- branches and snapshots -------------------------------------------------------- */

static bool put_name(struct database *db, enum statement which, struct str name,
                     struct str source, int64_t time_ns, int64_t node)
{
    sqlite3_stmt *s = sql_begin(db, which);

    sql_text(s, 1, name);
    sql_text(s, 2, source);
    sqlite3_bind_int64(s, 3, time_ns);
    sqlite3_bind_int64(s, 4, node);
    return sql_run(db, s);
}

static bool delete_name(struct database *db, enum statement which, struct str name)
{
    sqlite3_stmt *s = sql_begin(db, which);

    sql_text(s, 1, name);
    db->has_garbage = true;
    return sql_run(db, s);
}

/* 0 when there is none, or db->err is set. */
static int64_t find_snapshot(struct database *db, struct str name)
{
    sqlite3_stmt *s = sql_begin(db, SQL_FIND_SNAPSHOT);

    sql_text(s, 1, name);
    int64_t node = sql_row(db, s) ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return node;
}

/* What the observer tells and the rows do not have: cannot be, but for a file that somebody
 * else has changed. */
static bool unknown(struct database *db)
{
    if (!db->err)
        db->err = SQLITE_CORRUPT;
    return false;
}

static bool apply_taken(struct database *db, const struct batch *batch, const struct queued *e)
{
    struct head *head = find_head(db, branch_of(batch, e));
    int64_t node = head ? freeze(db, head) : 0;

    if (node == 0)
        return unknown(db);
    return put_name(db, SQL_PUT_SNAPSHOT, name_of(batch, e), branch_of(batch, e), e->time_ns,
                    node);
}

static bool apply_forked(struct database *db, const struct batch *batch, const struct queued *e)
{
    struct str name = branch_of(batch, e), from = name_of(batch, e);
    struct head *head = e->from_snapshot ? NULL : find_head(db, from);
    int64_t base = e->from_snapshot ? find_snapshot(db, from) : head ? freeze(db, head) : 0;
    int64_t node = base > 0 ? new_node(db, base) : 0;

    if (node == 0)
        return unknown(db);
    if (!put_name(db, SQL_PUT_BRANCH, name, from, e->time_ns, node))
        return false;
    add_head(db, name, node, base)->written = false;
    return true;
}

static bool apply_branch_deleted(struct database *db, const struct batch *batch,
                                 const struct queued *e)
{
    struct head *head = find_head(db, branch_of(batch, e));

    if (!head)
        return unknown(db);
    remove_head(db, head);
    return delete_name(db, SQL_DELETE_BRANCH, branch_of(batch, e));
}

/* ---- buckets ----------------------------------------------------------------------- */

int64_t find_contents(struct database *db, int64_t node, struct str bucket, bool *own)
{
    sqlite3_stmt *s = sql_begin(db, SQL_SEE_BUCKET);
    int64_t contents = 0;

    sqlite3_bind_int64(s, 1, node);
    sql_text(s, 2, bucket);
    *own = false;
    if (sql_row(db, s)) {
        contents = sqlite3_column_int64(s, 0);
        *own = sqlite3_column_int64(s, 1) == node && sqlite3_column_type(s, 2) != SQLITE_NULL &&
               sqlite3_column_int64(s, 2) == 0;
    }
    sqlite3_reset(s);
    return contents;
}

/* The bucket as the branch sees it. Never NULL; contents is 0 when there is none. */
static struct seen_bucket *see_bucket(struct database *db, struct head *head, struct str name)
{
    struct seen_bucket *seen = recall_bucket(head, name);
    bool own;

    if (seen)
        return seen;

    int64_t contents = find_contents(db, head->node, name, &own);

    return remember_bucket(head, name, contents, own ? head->node : 0);
}

bool discard(struct database *db, int64_t node, int64_t contents)
{
    sqlite3_stmt *s = sql_begin(db, SQL_ADD_GARBAGE);

    if (contents == 0)
        return true;
    sqlite3_bind_int64(s, 1, node);
    sqlite3_bind_int64(s, 2, contents);
    db->has_garbage = true;
    return sql_run(db, s);
}

/* 0: db->err is set. */
static int64_t new_contents(struct database *db, struct str bucket)
{
    sqlite3_stmt *s = sql_begin(db, SQL_NEW_CONTENTS);

    sql_text(s, 1, bucket);
    return sql_run(db, s) ? sqlite3_last_insert_rowid(db->sql) : 0;
}

static void bind_settings(sqlite3_stmt *s, int at, const struct bucket_info *info)
{
    sql_text(s, at, str_c(info->region));
    sql_text(s, at + 1, doc_str(info->owner));
    sqlite3_bind_int64(s, at + 2, info->created_ns);
    sqlite3_bind_int(s, at + 3, (int)info->versioning);
    if (info->docs[BUCKET_DOC_TAGGING])
        sql_text(s, at + 4, doc_str(info->docs[BUCKET_DOC_TAGGING]));
}

static bool apply_bucket_created(struct database *db, struct head *head,
                                 const struct bucket_info *info)
{
    struct str name = str_c(info->name);
    struct seen_bucket *seen = see_bucket(db, head, name);
    int64_t contents = new_contents(db, name);
    sqlite3_stmt *s = sql_begin(db, SQL_PUT_BUCKET);

    if (contents == 0)
        return false;
    sqlite3_bind_int64(s, 1, head->node);
    sql_text(s, 2, name);
    sqlite3_bind_int64(s, 3, contents);
    sqlite3_bind_int64(s, 4, 0);
    bind_settings(s, 5, info);
    seen->contents = contents;
    seen->owner = head->node;
    return sql_run(db, s);
}

static bool apply_bucket_setting(struct database *db, struct head *head,
                                 const struct bucket_info *info)
{
    const struct seen_bucket *seen = see_bucket(db, head, str_c(info->name));
    sqlite3_stmt *s = sql_begin(db, SQL_SET_BUCKET);

    sqlite3_bind_int64(s, 1, head->node);
    sql_text(s, 2, str_c(info->name));
    sqlite3_bind_int64(s, 3, seen->contents);
    bind_settings(s, 4, info);
    return sql_run(db, s);
}

static bool apply_bucket_deleted(struct database *db, struct head *head, struct str name)
{
    struct seen_bucket *seen = see_bucket(db, head, name);
    bool own, below = find_contents(db, head->parent, name, &own) > 0;
    sqlite3_stmt *s = sql_begin(db, below ? SQL_NO_BUCKET : SQL_DELETE_BUCKET);

    if (!discard(db, head->node, seen->contents))
        return false;
    seen->contents = 0;
    sqlite3_bind_int64(s, 1, head->node);
    sql_text(s, 2, name);
    return sql_run(db, s);
}

/* The bucket begins anew, with what `base` (a node, or 0: nothing) has of it, and the settings
 * it has in the node `like`. */
static bool reset_bucket(struct database *db, struct head *head, struct str name, int64_t base,
                         int64_t like)
{
    struct seen_bucket *seen = see_bucket(db, head, name);
    int64_t contents = new_contents(db, name);
    sqlite3_stmt *s = sql_begin(db, SQL_TAKE_BUCKET);

    if (contents == 0 || !discard(db, head->node, seen->contents))
        return false;
    sqlite3_bind_int64(s, 1, head->node);
    sql_text(s, 2, name);
    sqlite3_bind_int64(s, 3, contents);
    sqlite3_bind_int64(s, 4, base);
    sqlite3_bind_int64(s, 5, like);
    seen->contents = contents;
    seen->owner = base == 0 ? head->node : 0;
    return sql_run(db, s);
}

static bool restore_bucket(struct database *db, struct head *head, struct str bucket,
                           int64_t snapshot)
{
    bool own;

    if (find_contents(db, snapshot, bucket, &own) > 0)
        return reset_bucket(db, head, bucket, snapshot, snapshot);
    if (db->err)
        return false;
    return see_bucket(db, head, bucket)->contents == 0 ||
           apply_bucket_deleted(db, head, bucket);
}

static bool apply_reset(struct database *db, struct head *head, const struct batch *batch,
                        const struct queued *e)
{
    struct str name = name_of(batch, e);
    int64_t snapshot = name.len > 0 ? find_snapshot(db, name) : 0;

    if (name.len > 0 && snapshot == 0)
        return unknown(db);
    if (e->bucket_len > 0)
        return restore_bucket(db, head, bucket_of(batch, e), snapshot);
    forget_buckets(head);
    db->has_garbage = true; /* the old node, maybe */
    return move_head(db, head, snapshot);
}

/* ---- bodies ------------------------------------------------------------------------ */

static bool put_chunk(struct database *db, const struct extent *x, uint64_t at)
{
    uint64_t left = x->segment_len - at, len = left < CHUNK_SIZE ? left : CHUNK_SIZE;
    sqlite3_stmt *s = sql_begin(db, SQL_PUT_CHUNK);

    sqlite3_bind_int64(s, 1, (int64_t)x->segment);
    sqlite3_bind_int64(s, 2, (int64_t)(at / CHUNK_SIZE));
    sql_bytes(s, 3, x->bytes + at, (size_t)len);
    db->transaction_bytes += len;
    return sql_run(db, s);
}

/* Is all of it in the file? */
static bool has_segment(struct database *db, const struct extent *x)
{
    sqlite3_stmt *s = sql_begin(db, SQL_HAS_SEGMENT);

    sqlite3_bind_int64(s, 1, (int64_t)x->segment);
    bool there = sql_row(db, s);
    bool same = there && (uint64_t)sqlite3_column_int64(s, 0) == x->segment_len;
    sqlite3_reset(s);
    if (there && !same)
        unknown(db);
    return there;
}

/* The bytes of a segment that was in the file before may be on their way out. */
static bool hold_back(struct database *db, uint64_t segment)
{
    const int64_t number = (int64_t)segment;

    if (segment > db->newest_segment) {
        db->newest_segment = segment;
        return true;
    }
    return sql_run(db, sql_begin_with(db, SQL_NOT_LOOSE, &number, 1));
}

/* Once, whoever refers to it. */
static bool put_segment(struct database *db, const struct extent *x)
{
    sqlite3_stmt *s;

    if (has_segment(db, x) || db->err)
        return !db->err;
    if (!hold_back(db, x->segment))
        return false;
    for (uint64_t at = 0; at < x->segment_len; at += CHUNK_SIZE) {
        if (!put_chunk(db, x, at))
            return false;
        /* Bytes that nothing refers to yet may stand alone. */
        if (!commit_if_long(db, db->applying))
            return false;
    }
    s = sql_begin(db, SQL_PUT_SEGMENT);
    sqlite3_bind_int64(s, 1, (int64_t)x->segment);
    sqlite3_bind_int64(s, 2, (int64_t)x->segment_len);
    return sql_run(db, s);
}

static bool put_extent(struct database *db, int64_t owner, size_t position,
                       const struct extent *x)
{
    sqlite3_stmt *s = sql_begin(db, SQL_PUT_EXTENT);

    sqlite3_bind_int64(s, 1, owner);
    sqlite3_bind_int64(s, 2, (int64_t)position);
    sqlite3_bind_int64(s, 3, (int64_t)x->segment);
    sqlite3_bind_int64(s, 4, (int64_t)x->first);
    sqlite3_bind_int64(s, 5, (int64_t)x->len);
    return sql_run(db, s);
}

/* The stretches of a record's or a body's bytes: few are asked for where they stand. */
struct extents {
    struct extent few[EXTENTS], *all;
    size_t count;
};

static void extents_of(struct extents *out, const struct record *r, const struct body *body)
{
    out->all = out->few;
    out->count =
        r ? record_extents(r, out->few, EXTENTS) : body_extents(body, out->few, EXTENTS);
    if (out->count <= EXTENTS)
        return;
    out->all = xmalloc(out->count * sizeof(*out->all));
    if (r)
        record_extents(r, out->all, out->count);
    else
        body_extents(body, out->all, out->count);
}

static void extents_release(struct extents *x)
{
    if (x->all != x->few)
        mem_free(x->all);
}

uint64_t unwritten_bytes(struct database *db, const struct queued *e)
{
    const struct part *part =
        e->kind == CHANGE_UPLOAD_PART ? upload_part_from(e->upload, e->part_number) : NULL;
    struct extents x;
    uint64_t bytes = 0;

    if (e->kind != CHANGE_OBJECT_PUT && !part)
        return 0;
    extents_of(&x, part ? NULL : e->record, part ? part->body : NULL);
    for (size_t i = 0; i < x.count; i++)
        bytes += has_segment(db, &x.all[i]) ? 0 : x.all[i].segment_len;
    extents_release(&x);
    return bytes;
}

static bool put_segments(struct database *db, const struct extents *x)
{
    for (size_t i = 0; i < x->count; i++) {
        if (!put_segment(db, &x->all[i]))
            return false;
    }
    return true;
}

static bool put_extents(struct database *db, const struct extents *x, int64_t owner)
{
    for (size_t i = 0; i < x->count; i++) {
        if (!put_extent(db, owner, i, &x->all[i]))
            return false;
    }
    return true;
}

/* ---- objects ----------------------------------------------------------------------- */

/* Rows of a multipart object's parts: number, size, type, length and bytes of the checksum's
 * name, then the checksum. */
static void pack_parts(struct buf *out, const struct record *r)
{
    struct part_info part;
    uint64_t offset;

    for (uint32_t i = 0; record_part(r, i, &part, &offset); i++) {
        enum checksum_alg alg = (enum checksum_alg)part.checksum.alg;
        struct str name = alg == CHECKSUM_NONE ? STR("") : checksum_name(alg);

        buf_addf(out, "%u %llu %u ", part.number, (unsigned long long)part.size,
                 part.checksum.type);
        buf_add(out, name);
        buf_add_char(out, ' ');
        buf_add_hex(out, str_of((const char *)part.checksum.bytes, checksum_size(alg)));
        buf_add_char(out, '\n');
    }
}

static void bind_checksum(sqlite3_stmt *s, int at, const struct checksum *sum)
{
    enum checksum_alg alg = (enum checksum_alg)sum->alg;

    if (alg == CHECKSUM_NONE)
        return;
    sql_text(s, at, checksum_name(alg));
    sqlite3_bind_int(s, at + 1, sum->type);
    sql_bytes(s, at + 2, sum->bytes, checksum_size(alg));
}

static int64_t version_of(const struct record_place *place)
{
    return place->is_null ? 0 : (int64_t)place->number;
}

static bool put_object_row(struct database *db, const struct head *head, int64_t contents,
                           const struct record *r, bool in_segments)
{
    AUTO_BUF(parts, MiB(4));
    struct record_place place;
    struct checksum sum;
    struct slice bytes = {"", 0};
    uint8_t md5[MD5_SIZE];
    sqlite3_stmt *s = sql_begin(db, in_segments ? SQL_PUT_OBJECT : SQL_PUT_SMALL_OBJECT);

    record_place(r, &place);
    record_md5(r, md5);
    record_checksum(r, &sum);
    pack_parts(&parts, r);
    sqlite3_bind_int64(s, 1, head->node);
    sqlite3_bind_int64(s, 2, contents);
    sql_bytes(s, 3, record_key(r).ptr, record_key(r).len);
    sqlite3_bind_int64(s, 4, version_of(&place));
    sqlite3_bind_int64(s, 5, (int64_t)place.number);
    sqlite3_bind_int64(s, 6, record_mtime_ns(r));
    sqlite3_bind_int64(s, 7, (int64_t)record_size(r));
    sql_bytes(s, 8, md5, sizeof(md5));
    sqlite3_bind_int64(s, 9, record_part_count(r));
    bind_checksum(s, 10, &sum);
    sql_optional(s, 13, record_attrs(r));
    sql_optional(s, 14, buf_str(&parts));
    if (record_upload_id(r).len > 0)
        sql_text(s, 15, record_upload_id(r));
    if (!in_segments) {
        record_slices(r, 0, record_size(r), &bytes, 1);
        sql_bytes(s, 16, bytes.ptr, bytes.len);
    }
    db->transaction_bytes += ROW_BYTES + bytes.len;
    return buf_ok(&parts) ? sql_run(db, s) : unknown(db);
}

static bool apply_object(struct database *db, const struct head *head, int64_t contents,
                         const struct record *r)
{
    struct extents x;
    bool ok;

    extents_of(&x, r, NULL);
    ok = put_segments(db, &x) && put_object_row(db, head, contents, r, x.count > 0) &&
         put_extents(db, &x, 2 * sqlite3_last_insert_rowid(db->sql));
    extents_release(&x);
    return ok;
}

/* A delete marker, or that there is nothing at this place. */
static bool put_place(struct database *db, const struct head *head, int64_t contents,
                      const struct record *r, enum object_kind kind)
{
    struct record_place place;
    sqlite3_stmt *s = sql_begin(db, SQL_PUT_PLACE);

    record_place(r, &place);
    sqlite3_bind_int64(s, 1, head->node);
    sqlite3_bind_int64(s, 2, contents);
    sql_bytes(s, 3, record_key(r).ptr, record_key(r).len);
    sqlite3_bind_int64(s, 4, version_of(&place));
    sqlite3_bind_int(s, 5, (int)kind);
    sqlite3_bind_int64(s, 6, (int64_t)place.number);
    sqlite3_bind_int64(s, 7, record_mtime_ns(r));
    db->transaction_bytes += ROW_BYTES;
    return sql_run(db, s);
}

/* Then the head has to say that it is gone. */
static bool is_object_below(struct database *db, const struct head *head,
                            const struct seen_bucket *seen, const struct record *r)
{
    struct record_place place;
    sqlite3_stmt *s = sql_begin(db, SQL_OBJECT_BELOW);

    if (is_own(head, seen))
        return false;
    record_place(r, &place);
    sqlite3_bind_int64(s, 1, head->node);
    sql_text(s, 2, str_c(seen->name));
    sql_bytes(s, 3, record_key(r).ptr, record_key(r).len);
    sqlite3_bind_int64(s, 4, version_of(&place));
    bool below = sql_row(db, s);
    sqlite3_reset(s);
    return below;
}

static bool apply_object_deleted(struct database *db, const struct head *head,
                                 const struct seen_bucket *seen, const struct record *r)
{
    struct record_place place;
    sqlite3_stmt *s = sql_begin(db, SQL_DELETE_OBJECT);

    if (is_object_below(db, head, seen, r))
        return put_place(db, head, seen->contents, r, KIND_GONE);
    record_place(r, &place);
    sqlite3_bind_int64(s, 1, head->node);
    sqlite3_bind_int64(s, 2, seen->contents);
    sql_bytes(s, 3, record_key(r).ptr, record_key(r).len);
    sqlite3_bind_int64(s, 4, version_of(&place));
    return sql_run(db, s);
}

/* ---- uploads ----------------------------------------------------------------------- */

static bool apply_upload(struct database *db, const struct head *head, int64_t contents,
                         const struct upload *u)
{
    enum checksum_alg alg = upload_checksum_alg(u);
    sqlite3_stmt *s = sql_begin(db, SQL_PUT_UPLOAD);

    sqlite3_bind_int64(s, 1, head->node);
    sqlite3_bind_int64(s, 2, contents);
    sql_text(s, 3, upload_id(u));
    sql_bytes(s, 4, upload_key(u).ptr, upload_key(u).len);
    sqlite3_bind_int64(s, 5, upload_initiated_ns(u));
    if (alg != CHECKSUM_NONE)
        sql_text(s, 6, checksum_name(alg));
    sqlite3_bind_int(s, 7, (int)upload_checksum_type(u));
    sql_text(s, 8, upload_owner(u));
    sql_optional(s, 9, upload_attrs(u));
    sqlite3_bind_int(s, 10, upload_overtaken(u));
    return sql_run(db, s);
}

static bool put_part_row(struct database *db, const struct head *head, int64_t contents,
                         const struct upload *u, const struct part *part)
{
    sqlite3_stmt *s = sql_begin(db, SQL_PUT_PART);

    sqlite3_bind_int64(s, 1, head->node);
    sqlite3_bind_int64(s, 2, contents);
    sql_text(s, 3, upload_id(u));
    sql_bytes(s, 4, upload_key(u).ptr, upload_key(u).len);
    sqlite3_bind_int64(s, 5, part->number);
    sqlite3_bind_int64(s, 6, (int64_t)part->size);
    sqlite3_bind_int64(s, 7, part->mtime_ns);
    sql_bytes(s, 8, part->md5, sizeof(part->md5));
    bind_checksum(s, 9, &part->checksum);
    return sql_run(db, s);
}

static bool apply_part(struct database *db, const struct head *head, int64_t contents,
                       const struct upload *u, uint32_t number)
{
    const struct part *part = upload_part_from(u, number);
    struct extents x;
    bool ok;

    if (!part || part->number != number)
        return unknown(db);
    extents_of(&x, NULL, part->body);
    ok = put_segments(db, &x) && put_part_row(db, head, contents, u, part) &&
         put_extents(db, &x, 2 * sqlite3_last_insert_rowid(db->sql) + 1);
    extents_release(&x);
    return ok;
}

static bool is_upload_below(struct database *db, const struct head *head,
                            const struct seen_bucket *seen, struct str id)
{
    sqlite3_stmt *s = sql_begin(db, SQL_UPLOAD_BELOW);

    if (is_own(head, seen))
        return false;
    sqlite3_bind_int64(s, 1, head->node);
    sql_text(s, 2, str_c(seen->name));
    sql_text(s, 3, id);
    bool below = sql_row(db, s);
    sqlite3_reset(s);
    return below;
}

static bool apply_upload_ended(struct database *db, const struct head *head,
                               const struct seen_bucket *seen, const struct upload *u)
{
    sqlite3_stmt *s = sql_begin(db, SQL_DELETE_PARTS);

    sqlite3_bind_int64(s, 1, head->node);
    sqlite3_bind_int64(s, 2, seen->contents);
    sql_text(s, 3, upload_id(u));
    if (!sql_run(db, s))
        return false;
    bool below = is_upload_below(db, head, seen, upload_id(u));

    s = sql_begin(db, below ? SQL_NO_UPLOAD : SQL_DELETE_UPLOAD);
    sqlite3_bind_int64(s, 1, head->node);
    sqlite3_bind_int64(s, 2, seen->contents);
    sql_text(s, 3, upload_id(u));
    if (below)
        sql_bytes(s, 4, upload_key(u).ptr, upload_key(u).len);
    return sql_run(db, s);
}

/* ---- a whole state ----------------------------------------------------------------- */

static bool write_records(struct database *db, const struct head *head, int64_t contents,
                          struct listing *listing)
{
    struct listing_entry at;

    while (!db->err && listing_next(listing, &at)) {
        if (record_is_delete_marker(at.record))
            put_place(db, head, contents, at.record, KIND_MARKER);
        else
            apply_object(db, head, contents, at.record);
        /* No name stands for the state yet: its rows may stand alone. */
        if (!db->err)
            commit_if_long(db, db->applying);
    }
    return !db->err;
}

static bool write_uploads(struct database *db, const struct head *head, int64_t contents,
                          struct listing *listing)
{
    struct listing_entry at;

    while (!db->err && listing_next(listing, &at)) {
        const struct part *part = upload_part_from(at.upload, 1);

        apply_upload(db, head, contents, at.upload);
        while (part && apply_part(db, head, contents, at.upload, part->number))
            part = upload_part_from(at.upload, part->number + 1);
    }
    return !db->err;
}

static bool write_listing(struct database *db, const struct head *head, int64_t contents,
                          struct root *root, struct str bucket, enum listing_kind kind)
{
    struct listing_query query = {.kind = kind, .bucket = bucket};
    AUTO(listing) listing = NULL;

    if (listing_open(&listing, root, &query) != S3_OK) {
        db->err = SQLITE_NOMEM;
        return false;
    }
    return kind == LIST_UPLOADS ? write_uploads(db, head, contents, listing)
                                : write_records(db, head, contents, listing);
}

/* A snapshot that came from outside. */
static bool apply_loaded(struct database *db, const struct batch *batch, const struct queued *e)
{
    struct head head = {.node = new_node(db, 0)};
    struct bucket_info info;
    char after[sizeof(info.name)] = "";
    bool ok = head.node > 0;

    while (ok && root_bucket_next(e->root, str_c(after), false, &info)) {
        memcpy(after, info.name, sizeof(after));
        ok = apply_bucket_created(db, &head, &info);
        if (ok) {
            int64_t contents = see_bucket(db, &head, str_c(info.name))->contents;

            ok = write_listing(db, &head, contents, e->root, str_c(info.name), LIST_VERSIONS) &&
                 write_listing(db, &head, contents, e->root, str_c(info.name), LIST_UPLOADS);
        }
        bucket_info_release(&info);
    }
    forget_buckets(&head);
    db->has_garbage = true; /* the snapshot that it replaced, maybe */
    return ok && put_name(db, SQL_PUT_SNAPSHOT, name_of(batch, e), branch_of(batch, e),
                          e->time_ns, head.node);
}

/* ---- the change -------------------------------------------------------------------- */

static bool apply_to_bucket(struct database *db, struct head *head, const struct batch *batch,
                            const struct queued *e)
{
    struct seen_bucket *seen = see_bucket(db, head, bucket_of(batch, e));

    if (db->err || seen->contents == 0)
        return unknown(db);
    switch (e->kind) {
    case CHANGE_BUCKET_SETTING:
        return apply_bucket_setting(db, head, e->info);
    case CHANGE_BUCKET_DELETED:
        return apply_bucket_deleted(db, head, bucket_of(batch, e));
    case CHANGE_BUCKET_RESET:
        return reset_bucket(db, head, bucket_of(batch, e), 0, head->node);
    case CHANGE_OBJECT_PUT:
        return apply_object(db, head, seen->contents, e->record);
    case CHANGE_OBJECT_DELETED:
        return apply_object_deleted(db, head, seen, e->record);
    case CHANGE_DELETE_MARKER:
        return put_place(db, head, seen->contents, e->record, KIND_MARKER);
    case CHANGE_UPLOAD_CREATED:
    case CHANGE_UPLOAD_MARKED:
        return apply_upload(db, head, seen->contents, e->upload);
    case CHANGE_UPLOAD_PART:
        return apply_part(db, head, seen->contents, e->upload, e->part_number);
    case CHANGE_UPLOAD_ENDED:
        return apply_upload_ended(db, head, seen, e->upload);
    default:
        return unknown(db);
    }
}

static bool apply_to_branch(struct database *db, const struct batch *batch,
                            const struct queued *e)
{
    struct head *head = find_head(db, branch_of(batch, e));

    if (!head)
        return unknown(db);
    head->written = true;
    if (e->kind == CHANGE_BRANCH_RESET)
        return apply_reset(db, head, batch, e);
    if (e->kind == CHANGE_BUCKET_CREATED)
        return apply_bucket_created(db, head, e->info);
    return apply_to_bucket(db, head, batch, e);
}

bool apply(struct database *db, const struct batch *batch, const struct queued *e)
{
    db->transaction_bytes += ROW_BYTES;
    switch (e->kind) {
    case CHANGE_GROUP_BEGIN:
        db->groups++;
        return true;
    case CHANGE_GROUP_END:
        db->groups--;
        return true;
    case CHANGE_BRANCH_FORKED:
        return apply_forked(db, batch, e);
    case CHANGE_BRANCH_DELETED:
        return apply_branch_deleted(db, batch, e);
    case CHANGE_SNAPSHOT_TAKEN:
        return apply_taken(db, batch, e);
    case CHANGE_SNAPSHOT_LOADED:
        return apply_loaded(db, batch, e);
    case CHANGE_SNAPSHOT_DROPPED:
        return delete_name(db, SQL_DELETE_SNAPSHOT, name_of(batch, e));
    default:
        return apply_to_branch(db, batch, e);
    }
}
