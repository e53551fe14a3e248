/* SPDX-License-Identifier: MIT */
/* jobs.h - long work, on threads of its own.
 *
 *   WAITING (for one of the JOBS_AT_ONCE workers) -> RUNNING -> DONE, FAILED or CANCELLED
 *   WAITING -> CANCELLED
 *
 * Work at a client's pace (its transfer) has threads of its own and never holds a worker:
 *   RUNNING (transfer) -> WAITING -> RUNNING (run) -> ...      an upload, then what is made of
 * it RUNNING (transfer) -> DONE, FAILED or CANCELLED            a download There are
 * TRANSFERS_AT_ONCE of these threads; who wants one more is refused with 503 TooManyTransfers.
 * So clients that stand still keep nobody from saving or loading a file.
 *
 * Who asked waits for the end (the usual way: admin_job_wait), or has been given the number and
 * asks GET jobs/ID now and then. A client that leaves while it waits cancels the job: nobody is
 * left to be told. JOBS_WAITING_MAX jobs may wait; further ones are refused with 503
 * TooManyJobs. The last JOBS_KEPT jobs that have ended are remembered, fewer when their answers
 * have more than JOBS_KEPT_BYTES. */
#ifndef S3MEM_ADMIN_JOBS_H
#define S3MEM_ADMIN_JOBS_H

#include "admin/call.h"
#include "disk/disk.h"

#define JOBS_AT_ONCE      4
#define TRANSFERS_AT_ONCE 64
#define JOBS_WAITING_MAX  64
#define JOBS_KEPT         100
#define JOBS_KEPT_BYTES   MiB(8)

struct job;
struct jobs;

struct jobs *jobs_new(void);
/* Cancels what runs and waits for it to end. No call has a job any more. Accepts NULL. */
void jobs_free(struct jobs *jobs);

/* ---- starting one ------------------------------------------------------------------ */

struct job_spec {
    const char *kind; /* "save": a constant */
    /* On a worker, where it may block, but not for a client. Ends with job_succeed or job_fail,
     * and looks at job_work(job)->cancel meanwhile. NULL: the transfer is all. */
    void (*run)(void *arg, struct job *job);
    void *arg;                   /* taken, even on failure */
    void (*arg_free)(void *arg); /* on any thread; also when it never ran */
    struct pipe *pipe; /* taken: broken when the job is cancelled and when the transfer is over,
                        * however it ended; NULL: there is no transfer */
    /* Moves the client's bytes through the pipe, before run. False: the job is over, as after
     * run. */
    bool (*transfer)(void *arg, struct job *job);
};

/* Starts the job and waits for it: the end of a handler, which begins with
 *     if (c->job)
 *         return admin_job_wait(c);
 * With async the answer is 202 {"id": N} at once. */
enum app_next admin_job_start(struct admin_call *c, const struct job_spec *spec, bool async);
/* APP_WAIT until it has ended, then its answer. */
enum app_next admin_job_wait(struct admin_call *c);

/* Only starts it, for calls that exchange bytes with it through spec->pipe: c->job is set.
 * False: answered. The reply is the handler's (pipe_take), or the body is fed to admin_job_feed
 * and the handler says pipe_feed_end(admin_job_pipe(c)) and then admin_job_wait(c). */
MUST_CHECK bool admin_job_begin(struct admin_call *c, const struct job_spec *spec);
struct pipe *admin_job_pipe(const struct admin_call *c);
/* For c->feed. The job's answer as soon as it ends, be it before the body does. */
enum app_next admin_job_feed(struct admin_call *c, const char *data, size_t len);

/* ---- within one -------------------------------------------------------------------- */

struct work *job_work(struct job *job);
/* Its answer: 200 and this. Takes result. */
void job_succeed(struct job *job, json_t *result);
/* {"error":{"code","message"}} */
void job_fail(struct job *job, unsigned status, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The same with more members beside them. Takes more; NULL: none. */
void job_fail_more(struct job *job, unsigned status, const char *code, json_t *more,
                   const char *fmt, ...) PRINTF_LIKE(5, 6);

/* ---- files that a request names (state_paths.c) ------------------------------------ */

/* False: there is no --state-dir, which has been answered. */
MUST_CHECK bool admin_has_state_dir(struct admin_call *c);
/* In a job. False: the job has failed; else out is to be released. */
MUST_CHECK bool job_state_path(struct job *job, const struct admin *admin, struct str path,
                               struct state_path *out);
/* What a system call said of that path. */
void job_fail_file(struct job *job, struct str path, int err);

/* ---- for call_done ----------------------------------------------------------------- */

/* The call is over: what it waited for is cancelled. */
void admin_job_leave(struct admin_call *c);

#endif
