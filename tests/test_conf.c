/* Room conf: settings in JSON as a flat table, and getters that name what is wrong. */

static const allm__host conf_host = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};

static const char conf_text[] = "{\n \"n\": 32, \"f\": 32.0, \"x\": 1.5, \"big\": 18446744073709551616, \"s\": "
                                "\"a\\u00e9\", \"t\": true, \"z\": null,\n"
                                " \"list\": [1, 2, 3], \"names\": [\"a\", \"b\"], \"mixed\": [1, \"a\"], \"deep\": "
                                "[[1], {\"k\": 7}], \"inf\": Infinity,\n"
                                " \"wrapped\": {\"__float__\": \"-Infinity\"}, \"o\": {\"n\": 5, \"model.a.b\": "
                                "false}, \"nan\": NaN, \"empty\": []}";

static void conf_open(allm__conf *c, const char *text, allm_error *err) {
    memset(err, 0, sizeof *err);
    allm__conf_open(&conf_host, allm__str_of(text), "c.json", c, err);
}

static void test_conf_values(void **state) {
    allm__conf              c;
    allm_error              err;
    int64_t                 i, list[3];
    double                  x;
    int                     b;
    allm_str                s = {"", 0};
    const allm__conf_value *v;
    (void)state;
    conf_open(&c, conf_text, &err);
    if (err.status) fail_msg("%s", err.message);
    assert_int_equal(allm__conf_get_int(&c, "n", 1, 100, ALLM__REQUIRED, &i, &err), ALLM_OK);
    assert_int_equal(i, 32);
    assert_int_equal(allm__conf_get_int(&c, "f", 1, 100, ALLM__REQUIRED, &i, &err), ALLM_OK);
    assert_int_equal(i, 32);
    assert_int_equal(allm__conf_get_int(&c, "z", 1, 100, 7, &i, &err), ALLM_OK);
    assert_int_equal(i, 7);
    assert_int_equal(allm__conf_get_int(&c, "deep.1.k", 1, 100, ALLM__REQUIRED, &i, &err), ALLM_OK);
    assert_int_equal(i, 7);
    assert_int_equal(allm__conf_get_ints(&c, "list", 3, 1, 3, ALLM__REQUIRED, list, &err), ALLM_OK);
    assert_true(list[0] == 1 && list[1] == 2 && list[2] == 3);
    assert_int_equal(allm__conf_get_ints(&c, "n", 3, 1, 100, ALLM__REQUIRED, list, &err), ALLM_OK);
    assert_true(list[0] == 32 && list[2] == 32);
    assert_int_equal(allm__conf_get_f64(&c, "x", 0, 2, NAN, &x, &err), ALLM_OK);
    assert_true(x == 1.5);
    assert_int_equal(allm__conf_get_f64(&c, "inf", 0, HUGE_VAL, NAN, &x, &err), ALLM_OK);
    assert_true(isinf(x));
    assert_int_equal(allm__conf_get_f64(&c, "wrapped", -HUGE_VAL, 0, NAN, &x, &err), ALLM_OK);
    assert_true(isinf(x) && x < 0);
    assert_int_equal(allm__conf_get_bool(&c, "t", -1, &b, &err), ALLM_OK);
    assert_int_equal(b, 1);
    assert_int_equal(allm__conf_get_bool(&c, "o.model.a.b", -1, &b, &err), ALLM_OK);
    assert_int_equal(b, 0);
    assert_int_equal(allm__conf_get_str(&c, "s", allm__str(NULL, 0), &s, &err), ALLM_OK);
    assert_true(allm__str_eq(s, ALLM__S("a\xc3\xa9")));
    assert_int_equal(allm__conf_get_array(&c, "names", 1, 1, &v, &err), ALLM_OK);
    assert_true(v->n == 2 && allm__str_eq(v[2].text, ALLM__S("b")));
    assert_int_equal(allm__conf_get_array(&c, "absent", 1, 0, &v, &err), ALLM_OK);
    assert_null(v);
    strcpy(c.base, "o.");
    assert_int_equal(allm__conf_get_int(&c, "n", 1, 100, ALLM__REQUIRED, &i, &err), ALLM_OK);
    assert_int_equal(i, 5);
    allm__conf_close(&c);
}

static void test_conf_errors(void **state) {
    static const struct { char kind; const char *key, *message; } rows[] = {
        {'i', "absent", "c.json: key \"absent\" is missing, an integer expected"},
        {'i', "s", "c.json: 2:66: key \"s\" is a string, an integer expected"},
        {'i', "x", "c.json: 2:27: key \"x\" is 1.5, expected an integer in 1..100"},
        {'i', "big", "c.json: 2:39: key \"big\" is 18446744073709551616, expected an integer in 1..100"},
        {'i', "t", "c.json: 2:82: key \"t\" is true, an integer expected"},
        {'i', "list", "c.json: 3:10: key \"list\" is an array, an integer expected"},
        {'l', "list", "c.json: 3:10: key \"list\" has 3 elements, 2 expected"},
        {'l', "deep", "c.json: 3:70: key \"deep.0\" is an array, an integer expected"},
        {'l', "mixed", "c.json: 3:55: key \"mixed.1\" is a string, an integer expected"},
        {'f', "nan", "c.json: 4:83: key \"nan\" is nan, expected 0.0..1.0"},
        {'f', "inf", "c.json: 3:93: key \"inf\" is inf, expected 0.0..1.0"},
        {'f', "o", "c.json: 4:46: key \"o\" is an object, a number expected"},
        {'b', "n", "c.json: 2:7: key \"n\" is an integer, true or false expected"},
        {'s', "n", "c.json: 2:7: key \"n\" is an integer, a string expected"},
        {'a', "n", "c.json: 2:7: key \"n\" is an integer, an array of strings expected"},
        {'a', "list", "c.json: 3:11: key \"list.0\" is an integer, an array of strings expected"},
        {'a', "z", "c.json: key \"z\" is missing, an array of strings expected"},
    };
    allm__conf c;
    allm_error err;
    (void)state;
    conf_open(&c, conf_text, &err);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        int64_t                 n, list[2];
        double                  x;
        int                     b;
        allm_str                s = {"", 0};
        const allm__conf_value *v;
        memset(&err, 0, sizeof err);
        if (rows[i].kind == 'i') allm__conf_get_int(&c, rows[i].key, 1, 100, ALLM__REQUIRED, &n, &err);
        if (rows[i].kind == 'l') allm__conf_get_ints(&c, rows[i].key, 2, 1, 100, ALLM__REQUIRED, list, &err);
        if (rows[i].kind == 'f') allm__conf_get_f64(&c, rows[i].key, 0, 1, NAN, &x, &err);
        if (rows[i].kind == 'b') allm__conf_get_bool(&c, rows[i].key, -1, &b, &err);
        if (rows[i].kind == 's') allm__conf_get_str(&c, rows[i].key, allm__str(NULL, 0), &s, &err);
        if (rows[i].kind == 'a') allm__conf_get_array(&c, rows[i].key, 1, 1, &v, &err);
        assert_int_equal(err.status, ALLM_E_FORMAT);
        assert_string_equal(err.message, rows[i].message);
    }
    allm__conf_close(&c);
}

static void test_conf_refused(void **state) {
    static const struct { const char *text, *message; } rows[] = {
        {"[1]", "c.json: 1:1: an object expected, found an array"},
        {"", "c.json: 1:1: a value expected, but the text ends"},
        {"{\"a\": 1,}", "c.json: 1:9: a key in quotes expected, found '}'"},
        {"{\"a\": 1, \"a\": 2}", "c.json: 1:15: key \"a\" is there twice"},
        {"{\"a\": 1e999}", "c.json: 1:7: the number does not fit in a double"},
        {"\xef\xbb\xbf{}", "c.json: 1:1: a value expected, found byte 0xef"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm__conf c;
        allm_error err;
        conf_open(&c, rows[i].text, &err);
        allm__conf_close(&c);
        assert_int_equal(err.status, ALLM_E_FORMAT);
        assert_string_equal(err.message, rows[i].message);
    }
}

static allm_status conf_body(const allm__host *h, void *ctx) {
    allm__conf c;
    allm_error err = {0};
    (void)ctx;
    allm__conf_open(h, allm__str_of(conf_text), "c.json", &c, &err);
    allm__conf_close(&c);
    return err.status;
}

static void test_conf_no_memory(void **state) {
    (void)state;
    test_fail_each(conf_body, NULL);
}

/* Every beginning, and every byte replaced: an answer, whatever it is, within the memory. Long keys. */
static void test_conf_hostile(void **state) {
    allm__conf c;
    allm_error err;
    size_t     n = sizeof conf_text - 1;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        test_guard g = test_guard_new(i);
        memcpy(g.ptr, conf_text, i);
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__conf_open(&conf_host, allm__str((char *)g.ptr, i), "c.json", &c, &err), ALLM_E_FORMAT);
        allm__conf_close(&c);
        test_guard_free(&g);
    }
    for (int round = 0; round < 3000; round++) {
        char text[sizeof conf_text];
        memcpy(text, conf_text, sizeof text);
        text[test_random_below(n)] = (char)test_random();
        memset(&err, 0, sizeof err);
        allm__conf_open(&conf_host, allm__str(text, n), "c.json", &c, &err);
        allm__conf_close(&c);
    }
    char *big = (char *)malloc(100000);
    memset(big, '[', 99999), big[99999] = 0;
    conf_open(&c, big, &err);
    assert_int_equal(err.status, ALLM_E_FORMAT);
    allm__conf_close(&c);
    memset(big, 'a', 99999), memcpy(big, "{\"", 2), memcpy(big + 90000, "\": [1, {\"b\": 2}], \"n\": 3}", 26),
        big[90026] = 0;
    conf_open(&c, big, &err);
    int64_t i;
    if (allm__conf_get_int(&c, "n", 0, 9, ALLM__REQUIRED, &i, &err)) fail_msg("%s", err.message);
    assert_int_equal(i, 3);
    allm__conf_close(&c);
    free(big);
}

static const struct CMUnitTest test_conf[] = {
    cmocka_unit_test(test_conf_values),    cmocka_unit_test(test_conf_errors),  cmocka_unit_test(test_conf_refused),
    cmocka_unit_test(test_conf_no_memory), cmocka_unit_test(test_conf_hostile),
};
