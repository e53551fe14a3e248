/* SPDX-License-Identifier: MIT */
/* exchange.h - connections, and the one request that is under way on each.
 *
 * Life of a connection: conn_open (worker thread) -> requests, one after the other -> conn_close.
 * Life of a request:    exchange_start (request line) -> exchange_handle ... -> exchange_end.
 *
 * All of a connection's calls come from one worker thread; only `deadline_ns`, `fd` and the list
 * links are read by the front thread, the latter two under the server's lock. */
#ifndef S3MEM_HTTP_EXCHANGE_H
#define S3MEM_HTTP_EXCHANGE_H

#include "http/http.h"

#include <microhttpd.h>
#include <stdatomic.h>

#define INLINE_HEADERS 48
#define INLINE_TARGET  1024

/* A refused body is read and dropped so that the client gets to see the reply, but no more than
 * this much of it. */
#define DRAIN_MAX GiB(1)

enum exchange_state {
    EXCHANGE_NONE,     /* between requests */
    EXCHANGE_HEADERS,  /* the request line is here: target is valid */
    EXCHANGE_BODY,     /* begun; the application takes the body */
    EXCHANGE_DISCARD,  /* begun; the reply is ready, the body is read and dropped */
    EXCHANGE_FINISH,   /* the request is complete; the application works, or waits */
    EXCHANGE_REPLYING, /* the reply is with libmicrohttpd */
};

/* What a reply's body stands in until libmicrohttpd has sent it. */
struct lease {
    char *text;           /* owned */
    struct slice *slices; /* owned, only for replies of very many slices */
    size_t slice_count;
    size_t at_slice; /* where the next byte to be copied is */
    size_t at_byte;
    struct slice whole; /* of a text that is sent through a buffer */
    enum stream_next (*stream)(void *arg, void *out, size_t max, size_t *len);
    void *stream_arg;
    bool stream_ended, endless;
    uint64_t cut_at; /* bytes after which the connection is cut; NOWHERE */
    bool cut_after;  /* it is cut behind the reply */
    uint64_t bytes_per_s;
    int64_t paced_since_ns;
    void (*release)(void *);
    void *release_arg;
};

#define NOWHERE UINT64_MAX

struct exchange {
    struct http_server *server;
    struct MHD_Connection *mhd;
    enum exchange_state state;
    const struct app *app; /* NULL: the front end answers itself, with `refusal` */
    void *call;
    struct reply refusal; /* valid while app is NULL and state is past HEADERS */
    struct request req;
    const char *sent_target; /* libmicrohttpd's own memory */
    char *target;            /* target_room, or owned when it is longer */
    struct header *headers;  /* header_room, or owned */
    size_t header_count, header_cap;
    size_t headers_size; /* as they were sent */
    uint64_t received;   /* body bytes from the client */
    uint64_t discarded;  /* of them, dropped after a refusal */
    uint64_t reply_len;  /* body bytes of the reply */
    uint64_t copied_len; /* of them, fetched by libmicrohttpd (replies of very many slices) */
    struct lease lease;
    char expectation[sizeof("100-continue") - 1]; /* as it was sent, where it is hidden */
    struct header header_room[INLINE_HEADERS];
    char target_room[INLINE_TARGET];
};

/* wait.c: how a connection whose application waits sleeps, and who wakes it. */
enum wait_state { WAIT_AWAKE, WAIT_ASLEEP, WAIT_WOKEN };

struct wait {
    struct waker waker; /* what the application has of it */
    _Atomic int state;  /* enum wait_state */
    /* Monotonic: the front thread wakes it then. 0: when somebody does. */
    _Atomic int64_t wake_at_ns;
    atomic_bool left; /* the client has gone while its call slept */
};

struct conn {
    struct conn *prev, *next; /* the server's list, under its lock */
    int fd;
    /* Monotonic; after it the front thread shuts the socket down. 0: there is none.
     * CONN_OVERDUE: it has done so, and nothing more may be sent. */
    _Atomic int64_t deadline_ns;
    atomic_bool owes_body; /* the client, while the deadline runs: it is told why it is cut */
    int64_t scanned_deadline_ns; /* as the front thread last saw it: unchanged = silent */
    uint64_t step_received;      /* body bytes when the deadline was last moved */
    struct wait wait;
    struct tls_identity *identity; /* reference; NULL: it speaks no TLS */
    char remote[HTTP_ADDRESS_SIZE];
    struct exchange x;
};

/* libmicrohttpd's callbacks; their first argument is the server. */
void *exchange_start(void *server, const char *target, struct MHD_Connection *mhd);
enum MHD_Result exchange_handle(void *server, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **context);
void exchange_end(void *server, struct MHD_Connection *mhd, void **context,
                  enum MHD_RequestTerminationCode code);
void conn_notify(void *server, struct MHD_Connection *mhd, void **socket_context,
                 enum MHD_ConnectionNotificationCode code);

#define CONN_OVERDUE INT64_MIN

/* Moves the connection's deadline to ms from now; 0 = none. False: it has passed, and the front
 * thread has seen to it: the connection must close. */
bool conn_expect(struct conn *conn, int64_t ms);
/* The front thread's part, under the server's lock: ends a connection whose deadline has passed
 * and has not been moved meanwhile. */
void conn_expire(struct conn *conn, int64_t deadline_ns);
/* Tells the client, past libmicrohttpd, why the connection is closed now. Not over TLS: only
 * libmicrohttpd could. */
void conn_refuse(const struct conn *conn, enum s3_err err);

struct conn *exchange_conn(struct exchange *x);

/* ---- wait.c ------------------------------------------------------------------------ */

void wait_init(struct wait *w);
/* The application says that it waits: libmicrohttpd leaves the connection alone until it is
 * woken, and then calls back. From its callbacks only. */
void wait_sleep(struct exchange *x);
/* It waits for nothing any more: called back in its sleep (libmicrohttpd had more of a chunked body
 * at hand), where nobody else would wake it. */
void wait_end(struct exchange *x);
/* Called back: what woke it so far is taken note of. False: the connection must close. */
MUST_CHECK bool wait_over(struct exchange *x);
/* The front thread's part. Server's lock held: wakes those whose time has come; returns when
 * the next one's has, or INT64_MAX. */
int64_t wait_wake_due_locked(struct http_server *server, int64_t now_ns);
/* Server's lock held: every connection that sleeps is called back. */
void wait_wake_all_locked(struct http_server *server);

/* ---- target.c ---------------------------------------------------------------------- */

/* Fills in path and query, and of a target in absolute form the host (else STR_NONE). */
void target_split(struct request *req);
/* Does it name something, and whom it is asked of? S3_OK, BAD_REQUEST or INVALID_URI. */
enum s3_err target_check(const struct request *req);

/* ---- quirks.c ---------------------------------------------------------------------- */

#define QUIRKS_OPTIONS 7
/* Fills in the options that decide how libmicrohttpd reads a request. */
void quirks_options(struct MHD_OptionItem options[QUIRKS_OPTIONS], struct http_server *server);
/* Does the library at hand read requests as this server relies on? Takes less than a
 * millisecond. False: it would not be safe to serve; why is filled with one sentence. */
MUST_CHECK bool quirks_check(struct buf *why);
/* Has the line of the header reached the server as it was sent, in one piece? next: the header
 * behind it, or NULL. Names and values must be libmicrohttpd's own memory, here and below. */
bool header_is_whole(const struct header *h, const struct header *next);
bool line_is_whole(const struct request *req, const char *sent_target, const char *version);
/* Keeps libmicrohttpd from taking the query apart. In exchange_start only. */
void query_hide(const char *sent_target);
/* Keeps libmicrohttpd from sending a 100; the request's header still has its value. */
void expectation_hide(struct exchange *x);

/* ---- framing.c --------------------------------------------------------------------- */

/* Can there be no doubt what the request line and the headers say and where the body ends?
 * S3_OK, or what to refuse the request with. Headers and version must be libmicrohttpd's own
 * memory; `sent_target` is where the target stands there. */
enum s3_err framing_check(const struct request *req, const char *sent_target,
                          const char *version);
/* Are the headers too large to be S3's, or the whole head for a reply beside it? */
enum s3_err head_check(const struct exchange *x);
/* Bytes of the connection's memory that libmicrohttpd needs for the request's head. */
size_t head_size(const struct exchange *x);
/* Fills in the XML document S3 would send. */
void refusal_fill(struct reply *refusal, enum s3_err err);

/* Is there room for its head in what the request left of the connection's memory? */
bool reply_fits(const struct exchange *x, const struct reply *r);
/* Is the connection to be closed in place of this reply? One without a body cannot be cut in
 * its middle: then nothing is sent. */
bool reply_is_unsent(const struct exchange *x, const struct reply *r);
/* Hands a reply to libmicrohttpd, which takes its body over. False: the connection must close.
 */
MUST_CHECK bool reply_send(struct exchange *x, struct MHD_Connection *mhd, struct reply *reply);
/* The bytes of a small reply behind which the connection ends, for where libmicrohttpd takes
 * none. */
void reply_write(const struct reply *r, struct buf *out);

#endif
