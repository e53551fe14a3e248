/* SPDX-License-Identifier: MIT */
/* service.c - one S3 server: its options and what every call shares. */
#include "s3/service.h"
#include "s3/route.h"

#include "s3/xml/xml_read.h"

#define DEFAULT_OWNER DEFAULT_OWNER_ID "\n" DEFAULT_OWNER_NAME "\n" DEFAULT_OWNER_ACCOUNT

static void make_host_id(char out[HOST_ID_SIZE])
{
    uint8_t bytes[57];
    random_bytes(bytes, sizeof(bytes));
    AUTO_BUF(text, HOST_ID_SIZE);
    buf_add_base64(&text, str_of((const char *)bytes, sizeof(bytes)));
    str_put(out, buf_str(&text));
    out[text.len] = '\0';
}

static char *default_owner(struct keyring *keyring)
{
    AUTO(credentials) set = keyring_get(keyring);
    const struct credential *administrator = set ? credentials_administrator(set) : NULL;
    return xstrdup(administrator ? administrator->owner : DEFAULT_OWNER);
}

struct s3_service *s3_service_new(const struct s3_options *options)
{
    struct s3_service *service = xcalloc(1, sizeof(*service));
    service->options = *options;
    xml_read_init();
    make_host_id(service->host_id);
    service->default_owner = default_owner(options->keyring);
    service->renames = rename_tokens_new();
    return service;
}

void s3_service_free(struct s3_service *service)
{
    if (!service)
        return;
    rename_tokens_free(service->renames);
    mem_free(service->default_owner);
    mem_free(service);
}

struct str s3_service_default_owner(const struct s3_service *service)
{
    return str_c(service->default_owner);
}

enum s3_err s3_service_create_bucket(struct s3_service *service, struct str name)
{
    if (!s3_bucket_name_ok(name))
        return S3_INVALID_BUCKET_NAME;
    struct bucket_spec spec = {.name = name,
                               .region = service->options.region,
                               .owner = s3_service_default_owner(service)};
    AUTO(branch) b = store_branch(service->options.store, STR("main"));
    enum s3_err err = bucket_create(b, &spec);
    return err == S3_BUCKET_ALREADY_EXISTS ? S3_BUCKET_ALREADY_OWNED_BY_YOU : err;
}

/* Headers that a program sends only if it speaks to S3, or to us. */
static bool is_s3_header(struct str name)
{
    return str_eq_nocase(name, STR("authorization")) ||
           str_has_prefix_nocase(name, STR("x-amz-")) ||
           str_has_prefix_nocase(name, STR("amz-")) ||
           str_has_prefix_nocase(name, STR("x-s3mem-"));
}

bool s3_service_has_no_use(struct s3_service *service, const struct request *req)
{
    const struct s3_options *o = &service->options;
    struct bucket_info info;
    struct str region;

    for (size_t i = 0; i < req->header_count; i++) {
        if (is_s3_header(req->headers[i].name))
            return false;
    }
    if (route_virtual_bucket(req->host, o->domains, o->domain_count, &region).len)
        return false;
    AUTO(branch) b = store_branch(o->store, STR("main"));
    if (bucket_get(b, str_from(req->path, 1), &info) != S3_OK)
        return true;
    bucket_info_release(&info);
    return false;
}
