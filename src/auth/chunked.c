/* SPDX-License-Identifier: MIT */
/* chunked.c - the streaming decoder of aws-chunked bodies.
 *
 *   HEADER -> DATA -> DATA_END -> HEADER ... -> TRAILER
 *
 * A chunk of size 0 leads from HEADER to TRAILER.
 *
 * Payload bytes are handed to the sink as pointers into the input; only a line that is cut by
 * the end of the input is copied. Any error is final. Sources: AWS "Signature calculations ...
 * (chunked upload)" and "... including trailing headers"; for broken framing versitygw issues
 * 1660 and 1685 and that project's tests/integration/unsigned_streaming_payload_trailer.go, for
 * small chunks its issues 1683 (signed) and 2085 (unsigned trailer). */
#include <inttypes.h>
#include <stdio.h>

#include "auth/failure.h"
#include "auth/sigv4.h"

#define LINE_MAX_BYTES     KiB(4)
#define TRAILERS_MAX       16
#define TRAILERS_MAX_BYTES KiB(4)
#define MIN_CHUNK_BYTES    8192 /* of all chunks but the last */
#define MAX_CHUNK_BYTES    ((uint64_t)GiB(5))
#define MAX_EXCESS_BYTES   KiB(64) /* behind the promised length, before it is called wrong */
#define MAX_BLANK_LINES    4       /* at the end: clients differ in how many they send */
#define CHUNK_STRING_MAX   512

enum state { IN_HEADER, IN_DATA, IN_DATA_END, IN_TRAILER };

struct trailer {
    uint32_t name_len, value_at, value_len; /* in trailer_text, the name at `at` */
    uint32_t at;
};

struct chunked {
    enum state state;
    enum s3_err err; /* sticky */
    bool verify, has_trailers, sign_trailers;
    uint64_t decoded_length; /* CONTENT_LENGTH_NONE: unknown */
    uint64_t decoded;        /* payload bytes announced by chunk headers so far */
    uint64_t left;           /* of this chunk */
    uint64_t chunks;         /* headers read */
    uint64_t size;           /* of this chunk */
    bool half_end;           /* the CR behind the data was seen */

    /* signatures */
    struct digest sha256; /* of this chunk's data */
    uint8_t key[SHA256_SIZE];
    char access_key[sizeof(((struct auth_result *)0)->access_key)];
    char amz_date[AMZ_DATE_SIZE];
    char scope[sizeof(((struct auth_result *)0)->scope)];
    char previous[SIGNATURE_HEX_LEN]; /* the signature that the next one is chained to */
    char claimed[SIGNATURE_HEX_LEN];  /* this chunk's, as sent */
    struct str canonical;             /* borrowed from the auth_result */

    struct buf line; /* owned: a line that began in an earlier input */

    /* trailers */
    struct buf
        trailer_text; /* owned: "name:value\n" ..., which is what their signature covers */
    struct trailer trailers[TRAILERS_MAX];
    size_t trailer_count;
    bool bare_end; /* the last trailer line ended in a bare LF */
    bool ended;    /* the blank line behind the trailers was seen */
    bool trailers_signed;
    unsigned blank_lines;
};

struct chunked *chunked_new(const struct auth_result *auth, uint64_t decoded_length)
{
    struct chunked *c = xcalloc(1, sizeof(*c));
    c->decoded_length = decoded_length;
    c->verify = auth->verify_chunks && auth->payload != PAYLOAD_CHUNKED_UNSIGNED_TRAILER;
    c->has_trailers = auth->payload != PAYLOAD_CHUNKED_SIGNED;
    c->sign_trailers = c->verify && auth->payload == PAYLOAD_CHUNKED_SIGNED_TRAILER;
    memcpy(c->access_key, auth->access_key, sizeof(c->access_key));
    if (c->verify) {
        memcpy(c->key, auth->signing_key, sizeof(c->key));
        memcpy(c->amz_date, auth->amz_date, sizeof(c->amz_date));
        memcpy(c->scope, auth->scope, sizeof(c->scope));
        memcpy(c->previous, auth->seed_signature, sizeof(c->previous));
        c->canonical = buf_str(&auth->canonical);
    }
    buf_init(&c->line, LINE_MAX_BYTES);
    buf_init(&c->trailer_text, TRAILERS_MAX_BYTES);
    return c;
}

void chunked_free(struct chunked *c)
{
    if (!c)
        return;
    digest_release(&c->sha256);
    buf_release(&c->line);
    buf_release(&c->trailer_text);
    mem_wipe(c, sizeof(*c));
    mem_free(c);
}

/* ---- failing ----------------------------------------------------------------------- */

static enum s3_err broken_framing(struct auth_failure *failure)
{
    return failure_set(failure, S3_INCOMPLETE_BODY, "The request body terminated unexpectedly");
}

static void number_field(struct auth_failure *failure, struct str name, uint64_t number)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRIu64, number);
    failure_field(failure, name, str_of(text, (size_t)n));
}

static enum s3_err wrong_length(const struct chunked *c, struct auth_failure *failure)
{
    failure_start(failure, S3_INCOMPLETE_BODY, KiB(1));
    number_field(failure, STR("NumberBytesExpected"), c->decoded_length);
    number_field(failure, STR("NumberBytesProvided"), c->decoded);
    return S3_INCOMPLETE_BODY;
}

/* ---- signatures -------------------------------------------------------------------- */

static void add_line(struct buf *out, struct str text)
{
    buf_add(out, text);
    buf_add_char(out, '\n');
}

/* Compares the signature over algorithm, date, scope, the signature before and `hashes` with
 * what was claimed, and chains the next one to it. */
static enum s3_err check_signature(struct chunked *c, struct str algorithm, struct str hashes,
                                   struct str claimed, struct auth_failure *failure)
{
    AUTO_BUF(text, CHUNK_STRING_MAX);
    buf_reserve(&text, CHUNK_STRING_MAX);
    add_line(&text, algorithm);
    add_line(&text, str_c(c->amz_date));
    add_line(&text, str_c(c->scope));
    add_line(&text, str_of(c->previous, sizeof(c->previous)));
    buf_add(&text, hashes);
    char expected[SIGNATURE_HEX_LEN];
    sigv4_sign(c->key, buf_str(&text), expected);
    if (!str_eq_constant_time(str_of(expected, sizeof(expected)), claimed))
        return failure_signature(failure, str_c(c->access_key), buf_str(&text), claimed,
                                 c->canonical);
    memcpy(c->previous, expected, sizeof(c->previous));
    return S3_OK;
}

static enum s3_err check_chunk(struct chunked *c, struct auth_failure *failure)
{
    static const char empty_hash[] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
    if (!c->verify)
        return S3_OK;
    uint8_t hash[SHA256_SIZE];
    digest_final(&c->sha256, hash);
    AUTO_BUF(hashes, KiB(1));
    buf_add_c(&hashes, empty_hash);
    buf_add_hex(&hashes, str_of((const char *)hash, sizeof(hash)));
    return check_signature(c, STR("AWS4-HMAC-SHA256-PAYLOAD"), buf_str(&hashes),
                           str_of(c->claimed, sizeof(c->claimed)), failure);
}

static enum s3_err check_trailers(struct chunked *c, struct str claimed,
                                  struct auth_failure *failure)
{
    uint8_t hash[SHA256_SIZE];
    sha256_once(buf_str(&c->trailer_text), hash);
    AUTO_BUF(hashes, KiB(1));
    buf_add_hex(&hashes, str_of((const char *)hash, sizeof(hash)));
    return check_signature(c, STR("AWS4-HMAC-SHA256-TRAILER"), buf_str(&hashes), claimed,
                           failure);
}

/* ---- chunk headers ----------------------------------------------------------------- */

static bool read_hex(struct str text, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    if (text.len == 0 || text.len > 16)
        return false;
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        char ch =
            text.ptr[i] >= 'A' && text.ptr[i] <= 'F' ? (char)(text.ptr[i] | 0x20) : text.ptr[i];
        const char *digit = memchr(digits, ch, sizeof(digits) - 1);
        if (!digit)
            return false;
        *out = *out << 4 | (uint64_t)(digit - digits);
    }
    return true;
}

/* The one extension of a signed chunk, "chunk-signature=HEX". A value that is none, and another
 * extension's, is kept as a signature that does not match. */
static bool read_chunk_signature(struct chunked *c, struct str extension)
{
    size_t equals = str_find_char(extension, '=');
    if (equals == SIZE_MAX || str_find_char(extension, ';') != SIZE_MAX)
        return false;
    struct str name = str_trim(str_of(extension.ptr, equals));
    struct str value = str_trim(str_from(extension, equals + 1));
    if (!value.len)
        return false;
    bool whole = str_eq(name, STR("chunk-signature")) && value.len == sizeof(c->claimed);
    memset(c->claimed, '-', sizeof(c->claimed));
    if (whole)
        memcpy(c->claimed, value.ptr, sizeof(c->claimed));
    return true;
}

/* "10000;chunk-signature=HEX"; what is not verified may have any extensions. */
static bool read_chunk_header(struct chunked *c, struct str line)
{
    struct str size;
    if (!str_split(&line, ';', &size) || !read_hex(str_trim(size), &c->size))
        return false;
    return !c->verify || read_chunk_signature(c, line);
}

/* Payload bytes beyond the promised length. */
static uint64_t excess(const struct chunked *c)
{
    return c->decoded_length != CONTENT_LENGTH_NONE && c->decoded > c->decoded_length
               ? c->decoded - c->decoded_length
               : 0;
}

/* S3 wants 8 KiB of every chunk but the last, and compares the length at the end only: a chunk
 * that promises a byte too many is broken where its data end. */
static enum s3_err check_chunk_size(struct chunked *c, uint64_t before,
                                    struct auth_failure *failure)
{
    if (c->chunks > 1 && c->size > 0 && before < MIN_CHUNK_BYTES) {
        failure_start(failure, S3_INVALID_CHUNK_SIZE_ERROR, KiB(1));
        number_field(failure, STR("Chunk"), c->chunks);
        number_field(failure, STR("BadChunkSize"), before);
        return S3_INVALID_CHUNK_SIZE_ERROR;
    }
    if (c->size > MAX_CHUNK_BYTES)
        return broken_framing(failure);
    c->decoded += c->size;
    bool is_end = c->size == 0 && c->decoded_length != CONTENT_LENGTH_NONE;
    if (excess(c) > MAX_EXCESS_BYTES || (is_end && c->decoded != c->decoded_length))
        return wrong_length(c, failure);
    return S3_OK;
}

static enum s3_err begin_chunk(struct chunked *c, struct str line, struct auth_failure *failure)
{
    uint64_t before = c->size;
    if (line.len == 0 || line.ptr[line.len - 1] != '\r')
        return broken_framing(failure);
    line.len--;
    if (!read_chunk_header(c, line))
        return broken_framing(failure);
    c->chunks++;
    enum s3_err err = check_chunk_size(c, before, failure);
    if (err)
        return err;
    c->left = c->size;
    if (c->verify)
        digest_init(&c->sha256, CHECKSUM_SHA256);
    if (c->size > 0) {
        c->state = IN_DATA;
        return S3_OK;
    }
    c->state = IN_TRAILER;
    return check_chunk(c, failure);
}

/* ---- trailers ---------------------------------------------------------------------- */

static enum s3_err malformed_trailer(struct auth_failure *failure)
{
    return failure_start(failure, S3_MALFORMED_TRAILER_ERROR, 0);
}

static void add_trailer(struct chunked *c, struct str name, struct str value)
{
    struct trailer *t = &c->trailers[c->trailer_count];
    t->at = (uint32_t)c->trailer_text.len;
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];
        buf_add_char(&c->trailer_text, ch >= 'A' && ch <= 'Z' ? (char)(ch | 0x20) : ch);
    }
    t->name_len = (uint32_t)name.len;
    buf_add_char(&c->trailer_text, ':');
    t->value_at = (uint32_t)c->trailer_text.len;
    t->value_len = (uint32_t)value.len;
    add_line(&c->trailer_text, value);
    if (buf_ok(&c->trailer_text))
        c->trailer_count++;
}

/* Is it the blank line that ends the trailers? AWS's example ends each value in "\n" before the
 * "\r\n": then the first blank line still belongs to that value. */
static enum s3_err blank_line(struct chunked *c, struct auth_failure *failure)
{
    if (++c->blank_lines > MAX_BLANK_LINES)
        return broken_framing(failure);
    if (c->bare_end)
        c->bare_end = false;
    else
        c->ended = true;
    return S3_OK;
}

static enum s3_err read_trailer_line(struct chunked *c, struct str line,
                                     struct auth_failure *failure)
{
    bool bare = line.len == 0 || line.ptr[line.len - 1] != '\r';
    if (!bare)
        line.len--;
    line = str_trim(line);
    if (line.len == 0)
        return blank_line(c, failure);
    if (c->ended || !c->has_trailers || c->trailers_signed)
        return broken_framing(failure);
    size_t colon = str_find_char(line, ':');
    if (colon == SIZE_MAX || colon == 0)
        return malformed_trailer(failure);
    struct str name = str_trim(str_of(line.ptr, colon));
    struct str value = str_trim(str_from(line, colon + 1));
    c->bare_end = bare;
    if (str_eq_nocase(name, STR("x-amz-trailer-signature"))) {
        c->trailers_signed = true;
        return c->sign_trailers ? check_trailers(c, value, failure) : S3_OK;
    }
    if (c->trailer_count == TRAILERS_MAX)
        return malformed_trailer(failure);
    add_trailer(c, name, value);
    return buf_ok(&c->trailer_text) ? S3_OK : malformed_trailer(failure);
}

/* ---- the stream -------------------------------------------------------------------- */

/* Reads a line of the header or trailer state, without its LF. False when the input ends before
 * the line does (what there is was kept), or the line is too long (then line.failed). */
static bool take_line(struct chunked *c, struct str *input, struct str *line)
{
    const char *end = memchr(input->ptr, '\n', input->len);
    size_t len = end ? (size_t)(end - input->ptr) : input->len;
    if (!end || c->line.len || len > LINE_MAX_BYTES)
        buf_add(&c->line, str_of(input->ptr, len));
    if (!end || !buf_ok(&c->line)) {
        *input = str_from(*input, input->len);
        return false;
    }
    *line = c->line.len ? buf_str(&c->line) : str_of(input->ptr, len);
    *input = str_from(*input, len + 1);
    return true;
}

static enum s3_err feed_line(struct chunked *c, struct str *input, struct auth_failure *failure)
{
    struct str line;
    if (!take_line(c, input, &line)) {
        if (buf_ok(&c->line))
            return S3_OK;
        return c->state == IN_TRAILER ? malformed_trailer(failure) : broken_framing(failure);
    }
    enum s3_err err = c->state == IN_HEADER ? begin_chunk(c, line, failure)
                                            : read_trailer_line(c, line, failure);
    buf_reset(&c->line);
    return err;
}

static enum s3_err feed_data(struct chunked *c, struct str *input, chunked_sink *sink,
                             void *arg)
{
    size_t n = input->len < c->left ? input->len : (size_t)c->left;
    uint64_t wanted = c->left > excess(c) ? c->left - excess(c) : 0;
    enum s3_err err = wanted ? sink(arg, input->ptr, n < wanted ? n : (size_t)wanted) : S3_OK;
    if (err)
        return err;
    if (c->verify)
        digest_update(&c->sha256, input->ptr, n);
    *input = str_from(*input, n);
    c->left -= n;
    if (c->left == 0)
        c->state = IN_DATA_END;
    return S3_OK;
}

static enum s3_err feed_data_end(struct chunked *c, struct str *input,
                                 struct auth_failure *failure)
{
    if (*input->ptr != (c->half_end ? '\n' : '\r'))
        return broken_framing(failure);
    *input = str_from(*input, 1);
    c->half_end = !c->half_end;
    if (c->half_end)
        return S3_OK;
    c->state = IN_HEADER;
    return check_chunk(c, failure);
}

enum s3_err chunked_feed(struct chunked *c, const char *data, size_t len, chunked_sink *sink,
                         void *arg, struct auth_failure *failure)
{
    struct str input = str_of(data, len);
    while (!c->err && input.len) {
        switch (c->state) {
        case IN_HEADER:
        case IN_TRAILER:
            c->err = feed_line(c, &input, failure);
            break;
        case IN_DATA:
            c->err = feed_data(c, &input, sink, arg);
            break;
        case IN_DATA_END:
            c->err = feed_data_end(c, &input, failure);
            break;
        }
    }
    return c->err;
}

enum s3_err chunked_finish(struct chunked *c, struct auth_failure *failure)
{
    if (c->err)
        return c->err;
    if (c->state != IN_TRAILER || c->line.len || !c->ended)
        c->err = broken_framing(failure);
    else if (c->sign_trailers && !c->trailers_signed)
        c->err = c->trailer_count ? broken_framing(failure) : malformed_trailer(failure);
    return c->err;
}

size_t chunked_trailer_count(const struct chunked *c)
{
    return c->trailer_count;
}

struct header chunked_trailer(const struct chunked *c, size_t index)
{
    const struct trailer *t = &c->trailers[index];
    const char *text = c->trailer_text.ptr;
    return (struct header){str_of(text + t->at, t->name_len),
                           str_of(text + t->value_at, t->value_len)};
}
