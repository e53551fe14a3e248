/* SPDX-License-Identifier: MIT */
/* notify.c - systemd's readiness protocol (sd_notify(3)): small enough not to link a library.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    int fd;

    if (len == 0)
        return;
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(addr.sun_path)) {
        log_warn("NOTIFY_SOCKET is not a Unix socket's name: %s", path);
        return;
    }
    memcpy(addr.sun_path, path, len);
    /* The abstract name space is written '@' and begins with a NUL. */
    if (path[0] == '@')
        addr.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
        log_warn("cannot notify systemd at %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}
