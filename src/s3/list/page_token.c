/* SPDX-License-Identifier: MIT */
/* page_token.c - base64url (RFC 4648, section 5) without padding of CRC-32 and position.
 * Clients exist that put tokens into URLs without escaping "+" and "/". */
#include "s3/list/page_token.h"

#define GUARD_SIZE 4 /* CRC-32 */
#define TOKEN_MAX  KiB(8)

void page_token_add(struct buf *b, struct str position)
{
    char guard[DIGEST_MAX];
    AUTO_BUF(plain, TOKEN_MAX);
    digest_once(CHECKSUM_CRC32, position, (uint8_t *)guard);
    buf_add(&plain, str_of(guard, GUARD_SIZE));
    buf_add(&plain, position);
    size_t start = b->len;
    buf_add_base64(b, buf_str(&plain));
    if (!buf_ok(b))
        return;
    for (size_t i = start; i < b->len; i++) {
        if (b->ptr[i] == '+')
            b->ptr[i] = '-';
        else if (b->ptr[i] == '/')
            b->ptr[i] = '_';
    }
    while (b->len > start && b->ptr[b->len - 1] == '=')
        b->len--;
}

bool page_token_read(struct buf *b, struct str token)
{
    uint8_t guard[DIGEST_MAX];
    AUTO_BUF(text, TOKEN_MAX);
    AUTO_BUF(plain, TOKEN_MAX);
    for (size_t i = 0; i < token.len && buf_ok(&text); i++) {
        char c = token.ptr[i];
        buf_add_char(&text, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    while (text.len % 4 && buf_ok(&text))
        buf_add_char(&text, '=');
    if (!buf_ok(&text) || !buf_add_unbase64(&plain, buf_str(&text)) || plain.len < GUARD_SIZE)
        return false;
    struct str position = str_from(buf_str(&plain), GUARD_SIZE);
    digest_once(CHECKSUM_CRC32, position, guard);
    if (memcmp(guard, plain.ptr, GUARD_SIZE) != 0)
        return false;
    buf_add(b, position);
    return buf_ok(b);
}
