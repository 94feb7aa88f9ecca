/* Room num: number formats and random numbers. The oracles compute in double, from the definitions. */

static float test_num_f16_slowly(uint16_t h) {
    int    e = h >> 10 & 31, m = h & 1023;
    double v = e == 31 ? m ? NAN : INFINITY : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return (float)(h >> 15 ? -v : v);
}

/* The nearest of a binary format with n_bits of fraction and the given exponents, half to even; as a double. */
static double test_num_nearest(double v, int n_bits, int e_min, int e_max) {
    int    e    = v == 0 ? e_min : ALLM__MAX(ilogb(v), e_min);
    double near = ldexp(rint(ldexp(v, n_bits - e)), e - n_bits);
    return fabs(near) >= ldexp(1, e_max + 1) ? copysign(INFINITY, v) : near;
}

static void test_num_f16_all(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t h    = (uint16_t)i;
        float    want = test_num_f16_slowly(h), got = allm__f16_to_f32(h);
        if (isnan(want)) {
            assert_true(isnan(got));
            assert_int_equal(allm__bits(got) >> 31, h >> 15);
            assert_int_equal(allm__bits(got) >> 13 & 1023, h & 1023);           /* the payload */
            assert_int_equal(allm__f32_to_f16(got), h | 0x200);                 /* and it comes back, quiet */
        } else {
            if (allm__bits(want) != allm__bits(got)) fail_msg("f16 %04x: %g, not %g", h, (double)got, (double)want);
            if (allm__f32_to_f16(got) != h) fail_msg("f16 %04x comes back as %04x", h, allm__f32_to_f16(got));
        }
    }
}

static void test_num_f16_as_oracle(float f) {
    float want = (float)test_num_nearest((double)f, 10, -14, 15), got = allm__f16_to_f32(allm__f32_to_f16(f));
    if (allm__bits(want) != allm__bits(got)) fail_msg("%a: %a, not %a", (double)f, (double)got, (double)want);
}

static void test_num_f16_rounds(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 0x7c00; i++) { /* at, below and above the middle of two neighbours */
        float a = test_num_f16_slowly((uint16_t)i), b = i == 0x7bff ? 65536.0f : test_num_f16_slowly((uint16_t)(i + 1));
        float middle = (a + b) / 2;
        test_num_f16_as_oracle(middle), test_num_f16_as_oracle(-middle);
        test_num_f16_as_oracle(nextafterf(middle, 0)), test_num_f16_as_oracle(nextafterf(middle, INFINITY));
    }
    for (int i = 0; i < 300000; i++) {
        float f = allm__float((uint32_t)test_random());
        if (!isnan(f)) test_num_f16_as_oracle(f);
        f = ldexpf((float)test_random_below(1 << 24), (int)test_random_below(50) - 48);
        test_num_f16_as_oracle(f);
    }
    test_num_f16_as_oracle(INFINITY), test_num_f16_as_oracle(-INFINITY), test_num_f16_as_oracle(-0.0f);
    test_num_f16_as_oracle(FLT_MAX), test_num_f16_as_oracle(FLT_MIN), test_num_f16_as_oracle(allm__float(1));
    for (uint32_t u = 0x7f800001; u < 0x80000000 && u > 0x7f000000; u += 4099) { /* every NaN stays one */
        assert_int_equal(allm__f32_to_f16(allm__float(u)) & 0x7e00, 0x7e00);
        assert_int_equal(allm__f32_to_f16(allm__float(u | 0x80000000)) & 0xfe00, 0xfe00);
    }
}

static void test_num_bf16_all(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t h = (uint16_t)i;
        float    f = allm__bf16_to_f32(h);
        assert_int_equal(allm__bits(f), i << 16);
        uint16_t back = allm__f32_to_bf16(f);
        if (isnan(f)) assert_int_equal(back, h | 64);
        else assert_int_equal(back, h);
    }
}

static void test_num_bf16_rounds(void **state) {
    (void)state;
    for (int i = 0; i < 500000; i++) {
        uint32_t u = (uint32_t)test_random();
        if (i % 4 == 0) u = (u & 0xffff0000) | 0x8000; /* ties */
        float f = allm__float(u);
        if (isnan(f)) {
            assert_true(isnan(allm__bf16_to_f32(allm__f32_to_bf16(f))));
            continue;
        }
        float want = (float)test_num_nearest((double)f, 7, -126, 127), got = allm__bf16_to_f32(allm__f32_to_bf16(f));
        if (allm__bits(want) != allm__bits(got)) fail_msg("%a: %a, not %a", (double)f, (double)got, (double)want);
    }
    assert_true(isnan(allm__bf16_to_f32(allm__f32_to_bf16(allm__float(0x7f800001))))); /* not infinity */
    assert_true(isinf(allm__bf16_to_f32(allm__f32_to_bf16(FLT_MAX))));
}

static void test_num_load(void **state) {
    (void)state;
    static const unsigned char bytes[] = {9, 0x34, 0x12, 0x00, 0x00, 0xc0, 0x3f, 9};
    assert_int_equal(allm__load_u16(bytes + 1), 0x1234);
    assert_true(allm__load_f32(bytes + 3) == 1.5f); /* unaligned */
    assert_int_equal(allm__bits(-0.0f), 0x80000000);
    assert_true(allm__float(0x3fc00000) == 1.5f);
}

static void test_num_random(void **state) {
    (void)state;
    /* SplitMix64 from state 0, as published with the algorithm. */
    assert_true(allm__mix64(0) == 0xE220A8397B1DCDAF);
    assert_true(allm__mix64(0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4);
    assert_true(allm__mix64(0x3C6EF372FE94F82A) == 0x06C45D188009454F);
    double sum = 0, sum2 = 0, low = 1, high = 0;
    int    bins[16] = {0};
    enum { N = 160000 };
    for (int i = 0; i < N; i++) {
        double u = allm__random(7, (uint64_t)i, 0);
        sum += u, sum2 += u * u, low = fmin(low, u), high = fmax(high, u), bins[(int)(16 * u)]++;
        assert_true(u == allm__random(7, (uint64_t)i, 0));
    }
    assert_true(low >= 0 && low < 1e-3 && high < 1 && high > 0.999);
    assert_true(fabs(sum / N - 0.5) < 0.004 && fabs(sum2 / N - 1.0 / 3) < 0.004);
    for (int i = 0; i < 16; i++) assert_true(abs(bins[i] - N / 16) < 500); /* five sigma */
    /* Seeds, steps and streams do not share a sequence. */
    double together = 0;
    for (uint64_t i = 0; i < 40000; i++) {
        together += (allm__random(1, i, 0) - 0.5) * (allm__random(2, i, 0) - 0.5);
        together += (allm__random(1, i, 0) - 0.5) * (allm__random(1, i, 1) - 0.5);
        together += (allm__random(1, i, 0) - 0.5) * (allm__random(1, i + 1, 0) - 0.5);
    }
    assert_true(fabs(together / 120000) < 0.002);
    assert_true(allm__random(0, 0, 0) != allm__random(0, 0, 1) && allm__random(0, 0, 0) != allm__random(1, 0, 0));
}

/* All 256 values of each 8-bit format against the definitions of OFP8 and MX. */
static void test_num_8_bits_all(void **state) {
    (void)state;
    for (int i = 0; i < 256; i++) {
        uint8_t b  = (uint8_t)i;
        int     e4 = i >> 3 & 15, m3 = i & 7, e5 = i >> 2 & 31, m2 = i & 3;
        double  sign = i & 128 ? -1 : 1;
        double  e4m3 = (i & 127) == 127 ? NAN : sign * ldexp(e4 ? 1 + m3 / 8.0 : m3 / 8.0, e4 ? e4 - 7 : -6);
        double  e5m2 = sign * ldexp(e5 ? 1 + m2 / 4.0 : m2 / 4.0, e5 ? e5 - 15 : -14);
        double  e8m0 = i == 255 ? NAN : ldexp(1, i - 127);
        if (e5 == 31) e5m2 = m2 ? NAN : sign * INFINITY;
        const struct { const char *name; double want; float got; } rows[] = {
            {"e4m3", e4m3, allm__fp8_e4m3_to_f32(b)},
            {"e5m2", e5m2, allm__fp8_e5m2_to_f32(b)},
            {"e8m0", e8m0, allm__e8m0_to_f32(b)},
        };
        for (size_t k = 0; k < ALLM__COUNT(rows); k++) {
            double got  = (double)rows[k].got, want = rows[k].want;
            int    same = isnan(want) ? isnan(got) : got == want && !signbit(got) == !signbit(want);
            if (!same) fail_msg("%s 0x%02x: %a, not %a", rows[k].name, i, (double)rows[k].got, rows[k].want);
        }
    }
    /* the ends, as the specification has them */
    assert_true(allm__fp8_e4m3_to_f32(0x7e) == 448 && allm__fp8_e4m3_to_f32(0x01) == 0x1p-9f);
    assert_true(allm__fp8_e5m2_to_f32(0x7b) == 57344 && allm__fp8_e5m2_to_f32(0x01) == 0x1p-16f);
    assert_true(isinf(allm__fp8_e5m2_to_f32(0xfc)) && allm__fp8_e5m2_to_f32(0xfc) < 0);
    assert_true(allm__e8m0_to_f32(0) == 0x1p-127f && allm__e8m0_to_f32(254) == 0x1p127f);
}

static const struct CMUnitTest test_num[] = {
    cmocka_unit_test(test_num_8_bits_all),
    cmocka_unit_test(test_num_f16_all),     cmocka_unit_test(test_num_f16_rounds), cmocka_unit_test(test_num_bf16_all),
    cmocka_unit_test(test_num_bf16_rounds), cmocka_unit_test(test_num_load),       cmocka_unit_test(test_num_random),
};
