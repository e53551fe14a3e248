/* SPDX-License-Identifier: MIT */
/* s3db.h - the door of room s3db: the records of s3db.js as pure functions. No files, no store,
 * no HTTP: whoever has the objects of a bucket turns them into records and back.
 *
 *   JSON         read and written as JavaScript does
 *   keys         which object of a bucket is what
 *   descriptor   the document s3db.json: resources, their versions and attributes
 *   schema       one resource as one version of it says: names, codecs, behavior, partitions
 *   records      objects decoded to plain JSON records, records encoded to objects
 *
 * All input may be hostile: what is malformed in a stored value comes out as it is stored, what
 * is malformed in a document or a record is refused with a sentence. `why`, wherever it stands,
 * gets that sentence (no newline, no full stop at the end); it may not be NULL.
 * A json_t that is returned is a new reference, one that is passed is borrowed, unless stated.
 * Nothing here is locked: a json_t belongs to one thread, a schema may be read by many.
 * Source: s3db.js 12.3.0 to 21.2.10, its files and what its versions write. */
#ifndef S3MEM_S3DB_H
#define S3MEM_S3DB_H

#include <jansson.h>

#include "base/base.h"

/* json_t is a typedef of struct json_t: AUTO(json_t) v = ... drops the reference at the end. */
AUTO_DEFINE(json_t, json_decref)

/* ---- JSON as JavaScript has it ----------------------------------------------------- */

#define S3DB_JSON_DEPTH_MAX 200

/* As JSON.parse: members whose names are array indexes come first, in ascending order, the
 * others as they stand; of equal names the last value, at the first one's place; whole numbers
 * within 2^53 are integers, all others doubles. A surrogate without its other half becomes
 * U+FFFD. NULL: no JSON text, not UTF-8, deeper than S3DB_JSON_DEPTH_MAX, a number beyond the
 * range of a double (JavaScript: Infinity), or a member name with a NUL. */
MUST_CHECK json_t *js_parse(struct str text, struct buf *why);
/* At most so many bytes of memory js_parse makes of a text: of "[[],[],...", fifty times its
 * length. */
size_t js_parse_memory(struct str text);
/* As JSON.stringify(value) and JSON.stringify(value, null, 2): no newline at the end. Numbers
 * are printed as Number.prototype.toString does; what is no number JSON has prints as null. */
void js_write(struct buf *out, const json_t *value);
void js_write_indented(struct buf *out, const json_t *value);
/* A number, as an integer if it is a whole one within 2^53 (-0 too); NaN and Infinity: null. */
json_t *js_number(double value);
/* "1e+21", "1e-7", "0.1", "NaN", "-Infinity" */
void buf_add_js_number(struct buf *b, double value);
/* As String(value): "a,b" of an array, "[object Object]" of an object. */
void buf_add_js_string(struct buf *b, const json_t *value);
/* UTF-8 bytes of a JSON string, borrowed; STR_NONE of anything else. */
struct str js_str(const json_t *value);

/* ---- keys -------------------------------------------------------------------------- */

enum s3db_key_kind {
    S3DB_KEY_OTHER,           /* not under the prefix, or not of s3db.js */
    S3DB_KEY_DESCRIPTOR,      /* s3db.json */
    S3DB_KEY_RECORD,          /* resource=NAME/data/id=ID */
    S3DB_KEY_RAW,             /* resource=NAME/id=ID: what importBackup writes */
    S3DB_KEY_OLD_RECORD,      /* resource=NAME/v=K/id=ID: s3db.js 4 and 5 */
    S3DB_KEY_PARTITION,       /* resource=NAME/partition=PNAME/FIELD=VALUE.../id=ID */
    S3DB_KEY_HISTORICAL,      /* resource=NAME/historical/id=ID */
    S3DB_KEY_RESOURCE_PLUGIN, /* resource=NAME/plugin=SLUG/... */
    S3DB_KEY_RESOURCE_OTHER, /* resource=NAME/sequence=..., /meta/..., anything else below it */
    S3DB_KEY_PLUGIN,         /* plugin=SLUG/... */
};

/* All borrowed from the key; STR_NONE where the kind has none. */
struct s3db_key {
    enum s3db_key_kind kind;
    struct str resource;
    struct str id;        /* everything behind "id=", slashes too */
    struct str partition; /* PNAME */
    struct str fields;    /* "FIELD=VALUE/FIELD=VALUE" of a partition reference */
    struct str version;   /* K of an old record */
    struct str plugin;    /* SLUG */
    struct str relative;  /* the key behind the prefix */
};
/* prefix: "" or a text that ends in "/", as s3db_prefix makes it. */
void s3db_key_parse(struct s3db_key *out, struct str prefix, struct str key);

/* What a user calls a prefix ("", "a/b", "/a//b/../c/") as s3db.js puts it in front of keys: no
 * slash at the start, one at the end unless it is empty. False: it leads out of the bucket
 * ("..") or is no UTF-8. */
MUST_CHECK bool s3db_prefix(struct buf *out, struct str text, struct buf *why);
/* The prefix in front of a key that is or ends in "s3db.json"; STR_NONE of any other key. */
struct str s3db_prefix_of_descriptor(struct str key);

void s3db_key_descriptor(struct buf *out, struct str prefix);
void s3db_key_record(struct buf *out, struct str prefix, struct str resource, struct str id);
void s3db_key_raw(struct buf *out, struct str prefix, struct str resource, struct str id);
/* "PREFIXresource=NAME/": in front of all that belongs to a resource. */
void s3db_key_resource(struct buf *out, struct str prefix, struct str resource);

/* Names that can stand in a key and come back from it: no name is empty, has a slash, a control
 * character, or is longer than a key may be; no id has a control character or parts that
 * s3db.js would fold ("a//b", "a/../b"). s3db.js 19 and later also refuses ids with / \ = or %:
 * these are accepted here. */
MUST_CHECK bool s3db_resource_name_ok(struct str name, struct buf *why);
MUST_CHECK bool s3db_id_ok(struct str id, struct buf *why);

/* ---- descriptor -------------------------------------------------------------------- */

/* The document as JSON, all that is in it kept. NULL: it is no descriptor (an object with an
 * object `resources`, each of them an object with an object `versions`). */
MUST_CHECK json_t *s3db_descriptor_parse(struct str text, struct buf *why);
/* One without resources. now_ns becomes lastUpdated. */
json_t *s3db_descriptor_new(int64_t now_ns);
/* Of a document that s3db_descriptor_parse or _new gave: the object of all entries, in the
 * order JavaScript lists them, and one of them; borrowed, NULL: there is none. */
json_t *s3db_descriptor_resources(const json_t *descriptor);
json_t *s3db_descriptor_resource(const json_t *descriptor, struct str name);
/* Replaces or adds an entry (borrowed: it is copied) and sets lastUpdated. */
void s3db_descriptor_put(json_t *descriptor, struct str name, const json_t *entry,
                         int64_t now_ns);
/* As s3db.js writes it. */
void s3db_descriptor_write(struct buf *out, const json_t *descriptor);

/* ---- schema ------------------------------------------------------------------------ */

enum s3db_behavior {
    S3DB_USER_MANAGED,
    S3DB_BODY_OVERFLOW,
    S3DB_BODY_ONLY,
    S3DB_TRUNCATE_DATA,
    S3DB_ENFORCE_LIMITS,
};

#define S3DB_ATTRIBUTES_MAX 10000 /* of a resource, nested ones counted */

/* Immutable; owns all it needs. */
struct s3db_schema;
/* As an entry of a descriptor says. version: the record's `_v` ("v2"); the current one where it
 * is empty or not among the entry's versions. Metadata names come from the registries of the
 * entry; without them from the position of the attribute in that version. NULL: the entry
 * cannot be understood (no attributes, an unknown behavior, an impossible registry ...). */
MUST_CHECK struct s3db_schema *s3db_schema_of_entry(struct str resource, const json_t *entry,
                                                    struct str version, struct buf *why);
/* As a definition {attributes, partitions, behavior, timestamps} says, of a manifest or of
 * createResource; all but attributes may be missing. `timestamps: true` adds its attributes and
 * partitions where they are missing. It becomes version v1. NULL: as above, and for more
 * attributes than names that every version of s3db.js reads alike (36). */
MUST_CHECK struct s3db_schema *
s3db_schema_of_definition(struct str resource, const json_t *definition, struct buf *why);
void s3db_schema_free(struct s3db_schema *s);

/* All borrowed from the schema. */
struct str s3db_schema_resource(const struct s3db_schema *s);
struct str s3db_schema_version(const struct s3db_schema *s); /* "v1" */
enum s3db_behavior s3db_schema_behavior(const struct s3db_schema *s);
/* {attributes, partitions, behavior, timestamps}, what a manifest calls `schema`. */
json_t *s3db_schema_definition(const struct s3db_schema *s);
/* The least entry of a descriptor that every version of s3db.js reads this resource by: its
 * version, with its hash. created_ns becomes the version's createdAt. */
json_t *s3db_schema_entry(const struct s3db_schema *s, int64_t created_ns);
/* "sha256:" and 64 hex digits: the definition's hash, as s3db.js computes it. */
#define S3DB_HASH_SIZE 72
void s3db_schema_hash(const struct s3db_schema *s, char out[S3DB_HASH_SIZE]);
/* [{"name": "a", "attributes": ["f10", "f36"]} ...]: metadata names that HTTP makes equal,
 * which s3db.js before 19.5.4 gave to more than 36 attributes. Such values cannot be told
 * apart. */
json_t *s3db_schema_collisions(const struct s3db_schema *s);

AUTO_DEFINE(s3db_schema, s3db_schema_free)

/* ---- records ----------------------------------------------------------------------- */

/* One metadata entry: the name without "x-amz-meta-", the value as it is on the wire. */
struct s3db_pair {
    struct str name;
    struct str value;
};

/* The parts of an object that records are made of; all borrowed. */
struct s3db_object {
    const struct s3db_pair *pairs;
    size_t pair_count;
    struct str body;
    struct str content_type;
};

/* What is to be said of a record that was decoded. Zeroed before the first use; decoding adds.
 */
struct s3db_notes {
    json_t *secrets;    /* paths whose value is ciphertext still; NULL: none */
    json_t *collisions; /* metadata names that may be either of two attributes; NULL: none */
    bool opaque_body;   /* the body is not in the record: no JSON object, no text */
    bool truncated;     /* s3db.js cut a value or left some out (truncate-data) */
};
void s3db_notes_release(struct s3db_notes *notes);

/* The plain record of an object at S3DB_KEY_RECORD (or an old or historical one): id, then the
 * attributes in the order of the schema with nested objects rebuilt, then names that the schema
 * does not know, sorted. Internal names (_*, $*) are left out. A body that is text, not a JSON
 * object, becomes `_body`. passphrase: opens secrets; STR_NONE leaves them as they are stored.
 * NULL: memory is out, or the id is no UTF-8. */
MUST_CHECK json_t *s3db_record_decode(const struct s3db_schema *s, struct str id,
                                      const struct s3db_object *object, struct str passphrase,
                                      struct s3db_notes *notes);
/* The same of an object at S3DB_KEY_RAW, which no schema describes: metadata as text, the
 * members of a JSON object in the body over it, other text as `_body`. */
MUST_CHECK json_t *s3db_raw_decode(struct str id, const struct s3db_object *object,
                                   struct s3db_notes *notes);
/* The plain record of a line that s3db.js 12.3.0 exported: metadata names as members
 * ({"1": "Alice", "_v": "v1", "id": "u1"}), their values without the header's encoding. NULL:
 * there is nothing in it but _v and id (the line of a partition reference). */
MUST_CHECK json_t *s3db_mapped_decode(const struct s3db_schema *s, const json_t *line,
                                      struct str passphrase, struct s3db_notes *notes);

/* A record as an object. Owns all that `object` points to. */
struct s3db_encoded {
    struct s3db_object object;
    struct buf text; /* private */
};
void s3db_encoded_release(struct s3db_encoded *e);

/* The object that s3db.js reads the record from: values by the types of the schema, split into
 * metadata and body by its behavior. Members `id`, `_*` (but for `_body`, the text of the body)
 * and `$*` are not stored; members that the schema does not know are, under their own names.
 * passphrase: what secrets are encrypted with. A secret that is ciphertext already (its length
 * and alphabet say so) stays as it is; one in clear text without a passphrase is an error.
 * Only what cannot be stored is an error, and names the field ("age: a number is needed, not
 * text"); min, max, required and the like are s3db.js's to check. False leaves out empty. */
MUST_CHECK bool s3db_record_encode(struct s3db_encoded *out, const struct s3db_schema *s,
                                   struct str id, const json_t *record, struct str passphrase,
                                   struct buf *why);
/* As importBackup stores a line at S3DB_KEY_RAW: every member but id, _id and _body as text. */
MUST_CHECK bool s3db_raw_encode(struct s3db_encoded *out, const json_t *record,
                                struct buf *why);
/* `id`, else `_id`, of a record: a text, or a number printed. False: it has none. */
MUST_CHECK bool s3db_record_id(struct buf *out, const json_t *record, struct buf *why);

/* The keys of the references to a (decoded) record in all partitions, one call of `each` each.
 * A partition one of whose fields is null or missing has none, nor has one whose key would be
 * longer than S3 allows. A reference is an empty object of application/octet-stream with the
 * one metadata entry _v = s3db_schema_version. */
void s3db_partition_keys(const struct s3db_schema *s, struct str prefix, struct str id,
                         const json_t *record, void (*each)(void *arg, struct str key),
                         void *arg);

#endif
