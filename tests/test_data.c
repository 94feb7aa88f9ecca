/* Room data: the tables against the reference's own classes and maps, and against Python's str. */

#include <sys/wait.h>

/* The unpacked bytes of a golden NAME.xz (free them); skips without the file or without xz. */
static char *test_golden_xz(const char *name, size_t *n) {
    char  *path = test_golden_path(name), command[400], *bytes = NULL;
    size_t cap = 0, got;
    snprintf(command, sizeof command, "xz -dc '%s' 2>/dev/null", path);
    free(path);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    *n = 0;
    do {
        if (*n + 1 >= cap) bytes = (char *)realloc(bytes, cap = cap * 2 + 65536);
        assert_non_null(bytes);
        *n += got = fread(bytes + *n, 1, cap - *n - 1, f);
    } while (got);
    int status = pclose(f);
    bytes[*n]  = 0;
    if (status != 0) {
        free(bytes);
        test_skip("xz cannot unpack %s", name);
    }
    return bytes;
}

/* ---- the golden files hold {"name":[[first,last],...],...} and {"name":[["hex","hex hex"],...],...} */

/* Where the value of a key begins; fails the test without it. */
static const char *test_data_value(const char *json, const char *key) {
    char quoted[64], *q = quoted;
    *q++ = '"';
    for (; *key; key++) {
        if (*key == '\\') *q++ = '\\';
        *q++ = *key;
    }
    memcpy(q, "\":[", 4);
    const char *at = strstr(json, quoted);
    if (!at) fail_msg("no %s", quoted);
    return at + strlen(quoted);
}

/* strtol in place of sscanf, which takes the length of the whole text at each call. */
static int32_t test_data_number(const char **p, int base) {
    char   *end;
    int32_t v = (int32_t)strtol(*p, &end, base);
    *p        = end;
    return v;
}

static void test_data_ranges(const char *json, const char *key, uint8_t *set) { /* [0x110000] */
    const char *p = test_data_value(json, key);
    memset(set, 0, 0x110000);
    while (*p == '[') {
        p++;
        int32_t a = test_data_number(&p, 10), b = (p++, test_data_number(&p, 10));
        for (int32_t c = a; c <= b && c < 0x110000; c++) set[c] = 1;
        p++, p += *p == ',';
    }
    assert_int_equal(*p, ']');
}

static void test_data_classes(void **state) {
    static const struct {
        const char *key;
        uint64_t    bits;
    } rows[] = {
        {"\\p{L}", ALLM__UNI_L},
        {"\\p{M}", ALLM__UNI_M},
        {"\\p{N}", ALLM__UNI_N},
        {"\\p{P}", ALLM__UNI_P},
        {"\\p{S}", ALLM__UNI_S},
        {"\\p{Z}", ALLM__UNI_Z},
        {"\\p{C}", ALLM__UNI_C},
        {"\\p{Lu}", ALLM__UNI_GC(0)},
        {"\\p{Ll}", ALLM__UNI_GC(1)},
        {"\\p{Lt}", ALLM__UNI_LT},
        {"\\p{Lm}", ALLM__UNI_GC(3)},
        {"\\p{Lo}", ALLM__UNI_GC(4)},
        {"\\p{Mn}", ALLM__UNI_MN},
        {"\\p{Mc}", ALLM__UNI_GC(6)},
        {"\\p{Me}", ALLM__UNI_GC(7)},
        {"\\p{Nd}", ALLM__UNI_ND},
        {"\\p{Nl}", ALLM__UNI_GC(9)},
        {"\\p{No}", ALLM__UNI_GC(10)},
        {"\\p{Cn}", ALLM__UNI_GC(29)},
        {"\\p{Han}", ALLM__UNI_HAN},
        {"\\s", ALLM__UNI_SPACE},
        {"\\w", ALLM__UNI_WORD},
        {"\\d", ALLM__UNI_ND},
        {"Digits", ALLM__UNI_NUMBER17},
        {"WhitespaceSplit", ALLM__UNI_SPACE},
    };
    (void)state;
    size_t   n;
    char    *json = test_golden_xz("tokenizers/unicode/classes.json.xz", &n);
    uint8_t *set  = (uint8_t *)malloc(0x110000);
    assert_non_null(set);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_data_ranges(json, rows[i].key, set);
        for (int32_t c = 0; c < 0x110000; c++)
            if ((c < 0xd800 || c > 0xdfff) && allm__uni_is(c, rows[i].bits) != set[c])
                fail_msg("%s: U+%04X is %d, %d expected", rows[i].key, (unsigned)c, !set[c], set[c]);
    }
    free(set), free(json);
}

/* The full canonical decomposition of cp, in canonical order; at most 4 code points. */
static int test_data_nfd(int32_t cp, int32_t *out) {
    int32_t step[2];
    int     n = 1;
    out[0]    = cp;
    for (int i = 0; i < n;) {
        int k = allm__uni_decompose(out[i], step);
        if (!k) {
            i++;
            continue;
        }
        if (k == 2) memmove(out + i + 2, out + i + 1, (size_t)(n - i - 1) * sizeof *out), out[i + 1] = step[1], n++;
        out[i] = step[0];
    }
    return n;
}

static int test_data_nfc(int32_t cp, int32_t *out) { /* right for a single code point: its marks are in order */
    int n = test_data_nfd(cp, out);
    for (int i = 1; i < n;) {
        int32_t c = allm__uni_compose(out[0], out[i]);
        if (c < 0) {
            i++;
            continue;
        }
        out[0] = c, n--;
        memmove(out + i, out + i + 1, (size_t)(n - i) * sizeof *out);
    }
    return n;
}

static int test_data_lower(int32_t cp, int32_t *out) { return allm__uni_lower(cp, out); }

static void test_data_maps(void **state) {
    static const struct {
        const char *key;
        int (*map)(int32_t, int32_t *);
    } rows[] = {{"Lowercase", test_data_lower}, {"NFD", test_data_nfd}, {"NFC", test_data_nfc}};
    (void)state;
    size_t n;
    char  *json = test_golden_xz("tokenizers/unicode/maps.json.xz", &n);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        const char *p = test_data_value(json, rows[i].key);
        for (int32_t c = 0; c < 0x110000; c++) {
            if (c >= 0xac00 && c <= 0xd7a3) continue; /* Hangul is not listed */
            int32_t     want[4] = {c}, got[8];
            int         n_want  = 1;
            const char *q       = p + 2;
            if (*p == '[' && test_data_number(&q, 16) == c) { /* ["C0","41 300"], */
                for (n_want = 0, q += 3; *q != '"';) want[n_want++] = test_data_number(&q, 16);
                p = q + 2, p += *p == ',';
            }
            if (rows[i].map(c, got) != n_want || memcmp(got, want, (size_t)n_want * sizeof *got) != 0)
                fail_msg("%s of U+%04X is wrong", rows[i].key, (unsigned)c);
        }
        assert_int_equal(*p, ']');
    }
    free(json);
}

static void test_data_hangul(void **state) {
    (void)state;
    for (int32_t c = 0xac00; c <= 0xd7a3; c++) {
        int32_t d[8];
        int     n = test_data_nfd(c, d);
        assert_int_equal(n, (c - 0xac00) % 28 ? 3 : 2);
        assert_int_equal(test_data_nfc(c, d), 1);
        assert_int_equal(d[0], c);
    }
    assert_int_equal(allm__uni_compose(0xac00, 0x11a7), -1); /* no trailing consonant */
    assert_int_equal(allm__uni_compose(0xac01, 0x11a8), -1); /* has one already */
}

/* Blocks that did not change after Unicode 14; the hashes are of Python 3.11:
 *   h = 0xcbf29ce484222325; for every c: for each x in the mapping (or 0/1 of the predicate): h = (h ^ x) * prime */
static void test_data_python(void **state) {
    static const int32_t  blocks[][2] = {{0, 0x52f},       {0x1e00, 0x1fff}, {0x2000, 0x206f},   {0x2100, 0x218f},
                                         {0xfb00, 0xfb17}, {0xff00, 0xffef}, {0x10400, 0x1044f}, {0x1e900, 0x1e94b}};
    static const uint64_t bits[]      = {ALLM__UNI_UPPER, ALLM__UNI_LOWER, ALLM__UNI_ALNUM, ALLM__UNI_DIGIT,
                                         ALLM__UNI_PYSPACE};
    static const uint64_t want[9]     = {0x3b3f6bc9bf093449u, 0xa6a2866fd21d720eu, 0xbe800645310ea0a7u,
                                         0x110137be8e6ec834u, 0x55d1f95edebaf3e8u, 0x9b2cae1e40ab00d8u,
                                         0xbb31979c5e1dced2u, 0x939b547b4f05d57du, 0x303b7feb7dcd1bc5u};
    uint64_t              h[9];
    (void)state;
    for (int i = 0; i < 9; i++) h[i] = 0xcbf29ce484222325u;
    for (size_t b = 0; b < ALLM__COUNT(blocks); b++)
        for (int32_t c = blocks[b][0]; c <= blocks[b][1]; c++) {
            for (int k = 0; k < 5; k++) h[k] = (h[k] ^ (uint64_t)allm__uni_is(c, bits[k])) * 0x100000001b3u;
            h[5] = (h[5] ^ (uint64_t)allm__uni_printable(c)) * 0x100000001b3u;
            for (int k = 0; k < 3; k++) {
                int32_t out[3];
                int n = k == 0 ? allm__uni_lower(c, out) : k == 1 ? allm__uni_upper(c, out) : allm__uni_title(c, out);
                for (int i = 0; i < n; i++) h[6 + k] = (h[6 + k] ^ (uint64_t)out[i]) * 0x100000001b3u;
            }
        }
    for (int i = 0; i < 9; i++)
        if (h[i] != want[i])
            fail_msg("hash %d is %016llx, %016llx expected", i, (unsigned long long)h[i], (unsigned long long)want[i]);
}

static void test_data_outside(void **state) {
    static const int32_t bad[] = {-1, INT32_MIN, 0x110000, INT32_MAX};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        assert_true(allm__uni_bits(bad[i]) == 0);
        assert_int_equal(allm__uni_printable(bad[i]), 0);
    }
    assert_int_equal(allm__uni_is(0x10ffff, ALLM__UNI_C), 1);
    assert_int_equal(allm__uni_is(0xe01ef, ALLM__UNI_MN), 1); /* planes 14 and 15 are folded in the table */
    assert_int_equal(allm__uni_is(0xe01f0, ALLM__UNI_MN), 0);
    assert_string_equal(allm__uni_names[allm__uni_classes[allm__uni_class(0x10fffd)].category], "Co");
    assert_string_equal(allm__uni_names[allm__uni_classes[allm__uni_class(0xdfff)].category], "Cs");
}

static void test_data_generated(void **state) {
    (void)state;
    if (access("tools/gen_tables.py", R_OK) || system("python3 --version >/dev/null 2>&1"))
        test_skip("no python3, or not run from the project's folder");
    assert_int_equal(system("python3 -B tools/gen_tables.py --check"), 0);
}

static const struct CMUnitTest test_data[] = {
    cmocka_unit_test(test_data_classes), cmocka_unit_test(test_data_maps),    cmocka_unit_test(test_data_hangul),
    cmocka_unit_test(test_data_python),  cmocka_unit_test(test_data_outside), cmocka_unit_test(test_data_generated),
};
