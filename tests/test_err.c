/* Room err: the error record. */

static void test_err_names(void **state) {
    (void)state;
    assert_int_equal(ALLM__COUNT(allm__err_names), ALLM_E_FILTERED + 1);
    for (size_t i = 0; i < ALLM__COUNT(allm__err_names); i++) {
        assert_int_equal(strncmp(allm__err_names[i], i ? "ALLM_E_" : "ALLM_OK", 7), 0);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(allm__err_names[i], allm__err_names[k]);
    }
    assert_string_equal(allm__err_names[ALLM_E_IO], "ALLM_E_IO");
    assert_string_equal(allm__err_names[ALLM_E_CANCELLED], "ALLM_E_CANCELLED");
    assert_string_equal(allm__err_names[ALLM_E_NUMERIC], "ALLM_E_NUMERIC");
    assert_string_equal(allm__err_names[ALLM_E_FILTERED], "ALLM_E_FILTERED");
}

static void test_err_parts(void **state) {
    (void)state;
    allm_error err = {0};
    allm_status status =
        allm__fail(&err, ALLM_E_FORMAT, "model.gguf", 0x1a40, "tensor \"%s\": %d dimensions, at most 4", "q", 5);
    assert_int_equal(status, ALLM_E_FORMAT);
    assert_string_equal(err.message, "model.gguf: byte 0x1a40: tensor \"q\": 5 dimensions, at most 4");
    assert_string_equal(err.source, "model.gguf");
    assert_int_equal(err.status, ALLM_E_FORMAT);
    assert_int_equal(err.offset, 0x1a40);
    assert_int_equal(err.line, 0);
    err = (allm_error){0};
    assert_int_equal(allm__fail_at(&err, ALLM_E_TEMPLATE, "chat template", 3, 14, "unknown filter"), ALLM_E_TEMPLATE);
    assert_string_equal(err.message, "chat template: 3:14: unknown filter");
    assert_int_equal(err.offset, -1);
    assert_int_equal(err.line, 3);
    assert_int_equal(err.column, 14);
    err = (allm_error){0};
    allm__fail(&err, ALLM_E_ARGUMENT, NULL, -1, "temperature is NaN");
    assert_string_equal(err.message, "temperature is NaN");
    assert_string_equal(err.source, "");
    assert_int_equal(err.offset, -1);
    err = (allm_error){0};
    allm__fail(&err, ALLM_E_IO, "f", 0, "x");
    assert_string_equal(err.message, "f: byte 0x0: x");
    err = (allm_error){0};
    assert_int_equal(allm__fail_memory(&err, 123456), ALLM_E_MEMORY);
    assert_non_null(strstr(err.message, "123456"));
}

static void test_err_first_wins(void **state) {
    (void)state;
    allm_error err = {0};
    allm__fail(&err, ALLM_E_FORMAT, "a", 1, "first");
    assert_int_equal(allm__fail(&err, ALLM_E_MEMORY, "b", 2, "second"), ALLM_E_FORMAT);
    assert_int_equal(allm__fail_at(&err, ALLM_E_MEMORY, "b", 2, 3, "second"), ALLM_E_FORMAT);
    assert_int_equal(allm__fail_memory(&err, 1), ALLM_E_FORMAT);
    assert_string_equal(err.message, "a: byte 0x1: first");
    assert_int_equal(err.line, 0);
}

static void test_err_long(void **state) {
    (void)state;
    char name[400], text[600];
    for (size_t n = 100; n < 300; n++) {
        for (size_t i = 0; i < n; i++) name[i] = (char)('a' + i % 26);
        name[n]        = 0;
        allm_error err = {0};
        allm__fail(&err, ALLM_E_IO, name, 1, "cannot open");
        if (n < sizeof err.source) assert_string_equal(err.source, name);
        else {
            assert_int_equal(strlen(err.source), sizeof err.source - 1);
            assert_int_equal(strncmp(err.source, "...", 3), 0);
            assert_string_equal(err.source + 3, name + n - (sizeof err.source - 4));
        }
        assert_non_null(strstr(err.message, ": byte 0x1: cannot open"));
    }
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    allm_error err        = {0};
    allm__fail(&err, ALLM_E_IO, name, INT64_MAX, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    err = (allm_error){0};
    allm__fail_at(&err, ALLM_E_IO, name, INT32_MAX, INT32_MAX, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

/* Text from files reaches a terminal and JSON: one line, no controls, whole UTF-8. */
static void test_err_clean(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?"},
        {"gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x98\x80"},
        {"\xff\xfe", "??"},
        {"\x80z", "?z"},
        {"\xc3", "?"},
        {"\xc3(", "?("},
        {"\xe4\xb8", "??"},
        {"\xf0\x9f\x98", "???"},
        {"\xc0\x80\xc1\xbf", "????"},
        {"\xe0\x9f\xbf", "???"},
        {"\xed\xa0\x80", "???"},
        {"\xf0\x8f\xbf\xbf", "????"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf5\x80\x80\x80", "????"},
        {"\xc2\x9b" "31m", "??31m"}, /* CSI as one C1 control */
        {"\xc2\xa0", "\xc2\xa0"},
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_error err = {0};
        allm__fail(&err, ALLM_E_FORMAT, NULL, -1, "%s", rows[i].in);
        assert_string_equal(err.message, rows[i].out);
        err = (allm_error){0};
        allm__fail(&err, ALLM_E_FORMAT, rows[i].in, -1, "x");
        assert_string_equal(err.source, rows[i].out);
    }
    /* Characters cut by the ends of the two texts. */
    for (size_t shift = 0; shift < 4; shift++) {
        char text[600];
        memset(text, '-', shift);
        for (size_t i = 0; i < 140; i++) memcpy(text + shift + 4 * i, "\xf0\x9f\x98\x80", 4);
        text[shift + 560] = 0;
        allm_error err    = {0};
        allm__fail(&err, ALLM_E_FORMAT, text, -1, "%s", text);
        assert_int_equal(allm__utf8_bad(allm__str_of(err.message)), SIZE_MAX);
        assert_int_equal(allm__utf8_bad(allm__str_of(err.source)), SIZE_MAX);
    }
}

static const struct CMUnitTest test_err[] = {
    cmocka_unit_test(test_err_names), cmocka_unit_test(test_err_parts), cmocka_unit_test(test_err_first_wins),
    cmocka_unit_test(test_err_long),  cmocka_unit_test(test_err_clean),
};
