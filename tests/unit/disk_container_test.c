/* SPDX-License-Identifier: MIT */
/* Folders, tars and text files: what comes out is what went in, and what is refused. */
#include "disk/files/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

/* ---- help -------------------------------------------------------------------------- */

struct memory {
    struct buf bytes;
    size_t at;
    size_t piece; /* so much at once */
};

static bool keep(void *arg, const void *data, size_t len)
{
    struct memory *m = arg;

    buf_add(&m->bytes, str_of(data, len));
    return buf_ok(&m->bytes);
}

static ssize_t give(void *arg, void *out, size_t max)
{
    struct memory *m = arg;
    size_t n = m->bytes.len - m->at;

    n = n < max ? n : max;
    n = n < m->piece ? n : m->piece;
    if (n > 0)
        memcpy(out, m->bytes.ptr + m->at, n);
    m->at += n;
    return (ssize_t)n;
}

static char *folder_new(void)
{
    char *path = xstrdup("/tmp/s3memd-unit-XXXXXX");

    assert_non_null(mkdtemp(path));
    return path;
}

static void folder_drop(char *path)
{
    AUTO_BUF(command, KiB(4));

    buf_addf(&command, "rm -r '%s'", path);
    buf_add_char(&command, '\0');
    assert_int_equal(system(command.ptr), 0);
    mem_free(path);
}

static char *below(const char *folder, const char *name)
{
    AUTO_BUF(path, KiB(4));

    buf_addf(&path, "%s/%s", folder, name);
    return xstrndup(buf_str(&path));
}

static void fill(struct sink *sink)
{
    AUTO_BUF(large, MiB(2));

    for (int i = 0; large.len < MiB(1) + 17; i++)
        buf_addf(&large, "%d,", i);
    assert_true(sink_begin(sink, STR("s3db.json")));
    assert_true(sink_write(sink, "{}", 2));
    assert_true(sink_end(sink));
    assert_true(sink_begin(sink, STR("us\xc3\xa9rs.jsonl")));
    assert_true(sink_write(sink, large.ptr, large.len));
    assert_true(sink_end(sink));
    assert_true(sink_begin(sink, STR("empty.jsonl")));
    assert_true(sink_end(sink));
}

static void read_member(struct source *s, struct str name, struct buf *out)
{
    char block[KiB(4)];
    AUTO_BUF(why, KiB(1));
    struct stretch text;
    ssize_t n;

    assert_true(source_open(s, name, &text, &why));
    while ((n = stretch_read(&text, block, sizeof(block))) > 0)
        buf_add(out, str_of(block, (size_t)n));
    stretch_close(&text);
}

static void check_filled(struct source *s)
{
    AUTO_BUF(text, MiB(4));

    assert_int_equal(source_count(s), 3);
    assert_true(str_eq(source_name(s, 0), STR("empty.jsonl")));
    assert_true(str_eq(source_name(s, 1), STR("s3db.json")));
    /* Twice: each reader starts at the start. */
    for (int i = 0; i < 2; i++) {
        buf_reset(&text);
        read_member(s, STR("s3db.json"), &text);
        assert_true(str_eq(buf_str(&text), STR("{}")));
    }
    buf_reset(&text);
    read_member(s, STR("us\xc3\xa9rs.jsonl"), &text);
    assert_true(text.len >= MiB(1) + 17);
    assert_true(str_has_prefix(buf_str(&text), STR("0,1,2,3,")));
}

static struct source *source_of(struct memory *m, struct buf *why)
{
    m->at = 0;
    return source_stream_new(give, m, why);
}

static void assert_refused(struct memory *m, const char *part)
{
    AUTO_BUF(why, KiB(4));
    AUTO(source) s = source_of(m, &why);

    assert_null(s);
    if (str_find(buf_str(&why), str_c(part)) == SIZE_MAX)
        fail_msg("'%.*s' does not say '%s'", (int)why.len, why.ptr, part);
}

/* ---- folders ----------------------------------------------------------------------- */

static void test_folder(void **state)
{
    char *top = folder_new(), *path = below(top, "backup");
    AUTO_BUF(why, KiB(4));

    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO(sink) sink = sink_folder_new(AT_FDCWD, path, i > 0, &why);

        assert_non_null(sink);
        fill(sink);
        /* Until it is finished it is not there; then it is, instead of the old one. */
        assert_int_equal(access(path, F_OK), i > 0 ? 0 : -1);
        assert_true(sink_finish(sink));
        assert_int_equal(access(path, F_OK), 0);
    }
    AUTO(source) s = source_path_new(AT_FDCWD, path, NULL, &why);
    assert_non_null(s);
    check_filled(s);
    struct stretch text;
    assert_false(source_open(s, STR("other"), &text, &why));
    assert_true(str_eq(buf_str(&why), STR("other is missing")));
    assert_int_equal(rmdir(top), -1);
    mem_free(path);
    folder_drop(top);
}

static void test_folder_unfinished(void **state)
{
    char *top = folder_new(), *path = below(top, "backup");
    AUTO_BUF(why, KiB(4));
    struct sink *sink = sink_folder_new(AT_FDCWD, path, false, &why);

    (void)state;
    fill(sink);
    sink_free(sink);
    /* Nothing is left of it. */
    assert_int_equal(rmdir(top), 0);
    mem_free(path);
    mem_free(top);
}

static void test_folder_taken(void **state)
{
    char *top = folder_new(), *file = below(top, "thesis.tex");
    AUTO_BUF(why, KiB(4));
    int fd = open(file, O_CREAT | O_WRONLY, 0600);

    (void)state;
    close(fd);
    assert_null(sink_folder_new(AT_FDCWD, top, false, &why));
    assert_true(str_has_suffix(buf_str(&why), STR("is there already and is not empty")));
    buf_reset(&why);
    assert_null(sink_folder_new(AT_FDCWD, top, true, &why));
    assert_true(str_find(buf_str(&why), STR("thesis.tex")) != SIZE_MAX);
    assert_int_equal(access(file, F_OK), 0);
    mem_free(file);
    folder_drop(top);
}

static void test_folder_links(void **state)
{
    char *top = folder_new(), *link = below(top, "users.jsonl");
    AUTO_BUF(why, KiB(4));

    (void)state;
    assert_int_equal(symlink("/etc/passwd", link), 0);
    AUTO(source) s = source_path_new(AT_FDCWD, top, NULL, &why);
    assert_non_null(s);
    struct stretch text;
    assert_false(source_open(s, STR("users.jsonl"), &text, &why));
    mem_free(link);
    folder_drop(top);
}

static void test_bad_names(void **state)
{
    static const char *const names[] = {"", "..", "a/b", "/a"};
    char *top = folder_new(), *path = below(top, "backup");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        AUTO_BUF(why, KiB(4));
        AUTO(sink) sink = sink_folder_new(AT_FDCWD, path, false, &why);

        assert_false(sink_begin(sink, str_c(names[i])));
        assert_false(sink_finish(sink));
        assert_true(sink_why(sink).len > 0);
    }
    mem_free(path);
    folder_drop(top);
}

/* ---- tars -------------------------------------------------------------------------- */

static void make_tar(struct memory *m, bool gzip)
{
    AUTO(sink) sink = sink_tar_new(keep, m, gzip);

    assert_non_null(sink);
    fill(sink);
    assert_true(sink_finish(sink));
}

static void test_tar(void **state)
{
    (void)state;
    for (int gzip = 0; gzip < 2; gzip++) {
        struct memory m = {.piece = 777};
        AUTO_BUF(why, KiB(4));

        buf_init(&m.bytes, MiB(8));
        make_tar(&m, gzip);
        AUTO(source) s = source_of(&m, &why);
        assert_non_null(s);
        check_filled(s);
        assert_int_equal(m.at, m.bytes.len);
        buf_release(&m.bytes);
    }
}

static void test_tar_cut_off(void **state)
{
    (void)state;
    for (int gzip = 0; gzip < 2; gzip++) {
        struct memory m = {.piece = KiB(10)};

        buf_init(&m.bytes, MiB(8));
        make_tar(&m, gzip);
        m.bytes.len /= 2;
        assert_refused(&m, "runcated");
        buf_release(&m.bytes);
    }
}

static bool take_some(void *arg, const void *data, size_t len)
{
    size_t *left = arg;

    (void)data;
    if (len > *left)
        return false;
    *left -= len;
    return true;
}

static void test_tar_nobody_takes(void **state)
{
    (void)state;
    for (int gzip = 0; gzip < 2; gzip++) {
        size_t left = KiB(100);
        char block[KiB(4)];
        AUTO(sink) sink = sink_tar_new(take_some, &left, gzip);

        assert_true(sink_begin(sink, STR("users.jsonl")));
        for (int i = 0; i < 1000; i++) {
            random_bytes(block, sizeof(block));
            assert_true(sink_write(sink, block, sizeof(block)));
        }
        assert_false(sink_end(sink));
        assert_false(sink_finish(sink));
        assert_true(str_eq(sink_why(sink), STR("nobody takes the tar any more")));
    }
}

/* A tar as `tar` makes it of such files. */
static void tar_of(struct memory *m, const char *command)
{
    char *top = folder_new();
    AUTO_BUF(line, KiB(4));
    char block[KiB(4)];
    size_t n;

    buf_addf(&line, "cd '%s' && %s", top, command);
    buf_add_char(&line, '\0');
    FILE *pipe = popen(line.ptr, "r");
    while ((n = fread(block, 1, sizeof(block), pipe)) > 0)
        buf_add(&m->bytes, str_of(block, n));
    assert_int_equal(pclose(pipe), 0);
    folder_drop(top);
}

static void test_tar_refused(void **state)
{
    static const struct {
        const char *command, *part;
    } rows[] = {
        {"touch a.jsonl && tar cP --transform=s,^,/etc/, a.jsonl", "leads out"},
        {"touch a.jsonl && tar cP --transform=s,^,x/../../, a.jsonl", "leads out"},
        {"ln -s /etc/passwd a.jsonl && tar c a.jsonl", "'a.jsonl' is a link"},
        {"touch a.jsonl && ln a.jsonl b.jsonl && tar c a.jsonl b.jsonl", "'b.jsonl' is a link"},
        {"mkfifo a.jsonl && tar c a.jsonl", "'a.jsonl' is a link or a device"},
        {"mkdir x && touch a.jsonl x/a.jsonl && tar c a.jsonl x/a.jsonl", "two files"},
        {"head -c 300M /dev/zero > a.jsonl && tar cz a.jsonl", "expands"},
        /* Not "{" by chance: that would be JSON. */
        {"printf x; head -c 70000 /dev/urandom", "nrecognized"},
        {"true", "empty"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct memory m = {.piece = KiB(64)};

        buf_init(&m.bytes, MiB(8));
        tar_of(&m, rows[i].command);
        assert_refused(&m, rows[i].part);
        buf_release(&m.bytes);
    }
}

static void test_tar_of_a_folder(void **state)
{
    struct memory m = {.piece = KiB(64)};
    AUTO_BUF(why, KiB(4));

    (void)state;
    buf_init(&m.bytes, MiB(8));
    tar_of(&m, "mkdir x && echo 1 > x/s3db.json && touch x/notes.txt && tar cz x");
    AUTO(source) s = source_of(&m, &why);
    assert_non_null(s);
    /* What no backup has is passed over. */
    assert_int_equal(source_count(s), 1);
    assert_true(source_has(s, STR("s3db.json")));
    buf_release(&m.bytes);
}

static void test_json_stream(void **state)
{
    struct memory m = {.piece = 3};
    AUTO_BUF(why, KiB(4));
    AUTO_BUF(text, KiB(4));

    (void)state;
    buf_init(&m.bytes, KiB(4));
    buf_add(&m.bytes, STR(" {\"files\":[]}"));
    AUTO(source) s = source_of(&m, &why);
    assert_non_null(s);
    read_member(s, SOURCE_ARCHIVE, &text);
    assert_true(str_eq(buf_str(&text), STR(" {\"files\":[]}")));
    buf_release(&m.bytes);
}

/* ---- lines ------------------------------------------------------------------------- */

static struct lines *lines_of(struct str text)
{
    int fd = temporary_file();

    assert_int_equal(write_all(fd, text.ptr, text.len), 0);
    return lines_new((struct stretch){fd, 0, UINT64_MAX}, NULL);
}

static void test_lines(void **state)
{
    AUTO(lines) l = lines_of(STR("one\r\n\nthree"));
    uint8_t wanted[SHA256_SIZE], got[SHA256_SIZE];
    struct str line;

    (void)state;
    assert_int_equal(lines_next(l, &line), LINES_ONE);
    assert_true(str_eq(line, STR("one")));
    assert_int_equal(lines_next(l, &line), LINES_ONE);
    assert_int_equal(line.len, 0);
    assert_int_equal(lines_next(l, &line), LINES_ONE);
    assert_true(str_eq(line, STR("three")));
    assert_int_equal(lines_number(l), 3);
    assert_int_equal(lines_next(l, &line), LINES_END);
    lines_digest(l, got);
    sha256_once(STR("one\r\n\nthree"), wanted);
    assert_memory_equal(got, wanted, sizeof(got));
}

static void test_long_line(void **state)
{
    char block[KiB(64)];
    int fd = temporary_file();
    struct str line;

    (void)state;
    memset(block, 'x', sizeof(block));
    for (size_t n = 0; n <= LINE_MAX_BYTES; n += sizeof(block))
        assert_int_equal(write_all(fd, block, sizeof(block)), 0);
    assert_int_equal(write_all(fd, "\nshort\n", 7), 0);
    AUTO(lines) l = lines_new((struct stretch){fd, 0, UINT64_MAX}, NULL);
    assert_int_equal(lines_next(l, &line), LINES_LONG);
    assert_int_equal(lines_number(l), 1);
    assert_int_equal(lines_next(l, &line), LINES_ONE);
    assert_true(str_eq(line, STR("short")));
    assert_int_equal(lines_next(l, &line), LINES_END);
}

/* What text_file makes of lines, in memory. */
static void gzip_of(struct buf *out, struct str text, int times)
{
    char *top = folder_new(), *path = below(top, "x"), *file = below(path, "a.jsonl.gz");
    struct text_file_facts facts;
    uint8_t wanted[SHA256_SIZE];
    size_t before = out->len;
    AUTO_BUF(why, KiB(1));
    AUTO(sink) sink = sink_folder_new(AT_FDCWD, path, false, &why);
    AUTO(text_file) f = text_file_new(sink, STR("a.jsonl.gz"), true);

    for (int i = 0; i < times; i++)
        assert_true(text_file_add(f, text));
    assert_true(text_file_end(f, &facts));
    assert_true(sink_finish(sink));
    assert_int_equal(file_read(out, file), 0);
    assert_int_equal(facts.bytes, out->len - before);
    sha256_once(text, wanted);
    if (times == 1)
        assert_memory_equal(facts.sha256, wanted, sizeof(wanted));
    mem_free(file);
    mem_free(path);
    folder_drop(top);
}

static void test_gzip(void **state)
{
    AUTO_BUF(gz, MiB(1));
    struct str line;

    (void)state;
    gzip_of(&gz, STR("one\ntwo\n"), 1);
    /* No time in the header: the same text is the same file. */
    assert_memory_equal(gz.ptr, "\x1f\x8b\x08\0\0\0\0\0", 8);
    /* Several members are one text. */
    gzip_of(&gz, STR("three\n"), 0);
    AUTO(lines) l = lines_of(buf_str(&gz));
    assert_int_equal(lines_next(l, &line), LINES_ONE);
    assert_int_equal(lines_next(l, &line), LINES_ONE);
    assert_true(str_eq(line, STR("two")));
    assert_int_equal(lines_next(l, &line), LINES_END);
}

static void test_gzip_truncated(void **state)
{
    AUTO_BUF(gz, MiB(1));
    struct str line;

    (void)state;
    gzip_of(&gz, STR("one\ntwo\n"), 1);
    for (size_t len = 2; len < gz.len; len++) {
        AUTO(lines) l = lines_of(str_of(gz.ptr, len));
        enum lines_next next;

        while ((next = lines_next(l, &line)) == LINES_ONE)
            continue;
        assert_int_equal(next, LINES_FAILED);
        assert_true(str_eq(lines_why(l), STR("its gzip data is truncated")));
    }
    gz.ptr[gz.len - 5] ^= 1; /* its checksum */
    AUTO(lines) l = lines_of(buf_str(&gz));
    enum lines_next next;

    while ((next = lines_next(l, &line)) == LINES_ONE)
        continue;
    assert_int_equal(next, LINES_FAILED);
    assert_true(str_eq(lines_why(l), STR("its gzip data is damaged")));
}

static void test_gzip_bomb(void **state)
{
    AUTO_BUF(gz, MiB(4));
    AUTO_BUF(zeros, MiB(1));
    struct str line;
    enum lines_next next;

    (void)state;
    while (zeros.len < KiB(512))
        buf_add_char(&zeros, '\n');
    gzip_of(&gz, buf_str(&zeros), 200);
    AUTO(lines) l = lines_of(buf_str(&gz));
    while ((next = lines_next(l, &line)) == LINES_ONE)
        continue;
    assert_int_equal(next, LINES_FAILED);
    assert_true(str_has_prefix(lines_why(l), STR("it expands to more than")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder),         cmocka_unit_test(test_folder_unfinished),
        cmocka_unit_test(test_folder_taken),   cmocka_unit_test(test_folder_links),
        cmocka_unit_test(test_bad_names),      cmocka_unit_test(test_tar),
        cmocka_unit_test(test_tar_cut_off),    cmocka_unit_test(test_tar_nobody_takes),
        cmocka_unit_test(test_tar_refused),    cmocka_unit_test(test_tar_of_a_folder),
        cmocka_unit_test(test_json_stream),    cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_line),      cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_gzip_truncated), cmocka_unit_test(test_gzip_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
