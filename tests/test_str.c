/* Room str: views, UTF-8, numbers, maps. */

static void test_str_views(void **state) {
    (void)state;
    assert_true(allm__str_eq(ALLM__S("abc"), allm__str_of("abc")));
    assert_false(allm__str_eq(ALLM__S("abc"), ALLM__S("abd")));
    assert_true(allm__str_eq(allm__str_of(NULL), ALLM__S("")));
    assert_true(allm__str_cmp(ALLM__S("a"), ALLM__S("ab")) < 0);
    assert_true(allm__str_cmp(ALLM__S("b"), ALLM__S("ab")) > 0);
    assert_int_equal(allm__str_cmp(ALLM__S("ab"), ALLM__S("ab")), 0);
    assert_true(allm__str_starts(ALLM__S("abc"), ALLM__S("ab")) && !allm__str_starts(ALLM__S("a"), ALLM__S("ab")));
    assert_true(allm__str_ends(ALLM__S("abc"), ALLM__S("bc")) && !allm__str_ends(ALLM__S("abc"), ALLM__S("ab")));
}

static const struct CMUnitTest test_str[] = {
    cmocka_unit_test(test_str_views),
};
