/* SPDX-License-Identifier: MIT */
/* store.h - the door of room store: branches, buckets, records, bodies, uploads, listings.
 *
 * Everything reachable from a root is immutable for whoever holds a reference on it; a writer
 * changes in place only nodes that nobody else holds (persistent red-black trees, path
 * copying).
 *
 *   store  - branches: name -> root       snapshots: name -> root
 *   root   - buckets : name -> bucket
 *   bucket - settings, objects (key -> current record), versions ((key, newest first) ->
 *            noncurrent records and delete markers), uploads ((key, id) -> upload -> parts)
 *   record - size, ETag, times, attributes, checksum -> body
 *
 * Threads: every function here may be called from any thread. A branch has one lock; readers
 * hold it for a lookup, writers for the tree update. Records, bodies, uploads, docs and roots
 * are counted (atomic) and immutable once published. Dropping the last reference to a tree is
 * handed to the store's reaper thread. The store knows no HTTP, XML, JSON or files. */
#ifndef S3MEM_STORE_H
#define S3MEM_STORE_H

#include "base/base.h"

struct store;
struct branch;
struct root;
struct record;
struct body;
struct upload;
struct doc;
struct bucket_info;

#define KEY_MAX         1024
#define PART_NUMBER_MAX 10000

/* ---- the store --------------------------------------------------------------------- */

struct store_options {
    uint64_t max_memory_bytes; /* 0 = no limit; beyond it body_new and record_new fail */
    uint32_t branch_limit;     /* of branches besides main; 0 = none. Those that are loaded may
                                * be more */
    int64_t branch_idle_ns;    /* a branch of store_fork_for_key goes when it was not used for
                                * so long and is what forking it again would make; 0 = never */
};

struct store_stats {
    uint64_t memory_bytes; /* trees + records + bodies, live and awaiting the reaper, and what
                            * requests hold */
    uint64_t tree_bytes, record_bytes, body_bytes, request_bytes;
    uint64_t data_bytes; /* of memory_bytes: objects' and parts' bytes, each counted once
                          * however many records, snapshots and branches share it */
    uint64_t reaping;    /* items of trees handed to the reaper and not yet gone through (those
                          * that something else still shares stay) */
};

struct store *store_new(const struct store_options *options);
/* Waits for the reaper; all references handed out must be back. */
void store_free(struct store *store);
void store_stats(struct store *store, struct store_stats *out);
/* Versions and uploads are numbered by one counter: the last number that was given. */
uint64_t store_sequence(struct store *store);
/* Larger ones are given from now on, and segments (see struct extent) get larger ones than
 * that. False, and nothing has changed: they are too large to go on from. */
MUST_CHECK bool store_continue_after(struct store *store, uint64_t number, uint64_t segment);
/* Gives back to the kernel what is kept for large bodies and was not used for some seconds. To
 * be called every second. */
void store_tidy(struct store *store);
/* Blocks until the reaper has nothing to do (tests, stats). */
void store_reap_wait(struct store *store);

/* ---- observers --------------------------------------------------------------------- */

/* Who replays all changes of a store in their order has the same store. A record's version
 * tells its place (record_place): it replaces the one of the same key that is a null version as
 * well, or has the same number. */
enum change_kind {
    CHANGE_BUCKET_CREATED, /* info */
    CHANGE_BUCKET_DELETED, /* and with it the uploads it had */
    CHANGE_BUCKET_SETTING, /* info */
    CHANGE_BUCKET_RESET,   /* emptied; settings stay */
    CHANGE_OBJECT_PUT,     /* record: the new current record or rewritten version */
    CHANGE_OBJECT_DELETED, /* record: what was removed */
    CHANGE_DELETE_MARKER,  /* record: the marker */
    CHANGE_UPLOAD_CREATED, /* upload */
    CHANGE_UPLOAD_MARKED,  /* upload: it is overtaken now */
    CHANGE_UPLOAD_PART,    /* upload, as it is now; part_number */
    CHANGE_UPLOAD_ENDED,   /* upload, as it was */
    CHANGE_BRANCH_RESET,   /* name: restored from that snapshot, else cleared; with bucket: only
                            * that bucket (which the snapshot may lack) */
    CHANGE_BRANCH_FORKED,  /* branch: the new one; name: its source, a snapshot or a branch */
    CHANGE_BRANCH_DELETED,
    CHANGE_SNAPSHOT_TAKEN,   /* name; of branch */
    CHANGE_SNAPSHOT_LOADED,  /* name, root; it may replace one. branch: what it names as its
                              * source */
    CHANGE_SNAPSHOT_DROPPED, /* name */
    /* What stands between these two belongs together: nobody has seen a state in between.
     * Changes of other branches may come between them. */
    CHANGE_GROUP_BEGIN,
    CHANGE_GROUP_END,
};
/* Everything is borrowed; what its kind does not name is empty. */
struct change {
    enum change_kind kind;
    struct str branch, bucket, key;
    struct record *record;
    struct upload *upload;
    uint32_t part_number;
    const struct bucket_info *info;
    struct str name;
    bool from_snapshot;
    int64_t time_ns; /* forked, taken, loaded: when that was */
    struct root *root;
};
/* Called with a lock of the store held, so that changes come in their order: enqueue, never
 * block, do not call back. */
typedef void store_observer(void *arg, const struct change *change);
/* At most 8; register before traffic starts. */
void store_observe(struct store *store, store_observer *fn, void *arg);
/* When traffic has ended, and before arg is freed. */
void store_unobserve(struct store *store, store_observer *fn, void *arg);

/* ---- branches and snapshots -------------------------------------------------------- */

/* The branch of that name, a reference; NULL when there is none. "main" always exists. */
struct branch *store_branch(struct store *store, struct str name);
/* What became of a request that names a branch or a snapshot. */
enum named {
    NAMED_OK,
    NAMED_EXISTS,    /* the name is taken */
    NAMED_MISSING,   /* there is nothing of that name */
    NAMED_NO_MEMORY, /* nothing has changed */
    NAMED_TOO_MANY,  /* branches: the limit of their number; only store_fork... */
};

/* Branches and snapshots have names of 1 to NAME_MAX_LEN bytes; the caller checks. */
#define NAME_MAX_LEN 128
/* What a client may call one: A-Z a-z 0-9 - . _ ~ + = @, but not "." and "..". */
bool store_name_ok(struct str name);

/* Forks a branch from another branch's state, or from a snapshot's when from_snapshot is given.
 * O(1). MISSING: the source. */
MUST_CHECK enum named store_fork(struct store *store, struct str name, struct str from_branch,
                                 struct str from_snapshot);
/* A branch for an access key, from the snapshot of that name or else the branch. The same, but
 * see store_options. */
MUST_CHECK enum named store_fork_for_key(struct store *store, struct str key, struct str from);
/* MISSING also for "main", which stays. Calls that hold the branch finish on it. */
MUST_CHECK enum named store_branch_delete(struct store *store, struct str name);
void branch_unref(struct branch *b);
struct str branch_name(const struct branch *b);
/* Is what is written to a bucket through b seen by those who ask for the branch now? No more
 * once it was restored or cleared (as a whole, or this bucket) or deleted. */
bool branch_is_current(struct branch *b, struct str bucket);

/* Snapshots, O(1). take replaces nothing. */
MUST_CHECK enum named store_snapshot_take(struct store *store, struct branch *b,
                                          struct str name);
/* The same, if the bucket is still what it was in `expected` (or missing, as it was there):
 * else EXISTS, and nothing has changed. Who prepared a bucket aside makes it seen in one step.
 */
MUST_CHECK enum named store_snapshot_swap_bucket(struct store *store, struct branch **b,
                                                 struct str name, struct str bucket,
                                                 struct root *expected);
MUST_CHECK enum named store_snapshot_drop(struct store *store, struct str name);

/* Another state for a branch, O(1). Calls that hold the branch finish on the state that it had,
 * and what they write is seen in no other: for whoever asks later there is a new branch of its
 * name, and the caller's reference *b becomes one on that. */
MUST_CHECK enum named store_snapshot_restore(struct store *store, struct branch **b,
                                             struct str name);
/* Only one bucket (created, replaced, or removed when the snapshot lacks it). Calls that hold
 * the branch go on with all others as before. */
MUST_CHECK enum named store_snapshot_restore_bucket(struct store *store, struct branch **b,
                                                    struct str name, struct str bucket);
/* It has no bucket afterwards. */
MUST_CHECK enum named branch_clear(struct branch **b);

/* What a branch or a snapshot is and holds. */
struct named_info {
    char name[NAME_MAX_LEN + 1];
    char from[NAME_MAX_LEN + 1]; /* snapshot: the branch it was taken of; branch: what it was
                                  * forked from, empty for "main" */
    int64_t created_ns;
    uint64_t bucket_count, upload_count;
    uint64_t object_count, object_bytes;   /* current objects */
    uint64_t version_count, version_bytes; /* noncurrent ones and delete markers */
};
/* In name order: the first whose name is > after (or >= when inclusive). False at the end.
 * O(buckets), without a lock held over it. */
bool store_branch_next(struct store *store, struct str after, bool inclusive,
                       struct named_info *out);
bool store_snapshot_next(struct store *store, struct str after, bool inclusive,
                         struct named_info *out);

/* A consistent view: all reads through a root see one instant. O(1). */
struct root *branch_root(struct branch *b);
struct root *root_ref(struct root *root);
/* NULL when there is no such snapshot. */
struct root *store_snapshot_root(struct store *store, struct str name);
void root_unref(struct root *root);

/* ---- loading a state --------------------------------------------------------------- */

/* Builds a state off to the side, of which nothing is seen before it is finished. One thread.
 * Buckets in name order, in each first the records, by key and then newest first, then the
 * uploads, by key and then oldest first: the order in which listings give them. Errors are
 * sticky: SLOW_DOWN (memory), INVALID_ARGUMENT (out of order, or it cannot be). */
struct loader;
struct loader *loader_new(struct store *store);
/* Drops what was built, unless it was finished. Accepts NULL. */
void loader_free(struct loader *l);
/* docs and name, region, owner, created_ns, versioning of info are used; nothing is taken. */
struct bucket_info;
MUST_CHECK enum s3_err loader_bucket(struct loader *l, const struct bucket_info *info);
/* Where among the versions of its key a record stands. */
struct record_place {
    uint64_t number;    /* newer is larger; its version id is made of it. Never 0 */
    bool is_null;       /* its version id is "null" */
    bool is_current;    /* what GET without a version reads; never a delete marker */
    bool delete_marker; /* of spec only key and mtime_ns count then; body is NULL */
};
struct record_spec;
/* Takes body, even on failure. */
MUST_CHECK enum s3_err loader_record(struct loader *l, const struct record_spec *spec,
                                     struct body *body, const struct record_place *place);
/* upload_id: as it was (it tells its number). overtaken: see upload_overtaken. */
struct upload_spec;
MUST_CHECK enum s3_err loader_upload(struct loader *l, const struct upload_spec *spec,
                                     struct str upload_id, bool overtaken);
/* Of the upload that was loaded last; in order of numbers. Takes part->body, even on failure.
 */
struct part;
MUST_CHECK enum s3_err loader_part(struct loader *l, const struct part *part);
/* The built state becomes a snapshot, or with replace takes the place of the one of that name;
 * numbers given out from now on are larger than all that were loaded. from: as named_info has
 * it. The loader can only be freed afterwards. */
MUST_CHECK enum named loader_finish(struct loader *l, struct str name, struct str from,
                                    int64_t created_ns, bool replace);

/* ---- replaying changes ------------------------------------------------------------- */

/* A state that nobody sees yet, made of another one by changes in any order: what observers
 * were told, brought back. One thread. Trusts what it is given, but for its sizes. Errors:
 * SLOW_DOWN (memory), INVALID_ARGUMENT (it cannot be), NO_SUCH_BUCKET, NO_SUCH_UPLOAD. */
struct replay;
struct target;
/* Takes from, a reference on the state to start from; NULL: an empty one. NULL: memory is out.
 */
MUST_CHECK struct replay *replay_new(struct store *store, struct root *from);
void replay_free(struct replay *r);
/* Creates the bucket, or gives it these settings; see loader_bucket. */
MUST_CHECK enum s3_err replay_bucket(struct replay *r, const struct bucket_info *info);
/* The bucket becomes the one that another state has of that name, which it must have. */
MUST_CHECK enum s3_err replay_take_bucket(struct replay *r, struct root *from,
                                          struct str bucket);
/* It is gone, with all it held; also if it is not there. */
MUST_CHECK enum s3_err replay_no_bucket(struct replay *r, struct str bucket);
/* Takes body, even on failure. place->is_current does not count: the newest is. */
MUST_CHECK enum s3_err replay_record(struct replay *r, struct str bucket,
                                     const struct record_spec *spec, struct body *body,
                                     const struct record_place *place);
MUST_CHECK enum s3_err replay_no_record(struct replay *r, const struct target *at,
                                        const struct record_place *place);
MUST_CHECK enum s3_err replay_upload(struct replay *r, struct str bucket,
                                     const struct upload_spec *spec, struct str upload_id,
                                     bool overtaken);
MUST_CHECK enum s3_err replay_no_upload(struct replay *r, const struct target *at,
                                        struct str upload_id);
/* Takes part->body, even on failure. */
MUST_CHECK enum s3_err replay_part(struct replay *r, const struct target *at,
                                   struct str upload_id, const struct part *part);
/* Is there a current object? */
bool replay_has(struct replay *r, const struct target *at);
/* The state as it is now, a reference. */
struct root *replay_root(struct replay *r);

/* The branch's bucket, be it there or not, becomes the one that root has of that name, as
 * store_snapshot_restore_bucket does it. O(1). NO_MEMORY; MISSING: root has none. */
MUST_CHECK enum named store_adopt_bucket(struct store *store, struct branch **b,
                                         struct root *root, struct str bucket);

/* Gives states their names: a snapshot, or a branch (of "main" the state). They take root.
 * EXISTS, NO_MEMORY */
MUST_CHECK enum named store_add_snapshot(struct store *store, struct str name, struct str from,
                                         int64_t created_ns, struct root *root);
MUST_CHECK enum named store_add_branch(struct store *store, struct str name, struct str from,
                                       int64_t created_ns, struct root *root);

/* ---- documents: counted immutable bytes (bucket settings) -------------------------- */

/* NULL: no memory, or beyond the limit. */
struct doc *doc_new(struct store *store, struct str bytes);
struct doc *doc_ref(struct doc *d);
void doc_unref(struct doc *d);
struct str doc_str(const struct doc *d);

/* ---- documents of requests --------------------------------------------------------- */

/* Memory of one request whose size its client chooses and that is no object's: an XML or JSON
 * document, the fields of a form. All together are counted, and bounded by store_intake_max
 * (64 MiB, or a quarter of max_memory_bytes): beyond it the request is answered SlowDown. What
 * they hold is never refused because of max_memory_bytes alone, so that a full store can
 * delete. One thread at a time. */
struct intake {
    struct store *store;
    uint64_t held;
};
uint64_t store_intake_max(const struct store *store);
void intake_init(struct intake *in, struct store *store);
/* Holds so many bytes in all, never less than before. False: there is no room, nothing has
 * changed. */
MUST_CHECK bool intake_hold(struct intake *in, uint64_t bytes);
/* Appends what came of a document and holds its memory, as it comes. On failure both are
 * released: MAX_MESSAGE_LENGTH_EXCEEDED (the limit of the buf), SLOW_DOWN */
MUST_CHECK enum s3_err intake_add(struct intake *in, struct buf *document, struct str bytes);
void intake_release(struct intake *in);

/* Long texts of replies, until their clients have taken them: counted, and all together at most
 * 256 MiB, or a quarter of max_memory_bytes. False: there is no room, unless it is forced for
 * what cannot be refused any more. A full store can list what is to be deleted. */
MUST_CHECK bool store_hold_reply(struct store *store, uint64_t bytes, bool force);
void store_give_reply(struct store *store, uint64_t bytes);

/* Memory of one job whose size a file or a client chooses: lines, manifests and what is parsed
 * of them. Counted, refused beyond max_memory_bytes, and at most WORKSPACE_MAX. One thread at a
 * time. */
#define WORKSPACE_MAX MiB(256)
struct workspace {
    struct store *store;
    uint64_t held;
    bool refused; /* once there was no room */
};
void workspace_init(struct workspace *w, struct store *store);
/* False: there is no room, nothing was taken, and refused is set. */
MUST_CHECK bool workspace_take(struct workspace *w, uint64_t bytes);
void workspace_give(struct workspace *w, uint64_t bytes);
/* Gives back all that is held. */
void workspace_release(struct workspace *w);

/* ---- bodies ------------------------------------------------------------------------ */

/* A body under construction or finished. Appended by one thread, then never changed. */
/* expected: exact length when known (one allocation), BODY_LENGTH_UNKNOWN grows by segments.
 * Memory is taken and counted as bytes are appended. NULL when that many would not fit now. */
#define BODY_LENGTH_UNKNOWN UINT64_MAX
MUST_CHECK struct body *body_new(struct store *store, uint64_t expected);
/* False when memory is out or more than expected arrives. */
MUST_CHECK bool body_append(struct body *b, const void *data, size_t len);
/* Where the next bytes go, to decode straight into the body: at least 1 and at most *len free
 * bytes, or NULL. body_commit says how many were written. */
void *body_space(struct body *b, size_t *len);
void body_commit(struct body *b, size_t len);
uint64_t body_len(const struct body *b);
/* Concatenation that shares the segments of every part; bytes are not copied. */
MUST_CHECK struct body *body_join(struct store *store, struct body *const *parts, size_t count);
/* A range that shares segments (UploadPartCopy). */
MUST_CHECK struct body *body_range(struct body *b, uint64_t first, uint64_t len);
/* As record_slices. */
size_t body_slices(const struct body *b, uint64_t first, uint64_t len, struct slice *out,
                   size_t max);
/* A body is stretches of segments: memory that bodies share, under a number that no other
 * segment of the store has. For who keeps bodies elsewhere, and shared bytes once. As
 * record_slices. */
struct extent {
    uint64_t segment;
    const char *bytes; /* the segment's, all of them */
    uint64_t segment_len;
    uint64_t first, len; /* the stretch */
};
size_t body_extents(const struct body *b, struct extent *out, size_t max);
/* Numbers the segments that nobody has asked about, and returns how many bytes those have: the
 * bytes that this body brings and others did not. */
uint64_t body_new_bytes(const struct body *b);
/* Of a body of known length that was filled just now: it is the segment of this number, as it
 * was elsewhere. */
void body_is_segment(struct body *b, uint64_t number);
struct body *body_ref(struct body *b);
void body_unref(struct body *b);

/* ---- attributes: the headers an object remembers ----------------------------------- */

/* Packed list of (attribute, value) kept with a record or upload; empty values are kept, absent
 * ones are absent. Build with attrs_add*, read with attrs_get / attrs_next. */
enum attr {
    ATTR_END,
    ATTR_META, /* user metadata: name and value */
#define X(name, header) ATTR_##name,
#include "store/attrs.def"
#undef X
    ATTR_COUNT
};
/* Header an attribute is returned as ("Content-Type"); empty for internal ones. */
struct str attr_header(enum attr a);
/* The enumerator's name ("CONTENT_TYPE", "META"), for documents: it stays what it is. */
struct str attr_name(enum attr a);
/* ATTR_END when there is none of that name. */
enum attr attr_by_name(struct str name);
void attrs_add(struct buf *attrs, enum attr a, struct str value);
void attrs_add_meta(struct buf *attrs, struct str name, struct str value);
/* STR_NONE when absent. */
struct str attrs_get(struct str attrs, enum attr a);
/* Walks all: *at starts at 0; false at the end. name only for ATTR_META. */
bool attrs_next(struct str attrs, size_t *at, enum attr *a, struct str *name,
                struct str *value);
/* Whether the ETag of a plain object with these attributes is the MD5 of its bytes: not under a
 * key of KMS or of the customer. */
bool attrs_etag_is_md5(struct str attrs);

/* ---- records ----------------------------------------------------------------------- */

/* One part of a completed multipart object, for ?partNumber and GetObjectAttributes. */
struct part_info {
    uint32_t number;
    uint64_t size;
    struct checksum checksum; /* alg NONE when the part had none */
};

/* What record_new builds from; everything is copied except body, which is taken. */
struct record_spec {
    struct str key;
    int64_t mtime_ns;
    uint8_t md5[MD5_SIZE]; /* the ETag: of the bytes or of the parts' ETags; under a key (see
                            * attrs_etag_is_md5) of nothing */
    uint32_t part_count;   /* 0: plain ETag; n: "-n" ETag */
    struct checksum checksum;
    struct str attrs;              /* packed; ATTR_TAGGING holds tags as a URL query string */
    const struct part_info *parts; /* part_count entries, or NULL */
    struct str upload_id; /* of the upload that made it (idempotent Complete), or none */
};

/* Takes body even on failure; NULL when memory is out. Bodies of at most INLINE_BODY_MAX bytes
 * are moved into the record's own allocation (100 bytes of overhead an object). */
#define INLINE_BODY_MAX 4096
MUST_CHECK struct record *record_new(struct store *store, const struct record_spec *spec,
                                     struct body *body);
/* The same object with other attributes (tagging, retention ...): shares the body, keeps
 * version, mtime, ETag and checksum. */
MUST_CHECK struct record *record_with_attrs(struct store *store, struct record *r,
                                            struct str attrs);
/* For copies: a body that shares r's bytes (an inline body is copied: it is small). */
MUST_CHECK struct body *record_body(struct store *store, struct record *r);

struct record *record_ref(struct record *r);
void record_unref(struct record *r);
/* is_current is left false: the listing tells. */
void record_place(const struct record *r, struct record_place *out);

struct str record_key(const struct record *r);
uint64_t record_size(const struct record *r);
int64_t record_mtime_ns(const struct record *r);
struct str record_attrs(const struct record *r);
bool record_is_delete_marker(const struct record *r);
/* checksum->alg is CHECKSUM_NONE when it has none. */
void record_checksum(const struct record *r, struct checksum *out);
/* Quoted: "\"d41d8...\"" or with "-3". NUL-terminated. */
#define ETAG_SIZE 48
struct str record_etag(const struct record *r, char out[ETAG_SIZE]);
/* What the ETag is made of. */
void record_md5(const struct record *r, uint8_t out[MD5_SIZE]);
/* 0 when it did not come from a multipart upload. */
uint32_t record_part_count(const struct record *r);
/* Part of a multipart record by position 0..count-1; its offset in the object too. */
bool record_part(const struct record *r, uint32_t index, struct part_info *out,
                 uint64_t *offset);
struct str record_upload_id(const struct record *r);
/* "null", or the 32-character id of a version. NUL-terminated. A record of a bucket that was
 * never versioned is "null" too; whether that is sent as x-amz-version-id depends on the
 * bucket, see object_find. */
#define VERSION_ID_SIZE 33
struct str record_version_id(const struct record *r, char out[VERSION_ID_SIZE]);

/* Slices of bytes [first, first+len): how many there are; fills at most max. They live as long
 * as the record does. */
size_t record_slices(const struct record *r, uint64_t first, uint64_t len, struct slice *out,
                     size_t max);
/* As body_extents; 0 when the bytes are inline. */
size_t record_extents(const struct record *r, struct extent *out, size_t max);
/* As body_new_bytes; all of them when they are inline. */
uint64_t record_new_bytes(const struct record *r);

/* ---- buckets ----------------------------------------------------------------------- */

enum versioning { VERSIONING_NEVER, VERSIONING_ENABLED, VERSIONING_SUSPENDED };

/* Documents a bucket keeps; more are added as operations are built. */
enum bucket_doc { BUCKET_DOC_TAGGING, BUCKET_DOC_COUNT };

/* A copy of a bucket's facts at one instant. Release with bucket_info_release. */
struct bucket_info {
    char name[64];
    char region[32];
    struct doc *owner; /* canonical user id \n display name \n account id (12 digits) */
    int64_t created_ns;
    enum versioning versioning;
    uint64_t object_count;  /* current objects */
    uint64_t object_bytes;  /* their sizes */
    uint64_t version_count; /* noncurrent records and delete markers */
    uint64_t version_bytes;
    uint64_t upload_count;
    struct doc *docs[BUCKET_DOC_COUNT]; /* NULL: not set */
};
void bucket_info_release(struct bucket_info *info);

struct bucket_spec {
    struct str name, region, owner;
    struct str tagging; /* initial BUCKET_DOC_TAGGING, or STR_NONE */
};
/* BUCKET_ALREADY_EXISTS (the caller decides whether it is "owned by you"), SLOW_DOWN */
MUST_CHECK enum s3_err bucket_create(struct branch *b, const struct bucket_spec *spec);
/* NO_SUCH_BUCKET; BUCKET_NOT_EMPTY (objects, versions or delete markers; uploads do not count:
 * they are dropped with the bucket, as S3 does) */
MUST_CHECK enum s3_err bucket_delete(struct branch *b, struct str bucket);
/* NO_SUCH_BUCKET. *out must be released on S3_OK. */
MUST_CHECK enum s3_err bucket_get(struct branch *b, struct str bucket, struct bucket_info *out);
/* doc NULL removes it. NO_SUCH_BUCKET. Takes doc. */
MUST_CHECK enum s3_err bucket_set_doc(struct branch *b, struct str bucket,
                                      enum bucket_doc which, struct doc *doc);
MUST_CHECK enum s3_err bucket_set_versioning(struct branch *b, struct str bucket,
                                             enum versioning versioning);
/* Drops every object, version and upload; settings stay. O(1). info (may be NULL): what it held
 * before, to be released on S3_OK. NO_SUCH_BUCKET, SLOW_DOWN */
MUST_CHECK enum s3_err bucket_clear(struct branch *b, struct str bucket,
                                    struct bucket_info *before);
/* Drops objects, all their versions and uploads whose keys start with prefix, at most `most` of
 * them, and counts them; *done when none are left. Called again and again by someone who lets
 * others have their turn meanwhile. NO_SUCH_BUCKET, SLOW_DOWN */
struct cleared {
    uint64_t objects, versions, uploads;
};
MUST_CHECK enum s3_err bucket_clear_prefix(struct branch *b, struct str bucket,
                                           struct str prefix, size_t most,
                                           struct cleared *count, bool *done);
/* Buckets in name order: the first whose name is > after (or >= when inclusive). False at the
 * end. *out must be released when true. */
bool root_bucket_next(struct root *root, struct str after, bool inclusive,
                      struct bucket_info *out);

/* ---- objects ----------------------------------------------------------------------- */

struct target {
    struct str bucket, key;
};

/* Current record of a key, or one version of it.
 * out      new reference on S3_OK, and also (the delete marker) on METHOD_NOT_ALLOWED and on
 *          NO_SUCH_KEY when the current version is a delete marker; else NULL
 * version  ptr NULL = current; "null" is a real version id
 * Errors   NO_SUCH_BUCKET, NO_SUCH_KEY, NO_SUCH_VERSION, METHOD_NOT_ALLOWED (id names a delete
 *          marker), INVALID_ARGUMENT (not a version id at all)
 * Source   AWS API: GetObject, versionId */
MUST_CHECK enum s3_err object_get(struct record **out, struct branch *b,
                                  const struct target *at, struct str version);
/* The same, and the bucket's state at that instant (untouched on NO_SUCH_BUCKET): S3 sends
 * x-amz-version-id, "null" included, unless it is VERSIONING_NEVER. */
MUST_CHECK enum s3_err object_find(struct record **out, enum versioning *versioning,
                                   struct branch *b, const struct target *at,
                                   struct str version);

/* Conditions of a write, checked under the same lock hold. All optional. */
struct write_conditions {
    struct str if_match;      /* list as sent: "*", or ETags with or without quotes */
    struct str if_none_match; /* "*" is what S3 supports; ETag lists are checked too */
    /* Delete only: */
    bool has_mtime, has_size;
    int64_t mtime_s; /* x-amz-if-match-last-modified-time, compared at one second */
    uint64_t size;   /* x-amz-if-match-size */
};

struct write_result {
    char version_id[VERSION_ID_SIZE]; /* "" when no x-amz-version-id is to be sent */
    bool delete_marker;               /* Delete: made one, or removed one */
    bool existed;       /* Put: replaced a current object; Delete: something went */
    struct record *old; /* what left the bucket (reference), NULL when nothing did: a version
                         * that is kept below a new one has not */
};

/* Puts a record as the current one, by the bucket's versioning state (which gives the record
 * its version). Takes record, even on failure; a record is put once. conditions and result may
 * be NULL. NO_SUCH_BUCKET; PRECONDITION_FAILED (if_none_match: exists; if_match: other ETag);
 * NO_SUCH_KEY (if_match on a key without current object); INTERNAL_ERROR (the numbers that tell
 * newer from older are used up, which takes a loaded state whose numbers are absurd) */
MUST_CHECK enum s3_err object_put(struct branch *b, struct str bucket, struct record *record,
                                  const struct write_conditions *conditions,
                                  struct write_result *result);
/* Deletes by S3's rules: no version: unversioned removes, enabled adds a delete marker,
 * suspended replaces the null version by a null marker; with version: removes that version and
 * promotes the next. Deleting what is not there succeeds (existed = false), but with conditions
 * answers NO_SUCH_KEY. PRECONDITION_FAILED; INVALID_ARGUMENT: not a version id;
 * NO_SUCH_BUCKET; SLOW_DOWN */
MUST_CHECK enum s3_err object_delete(struct branch *b, const struct target *at,
                                     struct str version,
                                     const struct write_conditions *conditions,
                                     struct write_result *result);
/* Replaces `expected` (current or version) by `changed` made with record_with_attrs, in place
 * of the version it had. CONDITIONAL_REQUEST_CONFLICT when expected is no longer there: look
 * again. Takes changed. */
MUST_CHECK enum s3_err object_replace(struct branch *b, const struct target *at,
                                      struct record *expected, struct record *changed);
/* Moves the current object to another key of the bucket in one step (RenameObject). Both
 * conditions may be NULL; source is checked against the current source object.
 * NO_SUCH_BUCKET, NO_SUCH_KEY, PRECONDITION_FAILED, KEY_TOO_LONG_ERROR, SLOW_DOWN;
 * INVALID_REQUEST when both keys are the same */
MUST_CHECK enum s3_err object_rename(struct branch *b, struct str bucket, struct str from,
                                     struct str to, const struct write_conditions *destination,
                                     const struct write_conditions *source);

/* ---- multipart uploads ------------------------------------------------------------- */

#define UPLOAD_ID_SIZE 96

struct upload_spec {
    struct str key;
    int64_t initiated_ns;
    enum checksum_alg checksum_alg;
    enum checksum_type checksum_type;
    struct str owner;
    struct str attrs; /* what the finished object will have */
};
/* A part: immutable. */
struct part {
    uint32_t number;
    uint64_t size;
    int64_t mtime_ns;
    uint8_t md5[MD5_SIZE]; /* the ETag, as a record's */
    struct checksum checksum;
    struct body *body; /* owned by the part */
};

/* upload_id: UPLOAD_ID_SIZE bytes, filled with a NUL-terminated id that is valid with this key
 * only. NO_SUCH_BUCKET, KEY_TOO_LONG_ERROR, SLOW_DOWN, INTERNAL_ERROR (as object_put) */
MUST_CHECK enum s3_err upload_create(struct branch *b, struct str bucket,
                                     const struct upload_spec *spec, char *upload_id);
/* An immutable view of an upload in progress (new reference). NO_SUCH_BUCKET, NO_SUCH_UPLOAD */
MUST_CHECK enum s3_err upload_get(struct upload **out, struct branch *b,
                                  const struct target *at, struct str upload_id);
struct upload *upload_ref(struct upload *u);
void upload_unref(struct upload *u);
struct str upload_id(const struct upload *u);
struct str upload_key(const struct upload *u);
struct str upload_owner(const struct upload *u);
struct str upload_attrs(const struct upload *u);
int64_t upload_initiated_ns(const struct upload *u);
/* The key was deleted after this upload began: completing it with If-None-Match conflicts. */
bool upload_overtaken(const struct upload *u);
/* Or that, or written: by the order of numbers, which need not be the same in another store. */
bool root_upload_overtaken(struct root *root, struct str bucket, const struct upload *u);
enum checksum_alg upload_checksum_alg(const struct upload *u);
enum checksum_type upload_checksum_type(const struct upload *u);
/* The first part whose number is >= number; NULL at the end. Borrowed from u. */
const struct part *upload_part_from(const struct upload *u, uint32_t number);

/* Adds or replaces a part. Takes part->body, even on failure. NO_SUCH_BUCKET, NO_SUCH_UPLOAD */
MUST_CHECK enum s3_err upload_put_part(struct branch *b, const struct target *at,
                                       struct str upload_id, const struct part *part);
/* Ends the upload `seen` with record as its object (object_put's rules and conditions).
 * CONDITIONAL_REQUEST_CONFLICT when the upload changed since `seen` was read: read and check
 * again. OPERATION_ABORTED when the conditions hold but the key was written or deleted after
 * the upload began: S3 answers the client 409 ConditionalRequestConflict. NO_SUCH_BUCKET,
 * NO_SUCH_UPLOAD, PRECONDITION_FAILED, NO_SUCH_KEY, SLOW_DOWN. Takes record. */
MUST_CHECK enum s3_err upload_complete(struct branch *b, const struct target *at,
                                       struct upload *seen, struct record *record,
                                       const struct write_conditions *conditions,
                                       struct write_result *result);
MUST_CHECK enum s3_err upload_abort(struct branch *b, const struct target *at,
                                    struct str upload_id);

/* ---- listings ---------------------------------------------------------------------- */

enum listing_kind { LIST_OBJECTS, LIST_VERSIONS, LIST_UPLOADS };

struct listing_query {
    enum listing_kind kind;
    struct str bucket;
    struct str prefix, delimiter; /* empty = none */
    struct str after;    /* keys > after; when after lies in or is a common prefix, keys
                          * behind all of that prefix (as S3: it has been listed) */
    struct str after_id; /* LIST_VERSIONS: version id; LIST_UPLOADS: upload id; then
                          * entries of key == after behind that id are listed too */
};

struct listing_entry {
    struct str common_prefix; /* ptr != NULL: this is a common prefix, all else empty */
    struct record *record; /* LIST_OBJECTS, LIST_VERSIONS; borrowed from the listing's root */
    struct upload *upload; /* LIST_UPLOADS; borrowed */
    bool is_latest;        /* LIST_VERSIONS */
};

struct listing;
/* Works on the root as it was: consistent, no lock held. The listing holds its own reference;
 * entries and their keys live until it is closed. The query may go once it is open.
 * NO_SUCH_BUCKET; INVALID_ARGUMENT (after_id is no id, or not one of that key's uploads);
 * SLOW_DOWN. Cost O(log n) a result: common prefixes are seeked past. */
MUST_CHECK enum s3_err listing_open(struct listing **out, struct root *root,
                                    const struct listing_query *query);
bool listing_next(struct listing *l, struct listing_entry *entry);
void listing_close(struct listing *l);

AUTO_DEFINE(branch, branch_unref)
AUTO_DEFINE(root, root_unref)
AUTO_DEFINE(doc, doc_unref)
AUTO_DEFINE(body, body_unref)
AUTO_DEFINE(record, record_unref)
AUTO_DEFINE(upload, upload_unref)
AUTO_DEFINE(listing, listing_close)
AUTO_DEFINE(loader, loader_free)

#endif
