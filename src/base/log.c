/* SPDX-License-Identifier: MIT */
/* log.c - log lines, composed in a buffer of their own and written by one write(2).
 *
 * text   2026-01-31T08:49:37.123Z warn MESSAGE
 *        2026-01-31T08:49:37.123Z access id=... op=GetObject status=200 code=- ...
 * json   {"time":"...","level":"warn","message":"..."}
 *
 * Clients choose much of what is logged. So in text lines whatever could forge a line or drive
 * a terminal is printed as \xNN, and no field makes a line longer than FIELD_MAX allows. */
#include "base/log.h"
#include "base/clock.h"
#include "base/masked.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define FIELD_MAX KiB(8)
/* Seven fields, each of their bytes escaped to at most six, and what stands around them. */
#define LINE_MAX_BYTES KiB(512)

/* Of the process: several servers in it may be started at once, the last one's hold. */
static atomic_int threshold = LOG_LEVEL_INFO;
static atomic_int log_format = LOG_FORMAT_TEXT;
static atomic_bool access_enabled;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

void log_setup(enum log_level level, enum log_format format, bool access)
{
    atomic_store_explicit(&threshold, level, memory_order_relaxed);
    atomic_store_explicit(&log_format, format, memory_order_relaxed);
    atomic_store_explicit(&access_enabled, access, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

bool log_access_enabled(void)
{
    return atomic_load_explicit(&access_enabled, memory_order_relaxed);
}

/* ---- pieces of a line -------------------------------------------------------------- */

/* The real time, even when the server's clock is moved. */
static void add_time(struct buf *line)
{
    char date[ISO_DATE_SIZE];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    clock_format_iso((int64_t)now.tv_sec * NS_PER_S, date);
    buf_add(line, str_of(date, strlen("2026-01-31T08:49:37.")));
    buf_addf(line, "%03dZ", (int)(now.tv_nsec / NS_PER_MS));
}

/* Length of the sequence that text starts with when it can be printed as it is, else 0. */
static size_t printable(struct str text, bool blanks)
{
    char c = text.ptr[0];

    return c == '\\' || (c == ' ' && !blanks) ? 0 : str_printable(text);
}

static void add_neutral(struct buf *line, struct str text, bool blanks)
{
    while (text.len > 0) {
        size_t run = 0, len;

        while (run < text.len && (len = printable(str_from(text, run), blanks)) > 0)
            run += len;
        buf_add(line, str_of(text.ptr, run));
        text = str_from(text, run);
        if (text.len > 0) {
            buf_addf(line, "\\x%02x", (unsigned char)text.ptr[0]);
            text = str_from(text, 1);
        }
    }
}

static struct str clipped(struct str text)
{
    return str_of(text.ptr, text.len < FIELD_MAX ? text.len : FIELD_MAX);
}

/* name=value or "name":"value". */
static void add_field(struct buf *line, const char *name, struct str value)
{
    if (log_format == LOG_FORMAT_JSON) {
        buf_addf(line, ",\"%s\":\"", name);
        buf_add_shown_json(line, clipped(value));
        buf_add_char(line, '"');
    } else {
        buf_addf(line, " %s=", name);
        add_neutral(line, clipped(value), false);
    }
}

static void add_number(struct buf *line, const char *name, uint64_t value)
{
    buf_addf(line, log_format == LOG_FORMAT_JSON ? ",\"%s\":" : " %s=", name);
    buf_add_u64(line, value);
}

/* Opens a line: its time and its kind ("access" or a level). */
static void begin_line(struct buf *line, const char *kind)
{
    buf_reserve(line, 512);
    if (log_format == LOG_FORMAT_JSON)
        buf_add(line, STR("{\"time\":\""));
    add_time(line);
    if (log_format == LOG_FORMAT_JSON)
        buf_addf(line, "\",\"level\":\"%s\"", kind);
    else
        buf_addf(line, " %s", kind);
}

/* Closes the line and writes it. A line that found no memory is dropped: a log must not be what
 * brings the server down. */
static void write_line(struct buf *line)
{
    struct str left;

    buf_add_c(line, log_format == LOG_FORMAT_JSON ? "}\n" : "\n");
    if (!buf_ok(line))
        return;
    for (left = buf_str(line); left.len > 0;) {
        ssize_t written = write(STDERR_FILENO, left.ptr, left.len);

        if (written >= 0)
            left = str_from(left, (size_t)written);
        else if (errno != EINTR)
            return;
    }
}

void log_message(enum log_level level, const char *fmt, ...)
{
    int saved_errno = errno;
    va_list args;

    if (!log_enabled(level))
        return;
    AUTO_BUF(text, LINE_MAX_BYTES);
    va_start(args, fmt);
    buf_vaddf(&text, fmt, args);
    va_end(args);

    AUTO_BUF(line, LINE_MAX_BYTES);
    struct str message = buf_ok(&text) ? buf_str(&text) : str_c(fmt); /* beyond all reason */
    begin_line(&line, level_names[level]);
    if (log_format == LOG_FORMAT_JSON) {
        add_field(&line, "message", message);
    } else {
        buf_add_char(&line, ' ');
        add_neutral(&line, clipped(message), true);
    }
    write_line(&line);
    errno = saved_errno;
}

/* ---- access log -------------------------------------------------------------------- */

void log_access(const struct log_access_entry *entry)
{
    if (!access_enabled)
        return;
    AUTO_BUF(target, LINE_MAX_BYTES);
    buf_add_masked_target(&target, clipped(entry->target));

    AUTO_BUF(line, LINE_MAX_BYTES);
    begin_line(&line, "access");
    add_field(&line, "id", entry->request_id);
    add_field(&line, "op", entry->operation);
    add_number(&line, "status", entry->status);
    add_field(&line, "code", entry->code);
    add_number(&line, "in", entry->bytes_in);
    add_number(&line, "out", entry->bytes_out);
    buf_addf(&line, log_format == LOG_FORMAT_JSON ? ",\"ms\":%.3f" : " ms=%.3f",
             (double)entry->duration_ns / NS_PER_MS);
    add_field(&line, "remote", entry->remote);
    add_field(&line, "method", entry->method);
    add_field(&line, "target", buf_str(&target));
    if (entry->detail.len > 0) {
        buf_reset(&target);
        buf_add_masked_target(&target, clipped(entry->detail));
        add_field(&line, "detail", buf_str(&target));
    }
    write_line(&line);
}
