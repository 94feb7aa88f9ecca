/* Room tokload: small files of our own of every kind, what is refused, every prefix of them, bytes changed, and failing
 * memory. */

#define TEST_TOKLOAD_MODEL \
    "\"model\": {\"type\": \"BPE\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0, \"a\": 1, \"b\": 2, \"ab\": 3}, " \
    "\"merges\": [\"a b\"]}"

static const char test_tokload_good[] =
    "{\"added_tokens\": [{\"id\": 4, \"content\": \"<s>\", \"special\": true, \"normalized\": false}], "
    "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Lowercase\"}]}, "
    "\"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, \"post_processor\": {\"type\": \"TemplateProcessing\", "
    "\"single\": [\"<s>:0\", \"$A:0\"], \"special_tokens\": {\"<s>\": {\"id\": \"<s>\", \"ids\": [4]}}}, "
    "\"decoder\": {\"type\": \"Fuse\"}, " TEST_TOKLOAD_MODEL "}";

static void test_tokload_small(void **state) {
    static const int32_t want[] = {4, 3, 0, 4};
    test_heap            heap   = {0};
    allm__host           h      = test_host(&heap);
    allm_error           err    = {0};
    allm__tok           *t;
    (void)state;
    assert_int_equal(allm__tok_open_json(&h, allm__str_of(test_tokload_good), "t.json", &t, &err), ALLM_OK);
    allm__ids ids = {&h, NULL, 0, 0, 0};
    assert_int_equal(
        allm__tok_encode(t, ALLM__S("AB x<s>"), ALLM__TOK_SPECIAL | ALLM__TOK_BOS, NULL, 0, &ids, &err), ALLM_OK);
    assert_int_equal(ids.len, ALLM__COUNT(want));
    assert_memory_equal(ids.ptr, want, sizeof want);
    allm__ids_free(&ids);
    allm__tok_close(t);
    test_heap_check(&heap);
}

/* Parts in odd configurations: ids of a text with special tokens matched, -1 behind the last, and the text of these
 * ids; NULL: the text cannot be written. All as Hugging Face tokenizers 0.23.3 has them. */
static void test_tokload_odd(void **state) {
#define ODD_SPACE(flags) \
    "{\"added_tokens\": [{\"id\": 4, \"content\": \" \", \"special\": true, \"normalized\": false" flags "}], "
    static const struct {
        const char *json, *text;
        int32_t     ids[8];
        const char *decoded;
    } rows[] = {
        /* white space that takes what is around it: the second one is what the first one took */
        {ODD_SPACE(", \"lstrip\": true, \"rstrip\": true") TEST_TOKLOAD_MODEL "}", "a   b",
         {1, 4, 2, -1}, "a   b"},
        {ODD_SPACE(", \"rstrip\": true") TEST_TOKLOAD_MODEL "}", "a  b", {1, 4, 4, 2, -1}, "a     b"},
        /* no decoder puts blanks between, one that does nothing does not */
        {"{\"decoder\": null, " TEST_TOKLOAD_MODEL "}", "aab", {1, 3, -1}, "a ab"},
        {"{\"decoder\": {\"type\": \"Sequence\", \"decoders\": []}, " TEST_TOKLOAD_MODEL "}", "aab", {1, 3, -1}, "aab"},
        {"{\"decoder\": {\"type\": \"WordPiece\", \"prefix\": \"\"}, " TEST_TOKLOAD_MODEL "}", "aab",
         {1, 3, -1}, "aab"},
        /* a prefix that is a letter: "ab" as a symbol, and as what merges make */
        {"{\"model\": {\"type\": \"BPE\", \"continuing_subword_prefix\": \"a\", \"vocab\": {\"a\": 0, \"b\": 1, "
         "\"ab\": 2, \"ac\": 3, \"abc\": 4, \"c\": 5}, \"merges\": [[\"a\", \"ab\"], [\"ab\", \"ac\"]]}}", "bbc",
         {1, 4, -1}, "b abc"},
        /* a character that is no token by itself, and none for unknown ones */
        {"{\"model\": {\"type\": \"Unigram\", \"unk_id\": null, \"vocab\": [[\"a\", -1], [\"xy\", -1]]}}", "aa",
         {0, 0, -1}, "a a"},
        {"{\"model\": {\"type\": \"Unigram\", \"unk_id\": null, \"vocab\": [[\"a\", -1], [\"xy\", -1]]}}", "xy",
         {-1}, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_heap  heap = {0};
        allm__host h    = test_host(&heap);
        allm_error err  = {0};
        allm__tok *t;
        allm__ids  ids  = {&h, NULL, 0, 0, 0};
        allm__buf  text = {0};
        size_t     n    = 0;
        text.host       = &h;
        if (allm__tok_open_json(&h, allm__str_of(rows[i].json), "t.json", &t, &err))
            fail_msg("row %zu: %s", i, err.message);
        allm_status status = allm__tok_encode(t, allm__str_of(rows[i].text), ALLM__TOK_SPECIAL, NULL, 0, &ids, &err);
        assert_int_equal(status, rows[i].decoded ? ALLM_OK : ALLM_E_ARGUMENT);
        while (rows[i].ids[n] >= 0) n++;
        if (ids.len != n || (n && memcmp(ids.ptr, rows[i].ids, n * sizeof *ids.ptr) != 0))
            fail_msg("row %zu: other ids", i);
        if (rows[i].decoded) {
            assert_int_equal(allm__tok_decode(t, ids.ptr, ids.len, 0, &text, &err), ALLM_OK);
            if (!allm__str_eq(allm__str(text.ptr, text.len), allm__str_of(rows[i].decoded)))
                fail_msg("row %zu: \"%.*s\"", i, (int)text.len, text.ptr);
        }
        allm__buf_free(&text);
        allm__ids_free(&ids);
        allm__tok_close(t);
        test_heap_check(&heap);
    }
#undef ODD_SPACE
}

static void test_tokload_fault_21_refused(void **state) {
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"{}", "no \"model\""},
        {"{\"model\": {\"type\": \"X\", \"vocab\": {}}}", "unknown model"},
        {"{\"model\": {\"type\": \"BPE\"}}", "no vocabulary"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}}}", "integer in"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 2147483648}}}", "integer in"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 1, \"b\": 1}}}", "id 1 is that of"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 1}, \"merges\": [\"a b\"]}}", "right half"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 1}, \"merges\": [\"a\"]}}", "two halves"},
        {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]], \"unk_id\": 5}}", "outside the vocabulary"},
        {"{\"added_tokens\": [{\"id\": 2147483648, \"content\": \"x\"}], " TEST_TOKLOAD_MODEL "}", "integer in"},
        {"{\"added_tokens\": [{\"id\": -1, \"content\": \"x\"}], " TEST_TOKLOAD_MODEL "}", "integer in"},
        {"{\"added_tokens\": [{\"id\": 1, \"content\": \"x\"}], " TEST_TOKLOAD_MODEL "}", "id 1 is that of"},
        {"{\"added_tokens\": [{\"content\": \"x\"}], " TEST_TOKLOAD_MODEL "}", "needs content and id"},
        {"{\"normalizer\": {\"type\": \"X\"}, " TEST_TOKLOAD_MODEL "}", "unknown normalizer \"X\""},
        {"{\"pre_tokenizer\": {\"type\": \"X\"}, " TEST_TOKLOAD_MODEL "}", "unknown pre-tokenizer"},
        {"{\"decoder\": {\"type\": \"X\"}, " TEST_TOKLOAD_MODEL "}", "unknown decoder"},
        {"{\"post_processor\": {\"type\": \"X\"}, " TEST_TOKLOAD_MODEL "}", "unknown post-processor"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_heap  heap = {0};
        allm__host h    = test_host(&heap);
        allm_error err  = {0};
        allm__tok *t;
        allm__tok_open_json(&h, allm__str_of(rows[i].json), "t.json", &t, &err);
        if (!err.status || !strstr(err.message, rows[i].text)) fail_msg("row %zu: \"%s\"", i, err.message);
        assert_null(t);
        test_heap_check(&heap);
    }
}

static void test_tokload_prefixes(void **state) {
    (void)state;
    for (size_t n = 0; n + 1 < sizeof test_tokload_good - 1; n++) {
        test_heap  heap = {0};
        allm__host h    = test_host(&heap);
        allm_error err  = {0};
        allm__tok *t;
        assert_int_equal(allm__tok_open_json(&h, allm__str(test_tokload_good, n), "t.json", &t, &err), ALLM_E_FORMAT);
        assert_null(t);
        test_heap_check(&heap);
    }
}

/* ---- a model of SentencePiece, written by hand: fields of protocol buffers */

typedef struct test_tokload_piece {
    const char *text;
    float       score;
    int         type; /* 1 normal 2 unknown 3 control 4 user-defined 5 unused 6 byte */
} test_tokload_piece;

static const test_tokload_piece test_tokload_pieces[] = {
    {"<unk>", 0, 2}, {"<s>", 0, 3},      {"</s>", 0, 3},           {"\xE2\x96\x81", -3, 1}, {"a", -4, 1},
    {"b", -5, 1},    {"ab", -2, 1},      {"\xE2\x96\x81"
                                          "ab",
                                          -1, 1},                  {"<u>", 0, 4},           {"<0x0A>", 0, 6},
    {"<0x-1>", -9, 1}, {"<0xC3>", 0, 6}, {"<0xA9>", 0, 6}};

static size_t test_tokload_field(char *to, int field, const char *bytes, size_t n) { /* below 128 bytes */
    to[0] = (char)(field << 3 | 2), to[1] = (char)n;
    memcpy(to + 2, bytes, n);
    return n + 2;
}

/* type: 1 Unigram, 2 BPE. */
static size_t test_tokload_spm(char *to, int type) {
    size_t n = 0, k;
    char   m[64];
    for (size_t i = 0; i < ALLM__COUNT(test_tokload_pieces); i++) {
        const test_tokload_piece *p = &test_tokload_pieces[i];
        uint32_t                  bits;
        memcpy(&bits, &p->score, 4);
        k      = test_tokload_field(m, 1, p->text, strlen(p->text));
        m[k++] = 2 << 3 | 5;
        for (int b = 0; b < 4; b++) m[k++] = (char)(bits >> 8 * b & 255);
        m[k++] = 3 << 3, m[k++] = (char)p->type;
        n += test_tokload_field(to + n, 1, m, k);
    }
    k = 0, m[k++] = 3 << 3, m[k++] = (char)type;
    m[k++] = (char)(35 << 3 & 127) | (char)0x80, m[k++] = 35 << 3 >> 7, m[k++] = 1; /* byte_fallback */
    return n + test_tokload_field(to + n, 2, m, k);
}

static void test_tokload_expect(const allm__tok *t, const char *text, int flags, const char *want) {
    allm__ids  ids = {t->host, NULL, 0, 0, 0};
    allm_error err = {0};
    char       got[512] = "";
    int        n = 0;
    if (allm__tok_encode(t, allm__str_of(text), flags, NULL, 0, &ids, &err)) fail_msg("\"%s\": %s", text, err.message);
    for (size_t i = 0; i < ids.len; i++)
        n += snprintf(got + n, sizeof got - (size_t)n, "%s%d", i ? " " : "", (int)ids.ptr[i]);
    allm__ids_free(&ids);
    if (strcmp(got, want) != 0) fail_msg("\"%s\" (%d): %s, expected %s", text, flags, got, want);
}

static void test_tokload_sentencepiece(void **state) {
    (void)state;
    for (int type = 1; type <= 2; type++) {
        test_heap  heap = {0};
        allm__host h    = test_host(&heap);
        allm_error err  = {0};
        allm__tok *t;
        char       bytes[1024];
        size_t     n = test_tokload_spm(bytes, type);
        if (allm__tok_open_spm(&h, allm__str(bytes, n), "tokenizer.model", &t, &err)) fail_msg("%s", err.message);
        test_tokload_expect(t, "ab", 0, "7");
        test_tokload_expect(t, "ab", ALLM__TOK_BOS, type == 2 ? "1 7" : "7"); /* as models of this kind are used */
        test_tokload_expect(t, "ab</s>", ALLM__TOK_SPECIAL, "7 2");
        test_tokload_expect(t, "b<u>b", 0, "3 5 8 3 5"); /* a run of its own behind it */
        test_tokload_expect(t, "\n\xC3\xA9", 0, "3 9 11 12");
        assert_int_equal(t->byte_id['\n'], 9);
        allm__tok_close(t);
        test_heap_check(&heap);
    }
}

/* Prefixes, and every byte changed: a status, and what opens encodes. */
static void test_tokload_fault_21_sentencepiece(void **state) {
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    (void)state;
    for (int type = 1; type <= 2; type++) {
        char   good[1024], bytes[1024];
        size_t n_good = test_tokload_spm(good, type);
        for (size_t i = 0; i < n_good * (1 + sizeof values); i++) {
            test_heap  heap = {0};
            allm__host h    = test_host(&heap);
            allm_error err  = {0};
            allm__ids  ids  = {&h, NULL, 0, 0, 0};
            size_t     n    = i < n_good ? i : n_good;
            allm__tok *t;
            memcpy(bytes, good, n_good);
            if (i >= n_good) bytes[i % n_good] = (char)values[i / n_good - 1];
            allm__tok_open_spm(&h, allm__str(bytes, n), "tokenizer.model", &t, &err);
            assert_true((t == NULL) == (err.status != ALLM_OK));
            if (err.status && err.status != ALLM_E_FORMAT && err.status != ALLM_E_UNSUPPORTED)
                fail_msg("%s", err.message);
            if (t) allm__tok_encode(t, ALLM__S("ab <u></s>\xC3\xA9\n"), ALLM__TOK_SPECIAL, NULL, 0, &ids, &err);
            allm__ids_free(&ids), allm__tok_close(t);
            test_heap_check(&heap);
        }
    }
}

/* ---- folders */

static const char *const test_tokload_vocab_folder[][2] = {
    {"vocab.json", "{\"a\": 0, \"b\": 1, \"ab\": 2, \"\\u0120\": 3, \"\\u0120ab\": 4, \"<end>\": 5}"},
    {"merges.txt", "#version: 0.2\na b\r\n\xC4\xA0 ab\n"},
    {"added_tokens.json", "{\"<extra>\": 6}"},
    {"special_tokens_map.json",
     "{\"eos_token\": \"<end>\", \"bos_token\": {\"content\": \"<extra>\", \"lstrip\": false}}"},
    {"tokenizer_config.json", "{\"add_bos_token\": true, \"eos_token\": \"nobody\"}"},
    {"generation_config.json", "{\"eos_token_id\": [5, 2]}"},
};

typedef struct test_tokload_folder { char path[256]; } test_tokload_folder;

static void test_tokload_write(const test_tokload_folder *d, const char *name, const void *bytes, size_t n) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static test_tokload_folder test_tokload_begin(void) {
    test_tokload_folder d;
    const char         *folder = getenv("TMPDIR");
    snprintf(d.path, sizeof d.path, "%s/allm-tok-XXXXXX", folder && *folder ? folder : "/tmp");
    assert_non_null(mkdtemp(d.path));
    return d;
}

static void test_tokload_end(const test_tokload_folder *d) {
    static const char *const more[] = {"tokenizer.json", "tokenizer.model"};
    char                     path[512];
    for (size_t i = 0; i < ALLM__COUNT(test_tokload_vocab_folder) + ALLM__COUNT(more); i++) {
        const char *name = i < ALLM__COUNT(more) ? more[i] : test_tokload_vocab_folder[i - ALLM__COUNT(more)][0];
        snprintf(path, sizeof path, "%s/%s", d->path, name);
        unlink(path);
    }
    assert_int_equal(rmdir(d->path), 0);
}

static void test_tokload_vocab(void **state) {
    test_tokload_folder d    = test_tokload_begin();
    test_heap           heap = {0};
    allm__host          h    = test_host(&heap);
    allm_error          err  = {0};
    allm__tok          *t;
    (void)state;
    assert_int_equal(allm__tok_open_dir(&h, d.path, &t, &err), ALLM_OK); /* none there: no tokenizer, no error */
    assert_null(t);
    for (size_t i = 0; i < ALLM__COUNT(test_tokload_vocab_folder); i++)
        test_tokload_write(&d, test_tokload_vocab_folder[i][0], test_tokload_vocab_folder[i][1],
                           strlen(test_tokload_vocab_folder[i][1]));
    if (allm__tok_open_dir(&h, d.path, &t, &err)) fail_msg("%s", err.message);
    assert_non_null(t);
    test_tokload_expect(t, "ab ab<extra><end>", 0, "2 4 0"); /* bytes without a token are dropped */
    test_tokload_expect(t, "ab ab<extra><end>", ALLM__TOK_SPECIAL | ALLM__TOK_BOS, "6 2 4 6 5");
    assert_true(t->bos == 6 && t->eos == 5); /* the map comes first, the config cannot unsay it */
    assert_true(allm__tok_is_end(t, 5) && allm__tok_is_special(t, 6) && !allm__tok_is_special(t, 2));
    allm__tok_close(t);
    test_tokload_write(&d, "merges.txt", "a b\na c\n", 8);
    assert_int_equal(allm__tok_open_dir(&h, d.path, &t, &err), ALLM_E_FORMAT);
    assert_true(err.line == 2 && strstr(err.message, "merges.txt") && strstr(err.message, "right half"));
    memset(&err, 0, sizeof err);
    test_tokload_write(&d, "merges.txt", "a b\n", 4);
    test_tokload_write(&d, "added_tokens.json", "{\"x\": 2}", 8);
    assert_int_equal(allm__tok_open_dir(&h, d.path, &t, &err), ALLM_E_FORMAT);
    assert_non_null(strstr(err.message, "id 2 is that of"));
    test_tokload_end(&d);
    test_heap_check(&heap);
}

static allm_status test_tokload_folder_body(const allm__host *h, void *ctx) {
    allm_error err = {0};
    allm__ids  ids = {h, NULL, 0, 0, 0};
    allm__tok *t;
    if (!allm__tok_open_dir(h, (const char *)ctx, &t, &err))
        allm__tok_encode(t, ALLM__S("ab ab<extra>\xC3\xA9"), ALLM__TOK_SPECIAL | ALLM__TOK_BOS, NULL, 0, &ids, &err);
    allm__ids_free(&ids);
    allm__tok_close(t);
    return err.status;
}

/* Every call of the allocator fails, whatever the tokenizer is read from. */
static void test_tokload_folders_failing_memory(void **state) {
    test_tokload_folder d = test_tokload_begin();
    char                bytes[1024];
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(test_tokload_vocab_folder); i++)
        test_tokload_write(&d, test_tokload_vocab_folder[i][0], test_tokload_vocab_folder[i][1],
                           strlen(test_tokload_vocab_folder[i][1]));
    test_fail_each(test_tokload_folder_body, d.path);
    for (int type = 1; type <= 2; type++) {
        test_tokload_write(&d, "tokenizer.model", bytes, test_tokload_spm(bytes, type));
        test_fail_each(test_tokload_folder_body, d.path);
    }
    test_tokload_write(&d, "tokenizer.json", test_tokload_good, strlen(test_tokload_good));
    test_fail_each(test_tokload_folder_body, d.path);
    test_tokload_end(&d);
}

/* A Unigram model that spells a special token as any other piece: the reference lets it; prompts never do. */
static void test_tokload_fault_27_unigram(void **state) {
    static const char json[] =
        "{\"added_tokens\": [{\"id\": 1, \"content\": \"<s>\", \"special\": true}, "
        "{\"id\": 0, \"content\": \"<unk>\", \"special\": true}], \"model\": {\"type\": "
        "\"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0], [\"<s>\", 0], [\"<\", -3], "
        "[\"s\", -3], [\">\", -3], [\"a\", -2]]}}";
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__tok *t;
    (void)state;
    if (allm__tok_open_json(&h, allm__str_of(json), "t.json", &t, &err)) fail_msg("%s", err.message);
    test_tokload_expect(t, "a<s>a", ALLM__TOK_SPECIAL, "5 1 5");
    test_tokload_expect(t, "a<s>a", 0, "5 1 5");
    test_tokload_expect(t, "a<s>a", ALLM__TOK_SAFE, "5 2 3 4 5");
    test_tokload_expect(t, "a<s>a", ALLM__TOK_SAFE | ALLM__TOK_SPECIAL, "5 1 5");
    test_tokload_expect(t, "<unk>", ALLM__TOK_SAFE, "2 0 4");
    allm__tok_close(t);
    test_heap_check(&heap);
}

/* Two cuts of the same scores: which one is better hangs on how the reference reads numbers of 17 digits. */
static void test_tokload_scores(void **state) {
    static const char json[] =
        "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0.0], "
        "[\"xxx\", -9.866480827331543], [\"xxxx\", -11.54046630859375], [\"yxxx\", -11.217742919921875]]}}";
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__tok *t;
    (void)state;
    if (allm__tok_open_json(&h, allm__str_of(json), "t.json", &t, &err)) fail_msg("%s", err.message);
    test_tokload_expect(t, "yxxxxxxxxxxxxxxxxx", 0, "3 1 2 1 2");
    allm__tok_close(t);
    test_heap_check(&heap);
    assert_true(allm__tj_score(ALLM__S("-11.54046630859375"), 0) == -11.54046630859375);
    assert_true(allm__tj_score(ALLM__S("1e5"), 7) == 7 && allm__tj_score(ALLM__S("3"), 7) == 3);
    assert_true(allm__tj_score(ALLM__S("-0.1234567890123456789012345"), 7) == -0.12345678901234568);
}

static allm_status test_tokload_body(const allm__host *h, void *ctx) {
    allm_error err = {0};
    allm__tok *t;
    allm__ids  ids = {h, NULL, 0, 0, 0};
    (void)ctx;
    if (!allm__tok_open_json(h, allm__str_of(test_tokload_good), "t.json", &t, &err))
        allm__tok_encode(t, ALLM__S("AB x<s>\xC3\xA9"), ALLM__TOK_SPECIAL | ALLM__TOK_BOS, NULL, 0, &ids, &err);
    allm__ids_free(&ids);
    allm__tok_close(t);
    return err.status;
}

static void test_tokload_failing_memory(void **state) {
    (void)state;
    test_fail_each(test_tokload_body, NULL);
}

static const struct CMUnitTest test_tokload[] = {
    cmocka_unit_test(test_tokload_small),
    cmocka_unit_test(test_tokload_odd),
    cmocka_unit_test(test_tokload_fault_21_refused),
    cmocka_unit_test(test_tokload_prefixes),
    cmocka_unit_test(test_tokload_sentencepiece),
    cmocka_unit_test(test_tokload_fault_21_sentencepiece),
    cmocka_unit_test(test_tokload_vocab),
    cmocka_unit_test(test_tokload_folders_failing_memory),
    cmocka_unit_test(test_tokload_fault_27_unigram),
    cmocka_unit_test(test_tokload_scores),
    cmocka_unit_test(test_tokload_failing_memory),
};
