/* Room plat: what differs between compilers and systems. */

static void test_plat_macros(void **state) {
    (void)state;
    int  three[3]        = {1, 2, 3};
    int  ALLM__JOIN(a, 1) = 5;
    char word[]          = "four";
    assert_int_equal(ALLM__COUNT(three), 3);
    assert_int_equal(ALLM__MIN(three[0], a1), 1);
    assert_int_equal(ALLM__MAX(three[2], a1), 5);
    assert_int_equal(ALLM__COUNT(word), 5);
    ALLM__STATIC(test_plat_sizes, sizeof(int32_t) == 4 && sizeof(float) == 4 && sizeof(double) == 8);
    assert_int_equal(sizeof(allm__static_test_plat_sizes), 1);
}

static void test_plat_atomics(void **state) {
    (void)state;
    int32_t word = 5;
    assert_int_equal(ALLM__LOAD(&word), 5);
    assert_int_equal(ALLM__ADD(&word, -7), -2);
    assert_int_equal(ALLM__SWAP(&word, 9), -2);
    ALLM__STORE(&word, INT32_MAX);
    assert_int_equal(ALLM__ADD(&word, 1), INT32_MIN); /* wraps: the pool counts stages with it */
    ALLM__PAUSE();
}

static void test_plat_clock(void **state) {
    (void)state;
    double from = allm__plat_seconds(), last = from;
    for (int i = 0; i < 100000; i++) {
        double now = allm__plat_seconds();
        assert_true(now >= last);
        last = now;
    }
    usleep(20000);
    double slept = allm__plat_seconds() - last;
    assert_true(slept >= 0.019 && slept < 10);
}

static const struct CMUnitTest test_plat[] = {
    cmocka_unit_test(test_plat_macros),
    cmocka_unit_test(test_plat_atomics),
    cmocka_unit_test(test_plat_clock),
};
