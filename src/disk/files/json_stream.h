/* SPDX-License-Identifier: MIT */
/* json_stream.h - RFC 8259 as it comes in, in pieces of any size: nothing is kept of it but the
 * place in it. Who listens decides what to keep. */
#ifndef S3MEM_DISK_JSON_STREAM_H
#define S3MEM_DISK_JSON_STREAM_H

#include "base/base.h"

#define JSON_STREAM_DEPTH 64

enum json_token {
    JSON_OBJECT_BEGIN,
    JSON_ARRAY_BEGIN,
    JSON_END,    /* of the object or array that began last */
    JSON_NAME,   /* of a member: a piece of it */
    JSON_TEXT,   /* a piece of a string */
    JSON_SCALAR, /* a number, true, false or null, as it stands there */
};

struct json_stream {
    /* piece: unescaped, of a name or string; its last one (which may be empty) has last set.
     * False: enough, the listener has said why. Not UTF-8 is the listener's to see. */
    bool (*listen)(void *arg, enum json_token token, struct str piece, bool last);
    void *arg;

    const char *error; /* what is wrong with the text; NULL: nothing, or the listener's */
    uint64_t at, line, line_at; /* bytes taken, lines begun, and where in at the last began */
    int state;
    unsigned depth;
    bool in_object[JSON_STREAM_DEPTH];
    bool is_name; /* the string that is being read */
    char token[64];
    size_t token_len;
    uint32_t code, high; /* of a \u escape; the first half of a pair */
    unsigned digits;
};

void json_stream_init(struct json_stream *s,
                      bool (*listen)(void *arg, enum json_token token, struct str piece,
                                     bool last),
                      void *arg);
/* False: error says what is wrong at this place, or the listener does. */
MUST_CHECK bool json_stream_feed(struct json_stream *s, const char *data, size_t len);
/* Was that a whole document? */
MUST_CHECK bool json_stream_end(struct json_stream *s);

static inline uint64_t json_stream_column(const struct json_stream *s)
{
    return s->at - s->line_at + 1;
}

#endif
