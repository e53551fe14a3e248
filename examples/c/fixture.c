/* SPDX-License-Identifier: MIT */
/* fixture.c - a server inside a C test program: one fixture, each test from it.
 *
 *   cc fixture.c $(pkg-config --cflags --libs s3mem) -o fixture */
#include <s3mem.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library keeps its names to itself: ours may be called as they like. */
void buf_add(void);
void buf_add(void)
{
}

static void must(s3mem_result result, const char *what)
{
    if (result == S3MEM_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, s3mem_strerror(result));
    exit(1);
}

int main(void)
{
    const char *options[] = {"--bucket=demo", NULL};
    const char *wrong[] = {"--bucket=No", NULL};
    char error[S3MEM_ERROR_SIZE];
    s3mem *s = s3mem_start(options, error, sizeof(error));
    s3mem *other;
    char *stats;

    if (!s) {
        fprintf(stderr, "cannot start: %s\n", error);
        return 1;
    }
    printf("s3mem %s on %s\n", s3mem_version(), s3mem_url(s));
    buf_add();

    must(s3mem_snapshot(s, NULL, "clean"), "snapshot");
    /* A branch for each worker: AWS_ACCESS_KEY_ID=worker-1 is served by it. */
    must(s3mem_fork(s, "worker-1", "clean"), "fork");
    must(s3mem_create_bucket(s, "worker-1", "only-there"), "create_bucket");
    /* ... a test ... and everything is as it was: */
    must(s3mem_restore(s, "worker-1", "clean", NULL), "restore");

    stats = s3mem_stats(s);
    if (!stats || !strstr(stats, "\"demo\"") || strstr(stats, "only-there"))
        return 1;
    s3mem_free(stats);

    /* Another server, and what is refused. */
    other = s3mem_start(NULL, error, sizeof(error));
    if (!other || s3mem_port(other) == s3mem_port(s) || s3mem_start(wrong, error, sizeof(error)))
        return 1;
    printf("refused: %s\n", error);
    if (s3mem_restore(s, NULL, "missing", NULL) != S3MEM_MISSING)
        return 1;
    s3mem_stop(other);
    s3mem_stop(s);
    return 0;
}
