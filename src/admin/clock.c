/* SPDX-License-Identifier: MIT */
/* clock.c - the server's clock, to look at and to move. It is the process's: several servers in
 * one process share it. */
#include "admin/call.h"

enum app_next admin_show_clock(struct admin_call *c)
{
    int64_t offset_ns = clock_offset_ns();

    return admin_json(c, 200,
                      json_pack("{s:o, s:o, s:f, s:b}", "now", admin_time(clock_now_ns()),
                                "real", admin_time(clock_real_ns()), "offsetMs",
                                (double)offset_ns / NS_PER_MS, "frozen", clock_is_frozen()));
}

/* "freeze": true (now), false, or a time. */
static bool read_freeze(struct admin_call *c, bool *given, bool *freeze, int64_t *at_ns)
{
    json_t *value = json_object_get(c->json, "freeze");
    struct str text = str_of(json_string_value(value), json_string_length(value));

    *given = value && !json_is_null(value);
    if (!*given || json_is_boolean(value)) {
        *freeze = json_is_true(value);
        return true;
    }
    *freeze = true;
    if (!text.ptr || !clock_parse_iso(text, at_ns))
        admin_field_error(c, 400, "InvalidArgument", "freeze",
                          "must be true, false or a time like \"2026-01-31T12:00:00Z\"");
    else if (*at_ns == INT64_MAX || *at_ns == INT64_MIN)
        admin_field_error(c, 400, "InvalidArgument", "freeze",
                          "is beyond what the clock can show: the years 1678 to 2261");
    else
        return true;
    return false;
}

enum app_next admin_set_clock(struct admin_call *c)
{
    const int64_t none = INT64_MIN;
    int64_t offset_ns = none, advance_ns = none, at_ns = none;
    bool freeze_given, freeze;

    if (!admin_fields(c, c->json, "freeze offset advance") ||
        !admin_field_duration(c, c->json, "offset", true, &offset_ns) ||
        !admin_field_duration(c, c->json, "advance", true, &advance_ns) ||
        !read_freeze(c, &freeze_given, &freeze, &at_ns))
        return APP_REPLY;
    if (!freeze_given && offset_ns == none && advance_ns == none)
        return admin_error(c, 400, "InvalidArgument",
                           "give freeze, offset or advance; DELETE clock resets it");
    if (offset_ns != none)
        clock_set_offset_ns(offset_ns);
    if (freeze_given && freeze)
        clock_freeze_at_ns(at_ns != none ? at_ns : clock_now_ns());
    else if (freeze_given)
        clock_unfreeze();
    if (advance_ns != none)
        clock_advance_ns(advance_ns);
    return admin_show_clock(c);
}

enum app_next admin_reset_clock(struct admin_call *c)
{
    clock_unfreeze();
    clock_set_offset_ns(0);
    return admin_show_clock(c);
}
