/* Room tok: every golden set of byte-level BPE (ids in three modes, decoded text, streams, pieces, long runs), the real
 * SmolLM2 file, and vocabularies and texts made to break it. */

#include <dirent.h>

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

/* A GGUF, a tokenizer.json or a tokenizer.model, whatever the bytes are. */
static allm_status test_tok_open(test_tok_case *c, const void *bytes, size_t n, allm_error *err) {
    allm_source src = {0};
    allm_str    text = allm__str((const char *)bytes, n);
    memset(c, 0, sizeof *c);
    memset(err, 0, sizeof *err);
    c->host     = test_host(&c->mem);
    c->host.log = test_tok_log, c->host.log_ctx = c->log;
    src.data = bytes, src.n_bytes = n;
    if (n && text.ptr[0] == '{') return allm__tok_open_json(&c->host, text, "tokenizer.json", &c->tok, err);
    if (n && text.ptr[0] == '\n') return allm__tok_open_spm(&c->host, text, "tokenizer.model", &c->tok, err);
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

/* The text of ids: all parts and what is held back at the end, appended to out. */
static allm_status test_tok_decode(const allm__tok *t, const int32_t *ids, size_t n_ids, int skip_special,
                                   allm__buf *out, allm_error *err) {
    allm_detok_state s;
    allm_str         part;
    memset(&s, 0, sizeof s);
    for (size_t i = 0; i <= n_ids; i++) {
        if (allm__tok_next(t, &s, i < n_ids ? ids[i] : -1, skip_special, &part, err)) return err->status;
        allm__buf_put(out, part.ptr, part.len);
    }
    return out->failed ? allm__fail_memory(err, out->len) : ALLM_OK;
}

/* ---- golden sets */

static void test_tok_compare(const allm__ids *got, test_tok_reader *want, const char *folder, int i_text,
                             const char *mode) {
    int64_t n = test_tok_i32(want);
    for (int64_t i = 0; i < n; i++) {
        int64_t id = test_tok_i32(want);
        if ((size_t)i >= got->len || got->ptr[i] != id)
            fail_msg("%s text %d (%s): id %lld is %d, %lld expected", folder, i_text, mode, (long long)i,
                     (size_t)i < got->len ? (int)got->ptr[i] : -1, (long long)id);
    }
    if ((size_t)n != got->len)
        fail_msg("%s text %d (%s): %zu ids, %lld expected", folder, i_text, mode, got->len, (long long)n);
}

static void test_tok_compare_text(const allm__tok *t, const allm__ids *ids, int skip, allm_str want, const char *folder,
                                  int i_text) {
    allm__buf  text = {0};
    allm_error err  = {0};
    text.host       = t->host;
    assert_int_equal(test_tok_decode(t, ids->ptr, ids->len, skip, &text, &err), ALLM_OK);
    if (!allm__str_eq(allm__str(text.ptr, text.len), want))
        fail_msg("%s text %d: decoded \"%.*s\", expected \"%.*s\"", folder, i_text, (int)text.len, text.ptr,
                 (int)want.len, want.ptr);
    allm__buf_free(&text);
}

/* Our parts and the reference's, one by one (it never flushes at the end). Returns 1 if there were any to compare. */
static int test_tok_stream(const allm__tok *t, const allm__ids *ids, test_tok_reader *want, allm_str whole,
                           const char *folder, int i_text) {
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
            fail_msg("%s text %d: part %zu is \"%.*s\", expected \"%.*s\"", folder, i_text, i, (int)part.len, part.ptr,
                     (int)theirs.len, theirs.ptr);
    }
    assert_int_equal(at, whole.len);
    return each;
}

/* The "long" entries of manifest.json: a text repeated, and count, hash, head and tail of its ids. */
static int test_tok_long(const allm__tok *t, allm__ids *ids, const char *folder) {
    char   path[96];
    size_t n, cap = 0;
    snprintf(path, sizeof path, "tokenizers/%s/manifest.json", folder);
    char      *json = test_golden(path, &n), *text = NULL;
    allm__json j;
    allm_error err = {0};
    allm_str   key;
    int        n_runs = 0;
    allm__json_init(&j, t->host, allm__str(json, n), path, 0, &err);
    assert_true(allm__json_begin(&j, ALLM__JSON_OBJECT, "an object"));
    while (allm__json_key(&j, &key)) {
        if (!allm__str_eq(key, ALLM__S("long"))) {
            allm__json_skip(&j);
            continue;
        }
        assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"));
        while (allm__json_elem(&j)) {
            int64_t  times = 0, count = 0;
            uint64_t h = 0xcbf29ce484222325u, want = 0;
            allm_str piece = {0};
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
                fail_msg("%s: %.*s x %lld: %zu ids, %lld expected; hash %s", folder, (int)n_piece, copy,
                         (long long)times, ids->len, (long long)count, h == want ? "equal" : "differs");
            n_runs++;
        }
    }
    assert_int_equal(j.status, ALLM_OK);
    allm__json_free(&j);
    free(json), free(text);
    return n_runs;
}

static void test_tok_golden_file(const char *folder, const char *file) {
    const char *const names[] = {"texts.bin", "ids.bin", "decoded.bin", "stream.bin", "pieces.bin", file};
    test_tok_reader   r[6];
    char             *bytes[6];
    test_tok_case     c;
    allm_error        err;
    int               n_texts = 0, n_streams = 0;
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
        if (c.tok->dec_edge && got.len && got.ptr[0] == ' ') got.ptr++, got.len--;
        if (c.tok->dec_edge && want.len && want.ptr[0] == ' ') want.ptr++, want.len--;
        if (!allm__str_eq(want, got))
            fail_msg("%s: piece of %d is \"%.*s\", expected \"%.*s\"", folder, (int)id, (int)got.len, got.ptr,
                     (int)want.len, want.ptr);
    }
    assert_true(r[4].p == r[4].end);
    int n_long = test_tok_long(c.tok, &ids, folder);
    printf("             %s %s: %d texts x 3 modes, %d decoded, %d streams, %d of them part by part, %d pieces, %d "
           "long runs\n",
           folder, file, n_texts, 2 * n_texts, n_texts, n_streams, (int)c.tok->n_vocab, n_long);
    allm__ids_free(&ids);
    test_tok_close(&c);
    for (int i = 0; i < 6; i++) free(bytes[i]);
}

static void test_tok_golden(const char *folder) {
    test_tok_golden_file(folder, "vocab.gguf");
    test_tok_golden_file(folder, "tokenizer.json");
}

/* A GGUF where it cannot say all that the tokenizer.json does: ids of the texts for which it can. */
typedef int (*test_tok_pick)(allm_str text);

static int test_tok_no_mark(allm_str s) { return allm__str_find(s, ALLM__S(ALLM__SPM_SPACE), 0) == SIZE_MAX; }
static int test_tok_any(allm_str s) { return s.len < SIZE_MAX; }

static int test_tok_plain_words(allm_str s) { /* no white space but single blanks, no broken UTF-8 */
    for (size_t i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char)s.ptr[i];
        if (ch < 0x20 || ch >= 0x7f) return 0;
        if (ch == ' ' && (i == 0 || i + 1 == s.len || s.ptr[i + 1] == ' ')) return 0;
    }
    return 1;
}

/* want: "ids.bin": three lists a text, else one of ids without special tokens. */
static int test_tok_golden_ids(const char *folder, const char *file, const char *list, test_tok_pick pick) {
    static const int modes[] = {ALLM__TOK_SPECIAL | ALLM__TOK_BOS, ALLM__TOK_SPECIAL, 0};
    char            *bytes[3];
    test_tok_reader  texts   = test_tok_file(folder, "texts.bin", &bytes[0]),
                    want     = test_tok_file(folder, list, &bytes[1]);
    test_tok_reader  vocab = test_tok_file(folder, file, &bytes[2]);
    int              n_lists = !strcmp(list, "ids.bin") ? 3 : 1, n_texts = 0;
    test_tok_case    c;
    allm_error       err;
    if (test_tok_open(&c, vocab.p, (size_t)(vocab.end - vocab.p), &err)) fail_msg("%s", err.message);
    allm__ids ids = {&c.host, NULL, 0, 0, 0};
    for (int i = 0; texts.p < texts.end; i++) {
        allm_str text = test_tok_blob(&texts);
        int      taken = pick(text);
        for (int k = 0; k < n_lists; k++) {
            if (taken) {
                test_tok_ids(c.tok, text, n_lists == 1 ? 0 : modes[k], &ids);
                test_tok_compare(&ids, &want, folder, i, file);
            } else
                for (int64_t n = test_tok_i32(&want); n > 0; n--) test_tok_i32(&want);
        }
        n_texts += taken;
    }
    assert_true(want.p == want.end);
    printf("             %s %s, %s: %d texts x %d\n", folder, file, list, n_texts, n_lists);
    allm__ids_free(&ids);
    test_tok_close(&c);
    for (int i = 0; i < 3; i++) free(bytes[i]);
    return n_texts;
}

/* What SentencePiece decodes its own ids to. */
static void test_tok_golden_spm(const char *folder) {
    char           *bytes[3];
    test_tok_reader want  = test_tok_file(folder, "spm_ids.bin", &bytes[0]),
                    text  = test_tok_file(folder, "spm_decoded.bin", &bytes[1]);
    test_tok_reader vocab = test_tok_file(folder, "tokenizer.model", &bytes[2]);
    test_tok_case   c;
    allm_error      err;
    if (test_tok_open(&c, vocab.p, (size_t)(vocab.end - vocab.p), &err)) fail_msg("%s", err.message);
    allm__ids ids = {&c.host, NULL, 0, 0, 0};
    for (int i = 0; text.p < text.end; i++) {
        ids.len = 0;
        for (int64_t n = test_tok_i32(&want); n > 0; n--) allm__ids_put(&ids, (int32_t)test_tok_i32(&want));
        test_tok_compare_text(c.tok, &ids, 0, test_tok_blob(&text), folder, i);
    }
    allm__ids_free(&ids);
    test_tok_close(&c);
    for (int i = 0; i < 3; i++) free(bytes[i]);
    assert_true(test_tok_golden_ids(folder, "tokenizer.model", "spm_ids.bin", test_tok_any) > 0);
}

static void test_tok_llama2(void **state) {
    (void)state;
    test_tok_golden("llama2");
}
static void test_tok_mistral3(void **state) {
    (void)state;
    test_tok_golden_file("mistral3", "tokenizer.json");
    test_tok_golden_spm("mistral3");
    assert_true(test_tok_golden_ids("mistral3", "vocab.gguf", "spm_ids.bin", test_tok_any) > 0);
}
static void test_tok_gemma3(void **state) {
    (void)state;
    test_tok_golden_file("gemma3", "tokenizer.json");
    assert_true(test_tok_golden_ids("gemma3", "vocab.gguf", "ids.bin", test_tok_no_mark) > 0);
}
static void test_tok_xlmr(void **state) { /* scores of the GGUF have fewer digits: ties */
    (void)state;
    test_tok_golden_file("xlmr", "tokenizer.json");
    assert_true(test_tok_golden_ids("xlmr", "vocab.gguf", "ids.bin", test_tok_plain_words) > 0);
}
static void test_tok_t5mini(void **state) {
    (void)state;
    test_tok_golden_file("t5mini", "tokenizer.json");
    test_tok_golden_spm("t5mini");
    assert_true(test_tok_golden_ids("t5mini", "vocab.gguf", "ids.bin", test_tok_plain_words) > 0);
}
static void test_tok_bert(void **state) {
    (void)state;
    test_tok_golden("bert");
}

/* ---- golden/tokenizers/fab: one component each */

static void test_tok_json_ids(allm__json *j, allm__ids *out) {
    out->len = 0;
    assert_true(allm__json_begin(j, ALLM__JSON_ARRAY, "ids"));
    while (allm__json_elem(j)) allm__ids_put(out, (int32_t)j->i);
}

static void test_tok_json_text(allm__json *j, allm__buf *out) {
    allm_str s;
    out->len = 0;
    assert_true(allm__json_get_str(j, "text", &s));
    allm__buf_put(out, s.ptr, s.len);
}

typedef struct test_tok_fab {
    test_tok_case *c;
    const char    *name;
    allm__buf      text, dec, skip;
    allm__ids      list[3], got; /* ids, parse, plain */
    int            n_cases;
} test_tok_fab;

static void test_tok_fab_ids(test_tok_fab *f, int mode, int flags, const char *what) {
    test_tok_ids(f->c->tok, allm__str(f->text.ptr, f->text.len), flags, &f->got);
    if (f->got.len == f->list[mode].len && (!f->got.len || !memcmp(f->got.ptr, f->list[mode].ptr, f->got.len * 4)))
        return;
    fail_msg("%s: %s of \"%.*s\" differ", f->name, what, (int)f->text.len, f->text.ptr);
}

/* One case or one list of ids to decode. */
static void test_tok_fab_case(test_tok_fab *f, allm__json *j) {
    allm_str key;
    int      has_text = 0, has_parse = 0, has_plain = 0, has_dec = 0, has_skip = 0;
    while (allm__json_key(j, &key)) {
        if (allm__str_eq(key, ALLM__S("t"))) has_text = 1, test_tok_json_text(j, &f->text);
        else if (allm__str_eq(key, ALLM__S("ids"))) test_tok_json_ids(j, &f->list[0]);
        else if (allm__str_eq(key, ALLM__S("parse"))) has_parse = 1, test_tok_json_ids(j, &f->list[1]);
        else if (allm__str_eq(key, ALLM__S("plain"))) has_plain = 1, test_tok_json_ids(j, &f->list[2]);
        else if (allm__str_eq(key, ALLM__S("dec"))) has_dec = 1, test_tok_json_text(j, &f->dec);
        else if (allm__str_eq(key, ALLM__S("skip"))) has_skip = 1, test_tok_json_text(j, &f->skip);
        else allm__json_skip(j);
    }
    int parse = has_parse ? 1 : 0;
    if (has_text) {
        test_tok_fab_ids(f, 0, ALLM__TOK_SPECIAL | ALLM__TOK_BOS, "ids");
        test_tok_fab_ids(f, parse, ALLM__TOK_SPECIAL, "ids, special tokens matched,");
        test_tok_fab_ids(f, has_plain ? 2 : parse, 0, "ids, as plain text,");
    }
    for (int skip = 0; skip < 2 && has_dec; skip++) {
        allm__buf *want = skip && has_skip ? &f->skip : &f->dec;
        allm__buf  text = {0};
        allm_error err  = {0};
        text.host       = &f->c->host;
        assert_int_equal(allm__tok_decode(f->c->tok, f->list[0].ptr, f->list[0].len, skip, &text, &err), ALLM_OK);
        if (!allm__str_eq(allm__str(text.ptr, text.len), allm__str(want->ptr, want->len)))
            fail_msg("%s: decoded \"%.*s\", expected \"%.*s\"", f->name, (int)text.len, text.ptr, (int)want->len,
                     want->ptr);
        size_t n_whole = text.len; /* in parts, the same; malformed bytes may differ, but not in length by much */
        text.len       = 0;
        assert_int_equal(test_tok_decode(f->c->tok, f->list[0].ptr, f->list[0].len, skip, &text, &err), ALLM_OK);
        if (f->c->tok->dec != ALLM__DEC_FALLBACK ||
            allm__str_find(allm__str(want->ptr, want->len), allm__str("\xEF\xBF\xBD", 3), 0) == SIZE_MAX)
            assert_true(text.len == n_whole && (!n_whole || !memcmp(text.ptr, want->ptr, n_whole)));
        allm__buf_free(&text);
    }
    f->n_cases++;
}

static int test_tok_fab_file(const char *name) {
    char          path[160];
    size_t        n, from = 0, to = 0;
    test_tok_case c;
    allm_error    err = {0};
    allm__json    j;
    allm_str      key;
    test_tok_fab  f;
    memset(&f, 0, sizeof f);
    snprintf(path, sizeof path, "tokenizers/fab/%s", name);
    char      *json = test_golden_xz(path, &n);
    test_heap  heap = {0};
    allm__host host = test_host(&heap);
    allm__json_init(&j, &host, allm__str(json, n), name, 0, &err);
    assert_true(allm__json_begin(&j, ALLM__JSON_OBJECT, "an object"));
    while (allm__json_key(&j, &key)) {
        int is_tok = allm__str_eq(key, ALLM__S("tokenizer")), is_cases = allm__str_eq(key, ALLM__S("cases"));
        if (!is_tok && !is_cases && !allm__str_eq(key, ALLM__S("decode"))) { allm__json_skip(&j); continue; }
        if (is_tok) {
            for (from = j.pos; json[from] == ' '; from++) {}
            allm__json_skip(&j), to = j.pos;
            if (test_tok_open(&c, json + from, to - from, &err)) fail_msg("%s: %s", name, err.message);
            f.c = &c, f.name = name, f.text.host = f.dec.host = f.skip.host = f.got.host = &c.host;
            for (int i = 0; i < 3; i++) f.list[i].host = &c.host;
            continue;
        }
        assert_non_null(f.c);
        assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "cases"));
        while (allm__json_elem(&j)) test_tok_fab_case(&f, &j);
    }
    assert_int_equal(j.status, ALLM_OK);
    allm__json_free(&j), allm__buf_free(&f.text), allm__buf_free(&f.dec), allm__buf_free(&f.skip),
        allm__ids_free(&f.got);
    for (int i = 0; i < 3; i++) allm__ids_free(&f.list[i]);
    test_tok_close(&c);
    test_heap_check(&heap);
    free(json);
    return f.n_cases;
}

static void test_tok_fabricated(void **state) {
    char *folder = test_golden_path("tokenizers/fab");
    DIR  *dir    = opendir(folder);
    int   n = 0, n_cases = 0;
    (void)state;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        if (strstr(e->d_name, ".json.xz")) n_cases += test_tok_fab_file(e->d_name), n++;
    closedir(dir);
    free(folder);
    printf("             %d tokenizers, %d cases\n", n, n_cases);
    assert_true(n > 0);
}

static void test_tok_gpt2(void **state) {
    (void)state;
    test_tok_golden("gpt2");
}
static void test_tok_llama3(void **state) {
    (void)state;
    test_tok_golden("llama3");
}
static void test_tok_qwen3(void **state) {
    (void)state;
    test_tok_golden("qwen3");
}
static void test_tok_smollm2(void **state) {
    (void)state;
    test_tok_golden("smollm2");
}
static void test_tok_deepseek3(void **state) {
    (void)state;
    test_tok_golden("deepseek3");
}
static void test_tok_tekken(void **state) {
    (void)state;
    test_tok_golden("tekken");
}

/* ---- the real SmolLM2 file */

static void test_tok_real_ids(allm__json *j, int64_t *ids, int *n) {
    assert_true(allm__json_begin(j, ALLM__JSON_ARRAY, "an array"));
    for (*n = 0; allm__json_elem(j); (*n)++) {
        assert_int_equal(j->event, ALLM__JSON_INT);
        ids[*n] = j->i;
    }
}

static void test_tok_real(void **state) {
    static int64_t want[2][4096];
    test_tok_case  c;
    allm_error     err = {0};
    allm_source    src = {0};
    size_t         n;
    int            n_cases = 0;
    allm_str       key;
    allm__json     j;
    (void)state;
    free(test_golden_path("real/tokenize.json")); /* skips before there is something to free */
    char *path = test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf"), *json = test_golden("real/tokenize.json", &n);
    memset(&c, 0, sizeof c);
    c.host = test_host(&c.mem), src.path = path;
    assert_int_equal(allm__gguf_open(&c.host, &src, &c.gguf, &err), ALLM_OK);
    assert_int_equal(allm__tok_open_gguf(&c.host, &c.gguf, &c.tok, &err), ALLM_OK);
    assert_int_equal(c.tok->n_vocab, 49152);
    assert_int_equal(c.tok->bos, 1);
    assert_int_equal(c.tok->eos, 2);
    assert_true(allm__tok_is_end(c.tok, 2) && allm__tok_is_end(c.tok, 0) && !allm__tok_is_end(c.tok, 1));
    allm__ids ids = {&c.host, NULL, 0, 0, 0};
    allm__json_init(&j, &c.host, allm__str(json, n), "tokenize.json", 0, &err);
    assert_true(allm__json_begin(&j, ALLM__JSON_OBJECT, "an object") && allm__json_key(&j, &key));
    assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"));
    for (; allm__json_elem(&j); n_cases++) {
        int       n_want[2] = {0, -1};
        allm__buf text      = {0};
        text.host           = &c.host;
        while (allm__json_key(&j, &key)) {
            if (allm__str_eq(key, ALLM__S("ids"))) test_tok_real_ids(&j, want[0], &n_want[0]);
            else if (allm__str_eq(key, ALLM__S("ids_special"))) test_tok_real_ids(&j, want[1], &n_want[1]);
            else {
                assert_true(allm__json_get_str(&j, "text", &key));
                allm__buf_put(&text, key.ptr, key.len);
            }
        }
        for (int special = 0; special < 2; special++) {
            int k = special && n_want[1] >= 0;
            test_tok_ids(c.tok, allm__str(text.ptr, text.len), special ? ALLM__TOK_SPECIAL : 0, &ids);
            assert_int_equal(ids.len, n_want[k]);
            for (int i = 0; i < n_want[k]; i++) assert_int_equal(ids.ptr[i], want[k][i]);
        }
        allm__buf_free(&text);
    }
    assert_int_equal(j.status, ALLM_OK);
    assert_int_equal(n_cases, 40);
    allm__json_free(&j);
    allm__ids_free(&ids);
    test_tok_close(&c);
    free(path), free(json);
}

/* ---- small vocabularies of our own: the 256 bytes are ids 0..255, then the tokens given */

typedef struct test_tok_extra {
    const char *text;
    int32_t     type; /* ALLM__TOK_NORMAL ... */
} test_tok_extra;

typedef struct test_tok_vocab {
    const char    *pre; /* NULL: no key */
    test_tok_extra extra[24];
    const char    *merges[24];
} test_tok_vocab;

static void test_tok_alphabet(make_gguf *w, int b) {
    char u[4];
    make_str(&w->kv, u, allm__utf8_put(u, allm__norm_letter(b)));
}

/* The keys of a vocabulary; more may follow before make_gguf_end. */
static make_gguf test_tok_make(const test_tok_vocab *v) {
    make_gguf w = make_gguf_new();
    size_t    n = 0, n_merges = 0;
    while (n < ALLM__COUNT(v->extra) && v->extra[n].text) n++;
    while (n_merges < ALLM__COUNT(v->merges) && v->merges[n_merges]) n_merges++;
    make_kv_str(&w, "tokenizer.ggml.model", "gpt2");
    if (v->pre) make_kv_str(&w, "tokenizer.ggml.pre", v->pre);
    make_kv_array(&w, "tokenizer.ggml.tokens", ALLM__GGUF_STRING, 256 + n);
    for (int b = 0; b < 256; b++) test_tok_alphabet(&w, b);
    for (size_t i = 0; i < n; i++) make_str(&w.kv, v->extra[i].text, strlen(v->extra[i].text));
    make_kv_array(&w, "tokenizer.ggml.token_type", ALLM__GGUF_I32, 256 + n);
    for (int b = 0; b < 256; b++) make_uint(&w.kv, 1, 4);
    for (size_t i = 0; i < n; i++) make_uint(&w.kv, (uint64_t)v->extra[i].type, 4);
    make_kv_strs(&w, "tokenizer.ggml.merges", v->merges, n_merges);
    return w;
}

static void test_tok_use(test_tok_case *c, make_gguf *w) {
    allm_error err;
    make_gguf_end(w);
    if (test_tok_open(c, w->bytes, w->n, &err)) fail_msg("%s", err.message);
    assert_non_null(c->tok);
}

static void test_tok_done(test_tok_case *c, make_gguf *w) {
    test_tok_close(c);
    make_gguf_free(w);
}

/* The ids of text, as "1 2 3", equal to `want`. */
static void test_tok_expect(test_tok_case *c, const char *text, int flags, const char *want) {
    allm__ids ids = {&c->host, NULL, 0, 0, 0};
    char      got[1024];
    int       n = 0;
    got[0]      = 0;
    test_tok_ids(c->tok, allm__str_of(text), flags, &ids);
    for (size_t i = 0; i < ids.len; i++)
        n += snprintf(got + n, sizeof got - (size_t)n, "%s%d", i ? " " : "", (int)ids.ptr[i]);
    allm__ids_free(&ids);
    if (strcmp(got, want) != 0) fail_msg("\"%s\": %s, expected %s", text, got, want);
}

static const test_tok_vocab test_tok_plain_vocab = {
    "gpt-2",
    {{"ab", 1},
     {"abc", 1},
     {"aa", 1},
     {"aaaa", 1},
     {"<|im_start|>", 3},
     {"<|im_end|>", 3},
     {"<|im_end|>>", 3},
     {"<tool>", 4},
     {"<unk>", 2},
     {"\xC4\xA0"
      "a",
      1},
     {"</s>", 3}},
    {"a b", "ab c", "a a", "aa aa", "\xC4\xA0 a"},
};

static void test_tok_merges(void **state) {
    test_tok_case c;
    make_gguf     w = test_tok_make(&test_tok_plain_vocab);
    (void)state;
    test_tok_use(&c, &w);
    test_tok_expect(&c, "", 0, "");
    test_tok_expect(&c, "abc", 0, "257");
    test_tok_expect(&c, "aabc", 0, "97 257");  /* the lowest rank first */
    test_tok_expect(&c, "aaaaa", 0, "259 97"); /* of equals the leftmost */
    test_tok_expect(&c, "aaaaaaa", 0, "259 258 97");
    test_tok_expect(&c, " a b", 0, "265 32 98");
    test_tok_expect(&c,
                    "\xC4\xA0"
                    "a",
                    0, "196 160 97"); /* letters of the alphabet, typed, are text */
    test_tok_expect(&c, "<tool><unk>", 0, "263 60 117 110 107 62");
    test_tok_expect(&c, "<tool><unk>", ALLM__TOK_SPECIAL, "263 264");
    test_tok_expect(&c, "<|im_end|>>", ALLM__TOK_SPECIAL, "262"); /* the longest */
    test_tok_done(&c, &w);
}

/* Merges at random, in any order, also of tokens that no merge makes before; texts of the letters a, b, c. */
static void test_tok_random_vocab(make_gguf *w) {
    test_tok_vocab v = {"gpt-2", {{0}}, {0}};
    char           parts[24][16], tokens[24][8];
    int            n = 0;
    for (int tries = 0; n < 20 && tries < 200; tries++) { /* join two tokens that are there */
        char left[8] = "", right[8] = "", joined[16];
        int  seen = 0;
        for (int k = 0; k < 2; k++) {
            char *side = k ? right : left;
            int   pick = (int)test_random_below((uint64_t)n + 3);
            if (pick < 3) side[0] = (char)('a' + pick), side[1] = 0;
            else memcpy(side, tokens[pick - 3], 8);
        }
        snprintf(joined, sizeof joined, "%s%s", left, right);
        for (int i = 0; i < n; i++) seen |= !strcmp(tokens[i], joined);
        if (seen || strlen(joined) > 6) continue;
        memcpy(tokens[n], joined, 8);
        snprintf(parts[n], sizeof parts[n], "%s %s", left, right);
        n++;
    }
    for (int i = 0; i < n; i++) {
        int k           = (int)test_random_below((uint64_t)i + 1);
        v.extra[i].text = tokens[i], v.extra[i].type = 1;
        v.merges[i] = v.merges[k], v.merges[k] = parts[i];
    }
    *w = test_tok_make(&v);
}

static void test_tok_same(const allm__ids *a, const allm__ids *b) {
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->ptr, b->ptr, a->len * sizeof *a->ptr);
}

/* The rule itself, slow and simple: again and again the lowest rank, the leftmost of equals. */
static void test_tok_slow(const allm__tok *t, const uint8_t *word, uint32_t n, allm__ids *out) {
    out->len = 0;
    for (uint32_t i = 0; i < n; i++) allm__ids_put(out, t->byte_id[word[i]]);
    for (;;) {
        size_t   best      = 0;
        uint32_t best_rank = ALLM__BPE_NONE;
        for (size_t i = 0; i + 1 < out->len; i++) {
            uint32_t rank = allm__bpe_rank(t, out->ptr[i], out->ptr[i + 1]);
            if (rank < best_rank) best = i, best_rank = rank;
        }
        if (best_rank == ALLM__BPE_NONE) return;
        out->ptr[best] = t->merged[best_rank];
        memmove(out->ptr + best + 1, out->ptr + best + 2, (out->len - best - 2) * sizeof *out->ptr);
        out->len--;
    }
}

/* Scanning, buckets and windows of any size all do what the rule says. */
static void test_tok_long_words(void **state) {
    int n_windows = 0;
    (void)state;
    test_random_state = 7;
    for (int round = 0; round < 300; round++) {
        test_tok_case c;
        make_gguf     w;
        test_tok_random_vocab(&w);
        test_tok_use(&c, &w);
        for (int i = 0; i < 20; i++) {
            uint8_t       word[600];
            int32_t       symbols[600];
            uint32_t      n = 1 + (uint32_t)test_random_below(i % 2 ? ALLM__BPE_SHORT : sizeof word), unit = n;
            allm__ids     want = {&c.host, NULL, 0, 0, 0}, got = want;
            allm__tok_job j;
            allm__bpe_part whole = {{&c.host, NULL, 0, 0, 0}, {&c.host, NULL, 0, 0, 0}};
            assert_true(allm__tok_job_init(&j, c.tok, &got));
            if (i % 3 == 0) unit = 1 + (uint32_t)test_random_below(7); /* the same again and again */
            for (uint32_t k = 0; k < n; k++)
                word[k] = (uint8_t)(k < unit ? 'a' + test_random_below(3) : word[k - unit]);
            for (uint32_t k = 0; k < n; k++) symbols[k] = c.tok->byte_id[word[k]];
            test_tok_slow(c.tok, word, n, &want);
            if (n <= ALLM__BPE_SHORT) allm__bpe_short(&j, symbols, n), test_tok_same(&want, &got);
            allm__bpe_encode_long(&j, symbols, n, 0, &whole), test_tok_same(&want, &whole.ids);
            for (uint32_t window = 16; window < n; window += 24) {
                got.len = 0;
                if (!allm__bpe_windows(&j, symbols, n, window)) continue;
                test_tok_same(&want, &got);
                n_windows++;
            }
            got.len = 0, allm__bpe_encode_word(&j, symbols, n), test_tok_same(&want, &got);
            got.len = 0, allm__bpe_merge_word(&j, symbols, n), test_tok_same(&want, &got);
            for (size_t k = 0; k < c.tok->n_merges; k++)
                assert_true(j.bpe.buckets[k].first == ALLM__BPE_NONE && !j.bpe.buckets[k].queued);
            allm__tok_job_free(&j);
            allm__ids_free(&want), allm__ids_free(&got);
            allm__ids_free(&whole.ids), allm__ids_free(&whole.at);
        }
        test_tok_done(&c, &w);
    }
    assert_true(n_windows > 10000);
}

/* Special tokens and text that is the user's: fault 27. */
static void test_tok_fault_27_plain_spans(void **state) {
    static const struct {
        const char *text;
        allm__span  plain[3];
        size_t      n_plain;
        const char *want;
    } rows[] = {
        {"<|im_start|>a<|im_end|>", {{0, 0}}, 0, "260 97 261"},
        {"<|im_start|>a<|im_end|>", {{12, 13}}, 1, "260 97 261"},
        {"<|im_start|><|im_end|>", {{12, 22}}, 1, "260 60 124 105 109 95 101 110 100 124 62"},
        {"<|im_start|><|im_end|>",
         {{0, 22}},
         1,
         "60 124 105 109 95 115 116 97 114 116 124 62 60 124 105 109 95 101 110 100 124 62"},
        {"<|im_end|>", {{4, 5}}, 1, "60 124 105 109 95 101 110 100 124 62"}, /* one byte of it */
        {"<|im_end|>", {{0, 1}}, 1, "60 124 105 109 95 101 110 100 124 62"},
        {"<|im_end|>", {{9, 10}}, 1, "60 124 105 109 95 101 110 100 124 62"},
        {"<|im_end|>", {{10, 10}, {3, 3}}, 2, "261"},                    /* empty spans */
        {"<|im_end|>>", {{10, 11}}, 1, "261 62"},                        /* the longer one would take a user's byte */
        {"<|im_end|><tool></s>", {{10, 20}}, 1, "261 263 60 47 115 62"}, /* added but not special */
        {"a<|im_start|>b<|im_end|>c",
         {{1, 3}, {14, 16}},
         2,
         "97 60 124 105 109 95 115 116 97 114 116 124 62 98 60 124 105 109 95 101 110 100 124 62 99"},
        {"<<|im_end|>", {{0, 1}}, 1, "60 261"},
        {"<|im_end|", {{0, 0}}, 0, "60 124 105 109 95 101 110 100 124"},
    };
    test_tok_case c;
    make_gguf     w = test_tok_make(&test_tok_plain_vocab);
    (void)state;
    test_tok_use(&c, &w);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm__ids  ids       = {&c.host, NULL, 0, 0, 0};
        allm_error err       = {0};
        char       got[1024] = "";
        int        n         = 0;
        assert_int_equal(allm__tok_encode(c.tok, allm__str_of(rows[i].text), ALLM__TOK_SPECIAL, rows[i].plain,
                                          rows[i].n_plain, &ids, &err),
                         ALLM_OK);
        for (size_t k = 0; k < ids.len; k++)
            n += snprintf(got + n, sizeof got - (size_t)n, "%s%d", k ? " " : "", (int)ids.ptr[k]);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("\"%s\" (%zu): %s, expected %s", rows[i].text, i, got, rows[i].want);
        allm__ids_free(&ids);
    }
    test_tok_done(&c, &w);
}

static void test_tok_around(void **state) {
    static const struct {
        const char *pre;
        int         bos, eos; /* keys; -1: absent */
        const char *want;
    } rows[] = {
        {"gpt-2", -1, -1, "97"},       {"gpt-2", 1, -1, "260 97"},      {"gpt-2", 0, 1, "97 261"},
        {"gpt-2", 1, 1, "260 97 261"}, {"llama-bpe", -1, -1, "260 97"}, {"llama-bpe", 0, -1, "97"},
        {"tekken", -1, -1, "260 97"},  {"qwen2", -1, -1, "97"},         {"chameleon", -1, -1, "260 97"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_tok_vocab v = test_tok_plain_vocab;
        test_tok_case  c;
        v.pre       = rows[i].pre;
        make_gguf w = test_tok_make(&v);
        make_kv_u32(&w, "tokenizer.ggml.bos_token_id", 260);
        make_kv_u32(&w, "tokenizer.ggml.eos_token_id", 261);
        if (rows[i].bos >= 0)
            make_kv_uint(&w, "tokenizer.ggml.add_bos_token", ALLM__GGUF_BOOL, (uint64_t)rows[i].bos, 1);
        if (rows[i].eos >= 0)
            make_kv_uint(&w, "tokenizer.ggml.add_eos_token", ALLM__GGUF_BOOL, (uint64_t)rows[i].eos, 1);
        test_tok_use(&c, &w);
        test_tok_expect(&c, "a", ALLM__TOK_BOS, rows[i].want);
        test_tok_expect(&c, "a", 0, "97");
        test_tok_done(&c, &w);
    }
}

/* Which tokens end an answer, and the ids with a meaning. */
static void test_tok_ends(void **state) {
    static const struct {
        const char    *key;
        uint32_t       id;
        test_tok_extra extra[6];
        const char    *ends; /* ids from 256 on that end */
        int32_t        eot;
    } rows[] = {
        {NULL, 0, {{"<|im_end|>", 3}, {"<|eot_id|>", 3}, {"x", 1}}, "256 257", 257},
        {"tokenizer.ggml.eot_token_id", 258, {{"<|im_end|>", 3}, {"<|eot_id|>", 3}, {"x", 1}}, "256 257 258", 258},
        {"tokenizer.ggml.eom_token_id", 257, {{"a", 1}, {"b", 1}}, "257", -1},
        {"tokenizer.ggml.fim_rep_token_id", 256, {{"r", 3}}, "256", -1},
        {NULL, 0, {{"<|end|>", 3}, {"<|return|>", 3}, {"<|call|>", 3}}, "257 258", 256},
        {NULL, 0, {{"<|end|>", 3}, {"<|return|>", 3}}, "256 257", 256},
        {NULL, 0, {{"<|end|>", 3}, {"<|calls|>", 3}, {"<|flush|>", 3}}, "257 258", 256},
        {NULL, 0, {{"</s>", 3}, {"<|tool_response>", 3}}, "257", -1},
        {NULL, 0, {{"</s>", 1}, {"<|eom_id|>", 1}}, "256 257", -1},
        {NULL,
         0,
         {{"<eos>", 3},
          {"[e~[", 3},
          {"_<EOT>", 3},
          {"<\xEF\xBD\x9C\x65nd\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>", 3}},
         "256 257 258 259",
         258},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_tok_vocab v = {"gpt-2", {{0}}, {0}};
        test_tok_case  c;
        char           got[256] = "";
        int            n        = 0;
        memcpy(v.extra, rows[i].extra, sizeof rows[i].extra);
        make_gguf w = test_tok_make(&v);
        if (rows[i].key) make_kv_u32(&w, rows[i].key, rows[i].id);
        test_tok_use(&c, &w);
        for (int32_t id = 256; id < c.tok->n_vocab; id++) {
            if (!allm__tok_is_end(c.tok, id)) continue;
            n += snprintf(got + n, sizeof got - (size_t)n, "%s%d", n ? " " : "", (int)id);
            assert_true(allm__tok_is_special(c.tok, id)); /* whatever its type says */
        }
        if (strcmp(got, rows[i].ends) != 0 || (rows[i].eot >= 0 && c.tok->eot != rows[i].eot))
            fail_msg("row %zu: ends %s, eot %d", i, got, (int)c.tok->eot);
        assert_int_equal(c.tok->eos, -1);
        assert_false(allm__tok_is_end(c.tok, -1) || allm__tok_is_end(c.tok, c.tok->n_vocab));
        test_tok_done(&c, &w);
    }
}

static void test_tok_ids_outside(void **state) {
    static const struct {
        uint32_t type;
        uint64_t value;
    } rows[] = {{ALLM__GGUF_U32, 300},
                {ALLM__GGUF_I32, 0xffffffff},
                {ALLM__GGUF_U32, 0x80000000},
                {ALLM__GGUF_U64, UINT64_MAX >> 1}};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_tok_case c;
        make_gguf     w = test_tok_make(&test_tok_plain_vocab);
        make_kv_uint(&w, "tokenizer.ggml.bos_token_id", rows[i].type, rows[i].value,
                     rows[i].type == ALLM__GGUF_U64 ? 8 : 4);
        test_tok_use(&c, &w);
        assert_int_equal(c.tok->bos, -1); /* the default, for token 11 is a byte here */
        assert_non_null(strstr(c.log, "tokenizer.ggml.bos_token_id"));
        test_tok_done(&c, &w);
    }
}

/* ---- malformed text */

static void test_tok_malformed(void **state) {
    static const struct {
        const char *text, *same_as;
    } rows[] = {
        /* Unicode 3.9: one U+FFFD a maximal subpart */
        {"\xE2\x82", "\xEF\xBF\xBD"},
        {"\xE0\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF0\x9F\x98", "\xEF\xBF\xBD"},
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"a\xFFz", "a\xEF\xBF\xBDz"},
        {"\xC3"
         "a",
         "\xEF\xBF\xBD"
         "a"},
        {"\xF0\x9F\x98<|im_end|>\x80", "\xEF\xBF\xBD<|im_end|>\xEF\xBF\xBD"},
    };
    test_tok_case c;
    make_gguf     w = test_tok_make(&test_tok_plain_vocab);
    (void)state;
    test_tok_use(&c, &w);
    allm__ids a = {&c.host, NULL, 0, 0, 0}, b = a;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_tok_ids(c.tok, allm__str_of(rows[i].text), ALLM__TOK_SPECIAL, &a);
        test_tok_ids(c.tok, allm__str_of(rows[i].same_as), ALLM__TOK_SPECIAL, &b);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.ptr, b.ptr, a.len * sizeof *a.ptr);
    }
    /* random bytes, NUL among them: ids decode to the repaired text, whole and in parts */
    test_random_state = 11;
    for (int i = 0; i < 3000; i++) {
        char             text[64];
        size_t           n    = test_random_below(sizeof text);
        allm__buf        want = {0}, got = {0};
        allm_error       err = {0};
        allm_str         part;
        allm_detok_state s;
        want.host = got.host = &c.host;
        for (size_t k = 0; k < n; k++)
            text[k] = test_random_below(2) ? (char)test_random_below(256)
                                           : "a\xF0\x9F\x98\x80\xE2\x82\xC3\xBF<"[test_random_below(10)];
        allm__tok_repair(allm__str(text, n), &want);
        test_tok_ids(c.tok, allm__str(text, n), 0, &a);
        assert_int_equal(test_tok_decode(c.tok, a.ptr, a.len, 0, &got, &err), ALLM_OK);
        assert_true(allm__str_eq(allm__str(want.ptr, want.len), allm__str(got.ptr, got.len)));
        /* any ids at all: the parts are whole UTF-8 and join to the whole */
        b.len = 0, got.len = 0, want.len = 0;
        for (size_t k = 0; k < n; k++)
            allm__ids_put(&b, (int32_t)(test_random_below(3) ? test_random_below(256) : 0x80 + test_random_below(64)));
        assert_int_equal(test_tok_decode(c.tok, b.ptr, b.len, 1, &want, &err), ALLM_OK);
        memset(&s, 0, sizeof s);
        for (size_t k = 0; k <= b.len; k++) {
            assert_int_equal(allm__tok_next(c.tok, &s, k < b.len ? b.ptr[k] : -1, 1, &part, &err), ALLM_OK);
            assert_true(allm__utf8_bad(part) == SIZE_MAX);
            allm__buf_put(&got, part.ptr, part.len);
        }
        assert_true(allm__str_eq(allm__str(want.ptr, want.len), allm__str(got.ptr, got.len)));
        allm__buf raw = {0};
        raw.host      = &c.host;
        for (size_t k = 0; k < b.len; k++) allm__buf_putc(&raw, (char)b.ptr[k]);
        got.len = 0;
        allm__tok_repair(allm__str(raw.ptr, raw.len), &got);
        assert_true(allm__str_eq(allm__str(want.ptr, want.len), allm__str(got.ptr, got.len)));
        allm__buf_free(&want), allm__buf_free(&got), allm__buf_free(&raw);
    }
    allm__ids_free(&a), allm__ids_free(&b);
    test_tok_done(&c, &w);
}

/* ---- decoding: fault 25, and what is held back */

static void test_tok_part(test_tok_case *c, allm_detok_state *s, int32_t id, const char *want) {
    allm_error err = {0};
    allm_str   part;
    assert_int_equal(allm__tok_next(c->tok, s, id, 1, &part, &err), ALLM_OK);
    if (!allm__str_eq(part, allm__str_of(want)))
        fail_msg("id %d: \"%.*s\", expected \"%s\"", (int)id, (int)part.len, part.ptr, want);
}

static void test_tok_fault_25_decode(void **state) {
    static const int32_t bad[] = {267, INT32_MAX};
    test_tok_case        c;
    make_gguf            w = test_tok_make(&test_tok_plain_vocab);
    allm_detok_state     s;
    allm_error           err = {0};
    allm_str             part;
    (void)state;
    test_tok_use(&c, &w);
    memset(&s, 0, sizeof s);
    assert_int_equal(c.tok->n_vocab, 267);
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__tok_next(c.tok, &s, bad[i], 0, &part, &err), ALLM_E_ARGUMENT);
        assert_non_null(strstr(err.message, "0..266"));
        assert_int_equal(allm__tok_piece(c.tok, bad[i]).len, 0);
    }
    assert_int_equal(allm__tok_piece(c.tok, -1).len, 0);
    assert_int_equal(allm__tok_piece(c.tok, INT32_MIN).len, 0);
    test_tok_part(&c, &s, 'a', "a");
    test_tok_part(&c, &s, 0xF0, "");
    test_tok_part(&c, &s, 0x9F, "");
    test_tok_part(&c, &s, 260, ""); /* a special token that is skipped does not matter */
    test_tok_part(&c, &s, 0x98, "");
    test_tok_part(&c, &s, 0x80, "\xF0\x9F\x98\x80");
    test_tok_part(&c, &s, 0xE2, "");
    test_tok_part(&c, &s, 'a',
                  "\xEF\xBF\xBD"
                  "a"); /* what can no longer become a character */
    test_tok_part(&c, &s, 0xC3, "");
    test_tok_part(&c, &s, -1, "\xEF\xBF\xBD");
    test_tok_part(&c, &s, -1, "");
    test_tok_part(&c, &s, 0xE2, "");
    test_tok_part(&c, &s, 0x82, "");
    test_tok_part(&c, &s, -1, "\xEF\xBF\xBD"); /* one for both bytes */
    assert_int_equal(allm__tok_next(c.tok, &s, 260, 0, &part, &err) == ALLM_OK && part.len == 12, 1);
    for (int i = 0; i < 2 * ALLM__TOK_HOLD + 10; i++) { /* nothing but bad bytes: not held back for ever */
        assert_int_equal(allm__tok_next(c.tok, &s, 0xFF, 0, &part, &err), ALLM_OK);
        assert_int_equal(part.len, i % (ALLM__TOK_HOLD + 1) == ALLM__TOK_HOLD ? 3 * (ALLM__TOK_HOLD + 1) : 0);
    }
    test_tok_done(&c, &w);
}

/* A token of a megabyte, with something held back before it. */
static void test_tok_fault_21_long_token(void **state) {
    enum { N = 1 << 20 };
    test_tok_vocab   v = {"gpt-2", {{0}}, {0}};
    test_tok_case    c;
    allm_detok_state s;
    allm_error       err = {0};
    allm_str         part;
    char            *text = (char *)malloc(N + 1);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', N);
    text[N]         = 0;
    v.extra[0].text = text, v.extra[0].type = 3, v.extra[1].text = "", v.extra[1].type = 1;
    make_gguf w = test_tok_make(&v);
    test_tok_use(&c, &w);
    memset(&s, 0, sizeof s);
    assert_int_equal(c.tok->n_vocab, 258);
    assert_non_null(strstr(c.log, "is not looked for in texts"));
    assert_int_equal(allm__tok_piece(c.tok, 256).len, N);
    assert_int_equal(allm__tok_piece(c.tok, 257).len, 0); /* the empty token */
    assert_int_equal(allm__tok_next(c.tok, &s, 0xE2, 0, &part, &err), ALLM_OK);
    assert_int_equal(part.len, 0);
    assert_int_equal(allm__tok_next(c.tok, &s, 257, 0, &part, &err), ALLM_OK);
    assert_int_equal(part.len, 0);
    assert_int_equal(allm__tok_next(c.tok, &s, 256, 0, &part, &err), ALLM_OK);
    assert_int_equal(part.len, N + 3);
    assert_memory_equal(part.ptr, "\xEF\xBF\xBDx", 4);
    assert_int_equal(allm__tok_next(c.tok, &s, 256, 0, &part, &err), ALLM_OK);
    assert_int_equal(part.len, N);
    test_tok_done(&c, &w);
    free(text);
}

/* ---- broken vocabularies: faults 21 and 22 */

static void test_tok_refused(make_gguf *w, allm_status status, const char *text) {
    test_tok_case c;
    allm_error    err;
    make_gguf_end(w);
    test_tok_open(&c, w->bytes, w->n, &err);
    if (err.status != status || (text && !strstr(err.message, text)))
        fail_msg("status %d \"%s\", expected %d \"%s\"", (int)err.status, err.message, (int)status, text ? text : "");
    assert_true(status == ALLM_OK || c.tok == NULL);
    test_tok_close(&c);
    make_gguf_free(w);
}

static void test_tok_fault_21_merges(void **state) {
    static const struct {
        const char *merge;
        const char *text;
    } rows[] = {
        {"a q_", "right half"}, {"q_ a", "left half"}, {"a z", "what it makes"}, {"ab", "two halves"},
        {"", "two halves"},     {" ", "two halves"},   {"a ", "right half"},     {" a", "two halves"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_tok_vocab v = test_tok_plain_vocab;
        v.merges[0]      = rows[i].merge;
        make_gguf w      = test_tok_make(&v);
        test_tok_refused(&w, ALLM_E_FORMAT, rows[i].text);
    }
    /* a pair that is there twice has the later rank; a cycle of merges cannot be */
    test_tok_vocab v = {"gpt-2", {{"ab", 1}, {"bc", 1}}, {"a b", "b c", "a b"}};
    test_tok_case  c;
    make_gguf      w = test_tok_make(&v);
    test_tok_use(&c, &w);
    test_tok_expect(&c, "abc", 0, "97 257");
    test_tok_done(&c, &w);
}

static void test_tok_fault_21_arrays(void **state) {
    static const char *const tokens[] = {"a", "b"};
    (void)state;
    make_gguf w = make_gguf_new(); /* no tokenizer at all: no error, no tokenizer */
    make_kv_str(&w, "general.architecture", "llama");
    test_tok_refused(&w, ALLM_OK, NULL);
    w = make_gguf_new();
    make_kv_str(&w, "tokenizer.ggml.model", "no_vocab");
    test_tok_refused(&w, ALLM_OK, NULL);
    w = make_gguf_new();
    make_kv_strs(&w, "tokenizer.ggml.tokens", tokens, 2);
    test_tok_refused(&w, ALLM_E_FORMAT, "tokenizer.ggml.model");
    for (int step = 0; step < 9; step++) {
        w = make_gguf_new();
        if (step == 0) make_kv_u32(&w, "tokenizer.ggml.model", 1);
        else make_kv_str(&w, "tokenizer.ggml.model", "gpt2");
        make_kv_str(&w, "tokenizer.ggml.pre", step == 8 ? "no-such" : "gpt-2");
        if (step == 2) make_kv_strs(&w, "tokenizer.ggml.tokens", tokens, 0);
        if (step == 3) make_kv_array(&w, "tokenizer.ggml.tokens", ALLM__GGUF_U8, 2), make_uint(&w.kv, 0, 2);
        if (step > 3) make_kv_strs(&w, "tokenizer.ggml.tokens", tokens, 2);
        if (step == 4) make_kv_array(&w, "tokenizer.ggml.token_type", ALLM__GGUF_I32, 1), make_uint(&w.kv, 1, 4);
        if (step == 5) make_kv_array(&w, "tokenizer.ggml.token_type", ALLM__GGUF_F32, 2), make_uint(&w.kv, 1, 8);
        if (step == 6) make_kv_u32(&w, "tokenizer.ggml.merges", 1);
        if (step == 8) make_kv_strs(&w, "tokenizer.ggml.merges", tokens, 0);
        static const char *const texts[] = {"tokenizer.ggml.model",
                                            "tokenizer.ggml.tokens\" is missing",
                                            "is empty",
                                            "strings expected",
                                            "token_type\" has 1",
                                            "integers expected",
                                            "merges",
                                            "merges\" is missing",
                                            "no-such"};
        test_tok_refused(&w, step == 8 ? ALLM_E_UNSUPPORTED : ALLM_E_FORMAT, texts[step]);
    }
    /* one entry, no merges, no types, no pre: works, and drops what it has no token for */
    test_tok_case c;
    w = make_gguf_new();
    make_kv_str(&w, "tokenizer.ggml.model", "gpt2");
    make_kv_strs(&w, "tokenizer.ggml.tokens", tokens, 1);
    make_kv_strs(&w, "tokenizer.ggml.merges", tokens, 0);
    test_tok_use(&c, &w);
    assert_non_null(strstr(c.log, "tokenizer.ggml.pre"));
    assert_int_equal(c.tok->bos, -1); /* 11 is outside */
    test_tok_expect(&c, "banana", ALLM__TOK_BOS, "0 0 0");
    test_tok_expect(&c, "xyz", 0, "");
    test_tok_done(&c, &w);
}

/* Equal tokens: the last one counts; byte tokens are text in a byte-level vocabulary. */
static void test_tok_fault_21_duplicates(void **state) {
    static const test_tok_vocab v = {"llama-bpe",
                                     {{"b", 1},
                                      {"ab", 1},
                                      {"ab", 1},
                                      {"<x>", 3},
                                      {"<x>", 3},
                                      {"<0x41>", 6},
                                      {"<0x-1>", 6},
                                      {"<0xZZ>", 6},
                                      {"<0x", 6},
                                      {"hello", 1},
                                      {"hello", 3}},
                                     {"a b"}};
    test_tok_case               c;
    make_gguf                   w = test_tok_make(&v);
    (void)state;
    test_tok_use(&c, &w);
    test_tok_expect(&c, "ab", 0, "258");
    test_tok_expect(&c, "cb", 0, "99 256");
    test_tok_expect(&c, "<x>", ALLM__TOK_SPECIAL, "260");
    test_tok_expect(&c, "hello", 0, "265"); /* a whole word; the special one only when asked for */
    test_tok_expect(&c, "hello", ALLM__TOK_SPECIAL, "266");
    assert_int_equal(allm__tok_piece(c.tok, 261).len, 6);
    assert_int_equal(allm__tok_piece(c.tok, 262).len, 6);
    test_tok_done(&c, &w);
}

/* Every byte of a small file changed, and every prefix: a status, never a crash; what opens also works. */
static void test_tok_fault_21_flips(void **state) {
    static const uint8_t values[] = {0x00, 0x7F, 0x80, 0xFF, 1, 2};
    test_tok_vocab       v        = test_tok_plain_vocab;
    (void)state;
    v.pre       = "llama-bpe";
    make_gguf w = test_tok_make(&v);
    make_kv_u32(&w, "tokenizer.ggml.bos_token_id", 260);
    make_kv_u32(&w, "tokenizer.ggml.eos_token_id", 261);
    make_gguf_end(&w);
    uint8_t *bytes = (uint8_t *)malloc(w.n);
    assert_non_null(bytes);
    for (size_t i = 24; i < w.n; i++) {
        if (i > 400 && i + 900 < w.n && i % 7) continue; /* the alphabet is long and uniform */
        for (size_t k = 0; k < ALLM__COUNT(values); k++) {
            test_tok_case c;
            allm_error    err;
            memcpy(bytes, w.bytes, w.n);
            bytes[i] = values[k];
            if (!test_tok_open(&c, bytes, w.n, &err) && c.tok) {
                allm__ids ids  = {&c.host, NULL, 0, 0, 0};
                allm__buf text = {0};
                text.host      = &c.host;
                test_tok_ids(c.tok, ALLM__S("a abcaa <|im_end|>\xFF</s>"), ALLM__TOK_SPECIAL | ALLM__TOK_BOS, &ids);
                assert_int_equal(test_tok_decode(c.tok, ids.ptr, ids.len, 0, &text, &err), ALLM_OK);
                allm__ids_free(&ids), allm__buf_free(&text);
            }
            test_tok_close(&c);
        }
    }
    free(bytes);
    make_gguf_free(&w);
}

/* ---- time, stack, memory: fault 23 */

/* Seconds of processor time, the best of three: others use this machine, too. */
static double test_tok_time(const allm__tok *t, allm_str text, allm__ids *ids) {
    clock_t best = 0;
    for (int i = 0; i < 3; i++) {
        clock_t from = clock();
        test_tok_ids(t, text, ALLM__TOK_SPECIAL, ids);
        clock_t time = clock() - from;
        best         = i ? ALLM__MIN(best, time) : time;
    }
    return (double)best / CLOCKS_PER_SEC;
}

static void test_tok_linear(const char *folder) {
    static const char *const units[] = {
        "a", "Z", "7", " ", "\n", "=", "\xE4\xB8\xAD", "\xF0\x9F\x98\x80", "\xCC\x81", "\xC3\xA9", "<", "\xFF"};
    enum { N = 1 << 18 };
    static char     text[2 * N];
    char           *bytes;
    test_tok_reader r = test_tok_file(folder, "vocab.gguf", &bytes);
    test_tok_case   c;
    allm_error      err;
    assert_int_equal(test_tok_open(&c, r.p, (size_t)(r.end - r.p), &err), ALLM_OK);
    allm__host plain = {
        {allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL}; /* ours fills its blocks */
    allm__ids ids = {&plain, NULL, 0, 0, 0};
    for (size_t u = 0; u < ALLM__COUNT(units); u++) {
        size_t n_unit = strlen(units[u]), n = N / n_unit * n_unit;
        double t1 = 0, t2 = 1;
        for (size_t i = 0; i < 2 * n; i += n_unit) memcpy(text + i, units[u], n_unit);
        for (int tries = 0; tries < 9 && t2 > 2.3 * t1; tries++) {
            t1 = test_tok_time(c.tok, allm__str(text, n), &ids);
            t2 = test_tok_time(c.tok, allm__str(text, 2 * n), &ids);
        }
        test_time_linear(folder, t1, t2);
    }
    allm__ids_free(&ids);
    test_tok_close(&c);
    free(bytes);
}

static void test_tok_fault_23_linear_smollm2(void **state) {
    (void)state;
    test_tok_linear("smollm2");
}
static void test_tok_fault_23_linear_qwen3(void **state) {
    (void)state;
    test_tok_linear("qwen3");
}
static void test_tok_fault_23_linear_llama2(void **state) {
    (void)state;
    test_tok_linear("llama2");
}
static void test_tok_fault_23_linear_xlmr(void **state) {
    (void)state;
    test_tok_linear("xlmr");
}
static void test_tok_fault_23_linear_bert(void **state) {
    (void)state;
    test_tok_linear("bert");
}

/* A text twice as long costs no more calls of the allocator than its buffers need to grow: none a word or token. */
static void test_tok_calls(const char *folder) {
    static const char words[] =
        "Some words, 12 of them; caf\xC3\xA9 \xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x99\x82 don't.\n\tx = y_z(3); ";
    enum { N = 400 };
    static char     text[2 * N * sizeof words];
    char           *bytes;
    test_tok_reader r = test_tok_file(folder, "tokenizer.json", &bytes);
    test_tok_case   c;
    allm_error      err;
    int64_t         calls[2];
    size_t          n = 0, n_ids[2];
    if (test_tok_open(&c, r.p, (size_t)(r.end - r.p), &err)) fail_msg("%s", err.message);
    for (int i = 0; i < 2; i++) {
        allm__ids ids = {&c.host, NULL, 0, 0, 0};
        for (int k = 0; k < N; k++, n += sizeof words - 1) memcpy(text + n, words, sizeof words - 1);
        int64_t from = c.mem.n_calls;
        test_tok_ids(c.tok, allm__str(text, n), ALLM__TOK_SPECIAL | ALLM__TOK_BOS, &ids);
        calls[i] = c.mem.n_calls - from, n_ids[i] = ids.len;
        allm__ids_free(&ids);
    }
    if (calls[0] > 100 || calls[1] > calls[0] + 8)
        fail_msg("%s: %lld allocations for %zu tokens, %lld for %zu", folder, (long long)calls[0], n_ids[0],
                 (long long)calls[1], n_ids[1]);
    test_tok_close(&c);
    free(bytes);
}

static void test_tok_allocations(void **state) {
    static const char *const folders[] = {"gpt2",  "llama3",   "qwen3",  "deepseek3", "smollm2", "llama2",
                                          "gemma3", "mistral3", "xlmr",   "t5mini",    "bert",    "tekken"};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(folders); i++) test_tok_calls(folders[i]);
}

typedef struct test_tok_deep {
    const allm__tok *t;
    char            *text;
    size_t           n, n_ids;
} test_tok_deep;

static void test_tok_deep_body(void *arg) {
    test_tok_deep *d    = (test_tok_deep *)arg;
    allm__ids      ids  = {d->t->host, NULL, 0, 0, 0};
    allm__buf      text = {0};
    allm_error     err  = {0};
    text.host           = d->t->host;
    if (!allm__tok_encode(d->t, allm__str(d->text, d->n), ALLM__TOK_SPECIAL, NULL, 0, &ids, &err)) d->n_ids = ids.len;
    test_tok_decode(d->t, ids.ptr, ids.len, 0, &text, &err);
    allm__ids_free(&ids), allm__buf_free(&text);
}

static void test_tok_fault_23_stack(void **state) {
    static const char *const pres[] = {"gpt-2", "qwen2", "tiny_aya", "exaone-moe", "deepseek-llm"};
    enum { N = 1 << 18 };
    char *text = (char *)malloc(N);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < ALLM__COUNT(pres); i++) {
        test_tok_vocab v = test_tok_plain_vocab;
        test_tok_case  c;
        v.pre       = pres[i];
        make_gguf w = test_tok_make(&v);
        test_tok_use(&c, &w);
        for (size_t k = 0; k < 4; k++) {
            test_tok_deep d = {c.tok, text, N, 0};
            for (size_t at = 0; at < N; at++) text[at] = "a1\xCC<"[k];
            test_stack_check(test_tok_deep_body, &d);
            assert_true(d.n_ids > 0);
        }
        test_tok_done(&c, &w);
    }
    free(text);
}

/* A megabyte of one character through each kind of model on a small stack. */
static void test_tok_fault_23_megabyte(void **state) {
    static const char *const folders[] = {"llama2", "gemma3", "xlmr", "bert", "llama3"};
    static const char *const units[]   = {"a", "\n", "\xE4\xB8\xAD", "\xCC\x81", "\xFF"};
    enum { N = 1 << 20 };
    static char text[N + 4];
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(folders); i++) {
        char           *bytes;
        test_tok_reader r = test_tok_file(folders[i], "tokenizer.json", &bytes);
        test_tok_case   c;
        allm_error      err;
        if (test_tok_open(&c, r.p, (size_t)(r.end - r.p), &err)) fail_msg("%s", err.message);
        allm__host plain = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
        const allm__host *own = c.tok->host;
        c.tok->host = &plain; /* ours fills its blocks */
        for (size_t k = 0; k < ALLM__COUNT(units); k++) {
            size_t        n_unit = strlen(units[k]);
            test_tok_deep d = {c.tok, text, N / n_unit * n_unit, SIZE_MAX};
            for (size_t at = 0; at < d.n; at += n_unit) memcpy(text + at, units[k], n_unit);
            test_stack_check(test_tok_deep_body, &d);
            assert_true(d.n_ids < SIZE_MAX);
        }
        c.tok->host = own;
        test_tok_close(&c);
        free(bytes);
    }
}

static allm_status test_tok_failing_body(const allm__host *h, void *ctx) {
    make_gguf  *w   = (make_gguf *)ctx;
    allm_source src = {0};
    allm_error  err = {0};
    allm__gguf  g;
    allm__tok  *t    = NULL;
    allm__ids   ids  = {h, NULL, 0, 0, 0};
    allm__buf   text = {0};
    text.host        = h;
    src.data = w->bytes, src.n_bytes = w->n;
    if (!allm__gguf_open(h, &src, &g, &err) && !allm__tok_open_gguf(h, &g, &t, &err)) {
        char long_word[400]; /* two of them in one run */
        memset(long_word, 'a', sizeof long_word);
        long_word[200] = ' ';
        if (!allm__tok_encode(t,
                              ALLM__S("a\xFF"
                                      "e\xCC\x81<|im_end|> abc"),
                              ALLM__TOK_SPECIAL, NULL, 0, &ids, &err))
            if (!allm__tok_encode(t, allm__str(long_word, sizeof long_word), 0, NULL, 0, &ids, &err))
                test_tok_decode(t, ids.ptr, ids.len, 0, &text, &err);
    }
    allm__tok_close(t);
    allm__gguf_close(&g);
    allm__ids_free(&ids), allm__buf_free(&text);
    return err.status;
}

static void test_tok_failing_memory(void **state) {
    test_tok_vocab v = test_tok_plain_vocab;
    (void)state;
    v.pre       = "qwen2";
    make_gguf w = test_tok_make(&v);
    make_gguf_end(&w);
    test_fail_each(test_tok_failing_body, &w);
    make_gguf_free(&w);
}

static const struct CMUnitTest test_tok[] = {
    cmocka_unit_test(test_tok_gpt2),
    cmocka_unit_test(test_tok_llama3),
    cmocka_unit_test(test_tok_qwen3),
    cmocka_unit_test(test_tok_smollm2),
    cmocka_unit_test(test_tok_deepseek3),
    cmocka_unit_test(test_tok_tekken),
    cmocka_unit_test(test_tok_llama2),
    cmocka_unit_test(test_tok_mistral3),
    cmocka_unit_test(test_tok_gemma3),
    cmocka_unit_test(test_tok_xlmr),
    cmocka_unit_test(test_tok_t5mini),
    cmocka_unit_test(test_tok_bert),
    cmocka_unit_test(test_tok_fabricated),
    cmocka_unit_test(test_tok_real),
    cmocka_unit_test(test_tok_merges),
    cmocka_unit_test(test_tok_long_words),
    cmocka_unit_test(test_tok_fault_27_plain_spans),
    cmocka_unit_test(test_tok_around),
    cmocka_unit_test(test_tok_ends),
    cmocka_unit_test(test_tok_ids_outside),
    cmocka_unit_test(test_tok_malformed),
    cmocka_unit_test(test_tok_fault_25_decode),
    cmocka_unit_test(test_tok_fault_21_long_token),
    cmocka_unit_test(test_tok_fault_21_merges),
    cmocka_unit_test(test_tok_fault_21_arrays),
    cmocka_unit_test(test_tok_fault_21_duplicates),
    cmocka_unit_test(test_tok_fault_21_flips),
    cmocka_unit_test(test_tok_fault_23_linear_smollm2),
    cmocka_unit_test(test_tok_fault_23_linear_qwen3),
    cmocka_unit_test(test_tok_fault_23_linear_llama2),
    cmocka_unit_test(test_tok_fault_23_linear_xlmr),
    cmocka_unit_test(test_tok_fault_23_linear_bert),
    cmocka_unit_test(test_tok_fault_23_stack),
    cmocka_unit_test(test_tok_fault_23_megabyte),
    cmocka_unit_test(test_tok_allocations),
    cmocka_unit_test(test_tok_failing_memory),
};
