/* Room quant: every format of the list against golden vectors, quantisers against the golden errors. */

static char *test_quant_file(const char *folder, const allm__fmt *f, const char *suffix, size_t *n) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s%s", folder, f->name, suffix);
    for (char *c = path + strlen(folder); *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    return test_golden(path, n);
}

static void test_quant_dequantises(void **state) {
    (void)state;
    int n_checked = 0;
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++) {
        const allm__fmt *f = &allm__fmts[i];
        size_t           n_raw, n_want;
        if (!f->dequant || (f->n_weights == 1 && f->id != ALLM__F16 && f->id != ALLM__BF16)) continue; /* below */
        char   *raw = test_quant_file("dequant", f, ".raw.bin", &n_raw);
        char   *want = test_quant_file("dequant", f, ".f32.bin", &n_want);
        int64_t n = (int64_t)(n_raw / (size_t)f->n_bytes) * f->n_weights;
        assert_int_equal(n_raw % (size_t)f->n_bytes, 0);
        assert_int_equal(n_want, n * 4);
        for (size_t shift = 0; shift < 2; shift++) { /* also from an odd address that ends at a forbidden page */
            test_guard g   = test_guard_new(n_raw + shift);
            float     *got = (float *)malloc(n_want);
            memcpy(g.ptr, raw, n_raw);
            f->dequant(g.ptr, got, n);
            for (int64_t k = 0; k < n; k++)
                if (allm__bits(got[k]) != allm__bits(((float *)(void *)want)[k]))
                    fail_msg("%s[%d]: %a, not %a", f->name, (int)k, (double)got[k], (double)((float *)(void *)want)[k]);
            free(got);
            test_guard_free(&g);
        }
        free(raw), free(want);
        n_checked++;
    }
    assert_int_equal(n_checked, allm__fmt_find(ALLM__IQ1_S)->dequant ? 29 : 22);
}

static void test_quant_list(void **state) {
    (void)state;
    static const int32_t absent[] = {-1, 4, 5, 31, 32, 33, 36, 37, 38, 43, 97, 137, 200, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < ALLM__COUNT(absent); i++) assert_null(allm__fmt_find(absent[i]));
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++) {
        const allm__fmt *f = &allm__fmts[i];
        assert_ptr_equal(allm__fmt_find(f->id), f); /* no id twice */
        assert_true(f->n_weights > 0 && f->n_bytes > 0 && f->name[0]);
        if (f->n_weights == 1 || !f->dequant) continue;
        double bits = 8.0 * f->n_bytes / f->n_weights;
        assert_true(bits > 1 && bits < 9.2);
    }
    /* Block bytes, from the table of the format's specification. */
    static const struct { int32_t id, n_weights, n_bytes; } known[] = {
        {0, 1, 4},      {1, 1, 2},     {2, 32, 18},    {3, 32, 20},   {6, 32, 22},    {7, 32, 24},   {8, 32, 34},
        {9, 32, 36},    {10, 256, 84}, {11, 256, 110}, {12, 256, 144}, {13, 256, 176}, {14, 256, 210}, {15, 256, 292},
        {16, 256, 66},  {17, 256, 74}, {18, 256, 98},  {19, 256, 50}, {20, 32, 18},   {21, 256, 110}, {22, 256, 82},
        {23, 256, 136}, {24, 1, 1},    {25, 1, 2},     {26, 1, 4},    {27, 1, 8},     {28, 1, 8},    {29, 256, 56},
        {30, 1, 2},     {34, 256, 54}, {35, 256, 66},  {39, 32, 17},  {40, 64, 36},   {41, 128, 18}, {42, 64, 18},
    };
    assert_int_equal(ALLM__COUNT(known), ALLM__COUNT(allm__fmts));
    for (size_t i = 0; i < ALLM__COUNT(known); i++) {
        const allm__fmt *f = allm__fmt_find(known[i].id);
        assert_non_null(f);
        assert_int_equal(f->n_weights, known[i].n_weights);
        assert_int_equal(f->n_bytes, known[i].n_bytes);
        assert_true(f->dequant || !strncmp(f->name, "IQ", 2));
    }
}

/* Numbers that are no weights, and what every format must leave alone: the integers and doubles have no golden file. */
static void test_quant_numbers(void **state) {
    (void)state;
    static const uint8_t raw[] = {0x80, 0x7f, 0xff, 0x00, 0x01, 0x00, 0x00, 0x80,
                                  0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    float                got[16];
    allm__dequant_i8(raw, got, 4);
    assert_true(got[0] == -128 && got[1] == 127 && got[2] == -1 && got[3] == 0);
    allm__dequant_i16(raw, got, 4);
    assert_true(got[0] == 0x7f80 && got[1] == 255 && got[2] == 1 && got[3] == -32768);
    allm__dequant_i32(raw, got, 3);
    assert_true(got[0] == (float)0x00ff7f80 && got[1] == -2147483647.0f && got[2] == -2);
    allm__dequant_i64(raw + 8, got, 1);
    assert_true(got[0] == -2);
    static const double x[] = {0, -1.5, 1e-300, 3.1415926535897931, 1e300};
    allm__dequant_f64(x, got, 5); /* little-endian, as here */
    assert_true(got[0] == 0 && got[1] == -1.5f && got[2] == 0 && got[3] == 3.14159274f && isinf(got[4]));
}

/* The small floats against their definition, and the numbers a code stands for at its ends. */
static void test_quant_small_floats(void **state) {
    (void)state;
    static const struct { int32_t id; int n_bits, e_bits, bias; double top; } rows[] = {
        {ALLM__F4, 4, 2, 1, 6}, {ALLM__F6_E2M3, 6, 2, 1, 7.5}, {ALLM__F6_E3M2, 6, 3, 3, 28},
        {ALLM__F8_E4M3, 8, 4, 7, 448}, {ALLM__F8_E5M2, 8, 5, 15, 57344}, {ALLM__F8_E4M3FNUZ, 8, 4, 8, 240},
        {ALLM__F8_E5M2FNUZ, 8, 5, 16, 57344},
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        const allm__fmt *f   = allm__fmt_of(rows[i].id);
        double           top = 0;
        assert_non_null(f);
        for (int code = 0; code < 1 << rows[i].n_bits; code++) {
            uint8_t  raw[3] = {0, 0, 0};
            float    got[4];
            int      at     = f->n_weights - 1, m_bits = rows[i].n_bits - 1 - rows[i].e_bits; /* the last of a block */
            uint32_t packed = (uint32_t)code << at * rows[i].n_bits;
            for (int k = 0; k < f->n_bytes; k++) raw[k] = (uint8_t)(packed >> 8 * k);
            f->dequant(raw, got, f->n_weights);
            int    e = code >> m_bits & ((1 << rows[i].e_bits) - 1), m = code & ((1 << m_bits) - 1);
            double want = ldexp(e ? 1 + ldexp(m, -m_bits) : ldexp(m, 1 - m_bits), e - rows[i].bias);
            if (code >> (rows[i].n_bits - 1)) want = -want;
            if (isnan(got[at]) || isinf(got[at])) continue;
            if ((double)got[at] != want) fail_msg("%s %d: %g, not %g", f->name, code, (double)got[at], want);
            top = fmax(top, want);
        }
        if (top != rows[i].top) fail_msg("%s: up to %g, not %g", f->name, top, rows[i].top);
    }
    assert_null(allm__fmt_find(ALLM__U8)); /* not a type of GGUF */
}

/* Every row of the codebooks: the golden blocks do not meet all of them. */
static void test_quant_codebooks(void **state) {
    (void)state;
#ifndef ABSTRACTLLM_NO_IQ
    static const struct { const char *name; const uint16_t *rows; size_t n; } grids[] = {
        {"iq1s", allm__iq1_s_grid, ALLM__COUNT(allm__iq1_s_grid)},
        {"iq2xxs", allm__iq2_xxs_grid, ALLM__COUNT(allm__iq2_xxs_grid)},
        {"iq2xs", allm__iq2_xs_grid, ALLM__COUNT(allm__iq2_xs_grid)},
        {"iq2s", allm__iq2_s_grid, ALLM__COUNT(allm__iq2_s_grid)},
        {"iq3xxs", allm__iq3_xxs_grid, ALLM__COUNT(allm__iq3_xxs_grid)},
        {"iq3s", allm__iq3_s_grid, ALLM__COUNT(allm__iq3_s_grid)},
    };
    for (size_t i = 0; i < ALLM__COUNT(grids); i++) {
        char   name[80];
        size_t n;
        snprintf(name, sizeof name, "dequant/tables/%s_grid_packed.bin", grids[i].name);
        char *want = test_golden(name, &n);
        assert_int_equal(n, 2 * grids[i].n);
        for (size_t k = 0; k < grids[i].n; k++) assert_int_equal(grids[i].rows[k], allm__load_u16(want + 2 * k));
        free(want);
    }
    size_t n;
    char  *signs = test_golden("dequant/tables/ksigns.bin", &n);
    for (unsigned k = 0; k < 128; k++) assert_int_equal(allm__iq_signs(k), (uint8_t)signs[k]);
    free(signs);
#endif
}

/* Root mean square error over rows 0-19 of the golden matrix, after quant and dequant. */
static double test_quant_rmse(const allm__fmt *f, const float *x, float *back, size_t n) {
    uint8_t *raw = (uint8_t *)malloc(n / (size_t)f->n_weights * (size_t)f->n_bytes);
    double   sum = 0;
    f->quant(x, raw, (int64_t)n);
    f->dequant(raw, back, (int64_t)n);
    free(raw);
    for (size_t i = 0; i < 20 * 768; i++) sum += ((double)back[i] - (double)x[i]) * ((double)back[i] - (double)x[i]);
    return sqrt(sum / (20 * 768));
}

/* The bar of a format: the first "rmse" after its name with "imatrix": false. */
static double test_quant_bar(const char *json, const allm__fmt *f) {
    char key[64];
    snprintf(key, sizeof key, "\"type\": \"%s\",", f->name);
    for (const char *at = json; (at = strstr(at, key)); at++) {
        const char *imatrix = strstr(at, "\"imatrix\": "), *rmse = strstr(at, "\"rmse\": ");
        if (imatrix && rmse && !strncmp(imatrix + 11, "false", 5)) return strtod(rmse + 8, NULL);
    }
    return -1;
}

static void test_quant_quantises(void **state) {
    (void)state;
    size_t n_json, n_matrix;
    char  *json = test_golden("dequant/quantise/quantise.json", &n_json);
    float *x    = (float *)(void *)test_golden("dequant/quantise/matrix.bin", &n_matrix);
    size_t n    = n_matrix / 4;
    float *back = (float *)malloc(n_matrix);
    assert_int_equal(n, 32 * 768);
    printf("             rmse of ours and of llama.cpp:");
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++) {
        const allm__fmt *f = &allm__fmts[i];
        if (!f->quant) continue;
        double bar = test_quant_bar(json, f), rmse = test_quant_rmse(f, x, back, n);
        if (f->id == ALLM__F32) bar = 0;
        printf("%s %s %.9f %.9f", i ? "," : "", f->name, rmse, bar);
        if (bar < 0) fail_msg("no bar for %s", f->name);
        if (rmse > bar * (1 + 1e-6)) fail_msg("%s: rmse %.9g, at most %.9g", f->name, rmse, bar);
        for (size_t k = 0; k < n; k++) {
            if (!isfinite(back[k])) fail_msg("%s: not finite at %d", f->name, (int)k);
            if (k / 768 == 26 && back[k] != 0) fail_msg("%s: the zero row is not zero", f->name);
        }
    }
    printf("\n");
    free(json), free(x), free(back);
}

/* What no quantiser may do with odd input: trap, hang, write elsewhere. Values of the float formats survive. */
static void test_quant_extremes(void **state) {
    (void)state;
    static const float odd[] = {0,        -0.0f,    1e-45f,    -1e-40f, 1e-30f, FLT_MAX,
                                -FLT_MAX, INFINITY, -INFINITY, NAN,     65504,  1e5f};
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++) {
        const allm__fmt *f = &allm__fmts[i];
        if (!f->quant) continue;
        for (int round = 0; round < 200; round++) {
            float      x[256], back[256];
            test_guard g = test_guard_new((size_t)(256 / f->n_weights * f->n_bytes));
            for (int k = 0; k < 256; k++)
                x[k] = round < (int)ALLM__COUNT(odd) ? odd[round] : odd[test_random_below(ALLM__COUNT(odd))];
            f->quant(x, g.ptr, 256);
            f->dequant(g.ptr, back, 256);
            for (int k = 0; k < 256 && f->id == ALLM__F32; k++) assert_true(allm__bits(x[k]) == allm__bits(back[k]));
            test_guard_free(&g);
        }
    }
}

static const struct CMUnitTest test_quant[] = {
    cmocka_unit_test(test_quant_list),        cmocka_unit_test(test_quant_numbers),
    cmocka_unit_test(test_quant_dequantises), cmocka_unit_test(test_quant_quantises),
    cmocka_unit_test(test_quant_extremes),    cmocka_unit_test(test_quant_small_floats),
    cmocka_unit_test(test_quant_codebooks),
};
