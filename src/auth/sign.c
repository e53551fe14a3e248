/* SPDX-License-Identifier: MIT */
/* sign.c - SigV4 from the client's side, for s3memctl: the same canonical request, the other
 * way round. */
#include "auth/canonical.h"
#include "auth/signing_key.h"
#include "auth/sigv4.h"

void auth_sign(struct buf *out, const struct request *req, const struct credential *credential,
               struct str region)
{
    struct str date = request_header(req, STR("x-amz-date"));
    struct canonical_form form = {
        .payload_hash = request_header(req, STR("x-amz-content-sha256")), .host = req->host};
    uint8_t key[SHA256_SIZE], digest[SHA256_SIZE];
    char signature[SIGNATURE_HEX_LEN];
    AUTO_BUF(names, KiB(4));
    AUTO_BUF(text, KiB(64));

    for (size_t i = 0; i < req->header_count; i++) {
        if (i > 0)
            buf_add_char(&names, ';');
        buf_add(&names, req->headers[i].name);
    }
    form.signed_headers = buf_str(&names);
    canonical_request(&text, req, &form);
    sha256_once(buf_str(&text), digest);
    /* A header may be a secret. */
    if (text.ptr)
        mem_wipe(text.ptr, text.len);
    buf_reset(&text);
    buf_addf(&text, SIGV4_ALGORITHM "\n%.*s\n%.8s/%.*s/s3/aws4_request\n", (int)date.len,
             date.ptr, date.ptr, (int)region.len, region.ptr);
    buf_add_hex(&text, str_of((const char *)digest, sizeof(digest)));
    signing_key_derive(str_c(credential->secret_key), str_of(date.ptr, SCOPE_DATE_LEN), region,
                       key);
    sigv4_sign(key, buf_str(&text), signature);
    mem_wipe(key, sizeof(key));
    buf_addf(out,
             SIGV4_ALGORITHM " Credential=%s/%.8s/%.*s/s3/aws4_request, SignedHeaders=%.*s, "
                             "Signature=%.*s",
             credential->access_key, date.ptr, (int)region.len, region.ptr, (int)names.len,
             names.ptr, SIGNATURE_HEX_LEN, signature);
}
