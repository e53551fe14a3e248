/* SPDX-License-Identifier: MIT */
/* bare.c - the limit of our front end: a libmicrohttpd program that answers GET with a fixed
 * number of bytes and the same headers as s3memd, and reads and drops uploads. Set up as s3memd
 * sets up libmicrohttpd (epoll, thread pool, connection memory); a reply object is made for
 * each request, as it must be where each reply carries an id of its own. One difference: s3memd
 * accepts connections itself. The headers come from the command line, Date among them.
 *
 *   bare SIZE THREADS [HEADER VALUE]...      prints "port N", serves until standard input ends
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As in src/http/server.c, and s3memd's --idle-timeout. */
#define CONNECTION_MEMORY 24576
#define READ_BUFFER       16384
#define IDLE_TIMEOUT_S    120

struct bare {
    char *body;
    size_t size;
    int header_count;
    char **headers;
};

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_size, void **state)
{
    static int seen;
    struct bare *b = arg;
    (void)url, (void)version, (void)data;
    if (!*state) {
        *state = &seen;
        return MHD_YES;
    }
    if (*data_size) {
        *data_size = 0;
        return MHD_YES;
    }
    int put = strcmp(method, "PUT") == 0;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(put ? 0 : b->size, b->body, MHD_RESPMEM_PERSISTENT);
    for (int i = 0; i + 1 < b->header_count; i += 2)
        MHD_add_response_header(response, b->headers[i], b->headers[i + 1]);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: bare SIZE THREADS [HEADER VALUE]...\n", stderr);
        return 2;
    }
    struct bare b = {
        .size = strtoul(argv[1], NULL, 10), .header_count = argc - 3, .headers = argv + 3};
    unsigned threads = (unsigned)strtoul(argv[2], NULL, 10);
    b.body = calloc(1, b.size + 1);
    memset(b.body, 'a', b.size);
    struct sockaddr_in on = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *d = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL, NULL, answer,
        &b, MHD_OPTION_SOCK_ADDR, &on, MHD_OPTION_THREAD_POOL_SIZE, threads,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)READ_BUFFER,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_END);
    if (!d)
        return 1;
    printf("port %u\n", MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    MHD_stop_daemon(d);
    return 0;
}
