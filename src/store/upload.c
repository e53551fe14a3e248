/* SPDX-License-Identifier: MIT */
/* upload.c - multipart uploads.
 * OPEN → COMPLETED (its parts are joined into one record by the caller) or ABORTED; never back:
 * only open ones are kept. Parts are sparse: numbers 1..10000, gaps allowed.
 *
 * An upload is a head (what CreateMultipartUpload said, shared by all copies) and a tree of
 * parts. In a bucket's tree it is changed in place while nobody else holds it, else copied:
 * upload_get and snapshots see it as it was. Guarded by the branch's lock. */
#include "store/upload.h"
#include "store/body.h"
#include "store/conditions.h"
#include "store/id.h"
#include "store/object.h"

#include <assert.h>

struct upload_head {
    _Atomic uint32_t refs;
    uint8_t checksum_alg, checksum_type;
    uint16_t key_len;
    size_t owner_len, attrs_len;
    uint64_t sequence;
    int64_t initiated_ns;
    struct store *store;
    char id[UPLOAD_ID_SIZE];
    char bytes[]; /* key, owner, attrs */
};

struct upload {
    _Atomic uint32_t refs;
    bool overtaken; /* a delete of the key came after this upload and all older ones began */
    struct upload_head *head;
    struct tree parts; /* struct held_part by number */
    struct reap reap;
};

struct held_part {
    _Atomic uint32_t refs;
    struct store *store;
    struct part part;
};

/* ---- parts ------------------------------------------------------------------------- */

static int compare_part(const void *key, const void *item)
{
    uint32_t wanted = *(const uint32_t *)key;
    uint32_t number = ((const struct held_part *)item)->part.number;

    return (wanted > number) - (wanted < number);
}

static void part_ref(void *item)
{
    refs_take(&((struct held_part *)item)->refs);
}

static void part_unref(void *item)
{
    struct held_part *held = item;

    if (!held || !refs_drop(&held->refs))
        return;
    account_give(&held->store->account, ACCOUNT_RECORD, sizeof(*held));
    body_unref(held->part.body);
    mem_free(held);
}

static const struct tree_type part_tree = {compare_part, part_ref, part_unref};

/* Takes the part's body, even on failure. */
static struct held_part *part_new(struct store *store, const struct part *part)
{
    struct held_part *held = NULL;

    if (account_take(&store->account, ACCOUNT_RECORD, sizeof(*held))) {
        held = try_malloc(sizeof(*held));
        if (!held)
            account_give(&store->account, ACCOUNT_RECORD, sizeof(*held));
    }
    if (!held) {
        body_unref(part->body);
        return NULL;
    }
    *held = (struct held_part){.store = store, .part = *part};
    atomic_init(&held->refs, 1);
    if (part->body)
        body_seal(part->body);
    return held;
}

/* ---- uploads ----------------------------------------------------------------------- */

uint64_t upload_sequence(const struct upload *u)
{
    return u->head->sequence;
}

static int compare_upload(const void *key, const void *item)
{
    const struct upload_key *wanted = key;
    uint64_t sequence = upload_sequence(item);
    int order = str_cmp(wanted->key, upload_key(item));

    if (order != 0)
        return order;
    return (wanted->sequence > sequence) - (wanted->sequence < sequence);
}

static void ref_upload(void *item)
{
    upload_ref(item);
}

static void unref_upload(void *item)
{
    upload_unref(item);
}

const struct tree_type upload_tree = {compare_upload, ref_upload, unref_upload};

static size_t head_size(const struct upload_head *head)
{
    return sizeof(*head) + head->key_len + head->owner_len + head->attrs_len;
}

static void head_unref(struct upload_head *head)
{
    if (!refs_drop(&head->refs))
        return;
    account_give(&head->store->account, ACCOUNT_RECORD, head_size(head));
    mem_free(head);
}

static void upload_free(struct upload *u)
{
    struct account *account = &u->head->store->account;

    tree_release(&u->parts, &part_tree, account);
    account_give(account, ACCOUNT_RECORD, sizeof(*u));
    head_unref(u->head);
    mem_free(u);
}

static void upload_reap(struct reap *reap)
{
    upload_free((struct upload *)((char *)reap - offsetof(struct upload, reap)));
}

struct upload *upload_ref(struct upload *u)
{
    if (u)
        refs_take(&u->refs);
    return u;
}

void upload_unref(struct upload *u)
{
    if (!u || !refs_drop(&u->refs))
        return;
    if (u->parts.count > 0)
        reaper_push(u->head->store->reaper, &u->reap, upload_reap, u->parts.count);
    else
        upload_free(u);
}

static struct upload_head *head_new(struct store *store, const struct upload_spec *spec,
                                    uint64_t sequence)
{
    size_t size =
        sizeof(struct upload_head) + spec->key.len + spec->owner.len + spec->attrs.len;

    if (!account_take(&store->account, ACCOUNT_RECORD, size))
        return NULL;

    struct upload_head *head = try_malloc(size);
    if (!head) {
        account_give(&store->account, ACCOUNT_RECORD, size);
        return NULL;
    }
    *head = (struct upload_head){.checksum_alg = (uint8_t)spec->checksum_alg,
                                 .checksum_type = (uint8_t)spec->checksum_type,
                                 .key_len = (uint16_t)spec->key.len,
                                 .owner_len = spec->owner.len,
                                 .attrs_len = spec->attrs.len,
                                 .sequence = sequence,
                                 .initiated_ns = spec->initiated_ns,
                                 .store = store};
    atomic_init(&head->refs, 1);
    str_put(str_put(str_put(head->bytes, spec->key), spec->owner), spec->attrs);
    upload_id_encode(head->sequence, spec->key, head->id);
    return head;
}

static struct upload *upload_new(struct store *store, const struct upload_spec *spec,
                                 uint64_t sequence)
{
    struct upload_head *head = head_new(store, spec, sequence);
    struct upload *u = head ? try_malloc(sizeof(*u)) : NULL;

    if (!u) {
        if (head)
            head_unref(head);
        return NULL;
    }
    account_force(&store->account, ACCOUNT_RECORD, sizeof(*u));
    *u = (struct upload){.head = head};
    atomic_init(&u->refs, 1);
    return u;
}

static struct upload *upload_copy(const struct upload *u)
{
    struct upload *copy = xmalloc(sizeof(*copy));

    account_force(&u->head->store->account, ACCOUNT_RECORD, sizeof(*u));
    refs_take(&u->head->refs);
    *copy = (struct upload){
        .overtaken = u->overtaken, .head = u->head, .parts = tree_share(&u->parts)};
    atomic_init(&copy->refs, 1);
    return copy;
}

/* ---- reading ----------------------------------------------------------------------- */

struct str upload_id(const struct upload *u)
{
    return str_of(u->head->id, UPLOAD_ID_LEN);
}

struct str upload_key(const struct upload *u)
{
    return str_of(u->head->bytes, u->head->key_len);
}

struct str upload_owner(const struct upload *u)
{
    return str_of(u->head->bytes + u->head->key_len, u->head->owner_len);
}

struct str upload_attrs(const struct upload *u)
{
    return str_of(u->head->bytes + u->head->key_len + u->head->owner_len, u->head->attrs_len);
}

int64_t upload_initiated_ns(const struct upload *u)
{
    return u->head->initiated_ns;
}

enum checksum_alg upload_checksum_alg(const struct upload *u)
{
    return (enum checksum_alg)u->head->checksum_alg;
}

enum checksum_type upload_checksum_type(const struct upload *u)
{
    return (enum checksum_type)u->head->checksum_type;
}

const struct part *upload_part_from(const struct upload *u, uint32_t number)
{
    struct cursor cursor;
    const struct held_part *held = cursor_seek(&cursor, &u->parts, compare_part, &number);

    return held ? &held->part : NULL;
}

static struct upload *find_upload(const struct bucket *k, struct str key, uint64_t sequence)
{
    struct upload_key wanted = {key, sequence};

    return tree_find(&k->uploads, compare_upload, &wanted);
}

enum s3_err upload_get(struct upload **out, struct branch *b, const struct target *at,
                       struct str id)
{
    uint64_t sequence;
    bool ours = upload_id_decode(id, at->key, &sequence);
    struct upload *found = NULL;

    b = branch_read_lock_at(b, at->bucket);
    const struct bucket *k = root_bucket(b->root, at->bucket);
    if (k && ours)
        found = upload_ref(find_upload(k, at->key, sequence));
    branch_unlock(b);
    *out = found;
    return !k ? S3_NO_SUCH_BUCKET : found ? S3_OK : S3_NO_SUCH_UPLOAD;
}

/* ---- writing (after edit_own) ------------------------------------------------------ */

/* The bucket's own copy of an upload, to be changed. */
static struct upload *own_upload(struct edit *e, struct upload *u)
{
    struct upload_key key = {upload_key(u), upload_sequence(u)};
    void **slot = tree_own(&e->bucket->uploads, &upload_tree, e->nodes, &key);

    if (!refs_alone(&u->refs)) {
        struct upload *copy = upload_copy(u);

        *slot = copy;
        upload_unref(u);
        u = copy;
    }
    return u;
}

static void mark_overtaken(struct edit *e, struct upload *u)
{
    u = own_upload(e, u);
    u->overtaken = true;
    branch_notify_locked(e->branch, (struct change){.kind = CHANGE_UPLOAD_MARKED,
                                                    .bucket = bucket_name(e->bucket),
                                                    .upload = u});
}

/* The key's last upload that began before `sequence`. */
static struct upload *upload_before(const struct bucket *k, struct str key, uint64_t sequence)
{
    struct upload_key wanted = {key, sequence - 1};
    struct upload *u = tree_find_last(&k->uploads, compare_upload, &wanted);

    return u && str_eq(upload_key(u), key) ? u : NULL;
}

void upload_mark_overtaken(struct edit *e, struct str key)
{
    if (e->bucket->uploads.count == 0)
        return;

    struct upload *newest = upload_before(e->bucket, key, SEQUENCE_MAX);

    if (newest && !newest->overtaken)
        mark_overtaken(e, newest);
}

/* Was the key written or deleted since? The mark on an upload counts for the older ones too. */
static bool is_overtaken(const struct bucket *k, const struct upload *u)
{
    struct upload_key from = {upload_key(u), upload_sequence(u)};
    struct record *current = bucket_current(k, from.key);
    struct record *version = bucket_newest_version(k, from.key);
    struct cursor cursor;

    if ((current && record_sequence(current) > from.sequence) ||
        (version && record_sequence(version) > from.sequence))
        return true;
    for (const struct upload *at = cursor_seek(&cursor, &k->uploads, compare_upload, &from);
         at && str_eq(upload_key(at), from.key); at = cursor_next(&cursor))
        if (at->overtaken)
            return true;
    return false;
}

/* Takes an upload out; a mark that stands for older ones moves to the next. Returns the tree's
 * reference. */
static struct upload *remove_upload(struct edit *e, struct upload *u)
{
    struct upload_key key = {upload_key(u), upload_sequence(u)};
    struct upload *older =
        u->overtaken ? upload_before(e->bucket, key.key, key.sequence) : NULL;

    if (older && !older->overtaken)
        mark_overtaken(e, older);
    return tree_remove(&e->bucket->uploads, &upload_tree, e->nodes, &key);
}

/* ---- the door ---------------------------------------------------------------------- */

bool upload_overtaken(const struct upload *u)
{
    return u->overtaken;
}

bool root_upload_overtaken(struct root *root, struct str bucket, const struct upload *u)
{
    const struct bucket *k = root_bucket(root, bucket);

    return k && is_overtaken(k, u);
}

/* Takes u. */
static enum s3_err add_upload(struct branch *b, struct str bucket, struct upload *u)
{
    struct upload_key key = {upload_key(u), upload_sequence(u)};
    struct edit e;
    enum s3_err err = edit_begin(&e, b, bucket);

    if (!err)
        err = edit_own(&e);
    if (!err) {
        void *none = tree_put(&e.bucket->uploads, &upload_tree, e.nodes, &key, upload_ref(u));

        assert(!none);
        branch_notify_locked(
            e.branch,
            (struct change){.kind = CHANGE_UPLOAD_CREATED, .bucket = bucket, .upload = u});
    }
    edit_end(&e);
    upload_unref(u);
    return err;
}

enum s3_err upload_create(struct branch *b, struct str bucket, const struct upload_spec *spec,
                          char *id)
{
    if (spec->key.len > KEY_MAX)
        return S3_KEY_TOO_LONG_ERROR;
    if (!store_has_numbers(b->store))
        return S3_INTERNAL_ERROR;

    struct upload *u = upload_new(b->store, spec, store_next_sequence(b->store));
    if (!u)
        return S3_SLOW_DOWN;
    memcpy(id, u->head->id, UPLOAD_ID_LEN + 1);
    return add_upload(b, bucket, u);
}

enum s3_err upload_load(struct branch *b, struct str bucket, const struct upload_spec *spec,
                        uint64_t sequence, bool overtaken)
{
    struct upload *u = upload_new(b->store, spec, sequence);

    if (!u)
        return S3_SLOW_DOWN;
    u->overtaken = overtaken;
    return add_upload(b, bucket, u);
}

/* edit_begin, and finds the upload. */
static enum s3_err begin_upload(struct edit *e, struct branch *b, const struct target *at,
                                struct str id, struct upload **u)
{
    uint64_t sequence;
    enum s3_err err = edit_begin(e, b, at->bucket);

    if (err)
        return err;
    if (!upload_id_decode(id, at->key, &sequence))
        return S3_NO_SUCH_UPLOAD;
    *u = find_upload(e->bucket, at->key, sequence);
    return *u ? S3_OK : S3_NO_SUCH_UPLOAD;
}

enum s3_err upload_set_overtaken(struct branch *b, const struct target *at, struct str id,
                                 bool overtaken)
{
    struct upload *u;
    struct edit e;
    enum s3_err err = begin_upload(&e, b, at, id, &u);

    if (!err)
        err = edit_own(&e);
    if (!err)
        own_upload(&e, u)->overtaken = overtaken;
    edit_end(&e);
    return err;
}

enum s3_err upload_put_part(struct branch *b, const struct target *at, struct str id,
                            const struct part *part)
{
    struct held_part *held = part_new(b->store, part), *replaced = NULL;
    struct upload *u;
    struct edit e;

    if (!held)
        return S3_SLOW_DOWN;

    enum s3_err err = begin_upload(&e, b, at, id, &u);

    if (!err) {
        e.more_nodes = tree_write_bound(u->parts.count + 1);
        err = edit_own(&e);
    }
    if (!err) {
        uint32_t number = held->part.number;

        u = own_upload(&e, u);
        replaced = tree_put(&u->parts, &part_tree, e.nodes, &number, TAKE(held));
        branch_notify_locked(e.branch, (struct change){.kind = CHANGE_UPLOAD_PART,
                                                       .bucket = at->bucket,
                                                       .upload = u,
                                                       .part_number = number});
    }
    edit_end(&e);
    part_unref(replaced);
    part_unref(held);
    return err;
}

/* Amazon refuses a condition that holds now but did not all along, with 409: the key was
 * written or deleted since the upload began (recorded: multipart_if_match_with_put and
 * _with_delete). */
static enum s3_err check_complete(const struct edit *e, const struct upload *u,
                                  const struct write_conditions *conditions)
{
    enum s3_err err = conditions_check(conditions, bucket_current(e->bucket, upload_key(u)));
    bool conditional =
        conditions && (conditions->if_match.ptr || conditions->if_none_match.ptr);

    if (!err && conditional && is_overtaken(e->bucket, u))
        err = S3_OPERATION_ABORTED;
    return err;
}

enum s3_err upload_complete(struct branch *b, const struct target *at, struct upload *seen,
                            struct record *record, const struct write_conditions *conditions,
                            struct write_result *result)
{
    struct upload *u, *ended = NULL;
    struct edit e;

    if (result)
        *result = (struct write_result){.old = NULL};

    enum s3_err err = begin_upload(&e, b, at, upload_id(seen), &u);

    if (!err && u != seen)
        err = S3_CONDITIONAL_REQUEST_CONFLICT;
    if (!err)
        err = check_complete(&e, u, conditions);
    if (!err)
        err = edit_own_numbered(&e);
    if (!err) {
        branch_notify_locked(e.branch, (struct change){.kind = CHANGE_GROUP_BEGIN});
        ended = remove_upload(&e, u);
        object_put_owned(&e, TAKE(record), result);
        branch_notify_locked(e.branch, (struct change){.kind = CHANGE_UPLOAD_ENDED,
                                                       .bucket = at->bucket,
                                                       .upload = ended});
        branch_notify_locked(e.branch, (struct change){.kind = CHANGE_GROUP_END});
    }
    edit_end(&e);
    upload_unref(ended);
    record_unref(record);
    return err;
}

enum s3_err upload_abort(struct branch *b, const struct target *at, struct str id)
{
    struct upload *u, *ended = NULL;
    struct edit e;
    enum s3_err err = begin_upload(&e, b, at, id, &u);

    if (!err)
        err = edit_own(&e);
    if (!err) {
        ended = remove_upload(&e, u);
        branch_notify_locked(e.branch, (struct change){.kind = CHANGE_UPLOAD_ENDED,
                                                       .bucket = at->bucket,
                                                       .upload = ended});
    }
    edit_end(&e);
    upload_unref(ended);
    return err;
}
