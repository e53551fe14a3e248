/* SPDX-License-Identifier: MIT */
/* app.h - the door of room app: what rooms say to each other about a request and about long work,
 * and the guard that stands before every application. */
#ifndef S3MEM_APP_H
#define S3MEM_APP_H

#include "app/durable.h"
#include "app/guard.h"
#include "app/message.h"
#include "app/pipe.h"
#include "app/traffic.h"
#include "app/turns.h"
#include "app/work.h"
#include "base/base.h"

#endif
