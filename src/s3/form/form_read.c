/* SPDX-License-Identifier: MIT */
/* form_read.c - PREAMBLE -> (HEAD -> VALUE)* -> HEAD -> FILE -> END.
 * A part ends at the delimiter CR LF "--" boundary. CR occurs in it only as the first byte, so
 * a mismatch within a partial match can never hide the start of another one, and the number of
 * bytes matched is all that must be kept between two chunks. */
#include "s3/form/form_read.h"

#define DELIMITER_MAX (FORM_BOUNDARY_MAX + 4)
#define NAME_MAX      1024

enum form_state { FORM_PREAMBLE, FORM_HEAD, FORM_VALUE, FORM_FILE, FORM_END };

struct form_reader {
    enum form_state state;
    enum s3_err err;
    const struct form_sink *sink;
    void *arg;
    char delimiter[DELIMITER_MAX];
    size_t delimiter_len;
    size_t matched; /* bytes of the delimiter seen */
    size_t before_file;
    bool has_file;
    struct buf
        head; /* from behind a delimiter to the blank line that ends the part's headers */
    struct buf name, value;
};

/* ---- header values ----------------------------------------------------------------- */

/* Takes a quoted string off *s. A backslash escapes only a quote: old browsers send whole
 * Windows paths as filename. */
static void take_quoted(struct str *s, struct buf *out)
{
    size_t i = 1;
    for (; i < s->len && s->ptr[i] != '"'; i++) {
        if (s->ptr[i] == '\\' && i + 1 < s->len && s->ptr[i + 1] == '"')
            i++;
        buf_add_char(out, s->ptr[i]);
    }
    *s = str_from(*s, i + 1);
}

static void take_value(struct str *s, struct buf *out)
{
    if (s->len && s->ptr[0] == '"') {
        take_quoted(s, out);
        return;
    }
    size_t end = str_find_char(*s, ';');
    buf_add(out, str_trim(str_of(s->ptr, end == SIZE_MAX ? s->len : end)));
    *s = str_from(*s, end);
}

/* Value of a parameter of `type; a=b; c="d"` into out. */
static bool header_param(struct str header, struct str name, struct buf *out)
{
    for (;;) {
        size_t semicolon = str_find_char(header, ';');
        if (semicolon == SIZE_MAX)
            return false;
        header = str_trim(str_from(header, semicolon + 1));
        size_t equals = str_find_char(header, '=');
        if (equals == SIZE_MAX)
            return false;
        struct str found = str_trim(str_of(header.ptr, equals));
        header = str_trim(str_from(header, equals + 1));
        buf_reset(out);
        take_value(&header, out);
        if (str_eq_nocase(found, name))
            return buf_ok(out);
    }
}

static bool is_boundary(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < ' ' || s.ptr[i] > '~')
            return false;
    return s.len > 0 && s.len <= FORM_BOUNDARY_MAX;
}

bool form_boundary(struct buf *out, struct str content_type)
{
    AUTO_BUF(boundary, NAME_MAX);
    if (!buf_reserve(&boundary, NAME_MAX)) {
        out->failed = true;
        return false;
    }
    if (!str_has_prefix_nocase(content_type, STR("multipart/form-data")) ||
        !header_param(content_type, STR("boundary"), &boundary) ||
        !is_boundary(buf_str(&boundary)))
        return false;
    buf_add(out, buf_str(&boundary));
    return buf_ok(out);
}

/* A header of a part: the value behind "name:"; STR_NONE when it has none. */
static struct str part_header(struct str head, struct str name)
{
    struct str line;
    while (str_split(&head, '\n', &line)) {
        size_t colon = str_find_char(line, ':');
        if (colon != SIZE_MAX && str_eq_nocase(str_trim(str_of(line.ptr, colon)), name)) {
            if (str_has_suffix(line, STR("\r")))
                line.len--;
            return str_trim(str_from(line, colon + 1));
        }
    }
    return STR_NONE;
}

static struct str last_component(struct str path)
{
    for (size_t i = path.len; i > 0; i--)
        if (path.ptr[i - 1] == '/' || path.ptr[i - 1] == '\\')
            return str_from(path, i);
    return path;
}

/* filename="..." or, from clients that follow RFC 5987, filename*=UTF-8''... */
static bool read_filename(struct str disposition, struct buf *out)
{
    AUTO_BUF(extended, NAME_MAX);
    if (header_param(disposition, STR("filename"), out))
        return true;
    if (!header_param(disposition, STR("filename*"), &extended) ||
        !str_has_prefix_nocase(buf_str(&extended), STR("utf-8''")))
        return false;
    buf_reset(out);
    return buf_add_unescaped(out, str_from(buf_str(&extended), sizeof("utf-8''") - 1), false) &&
           buf_ok(out);
}

/* ---- parts ------------------------------------------------------------------------- */

static void lower_case(struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (b->ptr[i] >= 'A' && b->ptr[i] <= 'Z')
            b->ptr[i] = (char)(b->ptr[i] + ('a' - 'A'));
}

static enum s3_err begin_part(struct form_reader *r)
{
    struct str disposition = part_header(buf_str(&r->head), STR("Content-Disposition"));
    AUTO_BUF(filename, NAME_MAX);
    buf_reset(&r->name);
    if (!buf_reserve(&r->name, NAME_MAX) || !buf_reserve(&filename, NAME_MAX))
        return S3_SLOW_DOWN;
    if (!str_has_prefix_nocase(disposition, STR("form-data")) ||
        !header_param(disposition, STR("name"), &r->name))
        return S3_MALFORMED_POST_REQUEST;
    lower_case(&r->name);
    if (!str_eq(buf_str(&r->name), STR("file"))) {
        r->state = FORM_VALUE;
        return S3_OK;
    }
    bool named = read_filename(disposition, &filename);
    r->state = FORM_FILE;
    r->has_file = true;
    return r->sink->file(r->arg, named ? last_component(buf_str(&filename)) : STR_NONE);
}

static enum s3_err end_part(struct form_reader *r)
{
    enum s3_err err = S3_OK;
    if (!buf_ok(&r->value))
        err = S3_SLOW_DOWN; /* its limit is beyond that of all fields */
    else if (r->state == FORM_VALUE)
        err = r->sink->field(r->arg, buf_str(&r->name), buf_str(&r->value));
    buf_reset(&r->value);
    buf_reset(&r->head);
    r->state = r->state == FORM_FILE ? FORM_END : FORM_HEAD;
    return err;
}

/* Bytes that are no delimiter. */
static enum s3_err take_content(struct form_reader *r, const char *data, size_t len)
{
    if (r->state == FORM_FILE)
        return len ? r->sink->data(r->arg, data, len) : S3_OK;
    if (r->state == FORM_VALUE)
        buf_add(&r->value, str_of(data, len));
    return S3_OK;
}

/* ---- the stream -------------------------------------------------------------------- */

/* Bytes of data before the delimiter, or before what may be its beginning. */
static size_t plain_run(const struct form_reader *r, const char *data, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        const char *cr = memchr(data + at, '\r', len - at);
        if (!cr)
            return len;
        at = (size_t)(cr - data);
        size_t n = len - at < r->delimiter_len ? len - at : r->delimiter_len;
        if (memcmp(cr, r->delimiter, n) == 0)
            return at;
    }
    return len;
}

/* Looks for the delimiter in the content of a part (or the preamble). Returns bytes used. */
static size_t scan_content(struct form_reader *r, const char *data, size_t len)
{
    if (r->matched == 0) {
        size_t plain = plain_run(r, data, len);
        r->err = take_content(r, data, plain);
        r->matched = plain < len;
        return plain + r->matched;
    }
    if (*data != r->delimiter[r->matched]) {
        size_t matched = r->matched;
        r->matched = 0;
        r->err = take_content(r, r->delimiter, matched);
        return 0;
    }
    if (++r->matched == r->delimiter_len) {
        r->matched = 0;
        r->err = end_part(r);
    }
    return 1;
}

/* Behind a delimiter: "--" ends the form; else blanks, CR LF, headers, CR LF CR LF. */
static size_t scan_head(struct form_reader *r, char c)
{
    buf_add_char(&r->head, c);
    if (!buf_ok(&r->head))
        r->err = S3_SLOW_DOWN; /* as for values */
    else if (str_eq(buf_str(&r->head), STR("--")))
        r->state = FORM_END;
    else if (c == '\n' && str_has_suffix(buf_str(&r->head), STR("\r\n\r\n")))
        r->err = begin_part(r);
    return 1;
}

static size_t scan(struct form_reader *r, const char *data, size_t len)
{
    if (r->state == FORM_END)
        return len;
    bool before_file = !r->has_file;
    size_t used = r->state == FORM_HEAD ? scan_head(r, *data) : scan_content(r, data, len);
    if (before_file && (r->before_file += used) > FORM_PRE_FILE_MAX)
        r->err = S3_MAX_POST_PRE_DATA_LENGTH_EXCEEDED_ERROR;
    return used;
}

enum s3_err form_feed(struct form_reader *r, const char *data, size_t len)
{
    for (size_t at = 0; at < len && !r->err;)
        at += scan(r, data + at, len - at);
    return r->err;
}

enum s3_err form_finish(struct form_reader *r)
{
    if (!r->err && r->state != FORM_END)
        r->err = S3_MALFORMED_POST_REQUEST;
    return r->err;
}

bool form_has_file(const struct form_reader *r)
{
    return r->has_file;
}

struct form_reader *form_reader_new(struct str boundary, const struct form_sink *sink,
                                    void *arg)
{
    struct form_reader *r = xcalloc(1, sizeof(*r));
    r->sink = sink;
    r->arg = arg;
    r->delimiter_len = boundary.len + 4;
    memcpy(r->delimiter, "\r\n--", 4);
    str_put(r->delimiter + 4, boundary);
    r->matched = 2; /* the first delimiter needs no CR LF before it */
    buf_init(&r->head, FORM_PRE_FILE_MAX + 1);
    buf_init(&r->name, NAME_MAX);
    buf_init(&r->value, FORM_PRE_FILE_MAX + 1);
    return r;
}

void form_reader_free(struct form_reader *r)
{
    if (!r)
        return;
    buf_release(&r->head);
    buf_release(&r->name);
    buf_release(&r->value);
    mem_free(r);
}
