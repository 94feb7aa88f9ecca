/* Room tok: every golden set of byte-level BPE (ids in three modes, decoded text, streams, pieces, long runs), the real
 * SmolLM2 file, and vocabularies and texts made to break it. */

/* ---- reading the golden files: little-endian lists */

typedef struct test_tok_reader {
    const uint8_t *p, *end;
} test_tok_reader;

static int64_t test_tok_i32(test_tok_reader *r) {
    assert_true(r->end - r->p >= 4);
    r->p += 4;
    return (int32_t)allm__load_le(r->p - 4, 4);
}

static allm_str test_tok_blob(test_tok_reader *r) {
    size_t n = (uint32_t)test_tok_i32(r);
    assert_true((size_t)(r->end - r->p) >= n);
    r->p += n;
    return allm__str((const char *)r->p - n, n);
}

/* The bytes of tokenizers/FOLDER/NAME.xz (free the pointer kept in *bytes). */
static test_tok_reader test_tok_file(const char *folder, const char *name, char **bytes) {
    char   path[96];
    size_t n;
    snprintf(path, sizeof path, "tokenizers/%s/%s.xz", folder, name);
    *bytes            = test_golden_xz(path, &n);
    test_tok_reader r = {(const uint8_t *)*bytes, (const uint8_t *)*bytes + n};
    return r;
}

/* ---- a tokenizer of bytes in memory */

typedef struct test_tok_case {
    test_heap  mem;
    allm__host host;
    allm__gguf gguf;
    allm__tok *tok;
    char       log[512];
} test_tok_case;

static void test_tok_log(void *ctx, allm_log_level level, const char *text) {
    (void)level;
    snprintf((char *)ctx, 512, "%s", text);
}

static allm_status test_tok_open(test_tok_case *c, const void *bytes, size_t n, allm_error *err) {
    allm_source src = {0};
    memset(c, 0, sizeof *c);
    memset(err, 0, sizeof *err);
    c->host     = test_host(&c->mem);
    c->host.log = test_tok_log, c->host.log_ctx = c->log;
    src.data = bytes, src.n_bytes = n;
    if (allm__gguf_open(&c->host, &src, &c->gguf, err)) return err->status;
    return allm__tok_open_gguf(&c->host, &c->gguf, &c->tok, err);
}

static void test_tok_close(test_tok_case *c) {
    allm__tok_close(c->tok);
    allm__gguf_close(&c->gguf);
    test_heap_check(&c->mem);
}

static void test_tok_ids(const allm__tok *t, allm_str text, int flags, allm__ids *ids) {
    allm_error err = {0};
    ids->len       = 0;
    if (allm__tok_encode(t, text, flags, NULL, 0, ids, &err)) fail_msg("%s", err.message);
}

/* ---- golden sets */

static void test_tok_compare(const allm__ids *got, test_tok_reader *want, const char *folder, int i_text, const char *mode) {
    int64_t n = test_tok_i32(want);
    for (int64_t i = 0; i < n; i++) {
        int64_t id = test_tok_i32(want);
        if ((size_t)i >= got->len || got->ptr[i] != id)
            fail_msg("%s text %d (%s): id %lld is %d, %lld expected", folder, i_text, mode, (long long)i,
                     (size_t)i < got->len ? (int)got->ptr[i] : -1, (long long)id);
    }
    if ((size_t)n != got->len) fail_msg("%s text %d (%s): %zu ids, %lld expected", folder, i_text, mode, got->len, (long long)n);
}

static void test_tok_compare_text(const allm__tok *t, const allm__ids *ids, int skip, allm_str want, const char *folder, int i_text) {
    allm__buf  text = {0};
    allm_error err  = {0};
    text.host       = t->host;
    assert_int_equal(allm__tok_decode(t, ids->ptr, ids->len, skip, &text, &err), ALLM_OK);
    if (!allm__str_eq(allm__str(text.ptr, text.len), want))
        fail_msg("%s text %d: decoded \"%.*s\", expected \"%.*s\"", folder, i_text, (int)text.len, text.ptr, (int)want.len, want.ptr);
    allm__buf_free(&text);
}

/* Our parts and the reference's, one by one (it never flushes at the end). Returns 1 if there were any to compare. */
static int test_tok_stream(const allm__tok *t, const allm__ids *ids, test_tok_reader *want, allm_str whole, const char *folder, int i_text) {
    int64_t          n    = test_tok_i32(want);
    int              each = n >= 0;
    allm_detok_state s;
    allm_error       err = {0};
    allm_str         part;
    size_t           at = 0;
    memset(&s, 0, sizeof s);
    assert_true(n < 0 || (size_t)n == ids->len);
    for (size_t i = 0; i <= ids->len; i++) {
        assert_int_equal(allm__tok_next(t, &s, i < ids->len ? ids->ptr[i] : -1, 1, &part, &err), ALLM_OK);
        assert_true(allm__utf8_bad(part) == SIZE_MAX);
        if (part.len > whole.len - at || memcmp(part.ptr, whole.ptr + at, part.len))
            fail_msg("%s text %d: part %zu is \"%.*s\"", folder, i_text, i, (int)part.len, part.ptr);
        at += part.len;
        if (n < 0 || i == ids->len) continue;
        allm_str theirs = test_tok_blob(want);
        if (each && !allm__str_eq(part, theirs))
            fail_msg("%s text %d: part %zu is \"%.*s\", expected \"%.*s\"", folder, i_text, i, (int)part.len, part.ptr, (int)theirs.len, theirs.ptr);
    }
    assert_int_equal(at, whole.len);
    return each;
}

/* The "long" entries of manifest.json: a text repeated, and count, hash, head and tail of its ids. */
static int test_tok_long(const allm__tok *t, allm__ids *ids, const char *folder) {
    char path[96];
    size_t n, cap = 0;
    snprintf(path, sizeof path, "tokenizers/%s/manifest.json", folder);
    char       *json = test_golden(path, &n), *text = NULL;
    allm__json  j;
    allm_error  err = {0};
    allm_str    key;
    int         n_runs = 0;
    allm__json_init(&j, t->host, allm__str(json, n), path, 0, &err);
    assert_true(allm__json_begin(&j, ALLM__JSON_OBJECT, "an object"));
    while (allm__json_key(&j, &key)) {
        if (!allm__str_eq(key, ALLM__S("long"))) { allm__json_skip(&j); continue; }
        assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"));
        while (allm__json_elem(&j)) {
            int64_t  times = 0, count = 0;
            uint64_t h = 0xcbf29ce484222325u, want = 0;
            allm_str piece;
            size_t   n_piece = 0;
            char     copy[256];
            while (allm__json_key(&j, &key)) {
                if (allm__str_eq(key, ALLM__S("repeat"))) {
                    assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"));
                    assert_true(allm__json_get_str(&j, "text", &piece) && piece.len < sizeof copy);
                    memcpy(copy, piece.ptr, n_piece = piece.len);
                    assert_true(allm__json_get_int(&j, "times", 1, 10000000, &times));
                    assert_int_equal(allm__json_next(&j), ALLM__JSON_ARRAY_END);
                } else if (allm__str_eq(key, ALLM__S("count"))) {
                    assert_true(allm__json_get_int(&j, "count", 0, INT32_MAX, &count));
                } else if (allm__str_eq(key, ALLM__S("fnv1a64"))) {
                    assert_true(allm__json_get_str(&j, "hash", &piece) && piece.len == 16);
                    want = strtoull(piece.ptr, NULL, 16);
                } else allm__json_skip(&j);
            }
            if ((size_t)times * n_piece > cap) text = (char *)realloc(text, cap = (size_t)times * n_piece);
            for (int64_t i = 0; i < times; i++) memcpy(text + (size_t)i * n_piece, copy, n_piece);
            test_tok_ids(t, allm__str(text, (size_t)times * n_piece), ALLM__TOK_SPECIAL, ids);
            for (size_t i = 0; i < ids->len; i++)
                for (int k = 0; k < 4; k++) h = (h ^ ((uint32_t)ids->ptr[i] >> 8 * k & 255)) * 0x100000001b3u;
            if ((int64_t)ids->len != count || h != want)
                fail_msg("%s: %.*s x %lld: %zu ids, %lld expected; hash %s", folder, (int)n_piece, copy, (long long)times, ids->len,
                         (long long)count, h == want ? "equal" : "differs");
            n_runs++;
        }
    }
    assert_int_equal(j.status, ALLM_OK);
    allm__json_free(&j);
    free(json), free(text);
    return n_runs;
}

static void test_tok_golden(const char *folder) {
    static const char *const names[] = {"texts.bin", "ids.bin", "decoded.bin", "stream.bin", "pieces.bin", "vocab.gguf"};
    test_tok_reader r[6];
    char           *bytes[6];
    test_tok_case   c;
    allm_error      err;
    int             n_texts = 0, n_streams = 0;
    for (int i = 0; i < 6; i++) r[i] = test_tok_file(folder, names[i], &bytes[i]);
    if (test_tok_open(&c, r[5].p, (size_t)(r[5].end - r[5].p), &err)) fail_msg("%s", err.message);
    assert_non_null(c.tok);
    allm__ids ids = {&c.host, NULL, 0, 0, 0};
    for (; r[0].p < r[0].end; n_texts++) {
        allm_str text = test_tok_blob(&r[0]);
        test_tok_ids(c.tok, text, ALLM__TOK_SPECIAL | ALLM__TOK_BOS, &ids);
        test_tok_compare(&ids, &r[1], folder, n_texts, "ids");
        test_tok_compare_text(c.tok, &ids, 0, test_tok_blob(&r[2]), folder, n_texts);
        allm_str whole = test_tok_blob(&r[2]);
        test_tok_compare_text(c.tok, &ids, 1, whole, folder, n_texts);
        n_streams += test_tok_stream(c.tok, &ids, &r[3], whole, folder, n_texts);
        test_tok_ids(c.tok, text, ALLM__TOK_SPECIAL, &ids);
        test_tok_compare(&ids, &r[1], folder, n_texts, "parse");
        test_tok_ids(c.tok, text, 0, &ids);
        test_tok_compare(&ids, &r[1], folder, n_texts, "plain");
    }
    for (int i = 1; i < 4; i++) assert_true(r[i].p == r[i].end);
    for (int32_t id = 0; id < c.tok->n_vocab; id++) {
        allm_str want = test_tok_blob(&r[4]), got = allm__tok_piece(c.tok, id);
        if (!allm__str_eq(want, got)) fail_msg("%s: piece of %d is \"%.*s\", expected \"%.*s\"", folder, (int)id, (int)got.len, got.ptr, (int)want.len, want.ptr);
    }
    assert_true(r[4].p == r[4].end);
    int n_long = test_tok_long(c.tok, &ids, folder);
    printf("             %s: %d texts x 3 modes, %d decoded, %d streams, %d of them part by part, %d pieces, %d long runs\n", folder,
           n_texts, 2 * n_texts, n_texts, n_streams, (int)c.tok->n_vocab, n_long);
    allm__ids_free(&ids);
    test_tok_close(&c);
    for (int i = 0; i < 6; i++) free(bytes[i]);
}

static void test_tok_gpt2(void **state) { (void)state; test_tok_golden("gpt2"); }
static void test_tok_llama3(void **state) { (void)state; test_tok_golden("llama3"); }
static void test_tok_qwen3(void **state) { (void)state; test_tok_golden("qwen3"); }
static void test_tok_smollm2(void **state) { (void)state; test_tok_golden("smollm2"); }
static void test_tok_deepseek3(void **state) { (void)state; test_tok_golden("deepseek3"); }
static void test_tok_tekken(void **state) { (void)state; test_tok_golden("tekken"); }

static const struct CMUnitTest test_tok[] = {
    cmocka_unit_test(test_tok_gpt2),    cmocka_unit_test(test_tok_llama3),    cmocka_unit_test(test_tok_qwen3),
    cmocka_unit_test(test_tok_smollm2), cmocka_unit_test(test_tok_deepseek3), cmocka_unit_test(test_tok_tekken),
};
