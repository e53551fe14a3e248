/* SPDX-License-Identifier: MIT */
/* disk_state_dir_test.c - paths stay below the folders they may be in; new files are there as a
 * whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "disk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* top/one (allowed), top/two (allowed, given by a link), top/outside */
struct fixture {
    char top[64], one[96], two[96], two_link[96], outside[96];
    struct state_dirs *dirs;
};

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "old", 3), 3);
    close(fd);
}

static void make_link(const char *target, const char *folder, const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(symlink(target, path), 0);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    AUTO_BUF(why, 1000);
    char path[160];

    snprintf(f->top, sizeof(f->top), "/tmp/state-dir-test-XXXXXX");
    assert_non_null(mkdtemp(f->top));
    snprintf(f->one, sizeof(f->one), "%s/one", f->top);
    snprintf(f->two, sizeof(f->two), "%s/two", f->top);
    snprintf(f->two_link, sizeof(f->two_link), "%s/link", f->top);
    snprintf(f->outside, sizeof(f->outside), "%s/outside", f->top);
    assert_int_equal(mkdir(f->one, 0700) | mkdir(f->two, 0700) | mkdir(f->outside, 0700), 0);
    make_link("two", f->top, "link");
    snprintf(path, sizeof(path), "%s/sub", f->one);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/secret", f->outside);
    make_file(path);
    make_link(f->outside, f->one, "out");
    make_link("../outside", f->one, "up");
    make_link("sub", f->one, "inner");
    make_link(path, f->one, "stolen");
    f->dirs = state_dirs_open((const char *const[]){f->one, f->two_link}, 2, &why);
    assert_non_null(f->dirs);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    AUTO_BUF(command, 200);

    state_dirs_close(f->dirs);
    buf_addf(&command, "rm -rf '%s'", f->top);
    buf_add_char(&command, '\0');
    assert_int_equal(system(command.ptr), 0);
    mem_free(f);
    return 0;
}

static enum state_found find(struct fixture *f, const char *path)
{
    AUTO_BUF(why, 1000);
    struct state_path found;
    enum state_found result = state_dirs_find(f->dirs, str_c(path), &found, &why);

    assert_int_equal(result == STATE_FOUND, why.len == 0);
    assert_int_equal(result == STATE_FOUND, found.dir >= 0);
    state_path_release(&found);
    return result;
}

/* Where it leads: the folder's and the wanted folder's inode are the same. */
static void assert_leads_to(struct fixture *f, const char *path, const char *folder,
                            const char *name)
{
    AUTO_BUF(why, 1000);
    struct state_path found;
    struct stat is, wanted;

    assert_int_equal(state_dirs_find(f->dirs, str_c(path), &found, &why), STATE_FOUND);
    assert_string_equal(found.name, name);
    assert_int_equal(fstat(found.dir, &is), 0);
    assert_int_equal(stat(folder, &wanted), 0);
    assert_int_equal(is.st_ino, wanted.st_ino);
    state_path_release(&found);
}

static const char *in(const char *folder, const char *rest)
{
    static char path[200];

    snprintf(path, sizeof(path), "%s%s", folder, rest);
    return path;
}

static void test_inside(void **state)
{
    struct fixture *f = *state;
    char sub[160];

    snprintf(sub, sizeof(sub), "%s/sub", f->one);
    assert_leads_to(f, "a.json", f->one, "a.json");
    assert_leads_to(f, "./sub//./a.json", sub, "a.json");
    assert_leads_to(f, "sub/", f->one, "sub");
    assert_leads_to(f, "..a", f->one, "..a");
    assert_leads_to(f, in(f->one, "/sub/x"), sub, "x");
    /* The second folder, as it was given and as it is. */
    assert_leads_to(f, in(f->two_link, "/x"), f->two, "x");
    assert_leads_to(f, in(f->two, "/x"), f->two, "x");
}

static void test_outside(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(find(f, "../outside/secret"), STATE_OUTSIDE);
    assert_int_equal(find(f, "sub/../../outside/secret"), STATE_OUTSIDE);
    assert_int_equal(find(f, "sub/.."), STATE_OUTSIDE);
    assert_int_equal(find(f, in(f->outside, "/secret")), STATE_OUTSIDE);
    assert_int_equal(find(f, in(f->one, "/../outside/secret")), STATE_OUTSIDE);
    /* Begins with the folder's name, but is another. */
    assert_int_equal(find(f, in(f->one, "more/x")), STATE_OUTSIDE);
    assert_int_equal(find(f, "/etc/passwd"), STATE_OUTSIDE);
    /* By links, whole or relative. */
    assert_int_equal(find(f, "out/secret"), STATE_OUTSIDE);
    assert_int_equal(find(f, "up/secret"), STATE_OUTSIDE);
    assert_int_equal(find(f, "inner/x"), STATE_OUTSIDE);
}

static void test_not_a_path(void **state)
{
    struct fixture *f = *state;
    AUTO_BUF(why, 1000);
    struct state_path found;
    char text[6000];

    assert_int_equal(find(f, ""), STATE_INVALID);
    assert_int_equal(find(f, "."), STATE_INVALID);
    assert_int_equal(find(f, f->one), STATE_INVALID);
    assert_int_equal(state_dirs_find(f->dirs, STR("a\0b"), &found, &why), STATE_INVALID);
    memset(text, 'x', sizeof(text));
    assert_int_equal(state_dirs_find(f->dirs, str_of(text, 256), &found, &why), STATE_INVALID);
    for (size_t i = 1; i < sizeof(text); i += 2)
        text[i] = '/';
    assert_int_equal(state_dirs_find(f->dirs, str_of(text, sizeof(text)), &found, &why),
                     STATE_INVALID);
    assert_int_equal(find(f, "missing/x"), STATE_MISSING);
    assert_int_equal(state_dirs_find(NULL, STR("x"), &found, &why), STATE_OFF);
}

static void test_folder_that_is_not_there(void **state)
{
    (void)state;
    AUTO_BUF(why, 1000);

    assert_null(state_dirs_open((const char *const[]){"/nowhere/at/all"}, 1, &why));
    assert_true(str_find(buf_str(&why), STR("/nowhere/at/all")) != SIZE_MAX);
}

static int open_path(struct fixture *f, const char *path)
{
    AUTO_BUF(why, 1000);
    struct state_path found;
    int fd;

    assert_int_equal(state_dirs_find(f->dirs, str_c(path), &found, &why), STATE_FOUND);
    fd = state_path_open(&found);
    state_path_release(&found);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static void test_open(void **state)
{
    struct fixture *f = *state;

    make_file(in(f->one, "/file"));
    assert_int_equal(mkfifo(in(f->one, "/fifo"), 0600), 0);
    assert_int_equal(open_path(f, "file"), 0);
    assert_int_equal(open_path(f, "none"), -ENOENT);
    assert_int_equal(open_path(f, "sub"), -EISDIR);
    assert_int_equal(open_path(f, "stolen"), -ELOOP);
    /* Nobody writes to it: this must not wait. */
    assert_int_equal(open_path(f, "fifo"), -EINVAL);
}

/* ---- new files --------------------------------------------------------------------- */

static void assert_content(const char *path, const char *wanted)
{
    AUTO_BUF(content, 1000);

    assert_int_equal(file_read(&content, path), 0);
    assert_true(str_eq(buf_str(&content), str_c(wanted)));
}

static int names_in(const char *folder)
{
    AUTO_BUF(command, 200);
    int count = -1;
    FILE *list;

    buf_addf(&command, "ls -A '%s' | wc -l", folder);
    buf_add_char(&command, '\0');
    list = popen(command.ptr, "r");
    assert_non_null(list);
    assert_int_equal(fscanf(list, "%d", &count), 1);
    pclose(list);
    return count;
}

static void test_new_file(void **state)
{
    struct fixture *f = *state;
    int dir = open(f->two, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct new_file file;

    make_file(in(f->two, "/it"));
    assert_int_equal(new_file_begin(&file, dir, "it"), 0);
    assert_int_equal(new_file_write(&file, "new", 3), 0);
    assert_content(in(f->two, "/it"), "old");
    assert_int_equal(new_file_commit(&file), 0);
    assert_content(in(f->two, "/it"), "new");
    new_file_drop(&file);
    assert_int_equal(names_in(f->two), 1);

    assert_int_equal(new_file_begin(&file, dir, "it"), 0);
    assert_int_equal(new_file_write(&file, "half", 4), 0);
    new_file_drop(&file);
    assert_content(in(f->two, "/it"), "new");
    assert_int_equal(names_in(f->two), 1);
    close(dir);
}

static void test_new_file_in_place_of_others(void **state)
{
    struct fixture *f = *state;
    int dir = open(f->one, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int before = names_in(f->one);
    struct new_file file;

    /* A folder stays. */
    assert_int_equal(new_file_begin(&file, dir, "sub"), 0);
    assert_int_equal(new_file_commit(&file), EISDIR);
    /* A link is replaced; what it names is not touched. */
    assert_int_equal(new_file_begin(&file, dir, "stolen"), 0);
    assert_int_equal(new_file_write(&file, "new", 3), 0);
    assert_int_equal(new_file_commit(&file), 0);
    assert_content(in(f->outside, "/secret"), "old");
    assert_content(in(f->one, "/stolen"), "new");
    assert_int_equal(names_in(f->one), before);
    close(dir);
}

/* From now on the kernel is one that does not know openat2. */
static int forget_openat2(void **state)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {ARRAY_LEN(code), code};

    (void)state;
    /* Where filters are not allowed the tests run with openat2 once more. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0)
        assert_int_equal(syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0), -1);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_inside),
        TEST(test_outside),
        TEST(test_not_a_path),
        TEST(test_folder_that_is_not_there),
        TEST(test_open),
        TEST(test_new_file),
        TEST(test_new_file_in_place_of_others),
    };

    return cmocka_run_group_tests_name("with openat2", tests, NULL, NULL) |
           cmocka_run_group_tests_name("without", tests, forget_openat2, NULL);
}
