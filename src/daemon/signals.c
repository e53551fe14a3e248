/* SPDX-License-Identifier: MIT */
/* signals.c - signals are waited for, never handled: no code runs in a handler. */
#include "daemon/daemon.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

void signals_setup(struct daemon *d)
{
    sigemptyset(&d->signals);
    sigaddset(&d->signals, SIGTERM);
    sigaddset(&d->signals, SIGINT);
    sigaddset(&d->signals, SIGHUP);
    sigaddset(&d->signals, SIGCHLD);
    /* Threads inherit it. */
    pthread_sigmask(SIG_BLOCK, &d->signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    /* Where a parent ignored SIGCHLD, waitpid would not get the status of our scripts. */
    signal(SIGCHLD, SIG_DFL);
    /* A limit on the size of files is a full disk, not the end. */
    signal(SIGXFSZ, SIG_IGN);
}

int signals_wait(struct daemon *d, int timeout_ms)
{
    const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * NS_PER_MS};
    int number = timeout_ms < 0 ? sigwaitinfo(&d->signals, NULL)
                                : sigtimedwait(&d->signals, NULL, &timeout);

    if (number <= 0)
        return 0;
    if (number == SIGCHLD)
        return number;
    if (number == SIGHUP) {
        d->reload = true;
        return number;
    }
    if (d->caught) {
        if (d->at_once)
            d->at_once(d->at_once_arg);
        _exit(128 + number);
    }
    d->caught = number;
    return number;
}
