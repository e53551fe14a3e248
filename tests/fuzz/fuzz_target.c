/* SPDX-License-Identifier: MIT */
/* fuzz_target.c - any request head, "METHOD TARGET" and header lines, on a server with one
 * bucket and one object: addressing, query parsing and the match against ops.def. Whatever is
 * asked, no 5xx but 501 comes back, no answer without a row, and only a PUT or POST may make
 * keys. */
#include <assert.h>

#include "raw_request.h"
#include "s3/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *store;
static struct app app;

static void set_up(void)
{
    static const struct str domains[] = {{"localhost", 9},
                                         {"s3.localhost.localstack.cloud", 29}};
    struct store_options limits = {.max_memory_bytes = MiB(256)};
    store = store_new(&limits);
    struct s3_options options = {.store = store,
                                 .region = STR("us-east-1"),
                                 .domains = domains,
                                 .domain_count = ARRAY_LEN(domains),
                                 .metadata_limit = 2048,
                                 .max_object_size = GiB(5),
                                 .min_part_size = MiB(5)};
    app = s3_service_app(s3_service_new(&options));
}

static uint64_t objects(void)
{
    struct bucket_info info;
    uint64_t count = 0;
    AUTO(branch) main = store_branch(store, STR("main"));
    if (bucket_get(main, STR("bucket"), &info) == S3_OK) {
        count = info.object_count + info.version_count;
        bucket_info_release(&info);
    }
    return count;
}

/* The head as the front end would give it, without a body. */
static unsigned answer(const struct request *req)
{
    void *call = NULL;
    if (app.begin(app.arg, req, &call) == APP_WANT_BODY)
        app.finish(call);
    unsigned status = app.reply(call)->status;
    app.done(call, 0, false);
    return status;
}

static void ask(const char *text)
{
    struct raw_request raw;
    raw_request_parse(&raw, str_c(text));
    answer(&raw.req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raw_request raw;
    if (!store)
        set_up();
    AUTO(branch) main = store_branch(store, STR("main"));
    assert(branch_clear(&main) == NAMED_OK);
    ask("PUT /bucket HTTP/1.1\n");
    ask("PUT /bucket/a/b HTTP/1.1\nContent-Length: 0\n");
    assert(objects() == 1);

    raw_request_parse(&raw, str_of((const char *)data, size));
    unsigned status = answer(&raw.req);
    assert(status >= 200 && (status < 500 || status == 501));
    bool writes = str_eq(raw.req.method, STR("PUT")) || str_eq(raw.req.method, STR("POST")) ||
                  str_eq(raw.req.method, STR("DELETE"));
    assert(writes || objects() == 1);
    return 0;
}
