/* Room eval: golden hidden states, vectors and logits of every family, the same bits however a text is cut, several
 * sessions in one pass, threads, cancels. FAULTS rows 34 and 36. */
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

/* ---- several sessions in one pass */

enum { MANY = 6, MANY_STEPS = 4 };

/* Sessions of all lengths and types of cache: the same bits in one pass as apart, and the same states behind it. */
static void eval_many_family(const allm__arch *arch, int32_t n_threads, int reference) {
    static const struct { int32_t length, n_batch; allm_kv_type type; } rows[MANY] = {
        {75, 16, ALLM_KV_DEFAULT}, {0, 2, ALLM_KV_DEFAULT}, {1, 5, ALLM_KV_F32},
        {140, 30, ALLM_KV_Q8_0}, {63, 1, ALLM_KV_DEFAULT}, {20, 64, ALLM_KV_F16},
    };
    const int32_t *ids = state_ids();
    make_model     p = state_model(arch->name, arch->may, 4);
    state_setup    t;
    allm_session  *apart[MANY], *many[MANY];
    allm_error     err = {0};
    int32_t        next[MANY];
    p.type = ALLM__Q8_0, p.n_head = 6, p.n_embd = 64, p.n_ff = 96;
    state_begin(&t, &p, n_threads, reference);
    for (int i = 0; i < MANY; i++) {
        apart[i] = state_session(t.m, 160 + i, rows[i].n_batch, rows[i].type);
        many[i] = state_session(t.m, 160 + i, rows[i].n_batch, rows[i].type);
        if (rows[i].length) state_eval(apart[i], ids + i, (size_t)rows[i].length);
        if (rows[i].length) state_eval(many[i], ids + i, (size_t)rows[i].length);
    }
    for (int k = 0; k < MANY_STEPS; k++) {
        for (int i = 0; i < MANY; i++) next[i] = ids[200 + 10 * k + i];
        if (allm__session_eval_many(many, next, MANY, &err)) fail_msg("%s: %s", arch->name, err.message);
        for (int i = 0; i < MANY; i++) {
            state_eval(apart[i], &next[i], 1);
            assert_int_equal(allm__session_length(many[i]), rows[i].length + k + 1);
            if (memcmp(allm__session_logits(apart[i], 0), allm__session_logits(many[i], 0), p.n_vocab * sizeof(float)))
                fail_msg("%s: other bits of session %d, step %d, %d threads, reference %d", arch->name, i, k,
                         (int)n_threads, reference);
        }
    }
    for (int i = 0; i < MANY; i++) {
        state_bytes a = state_save(apart[i]), b = state_save(many[i]);
        if (a.n != b.n || memcmp(a.p, b.p, a.n)) fail_msg("%s: another state of session %d", arch->name, i);
        free(a.p), free(b.p);
        allm__session_destroy(apart[i]), allm__session_destroy(many[i]);
    }
    state_end(&t);
}

static void test_eval_many_families(void **state) {
    int n = 0;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__archs); i++)
        if (!(allm__archs[i].flags & ALLM__A_ENCODER))
            eval_many_family(&allm__archs[i], 1 + (int32_t)i % 3, i % 5 == 0), n++;
    for (int32_t n_threads = 1; n_threads <= 3; n_threads++)
        eval_many_family(&allm__archs[0], n_threads, 0), eval_many_family(&allm__archs[0], n_threads, 1);
    printf("             %d families: %d sessions in one pass, the bits of as many calls\n", n, MANY);
}

/* More sessions than a pass takes, or than the largest batch among them; nothing is allocated. */
static void test_eval_many_passes(void **state) {
    enum { N = 150 };
    static const int32_t batches[] = {1, 7, 64, 200};
    const int32_t       *ids = state_ids();
    make_model           p = state_model("llama", 0, 1);
    state_setup          t;
    allm_session        *s[N];
    allm_error           err = {0};
    static float         want[N][96];
    (void)state;
    state_begin(&t, &p, 2, 0);
    for (size_t b = 0; b < ALLM__COUNT(batches); b++) {
        for (int i = 0; i < N; i++) {
            s[i] = state_session(t.m, 210, i == 99 ? batches[b] : 1, 0);
            if (i % 4) state_eval(s[i], ids + i, (size_t)(i % 4));
        }
        const int64_t calls = t.e.heap.n_calls;
        assert_int_equal(allm__session_eval_many(s, ids, N, &err), ALLM_OK);
        assert_int_equal(t.e.heap.n_calls, calls);
        for (int i = 0; i < N; i++) {
            assert_int_equal(allm__session_length(s[i]), i % 4 + 1);
            if (b == 0) memcpy(want[i], allm__session_logits(s[i], 0), sizeof want[i]);
            else assert_memory_equal(want[i], allm__session_logits(s[i], 0), sizeof want[i]);
            allm__session_destroy(s[i]);
        }
    }
    state_end(&t);
}

static void test_eval_many_errors(void **state) {
    const int32_t *ids = state_ids();
    make_model     p = state_model("llama", 0, 1);
    state_setup    t, o;
    allm_session  *s[4], *list[4];
    (void)state;
    state_begin(&t, &p, 1, 0), state_begin(&o, &p, 1, 0);
    for (int i = 0; i < 3; i++) s[i] = state_session(t.m, 20, 0, 0), state_eval(s[i], ids + i, 10);
    s[3] = state_session(o.m, 20, 0, 0);
    for (int row = 0; row < 6; row++) {
        static const struct { allm_status status; const char *words; } want[] = {
            {ALLM_E_ARGUMENT, "sessions[2]: of another model than the first"},
            {ALLM_E_ARGUMENT, "sessions[3]: the same as sessions[1]"},
            {ALLM_E_BUSY, "sessions[1]: in use by another thread"},
            {ALLM_E_CONTEXT, "sessions[2]: 1 tokens after 20 do not fit a context of 20"},
            {ALLM_E_ARGUMENT, "sessions[1]: session: token id 96 at 0, the vocabulary has 96"},
            {ALLM_OK, ""},
        };
        int32_t    next[4] = {1, 2, 3, 4};
        size_t     n = row == 0 || row == 1 ? 4 : 3;
        allm_error err = {0};
        for (int i = 0; i < 3; i++) list[i] = s[i];
        if (row == 0) list[2] = s[3], list[3] = s[2];
        if (row == 1) list[3] = s[1];
        if (row == 2) ALLM__STORE(&s[1]->busy, 1);
        if (row == 3) state_eval(s[2], ids, 10);
        if (row == 4) next[1] = 96;
        assert_int_equal(allm__session_eval_many(list, next, n, &err), want[row].status);
        assert_string_equal(err.message, want[row].words);
        assert_int_equal(s[1]->busy, row == 2); /* it is another's */
        assert_int_equal(s[0]->busy, 0);
        assert_int_equal(allm__session_length(s[0]), row == 5 ? 11 : 10); /* none has changed */
        assert_non_null(allm__session_logits(s[0], 0));
        if (row == 3) {
            allm_error ok = {0};
            assert_int_equal(allm__session_truncate(s[2], 10, &ok), ALLM_OK);
        }
        ALLM__STORE(&s[1]->busy, 0);
    }
    for (int i = 0; i < 4; i++) allm__session_destroy(s[i]);
    state_end(&t), state_end(&o);
}

typedef struct eval_many_stop { /* a host's loop that cancels one session at one stage */
    allm_session *s;
    int           at, n;
} eval_many_stop;

static void eval_many_loop(void *ctx, int32_t n_parts, allm_task task, void *arg) {
    eval_many_stop *c = (eval_many_stop *)ctx;
    if (c->n++ == c->at) allm__session_cancel(c->s);
    for (int32_t i = 0; i < n_parts; i++) task(arg, i, n_parts);
}

/* A cancel of one at any stage cancels all; none is longer, and all go on as if nothing had been. */
static void test_eval_many_cancel(void **state) {
    static const char *const archs[] = {"gemma3", "qwen35moe", "falcon-h1", "deepseek2", "recurrent_gemma", "gemma3n"};
    const int32_t           *ids = state_ids();
    (void)state;
    for (size_t a = 0; a < ALLM__COUNT(archs); a++) {
        make_model     p = state_model(archs[a], ~UINT64_C(0), 2);
        state_setup    t;
        allm_session  *s[3], *fork[3];
        allm_error     err = {0};
        eval_many_stop c = {NULL, -1, 0};
        int            n_stages;
        state_begin(&t, &p, 2, 0);
        t.e.pool.parallel_for = eval_many_loop, t.e.pool.parallel_ctx = &c;
        for (int i = 0; i < 3; i++) {
            s[i] = state_session(t.m, 200, 8, 0);
            state_eval(s[i], ids + i, 20 + 40 * (size_t)i);
        }
        for (int i = 0; i < 3; i++) assert_int_equal(allm__session_fork(s[i], &fork[i], &err), ALLM_OK);
        c.n = 0;
        assert_int_equal(allm__session_eval_many(fork, ids, 3, &err), ALLM_OK);
        n_stages = c.n;
        for (int at = 0; at < n_stages; at++) {
            c.s = s[at % 3], c.at = at, c.n = 0;
            memset(&err, 0, sizeof err);
            assert_int_equal(allm__session_eval_many(s, ids, 3, &err), ALLM_E_CANCELLED);
            assert_true(err.message[9] == '0' + at % 3 && strstr(err.message, "]: cancelled"));
            assert_int_equal(c.n, at + 1); /* no stage began afterwards */
            for (int i = 0; i < 3; i++) assert_int_equal(allm__session_length(s[i]), 20 + 40 * i);
        }
        c.at = -1;
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__session_eval_many(s, ids, 3, &err), ALLM_OK);
        for (int i = 0; i < 3; i++) state_same(s[i], fork[i], ids + 9, 2, "after cancels");
        for (int i = 0; i < 3; i++) allm__session_destroy(s[i]), allm__session_destroy(fork[i]);
        state_end(&t);
    }
}

/* ---- threads */

enum { EVAL_THREADS = 16 };

typedef struct eval_thread {
    allm_model *m;
    int32_t     i, n;   /* tokens */
    uint64_t    sum;    /* of all logits */
    allm_status status;
} eval_thread;

/* A prompt and tokens after it, of this session only; with a state, a copy and a shift on the way. */
static void *eval_thread_main(void *arg) {
    eval_thread        *t   = (eval_thread *)arg;
    allm_error          err = {0};
    allm_session_config sc  = {0};
    allm_session       *s = NULL, *fork = NULL;
    int32_t             ids[64];
    static const size_t n_row = 512 * sizeof(float);
    sc.n_ctx = 256, sc.n_batch = 24;
    for (int32_t i = 0; i < 64; i++) ids[i] = (t->i * 131 + i * 17) % 512;
    t->sum = 0, t->status = allm__session_create(t->m, &sc, &s, &err);
    if (!t->status) t->status = allm__session_eval(s, ids, 30 + (size_t)t->i, 0, NULL, NULL, &err);
    if (!t->status) t->status = allm__session_fork(s, &fork, &err);
    for (int32_t i = 0; i < t->n && !t->status; i++) {
        t->status = allm__session_eval(s, ids + i % 64, 1, 0, NULL, NULL, &err);
        if (!t->status && i == t->n / 2) t->status = allm__session_shift(s, 2, 11, &err);
        if (!t->status) t->status = allm__session_eval(fork, ids + i % 64, 1, 0, NULL, NULL, &err);
        for (int k = 0; k < 2 && !t->status; k++)
            t->sum = allm__state_sum(t->sum, allm__session_logits(k ? fork : s, 0), n_row);
    }
    allm__session_destroy(s), allm__session_destroy(fork);
    return NULL;
}

/* 16 sessions of one model, each in a thread of its own, over a pool of several threads: the bits of a run one after
 * another. */
static void test_eval_fault_36_threads(void **state) {
    fwd_real           r;
    pthread_t          threads[EVAL_THREADS];
    static eval_thread work[2][EVAL_THREADS];
    (void)state;
    TEST_NEEDS_THREADS();
    if (access("tests/data/tiny.gguf", R_OK))
        test_skip("no tests/data/tiny.gguf: not started from the top of the repository");
    fwd_real_open(&r, "tests/data/tiny.gguf", 0);
    for (int32_t k = 0; k < 2; k++)
        for (int32_t i = 0; i < EVAL_THREADS; i++) {
            work[k][i].m = r.m, work[k][i].i = i, work[k][i].n = TEST_SANITIZED ? 10 : 100;
            if (k == 0) eval_thread_main(&work[k][i]);
            else assert_int_equal(pthread_create(&threads[i], NULL, eval_thread_main, &work[k][i]), 0);
        }
    for (int i = 0; i < EVAL_THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < EVAL_THREADS; i++) {
        assert_int_equal(work[0][i].status, ALLM_OK);
        assert_int_equal(work[1][i].status, ALLM_OK);
        assert_true(work[0][i].sum == work[1][i].sum);
    }
    fwd_real_close(&r);
}

/* ---- how long a cancel takes: told, no judge */

typedef struct eval_latency {
    allm_session *s;
    int32_t      *ids;
    size_t        n;
    int32_t       go, done; /* 1: begin, 2: end; 1: it has begun, 2: returned */
    int           all;
    allm_status   status;
    double        at, busy; /* when it returned, and the process's processor time then */
} eval_latency;

static double eval_busy(void) { return (double)clock() / CLOCKS_PER_SEC; }

static void *eval_latency_main(void *arg) {
    eval_latency *l = (eval_latency *)arg;
    for (;;) {
        while (!ALLM__LOAD(&l->go)) usleep(50);
        if (ALLM__LOAD(&l->go) == 2) return NULL;
        allm_error err = {0};
        ALLM__STORE(&l->go, 0);
        allm__session_truncate(l->s, 0, &err);
        ALLM__STORE(&l->done, 1);
        l->status = allm__session_eval(l->s, l->ids, l->n, l->all, NULL, NULL, &err);
        l->at     = allm__plat_seconds(), l->busy = eval_busy();
        ALLM__STORE(&l->done, 2);
    }
}

static int eval_by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds from a cancel within the first `most` seconds of an eval until that returns, n_tries times, to t; and to busy
 * the processor time of all threads in between, which other work does not make longer. Returns how many hit one. */
static int eval_latencies(eval_latency *l, int n_tries, double most, double *t, double *busy) {
    pthread_t thread;
    int       n = 0;
    assert_int_equal(pthread_create(&thread, NULL, eval_latency_main, l), 0);
    for (int i = 0; i < n_tries; i++) {
        ALLM__STORE(&l->done, 0), ALLM__STORE(&l->go, 1);
        while (!ALLM__LOAD(&l->done)) sched_yield();
        const double until = allm__plat_seconds() + most * (double)test_random_below(1000) / 1000;
        while (allm__plat_seconds() < until && ALLM__LOAD(&l->done) != 2) usleep(20);
        const double from = allm__plat_seconds(), from_busy = eval_busy();
        allm__session_cancel(l->s);
        while (ALLM__LOAD(&l->done) != 2) usleep(20), allm__session_cancel(l->s);
        if (l->status != ALLM_E_CANCELLED) continue;
        busy[n] = ALLM__MAX(l->busy - from_busy, 0), t[n++] = ALLM__MAX(l->at - from, 0);
    }
    ALLM__STORE(&l->go, 2);
    pthread_join(thread, NULL);
    qsort(t, (size_t)n, sizeof *t, eval_by_size), qsort(busy, (size_t)n, sizeof *t, eval_by_size);
    return n;
}

static void eval_latency_of(const char *name, const char *path, int32_t n_threads, int n_tries, double worst[2]) {
    static double       t[1000], busy[1000];
    test_engine         e;
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_source         src = {0};
    allm_model         *m   = NULL;
    eval_latency        l;
    memset(&l, 0, sizeof l);
    src.path = path;
    test_engine_init(&e, n_threads, NULL);
    if (!allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err) && m->hp.causal) {
        l.n = (size_t)(m->w.positions ? m->hp.n_ctx_train : 1024), sc.n_ctx = (int32_t)l.n;
        l.ids = (int32_t *)calloc(l.n, sizeof *l.ids);
        for (size_t i = 0; i < l.n; i++) l.ids[i] = (int32_t)((int64_t)i * 31 % m->hp.n_vocab);
        assert_int_equal(allm__session_create(m, &sc, &l.s, &err), ALLM_OK);
        double from = allm__plat_seconds(), most;
        assert_int_equal(allm__session_eval(l.s, l.ids, ALLM__MIN(l.n, 256), 0, NULL, NULL, &err), ALLM_OK);
        most = ALLM__MIN(allm__plat_seconds() - from, name ? 1 : 0.02); /* a batch, or the first layers */
        for (l.all = 0; l.all < (name ? 2 : 1); l.all++) {
            const int n = eval_latencies(&l, n_tries, most, t, busy);
            if (name && n)
                printf("             %s, %d threads%s: %d cancels of a prompt, median %.2f ms, 99 %% %.2f ms, worst "
                       "%.2f ms; of processor time %.2f, %.2f, %.2f ms\n", name, (int)n_threads,
                       l.all ? ", all logits" : "", n, 1e3 * t[n / 2], 1e3 * t[n * 99 / 100], 1e3 * t[n - 1],
                       1e3 * busy[n / 2], 1e3 * busy[n * 99 / 100], 1e3 * busy[n - 1]);
            if (n) worst[0] = ALLM__MAX(worst[0], t[n - 1]), worst[1] = ALLM__MAX(worst[1], busy[n - 1]);
        }
        allm__session_destroy(l.s);
        free(l.ids);
    }
    allm__model_release(m);
    test_engine_free(&e);
}

static void test_eval_fault_34_latency_golden(void **state) {
    size_t     n;
    char      *text = test_golden("gguf/manifest.json", &n), name[120];
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__json j;
    fwd_case   c;
    int        n_models = 0, n_tries = TEST_SANITIZED ? 3 : 25;
    double     worst[2] = {0, 0};
    (void)state;
    TEST_NEEDS_THREADS();
    allm__json_init(&j, &h, allm__str(text, n), "manifest.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "cases"); allm__json_elem(&j);) {
        fwd_read_case(&j, &c);
        if (c.refused || !c.logits[0]) continue;
        snprintf(name, sizeof name, "gguf/%s", c.file);
        char *path = test_golden_path(name);
        eval_latency_of(NULL, path, 1 + n_models++ % 2, n_tries, worst);
        free(path);
    }
    printf("             %d golden models, %d cancels each: the worst %.2f ms, %.2f ms of processor time\n", n_models,
           n_tries, 1e3 * worst[0], 1e3 * worst[1]);
    allm__json_free(&j);
    free(text);
}

static void test_eval_fault_34_latency_smollm2(void **state) {
    double worst[2] = {0, 0};
    (void)state;
    TEST_NEEDS_THREADS();
    TEST_NEEDS_SPEED();
    char *path = test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf");
    for (int32_t n_threads = 1; n_threads <= 2; n_threads++)
        eval_latency_of("SmolLM2", path, n_threads, TEST_SANITIZED ? 2 : test_named ? 250 : 10, worst);
    free(path);
}

/* 8 sessions in one pass against one after another, in turn: told. */
static void test_eval_many_smollm2(void **state) {
    enum { N = 8, STEPS = TEST_SANITIZED ? 1 : 16 };
    char         *path = test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf");
    fwd_real      r;
    allm_session *apart[N], *many[N];
    allm_error    err = {0};
    double        t[2] = {0, 0};
    int32_t       ids[N];
    (void)state;
    fwd_real_open(&r, path, 0);
    for (int32_t i = 0; i < N; i++) {
        const int32_t text[] = {504, 253, 365 + i, 282, 260, 905 * i};
        apart[i] = state_session(r.m, 256, 0, 0), many[i] = state_session(r.m, 256, 0, 0);
        state_eval(apart[i], text, 3 + (size_t)i % 4), state_eval(many[i], text, 3 + (size_t)i % 4);
    }
    for (int32_t k = 0; k < STEPS; k++) {
        for (int32_t i = 0; i < N; i++) ids[i] = (int32_t)fwd_best(allm__session_logits(apart[i], 0), REAL_VOCAB);
        double from = allm__plat_seconds();
        for (int32_t i = 0; i < N; i++) state_eval(apart[i], &ids[i], 1);
        t[0] += allm__plat_seconds() - from, from = allm__plat_seconds();
        if (allm__session_eval_many(many, ids, N, &err)) fail_msg("%s", err.message);
        t[1] += allm__plat_seconds() - from;
        for (int32_t i = 0; i < N; i++)
            assert_memory_equal(allm__session_logits(apart[i], 0), allm__session_logits(many[i], 0), REAL_VOCAB * 4);
    }
    printf("             %d sessions in one pass: %.2f times as fast as one after another (%d threads)\n", N,
           t[0] / t[1], (int)r.e.pool.n_threads);
    for (int i = 0; i < N; i++) allm__session_destroy(apart[i]), allm__session_destroy(many[i]);
    fwd_real_close(&r);
    free(path);
}

static const struct CMUnitTest test_eval[] = {
    cmocka_unit_test(test_eval_golden_encoder),
    cmocka_unit_test(test_eval_golden_models),
    cmocka_unit_test(test_eval_many_families),
    cmocka_unit_test(test_eval_many_passes),
    cmocka_unit_test(test_eval_many_errors),
    cmocka_unit_test(test_eval_many_cancel),
    cmocka_unit_test(test_eval_many_smollm2),
    cmocka_unit_test(test_eval_fault_36_threads),
    cmocka_unit_test(test_eval_fault_34_latency_golden),
    cmocka_unit_test(test_eval_fault_34_latency_smollm2),
};
