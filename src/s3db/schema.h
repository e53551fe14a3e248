/* SPDX-License-Identifier: MIT */
/* schema.h - a schema from inside.
 *
 *   attributes.c  definition -> attributes: which there are, their names in metadata, their codecs
 *   schema.c      entries and definitions -> schema; its hash, its entry
 *   decode.c      objects -> records
 *   encode.c      records -> objects
 *   partitions.c  records -> keys of references */
#ifndef S3MEM_S3DB_SCHEMA_H
#define S3MEM_S3DB_SCHEMA_H

#include "s3db/js.h"
#include "s3db/values.h"

#define VERSION_MAX       16
#define METADATA_NAME_MAX 16

/* One value of a record that is stored by itself. */
struct attribute {
    struct str path;              /* "prof.bio"; borrowed from s3db_schema.paths */
    char name[METADATA_NAME_MAX]; /* in metadata, lower case: "k"; "": its mangled path */
    const json_t *definition;     /* borrowed from s3db_schema.attributes */
    struct codec codec;
    bool plugin;   /* a plugin's: has a name made of a hash */
    bool collides; /* another attribute has the same name on the wire */
};

struct s3db_schema {
    char *resource; /* owned */
    char version[VERSION_MAX];
    enum s3db_behavior behavior;
    bool timestamps, datetimes;
    json_t *attributes; /* the definition, in JavaScript's order */
    json_t *partitions; /* the automatic ones, too */
    struct buf paths;
    struct attribute *list; /* in the order that numbers go by */
    size_t count;
    json_t *by_name, *by_path; /* -> position in list */
    json_t *collisions;
};

/* Fills in list, by_name, by_path, collisions. registry and plugins (entries of a descriptor)
 * may be NULL. base: of the digits in names, 36 or 62. */
MUST_CHECK bool attributes_number(struct s3db_schema *s, const json_t *registry,
                                  const json_t *plugins, unsigned base, struct buf *why);
/* NULL: there is none of that name on the wire (lower case), or of that path. */
const struct attribute *attribute_named(const struct s3db_schema *s, struct str name);
const struct attribute *attribute_at(const struct s3db_schema *s, struct str path);

/* The value at a dotted path; NULL: there is none. Borrowed. */
json_t *record_at(const json_t *record, struct str path);
/* As s3db.js makes a header's name of a path that has none: lower case, what is no letter,
 * digit, "_" or "-" becomes "_". */
void buf_add_mangled(struct buf *b, struct str path);

/* ---- an object that is being made (encoding.c) ------------------------------------- */

struct encoding {
    struct buf text; /* names and values, one behind the other */
    struct buf body;
    struct encoded_pair {
        size_t name, name_len, value, value_len;
    } * pairs; /* owned */
    size_t count, room;
};
void encoding_begin(struct encoding *e, size_t pairs);
/* The value as it is before the header layer; the name is mangled where it must be. */
void encoding_add_pair(struct encoding *e, struct str name, struct str value);
/* All of it becomes *out. False: it is too large; out is empty then. */
MUST_CHECK bool encoding_end(struct encoding *e, struct str content_type,
                             struct s3db_encoded *out, struct buf *why);
/* Without an object. */
void encoding_drop(struct encoding *e);

#endif
