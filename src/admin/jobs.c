/* SPDX-License-Identifier: MIT */
/* jobs.c - the list of jobs and the threads that run them. A job is counted: the list, its call
 * and its thread may each be the last to let go. */
#include "admin/jobs.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/queue.h>

#define ANSWER_MAX MiB(1)

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };

struct job {
    atomic_uint refs;
    struct job_spec spec;
    struct work work;
    struct jobs *jobs;
    uint64_t id;
    int64_t created_ns;           /* the server's clock */
    int64_t started_ns, ended_ns; /* monotonic; 0: not yet */
    TAILQ_ENTRY(job) link;        /* in jobs.all; guarded by the lock, as all below */
    enum job_state state;
    struct waker *waker; /* of the call that waits; NULL: none does */
    /* Written by the job's thread before its state says that it has ended, then fixed. */
    unsigned status;
    struct buf answer;
};

struct jobs {
    pthread_mutex_t lock;
    pthread_cond_t more; /* something waits to be run, or it is over */
    TAILQ_HEAD(, job) all;
    size_t waiting, ended;
    uint64_t last_id;
    pthread_t threads[JOBS_AT_ONCE];
    size_t thread_count, idle;
    bool stopping;
};

static bool has_ended(const struct job *job)
{
    return job->state >= JOB_DONE;
}

static void job_unref(struct job *job)
{
    if (!job || atomic_fetch_sub(&job->refs, 1) != 1)
        return;
    pipe_unref(job->spec.pipe);
    buf_release(&job->answer);
    mem_free(job);
}

AUTO_DEFINE(job, job_unref)

struct work *job_work(struct job *job)
{
    return &job->work;
}

/* ---- answers ----------------------------------------------------------------------- */

static int add_to_buf(const char *text, size_t len, void *out)
{
    buf_add(out, str_of(text, len));
    return 0;
}

/* Takes value. */
static void set_answer(struct job *job, unsigned status, json_t *value)
{
    job->status = status;
    buf_reset(&job->answer);
    if (!value || json_dump_callback(value, add_to_buf, &job->answer, JSON_COMPACT) < 0 ||
        !buf_ok(&job->answer)) {
        job->status = 500;
        buf_reset(&job->answer);
        buf_add(&job->answer, STR("{\"error\":{\"code\":\"InternalError\",\"message\":"
                                  "\"the answer is too large\"}}"));
    }
    json_decref(value);
}

void job_succeed(struct job *job, json_t *result)
{
    set_answer(job, 200, result);
}

/* Takes more. */
static void fail(struct job *job, unsigned status, const char *code, json_t *more,
                 const char *fmt, va_list args)
{
    char message[1024];
    json_t *error;

    vsnprintf(message, sizeof(message), fmt, args);
    error = json_pack("{s:s, s:o}", "code", code, "message", admin_string(str_c(message)));
    if (more)
        json_object_update(error, more);
    json_decref(more);
    set_answer(job, status, json_pack("{s:o}", "error", error));
}

void job_fail(struct job *job, unsigned status, const char *code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fail(job, status, code, NULL, fmt, args);
    va_end(args);
}

void job_fail_more(struct job *job, unsigned status, const char *code, json_t *more,
                   const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fail(job, status, code, more, fmt, args);
    va_end(args);
}

/* ---- ending ------------------------------------------------------------------------ */

/* The oldest that have ended make room. */
static void forget_old_locked(struct jobs *jobs)
{
    struct job *job, *next;

    for (job = TAILQ_FIRST(&jobs->all); job && jobs->ended > JOBS_KEPT; job = next) {
        next = TAILQ_NEXT(job, link);
        if (!has_ended(job))
            continue;
        TAILQ_REMOVE(&jobs->all, job, link);
        jobs->ended--;
        job_unref(job);
    }
}

static void end_locked(struct job *job, enum job_state state)
{
    job->state = state;
    job->ended_ns = clock_monotonic_ns();
    if (job->started_ns == 0)
        job->started_ns = job->ended_ns;
    job->jobs->ended++;
    if (job->waker)
        job->waker->wake(job->waker);
    job->waker = NULL;
    forget_old_locked(job->jobs);
}

static void drop_arg(struct job *job)
{
    void *arg = TAKE(job->spec.arg);

    if (arg && job->spec.arg_free)
        job->spec.arg_free(arg);
}

/* True when it had not begun: its argument is the caller's to drop, without the lock. */
MUST_CHECK static bool cancel_locked(struct job *job)
{
    bool waited = job->state == JOB_WAITING;

    if (has_ended(job))
        return false;
    atomic_store(&job->work.cancel, true);
    if (job->spec.pipe)
        pipe_break(job->spec.pipe);
    if (waited) {
        job->jobs->waiting--;
        set_answer(job, 409,
                   json_pack("{s:{s:s, s:s}}", "error", "code", "Cancelled", "message",
                             "the job was cancelled"));
        end_locked(job, JOB_CANCELLED);
    }
    return waited;
}

/* ---- running ----------------------------------------------------------------------- */

static struct job *next_waiting_locked(struct jobs *jobs)
{
    struct job *job;

    TAILQ_FOREACH(job, &jobs->all, link)
    {
        if (job->state == JOB_WAITING)
            return job;
    }
    return NULL;
}

/* The lock is held before and after, not meanwhile. */
static void run_locked(struct jobs *jobs, struct job *job)
{
    enum job_state state;

    atomic_fetch_add(&job->refs, 1);
    job->state = JOB_RUNNING;
    job->started_ns = clock_monotonic_ns();
    jobs->waiting--;
    pthread_mutex_unlock(&jobs->lock);

    job->spec.run(job->spec.arg, job);
    /* What it held on to goes before it is said to be over. */
    drop_arg(job);

    pthread_mutex_lock(&jobs->lock);
    /* One that was done all the same before it looked is done. */
    if (job->status < 400)
        state = JOB_DONE;
    else
        state = atomic_load(&job->work.cancel) ? JOB_CANCELLED : JOB_FAILED;
    end_locked(job, state);
    pthread_mutex_unlock(&jobs->lock);
    job_unref(job);
    pthread_mutex_lock(&jobs->lock);
}

static void *thread_main(void *arg)
{
    struct jobs *jobs = arg;

    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping) {
        struct job *job = next_waiting_locked(jobs);

        if (job) {
            run_locked(jobs, job);
            continue;
        }
        jobs->idle++;
        pthread_cond_wait(&jobs->more, &jobs->lock);
        jobs->idle--;
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

/* False: there is nobody to run it. */
static bool provide_thread_locked(struct jobs *jobs)
{
    if (jobs->idle < jobs->waiting && jobs->thread_count < JOBS_AT_ONCE &&
        pthread_create(&jobs->threads[jobs->thread_count], NULL, thread_main, jobs) == 0)
        jobs->thread_count++;
    pthread_cond_signal(&jobs->more);
    return jobs->thread_count > 0;
}

/* Takes what spec owns, even on failure. NULL: too many wait already. */
static struct job *job_new(struct jobs *jobs, const struct job_spec *spec, struct waker *waker)
{
    struct job *job = xcalloc(1, sizeof(*job));
    bool accepted;

    atomic_init(&job->refs, 2); /* the list's and the caller's */
    job->spec = *spec;
    job->jobs = jobs;
    job->created_ns = clock_now_ns();
    job->waker = waker;
    job->status = 500; /* until it says something else */
    buf_init(&job->answer, ANSWER_MAX);

    pthread_mutex_lock(&jobs->lock);
    accepted = jobs->waiting < JOBS_WAITING_MAX && !jobs->stopping;
    if (accepted) {
        job->id = ++jobs->last_id;
        TAILQ_INSERT_TAIL(&jobs->all, job, link);
        jobs->waiting++;
        accepted = provide_thread_locked(jobs);
        if (!accepted) {
            TAILQ_REMOVE(&jobs->all, job, link);
            jobs->waiting--;
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    if (accepted)
        return job;
    drop_arg(job);
    atomic_store(&job->refs, 1);
    job_unref(job);
    return NULL;
}

/* ---- the list ---------------------------------------------------------------------- */

struct jobs *jobs_new(void)
{
    struct jobs *jobs = xcalloc(1, sizeof(*jobs));

    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->more, NULL);
    TAILQ_INIT(&jobs->all);
    return jobs;
}

void jobs_free(struct jobs *jobs)
{
    struct job *job;

    if (!jobs)
        return;
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    TAILQ_FOREACH(job, &jobs->all, link)
    {
        atomic_store(&job->work.cancel, true);
        if (job->spec.pipe)
            pipe_break(job->spec.pipe);
    }
    pthread_cond_broadcast(&jobs->more);
    pthread_mutex_unlock(&jobs->lock);
    for (size_t i = 0; i < jobs->thread_count; i++)
        pthread_join(jobs->threads[i], NULL);
    while ((job = TAILQ_FIRST(&jobs->all))) {
        TAILQ_REMOVE(&jobs->all, job, link);
        drop_arg(job);
        job_unref(job);
    }
    pthread_cond_destroy(&jobs->more);
    pthread_mutex_destroy(&jobs->lock);
    mem_free(jobs);
}

/* A reference, or NULL. */
static struct job *find(struct jobs *jobs, uint64_t id)
{
    struct job *job;

    pthread_mutex_lock(&jobs->lock);
    TAILQ_FOREACH(job, &jobs->all, link)
    {
        if (job->id == id) {
            atomic_fetch_add(&job->refs, 1);
            break;
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    return job;
}

/* ---- calls that have one ----------------------------------------------------------- */

static struct job *start(struct admin_call *c, const struct job_spec *spec, struct waker *waker)
{
    struct job *job = job_new(c->admin->jobs, spec, waker);

    if (!job) {
        reply_kept_header(&c->reply, "Retry-After", "1");
        admin_error(c, 503, "TooManyJobs", "too many jobs wait already; try again later");
    }
    return job;
}

bool admin_job_begin(struct admin_call *c, const struct job_spec *spec)
{
    c->job = start(c, spec, c->req->waker);
    return c->job != NULL;
}

enum app_next admin_job_start(struct admin_call *c, const struct job_spec *spec, bool async)
{
    if (!async)
        return admin_job_begin(c, spec) ? admin_job_wait(c) : APP_REPLY;

    AUTO(job) job = start(c, spec, NULL);

    if (!job)
        return APP_REPLY;
    reply_headerf(&c->reply, "Location", "/_s3mem/jobs/%llu", (unsigned long long)job->id);
    return admin_json(c, 202, json_pack("{s:I}", "id", (json_int_t)job->id));
}

static bool job_is_over(struct job *job)
{
    bool over;

    pthread_mutex_lock(&job->jobs->lock);
    over = has_ended(job);
    pthread_mutex_unlock(&job->jobs->lock);
    return over;
}

enum app_next admin_job_wait(struct admin_call *c)
{
    if (!job_is_over(c->job))
        return APP_WAIT;
    c->reply.status = c->job->status;
    reply_kept_header(&c->reply, "Content-Type", "application/json");
    buf_reset(&c->reply.text);
    buf_add_buf(&c->reply.text, &c->job->answer);
    return APP_REPLY;
}

struct pipe *admin_job_pipe(const struct admin_call *c)
{
    return c->job->spec.pipe;
}

enum app_next admin_job_feed(struct admin_call *c, const char *data, size_t len)
{
    switch (pipe_feed(admin_job_pipe(c), data, len)) {
    case PIPE_WANTS_MORE:
        return APP_WANT_BODY;
    case PIPE_FULL:
        return APP_WAIT;
    case PIPE_NO_MORE:
        break;
    }
    return admin_job_wait(c);
}

void admin_job_leave(struct admin_call *c)
{
    struct job *job = TAKE(c->job);
    bool never_ran;

    if (!job)
        return;
    pthread_mutex_lock(&job->jobs->lock);
    job->waker = NULL;
    never_ran = cancel_locked(job);
    pthread_mutex_unlock(&job->jobs->lock);
    if (job->spec.pipe)
        pipe_leave(job->spec.pipe);
    if (never_ran)
        drop_arg(job);
    job_unref(job);
}

/* ---- endpoints --------------------------------------------------------------------- */

static const char *const state_names[] = {"waiting", "running", "done", "failed", "cancelled"};

static json_t *job_json_locked(const struct job *job)
{
    const struct work *w = &job->work;
    int64_t until_ns = job->ended_ns ? job->ended_ns : clock_monotonic_ns();
    json_t *shown = json_pack(
        "{s:I, s:s, s:s, s:o, s:f, s:I, s:I, s:I, s:I}", "id", (json_int_t)job->id, "kind",
        job->spec.kind, "state", state_names[job->state], "created",
        admin_time(job->created_ns), "seconds",
        job->started_ns ? (double)(until_ns - job->started_ns) / (double)NS_PER_S : 0.0,
        "items", (json_int_t)atomic_load(&w->items), "itemsTotal",
        (json_int_t)atomic_load(&w->items_total), "bytes", (json_int_t)atomic_load(&w->bytes),
        "bytesTotal", (json_int_t)atomic_load(&w->bytes_total));

    return shown;
}

/* With what became of it: "result", or "error" as the one who waited was told. */
static json_t *job_details_locked(const struct job *job)
{
    json_t *shown = job_json_locked(job), *answer;

    if (!has_ended(job))
        return shown;
    answer = json_loadb(job->answer.ptr, job->answer.len, 0, NULL);
    if (job->status < 400) {
        json_object_set_new(shown, "result", answer);
    } else {
        json_object_update(shown, answer);
        json_decref(answer);
    }
    return shown;
}

/* The job that the path names, a reference. NULL: answered. */
static struct job *job_of_path(struct admin_call *c)
{
    struct job *job = NULL;
    uint64_t id;

    if (!str_to_u64(c->argument, &id)) {
        admin_field_error(c, 400, "InvalidArgument", "id", "must be the number of a job");
        return NULL;
    }
    job = find(c->admin->jobs, id);
    if (!job)
        admin_field_error(c, 404, "NoSuchJob", "id", "there is no job %s", c->argument.ptr);
    return job;
}

enum app_next admin_list_jobs(struct admin_call *c)
{
    struct jobs *jobs = c->admin->jobs;
    json_t *list = json_array();
    struct job *job;

    pthread_mutex_lock(&jobs->lock);
    TAILQ_FOREACH(job, &jobs->all, link)
    json_array_append_new(list, job_json_locked(job));
    pthread_mutex_unlock(&jobs->lock);
    return admin_json(c, 200, json_pack("{s:o}", "jobs", list));
}

static enum app_next answer_job(struct admin_call *c, unsigned status, struct job *job)
{
    json_t *shown;

    pthread_mutex_lock(&job->jobs->lock);
    shown = job_details_locked(job);
    pthread_mutex_unlock(&job->jobs->lock);
    return admin_json(c, status, shown);
}

enum app_next admin_show_job(struct admin_call *c)
{
    AUTO(job) job = job_of_path(c);

    return job ? answer_job(c, 200, job) : APP_REPLY;
}

/* One that has ended is forgotten; another is cancelled, and ends when it has noticed. */
enum app_next admin_end_job(struct admin_call *c)
{
    AUTO(job) job = job_of_path(c);
    struct jobs *jobs = c->admin->jobs;
    bool ended, listed = false, never_ran;
    const struct job *other;

    if (!job)
        return APP_REPLY;
    pthread_mutex_lock(&jobs->lock);
    ended = has_ended(job);
    never_ran = cancel_locked(job);
    TAILQ_FOREACH(other, &jobs->all, link)
    listed = listed || other == job;
    if (ended && listed) {
        TAILQ_REMOVE(&jobs->all, job, link);
        jobs->ended--;
        atomic_fetch_sub(&job->refs, 1); /* ours is another */
    }
    pthread_mutex_unlock(&jobs->lock);
    if (never_ran)
        drop_arg(job);
    return ended ? admin_empty(c, 204) : answer_job(c, 202, job);
}
