/* SPDX-License-Identifier: MIT */
/* admin_jobs_test.c - jobs: waited for, asked for, cancelled, too many, forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/files/jobs.h"
#include "admin_ask.h"

#include <stdio.h>

struct fixture {
    struct store *store;
    struct admin *admin;
};

static bool any_name(struct str name)
{
    return name.len > 0;
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->store = store_new(&(struct store_options){0});
    f->admin = admin_new(&(struct admin_options){.store = f->store,
                                                 .version = "1",
                                                 .region = STR("r"),
                                                 .owner = STR("me"),
                                                 .bucket_name_ok = any_name});
    admin_set_ready(f->admin);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    admin_free(f->admin);
    store_free(f->store);
    mem_free(f);
    return 0;
}

/* ---- work that a test holds in its hand -------------------------------------------- */

struct task {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool may_end, fails;
    int ran, freed;
};

static void task_init(struct task *t)
{
    *t = (struct task){.may_end = false};
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->moved, NULL);
}

static void task_release(struct task *t)
{
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->moved);
}

/* Runs until it may end or is cancelled. */
static void run_task(void *arg, struct job *job)
{
    struct task *t = arg;
    bool may_end = false;

    pthread_mutex_lock(&t->lock);
    t->ran++;
    pthread_cond_broadcast(&t->moved);
    pthread_mutex_unlock(&t->lock);
    work_expect(job_work(job), 10, 1000);
    work_count(job_work(job), 4, 400);
    while (!may_end && !work_cancelled(job_work(job))) {
        struct timespec pause = {.tv_nsec = 1000000};

        nanosleep(&pause, NULL);
        pthread_mutex_lock(&t->lock);
        may_end = t->may_end;
        pthread_mutex_unlock(&t->lock);
    }
    if (!may_end)
        job_fail(job, 409, "Cancelled", "cancelled");
    else if (t->fails)
        job_fail_more(job, 507, "DiskFull", json_pack("{s:s}", "field", "path"), "%s", "full");
    else
        job_succeed(job, json_pack("{s:i}", "answer", 42));
}

static void free_task(void *arg)
{
    struct task *t = arg;

    pthread_mutex_lock(&t->lock);
    t->freed++;
    pthread_cond_broadcast(&t->moved);
    pthread_mutex_unlock(&t->lock);
}

static void wait_until_ran(struct task *t, int times)
{
    pthread_mutex_lock(&t->lock);
    while (t->ran < times)
        pthread_cond_wait(&t->moved, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static void wait_until_freed(struct task *t, int times)
{
    pthread_mutex_lock(&t->lock);
    while (t->freed < times)
        pthread_cond_wait(&t->moved, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static void let_end(struct task *t)
{
    pthread_mutex_lock(&t->lock);
    t->may_end = true;
    pthread_mutex_unlock(&t->lock);
}

static struct job_spec spec_of(struct task *t)
{
    return (struct job_spec){.kind = "test", .run = run_task, .arg = t, .arg_free = free_task};
}

/* ---- a call that has a job --------------------------------------------------------- */

struct called {
    struct ask ask; /* only its waker and request */
    struct admin_call call;
};

static void called_init(struct called *c, struct fixture *f)
{
    *c = (struct called){.ask = {.waker = {ask_wake, ask_wake_at}}};
    pthread_mutex_init(&c->ask.lock, NULL);
    c->ask.req.waker = &c->ask.waker;
    c->call.admin = f->admin;
    c->call.req = &c->ask.req;
    reply_init(&c->call.reply);
}

static void called_done(struct called *c)
{
    admin_job_leave(&c->call);
    pthread_mutex_lock(&c->ask.lock);
    c->ask.over = true;
    pthread_mutex_unlock(&c->ask.lock);
    pthread_mutex_destroy(&c->ask.lock);
    reply_release(&c->call.reply);
}

static void assert_reply(struct called *c, unsigned status, const char *text)
{
    assert_int_equal(c->call.reply.status, status);
    buf_add_char(&c->call.reply.text, '\0');
    assert_string_equal(c->call.reply.text.ptr, text);
}

/* As the front end does: once woken it calls again. */
static void wait_for_answer(struct called *c)
{
    struct timespec pause = {.tv_nsec = 1000000};

    while (ask_woken(&c->ask) == 0)
        nanosleep(&pause, NULL);
    assert_int_equal(admin_job_wait(&c->call), APP_REPLY);
}

/* GET jobs/ID until its state is this. */
static char *wait_for_state(struct fixture *f, int id, const char *wanted)
{
    char target[64], state[64];
    struct timespec pause = {.tv_nsec = 1000000};

    snprintf(target, sizeof(target), "/_s3mem/jobs/%d", id);
    snprintf(state, sizeof(state), "\"state\":\"%s\"", wanted);
    for (;;) {
        unsigned status;
        char *text = ask_text(f->admin, "GET", target, &status);

        assert_int_equal(status, 200);
        if (strstr(text, state))
            return text;
        mem_free(text);
        nanosleep(&pause, NULL);
    }
}

/* ---- tests ------------------------------------------------------------------------- */

static void test_waited_for(void **state)
{
    struct task t;
    struct called c;

    task_init(&t);
    called_init(&c, *state);
    struct job_spec spec = spec_of(&t);
    assert_int_equal(admin_job_start(&c.call, &spec, false), APP_WAIT);
    wait_until_ran(&t, 1);
    assert_int_equal(admin_job_wait(&c.call), APP_WAIT);
    let_end(&t);
    wait_for_answer(&c);
    assert_reply(&c, 200, "{\"answer\":42}");
    called_done(&c);
    assert_int_equal(t.freed, 1);
    task_release(&t);
}

static void test_failure_is_the_answer(void **state)
{
    struct task t;
    struct called c;
    char *text;

    task_init(&t);
    t.fails = true;
    let_end(&t);
    called_init(&c, *state);
    struct job_spec spec = spec_of(&t);
    assert_int_equal(admin_job_begin(&c.call, &spec), true);
    wait_for_answer(&c);
    assert_reply(&c, 507,
                 "{\"error\":{\"code\":\"DiskFull\",\"message\":\"full\",\"field\":\"path\"}}");
    called_done(&c);
    text = wait_for_state(*state, 1, "failed");
    assert_non_null(strstr(text, "\"error\":{\"code\":\"DiskFull\""));
    mem_free(text);
    task_release(&t);
}

static void test_asynchronous(void **state)
{
    struct fixture *f = *state;
    struct task t;
    struct called c;
    unsigned status;
    char *text;

    task_init(&t);
    called_init(&c, f);
    struct job_spec spec = spec_of(&t);
    assert_int_equal(admin_job_start(&c.call, &spec, true), APP_REPLY);
    assert_reply(&c, 202, "{\"id\":1}");
    called_done(&c);
    wait_until_ran(&t, 1);
    text = wait_for_state(f, 1, "running");
    assert_null(strstr(text, "result"));
    mem_free(text);
    let_end(&t);
    text = wait_for_state(f, 1, "done");
    assert_non_null(strstr(text, "\"items\":4,\"itemsTotal\":10,\"bytes\":400,"
                                 "\"bytesTotal\":1000,\"result\":{\"answer\":42}"));
    mem_free(text);
    text = ask_text(f->admin, "GET", "/_s3mem/jobs", &status);
    assert_non_null(strstr(text, "\"id\":1,\"kind\":\"test\",\"state\":\"done\""));
    mem_free(text);
    mem_free(ask_text(f->admin, "DELETE", "/_s3mem/jobs/1", &status));
    assert_int_equal(status, 204);
    mem_free(ask_text(f->admin, "GET", "/_s3mem/jobs/1", &status));
    assert_int_equal(status, 404);
    mem_free(ask_text(f->admin, "GET", "/_s3mem/jobs/x", &status));
    assert_int_equal(status, 400);
    task_release(&t);
}

static void test_cancelled(void **state)
{
    struct fixture *f = *state;
    struct task t;
    struct called c;
    unsigned status;

    task_init(&t);
    called_init(&c, f);
    struct job_spec spec = spec_of(&t);
    assert_int_equal(admin_job_start(&c.call, &spec, false), APP_WAIT);
    wait_until_ran(&t, 1);
    mem_free(ask_text(f->admin, "DELETE", "/_s3mem/jobs/1", &status));
    assert_int_equal(status, 202);
    wait_for_answer(&c);
    assert_int_equal(c.call.reply.status, 409);
    called_done(&c);
    mem_free(wait_for_state(f, 1, "cancelled"));
    task_release(&t);
}

/* Nobody is left to be told. */
static void test_client_leaves(void **state)
{
    struct task t;
    struct called c;

    task_init(&t);
    called_init(&c, *state);
    struct job_spec spec = spec_of(&t);
    assert_int_equal(admin_job_start(&c.call, &spec, false), APP_WAIT);
    wait_until_ran(&t, 1);
    called_done(&c);
    mem_free(wait_for_state(*state, 1, "cancelled"));
    wait_until_freed(&t, 1);
    task_release(&t);
}

/* Some run, some wait, the rest is refused; what waits can be cancelled, too. */
static void test_too_many(void **state)
{
    struct fixture *f = *state;
    struct task t;
    struct called c;
    unsigned status;

    task_init(&t);
    called_init(&c, f);
    struct job_spec spec = spec_of(&t);
    for (int i = 0; i < JOBS_AT_ONCE; i++)
        assert_int_equal(admin_job_start(&c.call, &spec, true), APP_REPLY);
    wait_until_ran(&t, JOBS_AT_ONCE);
    for (int i = 0; i < JOBS_WAITING_MAX; i++) {
        assert_int_equal(admin_job_start(&c.call, &spec, true), APP_REPLY);
        assert_int_equal(c.call.reply.status, 202);
    }
    assert_int_equal(admin_job_start(&c.call, &spec, true), APP_REPLY);
    assert_int_equal(c.call.reply.status, 503);
    assert_int_equal(t.freed, 1);
    mem_free(wait_for_state(f, JOBS_AT_ONCE + 1, "waiting"));
    mem_free(ask_text(f->admin, "DELETE", "/_s3mem/jobs/5", &status));
    assert_int_equal(status, 202);
    assert_int_equal(t.freed, 2);
    mem_free(wait_for_state(f, JOBS_AT_ONCE + 1, "cancelled"));
    let_end(&t);
    mem_free(wait_for_state(f, JOBS_AT_ONCE + JOBS_WAITING_MAX, "done"));
    wait_until_freed(&t, JOBS_AT_ONCE + JOBS_WAITING_MAX + 1);
    called_done(&c);
    task_release(&t);
}

static void test_old_ones_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct task t;
    unsigned status;

    task_init(&t);
    let_end(&t);
    for (int i = 0; i <= JOBS_KEPT; i++) {
        struct called c;
        struct job_spec spec = spec_of(&t);

        called_init(&c, f);
        assert_true(admin_job_begin(&c.call, &spec));
        wait_for_answer(&c);
        called_done(&c);
    }
    mem_free(ask_text(f->admin, "GET", "/_s3mem/jobs/1", &status));
    assert_int_equal(status, 404);
    mem_free(ask_text(f->admin, "GET", "/_s3mem/jobs/2", &status));
    assert_int_equal(status, 200);
    task_release(&t);
}

/* What runs is told to stop, what waits never begins, and both are joined. */
static void test_server_stops(void **state)
{
    struct fixture *f = *state;
    struct task t;
    struct called c;

    task_init(&t);
    called_init(&c, f);
    struct job_spec spec = spec_of(&t);
    for (int i = 0; i < JOBS_AT_ONCE + 3; i++)
        assert_int_equal(admin_job_start(&c.call, &spec, true), APP_REPLY);
    wait_until_ran(&t, JOBS_AT_ONCE);
    called_done(&c);
    admin_free(f->admin);
    f->admin = NULL;
    assert_int_equal(t.freed, JOBS_AT_ONCE + 3);
    task_release(&t);
}

/* ---- with a pipe ------------------------------------------------------------------- */

static bool count_bytes(void *arg, struct job *job)
{
    char piece[1000];
    ssize_t n;

    while ((n = pipe_read(arg, piece, sizeof(piece))) > 0)
        work_count(job_work(job), 0, (uint64_t)n);
    if (n < 0)
        job_fail(job, 409, "Cancelled", "cancelled");
    return n == 0;
}

static void tell_bytes(void *arg, struct job *job)
{
    (void)arg;
    job_succeed(job,
                json_pack("{s:I}", "bytes", (json_int_t)atomic_load(&job_work(job)->bytes)));
}

static void unref_pipe(void *pipe)
{
    pipe_unref(pipe);
}

static struct job_spec piped_spec(struct called *c)
{
    struct pipe *p = pipe_new(100, &c->ask.waker);

    return (struct job_spec){.kind = "count",
                             .transfer = count_bytes,
                             .run = tell_bytes,
                             .arg = pipe_ref(p),
                             .arg_free = unref_pipe,
                             .pipe = p};
}

static void test_fed(void **state)
{
    struct called c;
    char piece[64] = "";
    struct timespec pause = {.tv_nsec = 1000000};

    called_init(&c, *state);
    struct job_spec spec = piped_spec(&c);
    assert_true(admin_job_begin(&c.call, &spec));
    for (int i = 0; i < 1000; i++) {
        if (admin_job_feed(&c.call, piece, sizeof(piece)) == APP_WAIT) {
            while (ask_woken(&c.ask) == 0)
                nanosleep(&pause, NULL);
        }
    }
    pipe_feed_end(admin_job_pipe(&c.call));
    while (admin_job_wait(&c.call) == APP_WAIT) {
        while (ask_woken(&c.ask) == 0)
            nanosleep(&pause, NULL);
    }
    assert_reply(&c, 200, "{\"bytes\":64000}");
    called_done(&c);
}

/* A worker that is blocked in its pipe notices both. */
static void test_fed_by_one_who_leaves(void **state)
{
    struct called c;

    called_init(&c, *state);
    struct job_spec spec = piped_spec(&c);
    assert_true(admin_job_begin(&c.call, &spec));
    assert_int_equal(admin_job_feed(&c.call, "abc", 3), APP_WANT_BODY);
    called_done(&c);
    mem_free(wait_for_state(*state, 1, "cancelled"));
}

static void test_fed_and_cancelled(void **state)
{
    struct fixture *f = *state;
    struct called c;
    unsigned status;

    called_init(&c, f);
    struct job_spec spec = piped_spec(&c);
    assert_true(admin_job_begin(&c.call, &spec));
    assert_int_equal(admin_job_feed(&c.call, "abc", 3), APP_WANT_BODY);
    mem_free(wait_for_state(f, 1, "running"));
    mem_free(ask_text(f->admin, "DELETE", "/_s3mem/jobs/1", &status));
    assert_int_equal(status, 202);
    mem_free(wait_for_state(f, 1, "cancelled"));
    assert_int_equal(admin_job_feed(&c.call, "abc", 3), APP_REPLY);
    assert_int_equal(c.call.reply.status, 409);
    called_done(&c);
}

/* It has seen enough and goes without a word, while the call waits for room in the pipe. */
static bool fail_early(void *arg, struct job *job)
{
    char piece[10];

    while (pipe_read(arg, piece, sizeof(piece)) > 0) {
        if (piece[0] == 'x') {
            job_fail(job, 400, "Broken", "an x");
            break;
        }
    }
    return false;
}

static void test_fed_to_one_who_gives_up(void **state)
{
    struct timespec pause = {.tv_nsec = 1000000};
    struct called c;
    char piece[300];

    called_init(&c, *state);
    struct job_spec spec = piped_spec(&c);
    spec.transfer = fail_early;
    assert_true(admin_job_begin(&c.call, &spec));
    memset(piece, 'x', sizeof(piece));
    assert_int_equal(admin_job_feed(&c.call, piece, sizeof(piece)), APP_WAIT);
    for (;;) {
        while (ask_woken(&c.ask) == 0)
            nanosleep(&pause, NULL);
        if (admin_job_feed(&c.call, piece, sizeof(piece)) == APP_REPLY)
            break;
    }
    assert_reply(&c, 400, "{\"error\":{\"code\":\"Broken\",\"message\":\"an x\"}}");
    called_done(&c);
}

/* As many clients as there may be stand still: no file waits for them, and one more is told. */
static void test_clients_that_stand_still(void **state)
{
    struct fixture *f = *state;
    struct called *c = xcalloc(TRANSFERS_AT_ONCE + 1, sizeof(*c)), other;
    struct task t;

    for (int i = 0; i <= TRANSFERS_AT_ONCE; i++) {
        called_init(&c[i], f);
        struct job_spec spec = piped_spec(&c[i]);
        assert_int_equal(admin_job_begin(&c[i].call, &spec), i < TRANSFERS_AT_ONCE);
    }
    assert_int_equal(c[TRANSFERS_AT_ONCE].call.reply.status, 503);
    assert_true(str_find(buf_str(&c[TRANSFERS_AT_ONCE].call.reply.text),
                         STR("TooManyTransfers")) != SIZE_MAX);
    task_init(&t);
    let_end(&t);
    called_init(&other, f);
    struct job_spec spec = spec_of(&t);
    assert_int_equal(admin_job_start(&other.call, &spec, false), APP_WAIT);
    wait_for_answer(&other);
    assert_reply(&other, 200, "{\"answer\":42}");
    called_done(&other);
    task_release(&t);
    for (int i = 0; i <= TRANSFERS_AT_ONCE; i++)
        called_done(&c[i]);
    for (int i = 1; i <= TRANSFERS_AT_ONCE; i++)
        mem_free(wait_for_state(f, i, "cancelled"));
    /* There is room again. */
    called_init(&other, f);
    spec = piped_spec(&other);
    assert_true(admin_job_begin(&other.call, &spec));
    called_done(&other);
    mem_free(c);
}

/* What has come is kept until a worker has time for it, and can be cancelled meanwhile. */
static void test_received_and_waiting(void **state)
{
    struct fixture *f = *state;
    struct called c, uploads[2];
    struct task t;
    unsigned status;

    task_init(&t);
    called_init(&c, f);
    struct job_spec spec = spec_of(&t);
    for (int i = 0; i < JOBS_AT_ONCE; i++)
        assert_int_equal(admin_job_start(&c.call, &spec, true), APP_REPLY);
    wait_until_ran(&t, JOBS_AT_ONCE);
    for (int i = 0; i < 2; i++) {
        called_init(&uploads[i], f);
        spec = piped_spec(&uploads[i]);
        assert_true(admin_job_begin(&uploads[i].call, &spec));
        assert_int_equal(admin_job_feed(&uploads[i].call, "abc", 3), APP_WANT_BODY);
        pipe_feed_end(admin_job_pipe(&uploads[i].call));
        mem_free(wait_for_state(f, JOBS_AT_ONCE + 1 + i, "waiting"));
    }
    mem_free(ask_text(f->admin, "DELETE", "/_s3mem/jobs/5", &status));
    assert_int_equal(status, 202);
    wait_for_answer(&uploads[0]);
    assert_int_equal(uploads[0].call.reply.status, 409);
    let_end(&t);
    wait_for_answer(&uploads[1]);
    assert_reply(&uploads[1], 200, "{\"bytes\":3}");
    for (int i = 0; i < 2; i++)
        called_done(&uploads[i]);
    called_done(&c);
    mem_free(wait_for_state(f, JOBS_AT_ONCE, "done"));
    wait_until_freed(&t, JOBS_AT_ONCE);
    task_release(&t);
}

/* Long answers of jobs that have ended make room for later ones. */
static void answer_at_length(void *arg, struct job *job)
{
    char *text = xcalloc(1, MiB(1));

    (void)arg;
    memset(text, 'a', MiB(1) / 2);
    job_succeed(job, json_pack("{s:s}", "text", text));
    mem_free(text);
}

static void test_long_answers_are_forgotten(void **state)
{
    struct fixture *f = *state;
    int kept = (int)(JOBS_KEPT_BYTES / (MiB(1) / 2)) - 1; /* there is more than the text */
    unsigned status;

    for (int i = 0; i < kept + 1; i++) {
        struct job_spec spec = {.kind = "long", .run = answer_at_length};
        struct called c;

        called_init(&c, f);
        assert_true(admin_job_begin(&c.call, &spec));
        wait_for_answer(&c);
        called_done(&c);
    }
    mem_free(ask_text(f->admin, "GET", "/_s3mem/jobs/1", &status));
    assert_int_equal(status, 404);
    mem_free(ask_text(f->admin, "GET", "/_s3mem/jobs/2", &status));
    assert_int_equal(status, 200);
}

/* ---- a branch that is replaced under a call ---------------------------------------- */

static void put_objects(struct branch *b, struct store *store, int count)
{
    assert_int_equal(S3_OK, bucket_create(b, &(struct bucket_spec){.name = STR("bucket"),
                                                                   .region = STR("r"),
                                                                   .owner = STR("me")}));
    for (int i = 0; i < count; i++) {
        char key[20];
        struct record_spec spec = {.key = str_c(key)};

        snprintf(key, sizeof(key), "a/%06d", i);
        spec.key = str_c(key);
        struct record *r = record_new(store, &spec, body_new(store, 0));
        assert_int_equal(S3_OK, object_put(b, STR("bucket"), r, NULL, NULL));
    }
}

/* Between two turns of clearing a prefix. */
static void test_cleared_and_restored(void **state)
{
    struct fixture *f = *state;
    AUTO(branch) b = store_branch(f->store, STR("main"));
    struct ask a;

    /* More than a turn of two milliseconds clears. */
    put_objects(b, f->store, 60000);
    assert_int_equal(NAMED_OK, store_snapshot_take(f->store, b, STR("s")));
    ask_begin(&a, f->admin, "POST", "/_s3mem/clear?bucket=bucket&prefix=a/", NULL, NULL);
    assert_int_equal(a.next, APP_WAIT);
    assert_int_equal(NAMED_OK, store_snapshot_restore(f->store, &b, STR("s")));
    ask_finish(&a);
    assert_int_equal(a.next, APP_REPLY);
    assert_int_equal(a.reply->status, 409);
    assert_non_null(strstr(a.reply->text.ptr, "\"code\":\"Conflict\""));
    ask_end(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_waited_for),
        TEST(test_failure_is_the_answer),
        TEST(test_asynchronous),
        TEST(test_cancelled),
        TEST(test_client_leaves),
        TEST(test_too_many),
        TEST(test_old_ones_are_forgotten),
        TEST(test_server_stops),
        TEST(test_fed),
        TEST(test_fed_by_one_who_leaves),
        TEST(test_fed_and_cancelled),
        TEST(test_fed_to_one_who_gives_up),
        TEST(test_clients_that_stand_still),
        TEST(test_received_and_waiting),
        TEST(test_long_answers_are_forgotten),
        TEST(test_cleared_and_restored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
