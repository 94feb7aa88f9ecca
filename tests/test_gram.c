/* Room gram, and what the tests of the rooms on it share: compiling a text, what it takes, refusals with their place,
 * hostile texts. */

typedef struct gram_run {
    test_heap      mem;
    allm__host     host;
    allm__gram    *g;
    allm__gram_run r;
    allm_error     err;
} gram_run;

static void gram_begin(gram_run *x) {
    memset(x, 0, sizeof *x);
    x->host = test_host(&x->mem);
}

static void gram_end(gram_run *x) {
    allm__gram_run_free(&x->r);
    allm__gram_free(x->g);
    x->g = NULL;
    test_heap_check(&x->mem);
}

/* schema: 0 GBNF, 1 a schema for reading, 2 for writing */
static allm_status gram_compile(gram_run *x, allm_str text, int schema) {
    allm_status status = schema ? allm__gram_compile_schema(&x->host, text, "schema", NULL, schema == 2, &x->g, &x->err)
                                : allm__gram_compile_gbnf(&x->host, text, "grammar", NULL, &x->g, &x->err);
    return status ? status : allm__gram_run_init(&x->r, &x->host, x->g, NULL, &x->err);
}

static int gram_takes(gram_run *x, allm_str text) {
    allm_error no = {0};
    allm__gram_run_reset(&x->r);
    return !allm__gram_accept(&x->r, text.ptr, text.len, &no) && allm__gram_may_end(&x->r);
}

/* Texts that are taken, a line with '|' between, and texts that are not. */
typedef struct gram_row { const char *text, *yes, *no; } gram_row;

static void gram_row_texts(gram_run *x, const char *text, const char *list, int want) {
    for (const char *p = list; p; p = *p ? p + 1 : NULL) {
        size_t n = strcspn(p, "|");
        if (gram_takes(x, allm__str(p, n)) != want)
            fail_msg("%s: \"%.*s\" is %staken", text, (int)n, p, want ? "not " : "");
        p += n;
        if (!*p) break;
    }
}

static void gram_rows(const gram_row *rows, size_t n, int schema) {
    for (size_t i = 0; i < n; i++) {
        gram_run x;
        gram_begin(&x);
        if (gram_compile(&x, allm__str_of(rows[i].text), schema)) fail_msg("%s: %s", rows[i].text, x.err.message);
        gram_row_texts(&x, rows[i].text, rows[i].yes, 1);
        gram_row_texts(&x, rows[i].text, rows[i].no, 0);
        gram_end(&x);
    }
}

/* Grammars that do not compile: status, line and column, a part of the message. */
typedef struct gram_bad { const char *text; allm_status status; int32_t line, column; const char *says; } gram_bad;

static void gram_bads(const gram_bad *rows, size_t n, int schema) {
    for (size_t i = 0; i < n; i++) {
        gram_run x;
        gram_begin(&x);
        allm_status status = gram_compile(&x, allm__str_of(rows[i].text), schema);
        if (status != rows[i].status || x.err.line != rows[i].line || x.err.column != rows[i].column ||
            !strstr(x.err.message, rows[i].says))
            fail_msg("%s: %s (%d:%d)", rows[i].text, x.err.message, (int)x.err.line, (int)x.err.column);
        assert_null(x.g);
        gram_end(&x);
    }
}

/* ---- golden */

/* A value of a golden file as it is written. */
static allm_str gram_raw(allm__json *j) {
    allm__json_next(j);
    size_t at = j->at;
    if (j->event == ALLM__JSON_OBJECT || j->event == ALLM__JSON_ARRAY) allm__json_skip(j);
    return allm__str(j->p + at, j->pos - at);
}

static int gram_golden_texts(gram_run *x, allm_str list, int want, allm_str name) { /* of a list of strings */
    allm__json j;
    int        n = 0;
    allm__json_init(&j, &x->host, list, "golden", 0, &x->err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "a list"); allm__json_elem(&j); n++) {
        allm_str text = allm__json_text(&j);
        if (gram_takes(x, text) != want)
            fail_msg("%.*s: \"%.*s\" is %staken", (int)name.len, name.ptr, (int)text.len, text.ptr, want ? "not " : "");
    }
    allm__json_free(&j);
    return n;
}

/* ---- hostile grammars: bounded time, memory and stack */

static void gram_put(allm__buf *b, const char *text, int n) {
    for (int i = 0; i < n; i++) allm__buf_puts(b, text);
}

static void gram_hostile_one(const char *what, const allm__buf *text, const char *yes, const char *no, int schema) {
    gram_run x;
    gram_begin(&x);
    x.mem.budget = 64 << 20;
    double      t      = test_seconds();
    allm_status status = gram_compile(&x, allm__str(text->ptr, text->len), schema);
    assert_false(text->failed);
    if (status && (!x.err.message[0] || yes)) fail_msg("%s: %d %s", what, (int)status, x.err.message);
    if (!status && yes && !gram_takes(&x, allm__str_of(yes))) fail_msg("%s: \"%s\" is not taken", what, yes);
    if (!status && no && gram_takes(&x, allm__str_of(no))) fail_msg("%s: \"%s\" is taken", what, no);
    test_time(what, test_seconds() - t, 1);
    gram_end(&x);
}

static allm_status gram_memory_body(const allm__host *h, void *ctx) {
    const char *text = (const char *)ctx;
    allm_error  err  = {0};
    allm__gram *g    = NULL;
    allm__gram_run r;
    allm_status status = text[0] == '{' ? allm__gram_compile_schema(h, allm__str_of(text), "s", NULL, 1, &g, &err)
                                        : allm__gram_compile_gbnf(h, allm__str_of(text), "g", NULL, &g, &err);
    if (!status) status = allm__gram_run_init(&r, h, g, NULL, &err);
    if (!status) allm__gram_run_free(&r);
    allm__gram_free(g);
    return status;
}

/* What the bytes of a number may become, and that of an expression no more than its nodes is looked at. */
static void gram_numbers(void **state) {
    gram_run x;
    char     text[200];
    (void)state;
    gram_begin(&x);
    assert_int_equal(gram_compile(&x, ALLM__S("{\"type\":\"integer\",\"minimum\":7,\"multipleOf\":3}"), 1), ALLM_OK);
    memset(text, '9', sizeof text);
    assert_true(gram_takes(&x, allm__str(text, 90)) && !gram_takes(&x, allm__str(text, sizeof text)));
    memset(text, '1', 2);
    assert_true(!gram_takes(&x, allm__str(text, 90)));
    gram_end(&x);
    gram_begin(&x); /* both or none, however long the number is */
    allm_str one =
        ALLM__S("{\"oneOf\":[{\"type\":\"integer\",\"multipleOf\":7,\"exclusiveMaximum\":1001},{\"type\":[\"boolean\","
                "\"integer\"],\"maxLength\":5},{\"type\":\"integer\",\"exclusiveMaximum\":12.25}]}");
    assert_int_equal(gram_compile(&x, one, 1), ALLM_OK);
    for (size_t n = 2; n < sizeof text; n++) { /* -1111...: every sixth is a multiple */
        memset(text, '1', n), text[0] = '-';
        assert_false(gram_takes(&x, allm__str(text, n)));
    }
    gram_end(&x);
}

static const struct CMUnitTest test_gram[] = {cmocka_unit_test(gram_numbers)};
