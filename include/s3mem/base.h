/* SPDX-License-Identifier: MIT */
/* base.h - the door of room base: bytes, memory, buffers, digests, clock, log, errors, ids, and
 * the request/reply pair that http, s3 and admin share. Depends on no other room. */
#ifndef S3MEM_BASE_H
#define S3MEM_BASE_H

#include "base/base64.h"
#include "base/buf.h"
#include "base/certificate.h"
#include "base/cipher.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/masked.h"
#include "base/mem.h"
#include "base/message.h"
#include "base/pipe.h"
#include "base/random.h"
#include "base/str.h"
#include "base/stripe.h"
#include "base/traffic.h"
#include "base/turns.h"
#include "base/work.h"

#endif
