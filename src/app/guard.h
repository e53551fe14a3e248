/* SPDX-License-Identifier: MIT */
/* guard.h - what every application asks about a request before it serves it: may a web page that
 * somebody's browser shows do this here?
 *
 * A test server listens where every page that its developer visits can reach it. Two questions
 * are kept apart:
 *   host    from a browser the host must be ours, else any page could point its own name at us
 *           (DNS rebinding) and be at home
 *   origin  which page asks: at home are pages of loopback origins, of this server itself and
 * of those that an option names; pages from elsewhere may link to single objects Programs
 * (SDKs, curl) are asked neither. Nothing is allocated, and a request that shows no mark of a
 * browser costs one look at its headers.
 *
 *   guard_look      as soon as the headers are known
 *   guard_refuses   when it is known what the request is for, unless its signature was verified
 *   guard_reply     when the reply is made: headers that a browser needs
 *
 * Sources: Fetch standard ("Origin", CORS), W3C Fetch Metadata, RFC 9110 10.1.3 (Referer). */
#ifndef S3MEM_APP_GUARD_H
#define S3MEM_APP_GUARD_H

#include "app/message.h"
#include "base/base.h"

/* What options say; borrowed. Zeroed memory is a guard without any. */
struct guard {
    const struct str *hosts; /* ours beside those that always are; names below them, too */
    size_t host_count;
    const struct str *origins; /* at home: "https://app.example"; "null": pages without one */
    size_t origin_count;
    bool any_origin;   /* every page is at home */
    bool page_scripts; /* objects opened as pages may run scripts in our origin */
};

enum guard_may {
    GUARD_ANYTHING,
    GUARD_ONE_OBJECT, /* GET or HEAD of one object, and nothing is changed on the way */
    GUARD_NOTHING,
};

/* Who asks. */
enum guard_asker {
    GUARD_PROGRAM,
    GUARD_HOME, /* a page at home, or a person: name is the page's origin if it sent one */
    GUARD_FOREIGN_HOST, /* name: the host that is not ours */
    GUARD_FOREIGN_PAGE, /* name: its origin, none if it hides that */
    GUARD_SILENT,       /* a browser that does not say which page asks */
};

/* What the headers say. A call keeps one, so it is small. */
struct guard_view {
    struct str name;     /* the request's own memory */
    unsigned char may;   /* enum guard_may */
    unsigned char asker; /* enum guard_asker */
    bool may_be_page;    /* a browser might show the reply as a page */
};

static inline bool guard_is_browser(const struct guard_view *view)
{
    return view->asker != GUARD_PROGRAM;
}
void guard_look(struct guard_view *view, const struct guard *guard, const struct request *req);

/* reads_object: it is a GET or HEAD of one object. */
static inline bool guard_refuses(const struct guard_view *view, bool reads_object)
{
    return view->may == GUARD_NOTHING || (view->may == GUARD_ONE_OBJECT && !reads_object);
}
/* Appends why, and which option allows it: printable ASCII. Says it in the log, too, at most
 * once a second: browsers hide such replies from the page's author. */
void guard_explain(const struct guard_view *view, struct buf *out);

/* When all other headers are there: CORS headers for a page at home;
 * what keeps bytes from running as a page of our origin. */
void guard_reply(const struct guard *guard, const struct guard_view *view, struct reply *reply);
/* Is this the question of a browser, for a page at home, whether it may send a request? */
bool guard_is_preflight(const struct guard_view *view, const struct request *req);
/* Answers it, but for what guard_reply adds: 200, whatever the page wants to send. */
void guard_preflight_reply(const struct request *req, struct reply *reply);

/* Is text an origin as browsers write it, or "null"? Else *why says what is wrong. */
MUST_CHECK bool guard_origin_ok(struct str text, const char **why);
/* Is text the name of a host, without a port? */
MUST_CHECK bool guard_host_ok(struct str text);

#endif
