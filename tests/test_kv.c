/* Room kv: the shape and memory of a session, the caller's buffer, truncation. FAULTS row 32. */
#include "make_model.h"

typedef struct kv_setup { /* a small model, opened */
    test_engine e;
    make_gguf   w;
    allm_model *m;
} kv_setup;

static void kv_begin(kv_setup *k, int reference) {
    allm_error err;
    make_model p = make_model_new("llama");
    test_engine_init(&k->e, 1, NULL);
    k->w = make_model_file(&p);
    assert_int_equal(test_engine_open(&k->e, &k->w, reference, &k->m, &err), ALLM_OK);
}

static void kv_end(kv_setup *k) {
    allm__model_release(k->m);
    test_engine_free(&k->e);
    make_gguf_free(&k->w);
}

static void test_kv_shape(void **state) {
    static const struct {
        int32_t n_ctx, n_batch, type;
        allm_status status;
        int32_t ctx, batch;
        const char *words;
    } rows[] = {
        {0, 0, 0, ALLM_OK, 64, 64, ""}, /* the model's own context */
        {100, 0, 0, ALLM_OK, 100, 100, ""},
        {1000, 0, ALLM_KV_BF16, ALLM_OK, 1000, 256, ""},
        {7, 3, ALLM_KV_F32, ALLM_OK, 7, 3, ""},
        {1, 100, 0, ALLM_OK, 1, 1, ""},
        {-1, 0, 0, ALLM_E_ARGUMENT, 0, 0, "n_ctx is -1, expected 0..16777216"},
        {INT32_MAX, 0, 0, ALLM_E_ARGUMENT, 0, 0, "n_ctx is 2147483647"},
        {0, -5, 0, ALLM_E_ARGUMENT, 0, 0, "n_batch is -5"},
        {0, INT32_MAX, 0, ALLM_E_ARGUMENT, 0, 0, "n_batch is 2147483647"},
        {0, 0, 99, ALLM_E_ARGUMENT, 0, 0, "kv_type is 99"},
        {0, 0, ALLM_KV_Q8_0, ALLM_OK, 64, 64, ""},
        {0, 0, ALLM_KV_Q4_0, ALLM_OK, 64, 64, ""},
    };
    (void)state;
    for (int reference = 0; reference < 2; reference++) {
        kv_setup k;
        kv_begin(&k, reference);
        for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
            allm_error          err = {0};
            allm_session_config cfg = {0};
            allm_session       *s   = NULL;
            cfg.n_ctx = rows[i].n_ctx, cfg.n_batch = rows[i].n_batch;
            memcpy(&cfg.kv_type, &rows[i].type, sizeof cfg.kv_type); /* any number */
            assert_int_equal(allm__session_create(k.m, &cfg, &s, &err), rows[i].status);
            if (!strstr(err.message, rows[i].words)) fail_msg("\"%s\": \"%s\" expected", err.message, rows[i].words);
            if (!s) continue;
            assert_true(s->n_ctx == rows[i].ctx && s->n_batch == rows[i].batch);
            assert_int_equal(s->type, rows[i].type ? rows[i].type : reference ? ALLM_KV_F32 : ALLM_KV_BF16);
            assert_int_equal(allm__session_length(s), 0);
            assert_null(allm__session_logits(s, 0));
            allm__session_destroy(s);
        }
        kv_end(&k);
    }
}

/* In the caller's buffer of exactly the planned size nothing is allocated and nothing is written outside. */
static void test_kv_buffer(void **state) {
    kv_setup             k;
    static const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6};
    float                own[96];
    (void)state;
    kv_begin(&k, 0);
    allm_error          err = {0};
    allm_session_config cfg = {0};
    allm__kv_shape      shape;
    allm_session       *s = NULL;
    size_t              n_kv = 0, n_scratch = 0;
    cfg.n_ctx = 20, cfg.n_batch = 5;
    assert_int_equal(
        allm__kv_shape_of(k.m, &cfg, &shape, &err) || allm__session_bytes(k.m, &shape, &n_kv, &n_scratch, &err), 0);
    assert_int_equal(allm__session_create(k.m, &cfg, &s, &err), ALLM_OK);
    assert_int_equal(allm__session_eval(s, ids, 8, 0, NULL, NULL, &err), ALLM_OK);
    memcpy(own, allm__session_logits(s, 0), sizeof own);
    allm__session_destroy(s);
    size_t n = n_kv + n_scratch;
    char  *mem = (char *)malloc(n + 192), *base = mem + 64;
    base += (64 - (uintptr_t)base % 64) % 64;
    memset(mem, 0x5c, n + 192);
    cfg.buffer = base, cfg.n_buffer = n;
    int64_t n_calls = k.e.heap.n_calls;
    assert_int_equal(allm__session_create(k.m, &cfg, &s, &err), ALLM_OK);
    assert_int_equal(allm__session_eval(s, ids, 8, 0, NULL, NULL, &err), ALLM_OK);
    assert_memory_equal(own, allm__session_logits(s, 0), sizeof own);
    assert_int_equal(k.e.heap.n_calls, n_calls);
    for (char *p = mem; p < mem + n + 192; p++)
        if (p < base || p >= base + n) assert_int_equal(*p, 0x5c);
    allm__session_destroy(s);
    cfg.n_buffer = n - 1;
    assert_int_equal(allm__session_create(k.m, &cfg, &s, &err), ALLM_E_ARGUMENT);
    assert_non_null(strstr(err.message, "expected"));
    memset(&err, 0, sizeof err);
    cfg.buffer = base + 32, cfg.n_buffer = n;
    assert_int_equal(allm__session_create(k.m, &cfg, &s, &err), ALLM_E_ARGUMENT);
    assert_non_null(strstr(err.message, "not aligned"));
    free(mem);
    kv_end(&k);
}

/* What is kept after a cut is as if the rest had never been. */
static void test_kv_truncate(void **state) {
    kv_setup             k;
    static const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
    float                want[96];
    (void)state;
    for (int reference = 0; reference < 2; reference++) {
        allm_error          err = {0};
        allm_session_config cfg = {0};
        allm_session       *s   = NULL;
        kv_begin(&k, reference);
        assert_int_equal(allm__session_create(k.m, &cfg, &s, &err), ALLM_OK);
        assert_int_equal(allm__session_eval(s, ids, 11, 0, NULL, NULL, &err), ALLM_OK);
        memcpy(want, allm__session_logits(s, 0), sizeof want);
        for (size_t keep = 0; keep <= 10; keep++) {
            static const int32_t other[] = {90, 91, 92, 93};
            assert_int_equal(allm__session_eval(s, other, 4, 0, NULL, NULL, &err), ALLM_OK);
            assert_int_equal(allm__session_truncate(s, keep, &err), ALLM_OK);
            assert_int_equal(allm__session_length(s), keep);
            assert_int_equal(allm__session_eval(s, ids + keep, 11 - keep, 0, NULL, NULL, &err), ALLM_OK);
            assert_memory_equal(want, allm__session_logits(s, 0), sizeof want);
        }
        assert_int_equal(allm__session_truncate(s, 12, &err), ALLM_E_ARGUMENT);
        assert_int_equal(allm__session_length(s), 11);
        allm__session_destroy(s);
        kv_end(&k);
    }
}

/* Logits of the last of n ids, from what is there. */
static void kv_eval(allm_session *s, const int32_t *ids, size_t n, float *out) {
    allm_error err = {0};
    if (allm__session_eval(s, ids, n, 0, NULL, NULL, &err)) fail_msg("%s", err.message);
    memcpy(out, allm__session_logits(s, 0), 96 * sizeof *out);
}

/* A recurrent state is cut back to nothing only; a call that is cancelled leaves it as it was. */
static int kv_stop(void *ctx, size_t n_done, size_t n) { (void)ctx, (void)n_done, (void)n; return 1; }

static void test_kv_recurrent(void **state) {
    static const char *const archs[] = {"mamba", "mamba2", "lfm2", "qwen35", "granitehybrid"};
    static const int32_t     ids[]   = {3, 1, 4, 1, 5, 9, 2, 6};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(archs); i++) {
        allm_session_config cfg = {0};
        allm_session       *s   = NULL;
        allm_error          err = {0};
        test_engine         e;
        allm_model         *m = NULL;
        float               want[96], got[96];
        make_model          p = make_model_new(archs[i]);
        make_gguf           w = make_model_file(&p);
        test_engine_init(&e, 1, NULL);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        cfg.n_batch = 3;
        assert_int_equal(allm__session_create(m, &cfg, &s, &err), ALLM_OK);
        kv_eval(s, ids, 8, want);
        assert_int_equal(allm__session_truncate(s, 5, &err), ALLM_E_UNSUPPORTED);
        assert_non_null(strstr(err.message, "recurrent model cannot be cut back from 8 tokens to 5"));
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__session_truncate(s, 8, &err), ALLM_OK);
        assert_int_equal(allm__session_truncate(s, 0, &err), ALLM_OK);
        kv_eval(s, ids, 3, got);
        assert_int_equal(allm__session_eval(s, ids, 5, 0, kv_stop, NULL, &err), ALLM_E_CANCELLED);
        kv_eval(s, ids + 3, 5, got);
        assert_memory_equal(got, want, sizeof want);
        allm__session_destroy(s);
        allm__model_release(m);
        test_engine_free(&e);
        make_gguf_free(&w);
    }
}

/* longrope: a text that grows over the old context is as if it had been evaluated at once; cut back, too. */
static void test_kv_long_rope(void **state) {
    static const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8};
    allm_session_config  cfg = {0};
    allm_session        *s   = NULL;
    allm_error           err = {0};
    test_engine          e;
    allm_model          *m = NULL;
    float                whole[96], part[96], got[96];
    make_model           p = make_model_new("phi3");
    (void)state;
    p.groups = ALLM__T_FACTORS;
    make_model_set(&p, "rope.scaling.original_context_length", 'u', 8);
    make_gguf w = make_model_file(&p);
    test_engine_init(&e, 1, NULL);
    assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
    cfg.n_batch = 3;
    assert_int_equal(allm__session_create(m, &cfg, &s, &err), ALLM_OK);
    kv_eval(s, ids, 12, whole);
    assert_int_equal(allm__session_truncate(s, 0, &err), ALLM_OK);
    kv_eval(s, ids, 6, part);
    kv_eval(s, ids + 6, 6, got);
    assert_memory_equal(got, whole, sizeof whole);
    assert_int_equal(allm__session_truncate(s, 4, &err), ALLM_OK);
    kv_eval(s, ids + 4, 2, got); /* short again */
    assert_memory_equal(got, part, sizeof part);
    ALLM__STORE(&s->cancel, 1); /* in the middle of bringing the keys over */
    assert_int_equal(allm__session_run(s, ids + 6, 6, 0, 0, NULL, NULL, &err), ALLM_E_CANCELLED);
    kv_eval(s, ids + 6, 6, got);
    assert_memory_equal(got, whole, sizeof whole);
    assert_true(memcmp(whole, part, sizeof part) != 0);
    allm__session_destroy(s);
    allm__model_release(m);
    test_engine_free(&e);
    make_gguf_free(&w);
}

/* A layer with a window has a ring of blocks: the same bits as with room for all keys; one can cut back as far as it
 * reaches; a cancelled call that has overwritten keys costs no more than time; the memory is what the formula says. */
enum { KV_LONG = 700 };

static const int32_t *kv_long_ids(void) {
    static int32_t ids[KV_LONG];
    for (int i = 0; i < KV_LONG; i++) ids[i] = (i * 37 + i / 96) % 96;
    return ids;
}

static int kv_stop_late(void *ctx, size_t n_done, size_t n) { (void)n; return n_done >= *(size_t *)ctx; }

/* The bytes of K and V of all layers: a ring of `blocks` for those with a window, else for all of the context. */
static size_t kv_expected(const allm_model *m, int32_t n_ctx, int32_t n_batch, allm_kv_type type) {
    size_t n = 0, n_blocks = ((size_t)n_ctx + 63) / 64, n_runs = (n_blocks + 7) / 8;
    const size_t all = n_runs * ((n_blocks + n_runs - 1) / n_runs);
    for (int64_t i = 0; i < m->hp.n_layer; i++) {
        const allm__layer *l = &m->layers[i];
        const size_t ring = ((size_t)l->window + (size_t)n_batch + 61) / 64 + 1;
        const size_t of_block = (size_t)l->n_head_kv * (allm__attend_k_bytes((int32_t)l->head_dim, type) +
                                                        allm__attend_v_bytes((int32_t)l->head_dim_v, type));
        if (l->kv_from == i) n += of_block * (l->window && ring < n_blocks ? ring : all);
    }
    return n;
}

static void kv_ring_check(const char *arch, double window, int32_t n_batch, allm_kv_type type, int32_t n_threads) {
    allm_session_config cfg = {0};
    allm_session       *whole = NULL, *s = NULL;
    allm_error          err = {0};
    test_engine         e;
    allm_model         *m = NULL;
    const int32_t      *ids = kv_long_ids();
    static float        want[KV_LONG][96];
    float               got[96];
    make_model          p = make_model_new(arch);
    allm__kv_shape      shape;
    size_t              n_kv, n_scratch, stop = 400;
    p.n_ctx = 1024, p.n_layer = 3;
    make_model_set(&p, "attention.sliding_window", 'u', window);
    make_gguf w = make_model_file(&p);
    test_engine_init(&e, n_threads, NULL);
    if (test_engine_open(&e, &w, 0, &m, &err)) fail_msg("%s", err.message);
    cfg.n_ctx = KV_LONG, cfg.n_batch = KV_LONG, cfg.kv_type = type; /* no ring is smaller than this context */
    assert_int_equal(allm__session_create(m, &cfg, &whole, &err), ALLM_OK);
    for (int i = 0; i < 3; i++) assert_true(whole->kv[i].ld_run > 0);
    for (int i = 0; i < KV_LONG; i += 50) { /* every 50th, and the last */
        if (i) kv_eval(whole, ids + i - 50, 50, want[i]);
    }
    kv_eval(whole, ids + KV_LONG - 50, 50, want[KV_LONG - 1]);
    cfg.n_batch = n_batch;
    assert_int_equal(allm__session_create(m, &cfg, &s, &err), ALLM_OK);
    assert_true(!s->kv[0].ld_run || !s->kv[1].ld_run || !s->kv[2].ld_run);
    assert_int_equal(allm__kv_shape_of(m, &cfg, &shape, &err), ALLM_OK);
    assert_int_equal(allm__session_bytes(m, &shape, &n_kv, &n_scratch, &err), ALLM_OK);
    assert_int_equal(n_kv, kv_expected(m, KV_LONG, n_batch, shape.type) + ((4 * KV_LONG + 63) / 64) * 64);
    for (int i = 50; i < KV_LONG; i += 50) {
        kv_eval(s, ids + i - 50, 50, got);
        assert_memory_equal(got, want[i], sizeof got);
    }
    kv_eval(s, ids + KV_LONG - 50, 50, got);
    assert_memory_equal(got, want[KV_LONG - 1], sizeof got);
    assert_int_equal(allm__session_truncate(s, (size_t)(KV_LONG - n_batch), &err), ALLM_OK);
    kv_eval(s, ids + KV_LONG - n_batch, (size_t)n_batch, got);
    assert_memory_equal(got, want[KV_LONG - 1], sizeof got);
    assert_int_equal(allm__session_truncate(s, 350, &err), ALLM_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "session: 700 tokens cannot be cut back to 350, the keys"));
    memset(&err, 0, sizeof err);
    assert_false(allm__session_can_keep(s, 350));
    assert_int_equal(allm__session_length(s), KV_LONG);
    assert_int_equal(allm__session_truncate(s, 0, &err), ALLM_OK);
    kv_eval(s, ids, 150, got);
    for (int i = 0; i < 2; i++) { /* keys of the window before are overwritten, then the repair is cancelled as well */
        assert_int_equal(allm__session_eval(s, ids + 150, 500, 0, kv_stop_late, &stop, &err), ALLM_E_CANCELLED);
        memset(&err, 0, sizeof err), stop = 1;
        assert_int_equal(allm__session_length(s), 150);
    }
    kv_eval(s, ids + 150, 50, got);
    assert_memory_equal(got, want[200], sizeof got);
    for (int i = 200; i < 250; i++) kv_eval(s, ids + i, 1, got); /* token by token over the end of the ring */
    assert_memory_equal(got, want[250], sizeof got);
    allm__session_destroy(whole), allm__session_destroy(s);
    allm__model_release(m);
    test_engine_free(&e);
    make_gguf_free(&w);
}

static void test_kv_ring(void **state) {
    static const char *const archs[] = {"gemma2", "gemma3", "gpt-oss", "cohere2", "phi3", "gemma4"};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(archs); i++) {
        kv_ring_check(archs[i], 13, 16, ALLM_KV_DEFAULT, 1);
        kv_ring_check(archs[i], 100, 50, i % 2 ? ALLM_KV_Q8_0 : ALLM_KV_F32, 2);
        kv_ring_check(archs[i], 1, 1, i % 2 ? ALLM_KV_F16 : ALLM_KV_Q4_0, 2);
    }
}

static void test_kv_fault_32_context_full(void **state) {
    kv_setup            k;
    allm_error          err = {0};
    allm_session_config cfg = {0};
    allm_session       *s   = NULL;
    int32_t             ids[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    float               before[96];
    (void)state;
    kv_begin(&k, 0);
    cfg.n_ctx = 10, cfg.n_batch = 4;
    assert_int_equal(allm__session_create(k.m, &cfg, &s, &err), ALLM_OK);
    assert_int_equal(allm__session_eval(s, ids, 11, 0, NULL, NULL, &err), ALLM_E_CONTEXT);
    assert_string_equal(err.message, "11 tokens after 0 do not fit a context of 10");
    assert_int_equal(allm__session_length(s), 0);
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__session_eval(s, ids, 10, 0, NULL, NULL, &err), ALLM_OK);
    memcpy(before, allm__session_logits(s, 0), sizeof before);
    assert_int_equal(allm__session_eval(s, ids, 1, 1, NULL, NULL, &err), ALLM_E_CONTEXT);
    assert_int_equal(allm__session_length(s), 10);
    assert_memory_equal(before, allm__session_logits(s, 0), sizeof before); /* nothing was evaluated */
    memset(&err, 0, sizeof err);
    ids[2] = 96;
    assert_int_equal(allm__session_truncate(s, 0, &err), ALLM_OK);
    assert_int_equal(allm__session_eval(s, ids, 5, 0, NULL, NULL, &err), ALLM_E_ARGUMENT);
    assert_string_equal(err.message, "session: token id 96 at 2, the vocabulary has 96");
    memset(&err, 0, sizeof err);
    ids[2] = -1;
    assert_int_equal(allm__session_eval(s, ids, 5, 0, NULL, NULL, &err), ALLM_E_ARGUMENT);
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__session_eval(s, ids, 0, 0, NULL, NULL, &err), ALLM_E_ARGUMENT);
    assert_int_equal(allm__session_length(s), 0);
    allm__session_destroy(s);
    kv_end(&k);
}

/* A context that no machine holds: refused, not wrapped. */
static void test_kv_too_large(void **state) {
    test_engine         e;
    allm_error          err = {0};
    allm_session_config cfg = {0};
    allm_session       *s   = NULL;
    allm_model         *m   = NULL;
    make_model          p   = make_model_new("llama");
    (void)state;
    test_engine_init(&e, 1, NULL);
    e.heap.budget = 1 << 24;
    make_gguf w = make_model_file(&p);
    assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
    cfg.n_ctx = 1 << 24, cfg.n_batch = 1 << 14;
    assert_int_equal(allm__session_create(m, &cfg, &s, &err), ALLM_E_MEMORY);
    allm__model_release(m);
    test_engine_free(&e);
    make_gguf_free(&w);
}

static const struct CMUnitTest test_kv[] = {
    cmocka_unit_test(test_kv_shape),
    cmocka_unit_test(test_kv_buffer),
    cmocka_unit_test(test_kv_truncate),
    cmocka_unit_test(test_kv_recurrent),
    cmocka_unit_test(test_kv_long_rope),
    cmocka_unit_test(test_kv_ring),
    cmocka_unit_test(test_kv_fault_32_context_full),
    cmocka_unit_test(test_kv_too_large),
};
