/* SPDX-License-Identifier: MIT */
/* s3_page_token_test.c - continuation tokens come back as they went, and no other text does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "s3/list/page_token.h"

static bool reads_as(struct str token, struct str position)
{
    AUTO_BUF(out, KiB(4));
    return page_token_read(&out, token) && str_eq(buf_str(&out), position);
}

static void test_round_trip(void **state)
{
    (void)state;
    char key[2048];
    random_bytes(key, sizeof(key));
    for (size_t len = 0; len <= sizeof(key); len += len < 20 ? 1 : 169) {
        AUTO_BUF(token, KiB(8));
        page_token_add(&token, str_of(key, len));
        assert_true(reads_as(buf_str(&token), str_of(key, len)));
        for (size_t i = 0; i < token.len; i++)
            assert_non_null(memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-_",
                                   token.ptr[i], 64));
    }
}

static void test_foreign_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "a", "abc", "test_7", "%%%", "A A", "AAAAAB"};
    AUTO_BUF(token, KiB(1));
    AUTO_BUF(out, KiB(1));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_false(page_token_read(&out, str_c(texts[i])));
    page_token_add(&token, STR("some/key"));
    for (size_t i = 0; i < token.len; i++) {
        char kept = token.ptr[i];
        token.ptr[i] = kept == 'A' ? 'B' : 'A';
        assert_false(reads_as(buf_str(&token), STR("some/key")));
        token.ptr[i] = kept;
    }
    assert_true(reads_as(buf_str(&token), STR("some/key")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_foreign_texts),
    };
    return cmocka_run_group_tests_name("s3/page_token", tests, NULL, NULL);
}
