/* SPDX-License-Identifier: MIT */
/* base.h - the door of room base: bytes, memory, buffers, digests, clock, log, errors and
 * ids. Depends on no other room. */
#ifndef S3MEM_BASE_H
#define S3MEM_BASE_H

#include "base/base64.h"
#include "base/buf.h"
#include "base/certificate.h"
#include "base/cipher.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/masked.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "base/stripe.h"

#endif
