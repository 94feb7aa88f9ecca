/* Room tokgguf: kinds of models in GGUF files; test_tok.c has their golden files, too. */

/* Merges of characters, blanks as U+2581, bytes for what is no token, line ends whole: files of the kind gemma4, and
 * of the kind gpt2 with a pre-tokenizer that says so. */
static void test_tokgguf_raw(void **state) {
    static const struct { const char *model, *pre; } rows[] = {
        {"gemma4", NULL}, {"gpt2", "gemma4"}, {"gpt2", "granite-embed-multi-311m"}, {"gpt2", "sarvam-moe"}};
    static const test_tok_extra tokens[] = {
        {"<pad>", 3}, {"<bos>", 3}, {"<eos>", 3}, {"<unk>", 2}, {"b", 1}, {"\xE2\x96\x81", 1}, {"\n", 1}, {"a", 1},
        {"\n\n", 1}, {"\xE2\x96\x81" "a", 1}, {"<0xC3>", 6}, {"<0xA9>", 6}, {"\n\n\n", 1}};
    static const char *const merges[] = {"\xE2\x96\x81 a"};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        make_gguf     w = make_gguf_new();
        test_tok_case c;
        make_kv_str(&w, "tokenizer.ggml.model", rows[i].model);
        if (rows[i].pre) make_kv_str(&w, "tokenizer.ggml.pre", rows[i].pre);
        make_kv_array(&w, "tokenizer.ggml.tokens", ALLM__GGUF_STRING, ALLM__COUNT(tokens));
        for (size_t k = 0; k < ALLM__COUNT(tokens); k++) make_str(&w.kv, tokens[k].text, strlen(tokens[k].text));
        make_kv_array(&w, "tokenizer.ggml.token_type", ALLM__GGUF_I32, ALLM__COUNT(tokens));
        for (size_t k = 0; k < ALLM__COUNT(tokens); k++) make_uint(&w.kv, (uint64_t)tokens[k].type, 4);
        make_kv_strs(&w, "tokenizer.ggml.merges", merges, 1);
        make_kv_u32(&w, "tokenizer.ggml.bos_token_id", 1);
        make_kv_u32(&w, "tokenizer.ggml.unknown_token_id", 3);
        test_tok_use(&c, &w);
        int lines = !rows[i].pre || strcmp(rows[i].pre, "sarvam-moe") != 0;
        test_tok_expect(&c, " ab\n\n\n", 0, lines ? "9 4 12" : "9 4 6 6 6"); /* no merge makes them */
        test_tok_expect(&c, " ab\n\nb\n", ALLM__TOK_BOS,
                        lines ? (rows[i].pre ? "9 4 8 4 6" : "1 9 4 8 4 6") : "9 4 6 6 4 6");
        test_tok_expect(&c, "a\xC3\xA9" "a<eos>", ALLM__TOK_SPECIAL | ALLM__TOK_BOS,
                        rows[i].pre ? "7 10 11 7 2" : "1 7 10 11 7 2");
        test_tok_expect(&c, "\xC3\xA8", 0, "3"); /* a byte has no token: unknown */
        allm__buf     text  = {0};
        allm_error    err   = {0};
        const int32_t ids[] = {1, 9, 4, 8, 10, 11, 5};
        text.host = &c.host;
        assert_int_equal(allm__tok_decode(c.tok, ids, ALLM__COUNT(ids), 1, &text, &err), ALLM_OK);
        assert_true(allm__str_eq(allm__str(text.ptr, text.len), ALLM__S(" ab\n\n\xC3\xA9 ")));
        allm__buf_free(&text);
        test_tok_done(&c, &w);
    }
}

/* A Unigram model spells a special token as any other piece, as its reference does; what a user says stays text. */
static void test_tokgguf_fault_27_unigram(void **state) {
    static const test_tok_extra tokens[] = {{"<pad>", 3}, {"</s>", 3}, {"<unk>", 2}, {"\xE2\x96\x81", 1}, {"<", 1},
                                            {"/", 1},     {"s", 1},    {">", 1},     {"a", 1}};
    make_gguf     w = make_gguf_new();
    test_tok_case c;
    (void)state;
    make_kv_str(&w, "tokenizer.ggml.model", "t5");
    make_kv_array(&w, "tokenizer.ggml.tokens", ALLM__GGUF_STRING, ALLM__COUNT(tokens));
    for (size_t k = 0; k < ALLM__COUNT(tokens); k++) make_str(&w.kv, tokens[k].text, strlen(tokens[k].text));
    make_kv_array(&w, "tokenizer.ggml.token_type", ALLM__GGUF_I32, ALLM__COUNT(tokens));
    for (size_t k = 0; k < ALLM__COUNT(tokens); k++) make_uint(&w.kv, (uint64_t)tokens[k].type, 4);
    make_kv_array(&w, "tokenizer.ggml.scores", ALLM__GGUF_F32, ALLM__COUNT(tokens));
    for (size_t k = 0; k < ALLM__COUNT(tokens); k++) make_uint(&w.kv, k > 2 ? 0xbf800000u : 0, 4); /* -1 */
    test_tok_use(&c, &w);
    test_tok_expect(&c, "a</s>", ALLM__TOK_SAFE, "3 8 4 5 6 7");
    test_tok_expect(&c, "a</s>", ALLM__TOK_SPECIAL, "3 8 1");
    test_tok_expect(&c, "<unk>", ALLM__TOK_SAFE, "3 4 2 7");
    test_tok_done(&c, &w);
}

static void test_tokgguf_kinds_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__tok_kinds); i++) {
        char      text[64];
        make_gguf w = make_gguf_new();
        if (allm__tok_kinds[i].open) {
            make_gguf_free(&w);
            continue;
        }
        make_kv_str(&w, "tokenizer.ggml.model", allm__tok_kinds[i].name);
        snprintf(text, sizeof text, "tokenizer model %s (%s)", allm__tok_kinds[i].name, allm__tok_kinds[i].what);
        test_tok_refused(&w, ALLM_E_UNSUPPORTED, text);
    }
    make_gguf w = make_gguf_new();
    make_kv_str(&w, "tokenizer.ggml.model", "martian");
    test_tok_refused(&w, ALLM_E_UNSUPPORTED, "tokenizer model martian");
}

static const struct CMUnitTest test_tokgguf[] = {
    cmocka_unit_test(test_tokgguf_raw),
    cmocka_unit_test(test_tokgguf_fault_27_unigram),
    cmocka_unit_test(test_tokgguf_kinds_refused),
};
