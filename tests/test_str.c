/* Room str: views, UTF-8, numbers, maps. Numbers are compared with the libc's strtod and printf (locale "C"). */

static void test_str_views(void **state) {
    (void)state;
    assert_true(allm__str_eq(ALLM__S("abc"), allm__str_of("abc")));
    assert_false(allm__str_eq(ALLM__S("abc"), ALLM__S("abd")));
    assert_false(allm__str_eq(ALLM__S("abc"), ALLM__S("ab")));
    assert_true(allm__str_eq(ALLM__S("a\0b"), allm__str("a\0b", 3)));
    assert_true(allm__str_eq(allm__str_of(NULL), ALLM__S("")));
    assert_int_equal(ALLM__S("a\0b").len, 3);
    assert_true(allm__str_cmp(ALLM__S("a"), ALLM__S("ab")) < 0);
    assert_true(allm__str_cmp(ALLM__S("b"), ALLM__S("ab")) > 0);
    assert_true(allm__str_cmp(ALLM__S("\xff"), ALLM__S("a")) > 0); /* bytes are unsigned */
    assert_true(allm__str_cmp(allm__str(NULL, 0), ALLM__S("a")) < 0);
    assert_int_equal(allm__str_cmp(ALLM__S("ab"), ALLM__S("ab")), 0);
    assert_true(allm__str_starts(ALLM__S("abc"), ALLM__S("ab")) && !allm__str_starts(ALLM__S("a"), ALLM__S("ab")));
    assert_true(allm__str_starts(ALLM__S("abc"), ALLM__S("")) && !allm__str_starts(ALLM__S("abc"), ALLM__S("b")));
    assert_true(allm__str_ends(ALLM__S("abc"), ALLM__S("bc")) && !allm__str_ends(ALLM__S("abc"), ALLM__S("ab")));
    assert_true(allm__str_ends(ALLM__S("abc"), ALLM__S("")) && !allm__str_ends(ALLM__S("c"), ALLM__S("bc")));
}

static size_t test_str_find_slowly(allm_str s, allm_str needle, size_t from) {
    for (size_t i = from; i <= s.len && needle.len <= s.len - i; i++)
        if (!needle.len || !memcmp(s.ptr + i, needle.ptr, needle.len)) return i;
    return SIZE_MAX;
}

static void test_str_find(void **state) {
    (void)state;
    char text[16], needle[4];
    for (int i = 0; i < 50000; i++) {
        size_t n = (size_t)test_random_below(sizeof text), k = (size_t)test_random_below(sizeof needle);
        for (size_t j = 0; j < n; j++) text[j] = "ab\0"[test_random_below(3)];
        for (size_t j = 0; j < k; j++) needle[j] = "ab\0"[test_random_below(3)];
        for (size_t from = 0; from < n + 3; from++)
            assert_int_equal(allm__str_find(allm__str(text, n), allm__str(needle, k), from),
                             test_str_find_slowly(allm__str(text, n), allm__str(needle, k), from));
    }
    assert_int_equal(allm__str_find(ALLM__S("abc"), ALLM__S("c"), SIZE_MAX), SIZE_MAX);
    assert_int_equal(allm__str_find(ALLM__S(""), ALLM__S(""), 0), 0);
}

/* ---- UTF-8 */

/* Table 3-7 of the Unicode standard, written as it stands there: the oracle. */
static const unsigned char test_str_table_3_7[][9] = {
    /* n, then first..last of each byte */
    {1, 0x00, 0x7f},
    {2, 0xc2, 0xdf, 0x80, 0xbf},
    {3, 0xe0, 0xe0, 0xa0, 0xbf, 0x80, 0xbf},
    {3, 0xe1, 0xec, 0x80, 0xbf, 0x80, 0xbf},
    {3, 0xed, 0xed, 0x80, 0x9f, 0x80, 0xbf},
    {3, 0xee, 0xef, 0x80, 0xbf, 0x80, 0xbf},
    {4, 0xf0, 0xf0, 0x90, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
    {4, 0xf1, 0xf3, 0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
    {4, 0xf4, 0xf4, 0x80, 0x8f, 0x80, 0xbf, 0x80, 0xbf},
};

/* Length of the sequence or of the maximal subpart at p; *whole tells which. */
static size_t test_str_sequence(const unsigned char *p, size_t n, int *whole) {
    size_t longest = 1;
    for (size_t r = 0; r < ALLM__COUNT(test_str_table_3_7); r++) {
        const unsigned char *row = test_str_table_3_7[r];
        size_t               k   = 0;
        while (k < row[0] && k < n && p[k] >= row[1 + 2 * k] && p[k] <= row[2 + 2 * k]) k++;
        *whole = k == row[0];
        if (*whole) return k;
        longest = ALLM__MAX(longest, k);
    }
    return longest;
}

static void test_str_utf8_check(const unsigned char *p, size_t n) {
    int     whole;
    int32_t cp  = -2;
    size_t  len = test_str_sequence(p, n, &whole), got = allm__utf8_next((const char *)p, n, &cp);
    if (got != len || (cp >= 0) != whole)
        fail_msg("%02x %02x %02x %02x, %zu bytes: length %zu, not %zu; code point %d", p[0], p[1], p[2], p[3], n, got,
                 len, (int)cp);
    if (whole) {
        char u[4];
        if (allm__utf8_put(u, cp) != len || memcmp(u, p, len) != 0) fail_msg("U+%04X does not come back", (unsigned)cp);
    }
}

static void test_str_utf8_all(void **state) {
    (void)state;
    for (int32_t cp = 0, back; cp <= 0x10ffff; cp++) {
        char u[4];
        if (cp >= 0xd800 && cp <= 0xdfff) continue;
        size_t n = allm__utf8_put(u, cp);
        if (allm__utf8_next(u, n, &back) != n || back != cp) fail_msg("U+%04X", (unsigned)cp);
    }
}

/* Every three bytes, cut at every length; the fourth from its borders. */
static void test_str_utf8_malformed(void **state) {
    (void)state;
    static const unsigned char ends[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    for (unsigned v = 0; v < 1u << 16; v++) {
        unsigned char p[4] = {(unsigned char)(v >> 8), (unsigned char)v, 0, 0};
        test_str_utf8_check(p, 1);
        test_str_utf8_check(p, 2);
        if (p[0] < 0xc0) continue; /* all is said by the first byte */
        for (unsigned c = 0; c < 256; c++) {
            p[2] = (unsigned char)c;
            test_str_utf8_check(p, 3);
            if (p[0] < 0xf0) continue;
            for (size_t i = 0; i < ALLM__COUNT(ends); i++) p[3] = ends[i], test_str_utf8_check(p, 4);
        }
    }
}

static void test_str_utf8_bad(void **state) {
    (void)state;
    assert_int_equal(allm__utf8_bad(ALLM__S("")), SIZE_MAX);
    assert_int_equal(allm__utf8_bad(ALLM__S("gr\xc3\xbc\xc3\x9f\0x")), SIZE_MAX);
    assert_int_equal(allm__utf8_bad(ALLM__S("ab\xff")), 2);
    assert_int_equal(allm__utf8_bad(ALLM__S("\xe4\xb8")), 0);
    assert_int_equal(allm__utf8_bad(ALLM__S("x\xed\xa0\x80")), 1);
    test_guard g = test_guard_new(3); /* nothing behind the end is read */
    memcpy(g.ptr, "ab\xf0", 3);
    assert_int_equal(allm__utf8_bad(allm__str((char *)g.ptr, 3)), 2);
    test_guard_free(&g);
}

static void test_str_put_cp(void **state) {
    (void)state;
    test_heap  m = {0};
    allm__host h = test_host(&m);
    allm__buf  b = {.host = &h};
    allm__buf_put_cp(&b, 'a'), allm__buf_put_cp(&b, 0xfc), allm__buf_put_cp(&b, 0x4e2d), allm__buf_put_cp(&b, 0x1f600);
    assert_string_equal(allm__buf_text(&b), "a\xc3\xbc\xe4\xb8\xad\xf0\x9f\x98\x80");
    allm__buf_free(&b);
    test_heap_check(&m);
}

/* ---- numbers */

static uint64_t test_str_bits(double v) {
    uint64_t u;
    memcpy(&u, &v, 8);
    return u;
}

static double test_str_random_double(void) { /* finite, every exponent */
    for (;;) {
        uint64_t u = test_random();
        double   v;
        memcpy(&v, &u, 8);
        if (isfinite(v)) return v;
    }
}

static void test_str_parse_as_libc(const char *text) {
    double got  = 77;
    int    over = 77;
    double want = strtod(text, NULL);
    if (!allm__num_parse(allm__str_of(text), &got, &over)) fail_msg("%s is not read", text);
    if (test_str_bits(got) != test_str_bits(want) || over != (isinf(want) != 0))
        fail_msg("%s: %.17g, not %.17g; over %d", text, got, want, over);
}

static void test_str_num_parse(void **state) {
    (void)state;
    static const char *const rows[] = {
        "0", "-0", "+0", "1", "-1", "+1", ".5", "5.", "0.1", "1e0", "1E5", "1e+5", "1e-5", "00012.500", "1e22", "1e23",
        "123456789012345678", "9007199254740992", "9007199254740993", "9007199254740993.000000000000000000000001",
        "9007199254740994.9999999999999999999999", "1e308", "1.7976931348623157e308", "1.7976931348623158e308",
        "1.797693134862315807e308", "1.797693134862315809e308", "1e309", "-1e309", "1e99999", "1e-99999",
        "0e99999", "0.0000000000000000000000000000000000001e340", "2.2250738585072011e-308", "2.2250738585072014e-308",
        "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "1e-324", "1e-400", "5e-324",
        "1e00000000000000000000005", "1e-00000000000000000000005",
        /* half way from the largest double to what would be the next */
        "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490179775872070"
        "9633028641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447"
        "5730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904"
        "174497792",
        "1e-1000000000000000000000000", "1e1000000000000000000000000"};
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) test_str_parse_as_libc(rows[i]);
    static const char *const not_numbers[] = {"", "+", "-", ".", "e5", ".e5", "1e", "1e+", "1e-", "1..2", "1.2.3", " 1",
                                              "1 ", "0x10", "nan", "inf", "1,5", "--1", "+-1", "1e5.0", "1f", "1e5e5"};
    for (size_t i = 0; i < ALLM__COUNT(not_numbers); i++) {
        double v;
        int    over;
        if (allm__num_parse(allm__str_of(not_numbers[i]), &v, &over)) fail_msg("\"%s\" is read", not_numbers[i]);
    }
}

static void test_str_num_parse_random(void **state) {
    (void)state;
    char text[900];
    for (int i = 0; i < 40000; i++) {
        snprintf(text, sizeof text, "%.*e", (int)test_random_below(25), test_str_random_double());
        test_str_parse_as_libc(text);
        snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)(test_random() >> test_random_below(64)),
                 (unsigned long long)(test_random() >> test_random_below(64)), (int)test_random_below(60) - 30);
        test_str_parse_as_libc(text);
    }
    /* Halfway between two doubles, exactly and by one in the last place. */
    for (int i = 0; i < 600; i++) {
        double v = fabs(test_str_random_double()), w = nextafter(v, HUGE_VAL);
        if (i % 3 == 0) v = ldexp(v, -1060), w = nextafter(v, 1);
        if (!isfinite(w)) continue;
        long double half = ((long double)v + (long double)w) / 2;
        int         n    = snprintf(text, sizeof text, "%.780Le", half);
        assert_true(n > 780 && n < (int)sizeof text);
        test_str_parse_as_libc(text);
        char *e = strchr(text, 'e');
        e[-1]   = '1'; /* just above */
        test_str_parse_as_libc(text);
    }
}

static void test_str_num_parse_long(void **state) {
    (void)state;
    /* More digits than are kept: the lost ones still decide a tie. */
    static char text[5000];
    memset(text, '0', sizeof text);
    memcpy(text, "9007199254740993.", 17);
    for (size_t n = 700; n < 1200; n += 7) {
        memset(text + 17, '0', sizeof text - 17);
        text[17 + n] = 0;
        test_str_parse_as_libc(text);
        text[16 + n] = '1';
        test_str_parse_as_libc(text);
    }
    memset(text, '7', 4999);
    text[4999] = 0;
    test_str_parse_as_libc(text);
    text[0] = '.';
    test_str_parse_as_libc(text);
    memset(text, '0', 4000);
    text[0] = '.';
    test_str_parse_as_libc(text);
    memcpy(text + 4100, "e4001", 6);
    test_str_parse_as_libc(text);
}

/* What Python's repr prints, by way of the libc: the fewest digits that read back; of those the nearest, or at a power
 * of two, where the gap below is the smaller one, the next above. */
static void test_str_repr_oracle(char *dst, double v) {
    char      text[40], digits[24];
    int       n = 0, e = 0, found = 0;
    long long m = 0;
    if (isnan(v) || isinf(v) || v == 0) {
        strcpy(dst, isnan(v) ? "nan" : isinf(v) ? v < 0 ? "-inf" : "inf" : signbit(v) ? "-0.0" : "0.0");
        return;
    }
    for (n = 1; !found; n += !found) {
        snprintf(text, sizeof text, "%.*e", n - 1, fabs(v));
        e = atoi(strchr(text, 'e') + 1), m = text[0] - '0';
        for (int i = 2; i <= n; i++) m = m * 10 + (text[i] - '0');
        for (int up = 0; up < 2 && !found; up++) {
            snprintf(text, sizeof text, "%llde%d", m + up, e - n + 1);
            found = strtod(text, NULL) == fabs(v);
            if (found) snprintf(digits, sizeof digits, "%lld", m + up);
        }
    }
    if (signbit(v)) *dst++ = '-';
    if (e < -4 || e >= 16)
        sprintf(dst, "%c%s%se%c%02d", digits[0], n > 1 ? "." : "", digits + 1, e < 0 ? '-' : '+', abs(e));
    else if (e < 0) sprintf(dst, "0.%.*s%s", -e - 1, "0000", digits);
    else if (e >= n - 1) sprintf(dst, "%s%.*s.0", digits, e - n + 1, "0000000000000000");
    else sprintf(dst, "%.*s.%s", e + 1, digits, digits + e + 1);
}

static void test_str_repr_as_oracle(double v) {
    char   got[32], want[400];
    size_t n = allm__num_repr(got, v);
    test_str_repr_oracle(want, v);
    if (strcmp(got, want) != 0 || n != strlen(got)) fail_msg("%.17g: %s (%zu), not %s", v, got, n, want);
}

static void test_str_num_repr(void **state) {
    (void)state;
    static const struct {
        double      v;
        const char *text;
    } rows[] = {{0, "0.0"}, {-0.0, "-0.0"}, {1, "1.0"}, {-1.5, "-1.5"}, {0.1, "0.1"}, {1e-4, "0.0001"}, {1e-5, "1e-05"},
                {1e15, "1000000000000000.0"}, {1e16, "1e+16"}, {123456789012345680.0, "1.2345678901234568e+17"},
                {1e22, "1e+22"}, {5e-324, "5e-324"}, {DBL_MAX, "1.7976931348623157e+308"}, {1e100, "1e+100"},
                {DBL_MIN, "2.2250738585072014e-308"}, {1.0 / 3, "0.3333333333333333"}, {2.0 / 3, "0.6666666666666666"},
                {9007199254740993.0, "9007199254740992.0"}, {9e15, "9000000000000000.0"},
                {0x1p-44, "5.684341886080802e-14"}, {0x1p-1017, "7.120236347223045e-307"}, /* rounded up */
                {0x1p+89, "6.189700196426902e+26"}, {0x1p-24, "5.960464477539063e-08"}};
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        char got[32];
        allm__num_repr(got, rows[i].v);
        assert_string_equal(got, rows[i].text);
    }
    test_str_repr_as_oracle(NAN), test_str_repr_as_oracle(INFINITY), test_str_repr_as_oracle(-INFINITY);
    for (int i = 0; i < 6000; i++) {
        test_str_repr_as_oracle(test_str_random_double());
        test_str_repr_as_oracle((double)(int64_t)test_random_below(1000000) / 1000 - 500);
        test_str_repr_as_oracle((double)(float)(1e-3 * (double)test_random_below(100000)));
    }
    for (int e = -1074; e < 1024; e++) test_str_repr_as_oracle(ldexp(1, e));
}

static void test_str_num_fixed(void **state) {
    (void)state;
    test_heap  m = {0};
    allm__host h = test_host(&m);
    allm__buf  b = {.host = &h};
    static const double rows[] = {0,    -0.0, 0.5,   1.5,  2.5,   -2.5,  0.05,  0.25, 0.125,  0.06, 0.94, 0.95, 9.5,
                                  9.99, 99.5, 1e-10, 1e22, 1e300, 5e-324, 1e15, 0.1,  DBL_MAX, 1e23, 123.456};
    char want[800];
    for (int i = 0; i < 4000; i++) {
        double v = i < 960 ? rows[i / 40] : i % 2 ? test_str_random_double() : (double)test_random_below(100000) / 64;
        int    n = i < 960 ? i % 40 : (int)test_random_below(30);
        snprintf(want, sizeof want, "%.*f", n, v);
        b.len = 0;
        allm__num_fixed(&b, v, n);
        assert_string_equal(allm__buf_text(&b), want);
    }
    b.len = 0;
    allm__num_fixed(&b, NAN, 2), allm__num_fixed(&b, INFINITY, 2), allm__num_fixed(&b, -INFINITY, 2);
    assert_string_equal(allm__buf_text(&b), "naninf-inf");
    allm__buf_free(&b);
    test_heap_check(&m);
}

static void test_str_int(void **state) {
    (void)state;
    test_heap  m = {0};
    allm__host h = test_host(&m);
    allm__buf  b = {.host = &h};
    static const char *const bad[] = {"", "-", "+", "1 ", " 1", "1.0", "1e3", "0x1", "--1", "9223372036854775808",
                                      "-9223372036854775809", "18446744073709551616", "99999999999999999999999"};
    int64_t v;
    for (size_t i = 0; i < ALLM__COUNT(bad); i++)
        if (allm__int_parse(allm__str_of(bad[i]), &v)) fail_msg("\"%s\" is read", bad[i]);
    assert_true(allm__int_parse(ALLM__S("+0012"), &v) && v == 12);
    assert_true(allm__int_parse(ALLM__S("-0"), &v) && v == 0);
    for (int i = 0; i < 20000; i++) {
        int64_t want = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : (int64_t)test_random() >> test_random_below(64);
        b.len        = 0;
        allm__buf_int(&b, want);
        assert_int_equal(strtoll(allm__buf_text(&b), NULL, 10), want);
        assert_true(allm__int_parse(allm__str(b.ptr, b.len), &v));
        assert_true(v == want);
    }
    allm__buf_free(&b);
    test_heap_check(&m);
}

static void test_str_num_deep(void *arg) { /* the longest digits there are, both ways */
    char      text[32];
    double    v;
    int       over;
    allm__buf b = {.host = (const allm__host *)arg};
    allm__num_parse(ALLM__S("2.4703282292062327208e-324"), &v, &over);
    allm__num_repr(text, 4.4501477170144023e-308);
    allm__num_fixed(&b, 5e-324, 1100);
    allm__buf_free(&b);
}

static void test_str_num_stack(void **state) {
    (void)state;
    test_heap  m = {0};
    allm__host h = test_host(&m);
    test_stack_check(test_str_num_deep, &h);
    test_heap_check(&m);
}

/* ---- map */

static void test_str_map(void **state) {
    (void)state;
    enum { N = 200000 };
    test_heap  m    = {0};
    allm__host h    = test_host(&m);
    allm__map  map  = {.host = &h};
    char      *keys = (char *)malloc(N * 12);
    int32_t    old;
    assert_int_equal(allm__map_get(&map, ALLM__S("x")), -1);
    for (int32_t i = 0; i < N; i++) {
        char *key = keys + 12 * i;
        snprintf(key, 12, "k%d", (int)i);
        assert_true(allm__map_put(&map, allm__str_of(key), i, &old));
        assert_int_equal(old, -1);
    }
    assert_int_equal(map.n_used, N);
    assert_true(map.n_slots >= N && map.n_slots <= 4 * N);
    for (int32_t i = 0; i < N; i++) assert_int_equal(allm__map_get(&map, allm__str_of(keys + 12 * i)), i);
    for (int32_t i = 0; i < N; i += 7) {
        assert_true(allm__map_put(&map, allm__str_of(keys + 12 * i), -i - 5, &old));
        assert_int_equal(old, i);
    }
    for (int32_t i = 0; i < N; i++)
        assert_int_equal(allm__map_get(&map, allm__str_of(keys + 12 * i)), i % 7 ? i : -i - 5);
    assert_int_equal(map.n_used, N);
    assert_int_equal(allm__map_get(&map, ALLM__S("k")), -1);
    assert_int_equal(allm__map_get(&map, ALLM__S("k200000")), -1);
    assert_int_equal(allm__map_get(&map, ALLM__S("")), -1);
    allm__map_free(&map);
    free(keys);
    test_heap_check(&m);
}

/* Keys of any length and any bytes, the empty one included, differ by every byte and by their length. */
static void test_str_map_keys(void **state) {
    (void)state;
    test_heap   m   = {0};
    allm__host  h   = test_host(&m);
    allm__map   map = {.host = &h};
    static char text[64][64], zeros[64];
    for (int32_t n = 0; n < 64; n++) {
        for (int i = 0; i < n; i++) text[n][i] = (char)(n == 0 ? 1 : i * 7 + 1);
        assert_true(allm__map_put(&map, allm__str(text[n], (size_t)n), n, NULL));
        if (n) assert_true(allm__map_put(&map, allm__str(zeros, (size_t)n), 100 + n, NULL));
    }
    for (int32_t n = 0; n < 64; n++) {
        assert_int_equal(allm__map_get(&map, allm__str(text[n], (size_t)n)), n);
        if (n) assert_int_equal(allm__map_get(&map, allm__str(zeros, (size_t)n)), 100 + n);
        for (int i = 0; i < n; i++) {
            text[n][i] ^= 64;
            assert_int_equal(allm__map_get(&map, allm__str(text[n], (size_t)n)), -1);
            text[n][i] ^= 64;
        }
    }
    assert_int_equal(allm__map_get(&map, allm__str(NULL, 0)), 0);
    allm__map_free(&map);
    assert_true(allm__map_put(&map, allm__str(NULL, 0), 5, NULL));
    assert_int_equal(allm__map_get(&map, ALLM__S("")), 5);
    allm__map_free(&map);
    test_heap_check(&m);
}

/* 300 keys that all want the same slot. */
static void test_str_map_collisions(void **state) {
    (void)state;
    enum { N = 300 };
    static char keys[N][16];
    test_heap   m     = {0};
    allm__host  h     = test_host(&m);
    allm__map   map   = {.host = &h};
    int32_t     n     = 0;
    assert_true(allm__map_reserve(&map, N)); /* it has a seed now */
    for (unsigned i = 0; n < N; i++) {
        snprintf(keys[n], sizeof keys[n], "%u", i);
        if ((allm__hash(map.seed, keys[n], strlen(keys[n])) & 511) == 511) n++;
    }
    size_t n_slots = map.n_slots;
    assert_int_equal(n_slots, 512);
    for (int32_t i = 0; i < N; i++) assert_true(allm__map_put(&map, allm__str_of(keys[i]), i, NULL));
    for (int32_t i = 0; i < N; i++) assert_int_equal(allm__map_get(&map, allm__str_of(keys[i])), i);
    assert_int_equal(map.n_slots, n_slots); /* what was reserved is enough */
    assert_false(allm__map_reserve(&map, SIZE_MAX));
    assert_false(allm__map_reserve(&map, SIZE_MAX / 32));
    assert_int_equal(allm__map_get(&map, allm__str_of(keys[5])), 5);
    allm__map_free(&map);
    test_heap_check(&m);
}

/* x so that x ^ x >> n is y. */
static uint64_t test_str_unshift(uint64_t y, int n) {
    uint64_t x = y;
    for (int i = 0; i < 64; i += n) x = y ^ x >> n;
    return x;
}

static uint64_t test_str_inverse(uint64_t odd) { /* mod 2^64, by Newton */
    uint64_t x = odd;
    for (int i = 0; i < 6; i++) x *= 2 - odd * x;
    return x;
}

/* Keys of which all slots are known to an attacker: of a hash without a seed (multiply, fold, multiply), found by going
 * back from one slot. They must be keys like any others, and no two maps alike. */
static void test_str_map_flood(void **state) {
    (void)state;
    enum { N = 65536 };
    uint64_t  *keys = (uint64_t *)malloc(N * sizeof *keys), a = test_str_inverse(0xBF58476D1CE4E5B9u),
              b = test_str_inverse(0x94D049BB133111EBu), seed = 0;
    test_heap  m = {0};
    allm__host h = test_host(&m);
    double     from = test_seconds();
    for (uint64_t i = 0; i < N; i++) {
        uint64_t x = test_str_unshift(((uint64_t)0x1234567 << 32 | i) * a, 29) * b;
        keys[i]    = (test_str_unshift(x, 32) * a) ^ 0x9E3779B97F4A7C15u ^ 8;
    }
    for (int round = 0; round < 3; round++) {
        allm__map map = {.host = &h};
        for (int32_t i = 0; i < N; i++) assert_true(allm__map_put(&map, allm__str((char *)(keys + i), 8), i, NULL));
        for (int32_t i = 0; i < N; i++) assert_int_equal(allm__map_get(&map, allm__str((char *)(keys + i), 8)), i);
        size_t longest = 0, run = 0;
        for (size_t i = 0; i < map.n_slots; i++)
            run = map.slots[i].key.ptr ? run + 1 : 0, longest = ALLM__MAX(longest, run);
        assert_true(longest < 500 && map.seed != seed);
        seed = map.seed;
        allm__map_free(&map);
    }
    test_time("keys against a known hash", test_seconds() - from, 3);
    free(keys);
    test_heap_check(&m);
}

/* All lengths, and every byte counts. */
static void test_str_hash(void **state) {
    (void)state;
    char     text[40] = {0};
    uint64_t seed = allm__hash_seed(text);
    for (size_t n = 0; n < sizeof text; n++) {
        uint32_t h = allm__hash(seed, text, n);
        assert_int_equal(h, allm__hash(seed, text, n));
        assert_int_not_equal(h, allm__hash(seed, text, n + 1));
        for (size_t i = 0; i < n; i++) {
            text[i] ^= 1;
            assert_int_not_equal(h, allm__hash(seed, text, n));
            text[i] ^= 1;
        }
    }
    assert_int_equal(allm__hash_fold(UINT64_MAX, UINT64_MAX), UINT64_MAX); /* 1 and 2^64 - 2 */
    assert_int_equal(allm__hash_fold(0x123456789abcdef0u, 0xfedcba9876543211u), 0x27be7f7c27a8d9d2u);
}

static allm_status test_str_map_body(const allm__host *h, void *ctx) {
    static char keys[500][8];
    allm__map   map    = {.host = h};
    allm_status status = ALLM_OK;
    (void)ctx;
    for (int32_t i = 0; i < 500; i++) {
        snprintf(keys[i], sizeof keys[i], "%d", (int)i);
        if (!allm__map_put(&map, allm__str_of(keys[i]), i, NULL)) {
            status = ALLM_E_MEMORY; /* and the map is as before */
            if (allm__map_get(&map, allm__str_of(keys[i])) != -1) status = ALLM_E_FORMAT;
            for (int32_t k = 0; k < i; k++)
                if (allm__map_get(&map, allm__str_of(keys[k])) != k) status = ALLM_E_FORMAT;
            break;
        }
    }
    allm__map_free(&map);
    return status;
}

static void test_str_map_fails(void **state) {
    (void)state;
    test_fail_each(test_str_map_body, NULL);
}

static const struct CMUnitTest test_str[] = {
    cmocka_unit_test(test_str_views),
    cmocka_unit_test(test_str_find),
    cmocka_unit_test(test_str_utf8_all),
    cmocka_unit_test(test_str_utf8_malformed),
    cmocka_unit_test(test_str_utf8_bad),
    cmocka_unit_test(test_str_put_cp),
    cmocka_unit_test(test_str_num_parse),
    cmocka_unit_test(test_str_num_parse_random),
    cmocka_unit_test(test_str_num_parse_long),
    cmocka_unit_test(test_str_num_repr),
    cmocka_unit_test(test_str_num_fixed),
    cmocka_unit_test(test_str_int),
    cmocka_unit_test(test_str_num_stack),
    cmocka_unit_test(test_str_map),
    cmocka_unit_test(test_str_map_keys),
    cmocka_unit_test(test_str_map_collisions),
    cmocka_unit_test(test_str_map_flood),
    cmocka_unit_test(test_str_hash),
    cmocka_unit_test(test_str_map_fails),
};
