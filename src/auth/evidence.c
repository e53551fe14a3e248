/* SPDX-License-Identifier: MIT */
/* evidence.c - picking the authentication out of a request. */
#include "auth/evidence.h"

#define NAME(text)                                                                             \
    {                                                                                          \
        text, sizeof(text) - 1                                                                 \
    }

static const struct str names[SEEN_COUNT] = {
    [SEEN_AUTHORIZATION] = NAME("authorization"),
    [SEEN_DATE] = NAME("date"),
    [SEEN_AMZ_DATE] = NAME("x-amz-date"),
    [SEEN_CONTENT_SHA256] = NAME("x-amz-content-sha256"),
    [SEEN_TOKEN] = NAME("x-amz-security-token"),
    [SEEN_CONTENT_ENCODING] = NAME("content-encoding"),
    [SEEN_CONTENT_TYPE] = NAME("content-type"),
    [SEEN_CONTENT_MD5] = NAME("content-md5"),
    [SEEN_DECODED_LENGTH] = NAME("x-amz-decoded-content-length"),
    [SEEN_FORWARDED_HOST] = NAME("x-forwarded-host"),
    [SEEN_FORWARDED_PORT] = NAME("x-forwarded-port"),
    [SEEN_Q_ALGORITHM] = NAME("X-Amz-Algorithm"),
    [SEEN_Q_CREDENTIAL] = NAME("X-Amz-Credential"),
    [SEEN_Q_DATE] = NAME("X-Amz-Date"),
    [SEEN_Q_EXPIRES] = NAME("X-Amz-Expires"),
    [SEEN_Q_SIGNED_HEADERS] = NAME("X-Amz-SignedHeaders"),
    [SEEN_Q_SIGNATURE] = NAME("X-Amz-Signature"),
    [SEEN_Q_CONTENT_SHA256] = NAME("X-Amz-Content-Sha256"),
    [SEEN_Q_TOKEN] = NAME("X-Amz-Security-Token"),
    [SEEN_Q_V2_KEY] = NAME("AWSAccessKeyId"),
    [SEEN_Q_V2_EXPIRES] = NAME("Expires"),
    [SEEN_Q_V2_SIGNATURE] = NAME("Signature"),
};

bool query_next(struct str *rest, struct query_part *part)
{
    struct str text;
    do {
        if (!rest->ptr || !str_split(rest, '&', &text))
            return false;
    } while (text.len == 0);
    size_t equals = str_find_char(text, '=');
    part->has_value = equals != SIZE_MAX;
    part->name = str_of(text.ptr, part->has_value ? equals : text.len);
    part->value = part->has_value ? str_from(text, equals + 1) : STR("");
    return true;
}

static void note_header(struct evidence *e, const struct header *h)
{
    for (size_t i = 0; i < SEEN_HEADERS; i++) {
        if (h->name.len != names[i].len || !str_eq_nocase(h->name, names[i]))
            continue;
        if (i == SEEN_AUTHORIZATION)
            e->authorizations++;
        if (!e->seen[i].ptr)
            e->seen[i] = h->value.ptr ? h->value : STR("");
        return;
    }
}

/* Names as the SDKs write them: a presigned URL that spells them otherwise has no signature. */
static void note_parameter(struct evidence *e, const struct query_part *part)
{
    char first = part->name.len ? part->name.ptr[0] : '\0';
    if (first != 'X' && first != 'A' && first != 'E' && first != 'S')
        return;
    for (size_t i = SEEN_HEADERS; i < SEEN_COUNT; i++) {
        if (!e->seen[i].ptr && str_eq(part->name, names[i])) {
            e->seen[i] = part->value;
            return;
        }
    }
}

/* Replaces the query values by what they decode to. A value that does not decode becomes empty,
 * which no rule accepts. */
static void decode_parameters(struct evidence *e)
{
    size_t wanted = 0;
    for (size_t i = SEEN_HEADERS; i < SEEN_COUNT; i++)
        wanted += e->seen[i].len;
    /* Reserved at once: the values that are decoded first must not move. */
    bool room = wanted > 0 && buf_reserve(&e->decoded, wanted);
    for (size_t i = SEEN_HEADERS; i < SEEN_COUNT; i++) {
        struct str raw = e->seen[i];
        if (str_find_char(raw, '%') == SIZE_MAX && str_find_char(raw, '+') == SIZE_MAX)
            continue;
        size_t from = e->decoded.len;
        e->seen[i] = STR("");
        if (room && buf_add_unescaped(&e->decoded, raw, true))
            e->seen[i] = str_from(buf_str(&e->decoded), from);
    }
}

void evidence_collect(struct evidence *e, const struct request *req, struct str virtual_bucket,
                      int64_t now_ns)
{
    *e = (struct evidence){.req = req, .virtual_bucket = virtual_bucket, .now_ns = now_ns};
    buf_init(&e->decoded, MiB(1));
    for (size_t i = 0; i < req->header_count; i++)
        note_header(e, &req->headers[i]);
    if (req->query.len == 0)
        return;
    struct str rest = req->query;
    struct query_part part;
    while (query_next(&rest, &part))
        note_parameter(e, &part);
    decode_parameters(e);
}

void evidence_release(struct evidence *e)
{
    buf_release(&e->decoded);
}
