/* SPDX-License-Identifier: MIT */
/* auth_chunked_test.c - aws-chunked bodies: AWS's two examples, every cut of the input, framing
 * errors, trailers in the forms that clients send, and mutations of signed bodies. */
#include "auth/sigv4.h"
#include "auth_support.h"

/* ---- a decoder under test ---------------------------------------------------------- */

struct decoded {
    struct buf bytes;
    struct auth_failure failure;
    struct chunked *decoder;
    enum s3_err err;
};

static enum s3_err collect(void *arg, const char *data, size_t len)
{
    struct decoded *d = arg;
    assert_true(len > 0);
    buf_add(&d->bytes, str_of(data, len));
    return S3_OK;
}

static void decoder_start(struct decoded *d, const struct auth_result *auth, uint64_t length)
{
    buf_init(&d->bytes, MiB(1));
    auth_failure_init(&d->failure);
    d->decoder = chunked_new(auth, length);
    d->err = S3_OK;
}

static void decoder_feed(struct decoded *d, struct str data)
{
    enum s3_err err = chunked_feed(d->decoder, data.ptr, data.len, collect, d, &d->failure);
    if (d->err) /* sticky */
        assert_int_equal(err, d->err);
    d->err = err;
}

static void decoder_finish(struct decoded *d)
{
    enum s3_err err = chunked_finish(d->decoder, &d->failure);
    if (d->err)
        assert_int_equal(err, d->err);
    d->err = err;
}

static void decoder_release(struct decoded *d)
{
    buf_release(&d->bytes);
    auth_failure_release(&d->failure);
    chunked_free(d->decoder);
}

/* Decodes body, cut at `cut` (SIZE_MAX: whole). */
static void decode(struct decoded *d, const struct auth_result *auth, uint64_t length,
                   struct str body, size_t cut)
{
    decoder_start(d, auth, length);
    decoder_feed(d, str_of(body.ptr, cut < body.len ? cut : body.len));
    if (cut < body.len)
        decoder_feed(d, str_from(body, cut));
    decoder_finish(d);
}

static void expect_trailer(const struct decoded *d, size_t index, const char *name,
                           const char *value)
{
    struct header t = chunked_trailer(d->decoder, index);
    assert_str(t.name, name);
    assert_str(t.value, value);
}

/* ---- AWS: "... Transferring Payload in Multiple Chunks": 66560 bytes of 'a' -------- */

#define STREAM_HEAD                                                                            \
    "PUT /examplebucket/chunkObject.txt HTTP/1.1\n"                                            \
    "Host: s3.amazonaws.com\n"                                                                 \
    "x-amz-date: 20130524T000000Z\n"                                                           \
    "x-amz-storage-class: REDUCED_REDUNDANCY\n"                                                \
    "Content-Encoding: aws-chunked\n"                                                          \
    "x-amz-decoded-content-length: 66560\n"

#define AWS_STREAM                                                                             \
    STREAM_HEAD "Content-Length: 66824\n"                                                      \
                "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n"                   \
                "Authorization: AWS4-HMAC-SHA256 "                                             \
                "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"          \
                "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;"     \
                "x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,"                 \
                "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\n"

#define AWS_TRAILER                                                                            \
    STREAM_HEAD "x-amz-trailer: x-amz-checksum-crc32c\n"                                       \
                "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\n"           \
                "Authorization: AWS4-HMAC-SHA256 "                                             \
                "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"          \
                "SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;"         \
                "x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,"              \
                "Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e\n"

static void seed(struct auth_result *out, const char *text)
{
    struct outcome o;
    freeze("20130524T000000Z");
    authenticate(&o, text);
    assert_ok(&o);
    assert_true(o.result.verify_chunks);
    *out = o.result;
    o.result.canonical = (struct buf){0}; /* out's, now */
    outcome_release(&o);
    clock_unfreeze();
}

static void add_as(struct buf *out, size_t n)
{
    buf_reserve(out, n);
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, 'a');
}

static void aws_stream_body(struct buf *out)
{
    buf_add_c(out, "10000;chunk-signature="
                   "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n");
    add_as(out, 65536);
    buf_add_c(out, "\r\n400;chunk-signature="
                   "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
    add_as(out, 1024);
    buf_add_c(out, "\r\n0;chunk-signature="
                   "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n");
}

#define TRAILER_SIGNATURE "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"

/* ends: what follows the trailer's value, and the signature's. */
static void aws_trailer_body(struct buf *out, const char *value_end, const char *end)
{
    buf_add_c(out, "10000;chunk-signature="
                   "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n");
    add_as(out, 65536);
    buf_add_c(out, "\r\n400;chunk-signature="
                   "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n");
    add_as(out, 1024);
    buf_add_c(out, "\r\n0;chunk-signature="
                   "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
                   "x-amz-checksum-crc32c:sOO8/Q==");
    buf_add_c(out, value_end);
    buf_add_c(out, "x-amz-trailer-signature:" TRAILER_SIGNATURE);
    buf_add_c(out, end);
}

static void aws_stream_example(void **state)
{
    (void)state;
    struct auth_result auth;
    struct decoded d;
    AUTO_BUF(body, MiB(1));
    seed(&auth, AWS_STREAM);
    assert_int_equal(auth.payload, PAYLOAD_CHUNKED_SIGNED);
    aws_stream_body(&body);
    assert_int_equal(body.len, 66824);
    decode(&d, &auth, 66560, buf_str(&body), SIZE_MAX);
    assert_int_equal(d.err, S3_OK);
    assert_int_equal(d.bytes.len, 66560);
    assert_int_equal(chunked_trailer_count(d.decoder), 0);
    decoder_release(&d);
    auth_result_wipe(&auth);
}

static void aws_trailer_example(void **state)
{
    (void)state;
    /* AWS's text ends the value in "\n" and then "\r\n"; SDKs send "\r\n". */
    static const char *const ends[][2] = {
        {"\n\r\n", "\r\n\r\n"}, {"\r\n", "\r\n\r\n"},       {"\n", "\n\n\n"},
        {"\n", "\n\r\n\r\n"},   {"\n\r\n", "\r\n\r\n\r\n"},
    };
    struct auth_result auth;
    seed(&auth, AWS_TRAILER);
    assert_int_equal(auth.payload, PAYLOAD_CHUNKED_SIGNED_TRAILER);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct decoded d;
        AUTO_BUF(body, MiB(1));
        aws_trailer_body(&body, ends[i][0], ends[i][1]);
        decode(&d, &auth, 66560, buf_str(&body), SIZE_MAX);
        assert_int_equal(d.err, S3_OK);
        assert_int_equal(d.bytes.len, 66560);
        assert_int_equal(chunked_trailer_count(d.decoder), 1);
        expect_trailer(&d, 0, "x-amz-checksum-crc32c", "sOO8/Q==");
        decoder_release(&d);
    }
    auth_result_wipe(&auth);
}

/* Any change of a signed body is refused: of payload, framing, signatures and trailer. */
static void no_mutated_body_is_accepted(void **state)
{
    (void)state;
    struct auth_result auth;
    AUTO_BUF(body, MiB(1));
    seed(&auth, AWS_TRAILER);
    aws_trailer_body(&body, "\r\n", "\r\n\r\n");
    for (size_t i = 0; i < body.len; i++) {
        if (i == 1000)
            i = 65400; /* payload is payload: a few hundred of its bytes will do */
        char old = body.ptr[i];
        /* Bits 0 and 5: "0;" -> "1;", and case. A trailer's name may have any case. */
        for (int bit = 0; bit < 6; bit += 5) {
            body.ptr[i] = (char)(old ^ (1 << bit));
            struct decoded d;
            decode(&d, &auth, 66560, buf_str(&body), SIZE_MAX);
            bool in_trailer_name = i > body.len - 130 && bit == 5 && d.err == S3_OK;
            if (d.err == S3_OK && !in_trailer_name)
                print_error("byte %zu of %zu, bit %d\n", i, body.len, bit);
            assert_true(d.err != S3_OK || in_trailer_name);
            decoder_release(&d);
        }
        body.ptr[i] = old;
    }
    auth_result_wipe(&auth);
}

static void signed_bodies_may_be_cut_anywhere(void **state)
{
    (void)state;
    struct auth_result auth;
    AUTO_BUF(body, MiB(1));
    seed(&auth, AWS_TRAILER);
    aws_trailer_body(&body, "\r\n", "\r\n\r\n");
    for (size_t cut = 0; cut <= body.len; cut++) {
        if (cut == 200)
            cut = 65500;
        struct decoded d;
        decode(&d, &auth, 66560, buf_str(&body), cut);
        assert_int_equal(d.err, S3_OK);
        decoder_release(&d);
    }
    auth_result_wipe(&auth);
}

/* The end may be missing at any byte: then nothing may be published. */
static void truncated_bodies_are_incomplete(void **state)
{
    (void)state;
    struct auth_result auth;
    AUTO_BUF(body, MiB(1));
    seed(&auth, AWS_TRAILER);
    aws_trailer_body(&body, "\r\n", "\r\n");
    for (size_t len = 0; len < body.len - 1; len++) {
        if (len == 200)
            len = 65500;
        struct decoded d;
        decode(&d, &auth, 66560, str_of(body.ptr, len), SIZE_MAX);
        assert_true(d.err == S3_INCOMPLETE_BODY || d.err == S3_MALFORMED_TRAILER_ERROR);
        decoder_release(&d);
    }
    auth_result_wipe(&auth);
}

static void a_wrong_chunk_signature_is_explained(void **state)
{
    (void)state;
    struct auth_result auth;
    struct decoded d;
    AUTO_BUF(body, MiB(1));
    seed(&auth, AWS_STREAM);
    aws_stream_body(&body);
    body.ptr[5000] = 'b';
    decode(&d, &auth, 66560, buf_str(&body), SIZE_MAX);
    assert_int_equal(d.err, S3_SIGNATURE_DOES_NOT_MATCH);
    assert_int_equal(d.bytes.len, 65536); /* handed out, but nothing behind the chunk */
    assert_str(failure_field_of(&d.failure, "AWSAccessKeyId"), EXAMPLE_KEY);
    assert_str(failure_field_of(&d.failure, "SignatureProvided"),
               "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
    assert_true(str_has_prefix(failure_field_of(&d.failure, "StringToSign"),
                               STR("AWS4-HMAC-SHA256-PAYLOAD\n20130524T000000Z\n"
                                   "20130524/us-east-1/s3/aws4_request\n"
                                   "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9"
                                   "fa80a0a9\n" EMPTY_SHA256 "\n")));
    decoder_release(&d);
    auth_result_wipe(&auth);
}

static void chunks_without_signatures_are_refused(void **state)
{
    (void)state;
    struct auth_result auth;
    struct decoded d;
    seed(&auth, AWS_STREAM);
    static const char *const bodies[] = {"5\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n",
                                         "5;chunk-signature=\r\nhello\r\n",
                                         "5;chunk-signature=00;other=1\r\nhello\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        decode(&d, &auth, 5, str_c(bodies[i]), SIZE_MAX);
        assert_int_equal(d.err, S3_INCOMPLETE_BODY);
        decoder_release(&d);
    }
    /* Swift's tests, which run against Amazon too: what is no signature does not match. */
    static const char *const wrong[] = {
        "5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n",
        "5;other=1\r\nhello\r\n0;other=1\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        decode(&d, &auth, 5, str_c(wrong[i]), SIZE_MAX);
        assert_int_equal(d.err, S3_SIGNATURE_DOES_NOT_MATCH);
        decoder_release(&d);
    }
    auth_result_wipe(&auth);
}

static void the_trailer_signature_must_come(void **state)
{
    (void)state;
    struct auth_result auth;
    struct decoded d;
    AUTO_BUF(body, MiB(1));
    seed(&auth, AWS_TRAILER);
    aws_trailer_body(&body, "\r\n", "\r\n\r\n");
    size_t at = str_find(buf_str(&body), STR("x-amz-trailer-signature"));
    decode(&d, &auth, 66560, str_of(body.ptr, at), SIZE_MAX);
    assert_int_equal(d.err, S3_INCOMPLETE_BODY);
    decoder_release(&d);
    /* Nor may an unsigned trailer follow it. */
    AUTO_BUF(more, MiB(1));
    aws_trailer_body(&more, "\r\n", "\r\nx-amz-meta-a:1\r\n\r\n");
    decode(&d, &auth, 66560, buf_str(&more), SIZE_MAX);
    assert_int_equal(d.err, S3_INCOMPLETE_BODY);
    decoder_release(&d);
    auth_result_wipe(&auth);
}

/* ---- chunk sizes ------------------------------------------------------------------- */

/* A body of chunks of the given sizes, signed from the seed on. */
static void sign_chunks(struct buf *out, const struct auth_result *auth, const size_t *sizes,
                        size_t count)
{
    char previous[SIGNATURE_HEX_LEN];
    memcpy(previous, auth->seed_signature, sizeof(previous));
    for (size_t i = 0; i <= count; i++) {
        size_t size = i < count ? sizes[i] : 0;
        AUTO_BUF(data, MiB(1));
        AUTO_BUF(text, KiB(4));
        uint8_t hash[SHA256_SIZE];
        add_as(&data, size);
        sha256_once(buf_str(&data), hash);
        buf_addf(&text, "AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s\n%.*s\n%s\n", auth->amz_date,
                 auth->scope, SIGNATURE_HEX_LEN, previous, EMPTY_SHA256);
        buf_add_hex(&text, str_of((const char *)hash, sizeof(hash)));
        sigv4_sign(auth->signing_key, buf_str(&text), previous);
        buf_addf(out, "%zx;chunk-signature=%.*s\r\n", size, SIGNATURE_HEX_LEN, previous);
        buf_add(out, buf_str(&data));
        buf_add(out, STR("\r\n"));
    }
}

static void only_the_last_signed_chunk_may_be_small(void **state)
{
    (void)state;
    static const struct {
        size_t sizes[3], count;
        const char *bad_chunk, *bad_size; /* NULL: fine */
    } cases[] = {
        {{8192, 8192, 1}, 3, NULL, NULL},   {{1}, 1, NULL, NULL}, {{0}, 0, NULL, NULL},
        {{8191, 1}, 2, "2", "8191"}, /* Amazon names the one behind it, too */
        {{8192, 100, 8192}, 3, "3", "100"},
    };
    struct auth_result auth;
    seed(&auth, AWS_STREAM);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct decoded d;
        AUTO_BUF(body, MiB(1));
        sign_chunks(&body, &auth, cases[i].sizes, cases[i].count);
        uint64_t length = 0;
        for (size_t n = 0; n < cases[i].count; n++)
            length += cases[i].sizes[n];
        decode(&d, &auth, length, buf_str(&body), SIZE_MAX);
        assert_int_equal(d.err, cases[i].bad_chunk ? S3_INVALID_CHUNK_SIZE_ERROR : S3_OK);
        if (cases[i].bad_chunk) {
            assert_str(failure_field_of(&d.failure, "Chunk"), cases[i].bad_chunk);
            assert_str(failure_field_of(&d.failure, "BadChunkSize"), cases[i].bad_size);
        }
        decoder_release(&d);
    }
    auth_result_wipe(&auth);
}

/* ---- unsigned bodies --------------------------------------------------------------- */

static const struct auth_result unsigned_trailer = {.payload =
                                                        PAYLOAD_CHUNKED_UNSIGNED_TRAILER};
/* Signed by whoever, on a server without credentials. */
static const struct auth_result unverified = {.payload = PAYLOAD_CHUNKED_SIGNED};
static const struct auth_result unverified_trailer = {.payload =
                                                          PAYLOAD_CHUNKED_SIGNED_TRAILER};

#define BOTO_BODY "b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"

/* Every pair of cuts, so every way in which three pieces arrive. */
static void unsigned_bodies_may_be_cut_anywhere(void **state)
{
    (void)state;
    struct str body = STR(BOTO_BODY);
    for (size_t a = 0; a <= body.len; a++) {
        for (size_t b = a; b <= body.len; b++) {
            struct decoded d;
            decoder_start(&d, &unsigned_trailer, 11);
            decoder_feed(&d, str_of(body.ptr, a));
            decoder_feed(&d, str_of(body.ptr + a, b - a));
            decoder_feed(&d, str_from(body, b));
            decoder_finish(&d);
            assert_int_equal(d.err, S3_OK);
            assert_str(buf_str(&d.bytes), "hello world");
            assert_int_equal(chunked_trailer_count(d.decoder), 1);
            expect_trailer(&d, 0, "x-amz-checksum-crc32", "DUoRhQ==");
            decoder_release(&d);
        }
    }
}

/* Payload is handed on where it lies. */
static enum s3_err check_in_place(void *arg, const char *data, size_t len)
{
    struct str *body = arg;
    assert_true(data >= body->ptr && data + len <= body->ptr + body->len);
    return S3_OK;
}

static void payload_is_not_copied(void **state)
{
    (void)state;
    struct str body = STR(BOTO_BODY);
    struct auth_failure failure;
    auth_failure_init(&failure);
    struct chunked *c = chunked_new(&unsigned_trailer, 11);
    assert_int_equal(chunked_feed(c, body.ptr, body.len, check_in_place, &body, &failure),
                     S3_OK);
    chunked_free(c);
    auth_failure_release(&failure);
}

static enum s3_err refuse(void *arg, const char *data, size_t len)
{
    (void)arg, (void)data, (void)len;
    return S3_SLOW_DOWN;
}

static void errors_of_the_sink_stick(void **state)
{
    (void)state;
    struct auth_failure failure;
    auth_failure_init(&failure);
    struct chunked *c = chunked_new(&unsigned_trailer, 11);
    assert_int_equal(chunked_feed(c, "5\r\nhe", 5, refuse, NULL, &failure), S3_SLOW_DOWN);
    assert_int_equal(chunked_feed(c, "llo", 3, refuse, NULL, &failure), S3_SLOW_DOWN);
    assert_int_equal(chunked_finish(c, &failure), S3_SLOW_DOWN);
    chunked_free(c);
    auth_failure_release(&failure);
}

struct framing {
    const struct auth_result *auth;
    const char *body;
    enum s3_err err;
};

static void accepted_framings(void **state)
{
    (void)state;
    static const struct framing cases[] = {
        {&unsigned_trailer, "5\r\nhello\r\n0\r\n\r\n", S3_OK},
        {&unsigned_trailer, "00000005\r\nhello\r\n000\r\n\r\n", S3_OK},
        {&unsigned_trailer, "5 ; a=b;c\r\nhello\r\n0\r\n\r\n", S3_OK},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\na:1\r\nB : 2 \r\n\r\n", S3_OK},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\na:1\n\r\nb:2\n\r\n\r\n\r\n", S3_OK},
        {&unverified, "5;chunk-signature=whatever\r\nhello\r\n0;chunk-signature=x\r\n\r\n",
         S3_OK},
        {&unverified, "5\r\nhello\r\n0\r\n\r\n", S3_OK},
        {&unverified_trailer,
         "5;chunk-signature=x\r\nhello\r\n0;chunk-signature=y\r\na:1\r\n"
         "x-amz-trailer-signature:z\r\n\r\n",
         S3_OK},
        {&unverified_trailer, "5\r\nhello\r\n0\r\na:1\r\n\r\n", S3_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].body); cut++) {
            struct decoded d;
            decode(&d, cases[i].auth, 5, str_c(cases[i].body), cut);
            if (d.err)
                print_error("case %zu cut %zu: %s\n", i, cut, s3_err_code(d.err));
            assert_int_equal(d.err, cases[i].err);
            assert_str(buf_str(&d.bytes), "hello");
            decoder_release(&d);
        }
    }
}

static void refused_framings(void **state)
{
    (void)state;
    static const struct framing cases[] = {
        {&unsigned_trailer, "", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "5", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "\r\n5\r\nhello\r\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "5\nhello\r\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "x\r\nhello\r\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "-5\r\nhello\r\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "0x5\r\nhello\r\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, ";a=b\r\nhello\r\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "00000000000000005\r\nhello\r\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\n", S3_INCOMPLETE_BODY}, /* no blank line */
        {&unsigned_trailer, "5\r\nhello\r\n0\r\na:1\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", S3_INVALID_CHUNK_SIZE_ERROR},
        {&unverified, "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", S3_INVALID_CHUNK_SIZE_ERROR},
        {&unverified_trailer, "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", S3_INVALID_CHUNK_SIZE_ERROR},
        {&unsigned_trailer, "4\r\nhello\r\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "4\r\nhell\n\n0\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "4\r\nhell\r\n0\r\n\r\n", S3_INCOMPLETE_BODY}, /* one is missing */
        {&unsigned_trailer, "6\r\nhello!\r\n0\r\n\r\n", S3_INCOMPLETE_BODY}, /* one too many */
        {&unsigned_trailer, "5\r\nhello\r\n", S3_INCOMPLETE_BODY},           /* no end */
        {&unsigned_trailer, "5\r\nhello\r\n0", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\n\r\nmore", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\n\r\n5\r\nhello\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\n\r\na:1\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\n\r\n\r\n\r\n\r\n\r\n", S3_INCOMPLETE_BODY},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\nno colon\r\n\r\n", S3_MALFORMED_TRAILER_ERROR},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\n:no name\r\n\r\n", S3_MALFORMED_TRAILER_ERROR},
        {&unsigned_trailer, "5\r\nhello\r\n0\r\na:1", S3_INCOMPLETE_BODY},
        {&unverified, "5\r\nhello\r\n0\r\na:1\r\n\r\n", S3_INCOMPLETE_BODY}, /* none allowed */
        {&unverified, "5;chunk-signature=a;chunk-signature=b\r\nhello\r\n", S3_INCOMPLETE_BODY},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].body); cut++) {
            struct decoded d;
            decode(&d, cases[i].auth, 5, str_c(cases[i].body), cut);
            if (d.err != cases[i].err)
                print_error("case %zu cut %zu: %s\n", i, cut,
                            d.err ? s3_err_code(d.err) : "OK");
            assert_int_equal(d.err, cases[i].err);
            decoder_release(&d);
        }
    }
}

static void messages_of_framing_errors(void **state)
{
    (void)state;
    struct decoded d;
    decode(&d, &unsigned_trailer, 5, STR("5\r\nhel"), SIZE_MAX);
    assert_str(d.failure.message, "The request body terminated unexpectedly");
    decoder_release(&d);
    /* What the length promises has S3's default message. */
    static const struct {
        const char *body, *provided;
    } cases[] = {
        {"0\r\n\r\n", "0"},
        {"4\r\nhell\r\n0\r\n\r\n", "4"},
        {"6\r\nhello!\r\n0\r\n\r\n", "6"},
        {"10006\r\n", "65542"} /* too many to be read first */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        decode(&d, &unsigned_trailer, 5, str_c(cases[i].body), SIZE_MAX);
        assert_int_equal(d.err, S3_INCOMPLETE_BODY);
        assert_int_equal(d.failure.message.len, 0);
        assert_str(failure_field_of(&d.failure, "NumberBytesExpected"), "5");
        assert_str(failure_field_of(&d.failure, "NumberBytesProvided"), cases[i].provided);
        assert_true(d.bytes.len <= 5);
        decoder_release(&d);
    }
    /* A chunk that claims a byte of its own end is broken there. */
    decode(&d, &unsigned_trailer, 5, STR("6\r\nhello\r\n0\r\n\r\n"), SIZE_MAX);
    assert_str(d.failure.message, "The request body terminated unexpectedly");
    decoder_release(&d);
}

static void an_unknown_length_is_no_error(void **state)
{
    (void)state;
    struct decoded d;
    decode(&d, &unsigned_trailer, CONTENT_LENGTH_NONE, STR(BOTO_BODY), SIZE_MAX);
    assert_int_equal(d.err, S3_OK);
    assert_str(buf_str(&d.bytes), "hello world");
    decoder_release(&d);
    decode(&d, &unsigned_trailer, CONTENT_LENGTH_NONE, STR("140000001\r\n"), SIZE_MAX);
    assert_int_equal(d.err, S3_INCOMPLETE_BODY); /* 5 GiB and a byte */
    decoder_release(&d);
}

static void lines_and_trailers_have_limits(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        AUTO_BUF(body, KiB(64));
        enum s3_err expected = what ? S3_MALFORMED_TRAILER_ERROR : S3_INCOMPLETE_BODY;
        buf_add_c(&body, what ? "0\r\n" : "0;");
        if (what == 1)
            buf_add_c(&body, "name:");
        for (int i = 0; i < (what <= 1 ? 5000 : 17); i++)
            buf_add_c(&body, what <= 1 ? "x" : what == 2 ? "a:1\r\n" : "a:");
        if (what == 3) { /* sixteen short lines are too much together */
            buf_reset(&body);
            buf_add_c(&body, "0\r\n");
            for (int i = 0; i < 16; i++)
                buf_addf(&body, "name-%d:%0300d\r\n", i, 1);
        }
        buf_add_c(&body, "\r\n\r\n");
        for (size_t cut = 0; cut <= body.len; cut += cut < 40 ? 1 : 997) {
            struct decoded d;
            decode(&d, &unsigned_trailer, 0, buf_str(&body), cut);
            assert_int_equal(d.err, expected);
            decoder_release(&d);
        }
    }
}

static void sixteen_trailers_are_kept_in_order(void **state)
{
    (void)state;
    struct decoded d;
    AUTO_BUF(body, KiB(4));
    buf_add_c(&body, "0\r\n");
    for (int i = 0; i < 16; i++)
        buf_addf(&body, "X-Name-%d: value %d \r\n", i, i);
    buf_add_c(&body, "\r\n");
    decode(&d, &unsigned_trailer, 0, buf_str(&body), 50);
    assert_int_equal(d.err, S3_OK);
    assert_int_equal(chunked_trailer_count(d.decoder), 16);
    expect_trailer(&d, 0, "x-name-0", "value 0");
    expect_trailer(&d, 15, "x-name-15", "value 15");
    decoder_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aws_stream_example),
        cmocka_unit_test(aws_trailer_example),
        cmocka_unit_test(no_mutated_body_is_accepted),
        cmocka_unit_test(signed_bodies_may_be_cut_anywhere),
        cmocka_unit_test(truncated_bodies_are_incomplete),
        cmocka_unit_test(a_wrong_chunk_signature_is_explained),
        cmocka_unit_test(chunks_without_signatures_are_refused),
        cmocka_unit_test(the_trailer_signature_must_come),
        cmocka_unit_test(only_the_last_signed_chunk_may_be_small),
        cmocka_unit_test(unsigned_bodies_may_be_cut_anywhere),
        cmocka_unit_test(payload_is_not_copied),
        cmocka_unit_test(errors_of_the_sink_stick),
        cmocka_unit_test(accepted_framings),
        cmocka_unit_test(refused_framings),
        cmocka_unit_test(messages_of_framing_errors),
        cmocka_unit_test(an_unknown_length_is_no_error),
        cmocka_unit_test(lines_and_trailers_have_limits),
        cmocka_unit_test(sixteen_trailers_are_kept_in_order),
    };
    return cmocka_run_group_tests_name("auth_chunked", tests, NULL, NULL);
}
