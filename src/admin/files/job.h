/* SPDX-License-Identifier: MIT */
/* job.h - the inside of jobs: for jobs.c, which runs them, and job_calls.c, which tells of
 * them. A job is counted: the list, its call and its thread may each be the last to let go. */
#ifndef S3MEM_ADMIN_JOB_H
#define S3MEM_ADMIN_JOB_H

#include "admin/files/jobs.h"

#include <sys/queue.h>

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
    bool listed;
    struct crew *crew; /* whose turn it is */
    enum job_state state;
    struct waker *waker; /* of the call that waits; NULL: none does */
    /* Written by the job's thread before its state says that it has ended, then fixed. */
    unsigned status;
    struct buf answer;
};

enum seat_state {
    SEAT_FREE,
    SEAT_TAKEN,
    SEAT_LEFT, /* its thread is about to end, and has to be joined */
};

/* A place for a thread. */
struct seat {
    struct crew *crew;
    pthread_t thread;
    enum seat_state state;
};

/* Threads for jobs of one sort. */
struct crew {
    struct jobs *jobs;
    pthread_cond_t more; /* one of its jobs waits to be run, or it is over */
    size_t waiting, running;
    size_t idle; /* threads */
    struct seat *seats;
    size_t seat_count;
};

struct jobs {
    pthread_mutex_t lock;
    TAILQ_HEAD(, job) all;
    size_t ended;
    size_t kept_bytes; /* of their answers */
    uint64_t last_id;
    bool stopping;
    struct crew workers, transfers;
    struct seat worker_seats[JOBS_AT_ONCE], transfer_seats[TRANSFERS_AT_ONCE];
};

/* Takes what spec owns, even on failure. NULL: there are too many already. */
struct job *job_new(struct jobs *jobs, const struct job_spec *spec, struct waker *waker);
void job_unref(struct job *job);

static inline bool job_has_ended(const struct job *job)
{
    return job->state >= JOB_DONE;
}

/* True when it waited: its argument is the caller's to drop, without the lock. */
MUST_CHECK bool job_cancel_locked(struct job *job);
void job_drop_arg(struct job *job);
/* Takes a job that has ended off the list; the list's reference becomes the caller's. */
void job_unlist_locked(struct job *job);

AUTO_DEFINE(job, job_unref)

#endif
