/* SPDX-License-Identifier: MIT */
/* encryption.c - SSE-S3, SSE-KMS and SSE-C headers.
 * S3 demands HTTPS for customer keys; a test server on a loopback address does not.
 * Sources: aws-recorded TestS3SSECEncryption, test_s3_sse_*, test_copy_object_kms. */
#include "s3/body/encryption.h"

#include "base/base.h"

#define CUSTOMER_KEY_SIZE 32
#define KEY_INVALID       "The secret key was invalid for the specified algorithm."
/* The key id that aws:kms without a key id stands for: the account's aws/s3 key. */
#define DEFAULT_KMS_KEY "2d1ee8a5-5a0f-4d3b-9a3c-6f0f7d2c4b11"

struct customer_key {
    struct str algorithm, key, md5;
};

#define CUSTOMER "server-side-encryption-customer-"

static struct customer_key customer_key_of(const struct s3_call *c, const char *prefix)
{
    if (strcmp(prefix, "x-amz-") == 0)
        return (struct customer_key){s3_header(c, STR("x-amz-" CUSTOMER "algorithm")),
                                     s3_header(c, STR("x-amz-" CUSTOMER "key")),
                                     s3_header(c, STR("x-amz-" CUSTOMER "key-md5"))};
    return (struct customer_key){s3_header(c, STR("x-amz-copy-source-" CUSTOMER "algorithm")),
                                 s3_header(c, STR("x-amz-copy-source-" CUSTOMER "key")),
                                 s3_header(c, STR("x-amz-copy-source-" CUSTOMER "key-md5"))};
}

static bool has_customer_key(const struct customer_key *k)
{
    return k->algorithm.ptr || k->key.ptr || k->md5.ptr;
}

/* S3 always names the general header, also for the customer's (aws-recorded). */
static enum s3_err invalid_key(struct s3_call *c, const char *message)
{
    s3_error_field(c, "ArgumentName", STR("x-amz-server-side-encryption"));
    return s3_fail_message(c, S3_INVALID_ARGUMENT, "%s", message);
}

static enum s3_err check_key_algorithm(struct s3_call *c, const struct customer_key *k)
{
    if (!k->algorithm.len)
        return invalid_key(c, "Requests specifying Server Side Encryption with Customer "
                              "provided keys must provide a valid encryption algorithm.");
    if (!str_eq(k->algorithm, STR("AES256"))) {
        s3_error_field(c, "ArgumentName", STR("x-amz-server-side-encryption"));
        s3_error_field(c, "ArgumentValue", k->algorithm);
        return s3_fail(c, S3_INVALID_ENCRYPTION_ALGORITHM_ERROR, "customer algorithm");
    }
    return S3_OK;
}

/* The key against its digest, and its length in bytes. S3 compares digests before it looks at
 * lengths (aws-sdk-go issue 1726, aws-cli issue 6906: keys of 24 bytes). */
static enum s3_err check_key_digest(struct s3_call *c, const struct customer_key *k,
                                    size_t *size)
{
    char key[256];
    uint8_t md5[MD5_SIZE], claimed[MD5_SIZE];
    size_t padding = str_has_suffix(k->key, STR("==")) + str_has_suffix(k->key, STR("="));
    if (!k->key.len)
        return invalid_key(c, "Requests specifying Server Side Encryption with Customer "
                              "provided keys must provide an appropriate secret key.");
    if (k->key.len % 4)
        return invalid_key(c, KEY_INVALID);
    *size = k->key.len / 4 * 3 - padding;
    if (*size > sizeof(key))
        return S3_OK; /* no caller takes one of that length */
    bool decoded = base64_decode_exact(k->key, key, *size);
    md5_once(str_of(key, *size), md5);
    mem_wipe(key, sizeof(key));
    if (!decoded)
        return invalid_key(c, KEY_INVALID);
    if (k->md5.len && (!base64_decode_exact(k->md5, claimed, sizeof(claimed)) ||
                       memcmp(md5, claimed, sizeof(md5)) != 0))
        return invalid_key(c, "The calculated MD5 hash of the key did not match the hash that "
                              "was provided.");
    return S3_OK;
}

/* What a write needs: all three headers, and a key of AES256. */
static enum s3_err check_written_key(struct s3_call *c, const struct customer_key *k)
{
    size_t size;
    if (check_key_algorithm(c, k) || check_key_digest(c, k, &size))
        return c->err;
    return size == CUSTOMER_KEY_SIZE && k->md5.len ? S3_OK : invalid_key(c, KEY_INVALID);
}

/* ---- writes ------------------------------------------------------------------------ */

static enum s3_err customer_attrs(struct s3_call *c, const struct customer_key *k,
                                  struct buf *attrs)
{
    struct str method = s3_header(c, STR("x-amz-server-side-encryption"));
    if (method.ptr)
        return s3_invalid_argument(c,
                                   "Server Side Encryption with Customer provided key is "
                                   "incompatible with the encryption method specified",
                                   STR("x-amz-server-side-encryption"), method);
    if (check_written_key(c, k))
        return c->err;
    attrs_add(attrs, ATTR_SSEC_ALGORITHM, k->algorithm);
    attrs_add(attrs, ATTR_SSEC_KEY_MD5, k->md5);
    return S3_OK;
}

/* S3 answers with the whole ARN of a key, however it was named. */
static struct str kms_key_arn(struct s3_call *c, struct str id)
{
    struct str region = c->options->region, account = owner_account(c->owner);
    const char *type = str_has_prefix(id, STR("alias/")) ? "" : "key/";
    if (str_has_prefix(id, STR("arn:")))
        return id;
    if (!id.len)
        id = STR(DEFAULT_KMS_KEY);
    return s3_printf(c, "arn:aws:kms:%.*s:%.*s:%s%.*s", (int)region.len, region.ptr,
                     (int)account.len, account.ptr, type, (int)id.len, id.ptr);
}

static enum s3_err kms_attrs(struct s3_call *c, struct str method, struct str key_id,
                             struct buf *attrs)
{
    struct str context = s3_header(c, STR("x-amz-server-side-encryption-context"));
    struct str bucket_key =
        s3_header(c, STR("x-amz-server-side-encryption-bucket-key-enabled"));
    attrs_add(attrs, ATTR_SSE, method);
    attrs_add(attrs, ATTR_SSE_KMS_KEY_ID, kms_key_arn(c, key_id));
    if (context.len) {
        AUTO_BUF(decoded, context.len + 1);
        bool ok = buf_add_unbase64(&decoded, context);
        if (!buf_ok(&decoded))
            return s3_fail(c, S3_SLOW_DOWN, "memory for an encryption context");
        if (!ok)
            return s3_invalid_argument(c,
                                       "The header 'x-amz-server-side-encryption-context' "
                                       "shall be Base64-encoded UTF-8 string holding JSON "
                                       "which represents a string-string map",
                                       STR("x-amz-server-side-encryption-context"), context);
        attrs_add(attrs, ATTR_SSE_KMS_CONTEXT, context);
    }
    if (str_eq_nocase(bucket_key, STR("true")))
        attrs_add(attrs, ATTR_SSE_BUCKET_KEY, STR("true"));
    return S3_OK;
}

enum s3_err s3_attrs_from_encryption(struct s3_call *c, struct buf *attrs)
{
    struct customer_key customer = customer_key_of(c, "x-amz-");
    struct str header = STR("x-amz-server-side-encryption");
    struct str method = s3_header(c, header);
    struct str key_id = s3_header(c, STR("x-amz-server-side-encryption-aws-kms-key-id"));
    if (has_customer_key(&customer))
        return customer_attrs(c, &customer, attrs);
    if (str_eq(method, STR("aws:kms")) || str_eq(method, STR("aws:kms:dsse")))
        return kms_attrs(c, method, key_id, attrs);
    if (method.ptr && !str_eq(method, STR("AES256")))
        return s3_invalid_argument(c, "The encryption method specified is not supported",
                                   header, method);
    if (key_id.ptr)
        return s3_invalid_argument(c,
                                   "Server Side Encryption with AWS KMS managed key requires "
                                   "HTTP header x-amz-server-side-encryption : aws:kms",
                                   header, method);
    return S3_OK;
}

/* ---- reads ------------------------------------------------------------------------- */

enum s3_err s3_check_customer_key(struct s3_call *c, const char *prefix, const struct record *r)
{
    struct customer_key k = customer_key_of(c, prefix);
    struct str stored = attrs_get(record_attrs(r), ATTR_SSEC_KEY_MD5);
    size_t size;
    if (!has_customer_key(&k)) {
        if (!stored.ptr)
            return S3_OK;
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "The object was stored using a form of Server Side Encryption. "
                               "The correct parameters must be provided to retrieve the "
                               "object.");
    }
    if (check_key_algorithm(c, &k) || check_key_digest(c, &k, &size))
        return c->err;
    /* 10 bytes are no key, 44 bytes are the wrong key (aws-recorded:
     * test_object_retrieval_sse_c, wrong-key-size and no-md5). */
    if (size < CUSTOMER_KEY_SIZE)
        return invalid_key(c, KEY_INVALID);
    if (!stored.ptr)
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "The encryption parameters are not applicable to this object.");
    if (!str_eq(k.md5, stored))
        return s3_fail_message(c, S3_ACCESS_DENIED,
                               "Requests specifying Server Side Encryption with Customer "
                               "provided keys must provide the correct secret key.");
    return S3_OK;
}

enum s3_err s3_check_part_encryption(struct s3_call *c, struct str upload_attrs)
{
    struct customer_key k = customer_key_of(c, "x-amz-");
    struct str stored = attrs_get(upload_attrs, ATTR_SSEC_KEY_MD5);
    if (!has_customer_key(&k) && !stored.ptr)
        return S3_OK;
    if (!has_customer_key(&k) || !stored.ptr)
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "The multipart upload initiate requested encryption. "
                               "Subsequent part requests must include the appropriate "
                               "encryption parameters.");
    if (check_written_key(c, &k))
        return c->err;
    if (!str_eq(k.md5, stored))
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "The provided encryption parameters did not match the ones "
                               "used originally.");
    return S3_OK;
}

/* ---- ETags ------------------------------------------------------------------------- */

void s3_hide_md5(struct str attrs, uint8_t md5[MD5_SIZE])
{
    if (!attrs_etag_is_md5(attrs))
        random_bytes(md5, MD5_SIZE);
}

/* ---- replies ----------------------------------------------------------------------- */

void s3_reply_encryption_headers(struct s3_call *c, struct str attrs)
{
    size_t at = 0;
    enum attr attr;
    struct str name, value;
    bool named = false;
    while (attrs_next(attrs, &at, &attr, &name, &value)) {
        if (attr < ATTR_SSE || attr > ATTR_SSEC_KEY_MD5)
            continue;
        named = true;
        reply_header(&c->reply, attr_header(attr).ptr, value);
    }
    if (!named)
        s3_reply_kept_header(c, "x-amz-server-side-encryption", "AES256");
}
