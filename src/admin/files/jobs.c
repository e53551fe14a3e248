/* SPDX-License-Identifier: MIT */
/* jobs.c - the list of jobs and the threads that run them. */
#include "admin/files/job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define ANSWER_MAX MiB(1)
/* A thread that has had no job for so long ends. */
#define THREAD_IDLE_NS (10 * NS_PER_S)

void job_unref(struct job *job)
{
    if (!job || atomic_fetch_sub(&job->refs, 1) != 1)
        return;
    pipe_unref(job->spec.pipe);
    buf_release(&job->answer);
    mem_free(job);
}

struct work *job_work(struct job *job)
{
    return &job->work;
}

/* ---- answers ----------------------------------------------------------------------- */

/* Takes value. */
static void set_answer(struct job *job, unsigned status, json_t *value)
{
    job->status = status;
    buf_reset(&job->answer);
    buf_add_dump(&job->answer, value);
    if (!buf_ok(&job->answer)) {
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

void job_unlist_locked(struct job *job)
{
    struct jobs *jobs = job->jobs;

    TAILQ_REMOVE(&jobs->all, job, link);
    job->listed = false;
    jobs->ended--;
    jobs->kept_bytes -= job->answer.len;
}

/* The oldest that have ended make room. */
static void forget_old_locked(struct jobs *jobs)
{
    struct job *job, *next;

    for (job = TAILQ_FIRST(&jobs->all);
         job && (jobs->ended > JOBS_KEPT || jobs->kept_bytes > JOBS_KEPT_BYTES); job = next) {
        next = TAILQ_NEXT(job, link);
        if (!job_has_ended(job))
            continue;
        job_unlist_locked(job);
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
    job->jobs->kept_bytes += job->answer.len;
    if (job->waker)
        job->waker->wake(job->waker);
    job->waker = NULL;
    forget_old_locked(job->jobs);
}

void job_drop_arg(struct job *job)
{
    void *arg = TAKE(job->spec.arg);

    if (arg && job->spec.arg_free)
        job->spec.arg_free(arg);
}

static void answer_cancelled(struct job *job)
{
    set_answer(job, 409,
               json_pack("{s:{s:s, s:s}}", "error", "code", "Cancelled", "message",
                         "the job was cancelled"));
}

bool job_cancel_locked(struct job *job)
{
    bool waited = job->state == JOB_WAITING;

    if (job_has_ended(job))
        return false;
    atomic_store(&job->work.cancel, true);
    if (job->spec.pipe)
        pipe_break(job->spec.pipe);
    if (waited) {
        job->crew->waiting--;
        answer_cancelled(job);
        end_locked(job, JOB_CANCELLED);
    }
    return waited;
}

/* ---- running ----------------------------------------------------------------------- */

static struct job *next_waiting_locked(const struct crew *crew)
{
    struct job *job;

    TAILQ_FOREACH(job, &crew->jobs->all, link)
    {
        if (job->state == JOB_WAITING && job->crew == crew)
            return job;
    }
    return NULL;
}

/* A free place, once threads that have left are joined; NULL: there is none. */
static struct seat *free_seat_locked(struct crew *crew)
{
    struct seat *found = NULL;

    for (size_t i = 0; i < crew->seat_count; i++) {
        struct seat *seat = &crew->seats[i];

        if (seat->state == SEAT_LEFT) {
            pthread_join(seat->thread, NULL);
            seat->state = SEAT_FREE;
        }
        if (seat->state == SEAT_FREE)
            found = seat;
    }
    return found;
}

static void *thread_main(void *seat);

/* False: there is no thread for the last of those that wait. */
static bool provide_thread_locked(struct crew *crew)
{
    struct seat *seat = crew->idle < crew->waiting ? free_seat_locked(crew) : NULL;

    if (seat && pthread_create(&seat->thread, NULL, thread_main, seat) == 0)
        seat->state = SEAT_TAKEN;
    else
        seat = NULL;
    pthread_cond_signal(&crew->more);
    return seat || crew->idle >= crew->waiting;
}

/* Puts it behind those that wait for the crew. False: there is nobody to run it. */
static bool queue_locked(struct job *job, struct crew *crew)
{
    job->crew = crew;
    job->state = JOB_WAITING;
    crew->waiting++;
    /* A worker will have time for it, but nobody knows when a client will. */
    if (provide_thread_locked(crew) || (crew == &crew->jobs->workers && crew->running > 0))
        return true;
    crew->waiting--;
    return false;
}

/* The lock is held before and after, not meanwhile. True: what is left is run's. */
static bool work_unlocked(struct jobs *jobs, struct job *job)
{
    bool transfer = job->crew == &jobs->transfers, goes_on = false;

    pthread_mutex_unlock(&jobs->lock);
    if (transfer) {
        goes_on = job->spec.transfer(job->spec.arg, job);
        pipe_worker_leave(job->spec.pipe);
    } else {
        job->spec.run(job->spec.arg, job);
    }
    if (goes_on && atomic_load(&job->work.cancel)) {
        answer_cancelled(job);
        goes_on = false;
    }
    /* What it held on to goes before it is said to be over. */
    if (!goes_on)
        job_drop_arg(job);
    pthread_mutex_lock(&jobs->lock);
    return goes_on;
}

static void run_locked(struct crew *crew, struct job *job)
{
    struct jobs *jobs = crew->jobs;
    bool goes_on;

    atomic_fetch_add(&job->refs, 1);
    job->state = JOB_RUNNING;
    if (job->started_ns == 0)
        job->started_ns = clock_monotonic_ns();
    crew->waiting--;
    crew->running++;
    goes_on = work_unlocked(jobs, job);
    crew->running--;
    if (goes_on && !queue_locked(job, &jobs->workers)) {
        job->state = JOB_RUNNING;
        job_fail(job, 503, "TooManyJobs", "there is no thread for it");
        pthread_mutex_unlock(&jobs->lock);
        job_drop_arg(job);
        pthread_mutex_lock(&jobs->lock);
        goes_on = false;
    }
    /* One that was done all the same before it looked is done. */
    if (!goes_on && job->status < 400)
        end_locked(job, JOB_DONE);
    else if (!goes_on)
        end_locked(job, atomic_load(&job->work.cancel) ? JOB_CANCELLED : JOB_FAILED);
    pthread_mutex_unlock(&jobs->lock);
    job_unref(job);
    pthread_mutex_lock(&jobs->lock);
}

/* Until there is a job, or none has come for some time (false). */
static bool await_job_locked(struct crew *crew)
{
    int64_t until_ns = clock_monotonic_ns() + THREAD_IDLE_NS;
    struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};
    int result;

    crew->idle++;
    result = pthread_cond_timedwait(&crew->more, &crew->jobs->lock, &until);
    crew->idle--;
    return result != ETIMEDOUT || next_waiting_locked(crew);
}

static void *thread_main(void *arg)
{
    struct seat *seat = arg;
    struct crew *crew = seat->crew;
    struct jobs *jobs = crew->jobs;

    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping) {
        struct job *job = next_waiting_locked(crew);

        if (job)
            run_locked(crew, job);
        else if (!await_job_locked(crew))
            break;
    }
    seat->state = SEAT_LEFT;
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

/* Is there room for one more that begins with this crew? */
static bool accepts_locked(const struct jobs *jobs, const struct crew *crew)
{
    if (jobs->stopping)
        return false;
    return crew == &jobs->transfers ? crew->waiting + crew->running < TRANSFERS_AT_ONCE
                                    : crew->waiting < JOBS_WAITING_MAX;
}

struct job *job_new(struct jobs *jobs, const struct job_spec *spec, struct waker *waker)
{
    struct job *job = xcalloc(1, sizeof(*job));
    struct crew *crew = spec->transfer ? &jobs->transfers : &jobs->workers;
    bool accepted;

    atomic_init(&job->refs, 2); /* the list's and the caller's */
    job->spec = *spec;
    job->jobs = jobs;
    job->created_ns = clock_now_ns();
    job->waker = waker;
    job->status = 500; /* until it says something else */
    buf_init(&job->answer, ANSWER_MAX);

    pthread_mutex_lock(&jobs->lock);
    accepted = accepts_locked(jobs, crew) && queue_locked(job, crew);
    if (accepted) {
        job->id = ++jobs->last_id;
        job->listed = true;
        TAILQ_INSERT_TAIL(&jobs->all, job, link);
    }
    pthread_mutex_unlock(&jobs->lock);
    if (accepted)
        return job;
    job_drop_arg(job);
    atomic_store(&job->refs, 1);
    job_unref(job);
    return NULL;
}

/* ---- the list ---------------------------------------------------------------------- */

static void crew_init(struct crew *crew, struct jobs *jobs, struct seat *seats, size_t count)
{
    pthread_condattr_t monotonic;

    *crew = (struct crew){.jobs = jobs, .seats = seats, .seat_count = count};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&crew->more, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < count; i++)
        seats[i].crew = crew;
}

/* Waits for its threads, which have been told. */
static void crew_release(struct crew *crew)
{
    for (size_t i = 0; i < crew->seat_count; i++) {
        pthread_mutex_lock(&crew->jobs->lock);
        bool taken = crew->seats[i].state != SEAT_FREE;
        pthread_mutex_unlock(&crew->jobs->lock);
        if (taken)
            pthread_join(crew->seats[i].thread, NULL);
    }
    pthread_cond_destroy(&crew->more);
}

struct jobs *jobs_new(void)
{
    struct jobs *jobs = xcalloc(1, sizeof(*jobs));

    pthread_mutex_init(&jobs->lock, NULL);
    TAILQ_INIT(&jobs->all);
    crew_init(&jobs->workers, jobs, jobs->worker_seats, ARRAY_LEN(jobs->worker_seats));
    crew_init(&jobs->transfers, jobs, jobs->transfer_seats, ARRAY_LEN(jobs->transfer_seats));
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
    pthread_cond_broadcast(&jobs->workers.more);
    pthread_cond_broadcast(&jobs->transfers.more);
    pthread_mutex_unlock(&jobs->lock);
    crew_release(&jobs->transfers);
    crew_release(&jobs->workers);
    while ((job = TAILQ_FIRST(&jobs->all))) {
        TAILQ_REMOVE(&jobs->all, job, link);
        job_drop_arg(job);
        job_unref(job);
    }
    pthread_mutex_destroy(&jobs->lock);
    mem_free(jobs);
}
