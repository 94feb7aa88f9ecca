/* Room isa: the list, and that what it says about this machine is what the compiler's own detection says. */

static const allm__isa *test_isa_find(const char *name) {
    for (size_t i = 0; i < ALLM__COUNT(allm__isas); i++)
        if (!strcmp(allm__isas[i].name, name)) return &allm__isas[i];
    return NULL;
}

static void test_isa_list(void **state) {
    (void)state;
    assert_true(ALLM__COUNT(allm__isas) >= 1);
    assert_string_equal(allm__isas[ALLM__COUNT(allm__isas) - 1].name, "scalar"); /* the last choice ... */
    assert_true(allm__isas[ALLM__COUNT(allm__isas) - 1].detect());               /* ... is always there */
    assert_int_equal(ALLM__COUNT(allm__isas), ALLM__COUNT(allm__kerns));         /* a table for each row */
    for (size_t i = 0; i < ALLM__COUNT(allm__isas); i++) {
        assert_ptr_equal(test_isa_find(allm__isas[i].name), &allm__isas[i]);
        assert_int_equal(allm__isas[i].detect(), allm__isas[i].detect());
    }
}

static void test_isa_forced(void **state) {
    (void)state;
    const allm__kern *best = allm__kern_find(NULL);
    assert_non_null(best);
    assert_ptr_equal(allm__kern_find(best->name), best);
    assert_null(allm__kern_find(""));
    assert_null(allm__kern_find("avx3"));
    assert_null(allm__kern_find("AVX2"));
    for (size_t i = 0, n_seen = 0; i < ALLM__COUNT(allm__isas); i++) {
        const allm__kern *k = allm__kern_find(allm__isas[i].name);
        assert_int_equal(k != NULL, allm__isas[i].detect() != 0);
        if (!k) continue;
        assert_string_equal(k->name, allm__isas[i].name);
        if (!n_seen++) assert_ptr_equal(k, best); /* the list has the best first */
    }
}

static void test_isa_detects(void **state) {
    (void)state;
#if defined(ALLM__X86)
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    assert_int_equal(test_isa_find("avx2")->detect() != 0, avx2 != 0);
#ifndef ABSTRACTLLM_NO_AVX512
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("avx512vnni");
    assert_int_equal(test_isa_find("avx512")->detect() != 0, avx512 != 0);
    assert_true(!avx512 || avx2);
#endif
#elif defined(ALLM__ARM64)
    assert_true(test_isa_find("neon")->detect());
#else
    assert_int_equal(ALLM__COUNT(allm__isas), 1);
#endif
}

/* Rounded once, of any numbers; libm's is exact where the compiler's target has no instruction for it, too. */
static void test_isa_fma(void **state) {
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        float a = allm__float((uint32_t)test_random()), b = allm__float((uint32_t)test_random());
        float c = allm__float((uint32_t)test_random());
        if (i % 4 == 1) c = -(a * b);                                        /* what was rounded off is left */
        if (i % 4 == 2)
            a = 1 + ldexpf(1, -12), b = ldexpf(1, -12) * b, c = b * ldexpf(1, (int)(i / 4 % 64)); /* halves */
        if (i % 4 == 3) a = ldexpf(a, -60), b = ldexpf(b, -60), c = ldexpf(c, -100); /* below the normal ones */
        const float want = fmaf(a, b, c), got = allm__fma(a, b, c);
        if (allm__bits(got) != allm__bits(want) && (got == got || want == want))
            fail_msg("%a * %a + %a: %a, not %a", (double)a, (double)b, (double)c, (double)got, (double)want);
    }
}

static const struct CMUnitTest test_isa[] = {
    cmocka_unit_test(test_isa_fma),
    cmocka_unit_test(test_isa_list),
    cmocka_unit_test(test_isa_forced),
    cmocka_unit_test(test_isa_detects),
};
