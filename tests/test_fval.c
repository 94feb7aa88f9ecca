/* Room fval: values as models write them, to JSON: each dialect, and what is no value. */

static void test_fval_cases(void **state) {
    static const struct { int dialect; const char *text, *json; } rows[] = { /* json NULL: no value */
        {ALLM__FILT_JSON, "{\"a\": [1, 2.5, true], \"b\": null}", "{\"a\":[1,2.5,true],\"b\":null}"},
        {ALLM__FILT_JSON, "{\"a\": \"x\ny\", }", "{\"a\":\"x\\ny\"}"}, /* a line end, a comma too many */
        {ALLM__FILT_JSON, "\"\\ud83d\\ude42\\ud83d\"", "\"\xF0\x9F\x99\x82\xEF\xBF\xBD\""},
        {ALLM__FILT_PYTHON, "{'a': [True, None, 'it\\'s']}", "{\"a\":[true,null,\"it's\"]}"},
        {ALLM__FILT_PYTHON, "(1, 2)", "[1,2]"},
        {ALLM__FILT_GEMMA, "{a:<|\"|>x\"y<|\"|>,b:3,c:[true]}", "{\"a\":\"x\\\"y\",\"b\":3,\"c\":[true]}"},
        {ALLM__FILT_JSON, "{\"a\" 1}", NULL},
        {ALLM__FILT_JSON, "[1}", NULL},
        {ALLM__FILT_JSON, "nope ", NULL},
        {ALLM__FILT_JSON, "1e999 ", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_heap  heap = {0};
        allm__host     h    = test_host(&heap);
        allm__buf      out  = {&h, NULL, 0, 0, 0, 0};
        int        good = allm__filt_val_whole(allm__str_of(rows[i].text), rows[i].dialect, &out);
        if (good != (rows[i].json != NULL) ||
            (good && !allm__str_eq(allm__str(out.ptr, out.len), allm__str_of(rows[i].json))))
            fail_msg("%s: %d, \"%.*s\"", rows[i].text, good, (int)out.len, out.ptr ? out.ptr : "");
        allm__buf_free(&out);
        test_heap_check(&heap);
    }
}

static const struct CMUnitTest test_fval[] = {
    cmocka_unit_test(test_fval_cases),
};
