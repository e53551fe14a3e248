/* SPDX-License-Identifier: MIT */
/* site.h - buckets at two servers, between which an import copies: where they are, how they are
 * asked, what they answer.
 *
 *   site_parse -> call_begin -> libcurl, alone or among others -> call_end */
#ifndef S3MEM_CTL_SITE_H
#define S3MEM_CTL_SITE_H

#include "ctl/http.h"

/* Bodies beyond it wait in a file. */
#define LOAD_IN_MEMORY MiB(8)
/* A request that may go well the next time is made so often; each pause is longer by so much. */
#define CALL_ATTEMPTS_MAX 3
#define CALL_PAUSE_MS     300

/* A bucket, and how it is asked. Texts without a remark are borrowed. */
struct site {
    char *base;   /* owned: "https://s3.eu-west-1.amazonaws.com", no slash at its end */
    char *bucket; /* owned */
    char *prefix; /* owned: of the URL's; "" */
    char *region; /* owned: the one to sign for */
    bool is_amazon;
    const char *socket_path;                             /* NULL: TCP */
    const char *access_key, *secret_key, *session_token; /* key NULL: requests are unsigned */
    const char *key_source;                              /* where they are from */
    const char *branch;                                  /* NULL: no header says one */
    const char *ca_file;
    bool insecure;
    bool is_target; /* the s3memd: never by a proxy */
};
/* s3://BUCKET[/PREFIX] at endpoint (NULL: Amazon), or http[s]://HOST[:PORT]/BUCKET[/PREFIX].
 * The region must be there. False: *why says what is wrong. */
MUST_CHECK bool site_parse(struct site *s, const char *url, const char *endpoint,
                           const char **why);
void site_release(struct site *s);

/* Bytes on their way: in memory while there are few. */
struct load {
    struct buf bytes;
    int fd; /* -1: all are in memory */
    int error;
    uint64_t size, sent;
};
void load_init(struct load *l);
void load_reset(struct load *l);
/* False: there is no room for the piece, in memory or on disk. */
MUST_CHECK bool load_add(struct load *l, struct str piece);
void load_release(struct load *l);

/* One request and its reply. The handle is kept for the next one. */
struct call {
    CURL *curl; /* owned; NULL before the first request */
    struct curl_slist *lines;
    struct buf url;
    struct buf answer; /* errors, and bodies that no load takes */
    struct load *into; /* borrowed: takes the body of a good reply; NULL: answer does */
    struct load *from; /* borrowed: what is sent; NULL: text is */
    const struct site *site;
    bool (*interrupted)(void); /* the caller's: asked while it waits; NULL: nobody is */
    char detail[CURL_ERROR_SIZE];
    CURLcode result;
    long status; /* 0: no reply */
};
void call_init(struct call *c);
void call_release(struct call *c);
/* Makes the request; the handle is ready then.
 * key      empty: of the bucket
 * query    encoded, "" without; sorted only for the signature
 * headers  names in lower case
 * Before:  into and from are set, else NULL */
void call_begin(struct call *c, const struct site *site, const char *method, struct str key,
                struct str query, const struct header *headers, size_t header_count);
/* The reply is there, or result says why not. */
void call_end(struct call *c, CURLcode result);
bool call_is_good(const struct call *c);
/* Failed in a way that may go well the next time? */
bool call_is_transient(const struct call *c);
/* Makes the request and waits for the reply, again where that may help. */
void call_alone(struct call *c, const struct site *site, const char *method, struct str key,
                struct str query, const struct header *headers, size_t header_count);
/* Value of a header of the reply; NULL: there is none. Valid until the next request. */
const char *call_header(const struct call *c, const char *name);
/* S3's error code; empty when it said none. */
void call_add_code(const struct call *c, struct buf *out);
/* Adopts the region that the reply names; true: it is another, so ask again. */
bool call_learn_region(const struct call *c, struct site *site);
/* Says why the call failed, in words of the command line. */
void call_explain(const struct call *c, struct buf *out);

#endif
