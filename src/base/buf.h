/* SPDX-License-Identifier: MIT */
/* buf.h - growing byte buffers with a mandatory limit. Errors stick: append thirty times,
 * check buf_ok once. A failed buf keeps what it had and ignores further appends. */
#ifndef S3MEM_BASE_BUF_H
#define S3MEM_BASE_BUF_H

#include "base/mem.h"

#include <stdarg.h>

struct buf {
    char *ptr; /* owned; NULL until the first byte */
    size_t len;
    size_t cap;
    size_t max;  /* appends beyond it fail the buf */
    bool failed; /* limit reached or memory out */
};

void buf_init(struct buf *b, size_t max);
/* Frees the bytes; the buf is empty and usable again with the same limit. */
void buf_release(struct buf *b);
/* Forgets the content and the failure, keeps the memory. */
void buf_reset(struct buf *b);
/* Moves up to max bytes from the offset *at on to `out`, and *at behind them. Once all are
 * moved, the buf is reset and *at is 0. Returns how many. */
size_t buf_drain(struct buf *b, size_t *at, char *out, size_t max);

static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}
static inline struct str buf_str(const struct buf *b)
{
    return str_of(b->ptr, b->len);
}

/* Makes room for n more bytes; false fails the buf. */
bool buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, struct str s);
/* Another buf's content; one that failed fails b too. */
static inline void buf_add_buf(struct buf *b, const struct buf *part)
{
    if (part->failed)
        b->failed = true;
    else
        buf_add(b, buf_str(part));
}
void buf_add_c(struct buf *b, const char *c_string);
static inline void buf_add_char(struct buf *b, char c)
{
    if ((b->len < b->cap && !b->failed) || buf_reserve(b, 1))
        b->ptr[b->len++] = c;
}
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_i64(struct buf *b, int64_t v);
/* The longest text needs one byte below the limit (printf's NUL). */
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
/* Lower-case hex. */
void buf_add_hex(struct buf *b, struct str bytes);
void buf_add_base64(struct buf *b, struct str bytes);
/* XML text: & < > " escaped, CR as &#13;, other characters that XML 1.0 forbids as &#xN; (as
 * S3). Bytes that are no UTF-8 become U+FFFD, so that the document stays well-formed. */
void buf_add_xml(struct buf *b, struct str text);
/* JSON string body without the quotes; invalid UTF-8 becomes U+FFFD. */
void buf_add_json(struct buf *b, struct str text);
/* The same for eyes: what str_printable refuses is escaped, too. */
void buf_add_shown_json(struct buf *b, struct str text);
/* Copies a JSON document, in which that is escaped then. */
void buf_add_json_for_eyes(struct buf *b, struct str json);
/* RFC 3986 as SigV4 wants it: A-Z a-z 0-9 - . _ ~ kept, the rest %XX (upper-case hex);
 * keep_slash keeps '/'. */
void buf_add_uri(struct buf *b, struct str bytes, bool keep_slash);
/* encoding-type=url of listings: as buf_add_uri keeping '/' , '*' too, space as '+'. */
void buf_add_listing_url(struct buf *b, struct str bytes);
/* Percent-decoding; '+' becomes a space when plus_is_space. False on a bad escape (nothing is
 * promised about what was appended, the buf itself stays usable). */
MUST_CHECK bool buf_add_unescaped(struct buf *b, struct str escaped, bool plus_is_space);
/* Strict base64 with padding; false on anything else. */
MUST_CHECK bool buf_add_unbase64(struct buf *b, struct str text);
/* Even number of hex digits, either case. */
MUST_CHECK bool buf_add_unhex(struct buf *b, struct str text);

/* Writes 2 * size lower-case digits and returns their end. */
char *hex_encode(char *out, const void *bytes, size_t size);
/* Into a fixed array: true when the text is valid and decodes to exactly size bytes. */
MUST_CHECK bool base64_decode_exact(struct str text, void *out, size_t size);
MUST_CHECK bool hex_decode_exact(struct str text, void *out, size_t size);

static inline void auto_buf_release(struct buf *b)
{
    buf_release(b);
}
/* AUTO_BUF(xml, MiB(8)); declares and initialises; released when the scope ends. */
#define AUTO_BUF(name, max_bytes)                                                              \
    __attribute__((cleanup(auto_buf_release))) struct buf name;                                \
    buf_init(&name, (max_bytes))

#endif
