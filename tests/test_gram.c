/* Room gram: GBNF (golden and a table of our own), refusals with their place, hostile grammars, masks against every
 * token tried alone, dead ends, collecting, memory. FAULTS rows 30, 31. */

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

static allm_status gram_compile(gram_run *x, allm_str text, int schema) {
    allm_status status = schema ? allm__gram_compile_schema(&x->host, text, "schema", &x->g, &x->err)
                                : allm__gram_compile_gbnf(&x->host, text, "grammar", &x->g, &x->err);
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

static void gram_table(void **state) {
    static const gram_row rows[] = {
        {"root ::= \"a\"{2,3} [b-d]* \"\\u00e9\"?", "aa|aaab|aabcd\xc3\xa9", "a|aaaa|aae|"},
        {"root ::= e\ne ::= t ([-+] t)*\nt ::= [0-9]+ | \"(\" e \")\"", "1|1+(2-33)", "1+|()|(1"},
        {"# c\nroot ::=\n  # d\n  (\"a\" |\n \"b\")+ # e\n", "a|abba", "|c"},
        {"root ::= (\"a\"?){2} \"b\"", "b|ab|aab", "aaab"},
        {"root ::= (\"a\"? | \"b\"*)* \"c\"", "c|abbac", "ab"},
        {"root ::= (\"a\"+)+ \"$\"", "a$|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa$",
         "$|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        {"root ::= x{0,3} \"z\"\nx ::= y y\ny ::= \"q\"?", "z|qz|qqqqqqz", "qqqqqqqz"},
        {"root ::= [^a] . [\\x00-\\x7f]", "\xe2\x82\xac\xf0\x9f\x98\x80z", "a11|b1\xc3\xa9|\xe2\x82z1"},
        {"root ::= [\xf0\x9f\x98\x80-\xf0\x9f\x98\x82]", "\xf0\x9f\x98\x81", "\xf0\x9f\x98\x83|\xf0\x9f\x98"},
        {"root ::= [\\uE000-\\uFFFF]", "\xee\x80\x80|\xef\xbf\xbf", "\xed\x9f\xbf|\xf0\x90\x80\x80"},
        {"root ::= \"a\"{0,5000}", "|aaa", "b"},
    };
    (void)state;
    gram_rows(rows, ALLM__COUNT(rows), 0);
}

static void gram_refused(void **state) {
    static const gram_bad rows[] = {
        {"", ALLM_E_GRAMMAR, 0, 0, "root"},
        {"root ::= a", ALLM_E_GRAMMAR, 1, 10, "\"a\" is not defined"},
        {"root ::= \"x\"\na ::= (b) c\nb ::= \"\"*\nc ::= a", ALLM_E_GRAMMAR, 2, 1, "begins with itself"},
        {"root ::= root", ALLM_E_GRAMMAR, 1, 1, "left recursion"},
        {"root ::= \"a\"{3,1}", ALLM_E_GRAMMAR, 1, 13, "at most 1"},
        {"root ::= \"a\"\n  \"b\"", ALLM_E_GRAMMAR, 2, 3, "name of a rule"},
        {"root ::= <think>", ALLM_E_UNSUPPORTED, 1, 10, "tokens"},
        {"root ::= [a\nroot", ALLM_E_GRAMMAR, 1, 10, "does not end"},
        {"root ::= \"\xff\"", ALLM_E_GRAMMAR, 1, 11, "UTF-8"},
        {"root ::= \"\\ud800\"", ALLM_E_GRAMMAR, 1, 11, "no character"},
        {"root ::= (\"a\"", ALLM_E_GRAMMAR, 1, 10, "not closed"},
        {"root ::= \"a\"{99999999999999999999}", ALLM_E_GRAMMAR, 1, 13, "most"},
    };
    (void)state;
    gram_bads(rows, ALLM__COUNT(rows), 0);
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

static void gram_golden(void **state) {
    static const char *const keys[] = {"accept", "reject"};
    size_t     n;
    int        count[3] = {0, 0, 0}; /* grammars, texts, refused */
    char      *json     = test_golden("schema/gbnf.json", &n);
    allm_error err      = {0};
    test_heap  mem      = {0};
    allm__host host     = test_host(&mem);
    allm__json j;
    (void)state;
    allm__json_init(&j, &host, allm__str(json, n), "gbnf.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "a list"); allm__json_elem(&j); count[0]++) {
        allm_str  key, name = {"", 0}, lists[2] = {{"[]", 2}, {"[]", 2}};
        allm__buf text = {&host, NULL, 0, 0, 0, 0};
        int       bad  = 0;
        gram_run  x;
        gram_begin(&x);
        while (allm__json_key(&j, &key)) {
            int which = allm__str_eq(key, allm__str_of(keys[1]));
            if (allm__str_eq(key, ALLM__S("name"))) name = gram_raw(&j);
            else if (allm__str_eq(key, ALLM__S("grammar"))) allm__json_next(&j), allm__json_string(&j, &text);
            else if (allm__str_eq(key, ALLM__S("parse_error"))) allm__json_get_bool(&j, "parse_error", &bad);
            else if (which || allm__str_eq(key, allm__str_of(keys[0]))) lists[which] = gram_raw(&j);
            else allm__json_skip(&j);
        }
        allm_status status = gram_compile(&x, allm__str(text.ptr, text.len), 0);
        if (bad ? status != ALLM_E_GRAMMAR : status) fail_msg("%.*s: %s", (int)name.len, name.ptr, x.err.message);
        count[2] += bad;
        for (int i = 0; i < 2 && !bad; i++) count[1] += gram_golden_texts(&x, lists[i], !i, name);
        allm__buf_free(&text);
        gram_end(&x);
    }
    assert_int_equal(j.status, ALLM_OK);
    allm__json_free(&j);
    free(json);
    printf("             %d grammars, of which %d refused; %d texts\n", count[0], count[2], count[1]);
    assert_true(count[0] > 0 && count[1] > 0);
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

static void gram_hostile_groups(void *arg) {
    test_heap  mem  = {0};
    allm__host host = test_host(&mem);
    allm__buf  b    = {&host, NULL, 0, 0, 0, 0};
    (void)arg;
    allm__buf_puts(&b, "root ::= "), gram_put(&b, "(", 60000), allm__buf_puts(&b, "\"a\""), gram_put(&b, ")", 60000);
    gram_hostile_one("60000 groups", &b, "a", "b", 0);
    b.len = 0, allm__buf_puts(&b, "root ::= "), gram_put(&b, "(", 60000), allm__buf_puts(&b, "\"a\"*"),
    gram_put(&b, " \"b\"?)*", 60000);
    gram_hostile_one("60000 repeated groups", &b, NULL, NULL, 0);
    b.len = 0, allm__buf_puts(&b, "root ::= "), gram_put(&b, "(", 60000);
    gram_hostile_one("60000 open groups", &b, NULL, NULL, 0);
    b.len = 0, allm__buf_puts(&b, "root ::= \"a\""), gram_put(&b, "{0,1000}", 40);
    gram_hostile_one("40 counts in each other", &b, "aaaa", "b", 0);
    b.len = 0, allm__buf_puts(&b, "root ::= "), gram_put(&b, "(", 40), allm__buf_puts(&b, "\"a\""),
    gram_put(&b, "{1,2000} \"b\"?)", 40);
    gram_hostile_one("40 counted groups in each other", &b, NULL, NULL, 0);
    b.len = 0, allm__buf_puts(&b, "root ::= \"\""), gram_put(&b, "|\"xy\"", 100000);
    gram_hostile_one("100000 alternatives", &b, "xy", "x", 0);
    b.len = 0, allm__buf_puts(&b, "root ::= r0\n");
    for (int i = 0; i < 20000; i++) {
        char t[64];
        allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, "r%d ::= r%d | \"\"\n", i, i + 1));
    }
    allm__buf_puts(&b, "r20000 ::= \"z\"\n");
    gram_hostile_one("a chain of 20000 rules", &b, "z", "y", 0);
    allm__buf_free(&b);
}

static void gram_hostile(void **state) {
    (void)state;
    gram_hostile_groups(NULL);
    size_t depth = test_stack_depth(gram_hostile_groups, NULL);
    if (!TEST_SANITIZED) assert_true(depth < 64 << 10);
}

/* ---- masks */

typedef struct gram_vocab { allm_model *m; allm__gram_trie *trie; } gram_vocab;

static void gram_vocab_open(gram_run *x, gram_vocab *v) {
    allm_source       src    = {0};
    allm_model_config config = {0};
    src.path = "examples/story.gguf", config.vocab_only = 1;
    if (allm_model_open(NULL, &src, &config, &v->m, &x->err)) test_skip("examples/story.gguf: %s", x->err.message);
    assert_int_equal(allm__gram_trie_make(&x->host, v->m->tok, &v->trie, &x->err), ALLM_OK);
}

static void gram_vocab_close(gram_vocab *v) {
    allm__gram_trie_free(v->trie);
    allm_model_close(v->m);
}

/* Is the mask what one gets by trying every token on a copy? */
static void gram_mask_check(gram_run *x, const gram_vocab *v, const uint64_t *mask) {
    for (int32_t id = 0; id < v->m->tok->n_vocab; id++) {
        allm_str   piece = allm__tok_piece(v->m->tok, id);
        allm_error no    = {0};
        int32_t    at    = x->r.state;
        int        end = allm__tok_is_end(v->m->tok, id), plain = piece.len && !allm__tok_is_special(v->m->tok, id);
        int want   = end ? allm__gram_may_end(&x->r) : plain && !allm__gram_accept(&x->r, piece.ptr, piece.len, &no);
        x->r.state = at;
        if ((int)(mask[id / 64] >> id % 64 & 1) != want)
            fail_msg("token %d \"%.*s\": %d expected", (int)id, (int)piece.len, piece.ptr, want);
    }
}

/* A random text token by token, the mask checked at each; to its end, or as long as n. */
static void gram_mask_text(const char *text, int schema, int n) {
    gram_run   x;
    gram_vocab v = {NULL, NULL};
    gram_begin(&x);
    gram_vocab_open(&x, &v);
    if (gram_compile(&x, allm__str_of(text), schema)) fail_msg("%s: %s", text, x.err.message);
    allm__gram_run_free(&x.r);
    assert_int_equal(allm__gram_run_init(&x.r, &x.host, x.g, v.trie, &x.err), ALLM_OK);
    for (int i = 0; i < n; i++) {
        const uint64_t *mask;
        int32_t         id;
        if (allm__gram_mask(&x.r, &mask, &x.err)) fail_msg("%s: %s", text, x.err.message);
        uint64_t *copy = (uint64_t *)malloc(v.trie->n_mask * 8);
        assert_non_null(copy);
        memcpy(copy, mask, v.trie->n_mask * 8);
        if (i % 7 == 0) gram_mask_check(&x, &v, copy);
        do id = (int32_t)test_random_below((uint64_t)v.m->tok->n_vocab);
        while (!(copy[id / 64] >> id % 64 & 1));
        free(copy);
        assert_int_equal(allm__gram_accept_token(&x.r, v.m->tok, id, &x.err), ALLM_OK);
        if (allm__tok_is_end(v.m->tok, id)) break;
        if (i % 11 == 10) allm__gram_collect(&x.r);
    }
    gram_vocab_close(&v);
    gram_end(&x);
}

static void gram_masks(void **state) {
    (void)state;
    gram_mask_text("root ::= (\"one\" | \"two \" [a-z]+ | [^a-z]{2,5})* \"!\"", 0, 60);
    gram_mask_text("root ::= v\nv ::= \"[\" (v (\",\" v)*)? \"]\" | [0-9]+ | \"\\\"\" [^\"]{0,9} \"\\\"\"", 0, 60);
    gram_mask_text("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":30,\"pattern\":\"^"
                   "[a-z ]*$\"},"
                   "\"n\":{\"type\":\"number\",\"minimum\":-3.5,\"maximum\":120}},\"required\":[\"n\"]}",
                   1, 60);
    gram_mask_text("{}", 1, 80);
    gram_mask_text("{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":3,"
                   "\"maxLength\":40}}", 1, 80);
    gram_mask_text("{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\",\"maxLength\":9},{\"type\":"
                   "\"string\",\"pattern\":\"^(ab|c)*$\",\"minLength\":7,\"maxLength\":30}]},\"minItems\":20}", 1, 80);
}

/* Nothing of the vocabulary can follow: said, with the text so far. */
static void gram_dead_end(void **state) {
    gram_run        x;
    gram_vocab      v = {NULL, NULL};
    const uint64_t *mask;
    (void)state;
    gram_begin(&x);
    gram_vocab_open(&x, &v);
    assert_int_equal(gram_compile(&x, ALLM__S("root ::= \"once\" [z-a]"), 0), ALLM_OK);
    allm__gram_run_free(&x.r);
    assert_int_equal(allm__gram_run_init(&x.r, &x.host, x.g, v.trie, &x.err), ALLM_OK);
    assert_int_equal(allm__gram_mask(&x.r, &mask, &x.err), ALLM_E_GRAMMAR); /* known from the beginning */
    allm__gram_run_free(&x.r), allm__gram_free(x.g), memset(&x.err, 0, sizeof x.err);
    assert_int_equal(gram_compile(&x, ALLM__S("root ::= \"once\" \"\\xf0\\u0001\\u0002\""), 0), ALLM_OK);
    allm__gram_run_free(&x.r);
    int32_t n_tokens = (int32_t)v.trie->n_tokens;
    for (size_t i = 0; i < v.trie->n; i++) /* a vocabulary without the byte that has to follow */
        if (v.trie->byte[i] == 0xc3 && v.trie->depth[i] == 1) v.trie->byte[i] = 'q';
    assert_true(n_tokens > 0);
    assert_int_equal(allm__gram_run_init(&x.r, &x.host, x.g, v.trie, &x.err), ALLM_OK);
    assert_int_equal(allm__gram_accept(&x.r, "once", 4, &x.err), ALLM_OK);
    assert_int_equal(allm__gram_mask(&x.r, &mask, &x.err), ALLM_E_GRAMMAR);
    assert_non_null(strstr(x.err.message, "dead end"));
    assert_non_null(strstr(x.err.message, "once"));
    gram_vocab_close(&v);
    gram_end(&x);
}

/* A copy goes its own way. */
static void gram_copy(void **state) {
    gram_run       x;
    allm__gram_run other;
    allm_error     no = {0};
    (void)state;
    gram_begin(&x);
    assert_int_equal(gram_compile(&x, ALLM__S("root ::= \"a\" (\"b\" | \"c\" \"d\")"), 0), ALLM_OK);
    assert_int_equal(allm__gram_accept(&x.r, "a", 1, &x.err), ALLM_OK);
    assert_int_equal(allm__gram_run_copy(&other, &x.r, &x.err), ALLM_OK);
    assert_int_equal(allm__gram_accept(&other, "cd", 2, &x.err), ALLM_OK);
    assert_int_equal(allm__gram_accept(&x.r, "bd", 2, &no), ALLM_E_GRAMMAR);
    assert_int_equal(allm__gram_accept(&x.r, "b", 1, &x.err), ALLM_OK); /* a refusal changed nothing */
    assert_true(allm__gram_may_end(&x.r) && allm__gram_may_end(&other) && allm__gram_is_whole(&x.r));
    allm__gram_run_free(&other);
    gram_end(&x);
}

static allm_status gram_memory_body(const allm__host *h, void *ctx) {
    const char *text = (const char *)ctx;
    allm_error  err  = {0};
    allm__gram *g    = NULL;
    allm__gram_run r;
    allm_status status = text[0] == '{' ? allm__gram_compile_schema(h, allm__str_of(text), "s", &g, &err)
                                        : allm__gram_compile_gbnf(h, allm__str_of(text), "g", &g, &err);
    if (!status) status = allm__gram_run_init(&r, h, g, NULL, &err);
    if (!status) allm__gram_run_free(&r);
    allm__gram_free(g);
    return status;
}

static void gram_memory(void **state) {
    static char text[] = "root ::= (a? \"b\" [^c-e\xc3\xa9]{1,9})* \"xy\"\na ::= \"q\"*\n";
    (void)state;
    test_fail_each(gram_memory_body, text);
}

static const struct CMUnitTest test_gram[] = {
    cmocka_unit_test(gram_table),   cmocka_unit_test(gram_refused),  cmocka_unit_test(gram_golden),
    cmocka_unit_test(gram_hostile), cmocka_unit_test(gram_masks),    cmocka_unit_test(gram_dead_end),
    cmocka_unit_test(gram_copy),    cmocka_unit_test(gram_memory),
};
