/* SPDX-License-Identifier: MIT */
/* import_cmds.c - import --from: a bucket of another S3 into one of the server's.
 * Both are listed side by side, in the order of their keys; what the server has already is passed
 * over, so that a run that was interrupted is continued by the next one. */
#include "ctl/pull.h"
#include "ctl/xml.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define REGION_STEPS 3 /* how often a source may send us to another region */

/* ---- interruption ------------------------------------------------------------------ */

static volatile sig_atomic_t interrupt_signal;

static void on_signal(int number)
{
    interrupt_signal = number;
}

static bool is_interrupted(void)
{
    return interrupt_signal != 0;
}

/* A second signal ends the program at once. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- listings ---------------------------------------------------------------------- */

struct entry {
    char *key, *etag; /* owned */
    size_t key_len;
    uint64_t size;
    int64_t modified_ns;
};

/* Keys of a site, a page at a time. */
struct listing {
    struct site *site;
    const char *prefix;
    struct call call;
    struct buf token; /* of the next page */
    struct buf mark;  /* an earlier one: when it comes again, the pages go in a circle */
    size_t pages;
    struct entry *entries;
    size_t count, capacity, at;
    bool ended;  /* this page is the last */
    bool failed; /* call says why */
};

static void listing_init(struct listing *l, struct site *site, const char *prefix)
{
    *l = (struct listing){.site = site, .prefix = prefix};
    call_init(&l->call);
    l->call.interrupted = is_interrupted;
    buf_init(&l->token, KiB(16));
    buf_init(&l->mark, KiB(16));
}

static void forget_page(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++) {
        mem_free(l->entries[i].key);
        mem_free(l->entries[i].etag);
    }
    l->count = l->at = 0;
}

static void listing_release(struct listing *l)
{
    forget_page(l);
    mem_free(l->entries);
    call_release(&l->call);
    buf_release(&l->token);
    buf_release(&l->mark);
}

/* <Contents> of a listing. encoded: its key is, as encoding-type=url has it. */
static bool add_entry(struct listing *l, struct str contents, bool encoded)
{
    AUTO_BUF(key, KiB(16));
    AUTO_BUF(decoded, KiB(16));
    AUTO_BUF(etag, KiB(4));
    AUTO_BUF(size, 128);
    AUTO_BUF(modified, 128);
    struct entry e = {.size = 0};
    struct str key_text;

    if (!xml_text(contents, STR("Key"), &key) || !buf_ok(&key) ||
        !xml_text(contents, STR("Size"), &size) || !str_to_u64(buf_str(&size), &e.size))
        return false;
    if (encoded && !buf_add_unescaped(&decoded, buf_str(&key), true))
        return false;
    (void)xml_text(contents, STR("ETag"), &etag);
    if (!xml_text(contents, STR("LastModified"), &modified) ||
        !clock_parse_iso(buf_str(&modified), &e.modified_ns))
        e.modified_ns = INT64_MAX; /* nobody knows: it counts as changed */
    key_text = buf_str(encoded ? &decoded : &key);
    /* What was not asked for is not taken. */
    if (key_text.len == 0 || !str_has_prefix(key_text, str_c(l->prefix)))
        return false;
    e.key_len = key_text.len;
    e.key = xstrndup(key_text);
    e.etag = xstrndup(buf_str(&etag));
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 1024;
        l->entries = xrealloc(l->entries, l->capacity * sizeof(*l->entries));
    }
    l->entries[l->count++] = e;
    return true;
}

/* The token of the next page. False: its pages would come for ever. */
static bool take_token(struct listing *l, struct str token)
{
    if (token.len == 0 || str_eq(token, buf_str(&l->token)) || str_eq(token, buf_str(&l->mark)))
        return false;
    buf_reset(&l->token);
    buf_add(&l->token, token);
    l->pages++;
    /* At each power of two: of any circle, one mark comes again. */
    if ((l->pages & (l->pages - 1)) == 0) {
        buf_reset(&l->mark);
        buf_add(&l->mark, token);
    }
    return buf_ok(&l->token);
}

/* False: it is no listing. */
static bool read_page(struct listing *l, struct str xml)
{
    AUTO_BUF(truncated, 128);
    AUTO_BUF(token, KiB(16));
    AUTO_BUF(encoding, 128);
    struct str rest = xml, result, contents;
    bool encoded;

    if (!xml_next(&rest, STR("ListBucketResult"), &result))
        return false;
    encoded = xml_text(result, STR("EncodingType"), &encoding) &&
              str_eq(buf_str(&encoding), STR("url"));
    rest = result;
    while (xml_next(&rest, STR("Contents"), &contents)) {
        if (!add_entry(l, contents, encoded))
            return false;
    }
    (void)xml_text(result, STR("IsTruncated"), &truncated);
    l->ended = !str_eq_nocase(buf_str(&truncated), STR("true"));
    (void)xml_text(result, STR("NextContinuationToken"), &token);
    return l->ended || (buf_ok(&token) && take_token(l, buf_str(&token)));
}

/* Asks for the next page. */
static void turn_page(struct listing *l)
{
    AUTO_BUF(query, KiB(64));
    int steps = 0;

    forget_page(l);
    if (l->token.len > 0) {
        buf_add(&query, STR("continuation-token="));
        buf_add_uri(&query, buf_str(&l->token), false);
        buf_add_char(&query, '&');
    }
    buf_add(&query, STR("encoding-type=url&list-type=2"));
    if (*l->prefix) {
        buf_add(&query, STR("&prefix="));
        buf_add_uri(&query, str_c(l->prefix), false);
    }
    do
        call_alone(&l->call, l->site, "GET", STR(""), buf_str(&query), NULL, 0);
    while (call_learn_region(&l->call, l->site) && steps++ < REGION_STEPS);
    l->failed = !call_is_good(&l->call) || !read_page(l, buf_str(&l->call.answer));
    l->ended |= l->failed;
}

/* The entry that it stands at; NULL: at its end, or it has failed. */
static const struct entry *listing_entry(struct listing *l)
{
    while (l->at == l->count && !l->ended)
        turn_page(l);
    return l->at < l->count ? &l->entries[l->at] : NULL;
}

static struct str entry_key(const struct entry *e)
{
    return str_of(e->key, e->key_len);
}

/* ---- the two sites ----------------------------------------------------------------- */

/* The AWS variables describe one server: s3memd, if it was found by them, else the source. */
static bool variables_are_of_target(const struct ctl *c)
{
    const char *endpoint = ctl_variable("AWS_ENDPOINT_URL_S3");

    if (c->endpoint_source && str_has_prefix(str_c(c->endpoint_source), STR("AWS_")))
        return true;
    endpoint = endpoint ? endpoint : ctl_variable("AWS_ENDPOINT_URL");
    return endpoint && strcmp(endpoint, c->endpoint) == 0;
}

static void use_keys(struct site *s, const char *key, const char *secret, const char *token,
                     const char *source)
{
    if (s->access_key || !key || !secret)
        return;
    s->access_key = key;
    s->secret_key = secret;
    s->session_token = token;
    s->key_source = source;
}

/* "https://KEY:SECRET@HOST/": it would be shown with each complaint, and is no signature. */
static bool has_keys(struct str url)
{
    size_t scheme = str_find(url, STR("://")), slash;
    struct str host = scheme == SIZE_MAX ? STR("") : str_from(url, scheme + 3);

    slash = str_find_char(host, '/');
    return str_find_char(slash == SIZE_MAX ? host : str_of(host.ptr, slash), '@') != SIZE_MAX;
}

/* p: lends its texts. */
static enum ctl_exit open_source(struct ctl *c, struct ctl_profile *p, struct site *s)
{
    const char *named = ctl_option(c, "from-profile"), *url = ctl_option(c, "from"), *why;
    const char *region = ctl_option(c, "from-region"), *endpoint = NULL;
    bool ours = variables_are_of_target(c);
    const char *fallback = ours ? NULL : ctl_variable("AWS_PROFILE");

    if (has_keys(str_c(url)))
        return ctl_complain(CTL_USAGE, "keys do not belong into the URL of --from: "
                                       "--from-profile names them");
    ctl_profile_read(p, named ? named : fallback ? fallback : "default");
    if (named && !p->found)
        return ctl_complain(CTL_USAGE,
                            "there is no profile '%s' in ~/.aws/credentials or config", named);
    if (!ours && !named) {
        use_keys(s, ctl_variable("AWS_ACCESS_KEY_ID"), ctl_variable("AWS_SECRET_ACCESS_KEY"),
                 ctl_variable("AWS_SESSION_TOKEN"), "AWS_ACCESS_KEY_ID");
        region = region ? region : ctl_variable("AWS_REGION");
        region = region ? region : ctl_variable("AWS_DEFAULT_REGION");
    }
    use_keys(s, p->access_key, p->secret_key, p->session_token, "the profile");
    if (ctl_option(c, "no-sign-request"))
        s->access_key = NULL;
    region = region ? region : p->region;
    s->region = xstrdup(region ? region : "us-east-1");
    if (!ours) {
        endpoint = ctl_variable("AWS_ENDPOINT_URL_S3");
        endpoint = endpoint ? endpoint : ctl_variable("AWS_ENDPOINT_URL");
    }
    endpoint = endpoint ? endpoint : p->endpoint;
    s->ca_file = ctl_variable("AWS_CA_BUNDLE");
    return site_parse(s, url, endpoint, &why)
               ? CTL_DONE
               : ctl_complain(CTL_USAGE, "--from %s: %s", url, why);
}

static void open_target(struct ctl *c, struct site *s)
{
    /* The source's region says nothing of the server, which names its own where it matters. */
    bool known = c->region_is_option || variables_are_of_target(c);

    *s = (struct site){.is_target = true,
                       .bucket = xstrdup(ctl_option(c, "bucket")),
                       .region = xstrdup(known ? c->region : "us-east-1"),
                       .access_key = c->access_key,
                       .secret_key = c->secret_key,
                       .session_token = c->session_token,
                       .key_source = c->key_source,
                       .branch = c->branch,
                       .ca_file = c->ca_file,
                       .insecure = c->insecure};
    s->base = xstrndup(ctl_base_url(c->endpoint, &s->socket_path));
}

static enum ctl_exit complain_of_call(const struct call *call, const char *what)
{
    AUTO_BUF(why, KiB(64));

    call_explain(call, &why);
    return ctl_complain(call->result == CURLE_OK ? CTL_REFUSED : CTL_UNREACHED, "%s: %.*s",
                        what, (int)why.len, why.ptr ? why.ptr : "");
}

static bool is_no_bucket(const struct call *call)
{
    AUTO_BUF(code, KiB(4));

    call_add_code(call, &code);
    return call->result == CURLE_OK && str_eq(buf_str(&code), STR("NoSuchBucket"));
}

static void create_bucket(struct listing *l)
{
    struct load document;
    AUTO_BUF(xml, KiB(4));

    load_init(&document);
    buf_add(&xml, STR("<CreateBucketConfiguration><LocationConstraint>"));
    buf_add_xml(&xml, str_c(l->site->region));
    buf_add(&xml, STR("</LocationConstraint></CreateBucketConfiguration>"));
    if (strcmp(l->site->region, "us-east-1") != 0 && load_add(&document, buf_str(&xml)))
        l->call.from = &document;
    call_alone(&l->call, l->site, "PUT", STR(""), STR(""), NULL, 0);
    l->call.from = NULL;
    load_release(&document);
}

/* Begins the target's listing; the bucket is created if there is none. */
static enum ctl_exit prepare_target(struct ctl *c, struct listing *l)
{
    (void)listing_entry(l);
    if (!l->failed)
        return CTL_DONE;
    if (!is_no_bucket(&l->call))
        return complain_of_call(&l->call, c->endpoint);
    l->failed = false; /* an empty one */
    if (ctl_option(c, "dry-run"))
        return CTL_DONE;
    create_bucket(l);
    return call_is_good(&l->call) ? CTL_DONE : complain_of_call(&l->call, l->site->bucket);
}

/* ---- the import -------------------------------------------------------------------- */

struct import {
    struct ctl *c;
    struct site from, to;
    struct listing source, target;
    struct pull *pull;
    size_t skipped, planned;
    uint64_t planned_bytes;
    int64_t shown_ns;
};

static void show_progress(void *arg, const struct pull_counts *counts)
{
    struct import *m = arg;
    int64_t now_ns = clock_monotonic_ns();
    char amount[32];

    if (!ctl_shows_progress(m->c) || now_ns - m->shown_ns < 100 * NS_PER_MS)
        return;
    m->shown_ns = now_ns;
    ctl_format_bytes(counts->bytes, amount);
    fprintf(stderr, "\r%zu objects, %s; %zu were there  ", counts->copied, amount,
            m->skipped + counts->unchanged);
}

/* Had the object to be put at once, as its source or the target would not have its parts? */
static bool lost_its_parts(const struct entry *source, const struct entry *target)
{
    return strchr(source->etag, '-') && !strchr(target->etag, '-');
}

enum presence { MISSING, OTHER_ETAG, THERE };

/* Does the target have it as it is? Metadata may have changed where the bytes did not: then the
 * source's is the newer one. */
static enum presence look_for(struct import *m, const struct entry *e)
{
    const struct entry *there = listing_entry(&m->target);

    while (there && str_cmp(entry_key(there), entry_key(e)) < 0) {
        m->target.at++;
        there = listing_entry(&m->target);
    }
    if (!there || !str_eq(entry_key(there), entry_key(e)) || there->size != e->size ||
        there->modified_ns < e->modified_ns)
        return MISSING;
    if (strcmp(there->etag, e->etag) == 0 || lost_its_parts(e, there))
        return THERE;
    /* Times have seconds only: of two in one second nobody knows which is the newer. */
    return there->modified_ns > e->modified_ns ? OTHER_ETAG : MISSING;
}

/* False: it is over. */
static bool import_entry(struct import *m, const struct entry *e)
{
    enum presence presence = look_for(m, e);
    struct pull_item item = {entry_key(e), str_c(e->etag), e->size, presence == OTHER_ETAG};
    AUTO_BUF(shown, KiB(64));
    char amount[32];

    if (presence == THERE) {
        m->skipped++;
        return !is_interrupted();
    }
    m->planned++;
    m->planned_bytes += e->size;
    if (!ctl_option(m->c, "dry-run"))
        return pull_add(m->pull, &item);
    if (m->c->terminal)
        ctl_add_printable(&shown, item.key);
    else
        buf_add(&shown, item.key);
    ctl_format_bytes(e->size, amount);
    if (!m->c->json)
        printf("would copy %.*s (%s)\n", (int)shown.len, shown.ptr, amount);
    return !is_interrupted();
}

static enum ctl_exit import_entries(struct import *m)
{
    const struct entry *e;
    enum ctl_exit status = CTL_DONE;

    while ((e = listing_entry(&m->source)) && import_entry(m, e))
        m->source.at++;
    pull_finish(m->pull);
    ctl_bar_end(m->c);
    if (is_interrupted())
        status = ctl_complain(CTL_REFUSED, "interrupted; the same command goes on from here");
    else if (m->source.failed)
        status = complain_of_call(&m->source.call, ctl_option(m->c, "from"));
    else if (m->target.failed)
        status = complain_of_call(&m->target.call, m->c->endpoint);
    return pull_counts(m->pull)->failed > 0 && !status ? CTL_REFUSED : status;
}

static enum ctl_exit tell_result(const struct import *m, enum ctl_exit status)
{
    const struct pull_counts *n = pull_counts(m->pull);
    size_t unchanged = m->skipped + n->unchanged;
    const char *url = ctl_option(m->c, "from"), *bucket = ctl_option(m->c, "bucket");
    bool dry = ctl_option(m->c, "dry-run") != NULL;
    char amount[32];

    if (m->c->json) {
        ctl_print_json(m->c, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:b}", "from", url,
                                       "bucket", bucket, "branch", ctl_branch_name(m->c),
                                       "copied", (json_int_t)(dry ? m->planned : n->copied),
                                       "bytes", (json_int_t)(dry ? m->planned_bytes : n->bytes),
                                       "unchanged", (json_int_t)unchanged, "failed",
                                       (json_int_t)n->failed, "dryRun", dry));
        return status;
    }
    if (m->c->quiet)
        return status;
    ctl_format_bytes(dry ? m->planned_bytes : n->bytes, amount);
    printf("%zu objects (%s) %s %s into bucket %s of branch %s", dry ? m->planned : n->copied,
           amount, dry ? "would be copied from" : "copied from", url, bucket,
           ctl_branch_name(m->c));
    if (unchanged > 0)
        printf("; %zu are there already", unchanged);
    if (n->failed > 0)
        printf("; %zu failed", n->failed);
    putchar('\n');
    return status;
}

static enum ctl_exit run_import(struct import *m)
{
    struct ctl *c = m->c;
    const char *prefix = ctl_option(c, "prefix");
    enum ctl_exit status;

    if (!prefix)
        prefix = m->from.prefix;
    listing_init(&m->source, &m->from, prefix);
    listing_init(&m->target, &m->to, prefix);
    /* A bucket is created only for a source that can be read. */
    (void)listing_entry(&m->source);
    status = m->source.failed ? complain_of_call(&m->source.call, ctl_option(c, "from"))
                              : prepare_target(c, &m->target);
    if (!status) {
        catch_signals();
        m->pull = pull_new(c, &m->from, &m->to, show_progress, is_interrupted, m);
        status = tell_result(m, import_entries(m));
        pull_free(m->pull);
    }
    listing_release(&m->source);
    listing_release(&m->target);
    return status;
}

static enum ctl_exit check_options(const struct ctl *c, const struct site *from)
{
    static const char *const of_backups[] = {"resources", "passphrase-file", "server",
                                             "clear",     "atomic",          "raw"};

    if (c->arg_count > 0)
        return ctl_complain(CTL_USAGE, "import takes '%s' or --from URL, not both", c->args[0]);
    if (!ctl_option(c, "bucket"))
        return ctl_complain(CTL_USAGE, "--from needs --bucket BUCKET, into which it copies");
    for (size_t i = 0; i < ARRAY_LEN(of_backups); i++) {
        if (ctl_option(c, of_backups[i]))
            return ctl_complain(CTL_USAGE, "--%s goes with a backup, not with --from",
                                of_backups[i]);
    }
    if (ctl_option(c, "no-sign-request") && ctl_option(c, "from-profile"))
        return ctl_complain(CTL_USAGE,
                            "--no-sign-request and --from-profile exclude each other");
    if (ctl_option(c, "prefix") && *from->prefix)
        return ctl_complain(CTL_USAGE,
                            "a prefix stands in the URL already: leave out --prefix");
    return CTL_DONE;
}

enum ctl_exit ctl_import_bucket(struct ctl *c)
{
    struct ctl_profile profile = {0};
    struct import m = {.c = c};
    enum ctl_exit status = open_source(c, &profile, &m.from);

    if (!status)
        status = check_options(c, &m.from);
    if (!status) {
        open_target(c, &m.to);
        status = run_import(&m);
    }
    site_release(&m.from);
    site_release(&m.to);
    ctl_profile_release(&profile);
    return status;
}
