/* SPDX-License-Identifier: MIT */
/* durable.c - for whom a thread changes the store. */
#include "app/durable.h"

_Thread_local struct durable_wait *durable_now;
