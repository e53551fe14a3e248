/* SPDX-License-Identifier: MIT */
/* codec_net.c - addresses: their bytes in base64. */
#include "s3db/codec.h"

#include <arpa/inet.h>

#include "s3db/js.h"

#define IP4_SIZE 4
#define IP6_SIZE 16
#define GROUPS   8

static bool parse_address(int family, const json_t *value, void *bytes)
{
    struct str text = js_str(value);
    char address[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof(address))
        return false;
    str_put(address, text);
    address[text.len] = '\0';
    return strlen(address) == text.len && inet_pton(family, address, bytes) == 1;
}

static bool add_address(int family, size_t size, const json_t *value, const char *needed,
                        struct buf *out, struct buf *why)
{
    char bytes[IP6_SIZE];

    if (!json_is_string(value))
        return codec_needs(why, needed, value);
    if (!parse_address(family, value, bytes))
        return codec_needs_form(why, needed);
    buf_add_base64(out, str_of(bytes, size));
    return true;
}

bool ip4_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    (void)codec;
    return add_address(AF_INET, IP4_SIZE, value, "an IPv4 address such as 192.168.1.10", out,
                       why);
}

bool ip6_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    (void)codec;
    return add_address(AF_INET6, IP6_SIZE, value, "an IPv6 address such as 2001:db8::1", out,
                       why);
}

json_t *ip4_decode(struct codec codec, struct str text)
{
    uint8_t ip[IP4_SIZE];
    AUTO_BUF(out, KiB(1));

    (void)codec;
    if (!base64_decode_exact(text, ip, sizeof(ip)))
        return NULL;
    buf_addf(&out, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
    return codec_printed(&out);
}

/* ---- IPv6 as text ------------------------------------------------------------------ */

/* The longest run of zeros, the first of equal ones; a single zero is none. */
static void find_gap(const unsigned groups[GROUPS], unsigned *first, unsigned *len)
{
    *first = GROUPS;
    *len = 1;
    for (unsigned at = 0; at < GROUPS; at++) {
        unsigned run = 0;

        while (at + run < GROUPS && groups[at + run] == 0)
            run++;
        if (run > *len) {
            *first = at;
            *len = run;
        }
    }
}

/* All groups in hexadecimal, those of IPv4 within IPv6 too: s3db.js knows no other form.
 * Source: RFC 5952 */
json_t *ip6_decode(struct codec codec, struct str text)
{
    uint8_t ip[IP6_SIZE];
    unsigned groups[GROUPS], gap, gap_len;
    AUTO_BUF(out, KiB(1));

    (void)codec;
    if (!base64_decode_exact(text, ip, sizeof(ip)))
        return NULL;
    for (size_t i = 0; i < GROUPS; i++)
        groups[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
    find_gap(groups, &gap, &gap_len);
    for (unsigned at = 0; at < GROUPS;) {
        if (at == gap) {
            buf_add(&out, STR("::"));
            at += gap_len;
            continue;
        }
        if (at > 0 && at != gap + gap_len)
            buf_add_char(&out, ':');
        buf_addf(&out, "%x", groups[at++]);
    }
    return codec_printed(&out);
}
