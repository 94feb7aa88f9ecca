/* Room state: copies, states and shifts of sessions: the same bits afterwards, damage is seen, others' states are
 * refused, keys are moved as far as they can be. */
#include "make_model.h"

enum { STATE_VOCAB = 96, STATE_LONG = 330, STATE_MORE = 12 };

typedef struct state_setup { /* a model of a family */
    test_engine e;
    make_gguf   w;
    allm_model *m;
} state_setup;

static void state_begin(state_setup *t, const make_model *p, int32_t n_threads, int reference) {
    allm_error err;
    t->w = make_model_file(p);
    test_engine_init(&t->e, n_threads, NULL);
    if (test_engine_open(&t->e, &t->w, reference, &t->m, &err)) fail_msg("%s: %s", p->arch, err.message);
}

static void state_end(state_setup *t) {
    allm__model_release(t->m);
    test_engine_free(&t->e);
    make_gguf_free(&t->w);
}

static make_model state_model(const char *arch, uint64_t groups, uint32_t n_layer) {
    make_model p = make_model_new(arch);
    p.groups = groups, p.n_layer = n_layer, p.n_ctx = 1024;
    return p;
}

static allm_session *state_session(allm_model *m, int32_t n_ctx, int32_t n_batch, allm_kv_type type) {
    allm_session_config c   = {0};
    allm_error          err = {0};
    allm_session       *s   = NULL;
    c.n_ctx = n_ctx, c.n_batch = n_batch, c.kv_type = type;
    if (allm__session_create(m, &c, &s, &err)) fail_msg("%s", err.message);
    return s;
}

static void state_eval(allm_session *s, const int32_t *ids, size_t n) {
    allm_error err = {0};
    if (allm__session_eval(s, ids, n, 0, NULL, NULL, &err)) fail_msg("%s: %s", s->m->arch->name, err.message);
}

static const int32_t *state_ids(void) {
    static int32_t ids[STATE_LONG + 100];
    for (int i = 0; i < (int)ALLM__COUNT(ids); i++) ids[i] = (i * 29 + i / 7 * 5 + 3) % STATE_VOCAB;
    return ids;
}

typedef struct state_bytes {
    uint8_t *p; /* malloc */
    size_t   n;
} state_bytes;

static state_bytes state_save(const allm_session *s) {
    state_bytes b;
    size_t      n;
    allm_error  err = {0};
    if (allm__session_save(s, NULL, 0, &b.n, &err)) fail_msg("%s: %s", s->m->arch->name, err.message);
    b.p = (uint8_t *)malloc(b.n);
    assert_int_equal(allm__session_save(s, b.p, b.n, &n, &err), ALLM_OK);
    assert_int_equal(n, b.n);
    return b;
}

static void state_load(allm_session *s, const state_bytes *b) {
    allm_error err = {0};
    if (allm__session_load(s, b->p, b->n, &err)) fail_msg("%s: %s", s->m->arch->name, err.message);
}

/* The same logits now, and after each of some more tokens. */
static void state_same(allm_session *a, allm_session *b, const int32_t *ids, int n, const char *what) {
    const size_t n_row = (size_t)a->m->hp.n_vocab * sizeof(float);
    assert_int_equal(allm__session_length(a), allm__session_length(b));
    for (int i = 0; i <= n; i++) {
        const float *x = allm__session_logits(a, 0), *y = allm__session_logits(b, 0);
        if (!x || !y || memcmp(x, y, n_row)) fail_msg("%s: %s: other bits after %d tokens", a->m->arch->name, what, i);
        if (i < n) state_eval(a, ids + i, 1), state_eval(b, ids + i, 1);
    }
}

/* ---- copies and states */

static void state_round(const allm__arch *arch, allm_kv_type type, int32_t n_text) {
    const int32_t *ids = state_ids();
    state_setup    t;
    allm_error     err = {0};
    make_model     p = state_model(arch->name, arch->may, 4);
    allm_session  *fork = NULL;
    p.type = ALLM__Q8_0;
    state_begin(&t, &p, 2, 0);
    allm_session *s = state_session(t.m, 400, 20, type), *other = state_session(t.m, 500, 7, type);
    allm_session *wide = state_session(t.m, 450, 450, type); /* no rings */
    state_eval(s, ids, (size_t)n_text);
    state_bytes saved = state_save(s), again;
    assert_int_equal(allm__session_fork(s, &fork, &err), ALLM_OK);
    state_eval(other, ids + 5, 70); /* it may hold anything before */
    state_load(other, &saved);
    state_load(wide, &saved);
    assert_memory_equal(other->history, ids, (size_t)n_text * sizeof *ids);
    again = state_save(fork);
    assert_true(again.n == saved.n && !memcmp(again.p, saved.p, saved.n)); /* of a copy: the same bytes */
    free(again.p);
    state_same(s, other, ids + n_text, STATE_MORE, "a state");
    assert_int_equal(allm__session_length(fork), n_text); /* they share nothing */
    state_same(fork, wide, ids + n_text, STATE_MORE, "a copy, a state without rings");
    again = state_save(wide); /* which goes on from a state that was a ring's */
    state_load(s, &again);
    state_same(s, wide, ids + n_text + STATE_MORE, STATE_MORE, "a state of a state");
    free(again.p), free(saved.p);
    allm__session_destroy(s), allm__session_destroy(other), allm__session_destroy(wide), allm__session_destroy(fork);
    state_end(&t);
}

static void test_state_families(void **state) {
    int n = 0;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__archs); i++) {
        if (allm__archs[i].flags & ALLM__A_ENCODER) continue;
        state_round(&allm__archs[i], (allm_kv_type)(i % 6), i % 3 ? 75 : STATE_LONG);
        n++;
    }
    printf("             %d families: the same bits after a copy, after a state\n", n);
}

/* Every type of cache; a full block, one token, none. */
static void test_state_sizes(void **state) {
    static const int32_t     sizes[] = {0, 1, 63, 64, 65, 128, STATE_LONG};
    static const char *const archs[] = {"llama", "gemma3", "deepseek2", "falcon-h1", "recurrent_gemma"};
    const int32_t           *ids = state_ids();
    (void)state;
    for (size_t a = 0; a < ALLM__COUNT(archs); a++) {
        make_model  p = state_model(archs[a], 0, 2);
        state_setup t;
        state_begin(&t, &p, 1, 0);
        for (int type = ALLM_KV_F32; type <= ALLM_KV_Q4_0; type++)
            for (size_t i = 0; i < ALLM__COUNT(sizes); i++) {
                allm_session *s = state_session(t.m, 400, 16, (allm_kv_type)type);
                allm_session *other = state_session(t.m, 400, 33, (allm_kv_type)type);
                if (sizes[i]) state_eval(s, ids, (size_t)sizes[i]);
                else assert_null(allm__session_logits(s, 0));
                state_bytes b = state_save(s);
                state_load(other, &b);
                if (!sizes[i]) {
                    assert_null(allm__session_logits(other, 0));
                    state_eval(s, ids, 1), state_eval(other, ids, 1);
                }
                state_same(s, other, ids + sizes[i] + !sizes[i], 3, "a state");
                free(b.p);
                allm__session_destroy(s), allm__session_destroy(other);
            }
        state_end(&t);
    }
}

/* The next 100 logits on trained weights; logits of all tokens come down to the last one's. */
static void test_state_tiny(void **state) {
    fwd_real      r;
    allm_session *fork = NULL;
    allm_error    err = {0};
    int32_t       ids[200];
    (void)state;
    if (access("tests/data/tiny.gguf", R_OK))
        test_skip("no tests/data/tiny.gguf: not started from the top of the repository");
    for (int32_t i = 0; i < 200; i++) ids[i] = (i * 91 + 49) % 512;
    fwd_real_open(&r, "tests/data/tiny.gguf", 0);
    allm_session *other = state_session(r.m, 300, 0, ALLM_KV_DEFAULT);
    fwd_real_eval(&r, ids, 90);
    state_bytes b = state_save(r.s);
    state_load(other, &b);
    assert_int_equal(allm__session_fork(r.s, &fork, &err), ALLM_OK);
    assert_memory_equal(allm__session_logits(other, 0), allm__session_logits(r.s, 89), 512 * sizeof(float));
    state_eval(r.s, ids + 90, 1), state_eval(other, ids + 90, 1);
    state_same(r.s, other, ids + 91, 100, "a state");
    state_eval(fork, ids + 90, 101);
    assert_memory_equal(allm__session_logits(fork, 0), allm__session_logits(other, 0), 512 * sizeof(float));
    printf("             %zu bytes for 90 tokens\n", b.n);
    free(b.p);
    allm__session_destroy(other), allm__session_destroy(fork);
    fwd_real_close(&r);
}

/* What a window needs is there after a state, not more; a text that a cancel has spoilt is saved as ids. */
static int state_stop_late(void *ctx, size_t n_done, size_t n) { (void)n; return n_done >= *(size_t *)ctx; }

static void test_state_windows(void **state) {
    const int32_t *ids = state_ids();
    make_model     p = state_model("gemma3", 0, 3);
    state_setup    t;
    allm_error     err = {0};
    size_t         stop = 200;
    (void)state;
    make_model_set(&p, "attention.sliding_window", 'u', 100);
    state_begin(&t, &p, 2, 0);
    allm_session *ring = state_session(t.m, 400, 16, ALLM_KV_DEFAULT), *wide = state_session(t.m, 400, 400, 0);
    allm_session *fresh = state_session(t.m, 400, 400, 0), *fork = NULL;
    state_eval(ring, ids, 320);
    state_bytes b = state_save(ring);
    state_load(wide, &b);
    free(b.p);
    assert_int_equal(allm__session_truncate(ring, 300, &err), ALLM_OK); /* within the ring */
    assert_int_equal(allm__session_truncate(wide, 300, &err), ALLM_OK);
    state_eval(ring, ids + 300, 1), state_eval(wide, ids + 300, 1), state_eval(fresh, ids, 306);
    state_same(ring, wide, ids + 301, 5, "cut back");
    state_same(ring, fresh, ids + 306, 3, "cut back");
    assert_int_equal(allm__session_truncate(wide, 110, &err), ALLM_E_UNSUPPORTED); /* not there, though it has room */
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__session_truncate(wide, 0, &err), ALLM_OK);
    state_eval(wide, ids, 200);
    assert_int_equal(allm__session_truncate(wide, 110, &err), ALLM_OK);
    assert_int_equal(allm__session_truncate(ring, 0, &err), ALLM_OK);
    state_eval(ring, ids, 110);
    assert_int_equal(allm__session_eval(ring, ids + 110, 280, 0, state_stop_late, &stop, &err), ALLM_E_CANCELLED);
    assert_true(ring->is_long < 0);
    memset(&err, 0, sizeof err);
    b = state_save(ring);
    assert_int_equal(allm__session_fork(ring, &fork, &err), ALLM_OK);
    assert_true(b.n < 110 * 4 + 200);
    state_load(fresh, &b);
    free(b.p);
    for (int i = 0; i < 4; i++) state_eval(i == 0 ? ring : i == 1 ? wide : i == 2 ? fresh : fork, ids + 110, 1);
    state_same(ring, fresh, ids + 111, 3, "of ids");
    state_same(fork, wide, ids + 111, 3, "of ids, a copy");
    allm__session_destroy(ring), allm__session_destroy(wide), allm__session_destroy(fresh);
    allm__session_destroy(fork);
    state_end(&t);
}

/* ---- damage */

static allm_status state_try(allm_session *s, const uint8_t *p, size_t n, allm_error *err) {
    test_guard g = test_guard_new(n); /* reading one byte too far is a crash */
    memset(err, 0, sizeof *err);
    if (n) memcpy(g.ptr, p, n);
    allm_status status = allm__session_load(s, g.ptr, n, err);
    test_guard_free(&g);
    return status;
}

/* Every byte changed in two ways, cut at every length: an error, and the session is as before. */
static void test_state_damage(void **state) {
    static const char *const archs[] = {"llama", "mamba"};
    const int32_t           *ids = state_ids();
    (void)state;
    for (size_t a = 0; a < ALLM__COUNT(archs); a++) {
        make_model  p = state_model(archs[a], 0, 1);
        state_setup t;
        allm_error  err;
        p.n_head = 4, p.n_head_kv = 1;
        state_begin(&t, &p, 1, 0);
        allm_session *s = state_session(t.m, 70, 0, 0), *other = state_session(t.m, 70, 0, 0);
        state_eval(s, ids, 5), state_eval(other, ids + 9, 3);
        state_bytes b = state_save(s), was = state_save(other);
        for (size_t i = 0; i < b.n; i++)
            for (int how = 0; how < 2; how++) {
                const uint8_t old = b.p[i];
                b.p[i] = how ? (uint8_t)~old : (uint8_t)(old ^ 1 << i % 8);
                if (allm__session_load(other, b.p, b.n, &err) == ALLM_OK) fail_msg("byte %zu of %zu", i, b.n);
                b.p[i] = old, memset(&err, 0, sizeof err);
            }
        for (size_t n = 0; n < b.n; n++)
            if (state_try(other, b.p, n, &err) == ALLM_OK) fail_msg("%zu bytes of %zu", n, b.n);
        uint8_t *longer = (uint8_t *)calloc(b.n + 1, 1);
        memcpy(longer, b.p, b.n);
        assert_int_equal(state_try(other, longer, b.n + 1, &err), ALLM_E_FORMAT);
        state_bytes now = state_save(other);
        assert_true(now.n == was.n && !memcmp(now.p, was.p, was.n));
        printf("             %s: %zu bytes, all changed and cut\n", archs[a], b.n);
        free(b.p), free(was.p), free(now.p), free(longer);
        allm__session_destroy(s), allm__session_destroy(other);
        state_end(&t);
    }
}

/* The same by somebody who puts the checksum right: nothing worse than an error, or other numbers. */
static void test_state_forged(void **state) {
    static const char *const archs[] = {"gemma3", "mamba"};
    const int32_t           *ids = state_ids();
    const size_t             rest = offsetof(allm__state_head, model);
    (void)state;
    for (size_t a = 0; a < ALLM__COUNT(archs); a++) {
        make_model  p = state_model(archs[a], 0, 1);
        state_setup t;
        allm_error  err;
        int         n_taken = 0;
        p.n_head_kv = 1;
        state_begin(&t, &p, 1, 0);
        allm_session *s = state_session(t.m, 300, 8, 0);
        state_eval(s, ids, 150);
        state_bytes b = state_save(s);
        for (size_t i = rest; i < ALLM__MIN(b.n, 2000); i++)
            for (int how = 0; how < 3; how++) {
                const uint8_t old = b.p[i];
                b.p[i] = how == 0 ? (uint8_t)(old ^ 0x80) : how == 1 ? (uint8_t)(old + 1) : 0xff;
                const uint64_t sum = allm__state_sum(0, b.p + rest, b.n - rest);
                memcpy(b.p + offsetof(allm__state_head, sum), &sum, sizeof sum);
                if (state_try(s, b.p, b.n, &err) == ALLM_OK) state_eval(s, ids, 1), n_taken++;
                b.p[i] = old;
            }
        for (size_t n = sizeof(allm__state_head); n < b.n; n += 1 + n / 50) { /* shorter, and it says so */
            const uint64_t n_bytes = n, sum = allm__state_sum(0, b.p + rest, n - rest);
            memcpy(b.p + offsetof(allm__state_head, sum), &sum, sizeof sum);
            memcpy(b.p + offsetof(allm__state_head, n_bytes), &n_bytes, sizeof n_bytes);
            if (state_try(s, b.p, n, &err) == ALLM_OK) fail_msg("%zu bytes of %zu", n, b.n);
        }
        assert_true(n_taken > 100); /* weights and ids that could be */
        free(b.p);
        allm__session_destroy(s);
        state_end(&t);
    }
}

/* A state of something else says of what. */
static void test_state_others(void **state) {
    static const struct { const char *arch; uint64_t seed; int reference; int32_t n_ctx; allm_kv_type type;
                          allm_status status; const char *words; } rows[] = {
        {"llama", 1, 0, 200, ALLM_KV_BF16, ALLM_OK, ""},
        {"llama", 1, 0, 100, ALLM_KV_BF16, ALLM_OK, ""},
        {"llama", 2, 0, 200, ALLM_KV_BF16, ALLM_E_ARGUMENT, "session state: of another model"},
        {"qwen2", 1, 0, 200, ALLM_KV_BF16, ALLM_E_ARGUMENT, "of another model"},
        {"llama", 1, 1, 200, ALLM_KV_BF16, ALLM_E_ARGUMENT, "of another model or adapter, or of the default path"},
        {"llama", 1, 0, 200, ALLM_KV_F16, ALLM_E_ARGUMENT, "its cache is of type bf16 in blocks of 64, the session's "
                                                           "f16, 64"},
        {"llama", 1, 0, 99, ALLM_KV_BF16, ALLM_E_CONTEXT, "100 tokens do not fit a context of 99"},
    };
    const int32_t *ids = state_ids();
    make_model     p = state_model("llama", 0, 2);
    state_setup    t, o;
    (void)state;
    state_begin(&t, &p, 1, 0);
    allm_session *s = state_session(t.m, 200, 0, ALLM_KV_BF16);
    state_eval(s, ids, 100);
    state_bytes b = state_save(s);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) { /* of another file with the same content, too */
        make_model q = state_model(rows[i].arch, 0, 2);
        allm_error err = {0};
        q.seed = rows[i].seed;
        state_begin(&o, &q, 3, rows[i].reference);
        allm_session *other = state_session(o.m, rows[i].n_ctx, 0, rows[i].type);
        assert_int_equal(allm__session_load(other, b.p, b.n, &err), rows[i].status);
        if (!strstr(err.message, rows[i].words)) fail_msg("\"%s\": \"%s\" expected", err.message, rows[i].words);
        allm__session_destroy(other);
        state_end(&o);
    }
    free(b.p);
    allm__session_destroy(s);
    state_end(&t);
    make_model_set(&p, "rope.scaling.type", 's', 0); /* dynamic: keys depend on the context */
    p.keys[p.n_keys - 1].text = "dynamic";
    make_model_set(&p, "rope.scaling.factor", 'f', 2);
    allm_error err = {0};
    state_setup d;
    d.w = make_model_file(&p);
    test_engine_init(&d.e, 1, NULL);
    if (test_engine_open(&d.e, &d.w, 0, &d.m, &err) == ALLM_OK && allm__kv_dynamic(d.m)) {
        s = state_session(d.m, 200, 0, 0);
        allm_session *other = state_session(d.m, 201, 0, 0);
        state_eval(s, ids, 5);
        b = state_save(s);
        assert_int_equal(allm__session_load(other, b.p, b.n, &err), ALLM_E_ARGUMENT);
        assert_non_null(strstr(err.message, "of a context of 200 tokens, the session has 201"));
        free(b.p);
        allm__session_destroy(s), allm__session_destroy(other);
    }
    state_end(&d);
}

/* ---- the shift */

typedef struct state_error { /* of keys, or logits */
    double square, all;
} state_error;

static void state_compare(const float *a, const float *b, size_t n, state_error *e) {
    for (size_t i = 0; i < n; i++) {
        e->square += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        e->all += (double)b[i] * (double)b[i];
    }
}

/* Keys of layer 0, which know of nothing but their token: those in sight of the next one. Values: the same. */
static void state_compare_keys(const allm_session *a, const allm_session *b, state_error *e) {
    const allm__layer *l = &a->m->layers[0];
    float              x[64], y[64];
    for (int64_t h = 0; h < l->n_head_kv; h++)
        for (int64_t pos = allm__attend_first(a->length, l->window); pos < a->length; pos++) {
            const char   *at = allm__state_block(&a->kv[0], h, pos), *bt = allm__state_block(&b->kv[0], h, pos);
            const int32_t i = (int32_t)(pos % ALLM__KEYS), n = (int32_t)l->head_dim, n_v = (int32_t)l->head_dim_v;
            allm__attend_k_load(x, n, at, i, a->type), allm__attend_k_load(y, n, bt, i, b->type);
            state_compare(x, y, (size_t)n, e);
            allm__attend_v_load(x, n_v, at + a->kv[0].n_k, i, a->type);
            allm__attend_v_load(y, n_v, bt + b->kv[0].n_k, i, b->type);
            assert_memory_equal(x, y, (size_t)n_v * sizeof *x);
        }
}

/* Bounds as the contract has them: of keys, by type of cache. Both sides are rounded, one of them twice: of bf16 up to
 * three times 2^-9. */
static const double state_bounds[] = {4e-5, 1e-12, 1e-6, 4e-5, 4e-4, 5e-2};

/* A model of one layer, where keys and values depend on their tokens alone: after a shift it is nearly as if the tokens
 * had never been. Returns the NMSE of keys; *logits that of logits. */
static double state_shift(const allm__arch *arch, allm_kv_type type, int32_t n, int32_t keep, int32_t discard,
                          int32_t n_batch, double *logits) {
    const int32_t *ids = state_ids();
    make_model     p = state_model(arch->name, arch->may & ~(uint64_t)ALLM__T_FACTORS, 1);
    state_setup    t;
    allm_error     err = {0};
    state_error    keys = {0, 1e-30}, rows = {0, 1e-30};
    int32_t        left[STATE_LONG];
    state_begin(&t, &p, 2, 0);
    allm_session *s = state_session(t.m, 400, n_batch, type), *fresh = state_session(t.m, 400, 64, type);
    memcpy(left, ids, (size_t)keep * sizeof *ids);
    memcpy(left + keep, ids + keep + discard, (size_t)(n - keep - discard) * sizeof *ids);
    state_eval(s, ids, (size_t)n);
    if (allm__session_shift(s, (size_t)keep, (size_t)discard, &err)) fail_msg("%s: %s", arch->name, err.message);
    assert_int_equal(allm__session_length(s), n - discard);
    assert_memory_equal(s->history, left, (size_t)(n - discard) * sizeof *left);
    if (n > discard) state_eval(fresh, left, (size_t)(n - discard));
    const int remade = s->is_long < 0;
    if (!remade) state_compare_keys(s, fresh, &keys);
    for (int i = 0; i < 5; i++) {
        state_eval(s, ids + n + i, 1), state_eval(fresh, ids + n + i, 1);
        state_compare(allm__session_logits(s, 0), allm__session_logits(fresh, 0), STATE_VOCAB, &rows);
    }
    if (remade && rows.square > 0) fail_msg("%s: not the same bits, though all was evaluated again", arch->name);
    *logits = t.m->layers[0].experts ? 0 : rows.square / rows.all; /* rounding may choose other experts */
    const double bound = state_bounds[s->type];
    if (!(keys.square / keys.all < bound) || !(*logits < 20 * bound))
        fail_msg("%s, type %d, %d tokens, keep %d, discard %d, batch %d: NMSE %g of keys, %g of logits", arch->name,
                 (int)s->type, (int)n, (int)keep, (int)discard, (int)n_batch, keys.square / keys.all, *logits);
    allm__session_destroy(s), allm__session_destroy(fresh);
    state_end(&t);
    return keys.square / keys.all;
}

static int state_shifts(const allm__arch *a) {
    return a->mixer <= ALLM__MIX_MLA && !(a->flags & ALLM__A_ENCODER) && !(a->need & ALLM__T_POSITIONS);
}

static void test_state_shift(void **state) {
    static const int32_t ways[][4] = { /* tokens, keep, discard, batch */
        {100, 4, 40, 16}, {STATE_LONG, 0, 1, 8}, {STATE_LONG, 10, 200, 16}, {STATE_LONG, 64, 64, 30},
        {STATE_LONG, 300, 20, 16}, {200, 0, 199, 16}, {200, 0, 200, 16}, {200, 150, 50, 16}, {200, 3, 129, 1},
    };
    static const char *const names[] = {"", "f32", "f16", "bf16", "q8_0", "q4_0"};
    double                   worst[2][6] = {{0}};
    int                      n = 0, i_way = 0;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__archs); i++) {
        if (!state_shifts(&allm__archs[i])) continue;
        for (int type = ALLM_KV_F32; type <= ALLM_KV_Q4_0; type++) {
            const int32_t *w = ways[i_way++ % (int)ALLM__COUNT(ways)];
            double         logits, keys = state_shift(&allm__archs[i], (allm_kv_type)type, w[0], w[1], w[2], w[3],
                                                      &logits);
            worst[0][type] = ALLM__MAX(worst[0][type], keys), worst[1][type] = ALLM__MAX(worst[1][type], logits);
        }
        n++;
    }
    printf("             %d families; worst NMSE of keys, of logits:\n", n);
    for (int type = ALLM_KV_F32; type <= ALLM_KV_Q4_0; type++)
        printf("             %-5s %.1e  %.1e\n", names[type], worst[0][type], worst[1][type]);
    for (size_t k = 0; k < ALLM__COUNT(allm__archs); k++) /* windows: all ways */
        if (allm__archs[k].swa && state_shifts(&allm__archs[k]))
            for (size_t w = 0; w < ALLM__COUNT(ways); w++) {
                double logits;
                state_shift(&allm__archs[k], ALLM_KV_BF16, ways[w][0], ways[w][1], ways[w][2], ways[w][3], &logits);
            }
}

/* After a shift the session is as any other: cut back, saved, copied, shifted again. */
static void test_state_shift_goes_on(void **state) {
    static const char *const archs[] = {"llama", "gemma3", "cohere2", "phi3"};
    const int32_t           *ids = state_ids();
    (void)state;
    for (size_t a = 0; a < ALLM__COUNT(archs); a++) {
        make_model  p = state_model(archs[a], 0, 3);
        state_setup t;
        allm_error  err = {0};
        make_model_set(&p, "attention.sliding_window", 'u', 40);
        if (a == 0) p.n_keys = 0;
        state_begin(&t, &p, 2, 0);
        allm_session *s = state_session(t.m, 400, 16, 0), *other = state_session(t.m, 400, 400, 0), *fork = NULL;
        state_eval(s, ids, 300);
        assert_int_equal(allm__session_shift(s, 4, 100, &err), ALLM_OK);
        state_eval(s, ids + 300, 1);
        assert_int_equal(allm__session_fork(s, &fork, &err), ALLM_OK);
        state_bytes b = state_save(s);
        state_load(other, &b);
        free(b.p);
        state_same(s, other, ids + 301, 80, "a state of a shifted one");
        state_same(s, other, ids, 0, "");
        state_eval(fork, ids + 301, 80);
        state_same(s, fork, ids + 30, 3, "a copy of a shifted one");
        state_eval(other, ids + 30, 3);
        assert_int_equal(allm__session_shift(s, 8, 150, &err), ALLM_OK);
        assert_int_equal(allm__session_shift(other, 8, 150, &err), ALLM_OK);
        assert_int_equal(allm__session_shift(fork, 8, 100, &err), ALLM_OK);
        assert_int_equal(allm__session_shift(fork, 8, 50, &err), ALLM_OK);
        for (int i = 0; i < 3; i++) state_eval(i == 0 ? s : i == 1 ? other : fork, ids + 50, 1);
        state_same(s, other, ids + 51, 5, "shifted again"); /* in rings and without */
        assert_int_equal(allm__session_shift(s, 0, 0, &err), ALLM_OK);
        state_same(s, other, ids + 56, 1, "shifted by nothing");
        assert_int_equal(allm__session_truncate(s, allm__session_length(s) - 1, &err), ALLM_OK);
        state_eval(s, ids + 56, 1);
        state_same(s, other, ids + 57, 1, "cut back");
        assert_int_equal(allm__session_shift(s, 10, allm__session_length(s) - 9, &err), ALLM_E_ARGUMENT);
        assert_non_null(strstr(err.message, "session: 10 tokens to keep and "));
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__session_shift(s, SIZE_MAX, SIZE_MAX, &err), ALLM_E_ARGUMENT);
        allm__session_destroy(s), allm__session_destroy(other), allm__session_destroy(fork);
        state_end(&t);
    }
}

/* Families whose state or keys cannot be moved say so by name; nothing changes. */
static void test_state_shift_refused(void **state) {
    const int32_t *ids = state_ids();
    int            n = 0;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__archs); i++) {
        const allm__arch *a = &allm__archs[i];
        state_setup       t;
        allm_error        err = {0};
        size_t            n_bytes;
        if (state_shifts(a)) continue;
        make_model p = state_model(a->name, a->may, 2);
        state_begin(&t, &p, 1, 0);
        allm_session *s = state_session(t.m, 100, 16, 0);
        if (!(a->flags & ALLM__A_ENCODER)) state_eval(s, ids, 20);
        const size_t length = allm__session_length(s);
        assert_int_equal(allm__session_shift(s, 0, length / 2, &err), ALLM_E_UNSUPPORTED);
        if (!strstr(err.message, a->name)) fail_msg("%s: \"%s\"", a->name, err.message);
        assert_int_equal(allm__session_length(s), length);
        if (a->flags & ALLM__A_ENCODER) {
            memset(&err, 0, sizeof err);
            assert_int_equal(allm__session_save(s, NULL, 0, &n_bytes, &err), ALLM_E_UNSUPPORTED);
            memset(&err, 0, sizeof err);
            assert_int_equal(allm__session_load(s, ids, 100, &err), ALLM_E_UNSUPPORTED);
        }
        allm__session_destroy(s);
        state_end(&t);
        n++;
    }
    assert_true(n >= 12);
}

/* ---- bad calls */

typedef struct state_reenter {
    allm_session *s;
    allm_status   status[7];
    uint8_t       bytes[100];
    int           n;
} state_reenter;

static void state_reenter_loop(void *ctx, int32_t n_parts, allm_task task, void *arg) {
    state_reenter *r = (state_reenter *)ctx;
    const int32_t  id = 1;
    size_t         n;
    allm_session  *out;
    if (r->s && !r->n++) {
        allm_error err;
        r->status[0] = allm_session_eval(r->s, &id, 1, 0, &err);
        r->status[1] = allm_session_truncate(r->s, 0, &err);
        r->status[2] = allm_session_fork(r->s, &out, &err);
        r->status[3] = allm_session_shift(r->s, 0, 0, &err);
        r->status[4] = allm_session_save(r->s, NULL, 0, &n, &err);
        r->status[5] = allm_session_load(r->s, r->bytes, 100, &err);
        r->status[6] = allm_session_eval_many(&r->s, &id, 1, &err);
    }
    for (int32_t i = 0; i < n_parts; i++) task(arg, i, n_parts);
}

static void test_state_busy(void **state) {
    const int32_t *ids = state_ids();
    make_model     p = state_model("llama", 0, 1);
    state_setup    t;
    state_reenter  r = {0};
    (void)state;
    state_begin(&t, &p, 2, 0);
    t.e.pool.parallel_for = state_reenter_loop, t.e.pool.parallel_ctx = &r;
    allm_session *s = state_session(t.m, 100, 16, 0);
    r.s = s;
    state_eval(s, ids, 20);
    for (size_t i = 0; i < ALLM__COUNT(r.status) && t.e.pool.n_threads > 1; i++)
        assert_int_equal(r.status[i], ALLM_E_BUSY);
    assert_int_equal(allm__session_length(s), 20);
    allm__session_destroy(s);
    state_end(&t);
}

/* A buffer of the right size, of one byte less; a session in a caller's buffer is copied to the model's memory. */
static void test_state_buffers(void **state) {
    const int32_t *ids = state_ids();
    make_model     p = state_model("gemma2", 0, 2);
    state_setup    t;
    allm_error     err = {0};
    size_t         n = 0;
    (void)state;
    state_begin(&t, &p, 1, 0);
    allm_session *s = state_session(t.m, 200, 16, 0);
    state_eval(s, ids, 90);
    state_bytes b = state_save(s);
    test_guard  g = test_guard_new(b.n);
    assert_int_equal(allm__session_save(s, g.ptr, b.n, &n, &err), ALLM_OK);
    assert_memory_equal(g.ptr, b.p, b.n);
    memset(g.ptr, 0x5c, b.n);
    assert_int_equal(allm__session_save(s, g.ptr, b.n - 1, &n, &err), ALLM_E_ARGUMENT);
    assert_non_null(strstr(err.message, "the state has "));
    assert_int_equal(n, b.n);
    for (size_t i = 0; i < b.n; i++) assert_int_equal(((uint8_t *)g.ptr)[i], 0x5c);
    test_guard_free(&g);
    int64_t       calls = t.e.heap.n_calls;
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__session_load(s, b.p, b.n, &err), ALLM_OK);
    assert_int_equal(allm__session_shift(s, 3, 10, &err), ALLM_OK);
    assert_int_equal(t.e.heap.n_calls, calls); /* none of these allocates */
    allm_session *fork = NULL;
    for (int sticky = 0; sticky < 2; sticky++) {
        t.e.heap.fail_at = t.e.heap.n_calls + 1, t.e.heap.sticky = sticky;
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__session_fork(s, &fork, &err), ALLM_E_MEMORY);
        assert_null(fork);
        t.e.heap.fail_at = 0;
    }
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__session_fork(s, &fork, &err), ALLM_OK);
    assert_int_equal(t.e.heap.n_calls, calls + 3);
    state_eval(s, ids, 1), state_eval(fork, ids, 1);
    state_same(s, fork, ids + 1, 2, "a copy");
    free(b.p);
    allm__session_destroy(s), allm__session_destroy(fork);
    state_end(&t);
}

/* Stored, loaded and stored again: the same bytes, of every type. */
static void test_state_rows(void **state) {
    (void)state;
    for (int type = ALLM_KV_F32; type <= ALLM_KV_Q4_0; type++)
        for (int32_t dim = 2; dim <= 130; dim += 16 - dim % 3) {
            const allm_kv_type kv = (allm_kv_type)type;
            const size_t n_k = allm__attend_k_bytes(dim, kv), n_v = allm__attend_v_bytes(dim, kv);
            const allm__kern *kern = allm__kern_find(NULL);
            uint8_t *a = (uint8_t *)calloc(n_k + n_v, 2), *b = a + n_k + n_v;
            float    x[130], y[130];
            for (int32_t i = 0; i < 64; i++) {
                for (int32_t e = 0; e < dim; e++)
                    x[e] = ((float)test_random_below(1 << 20) / (1 << 19) - 1) * (i % 5 ? 1 : 1e-3f) * (e % 7 ? 1 : 9);
                kern->k_store(x, dim, a, i, kv), kern->v_store(x, dim, a + n_k, i, kv);
                allm__attend_k_load(y, dim, a, i, kv), kern->k_store(y, dim, b, i, kv);
                for (int32_t e = 0; e < dim; e++) assert_true(fabsf(x[e] - y[e]) <= 1.3f * (i % 5 ? 1 : 1e-3f));
                allm__attend_v_load(y, dim, a + n_k, i, kv), kern->v_store(y, dim, b + n_k, i, kv);
                for (int32_t e = 0; e < dim; e++) assert_true(fabsf(x[e] - y[e]) <= 1.3f * (i % 5 ? 1 : 1e-3f));
            }
            assert_memory_equal(a, b, n_k + n_v);
            free(a);
        }
}

static const struct CMUnitTest test_state[] = {
    cmocka_unit_test(test_state_rows),
    cmocka_unit_test(test_state_families),
    cmocka_unit_test(test_state_sizes),
    cmocka_unit_test(test_state_tiny),
    cmocka_unit_test(test_state_windows),
    cmocka_unit_test(test_state_damage),
    cmocka_unit_test(test_state_forged),
    cmocka_unit_test(test_state_others),
    cmocka_unit_test(test_state_shift),
    cmocka_unit_test(test_state_shift_goes_on),
    cmocka_unit_test(test_state_shift_refused),
    cmocka_unit_test(test_state_busy),
    cmocka_unit_test(test_state_buffers),
};
