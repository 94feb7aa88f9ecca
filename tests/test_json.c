/* Room json: the pull parser and the writer. FAULTS row 17. */

/* Parses all of text and writes it again to out: what a reader of every event sees. */
static allm_status json_echo(const allm__host *h, allm_str text, int32_t max_depth, allm__buf *out, allm_error *err) {
    allm__json       j;
    allm__json_event e;
    allm__json_init(&j, h, text, "test", max_depth, err);
    while ((e = allm__json_next(&j)) != ALLM__JSON_EOF) {
        if (e == ALLM__JSON_OBJECT_END || e == ALLM__JSON_ARRAY_END) {
            allm__buf_putc(out, e == ALLM__JSON_OBJECT_END ? '}' : ']');
            continue;
        }
        allm__json_put_key(out, NULL);
        switch (e) {
        case ALLM__JSON_OBJECT: allm__buf_putc(out, '{'); break;
        case ALLM__JSON_ARRAY: allm__buf_putc(out, '['); break;
        case ALLM__JSON_KEY: allm__json_put_str(out, allm__json_text(&j)), allm__buf_puts(out, ": "); break;
        case ALLM__JSON_STRING: allm__json_put_str(out, allm__json_text(&j)); break;
        case ALLM__JSON_INT: allm__buf_int(out, j.i); break;
        case ALLM__JSON_DOUBLE: allm__json_put_num(out, j.d); break;
        case ALLM__JSON_TRUE: allm__buf_puts(out, "true"); break;
        case ALLM__JSON_FALSE: allm__buf_puts(out, "false"); break;
        default: allm__buf_puts(out, "null"); break;
        }
    }
    allm_status status = j.status;
    if (!status && out->failed) status = allm__fail_memory(err, out->len);
    allm__json_free(&j);
    return status;
}

/* The text lies right before a page that must not be read. */
static allm_status json_try(const char *text, size_t n, char *echo, size_t cap, allm_error *err) {
    test_heap    m   = {0};
    allm__host  h   = test_host(&m);
    allm__buf   out = {0};
    test_guard  g   = test_guard_new(n);
    memcpy(g.ptr, text, n);
    memset(err, 0, sizeof *err);
    out.host           = &h;
    allm_status status = json_echo(&h, allm__str((const char *)g.ptr, n), 0, &out, err);
    if (echo) snprintf(echo, cap, "%.*s", (int)out.len, out.ptr ? out.ptr : "");
    allm__buf_free(&out);
    test_guard_free(&g);
    test_heap_check(&m);
    assert_int_equal(status, err->status);
    return status;
}

static const struct { const char *text, *echo;
} json_good[] = {
    {"[]", "[]"},
    {"{}", "{}"},
    {" [ ] ", "[]"},
    {"\t{\n}\r ", "{}"},
    {"null", "null"},
    {"true", "true"},
    {"false", "false"},
    {"0", "0"},
    {"-0", "0"},
    {"-1", "-1"},
    {"\"\"", "\"\""},
    {"[1,2 , 3]", "[1, 2, 3]"},
    {"[[],[[]],{}]", "[[], [[]], {}]"},
    {"{\"a\":[{\"b\":null}],\"c\":{}}", "{\"a\": [{\"b\": null}], \"c\": {}}"},
    {"{\"a\":1,\"a\":2}", "{\"a\": 1, \"a\": 2}"},
    {"{\"\":0}", "{\"\": 0}"},
    {"[null, 1, \"1\", {}]", "[null, 1, \"1\", {}]"},
    {"[1.0]", "[1.0]"},
    {"[-0.0]", "[-0.0]"},
    {"[1e2]", "[100.0]"},
    {"[1E2]", "[100.0]"},
    {"[1e+2]", "[100.0]"},
    {"[1E-2]", "[0.01]"},
    {"[123.456e-7]", "[1.23456e-05]"},
    {"[0e1]", "[0.0]"},
    {"[0e+1]", "[0.0]"},
    {"[1e-400]", "[0.0]"},
    {"[5e-324]", "[5e-324]"},
    {"[1.7976931348623157e308]", "[1.7976931348623157e+308]"},
    {"[0.1]", "[0.1]"},
    {"[2.2250738585072011e-308]", "[2.225073858507201e-308]"},
    {"[9223372036854775807]", "[9223372036854775807]"},
    {"[-9223372036854775808]", "[-9223372036854775808]"},
    {"[9223372036854775808]", "[9.223372036854776e+18]"},
    {"[18446744073709551616]", "[1.8446744073709552e+19]"},
    {"[-9223372036854775809]", "[-9.223372036854776e+18]"},
    {"[100000000000000000000000000000000000000000000000]", "[1e+47]"},
    {"\"a\\\"b\\\\c\\/d\"", "\"a\\\"b\\\\c/d\""},
    {"\"\\b\\f\\n\\r\\t\"", "\"\\b\\f\\n\\r\\t\""},
    {"\"\\u0041\\u00e9\\u20AC\"", "\"A\xc3\xa9\xe2\x82\xac\""},
    {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
    {"\"\\uD800\\uDC00\"", "\"\xf0\x90\x80\x80\""},
    {"\"\\uDBFF\\uDFFF\"", "\"\xf4\x8f\xbf\xbf\""},
    {"\"\\u0000x\"", "\"\\u0000x\""},
    {"\"\\u001f\\u007f\"", "\"\\u001f\x7f\""},
    {"\"\x7f\"", "\"\x7f\""},
    {"\"\\uFFFE\\uFFFF\"", "\"\xef\xbf\xbe\xef\xbf\xbf\""},
    {"\"\\\\u0041\"", "\"\\\\u0041\""},
    {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"\"\xe2\x80\xa8\xe2\x80\xa9\"", "\"\xe2\x80\xa8\xe2\x80\xa9\""},
    {"\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\""},
    {"{\"\\u0061\\n\": \"x\\ty\"}", "{\"a\\n\": \"x\\ty\"}"},
    {"\"/*c*/\"", "\"/*c*/\""},
    {"{\"a\":1}        ", "{\"a\": 1}"}, /* what safetensors pads with */
};

static void test_json_accepts(void **state) {
    allm_error err;
    char       echo[256];
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(json_good); i++) {
        if (json_try(json_good[i].text, strlen(json_good[i].text), echo, sizeof echo, &err))
            fail_msg("%s: %s", json_good[i].text, err.message);
        assert_string_equal(echo, json_good[i].echo);
        assert_int_equal(json_try(echo, strlen(echo), NULL, 0, &err), ALLM_OK); /* what is written is JSON */
    }
}

static const struct { const char *text; int line, column; const char *message;
} json_bad[] = {
    {"", 1, 1, "a value expected, but the text ends"},
    {" \n ", 2, 2, "but the text ends"},
    {"[", 1, 2, "but the text ends"},
    {"{", 1, 2, "a key in quotes expected"},
    {"]", 1, 1, "found ']'"},
    {"}", 1, 1, NULL},
    {"[}", 1, 2, NULL},
    {"{]", 1, 2, NULL},
    {"[]]", 1, 3, "the end of the text expected"},
    {"{}}", 1, 3, NULL},
    {"[1]x", 1, 4, "found 'x'"},
    {"1 2", 1, 3, NULL},
    {"\"\"\"\"", 1, 3, NULL},
    {"{}#", 1, 3, NULL},
    {"[1", 1, 3, "',' or ']' expected"},
    {"[1 2]", 1, 4, "',' or ']' expected, found '2'"},
    {"[1,]", 1, 4, NULL},
    {"[,1]", 1, 2, NULL},
    {"[,]", 1, 2, NULL},
    {"[1,,2]", 1, 4, NULL},
    {"[1:2]", 1, 3, NULL},
    {"[\"a\":1]", 1, 5, NULL},
    {"{\"a\"}", 1, 5, "':' expected"},
    {"{\"a\" 1}", 1, 6, "':' expected, found '1'"},
    {"{\"a\":}", 1, 6, NULL},
    {"{\"a\":1,}", 1, 8, "a key in quotes expected, found '}'"},
    {"{,}", 1, 2, NULL},
    {"{\"a\":1 \"b\":2}", 1, 8, "',' or '}'"},
    {"{\"a\":1,,\"b\":2}", 1, 8, NULL},
    {"{a:1}", 1, 2, NULL},
    {"{'a':1}", 1, 2, NULL},
    {"{1:1}", 1, 2, NULL},
    {"{\"a\",1}", 1, 5, NULL},
    {"{\"a\"::1}", 1, 6, NULL},
    {"{\"a\":1:2}", 1, 7, NULL},
    {"{null:1}", 1, 2, NULL},
    {"{[]:1}", 1, 2, NULL},
    {"{\"a\":1", 1, 7, NULL},
    {"{\"a\":", 1, 6, NULL},
    {"{\"a\"", 1, 5, NULL},
    {"{\"a", 1, 2, "does not end"},
    {"nul", 1, 1, NULL},
    {"True", 1, 1, NULL},
    {"tru", 1, 1, NULL},
    {"truee", 1, 5, NULL},
    {"NULL", 1, 1, NULL},
    {"NaN", 1, 1, NULL},
    {"Infinity", 1, 1, NULL},
    {"-Infinity", 1, 2, "a digit expected"},
    {"nan", 1, 1, NULL},
    {"undefined", 1, 1, NULL},
    {"[+1]", 1, 2, NULL},
    {"[-]", 1, 3, "a digit expected"},
    {"-", 1, 2, NULL},
    {"[01]", 1, 2, "leading zeros"},
    {"[-01]", 1, 3, "leading zeros"},
    {"[00]", 1, 2, NULL},
    {"[1.]", 1, 4, "a digit expected"},
    {"[.1]", 1, 2, NULL},
    {"[-.1]", 1, 3, NULL},
    {"[1.e1]", 1, 4, NULL},
    {"[1e]", 1, 4, NULL},
    {"[1e+]", 1, 5, NULL},
    {"[1E-]", 1, 5, NULL},
    {"[1e1.5]", 1, 5, NULL},
    {"[0x10]", 1, 3, NULL},
    {"[1a]", 1, 3, NULL},
    {"[1_000]", 1, 3, NULL},
    {"[--1]", 1, 3, NULL},
    {"[1-2]", 1, 3, NULL},
    {"[1e400]", 1, 2, "does not fit in a double"},
    {"[-1e999]", 1, 2, NULL},
    {"[1e99999999999999999999]", 1, 2, NULL},
    {"[\xef\xbc\x91]", 1, 2, NULL},
    {"[1\v]", 1, 3, NULL},
    {"[\f]", 1, 2, NULL},
    {"[\xc2\xa0]", 1, 2, NULL},
    {"\xef\xbb\xbf[]", 1, 1, "found byte 0xef"},
    {"\xff\xfe[\0", 1, 1, NULL},
    {"'a'", 1, 1, NULL},
    {"\"", 1, 1, "does not end"},
    {"\"a", 1, 1, NULL},
    {"\"a\\", 1, 3, NULL},
    {"\"\\\"", 1, 1, NULL},
    {"\"\\x41\"", 1, 2, "unknown escape"},
    {"\"\\a\"", 1, 2, NULL},
    {"\"\\'\"", 1, 2, NULL},
    {"\"\\U0041\"", 1, 2, NULL},
    {"\"\\ \"", 1, 2, NULL},
    {"\"\\u004\"", 1, 2, "four hex digits"},
    {"\"\\u00g0\"", 1, 2, NULL},
    {"\"\\u\"", 1, 2, NULL},
    {"\"\\u+041\"", 1, 2, NULL},
    {"\"\\ud800\"", 1, 2, "surrogate \\ud800 without its other half"},
    {"\"a\\udc00\"", 1, 3, NULL},
    {"\"\\ud800\\ud800\"", 1, 2, NULL},
    {"\"\\ud800x\"", 1, 2, NULL},
    {"\"\\ud800\\n\"", 1, 2, NULL},
    {"\"\\ud800\\u0041\"", 1, 2, NULL},
    {"\"\\udc00\\ud800\"", 1, 2, NULL},
    {"\"\\ud83d\\ude0\"", 1, 2, NULL},
    {"\"a\nb\"", 1, 3, "control character 0x0a"},
    {"\"\t\"", 1, 2, NULL},
    {"\"\x1f\"", 1, 2, NULL},
    {"\"\x80\"", 1, 2, "byte 0x80 is not UTF-8"},
    {"\"\xc3\"", 1, 2, NULL},
    {"\"\xc0\x80\"", 1, 2, NULL},
    {"\"\xc1\xbf\"", 1, 2, NULL},
    {"\"\xe0\x80\x80\"", 1, 2, NULL},
    {"\"\xed\xa0\x80\"", 1, 2, NULL},
    {"\"\xf0\x80\x80\x80\"", 1, 2, NULL},
    {"\"\xf4\x90\x80\x80\"", 1, 2, NULL},
    {"\"\xf5\x80\x80\x80\"", 1, 2, NULL},
    {"\"\xff\"", 1, 2, NULL},
    {"\"\xe2\x82\"", 1, 2, NULL},
    {"\"ab\xc3\xa9\xff\"", 1, 5, "byte 0xff"}, /* columns count characters */
    {"[1] // x", 1, 5, NULL},
    {"/* */[]", 1, 1, NULL},
    {"# x\n[]", 1, 1, NULL},
    {"[\n  1,\n  x\n]", 3, 3, "found 'x'"},
    {"{\"a\":\n\n  tru}", 3, 3, NULL},
    {"<!DOCTYPE html>", 1, 1, NULL},
    {"\\n", 1, 1, NULL},
    {"*", 1, 1, NULL},
    {"[\"x\"", 1, 5, NULL},
};

static void test_json_refuses(void **state) {
    allm_error err;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(json_bad); i++) {
        const char *text = json_bad[i].text;
        if (json_try(text, strlen(text), NULL, 0, &err) != ALLM_E_FORMAT) fail_msg("accepted: %s", text);
        if (err.line != json_bad[i].line || err.column != json_bad[i].column)
            fail_msg("%s: at %d:%d: %s", text, (int)err.line, (int)err.column, err.message);
        if (json_bad[i].message && !strstr(err.message, json_bad[i].message)) fail_msg("%s: %s", text, err.message);
        assert_memory_equal(err.message, "test: ", 6);
    }
    assert_int_equal(json_try("[\"a\0b\"]", 7, NULL, 0, &err), ALLM_E_FORMAT); /* a raw NUL, in and out of a string */
    assert_int_equal(json_try("[\0]", 3, NULL, 0, &err), ALLM_E_FORMAT);
    assert_int_equal(json_try("[]\0", 3, NULL, 0, &err), ALLM_E_FORMAT);
    assert_non_null(strstr(err.message, "1:3: the end of the text expected, found byte 0x00"));
}

static void test_json_numbers(void **state) {
    static const struct { const char *text; allm__json_event event; int64_t i; int big; } rows[] = {
        {"0", ALLM__JSON_INT, 0, 0}, {"-0", ALLM__JSON_INT, 0, 0}, {"-0.0", ALLM__JSON_DOUBLE, 0, 0},
        {"42", ALLM__JSON_INT, 42, 0}, {"42.0", ALLM__JSON_DOUBLE, 0, 0}, {"4e1", ALLM__JSON_DOUBLE, 0, 0},
        {"9223372036854775807", ALLM__JSON_INT, INT64_MAX, 0}, {"9223372036854775808", ALLM__JSON_DOUBLE, 0, 1},
        {"-9223372036854775808", ALLM__JSON_INT, INT64_MIN, 0}, {"-9223372036854775809", ALLM__JSON_DOUBLE, 0, 1},
        {"18446744073709551616", ALLM__JSON_DOUBLE, 0, 1}, {"-1e-400", ALLM__JSON_DOUBLE, 0, 0},
        {"0.3", ALLM__JSON_DOUBLE, 0, 0}, {"1e22", ALLM__JSON_DOUBLE, 0, 0}, {"1e23", ALLM__JSON_DOUBLE, 0, 0},
        {"123456789012345678901234567890123456789012345678901234567890", ALLM__JSON_DOUBLE, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_heap   m      = {0};
        allm__host h      = test_host(&m);
        allm_error err    = {0};
        double     expect = strtod(rows[i].text, NULL); /* the tests run in the C locale */
        allm__json j;
        if (rows[i].event == ALLM__JSON_INT) expect = (double)rows[i].i;
        allm__json_init(&j, &h, allm__str_of(rows[i].text), "t", 0, &err);
        if (allm__json_next(&j) != rows[i].event) fail_msg("%s: event %d", rows[i].text, (int)j.event);
        if (j.i != rows[i].i || j.d != expect || !signbit(j.d) != !signbit(expect) || j.big != rows[i].big)
            fail_msg("%s: %lld %.17g %d", rows[i].text, (long long)j.i, j.d, j.big);
        assert_true(allm__str_eq(j.raw, allm__str_of(rows[i].text)));
        assert_int_equal(allm__json_end(&j), ALLM_OK);
        allm__json_free(&j);
        test_heap_check(&m);
    }
}

/* Python's words are numbers where the reader says so, and only there. */
static void test_json_words(void **state) {
    static const char *const words[] = {"[NaN, Infinity, -Infinity, 1]", "[Nan]", "[Infinit]", "[-Inf]", "[+Infinity]"};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(words); i++) {
        test_heap  m   = {0};
        allm__host h   = test_host(&m);
        allm_error err = {0};
        double     v   = 0;
        allm__json j;
        allm__json_init(&j, &h, allm__str_of(words[i]), "t", 0, &err);
        j.words = 1;
        assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"));
        assert_int_equal(allm__json_get_f64(&j, "x", &v), i == 0);
        if (i == 0) {
            assert_true(isnan(v) && allm__str_eq(j.raw, ALLM__S("NaN")));
            assert_true(allm__json_get_f64(&j, "x", &v) && isinf(v) && v > 0);
            assert_true(allm__json_get_f64(&j, "x", &v) && isinf(v) && v < 0);
            assert_true(allm__json_get_f64(&j, "x", &v) && v == 1);
            assert_false(allm__json_elem(&j));
        }
        assert_int_equal(allm__json_end(&j), i == 0 ? ALLM_OK : ALLM_E_FORMAT);
        allm__json_free(&j);
        test_heap_check(&m);
    }
}

/* The readers' calls: typed fields, unknown ones skipped, messages that name field, found and expected. */
static allm_status json_read_config(const allm__host *h, const char *text, int64_t *n_layers, double *eps, int *tied,
                                    char name[32], allm_error *err) {
    allm__json j;
    allm_str   key, s;
    memset(err, 0, sizeof *err);
    allm__json_init(&j, h, allm__str_of(text), "config.json", 0, err);
    if (allm__json_begin(&j, ALLM__JSON_OBJECT, "an object")) {
        while (allm__json_key(&j, &key))
            if (allm__str_eq(key, ALLM__S("layers"))) allm__json_get_int(&j, "layers", 1, 1000, n_layers);
            else if (allm__str_eq(key, ALLM__S("eps"))) allm__json_get_f64(&j, "eps", eps);
            else if (allm__str_eq(key, ALLM__S("tied"))) allm__json_get_bool(&j, "tied", tied);
            else if (allm__str_eq(key, ALLM__S("name"))) {
                if (allm__json_get_str(&j, "name", &s)) snprintf(name, 32, "%.*s", (int)s.len, s.ptr);
            } else allm__json_skip(&j);
    }
    allm__json_end(&j);
    allm__json_free(&j);
    return j.status;
}

static void test_json_fields(void **state) {
    static const struct { const char *text, *message;
    } bad[] = {
        {"[]", "config.json: 1:1: an object expected, found an array"},
        {"{\"layers\": \"8\"}", "1:12: \"layers\": an integer expected, found a string"},
        {"{\"layers\": 8.5}", "\"layers\" is 8.5, an integer in 1..1000 expected"},
        {"{\"layers\": 0}", "\"layers\" is 0, an integer in 1..1000"},
        {"{\"layers\": 1e30}", "is 1e30"},
        {"{\"layers\": 18446744073709551617}", "is 18446744073709551617"},
        {"{\"layers\": [1]}", "found an array"},
        {"{\"eps\": null}", "\"eps\": a number expected, found null"},
        {"{\"tied\": 1}", "true or false expected, found an integer"},
        {"{\"name\": {}}", "\"name\": a string expected, found an object"},
        {"{\"name\": ", "a value expected, but the text ends"},
        {"{\"x\": [1, {\"y\": [}]}", "found '}'"},
        {"{} {}", "the end of the text expected"},
        {"", "the text ends"},
    };
    test_heap   m = {0};
    allm__host h = test_host(&m);
    allm_error err;
    int64_t    n = 0;
    double     eps = 0;
    int        tied = 0;
    char       name[32] = "";
    (void)state;
    assert_int_equal(
        json_read_config(&h,
                         "{\"x\": {\"layers\": [1, [2], {\"a\": {}}]}, \"l\\u0061yers\": 32.0, \"y\": [], \"eps\": 1,"
                         "\"tied\": true, \"z\": null, \"name\": \"a\\nb\", \"eps\": 1e-5}",
                         &n, &eps, &tied, name, &err),
        ALLM_OK);
    assert_true(n == 32 && eps == 1e-5 && tied == 1 && !strcmp(name, "a\nb"));
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        assert_int_equal(json_read_config(&h, bad[i].text, &n, &eps, &tied, name, &err), ALLM_E_FORMAT);
        if (!strstr(err.message, bad[i].message)) fail_msg("%s: %s", bad[i].text, err.message);
    }
    test_heap_check(&m);
}

static void test_json_skip(void **state) {
    test_heap   m   = {0};
    allm__host h   = test_host(&m);
    allm_error err = {0};
    allm__json j;
    allm_str   key = {0};
    (void)state;
    allm__json_init(&j, &h, ALLM__S("[[1,[2,{\"a\":[]}]],{\"b\":{\"c\":[1,2]},\"d\":\"e\"},7]"), "t", 0, &err);
    assert_int_equal(allm__json_next(&j), ALLM__JSON_ARRAY);
    assert_true(allm__json_elem(&j));
    allm__json_next(&j);
    allm__json_skip(&j); /* a number: nothing to pass over */
    assert_true(j.event == ALLM__JSON_INT && j.i == 1);
    assert_true(allm__json_elem(&j) && j.event == ALLM__JSON_ARRAY);
    allm__json_skip(&j);
    assert_int_equal(allm__json_next(&j), ALLM__JSON_ARRAY_END);
    assert_true(allm__json_elem(&j) && j.event == ALLM__JSON_OBJECT);
    assert_true(allm__json_key(&j, &key) && allm__str_eq(key, ALLM__S("b")));
    allm__json_skip(&j);
    assert_true(allm__json_key(&j, &key) && allm__str_eq(key, ALLM__S("d")));
    allm__json_skip(&j);
    assert_false(allm__json_key(&j, &key));
    assert_true(allm__json_elem(&j) && j.i == 7);
    assert_false(allm__json_elem(&j));
    assert_int_equal(allm__json_end(&j), ALLM_OK);
    assert_int_equal(allm__json_next(&j), ALLM__JSON_EOF); /* again and again */
    allm__json_free(&j);

    allm__buf b = {0}; /* strings into a buffer of the caller's; an end that comes too early */
    b.host      = &h;
    allm__json_init(&j, &h, ALLM__S("[\"plain\", \"\\u00e9\\n\", 3]"), "t", 0, &err);
    assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"));
    while (allm__json_elem(&j) && j.event == ALLM__JSON_STRING) allm__json_string(&j, &b);
    assert_true(allm__str_eq(allm__str(b.ptr, b.len), ALLM__S("plain\xc3\xa9\n")));
    allm__buf_free(&b);
    assert_int_equal(allm__json_end(&j), ALLM_E_FORMAT);
    assert_string_equal(err.message, "t: 1:24: the end of the text expected, found the end of an array");
    allm__json_free(&j);
    test_heap_check(&m);
}

/* Depth: 64 levels by default, as many as asked for up to 256, an error beyond; no stack is used for it. */
static void test_json_depth(void **state) {
    static const int32_t limits[] = {0, 1, 64, 65, 200, 256, 1000};
    char   *text = (char *)malloc(200001);
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(limits); i++) {
        int32_t most = limits[i] == 0 ? 64 : ALLM__MIN(limits[i], 256);
        for (int32_t depth = most; depth <= most + 1; depth++) {
            test_heap   m   = {0};
            allm__host h   = test_host(&m);
            allm_error err = {0};
            allm__buf  out = {0};
            size_t     n   = 0;
            out.host       = &h;
            for (int32_t k = 0; k < depth; k++) { /* arrays and objects mixed: each level remembers which it is */
                if (k % 3) text[n++] = '[';
                else memcpy(text + n, "{\"\":", 4), n += 4;
            }
            text[n++] = '1';
            for (int32_t k = depth; k-- > 0;) text[n++] = k % 3 ? ']' : '}';
            allm_status status = json_echo(&h, allm__str(text, n), limits[i], &out, &err);
            assert_int_equal(status, depth > most ? ALLM_E_FORMAT : ALLM_OK);
            if (depth > most) assert_non_null(strstr(err.message, "nested deeper than"));
            allm__buf_free(&out);
            test_heap_check(&m);
        }
    }
    allm_error err;
    memset(text, '[', 200000);
    assert_int_equal(json_try(text, 100000, NULL, 0, &err), ALLM_E_FORMAT);
    assert_int_equal(err.column, 65);
    for (int i = 0; i < 100000; i += 5) memcpy(text + i, "{\"a\":", 5);
    assert_int_equal(json_try(text, 100000, NULL, 0, &err), ALLM_E_FORMAT);
    free(text);
}

static const char json_sample[] =
    "{\"model_type\": \"llama\", \"n\": [1, -2, 3.5e-7, 1e22, true, false, null], \"esc\": "
    "\"\\u00e9\\ud83d\\ude00\\n\\\\\","
    " \"deep\": {\"a\": [[[{}]]]}, \"utf8\": \"\xc3\xa9\xf0\x9f\x98\x80\", \"empty\": [\"\", {}, []]}";

/* T1, T2: every prefix is refused, every byte may become anything; nothing is read outside (guard page). */
static void test_json_fault_17_truncation(void **state) {
    allm_error err;
    size_t     n = sizeof json_sample - 1;
    char       t[sizeof json_sample];
    (void)state;
    assert_int_equal(json_try(json_sample, n, NULL, 0, &err), ALLM_OK);
    for (size_t i = 0; i < n; i++)
        if (json_try(json_sample, i, NULL, 0, &err) != ALLM_E_FORMAT) fail_msg("%zu bytes were accepted", i);
    for (size_t i = 0; i < n; i++) { /* and with zeros for the rest */
        memcpy(t, json_sample, i);
        memset(t + i, 0, n - i);
        if (json_try(t, n, NULL, 0, &err) != ALLM_E_FORMAT) fail_msg("%zu bytes and zeros were accepted", i);
    }
}

static void test_json_fault_17_flips(void **state) {
    static const char values[] = {0, 0x7f, (char)0x80, (char)0xff};
    test_heap   m = {0};
    allm__host h = test_host(&m);
    size_t     n = sizeof json_sample - 1;
    test_guard g = test_guard_new(n);
    char      *t = (char *)g.ptr;
    int        n_good = 0, n_bad = 0;
    (void)state;
    memcpy(t, json_sample, n);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 12; k++) {
            allm_error err = {0};
            allm__buf  out = {0};
            out.host       = &h;
            t[i] = (char)(k < 4 ? values[k] : (char)((unsigned char)json_sample[i] ^ 1u << (k - 4)));
            allm_status status = json_echo(&h, allm__str(t, n), 0, &out, &err);
            assert_true(status == ALLM_OK || status == ALLM_E_FORMAT);
            if (status == ALLM_OK) { /* what was accepted can be written and read again, and is the same then */
                allm__buf again = {0};
                again.host      = &h;
                assert_int_equal(json_echo(&h, allm__str(out.ptr, out.len), 0, &again, &err), ALLM_OK);
                assert_true(allm__str_eq(allm__str(out.ptr, out.len), allm__str(again.ptr, again.len)));
                allm__buf_free(&again);
                n_good++;
            } else n_bad++;
            allm__buf_free(&out);
            t[i] = json_sample[i];
        }
    test_guard_free(&g);
    test_heap_check(&m);
    assert_true(n_bad > 1000 && n_good > 300);
}

/* Random bytes out of JSON's alphabet: parsing ends, and what is accepted comes back the same. */
static void test_json_random(void **state) {
    static const char *const words[] = {"{", "}",  "[",  "]",    ",",    ":", "\"a\"",   "\"",      "1",
                                        "-", ".5", "e9", "null", "true", " ", "\\u0041", "\xc3\xa9"};
    char text[256];
    int  n_good = 0;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        test_heap   m   = {0};
        allm__host h   = test_host(&m);
        allm_error err = {0};
        allm__buf  out = {0};
        size_t     n   = 0;
        out.host       = &h;
        for (uint64_t k = 1 + test_random_below(12); k-- > 0;) {
            const char *w = words[test_random_below(ALLM__COUNT(words))];
            memcpy(text + n, w, strlen(w));
            n += strlen(w);
        }
        n_good += json_echo(&h, allm__str(text, n), 0, &out, &err) == ALLM_OK;
        allm__buf_free(&out);
        test_heap_check(&m);
    }
    assert_true(n_good > 100);
}

static allm_status json_memory_body(const allm__host *h, void *ctx) {
    allm_error err = {0};
    allm__buf  out = {0};
    (void)ctx;
    out.host           = h;
    allm_status status = json_echo(h, allm__str(json_sample, sizeof json_sample - 1), 0, &out, &err);
    if (!status && (!out.len || out.ptr[out.len - 1] != '}')) status = ALLM_E_FORMAT; /* silently cut: wrong */
    allm__buf_free(&out);
    return status;
}

static void test_json_memory(void **state) {
    (void)state;
    test_fail_each(json_memory_body, NULL);
}

/* Ten million bytes: a long key, a long number, many values. Time is linear, memory is one buffer. */
static void test_json_fault_17_large(void **state) {
    static const char *const units[] = {"x", "\\u00e9", "\xe2\x82\xac", "7"};
    size_t n_max = TEST_SANITIZED ? 1000000 : 10000000;
    char  *text  = (char *)malloc(n_max + 16);
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(units); i++) {
        size_t     n = 0, n_unit = strlen(units[i]);
        test_heap   m = {0};
        allm__host h = test_host(&m);
        allm_error err = {0};
        allm__json j;
        double     t0 = test_seconds();
        int        is_number = units[i][0] == '7';
        if (!is_number) text[n++] = '"';
        while (n + n_unit < n_max) memcpy(text + n, units[i], n_unit), n += n_unit;
        if (!is_number) text[n++] = '"';
        allm__json_init(&j, &h, allm__str(text, n), "t", 0, &err);
        allm__json_event e = allm__json_next(&j);
        assert_int_equal(e, is_number ? ALLM__JSON_EOF : ALLM__JSON_STRING); /* 7777... does not fit in a double */
        if (!is_number) assert_int_equal(allm__json_text(&j).len, (n - 2) / n_unit * (i == 1 ? 2 : n_unit));
        allm__json_free(&j);
        test_heap_check(&m);
        assert_true(m.peak <= (int64_t)(2 * n));
        test_time("reading", test_seconds() - t0, 1);
    }
    free(text);
}

static void json_stack_body(void *arg) {
    allm__host h   = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    allm_error err = {0};
    allm__buf  out = {0};
    out.host       = &h;
    json_echo(&h, *(allm_str *)arg, 0, &out, &err);
    allm__buf_free(&out);
}

static void test_json_stack(void **state) {
    char    *text = (char *)malloc(100000);
    allm_str s    = {text, 100000};
    (void)state;
    memset(text, '[', 100000);
    test_stack_check(json_stack_body, &s);
    memset(text, '7', 300); /* the slow path of number conversion */
    s.len = 300;
    test_stack_check(json_stack_body, &s);
    s = allm__str(json_sample, sizeof json_sample - 1);
    test_stack_check(json_stack_body, &s);
    free(text);
}

static void test_json_write(void **state) {
    static const struct { const char *text; size_t n; const char *json;
    } strings[] = {
        {"", 0, "\"\""},
        {"abc", 3, "\"abc\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\n\r\t\b\f", 5, "\"\\n\\r\\t\\b\\f\""},
        {"\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\""},
        {"\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"a\xff"
         "b\xe2\x82",
         5,
         "\"a\xef\xbf\xbd"
         "b\xef\xbf\xbd\""},
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"<|im_end|>&'", 12, "\"<|im_end|>&'\""},
    };
    static const struct { double v; const char *json;
    } numbers[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {0.1, "0.1"},
        {1e16, "1e+16"},
        {123456789, "123456789.0"},
        {1e-5, "1e-05"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {5e-324, "5e-324"},
    };
    test_heap   m = {0};
    allm__host h = test_host(&m);
    allm__buf  b = {0};
    (void)state;
    b.host = &h;
    for (size_t i = 0; i < ALLM__COUNT(strings); i++) {
        b.len = 0;
        allm__json_put_str(&b, allm__str(strings[i].text, strings[i].n));
        assert_string_equal(allm__buf_text(&b), strings[i].json);
    }
    for (size_t i = 0; i < ALLM__COUNT(numbers); i++) {
        b.len = 0;
        allm__json_put_num(&b, numbers[i].v);
        assert_string_equal(allm__buf_text(&b), numbers[i].json);
    }
    b.len = 0;
    allm__buf_putc(&b, '{');
    allm__json_put_key(&b, "a"), allm__buf_int(&b, 1);
    allm__json_put_key(&b, "b\n"), allm__buf_putc(&b, '[');
    for (int i = 0; i < 3; i++) allm__json_put_key(&b, NULL), allm__json_put_num(&b, i);
    allm__buf_puts(&b, "]}");
    assert_string_equal(allm__buf_text(&b), "{\"a\": 1, \"b\\n\": [0.0, 1.0, 2.0]}");
    allm__buf_free(&b);
    test_heap_check(&m);
}

static const struct CMUnitTest test_json[] = {
    cmocka_unit_test(test_json_accepts),
    cmocka_unit_test(test_json_refuses),
    cmocka_unit_test(test_json_numbers),
    cmocka_unit_test(test_json_words),
    cmocka_unit_test(test_json_fields),
    cmocka_unit_test(test_json_skip),
    cmocka_unit_test(test_json_depth),
    cmocka_unit_test(test_json_fault_17_truncation),
    cmocka_unit_test(test_json_fault_17_flips),
    cmocka_unit_test(test_json_random),
    cmocka_unit_test(test_json_memory),
    cmocka_unit_test(test_json_fault_17_large),
    cmocka_unit_test(test_json_stack),
    cmocka_unit_test(test_json_write),
};
