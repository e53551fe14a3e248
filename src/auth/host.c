/* SPDX-License-Identifier: MIT */
/* host.c - other readings of the signed host.
 *
 * The host is part of what a signature covers because it may name the bucket. A name out of
 * X-Forwarded-Host is therefore only a candidate when it names the same bucket as the Host that
 * the request was routed by: else a URL signed for one bucket could be sent to another. */
#include "auth/host.h"

/* Splits "name:port"; port is empty without one. Brackets of IPv6 are respected. */
static struct str host_name(struct str host, struct str *port)
{
    *port = STR("");
    for (size_t i = host.len; i-- > 0 && host.ptr[i] != ']';) {
        if (host.ptr[i] != ':')
            continue;
        *port = str_from(host, i + 1);
        return str_of(host.ptr, i);
    }
    return host;
}

/* Does this name have labels before one of our domains that are not the service's own ("s3",
 * "s3.eu-west-1")? Then they are a bucket. */
static bool names_a_bucket(struct str name, const struct auth_config *config)
{
    for (size_t i = 0; i < config->domain_count; i++) {
        struct str domain = config->domains[i];
        if (name.len < domain.len + 2 ||
            !str_eq_nocase(str_from(name, name.len - domain.len), domain) ||
            name.ptr[name.len - domain.len - 1] != '.')
            continue;
        struct str labels = str_of(name.ptr, name.len - domain.len - 1);
        if (!str_eq_nocase(labels, STR("s3")) && !str_has_prefix_nocase(labels, STR("s3.")))
            return true;
    }
    return false;
}

static bool same_bucket(struct str forwarded, struct str bucket,
                        const struct auth_config *config)
{
    struct str port;
    struct str name = host_name(forwarded, &port);
    if (bucket.len == 0)
        return !names_a_bucket(name, config);
    return name.len > bucket.len + 1 && name.ptr[bucket.len] == '.' &&
           str_has_prefix_nocase(name, bucket);
}

void host_candidates_init(struct host_candidates *h, const struct auth_config *config,
                          const struct evidence *e)
{
    *h = (struct host_candidates){
        .host = e->req->host, .port = e->seen[SEEN_FORWARDED_PORT], .tls = e->req->tls};
    buf_init(&h->text, KiB(64));
    struct str list = e->seen[SEEN_FORWARDED_HOST], first;
    if (list.len == 0 || !str_split(&list, ',', &first))
        return;
    first = str_trim(first);
    if (same_bucket(first, e->virtual_bucket, config))
        h->forwarded = first;
}

/* name:port, made in text; empty when there is no port. */
static struct str with_port(struct host_candidates *h, struct str host, struct str new_port)
{
    struct str port;
    if (new_port.len == 0 || host.len == 0)
        return STR("");
    buf_reset(&h->text);
    buf_add(&h->text, host_name(host, &port));
    buf_add_char(&h->text, ':');
    buf_add(&h->text, new_port);
    return buf_ok(&h->text) ? buf_str(&h->text) : STR("");
}

static struct str candidate(struct host_candidates *h, unsigned which)
{
    struct str port, name;
    switch (which) {
    case 0:
        return h->forwarded;
    case 1:
        name = host_name(h->host, &port);
        return port.len ? name : STR("");
    case 2:
        name = host_name(h->forwarded, &port);
        return port.len ? name : STR("");
    case 3:
        return with_port(h, h->host, h->port);
    case 4:
        return with_port(h, h->forwarded, h->port);
    default: /* a client that writes the default port, behind a front that drops it */
        host_name(h->host, &port);
        return port.len ? STR("") : with_port(h, h->host, h->tls ? STR("443") : STR("80"));
    }
}

bool host_candidates_next(struct host_candidates *h, struct str *host)
{
    while (h->next < 6) {
        *host = candidate(h, h->next++);
        if (host->len && !str_eq(*host, h->host))
            return true;
    }
    return false;
}

void host_candidates_release(struct host_candidates *h)
{
    buf_release(&h->text);
}
