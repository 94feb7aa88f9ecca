/* Room eval: golden hidden states, vectors and logits of every family, the same bits however a text is cut. */
#include "make_model.h"

/* An encoder: hidden states of all tokens, and what is made of them. */
static void test_eval_golden_encoder(void **state) {
    enum { N_TOK = 14, N_EMBD = 32 };
    static const int32_t ids[N_TOK] = {2, 34, 37, 52, 64, 7, 14, 56, 64, 20, 24, 59, 31, 3};
    size_t               n;
    float *hidden = (float *)(void *)test_golden("gguf/bert.hidden.bin", &n), *pooled;
    char  *path   = test_golden_path("gguf/bert.gguf");
    (void)state;
    assert_int_equal(n, N_TOK * N_EMBD * sizeof(float));
    pooled = (float *)(void *)test_golden("gguf/bert.pooled.bin", &n);
    for (int reference = 0; reference < 2; reference++) {
        test_engine         e;
        allm_error          err = {0};
        allm_model_config   cfg = {0};
        allm_session_config sc  = {0};
        allm_source         src = {0};
        allm_model         *m   = NULL;
        allm_session       *s   = NULL;
        float               v[2 * N_EMBD];
        src.path = path, cfg.reference = reference, sc.n_batch = 3; /* it takes a text at once, whatever this says */
        test_engine_init(&e, 2, NULL);
        if (allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err)) fail_msg("%s", err.message);
        assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_OK);
        assert_int_equal(allm__session_run(s, ids, N_TOK, ALLM__WANT_HIDDEN, 1, NULL, NULL, &err), ALLM_OK);
        const double states = fwd_nmse(allm__session_at(s, 0), hidden, N_TOK * N_EMBD);
        assert_null(allm__session_logits(s, 0));
        assert_int_equal(allm__session_embed(s, ids, NULL, N_TOK, 0, 1, v, &err), ALLM_OK); /* the file's: mean */
        assert_int_equal(allm__session_embed(s, ids, NULL, N_TOK, ALLM__POOL_CLS, 1, v + N_EMBD, &err), ALLM_OK);
        const double vectors = fwd_nmse(v, pooled, 2 * N_EMBD);
        printf("             bert, %s path: NMSE %.2e of states, %.2e of vectors\n",
               reference ? "reference" : "default", states, vectors);
        assert_true(states < (reference ? 1e-9 : 1e-6) && vectors < (reference ? 1e-9 : 1e-6));
        assert_int_equal(allm__session_embed(s, ids, ids, N_TOK, 0, 1, v, &err), ALLM_E_ARGUMENT); /* types 0 and 1 */
        assert_non_null(strstr(err.message, "token type 2 at 0, there are 2"));
        allm__session_destroy(s);
        allm__model_release(m);
        test_engine_free(&e);
    }
    free(hidden), free(pooled), free(path);
}

/* ---- golden/models: folders of every family */

enum { EVAL_IDS = 96, EVAL_GREEDY = 16 };

typedef struct eval_ids {
    int32_t id[EVAL_IDS];
    size_t  n;
} eval_ids;

typedef struct eval_case { /* a row of models/manifest.json */
    char    name[64], dir[80], logits[80], hidden[80], pooled[3][80]; /* mean, cls, last */
    eval_ids ids, greedy, types;
    int64_t n_vocab, dim;
    double  tight;
} eval_case;

static void eval_read_ids(allm__json *j, eval_ids *to) { /* or null */
    to->n = 0;
    if (allm__json_next(j) != ALLM__JSON_ARRAY) return;
    for (allm__json_event e; (e = allm__json_next(j)) == ALLM__JSON_INT;) {
        assert_true(to->n < EVAL_IDS);
        to->id[to->n++] = (int32_t)j->i;
    }
}

static void eval_read_case(allm__json *j, eval_case *c) {
    static const char *const poolings[] = {"mean", "cls", "last"};
    allm_str                 key;
    memset(c, 0, sizeof *c);
    while (allm__json_key(j, &key)) {
        struct { const char *key; char *to; size_t cap; } texts[] = {
            {"name", c->name, sizeof c->name}, {"dir", c->dir, sizeof c->dir},
            {"logits", c->logits, sizeof c->logits}, {"hidden", c->hidden, sizeof c->hidden},
        };
        struct { const char *key; eval_ids *to; } lists[] = {
            {"ids", &c->ids}, {"greedy", &c->greedy}, {"token_types", &c->types}};
        int done = 0;
        for (size_t i = 0; i < ALLM__COUNT(texts) && !done; i++)
            if ((done = allm__str_eq(key, allm__str_of(texts[i].key))) != 0 && allm__json_next(j) == ALLM__JSON_STRING)
                snprintf(texts[i].to, texts[i].cap, "%.*s", (int)allm__json_text(j).len, allm__json_text(j).ptr);
        for (size_t i = 0; i < ALLM__COUNT(lists) && !done; i++)
            if ((done = allm__str_eq(key, allm__str_of(lists[i].key))) != 0) eval_read_ids(j, lists[i].to);
        if (done) continue;
        if (allm__str_eq(key, ALLM__S("vocab"))) allm__json_get_int(j, "vocab", 1, 1 << 20, &c->n_vocab);
        else if (allm__str_eq(key, ALLM__S("dim"))) allm__json_get_int(j, "dim", 1, 1 << 20, &c->dim);
        else if (allm__str_eq(key, ALLM__S("tight"))) {
            assert_int_equal(allm__json_next(j), ALLM__JSON_DOUBLE);
            c->tight = j->d;
        } else if (allm__str_eq(key, ALLM__S("embeddings")))
            for (allm__json_begin(j, ALLM__JSON_OBJECT, "embeddings"); allm__json_key(j, &key);) {
                size_t i = 0;
                while (!allm__str_eq(key, allm__str_of(poolings[i]))) i++;
                allm__json_next(j);
                snprintf(c->pooled[i], sizeof c->pooled[i], "%.*s", (int)allm__json_text(j).len,
                         allm__json_text(j).ptr);
            }
        else allm__json_skip(j);
    }
}

static float *eval_floats(const char *path, size_t n) {
    char   name[120];
    size_t n_bytes;
    snprintf(name, sizeof name, "models/%s", path);
    float *x = (float *)(void *)test_golden(name, &n_bytes);
    assert_int_equal(n_bytes, n * sizeof(float));
    return x;
}

typedef struct eval_opened {
    test_engine   e;
    allm_model   *m;
    allm_session *s;
} eval_opened;

static void eval_case_open(eval_opened *o, const eval_case *c, int reference, int32_t n_batch, int32_t n_threads,
                            int32_t n_ctx) {
    char                name[120];
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_source         src = {0};
    snprintf(name, sizeof name, "models/%s", c->dir);
    char *path = test_golden_path(name);
    src.path = path, cfg.reference = reference, sc.n_batch = n_batch, sc.n_ctx = n_ctx;
    test_engine_init(&o->e, n_threads, NULL);
    if (allm__model_open(&o->e.host, &o->e.compute, &src, &cfg, &o->m, &err)) fail_msg("%s: %s", c->name, err.message);
    if (allm__session_create(o->m, &sc, &o->s, &err)) fail_msg("%s: %s", c->name, err.message);
    free(path);
}

static void eval_case_close(eval_opened *o) {
    allm__session_destroy(o->s);
    allm__model_release(o->m);
    test_engine_free(&o->e);
}

/* Logits of all positions, the text in pieces of `step`, against `want`; the same bits as `same` if that is given. */
static double eval_case_run(const eval_case *c, const eval_ids *ids, int reference, int32_t n_batch, size_t step,
                             int32_t n_threads, const float *want, const float *same, float *out) {
    const size_t n_row = (size_t)c->n_vocab;
    allm_error   err   = {0};
    eval_opened   o;
    eval_case_open(&o, c, reference, n_batch, n_threads, (int32_t)c->ids.n + EVAL_GREEDY);
    for (size_t i = 0, n; i < ids->n; i += n) {
        n = ALLM__MIN(step, ids->n - i);
        if (allm__session_eval(o.s, ids->id + i, n, 1, NULL, NULL, &err)) fail_msg("%s: %s", c->name, err.message);
        memcpy(out + i * n_row, allm__session_logits(o.s, 0), n * n_row * sizeof *out);
    }
    eval_case_close(&o);
    if (same && memcmp(out, same, ids->n * n_row * sizeof *out))
        fail_msg("%s: other bits in batches of %d, pieces of %d, NMSE %g", c->name, (int)n_batch, (int)step,
                 fwd_nmse(out, same, ids->n * n_row));
    return want ? fwd_nmse(out, want, c->ids.n * n_row) : 0;
}

/* Prefill against the reference, the ids that follow, and the same bits token by token, in other batches, by other
 * numbers of threads. */
static void eval_case_causal(const eval_case *c, double *worst) {
    const size_t n    = c->ids.n * (size_t)c->n_vocab, n_all = n + EVAL_GREEDY * (size_t)c->n_vocab;
    const int    dynamic = !strcmp(c->name, "llama_dynamic"); /* its base follows the length of each call */
    float       *want = eval_floats(c->logits, n), *got = (float *)malloc(n_all * sizeof *got);
    float       *other = (float *)malloc(n_all * sizeof *got);
    eval_ids      all = c->ids;
    int          n_same = 0;
    if (dynamic) { /* a context of just the prompt */
        eval_case exact = *c;
        exact.ids.n -= EVAL_GREEDY;
        *worst = ALLM__MAX(*worst, eval_case_run(&exact, &c->ids, 1, 64, 64, 1, NULL, NULL, got));
        const double e = fwd_nmse(got, want, n);
        if (!(e < c->tight)) fail_msg("%s: NMSE %g", c->name, e);
        free(want), free(got), free(other);
        return;
    }
    for (size_t i = 0; i + 1 < c->greedy.n; i++) all.id[all.n++] = c->greedy.id[i];
    const double exact = eval_case_run(c, &c->ids, 1, 64, EVAL_IDS, 1, want, NULL, got);
    const double plain = eval_case_run(c, &c->ids, 0, 64, EVAL_IDS, 1, want, NULL, other);
    *worst = ALLM__MAX(*worst, exact);
    if (!(exact < c->tight)) fail_msg("%s: NMSE %g", c->name, exact);
    const double most = fwd_nmse_but_one(other, want, c->ids.n, (size_t)c->n_vocab);
    if (!(plain < 2e-3 && most < 2e-4)) fail_msg("%s: NMSE of the default path %g, %g", c->name, plain, most);
    eval_case_run(c, &c->ids, 0, 5, EVAL_IDS, 3, NULL, other, got);
    const int is_long = !strncmp(c->name, "phi3_longrope", 13); /* angles depend on the length so far */
    if (!is_long) eval_case_run(c, &c->ids, 0, 64, 1, 2, NULL, other, got);
    eval_case_run(c, &all, 1, 64, is_long ? 1 : EVAL_IDS, 2, NULL, NULL, got);
    for (size_t i = 0; i < c->greedy.n; i++)
        n_same += (int32_t)fwd_best(got + (c->ids.n - 1 + i) * (size_t)c->n_vocab, (size_t)c->n_vocab) ==
                  c->greedy.id[i];
    printf("             %-20s %.2e      %.2e   %d of %zu\n", c->name, exact, plain, n_same, c->greedy.n);
    if (n_same != (int)c->greedy.n) fail_msg("%s: %d of %zu greedy ids", c->name, n_same, c->greedy.n);
    free(want), free(got), free(other);
}

static void eval_case_encoder(const eval_case *c, double *worst) {
    const size_t   dim  = (size_t)c->dim, n = c->ids.n * dim;
    const int32_t *types = c->types.n ? c->types.id : NULL;
    float         *want = eval_floats(c->hidden, n), *v = (float *)malloc(dim * sizeof *v);
    allm_error     err = {0};
    eval_opened     o;
    eval_case_open(&o, c, 1, 64, 2, (int32_t)c->ids.n);
    o.s->types = types;
    if (allm__session_run(o.s, c->ids.id, c->ids.n, ALLM__WANT_HIDDEN, 1, NULL, NULL, &err))
        fail_msg("%s: %s", c->name, err.message);
    double e = fwd_nmse(allm__session_at(o.s, 0), want, n);
    for (int i = 0; i < 3; i++) {
        float *pooled = eval_floats(c->pooled[i], dim);
        if (allm__session_embed(o.s, c->ids.id, types, c->ids.n, ALLM__POOL_MEAN + i, 1, v, &err))
            fail_msg("%s: %s", c->name, err.message);
        e = ALLM__MAX(e, fwd_nmse(v, pooled, dim));
        free(pooled);
    }
    printf("             %-20s %.2e, hidden states and three poolings\n", c->name, e);
    if (!(e < c->tight)) fail_msg("%s: NMSE %g", c->name, e);
    *worst = ALLM__MAX(*worst, e);
    eval_case_close(&o);
    free(want), free(v);
}

static void test_eval_golden_models(void **state) {
    size_t     n;
    char      *text = test_golden("models/manifest.json", &n);
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__json j;
    eval_case c;
    double     worst = 0;
    int        n_run = 0;
    (void)state;
    allm__json_init(&j, &h, allm__str(text, n), "manifest.json", 0, &err);
    printf("             NMSE                 reference       default   same next ids\n");
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "cases"); allm__json_elem(&j); n_run++) {
        eval_read_case(&j, &c);
        if (c.hidden[0]) eval_case_encoder(&c, &worst);
        else eval_case_causal(&c, &worst);
    }
    assert_string_equal(err.message, "");
    printf("             %d models, the worst %.1e\n", n_run, worst);
    assert_true(n_run >= 70);
    allm__json_free(&j);
    free(text);
    test_heap_check(&heap);
}

static const struct CMUnitTest test_eval[] = {
    cmocka_unit_test(test_eval_golden_encoder),
    cmocka_unit_test(test_eval_golden_models),
};
