/* Room regex: meaning against Oniguruma, the golden pre-tokenizers, refusals, linear time, memory. */

enum { TEST_REGEX_PIECES = 24 };

/* What Hugging Face tokenizers 0.23 make of a text by Split(pattern, Isolated). */
static const struct test_regex_case {
    const char *pattern, *text, *pieces[TEST_REGEX_PIECES];
} test_regex_cases[] = {
    {"a|ab", "ab", {"a", "b"}},
    {"ab|a", "aab", {"a", "ab"}},
    {"a{2}b", "aaaab", {"aa", "aab"}},
    {"a{,2}", "aaaab", {"aa", "aa", "b"}},
    {"a{2,}", "abaaaab", {"ab", "aaaa", "b"}},
    {"a{1,2}", "aaaaa", {"aa", "aa", "a"}},
    {"x*", "axxb", {"a", "xx", "b"}},
    {"", "ab", {"a", "b"}},
    {"()", "ab", {"a", "b"}},
    {"a||b", "ab", {"a", "b"}},
    {"a{x", "a{x", {"a{x"}},
    {"a{2", "a{2", {"a{2"}},
    {"\\p{N}{1,3}+", "1234567a", {"1234567", "a"}},
    {"a\077\077b", "aab", {"a", "ab"}},
    {"a+\077", "aaa", {"a", "a", "a"}},
    {"a*\077b", "aabab", {"aab", "ab"}},
    {"(\077:ab){1,2}\077", "ababab", {"ab", "ab", "ab"}},
    {"(a|b)*+b", "aab", {"aab"}},
    {"a++a", "aaa", {"aaa"}},
    {"a\077+a", "aab", {"aa", "b"}},
    {"(\077>a|ab)c", "abcac", {"abc", "ac"}},
    {"(\077:a|ab)(\077:c|bcd)", "abcdabcd", {"abcd", "abcd"}},
    {"\\s+(\077!\\S)|\\s+", "a   b  ", {"a", "  ", " ", "b", "  "}},
    {"\\s*[\\r\\n]+|\\s+(\077!\\S)|\\s+", " \012 \012  x  ", {" \012 \012", " ", " ", "x", "  "}},
    {"\\s+$", "ab  \012", {"ab", "  \012"}},
    {"\\s+$", "a  b  ", {"a  b", "  "}},
    {"a$", "a\012a", {"a", "\012", "a"}},
    {"^a", "a\012a\012ba", {"a", "\012", "a", "\012ba"}},
    {"\\Aa|a\\z|a\\Z", "aa a\012", {"a", "a ", "a", "\012"}},
    {".", "a\012b", {"a", "\012", "b"}},
    {"[a-z&&[^c]]+", "abcd", {"ab", "c", "d"}},
    {"[^a&&b]", "abc", {"a", "b", "c"}},
    {"[a-c&&b-d&&[^c]]", "abcd", {"a", "b", "cd"}},
    {"[a-z--[c]]", "abc-", {"a", "b", "c", "-"}},
    {"[]a]", "a]", {"a", "]"}},
    {"[^]a]", "a]b", {"a]", "b"}},
    {"[a\\-z]", "a-mz", {"a", "-", "m", "z"}},
    {"[-a]+", "a-b", {"a-", "b"}},
    {"[a-]+", "a-b", {"a-", "b"}},
    {"[\\]\\[]+", "a[]b", {"a", "[]", "b"}},
    {"[(\\s|.]+", "a(b |.c", {"a", "(", "b", " |.", "c"}},
    {"[^\\S\\n]+", " \012 ", {" ", "\012", " "}},
    {"[a\\H]+", "abz0 ", {"a", "b", "z", "0", " "}},
    {"\\h+", "abz", {"ab", "z"}},
    {"[\\w]+", "a_b\302\262", {"a_b", "\302\262"}},
    {"\\w+", "a_b\302\262", {"a_b\302\262"}},
    {"\\W+", "a \342\200\215b", {"a", " \342\200\215", "b"}},
    {"[\\W]+", "a\302\262b", {"a", "\302\262", "b"}},
    {"\\p{^L}+", "a12", {"a", "12"}},
    {"\\P{L}+", "a12", {"a", "12"}},
    {"\\P{^L}+", "a12", {"a", "12"}},
    {"\\p{Han}+", "a\344\270\255\346\226\207b", {"a", "\344\270\255\346\226\207", "b"}},
    {"[\\p{L}&&[^\\p{Han}]]+", "ab\344\270\255\346\226\207c", {"ab", "\344\270\255\346\226\207", "c"}},
    {"[\\p{Lu}\\p{Lt}]+", "AB\307\205ab", {"AB\307\205", "ab"}},
    {"\\p{M}+", "e\314\201\340\244\202", {"e", "\314\201\340\244\202"}},
    {"\\p{Nl}", "\342\205\2478", {"\342\205\247", "8"}},
    {"\\d+", "1\331\243\302\262", {"1\331\243", "\302\262"}},
    {"\\x{41}|\\u0042|\\x43", "ABCD", {"A", "B", "C", "D"}},
    {"\\t|\\n|\\r|\\f|\\v|\\a|\\e",
     "a\011\012\015\014\013\007\033",
     {"a", "\011", "\012", "\015", "\014", "\013", "\007", "\033"}},
    {"\\-\\/\\_\\ ", "-/_ ", {"-/_ "}},
    {"\\//", "//", {"//"}},
    {"\\q", "q", {"q"}},
    {"(\077i:'s|'t|'re)", "'S'\305\277'T'rE'x", {"'S", "'\305\277", "'T", "'rE", "'x"}},
    {"(\077i:k)", "K\342\204\252k", {"K", "\342\204\252", "k"}},
    {"(\077i:\303\251)", "\303\211\303\251", {"\303\211", "\303\251"}},
    {"(\077i)ab|c", "ABc C", {"AB", "c", " ", "C"}},
    {"(\077i:a(\077-i:b)c)", "ABC AbC", {"ABC ", "AbC"}},
    {"x(\077i:y)z", "xYz xYZ", {"xYz", " xYZ"}},
    {"\\bfoo\\b", "foo.foo2 foo", {"foo", ".foo2 ", "foo"}},
    {"\\Boo", "foo oo", {"f", "oo", " oo"}},
    {"(\077=a)", "bab", {"b", "ab"}},
    {"(\077!a)\\w", "ab", {"a", "b"}},
    {"a(\077=b)", "abac", {"a", "bac"}},
    {"a(\077!b)", "abac", {"ab", "a", "c"}},
    {"a(\077=bc|d)", "abcabdad", {"a", "bcabd", "a", "d"}},
    {"a(\077!bc)b", "abcabd", {"abc", "ab", "d"}},
    {"\\d{1,3}(\077=(\077:\\d{3})*\\b)", "1234567 12345a 12", {"1", "234", "567", " 12345a ", "12"}},
    {"(\077=(\\d{3})+(\077!\\d))", "1234567", {"1", "234", "567"}},
    {"((\077=[\\p{L}])([^a-z]))+", "ABc\303\211d1", {"AB", "c", "\303\211", "d1"}},
    {"(\077:\\p{L}\\p{M}*(\077: \\p{L}\\p{M}*)*)+", "a b  c\314\201 d", {"a b", "  ", "c\314\201 d"}},
    {"(\077:ab)+", "ababa", {"abab", "a"}},
    {"(\077:a|b)+c", "abacabx", {"abac", "abx"}},
    {"(\077:ab\077)*c", "aabcab", {"aabc", "ab"}},
    {"[\344\270\200-\351\276\245]+|[^\344\270\200-\351\276\245]",
     "\344\270\255\346\226\207a",
     {"\344\270\255\346\226\207", "a"}},
    {"\344\270\255+", "\344\270\255\344\270\255a\344\270\255", {"\344\270\255\344\270\255", "a", "\344\270\255"}},
    {"[\303\240-\303\274]+", "a\303\251\303\277", {"a", "\303\251", "\303\277"}},
    {"\\s{4}(\077!\\S)|\\s{1,2}(\077!\\S)|\\s", "       x", {"    ", "  ", " ", "x"}},
    {"[\\p{L}\303\251]|[^\\p{L}\\x{4E00}-\\x{4E10}]", "a1\344\270\255\303\251", {"a", "1", "\344\270\255", "\303\251"}},
    {"a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w|x|y|z|A|B|C|D|E|F+|G", "zFFGa", {"z", "FF", "G", "a"}},
};

/* Cuts text by patterns into pieces; returns how many, or -1 with err filled. */
static int test_regex_cut(const allm__host *h, const char *const *patterns, int n_patterns, allm_str text,
                          allm_str *pieces, int cap, allm_error *err) {
    allm__arena   a = {0};
    allm__regex   *rx;
    allm__cut_step steps[ALLM__TOK_PATTERNS];
    allm__cuts     cuts;
    allm__word     word;
    int            n = 0, r = 1;
    a.host = h;
    memset(steps, 0, sizeof steps);
    for (int i = 0; i < n_patterns; i++) {
        if (allm__regex_compile(allm__str_of(patterns[i]), "pattern", &a, &rx, err)) return allm__arena_free(&a), -1;
        steps[i].kind = ALLM__CUT_PATTERN, steps[i].behavior = ALLM__CUT_ISOLATED, steps[i].rx = rx;
    }
    if (!allm__cuts_init(&cuts, h, steps, n_patterns)) r = -1;
    else if (!text.len) r = 0;
    else allm__cuts_set(&cuts, text, 1);
    while (r > 0 && (r = allm__cuts_next(&cuts, &word)) > 0) {
        if (n < cap) pieces[n] = allm__str(word.p, word.n);
        n++;
    }
    if (r < 0) allm__fail_memory(err, 0);
    allm__cuts_free(&cuts);
    allm__arena_free(&a);
    return r < 0 ? -1 : n;
}

static void test_regex_meaning(void **state) {
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(test_regex_cases); i++) {
        const struct test_regex_case *c = &test_regex_cases[i];
        allm_str                      pieces[TEST_REGEX_PIECES];
        allm_error                    err = {0};
        int n = test_regex_cut(&h, &c->pattern, 1, allm__str_of(c->text), pieces, TEST_REGEX_PIECES, &err), want = 0;
        while (want < TEST_REGEX_PIECES && c->pieces[want]) want++;
        if (n != want) fail_msg("%s on \"%s\": %d pieces, %d expected %s", c->pattern, c->text, n, want, err.message);
        for (int k = 0; k < n; k++)
            if (!allm__str_eq(pieces[k], allm__str_of(c->pieces[k])))
                fail_msg("%s on \"%s\": piece %d is \"%.*s\", \"%s\" expected", c->pattern, c->text, k,
                         (int)pieces[k].len, pieces[k].ptr, c->pieces[k]);
    }
    test_heap_check(&heap);
}

static void test_regex_refusals(void **state) {
    static const struct {
        const char *pattern;
        allm_status status;
        int         column;
    } rows[] = {
        {"a(", ALLM_E_FORMAT, 3},
        {"a)", ALLM_E_FORMAT, 3},
        {"[a", ALLM_E_FORMAT, 3},
        {"*a", ALLM_E_FORMAT, 2},
        {"a|+", ALLM_E_FORMAT, 4},
        {"a{2,1}", ALLM_E_FORMAT, 7},
        {"[b-a]", ALLM_E_FORMAT, 5},
        {"[a-\\d]", ALLM_E_FORMAT, 6},
        {"\\", ALLM_E_FORMAT, 2},
        {"\\x{110000}", ALLM_E_FORMAT, 10},
        {"\\u12", ALLM_E_FORMAT, 5},
        {"\\p", ALLM_E_FORMAT, 3},
        {"\xFF", ALLM_E_FORMAT, 1},
        {"\xC3\xA9\xFF", ALLM_E_FORMAT, 2},
        {"\\p{Foo}", ALLM_E_UNSUPPORTED, 4},
        {"\\p{Greek}", ALLM_E_UNSUPPORTED, 4},
        {"(?<=a)b", ALLM_E_UNSUPPORTED, 3},
        {"(a)\\1", ALLM_E_UNSUPPORTED, 6},
        {"(?<n>a)", ALLM_E_UNSUPPORTED, 3},
        {"(a*b*)*", ALLM_E_UNSUPPORTED, 8},
        {"(?:a|)+", ALLM_E_UNSUPPORTED, 8},
        {"a{1001}", ALLM_E_UNSUPPORTED, 8},
        {"(?:ab){999}{999}", ALLM_E_UNSUPPORTED, 17},
        {"[[:alpha:]]", ALLM_E_UNSUPPORTED, 4},
        {"\\R", ALLM_E_UNSUPPORTED, 3},
        {"a(?i)b", ALLM_E_UNSUPPORTED, 4},
    };
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_error err = {0};
        allm_str   piece;
        if (test_regex_cut(&h, &rows[i].pattern, 1, ALLM__S("a"), &piece, 1, &err) != -1)
            fail_msg("%s compiles", rows[i].pattern);
        if (err.status != rows[i].status || err.line != 1 || err.column != rows[i].column)
            fail_msg("%s: status %d, %d:%d expected: %s", rows[i].pattern, (int)rows[i].status, 1, rows[i].column,
                     err.message);
    }
    test_heap_check(&heap);
}

/* A pattern of n parts. */
static char *test_regex_many(const char *head, const char *part, int n, const char *tail) {
    size_t n_part = strlen(part), n_head = strlen(head);
    char  *s = (char *)malloc(n_head + n_part * (size_t)n + strlen(tail) + 1), *p = s;
    assert_non_null(s);
    memcpy(p, head, n_head), p += n_head;
    for (int i = 0; i < n; i++) memcpy(p, part, n_part), p += n_part;
    memcpy(p, tail, strlen(tail) + 1);
    return s;
}

static void test_regex_hostile_one(void *arg) {
    allm__host  h   = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    allm_error  err = {0};
    allm_str    piece;
    const char *pattern = *(const char **)arg;
    test_regex_cut(&h, &pattern, 1, ALLM__S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), &piece, 1, &err);
}

/* Deep, wide and explosive patterns: a status in bounded time, memory and stack. */
static void test_regex_hostile(void **state) {
    static const struct {
        const char *head, *part;
        int         n;
        const char *tail;
    } rows[] = {
        {"", "(", 60000, ""},
        {"", "(?:", 60000, ""},
        {"", "[", 60000, ""},
        {"", "a", 60000, ""},
        {"", "a|", 60000, ""},
        {"", "[a-z]", 60000, ""},
        {"", "(?=a)", 9000, "b"},
        {"", "(?:a|b", 30, ")))))"},
        {"", "a{1000}", 500, ""},
        {"(?:", "a?", 2000, ")b"},
        {"", "(?:a+)+", 100, "c"},
        {"", "[^a&&", 10, ""},
        {"[", "\\p{L}&&", 4000, "a]"},
        {"", "\\x{1234}", 3000, ""},
        {"[", "\\x{10000}-\\x{10001}", 3000, "]"},
        {"", "(?:(?:(?:a?b?c?){9}){9}){9}", 9, ""},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        char      *s    = test_regex_many(rows[i].head, rows[i].part, rows[i].n, rows[i].tail);
        test_heap  heap = {0};
        allm__host h    = test_host(&heap);
        allm_error err  = {0};
        allm_str   piece;
        heap.budget    = 64 << 20;
        double      t0 = test_seconds();
        const char *p  = s;
        test_regex_cut(&h, &p, 1, ALLM__S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), &piece, 1, &err);
        double t = test_seconds() - t0;
        test_time(rows[i].part, t, 1);
        test_heap_check(&heap);
        test_stack_check(test_regex_hostile_one, &p);
        free(s);
    }
}

/* Random bytes of pattern letters: anything but a crash. */
static void test_regex_random(void **state) {
    static const char letters[] = "ab(()|)[[]]^-\\\\spLdwb{}1,2?*+$.&&:=!>i\xC3\xA9";
    test_heap         heap      = {0};
    allm__host        h         = test_host(&heap);
    int               n_good    = 0;
    (void)state;
    test_random_state = 42;
    for (int i = 0; i < 20000; i++) {
        char        pattern[32];
        const char *p   = pattern;
        allm_error  err = {0};
        allm_str    piece;
        size_t      n = 1 + test_random_below(20);
        for (size_t k = 0; k < n; k++) pattern[k] = letters[test_random_below(sizeof letters - 1)];
        pattern[n] = 0;
        int r      = test_regex_cut(&h, &p, 1, ALLM__S("ab 1\xC3\xA9\n-aab"), &piece, 1, &err);
        assert_true((r > 0) == (err.status == ALLM_OK));
        n_good += r > 0;
    }
    assert_true(n_good > 1000);
    test_heap_check(&heap);
}

/* ---- the golden pre-tokenizers: every row of formats/5 that has a file */

static const struct allm__tok_pre *test_regex_pre(const char *name) {
    for (size_t i = 0; i < ALLM__COUNT(allm__tok_pres); i++)
        if (allm__tok_named(allm__tok_pres[i].names, allm__str_of(name))) return &allm__tok_pres[i];
    fail_msg("no row %s", name);
    return NULL;
}

static int test_regex_patterns(const struct allm__tok_pre *pre) {
    int n = 0;
    while (n < ALLM__TOK_PATTERNS && pre->patterns[n]) n++;
    return n;
}

/* One case of a golden file: its text, and its pieces in the byte alphabet, NUL behind each, in `want`. */
static void test_regex_golden_case(allm__json *j, const allm__host *h, const struct allm__tok_pre *pre,
                                   const char *name) {
    static allm_str pieces[4096];
    allm__buf       text = {0}, want = {0}, got = {0};
    allm_error      err = {0};
    allm_str        key, s = {0};
    int             has_pre = 0;
    text.host = want.host = got.host = h;
    while (allm__json_key(j, &key)) {
        if (allm__str_eq(key, ALLM__S("t"))) {
            assert_true(allm__json_get_str(j, "t", &s));
            allm__buf_put(&text, s.ptr, s.len);
        } else if (allm__str_eq(key, ALLM__S("pre"))) {
            assert_true(allm__json_begin(j, ALLM__JSON_ARRAY, "an array"));
            for (has_pre = 1; allm__json_elem(j);) {
                s = allm__json_text(j);
                allm__buf_put(&want, s.ptr, s.len);
                allm__buf_putc(&want, 0);
            }
        } else allm__json_skip(j);
    }
    int n =
        test_regex_cut(h, pre->patterns, test_regex_patterns(pre), allm__str(text.ptr, text.len), pieces, 4096, &err);
    assert_true(n >= 0 && n < 4096);
    for (int i = 0; i < n; i++) {
        for (size_t k = 0; k < pieces[i].len; k++)
            allm__buf_put_cp(&got, allm__norm_letter((unsigned char)pieces[i].ptr[k]));
        allm__buf_putc(&got, 0);
    }
    if (has_pre && !allm__str_eq(allm__str(got.ptr, got.len), allm__str(want.ptr, want.len)))
        fail_msg("%s: \"%.*s\" is cut into %d pieces that differ", name, (int)text.len, text.ptr, n);
    assert_true(has_pre);
    allm__buf_free(&text), allm__buf_free(&want), allm__buf_free(&got);
}

static void test_regex_golden(void **state) {
    static const char *const names[] = {"bailingmoe", "bloom",  "deepseek-coder", "deepseek-v3", "falcon", "gpt-2",
                                        "gpt-4o",     "jais-2", "llama-bpe",      "qwen2",       "qwen35", "starcoder",
                                        "superbpe",   "tekken", "tiny_aya",       "ufakzeka",    "viking"};
    int                      n_cases = 0;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(names); i++) {
        char       path[96];
        size_t     n;
        test_heap  heap = {0};
        allm__host h    = test_host(&heap);
        allm_error err  = {0};
        allm__json j;
        allm_str   key;
        snprintf(path, sizeof path, "tokenizers/fab/pretype-%s.json.xz", names[i]);
        char *json = test_golden_xz(path, &n);
        allm__json_init(&j, &h, allm__str(json, n), path, 0, &err);
        assert_true(allm__json_begin(&j, ALLM__JSON_OBJECT, "an object"));
        while (allm__json_key(&j, &key)) {
            if (!allm__str_eq(key, ALLM__S("cases"))) {
                allm__json_skip(&j);
                continue;
            }
            assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"));
            for (; allm__json_elem(&j); n_cases++) test_regex_golden_case(&j, &h, test_regex_pre(names[i]), names[i]);
        }
        assert_int_equal(j.status, ALLM_OK);
        allm__json_free(&j);
        free(json);
        test_heap_check(&heap);
    }
    printf("             %d texts cut by %d pre-tokenizers\n", n_cases, (int)ALLM__COUNT(names));
}

/* Every row compiles, whether or not there is a golden file for it. */
static void test_regex_rows(void **state) {
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__tok_pres); i++) {
        const struct allm__tok_pre *pre = &allm__tok_pres[i];
        allm_error                  err = {0};
        allm_str                    piece;
        if (test_regex_cut(&h, pre->patterns, test_regex_patterns(pre), ALLM__S("Hello, world 1234!\n"), &piece, 1,
                           &err) < 2)
            fail_msg("%s: %s", pre->names, err.message);
        assert_true(heap.peak < 1 << 20);
        for (size_t k = 0; k < i; k++) /* no name twice */
            for (const char *name = pre->names; *name; name += strcspn(name, " "), name += *name == ' ')
                assert_false(allm__tok_named(allm__tok_pres[k].names, allm__str(name, strcspn(name, " "))));
    }
    test_heap_check(&heap);
}

/* ---- time: twice the text takes about twice as long, for every row and every kind of character */

static double test_regex_time(const allm__host *h, const struct allm__tok_pre *pre, allm_str text) {
    double     best = 1e9;
    allm_error err  = {0};
    allm_str   piece;
    for (int i = 0; i < 3; i++) {
        double t0 = test_seconds();
        assert_true(test_regex_cut(h, pre->patterns, test_regex_patterns(pre), text, &piece, 1, &err) > 0);
        best = ALLM__MIN(best, test_seconds() - t0);
    }
    return best;
}

static void test_regex_linear(void **state) {
    static const char *const units[] = {
        "a",        "A",  "1",        " ",        "\n", "!", "\xE4\xB8\xAD", "\xF0\x9F\x98\x80",
        "\xCC\x81", "a1", "\xCA\xB0", "\xD9\xA3", "a ", "'", "\r\n ",        "\xEA\xB0\x80"};
    enum { N = TEST_SANITIZED ? 1 << 14 : 1 << 16 };
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    char      *text = (char *)malloc(N + 8);
    (void)state;
    assert_non_null(text);
    for (size_t u = 0; u < ALLM__COUNT(units); u++) {
        size_t n_unit = strlen(units[u]), n = N / n_unit * n_unit, half = N / 2 / n_unit * n_unit;
        for (size_t i = 0; i < n; i += n_unit) memcpy(text + i, units[u], n_unit);
        for (size_t i = 0; i < ALLM__COUNT(allm__tok_pres); i++) {
            double t1 = test_regex_time(&h, &allm__tok_pres[i], allm__str(text, half));
            double t2 = test_regex_time(&h, &allm__tok_pres[i], allm__str(text, n));
            test_time_linear(allm__tok_pres[i].names, t1, t2);
        }
    }
    free(text);
    test_heap_check(&heap);
}

/* Patterns for which plain backtracking is exponential or quadratic. */
static void test_regex_memory_of_failures(void **state) {
    static const char *const patterns[] = {
        "(?:a+)+b",         "(?:a|a)+b|x",       "(?:aa|a)+b",       "a*b|a",         "a*a*a*b|a",
        "(?=(?:a|a)+b)a|.", "(?:\\w+\\s?)+$!|.", "(?>(?:a|aa)+b)|a", "(?!(?:a+)+b)a", "(?:a?){20}a{20}b|a"};
    enum { N = 1 << 17 };
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    char      *text = (char *)malloc(N);
    (void)state;
    assert_non_null(text);
    memset(text, 'a', N);
    for (size_t i = 0; i < ALLM__COUNT(patterns); i++) {
        allm_error err = {0};
        allm_str   piece;
        double     t0 = test_seconds();
        int        n  = test_regex_cut(&h, &patterns[i], 1, allm__str(text, N), &piece, 1, &err);
        double     t  = test_seconds() - t0;
        if (n <= 0) fail_msg("%s: %s", patterns[i], err.message);
        test_time(patterns[i], t, 2);
    }
    free(text);
    test_heap_check(&heap);
}

static allm_status test_regex_failing_body(const allm__host *h, void *ctx) {
    static const char *const patterns[] = {"\\d{1,3}(?=(?:\\d{3})*\\b)", "(?:[a-c]|b|\\x{4E00})+d|\\s*x|[^a]+"};
    allm_error               err        = {0};
    allm_str                 piece;
    (void)ctx;
    test_regex_cut(h, patterns, 2, ALLM__S("1234567890 12345678901234567890abcbcbcbcbcbcbcbabcbabababababab    y"),
                   &piece, 1, &err);
    return err.status;
}

static void test_regex_failing_memory(void **state) {
    (void)state;
    test_fail_each(test_regex_failing_body, NULL);
}

static const struct CMUnitTest test_regex[] = {
    cmocka_unit_test(test_regex_meaning),        cmocka_unit_test(test_regex_refusals),
    cmocka_unit_test(test_regex_hostile),        cmocka_unit_test(test_regex_random),
    cmocka_unit_test(test_regex_golden),         cmocka_unit_test(test_regex_rows),
    cmocka_unit_test(test_regex_linear),         cmocka_unit_test(test_regex_memory_of_failures),
    cmocka_unit_test(test_regex_failing_memory),
};
