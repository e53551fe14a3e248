/* SPDX-License-Identifier: MIT */
/* store_bench.c - what can only be measured inside the process.
 *   store_bench state N    snapshot, restore, fork at N objects (microseconds), bytes an
 * object, bytes of a branch that was written to once store_bench readers N  the same while 8
 * threads read; and reads a second store_bench files N    a file of N objects written and read:
 * objects and MB a second store_bench md5 SIZE   MD5 alone over SIZE bytes of memory (MiB a
 * second of CPU time) */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "disk/disk.h"

#define BODY_BYTES 100
#define ROUNDS     201
#define FORKS      1000
#define READERS    8

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double median_us(int64_t *ns, size_t count)
{
    qsort(ns, count, sizeof(*ns), by_value);
    return (double)ns[count / 2] / 1000;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "store_bench: %s failed\n", what);
    exit(1);
}

/* What a client gave: key, metadata, body. The rest is overhead. */
static size_t put_object(struct store *store, struct branch *b, uint64_t n)
{
    char key[32];
    char bytes[BODY_BYTES] = {0};
    int len = snprintf(key, sizeof(key), "object-%012llu", (unsigned long long)n);
    AUTO_BUF(attrs, 256);
    attrs_add(&attrs, ATTR_CONTENT_TYPE, STR("application/json"));
    struct record_spec spec = {
        .key = str_of(key, (size_t)len),
        .mtime_ns = clock_now_ns(),
        .checksum = {.alg = CHECKSUM_CRC64NVME, .type = CHECKSUM_FULL_OBJECT},
        .attrs = buf_str(&attrs)};
    struct body *body = body_new(store, sizeof(bytes));
    must(body && body_append(body, bytes, sizeof(bytes)), "body");
    struct record *r = record_new(store, &spec, body);
    must(r && object_put(b, STR("bench"), r, NULL, NULL) == S3_OK, "put");
    return (size_t)len + attrs.len + sizeof(bytes);
}

/* Resident memory: whatever allocator the store uses, this is what it costs. */
static size_t resident(void)
{
    unsigned long pages = 0, resident_pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    must(f && fscanf(f, "%lu %lu", &pages, &resident_pages) == 2, "/proc/self/statm");
    fclose(f);
    return resident_pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- states ------------------------------------------------------------------------ */

static struct store *filled_store(uint64_t count, struct branch **main_branch, size_t *given)
{
    struct store *store = store_new(&(struct store_options){0});
    struct bucket_spec bucket = {
        .name = STR("bench"), .region = STR("us-east-1"), .owner = STR("o\nn\n000000000000")};

    *main_branch = store_branch(store, STR("main"));
    must(bucket_create(*main_branch, &bucket) == S3_OK, "bucket");
    for (uint64_t i = 0; i < count; i++)
        *given += put_object(store, *main_branch, i);
    return store;
}

/* Times snapshot, restore, fork and drop, and prints the medians, without a closing brace. */
static void print_names(struct store *store, struct branch **b, uint64_t count,
                        unsigned pause_us)
{
    int64_t snapshot[ROUNDS], restore[ROUNDS], fork[ROUNDS], drop[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        usleep(pause_us); /* so that the rounds meet the readers at all stages */
        int64_t t0 = clock_monotonic_ns();
        must(!store_snapshot_take(store, *b, STR("s")), "snapshot");
        int64_t t1 = clock_monotonic_ns();
        put_object(store, *b, i); /* so that there is something to go back from */
        int64_t t2 = clock_monotonic_ns();
        must(!store_snapshot_restore(store, b, STR("s")), "restore");
        int64_t t3 = clock_monotonic_ns();
        must(!store_fork(store, STR("f"), STR("main"), STR_NONE), "fork");
        int64_t t4 = clock_monotonic_ns();
        must(!store_branch_delete(store, STR("f")), "delete of a branch");
        int64_t t5 = clock_monotonic_ns();
        must(!store_snapshot_drop(store, STR("s")), "drop");
        int64_t t6 = clock_monotonic_ns();
        snapshot[i] = t1 - t0;
        restore[i] = t3 - t2;
        fork[i] = t4 - t3;
        drop[i] = t6 - t5;
    }
    printf("{\"objects\":%llu,\"snapshot_us\":%.3f,\"restore_us\":%.3f,\"fork_us\":%.3f,"
           "\"drop_us\":%.3f",
           (unsigned long long)count, median_us(snapshot, ROUNDS), median_us(restore, ROUNDS),
           median_us(fork, ROUNDS), median_us(drop, ROUNDS));
    /* They are sorted by now. */
    printf(",\"p95_us\":[%.1f,%.1f,%.1f,%.1f]", (double)snapshot[ROUNDS * 95 / 100] / 1000,
           (double)restore[ROUNDS * 95 / 100] / 1000, (double)fork[ROUNDS * 95 / 100] / 1000,
           (double)drop[ROUNDS * 95 / 100] / 1000);
}

/* The mean of FORKS branches that were written to once. */
static uint64_t bytes_a_branch(struct store *store, uint64_t count)
{
    struct store_stats before, after;
    char name[16];

    store_reap_wait(store);
    store_stats(store, &before);
    for (uint64_t i = 0; i < FORKS; i++) {
        struct str text = str_of(name, (size_t)snprintf(name, sizeof(name), "fork-%d", (int)i));
        must(!store_fork(store, text, STR("main"), STR_NONE), "fork");
        AUTO(branch) b = store_branch(store, text);
        put_object(store, b, i * 7919 % count);
    }
    store_reap_wait(store);
    store_stats(store, &after);
    for (uint64_t i = 0; i < FORKS; i++)
        must(!store_branch_delete(
                 store, str_of(name, (size_t)snprintf(name, sizeof(name), "fork-%d", (int)i))),
             "delete of a branch");
    return (after.memory_bytes - before.memory_bytes) / FORKS;
}

static void state(uint64_t count)
{
    struct branch *b;
    size_t before = resident(), given = 0;
    struct store *store = filled_store(count, &b, &given);
    double overhead = (double)(resident() - before - given) / (double)count;
    uint64_t branch_bytes = bytes_a_branch(store, count);

    print_names(store, &b, count, 0);
    printf(",\"branch_bytes\":%llu,\"overhead_bytes\":%.1f}\n",
           (unsigned long long)branch_bytes, overhead);
}

/* ---- with readers ------------------------------------------------------------------ */

struct reading {
    struct store *store;
    uint64_t count;
    _Atomic bool stop;
    _Atomic uint64_t reads;
};

/* As a GET does it: the branch by its name, the record by its key. */
static void *read_on(void *arg)
{
    struct reading *r = arg;
    uint64_t reads = 0, n = (uint64_t)(uintptr_t)&reads;
    char key[32];

    for (; !atomic_load_explicit(&r->stop, memory_order_relaxed); reads++) {
        n = n * UINT64_C(6364136223846793005) + 1442695040888963407;
        int len = snprintf(key, sizeof(key), "object-%012llu",
                           (unsigned long long)((n >> 33) % r->count));
        struct target at = {STR("bench"), str_of(key, (size_t)len)};
        AUTO(branch) b = store_branch(r->store, STR("main"));
        AUTO(record) record = NULL;
        must(!object_get(&record, b, &at, STR_NONE), "get");
    }
    atomic_fetch_add(&r->reads, reads);
    return NULL;
}

static void readers(uint64_t count)
{
    pthread_t threads[READERS];
    struct branch *b;
    size_t given = 0;
    struct reading r = {.store = filled_store(count, &b, &given), .count = count};
    int64_t start = clock_monotonic_ns();

    for (size_t i = 0; i < READERS; i++)
        must(!pthread_create(&threads[i], NULL, read_on, &r), "thread");
    sleep(2);
    print_names(r.store, &b, count, 1000);
    r.stop = true;
    for (size_t i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    printf(",\"reads_s\":%.0f}\n",
           (double)r.reads / ((double)(clock_monotonic_ns() - start) / NS_PER_S));
}

/* ---- files ------------------------------------------------------------------------- */

#define PIECE KiB(256)

/* One format: from the store to an open file, and back into the store. */
struct format {
    const char *name;
    void (*save)(struct store *store, FILE *file);
    void (*load)(struct store *store, FILE *file);
};

static bool any_name(struct str bucket)
{
    return bucket.len > 0;
}

static void save_json(struct store *store, FILE *file)
{
    AUTO(branch) b = store_branch(store, STR("main"));
    AUTO(root) root = branch_root(b);
    AUTO(memory_json_writer) w = memory_json_writer_new(root, STR("bench"), NULL);
    enum document_state state = DOCUMENT_MORE;
    char *piece = xmalloc(PIECE);
    size_t len;

    must(w, "writer");
    while (memory_json_look(w, SIZE_MAX))
        continue;
    while (state == DOCUMENT_MORE) {
        state = memory_json_write(w, piece, PIECE, &len);
        must(fwrite(piece, 1, len, file) == len, "write");
    }
    must(state == DOCUMENT_END, "save");
    mem_free(piece);
}

static void load_json(struct store *store, FILE *file)
{
    AUTO(branch) b = store_branch(store, STR("main"));
    AUTO(memory_json_reader)
    r = memory_json_reader_new(&(struct memory_json_target){.store = store,
                                                            .region = STR("us-east-1"),
                                                            .owner = STR("o\nn\n000000000000"),
                                                            .name_ok = any_name});
    char *piece = xmalloc(PIECE);
    size_t len;

    while ((len = fread(piece, 1, PIECE, file)) > 0)
        must(!memory_json_feed(r, piece, len), memory_json_error(r));
    must(!memory_json_finish(r) && !memory_json_replace(r, &b), memory_json_error(r));
    mem_free(piece);
}

static void save_document(struct store *store, FILE *file)
{
    AUTO(branch) b = store_branch(store, STR("main"));
    AUTO(root) root = branch_root(b);
    AUTO(document_writer) w = document_writer_new(root, false);
    enum document_state state = DOCUMENT_MORE;
    char *piece = xmalloc(PIECE);
    size_t len;

    while (state == DOCUMENT_MORE) {
        state = document_write(w, piece, PIECE, &len);
        must(fwrite(piece, 1, len, file) == len, "write");
    }
    must(state == DOCUMENT_END, "save");
    mem_free(piece);
}

static void load_document(struct store *store, FILE *file)
{
    AUTO(document_reader) r = document_reader_new(store);
    char *piece = xmalloc(PIECE);
    enum named result;
    size_t len;

    while ((len = fread(piece, 1, PIECE, file)) > 0)
        must(!document_feed(r, piece, len), document_error(r));
    must(!document_finish(r, STR("loaded"), true, &result) && !result, document_error(r));
    mem_free(piece);
}

/* Objects a second and MB of the file a second, by the thread's CPU time: the disk is not what
 * is measured. */
static void rates(const char *what, const struct format *f, uint64_t count, long bytes,
                  double seconds)
{
    printf("\"%s_%s_objects_s\":%.0f,\"%s_%s_MB_s\":%.1f,", f->name, what,
           (double)count / seconds, f->name, what, (double)bytes / 1e6 / seconds);
}

static double cpu_seconds(void);

static void run_format(struct store *store, const struct format *f, uint64_t count)
{
    FILE *file = tmpfile();
    double start;
    long bytes;

    must(file, "temporary file");
    start = cpu_seconds();
    f->save(store, file);
    must(fflush(file) == 0, "flush");
    bytes = ftell(file);
    rates("save", f, count, bytes, cpu_seconds() - start);
    rewind(file);
    start = cpu_seconds();
    f->load(store, file);
    rates("load", f, count, bytes, cpu_seconds() - start);
    fclose(file);
}

static void files(uint64_t count)
{
    static const struct format formats[] = {{"json", save_json, load_json},
                                            {"document", save_document, load_document}};
    struct store *store = store_new(&(struct store_options){0});
    AUTO(branch) b = store_branch(store, STR("main"));
    struct bucket_spec bucket = {
        .name = STR("bench"), .region = STR("us-east-1"), .owner = STR("o\nn\n000000000000")};

    must(bucket_create(b, &bucket) == S3_OK, "bucket");
    for (uint64_t i = 0; i < count; i++)
        put_object(store, b, i);
    putchar('{');
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        run_format(store, &formats[i], count);
    printf("\"objects\":%llu}\n", (unsigned long long)count);
}

/* ---- the rest ---------------------------------------------------------------------- */

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void md5(size_t size)
{
    char *bytes = xmalloc(size);
    uint8_t out[MD5_SIZE];
    memset(bytes, 'a', size);
    double start = cpu_seconds();
    for (int i = 0; i < 4; i++)
        md5_once(str_of(bytes, size), out);
    double seconds = cpu_seconds() - start;
    printf("{\"MiB_s\":%.1f}\n", 4 * (double)size / (1 << 20) / seconds);
    mem_free(bytes);
}

int main(int argc, char **argv)
{
    uint64_t n = 0;
    if (argc != 3 || !str_to_u64(str_c(argv[2]), &n)) {
        fputs("usage: store_bench state N | readers N | files N | md5 SIZE\n", stderr);
        return 2;
    }
    if (strcmp(argv[1], "md5") == 0)
        md5(n);
    else if (strcmp(argv[1], "files") == 0)
        files(n);
    else if (strcmp(argv[1], "readers") == 0)
        readers(n);
    else
        state(n);
    return 0;
}
