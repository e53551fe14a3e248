/* SPDX-License-Identifier: MIT */
/* base_clock_test.c - offset, freeze and advance; dates out and in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"

#define RFC_EXAMPLE_S                                                                          \
    INT64_C(784111777) /* 1994-11-06 08:49:37, the date of RFC 9110's examples */

static int64_t real_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static bool within(int64_t ns, int64_t of_ns, int64_t tolerance_ns)
{
    return ns - of_ns < tolerance_ns && of_ns - ns < tolerance_ns;
}

static int reset_clock(void **state)
{
    (void)state;
    clock_unfreeze();
    clock_set_offset_ns(0);
    return 0;
}

static void test_running(void **state)
{
    (void)state;
    const int64_t year = 365 * 86400 * NS_PER_S;

    assert_false(clock_is_frozen());
    assert_true(within(clock_now_ns(), real_ns(), 60 * NS_PER_S));
    clock_set_offset_ns(year);
    assert_true(within(clock_now_ns(), real_ns() + year, 60 * NS_PER_S));
    clock_advance_ns(-2 * year);
    assert_true(clock_offset_ns() == -year);
    assert_true(within(clock_now_ns(), real_ns() - year, 60 * NS_PER_S));
    clock_set_offset_ns(INT64_MAX);
    assert_true(clock_now_ns() == INT64_MAX);
    clock_advance_ns(1);
    assert_true(clock_now_ns() == INT64_MAX);
}

static void test_frozen(void **state)
{
    (void)state;
    clock_set_offset_ns(5 * NS_PER_S);
    clock_freeze_at_ns(RFC_EXAMPLE_S * NS_PER_S);
    assert_true(clock_is_frozen());
    assert_true(clock_now_ns() == RFC_EXAMPLE_S * NS_PER_S);
    clock_advance_ns(7);
    assert_true(clock_now_ns() == RFC_EXAMPLE_S * NS_PER_S + 7);
    assert_true(clock_offset_ns() == 5 * NS_PER_S); /* untouched */
    clock_freeze_at_ns(INT64_MIN);
    assert_true(clock_is_frozen());
    clock_advance_ns(INT64_MIN);
    assert_true(clock_is_frozen());
    clock_unfreeze();
    assert_false(clock_is_frozen());
    assert_true(within(clock_now_ns(), real_ns() + 5 * NS_PER_S, 60 * NS_PER_S));
}

static void *advance_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++)
        clock_advance_ns(3);
    return NULL;
}

static void test_advance_from_threads(void **state)
{
    (void)state;
    pthread_t threads[4];

    clock_freeze_at_ns(0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, advance_often, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(clock_now_ns(), 4 * 10000 * 3);
}

static void test_monotonic(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_ns();

    clock_advance_ns(-NS_PER_S * 1000);
    assert_true(clock_monotonic_ns() >= before);
}

static void test_format(void **state)
{
    (void)state;
    char http[HTTP_DATE_SIZE], iso[ISO_DATE_SIZE], amz[AMZ_DATE_SIZE];

    clock_format_http(RFC_EXAMPLE_S * NS_PER_S + 999999999, http);
    assert_string_equal(http, "Sun, 06 Nov 1994 08:49:37 GMT");
    clock_format_iso(RFC_EXAMPLE_S * NS_PER_S + 999999999, iso);
    assert_string_equal(iso, "1994-11-06T08:49:37.000Z");
    clock_format_amz(RFC_EXAMPLE_S * NS_PER_S, amz);
    assert_string_equal(amz, "19941106T084937Z");
    clock_format_http(0, http);
    assert_string_equal(http, "Thu, 01 Jan 1970 00:00:00 GMT");
    clock_format_http(-1, http);
    assert_string_equal(http, "Wed, 31 Dec 1969 23:59:59 GMT");
    clock_format_iso(INT64_MAX, iso);
    assert_string_equal(iso, "2262-04-11T23:47:16.000Z");
    clock_format_iso(INT64_MIN, iso);
    assert_string_equal(iso, "1677-09-21T00:12:43.000Z");
}

/* Against the C library, and back through the parsers. */
static void test_format_and_parse_at_random(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        /* Beyond 1969..2099 gmtime_r is right too, but two-digit years would not be. */
        int64_t unix_s = (int64_t)(random_u64() % (UINT64_C(130) * 365 * 86400)) - 31536000;
        time_t t = (time_t)unix_s;
        char got[HTTP_DATE_SIZE], want[64];
        int64_t back;
        struct tm tm;

        gmtime_r(&t, &tm);
        clock_format_http(unix_s * NS_PER_S, got);
        strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_string_equal(got, want);
        assert_true(clock_parse_http(str_c(got), &back) && back == unix_s * NS_PER_S);
        strftime(want, sizeof(want), "%a %b %e %H:%M:%S %Y", &tm);
        assert_true(clock_parse_http(str_c(want), &back) && back == unix_s * NS_PER_S);
        clock_format_iso(unix_s * NS_PER_S, got);
        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        assert_string_equal(got, want);
        assert_true(clock_parse_iso(str_c(got), &back) && back == unix_s * NS_PER_S);
        clock_format_amz(unix_s * NS_PER_S, got);
        assert_true(clock_parse_amz(str_c(got), &back) && back == unix_s * NS_PER_S);
    }
}

/* Each date is one string, then seconds. */
struct dated {
    const char *text;
    int64_t unix_s;
};

static void test_parse_http(void **state)
{
    (void)state;
    static const struct dated good[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", RFC_EXAMPLE_S},
        {"Sunday, 06-Nov-94 08:49:37 GMT", RFC_EXAMPLE_S},
        {"Sun Nov  6 08:49:37 1994", RFC_EXAMPLE_S},
        {"Wed Nov 16 08:49:37 1994", RFC_EXAMPLE_S + 10 * 86400},
        {"Mon, 06 Nov 1994 08:49:37 GMT", RFC_EXAMPLE_S}, /* was a Sunday */
        {"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800},
        {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800}, /* a leap second */
    };
    static const char *const bad[] = {
        "",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06  Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov +994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "784111777",
        "1994-11-06T08:49:37Z",
    };
    int64_t ns;

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (!clock_parse_http(str_c(good[i].text), &ns) || ns != good[i].unix_s * NS_PER_S)
            fail_msg("'%s' gave %lld", good[i].text, (long long)(ns / NS_PER_S));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (clock_parse_http(str_c(bad[i]), &ns))
            fail_msg("'%s' was taken", bad[i]);
    }
    assert_false(clock_parse_http(STR("Sun, 06 Nov 1994 08:49:37 GMT\0"), &ns));
    assert_false(clock_parse_http(STR_NONE, &ns));
}

/* RFC 9110, 5.6.7. */
static void test_two_digit_years(void **state)
{
    (void)state;
    int64_t now, ns, want;

    assert_true(clock_parse_iso(STR("2026-06-01T00:00:00Z"), &now));
    clock_freeze_at_ns(now);
    assert_true(clock_parse_http(STR("Wednesday, 01-Jan-76 00:00:00 GMT"), &ns));
    assert_true(clock_parse_iso(STR("2076-01-01T00:00:00Z"), &want));
    assert_true(ns == want);
    assert_true(clock_parse_http(STR("Saturday, 01-Jan-77 00:00:00 GMT"), &ns));
    assert_true(clock_parse_iso(STR("1977-01-01T00:00:00Z"), &want));
    assert_true(ns == want);
}

static void test_parse_iso(void **state)
{
    (void)state;
    static const struct dated good[] = {
        {"2009-10-12T17:50:30Z", 1255369830},
        {"2009-10-12T17:50:30.000Z", 1255369830},
        {"2009-10-12T19:50:30+02:00", 1255369830},
        {"2009-10-12T09:20:30-08:30", 1255369830},
        {"1969-12-31T23:59:59Z", -1},
    };
    static const char *const bad[] = {
        "",
        "2009-10-12",
        "2009-10-12T17:50:30",
        "2009-10-12 17:50:30Z",
        "2009-10-12T17:50Z",
        "2009-10-12T17:50:30.Z",
        "2009-10-12T17:50:30ZZ",
        "2009-10-12T17:50:30+0200",
        "2009-10-12T17:50:30+24:00",
        "2009-10-12T17:50:30+02:60",
        "2009-10-12T17:50:60Z",
        "2009-10-12T24:00:00Z",
        "2009-13-01T00:00:00Z",
        "2009-00-01T00:00:00Z",
        "2009-02-29T00:00:00Z",
        "2009-10-00T00:00:00Z",
        "09-10-12T17:50:30Z",
        "-009-10-12T17:50:30Z",
        "2009-1-12T17:50:30Z",
        "20091012T175030Z",
    };
    int64_t ns;

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (!clock_parse_iso(str_c(good[i].text), &ns) || ns != good[i].unix_s * NS_PER_S)
            fail_msg("'%s' gave %lld", good[i].text, (long long)(ns / NS_PER_S));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (clock_parse_iso(str_c(bad[i]), &ns))
            fail_msg("'%s' was taken", bad[i]);
    }
    assert_true(clock_parse_iso(STR("1970-01-01T00:00:00.5Z"), &ns) && ns == 500000000);
    assert_true(clock_parse_iso(STR("1970-01-01T00:00:00.0000000019999Z"), &ns) && ns == 1);
    assert_true(clock_parse_iso(STR("1969-12-31T23:59:59.25Z"), &ns) && ns == -750000000);
}

static void test_out_of_range_is_clamped(void **state)
{
    (void)state;
    int64_t ns;

    assert_true(clock_parse_iso(STR("9999-12-31T23:59:59Z"), &ns) && ns == INT64_MAX);
    assert_true(clock_parse_http(STR("Fri, 31 Dec 9999 23:59:59 GMT"), &ns) && ns == INT64_MAX);
    assert_true(clock_parse_iso(STR("0000-01-01T00:00:00Z"), &ns) && ns == INT64_MIN);
    assert_true(clock_parse_iso(STR("2262-04-11T23:47:16.854775807Z"), &ns) && ns == INT64_MAX);
    assert_true(clock_parse_iso(STR("2262-04-11T23:47:16.854775808Z"), &ns) && ns == INT64_MAX);
    assert_true(clock_parse_iso(STR("2262-04-11T23:47:15.1Z"), &ns) && ns < INT64_MAX);
}

static void test_parse_amz(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "20150830",
        "20150830T123600",
        "20150830T123600z",
        "20150830t123600Z",
        "20150830T123600Z ",
        "20150830T12:36:00Z",
        "20150830T1236Z",
        "20150230T123600Z",
        "20150830T243600Z",
        "20150830T123660Z",
        "2015-08-30T12:36:00Z",
        "20150830T1236000Z",
        "2015083 T123600Z",
    };
    int64_t ns;

    assert_true(clock_parse_amz(STR("20150830T123600Z"), &ns));
    assert_true(ns == 1440938160 * NS_PER_S);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (clock_parse_amz(str_c(bad[i]), &ns))
            fail_msg("'%s' was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_running, reset_clock),
        cmocka_unit_test_teardown(test_frozen, reset_clock),
        cmocka_unit_test_teardown(test_advance_from_threads, reset_clock),
        cmocka_unit_test_teardown(test_monotonic, reset_clock),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_format_and_parse_at_random),
        cmocka_unit_test(test_parse_http),
        cmocka_unit_test_teardown(test_two_digit_years, reset_clock),
        cmocka_unit_test(test_parse_iso),
        cmocka_unit_test(test_out_of_range_is_clamped),
        cmocka_unit_test(test_parse_amz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
