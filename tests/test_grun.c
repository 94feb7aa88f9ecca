/* Room grun: masks against every token tried alone, dead ends, collecting, copies. FAULTS row 31. */

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

static void grun_masks(void **state) {
    (void)state;
    gram_mask_text("root ::= (\"one\" | \"two \" [a-z]+ | [^a-z]{2,5})* \"!\"", 0, 60);
    gram_mask_text("root ::= v\nv ::= \"[\" (v (\",\" v)*)? \"]\" | [0-9]+ | \"\\\"\" [^\"]{0,9} \"\\\"\"", 0, 60);
    gram_mask_text("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":30,\"pattern\":\"^"
                   "[a-z ]*$\"},"
                   "\"n\":{\"type\":\"number\",\"minimum\":-3.5,\"maximum\":120}},\"required\":[\"n\"]}",
                   1, 60);
    gram_mask_text("{}", 1, 80);
    gram_mask_text("{\"type\":\"object\",\"properties\":{\"na\\nme\":{\"type\":\"string\",\"pattern\":\"^[^x]{9}"
                   "[\\u0000-z]*$\"},\"n\":{\"type\":\"integer\",\"minimum\":-3},\"any\":{}},\"required\":"
                   "[\"na\\nme\",\"n\",\"any\"]}", 2, 80);
    gram_mask_text("{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":3,"
                   "\"maxLength\":40}}", 1, 80);
    gram_mask_text("{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\",\"maxLength\":9},{\"type\":"
                   "\"string\",\"pattern\":\"^(ab|c)*$\",\"minLength\":7,\"maxLength\":30}]},\"minItems\":20}", 1, 80);
    static const char *const items[] = {
        "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}",
        "{\"type\":\"string\",\"minLength\":2,\"maxLength\":4}",
        "{\"type\":\"string\",\"pattern\":\"^[A-Za-m\xc3\xa9 ]*$\"}", "{\"type\":\"string\",\"pattern\":\"^\\\\D*$\"}"};
    for (size_t k = 0; k < ALLM__COUNT(items); k++) {
        char schema[200];
        snprintf(schema, sizeof schema, "{\"type\":\"array\",\"items\":%s,\"minItems\":30}", items[k]);
        gram_mask_text(schema, 1, 80);
    }
    gram_mask_text("root ::= ([^\\\"a-c]* | [^b-d]{9,40}) \"\\\"\" [\\x00-\\xff]*", 0, 80);
}

/* Nothing of the vocabulary can follow: said, with the text so far. */
static void grun_dead_end(void **state) {
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
static void grun_copy(void **state) {
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

static const struct CMUnitTest test_grun[] = {
    cmocka_unit_test(grun_masks), cmocka_unit_test(grun_dead_end), cmocka_unit_test(grun_copy),
};
